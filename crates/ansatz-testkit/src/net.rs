//! Small dense networks with their reverse pass written by hand, in batches.
//!
//! A layer is y = φ(x·W + t·w + b) with weights W `[inputs, outputs]`, and a network is a chain of them.
//! Methods know networks only through the traits of `ansatz-core`; the ones here are an independent
//! implementation of these traits, made of slices and loops, for tests, experiments and as an oracle for
//! networks from elsewhere. [`NetField`] is f(t, x), [`NetControl`] is G(t, x)·u, [`NetSde`] both; larger models chain
//! [`Net::forward`] and [`Net::backward`] over parts of one vector of parameters.
//!
//! States are `[batch, width]`, flat and row-major; parameters one flat vector, layer by layer W, w (if the
//! layer sees the time) and b. Rows do not influence each other's bits. Cost: 2·inputs·outputs operations a
//! row and layer, twice that for the products. A call on a warm [`Trace`] allocates nothing.
//!
//! ```
//! use ansatz_core::Key;
//! use ansatz_testkit::net::{Activation, Net, Trace};
//! let net = Net::new(2).layer(8, Activation::Tanh).layer(1, Activation::Identity);
//! let p = net.init(Key::new(0));
//! let (mut trace, mut x_bar, mut p_bar) = (Trace::default(), vec![0.0; 6], vec![0.0; p.len()]);
//! let x = [0.1, 0.2, -0.3, 0.4, 0.5, -0.6]; // three rows
//! let y = net.forward(&p, 0.0, &x, &mut trace).to_vec();
//! net.backward(&p, 0.0, &[1.0; 3], &mut trace, &mut x_bar, &mut p_bar);
//! assert_eq!(y.len(), 3);
//! assert_eq!(p_bar[p.len() - 1], 3.0); // the last bias counts once a row
//! ```

mod activation;
mod field;
mod loss;
mod optimiser;
mod product;

use std::ops::Range;

use ansatz_core::Key;

pub use activation::Activation;
pub use field::{NetControl, NetField, NetSde};
pub use loss::{accuracy, cross_entropy};
pub use optimiser::{Adadelta, Adam};

use product::{add_product, transpose};

/// One layer's shape.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layer {
    inputs: usize,
    outputs: usize,
    activation: Activation,
    /// Rows of the weights beside the inputs: 1 if the layer sees the time.
    clock: usize,
}

impl Layer {
    fn weights(&self) -> usize {
        (self.inputs + self.clock) * self.outputs
    }

    fn params(&self) -> usize {
        self.weights() + self.outputs
    }
}

/// The shape of a network; its parameters are given to each call.
#[derive(Debug, Clone, PartialEq)]
pub struct Net {
    inputs: usize,
    clock: usize,
    layers: Vec<Layer>,
    scale: f64,
}

/// What a forward pass leaves for the reverse pass.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Input of each layer, then the output: `[batch, width]`.
    values: Vec<Vec<f64>>,
    /// Before the activations.
    sums: Vec<Vec<f64>>,
    output: Vec<f64>,
    bars: [Vec<f64>; 2],
    transposed: Vec<f64>,
}

impl Trace {
    /// The output of the last forward pass.
    #[must_use]
    pub fn output(&self) -> &[f64] {
        &self.output
    }
}

impl Net {
    /// A network without layers.
    #[must_use]
    pub fn new(inputs: usize) -> Self {
        Self {
            inputs,
            clock: 0,
            layers: Vec::new(),
            scale: 1.0,
        }
    }

    /// A network all of whose layers see the time as one more input.
    #[must_use]
    pub fn with_time(inputs: usize) -> Self {
        Self {
            clock: 1,
            ..Self::new(inputs)
        }
    }

    /// Adds a layer.
    #[must_use]
    pub fn layer(mut self, outputs: usize, activation: Activation) -> Self {
        self.layers.push(Layer {
            inputs: self.outputs(),
            outputs,
            activation,
            clock: self.clock,
        });
        self
    }

    /// Multiplies the outputs by `scale`.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// Width of a row of the input.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of a row of the output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(self.inputs, |l| l.outputs)
    }

    /// Number of parameters.
    #[must_use]
    pub fn params(&self) -> usize {
        self.layers.iter().map(Layer::params).sum()
    }

    /// Weights uniform in ±√(6/(inputs + outputs)), biases 0 (X. Glorot, Y. Bengio, *Understanding the
    /// difficulty of training deep feedforward neural networks*, 2010, eq. 16).
    #[must_use]
    pub fn init(&self, key: Key) -> Vec<f64> {
        let mut params = Vec::with_capacity(self.params());
        for (i, layer) in (0..).zip(&self.layers) {
            let fan = layer.inputs + layer.clock + layer.outputs;
            let limit = (6.0 / fan as f64).sqrt();
            let uniform = |j: usize| key.uniform(i, j as u64)[0];
            params.extend((0..layer.weights()).map(|j| limit * (2.0 * uniform(j) - 1.0)));
            params.resize(params.len() + layer.outputs, 0.0);
        }
        params
    }

    /// Clamps every weight (not the biases) to ±1/outputs of its layer: the sums over outputs are then at most 1,
    /// so each layer, and with an activation that is 1-Lipschitz the network, is 1-Lipschitz in the ℓ₁ norm (P.
    /// Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural SDEs*, 2021, section 5).
    ///
    /// # Panics
    /// When there are not [`Net::params`] parameters.
    pub fn clip_to_lipschitz(&self, params: &mut [f64]) {
        for (layer, range) in self.ranges(params.len()) {
            let limit = 1.0 / layer.outputs as f64;
            for w in &mut params[range.start..][..layer.weights()] {
                *w = w.clamp(-limit, limit);
            }
        }
    }

    /// The largest sum over outputs of |W| in each layer: its Lipschitz constant in the ℓ₁ norm.
    ///
    /// # Panics
    /// When there are not [`Net::params`] parameters.
    #[must_use]
    pub fn lipschitz(&self, params: &[f64]) -> Vec<f64> {
        self.ranges(params.len())
            .map(|(layer, range)| {
                let rows = params[range.start..][..layer.weights()].chunks(layer.outputs);
                let sums = rows.map(|row| row.iter().map(|w| w.abs()).sum::<f64>());
                sums.fold(0.0, f64::max)
            })
            .collect()
    }

    /// The layers with the places of their parameters.
    fn ranges(&self, given: usize) -> impl Iterator<Item = (&Layer, Range<usize>)> {
        assert_eq!(given, self.params(), "one number per parameter");
        let mut end = 0;
        self.layers.iter().map(move |layer| {
            end += layer.params();
            (layer, end - layer.params()..end)
        })
    }

    /// Rows of `x`.
    ///
    /// # Panics
    /// When `x` does not hold whole rows.
    fn rows(&self, len: usize) -> usize {
        assert!(
            self.inputs > 0 && len.is_multiple_of(self.inputs),
            "{len} numbers are no rows of {}",
            self.inputs
        );
        len / self.inputs
    }

    /// The outputs for every row of `x`, which `trace` keeps too.
    ///
    /// # Panics
    /// When `params` has another length than [`Net::params`] or `x` holds no whole rows.
    pub fn forward<'t>(
        &self,
        params: &[f64],
        t: f64,
        x: &[f64],
        trace: &'t mut Trace,
    ) -> &'t [f64] {
        let rows = self.rows(x.len());
        assert_eq!(params.len(), self.params(), "one number per parameter");
        trace.values.resize(self.layers.len() + 1, Vec::new());
        trace.sums.resize(self.layers.len(), Vec::new());
        trace.values[0].clear();
        trace.values[0].extend_from_slice(x);
        let mut rest = params;
        for (l, layer) in self.layers.iter().enumerate() {
            let (mine, after) = rest.split_at(layer.params());
            rest = after;
            let (weights, bias) = mine.split_at(layer.weights());
            let (weights, time) = weights.split_at(layer.inputs * layer.outputs);
            let (before, after) = trace.values.split_at_mut(l + 1);
            let sums = &mut trace.sums[l];
            sums.clear();
            for _ in 0..rows {
                sums.extend_from_slice(bias);
            }
            if layer.clock == 1 {
                for row in sums.chunks_mut(layer.outputs) {
                    for (s, w) in row.iter_mut().zip(time) {
                        *s += t * w;
                    }
                }
            }
            let size = [rows, layer.inputs, layer.outputs];
            add_product(size, &before[l], (layer.inputs, 1), weights, sums);
            after[0].resize(sums.len(), 0.0);
            layer.activation.apply(sums, &mut after[0]);
        }
        trace.output.clear();
        let last = &trace.values[self.layers.len()];
        trace.output.extend(last.iter().map(|y| self.scale * y));
        &trace.output
    }

    /// After [`Net::forward`] with the same arguments, and `y_bar` the cotangents of its outputs:
    /// `x_bar ← (∂y/∂x)ᵀ·y_bar` and `p_bar += (∂y/∂p)ᵀ·y_bar`.
    ///
    /// # Panics
    /// When lengths do not fit those of the forward pass.
    pub fn backward(
        &self,
        params: &[f64],
        t: f64,
        y_bar: &[f64],
        trace: &mut Trace,
        x_bar: &mut [f64],
        p_bar: &mut [f64],
    ) {
        let rows = self.rows(x_bar.len());
        for given in [params.len(), p_bar.len()] {
            assert_eq!(given, self.params(), "one number per parameter");
        }
        assert_eq!(y_bar.len(), rows * self.outputs(), "one row per row");
        let Trace {
            values,
            sums,
            bars: [bar, next],
            transposed,
            ..
        } = trace;
        bar.clear();
        bar.extend(y_bar.iter().map(|y| self.scale * y));
        let mut end = params.len();
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let range = end - layer.params()..end;
            end = range.start;
            layer.activation.pull(&sums[l], &values[l + 1], bar);
            let w = layer.inputs * layer.outputs;
            let mine = &mut p_bar[range.clone()];
            let (weight_bars, rest) = mine.split_at_mut(w);
            let size = [layer.inputs, rows, layer.outputs];
            add_product(size, &values[l], (1, layer.inputs), bar, weight_bars);
            let (time_bars, bias_bars) = rest.split_at_mut(rest.len() - layer.outputs);
            for row in bar.chunks(layer.outputs) {
                for (b, y) in bias_bars.iter_mut().zip(row) {
                    *b += y;
                }
                for (b, y) in time_bars.iter_mut().zip(row) {
                    *b += t * y;
                }
            }
            transpose(&params[range][..w], layer.outputs, transposed);
            next.clear();
            next.resize(rows * layer.inputs, 0.0);
            let size = [rows, layer.outputs, layer.inputs];
            add_product(size, bar, (layer.outputs, 1), transposed, next);
            std::mem::swap(bar, next);
        }
        x_bar.copy_from_slice(bar);
    }
}
