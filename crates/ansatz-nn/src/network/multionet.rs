//! Operators as sums of products of all layers of two networks.
//!
//! Reference: Y. Zang, P. S. Koutsourelakis, *DGenNO: a novel physics-aware neural operator for solving forward and inverse
//! PDE problems based on deep, generative probabilistic modeling*, 2025 (the MultiONet architecture); L. Lu, X. Meng, S. Cai,
//! Z. Mao, S. Goswami, Z. Zhang, G. Karniadakis, *A comprehensive and fair comparison of two neural operators (with practical
//! extensions) based on FAIR data*, 2022, section 3.1.6 (several outputs by groups of units).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use crate::layer::{Activation, Dense, Layer, MlpOptions};
use crate::{Init, Parameter, Pass, Scope};

/// G(u)(y) = 1/L·Σ_l w_l·⟨b_l(u), t_l(y)⟩ + b₀: branch b_l and trunk t_l are the activated units of layer l = 1, …, L of two
/// networks of one width, behind a first layer each. A [`DeepONet`](crate::DeepONet) multiplies its last layers only; here every
/// depth takes part, at nearly no cost.
///
/// For a field of C components the units of every layer are cut into C groups in a row, and component c adds up the products of
/// its group, with weights w_{l,c} and a bias of its own: both networks are shared by all.
///
/// Names: `branch.0`, …, `branch.L`, `trunk.0`, …, `weights` `[L]`, or `[L, C]` for several components, `bias` `[C]`.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{Layout, Mode, MultiONet, MultiONetOptions, Pass};
/// let mut layout = Layout::new();
/// let options = MultiONetOptions { width: 32, layers: 4, ..MultiONetOptions::default() };
/// let net = MultiONet::new(&mut layout.root(), (100, 2), &options);
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let y = net.apply(&pass, graph.batch(&[16, 100]), graph.input(&[50, 2]));
/// assert_eq!(&y.shape()[..], [16, 50]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiONet {
    branch: Vec<Dense>,
    trunk: Vec<Dense>,
    weights: Parameter,
    bias: Parameter,
    activation: Activation,
    channels: usize,
}

/// Options of a [`MultiONet`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultiONetOptions {
    /// Units of each layer.
    pub width: usize,
    /// L, layers whose products are added.
    pub layers: usize,
    /// C, components of the result, which divide the units.
    pub channels: usize,
    /// Of every layer of both networks.
    pub activation: Activation,
    /// Initial values of the matrices.
    pub weight: Init,
    /// Initial values of the biases; `None` for layers without.
    pub bias: Option<Init>,
    /// w_l at the start; `None` is 1/√width.
    pub products: Option<f64>,
}

impl Default for MultiONetOptions {
    /// Six products of 80 units, one component, x + tanh(sin(π(x + 1))), Glorot's weights, biases 0.
    // Deviation: the authors' program starts with w_l = 0, so that at first nothing but w_l moves.
    fn default() -> Self {
        let MlpOptions { weight, bias, .. } = MlpOptions::default();
        Self {
            width: 80,
            layers: 6,
            channels: 1,
            activation: Activation::TanhSine,
            weight,
            bias,
            products: None,
        }
    }
}

impl MultiONet {
    /// An operator on functions given at this number of sensors, for places of this number of coordinates.
    ///
    /// # Panics
    /// Without layers or components, and for units that cannot be shared out among the components.
    #[track_caller]
    pub fn new(
        scope: &mut Scope<'_>,
        (sensors, coordinates): (usize, usize),
        options: &MultiONetOptions,
    ) -> Self {
        assert!(options.layers > 0, "a product of layers needs a layer");
        let (width, channels) = (options.width, options.channels);
        assert!(
            channels > 0 && width.is_multiple_of(channels),
            "{width} units cannot be shared out among {channels} components"
        );
        let dense = MlpOptions {
            activation: options.activation,
            weight: options.weight.clone(),
            bias: options.bias.clone(),
            ..MlpOptions::default()
        };
        let mut network = |name: &str, inputs: usize| -> Vec<Dense> {
            let mut scope = scope.scope(name);
            let layer = |l: usize| {
                let inputs = if l == 0 { inputs } else { options.width };
                Dense::of(&mut scope.scope(l), (inputs, options.width), &dense)
            };
            (0..=options.layers).map(layer).collect()
        };
        let (branch, trunk) = (network("branch", sensors), network("trunk", coordinates));
        let products = options.products;
        let products = products.unwrap_or((options.width as f64).sqrt().recip());
        let each = [options.layers, channels];
        let shape = if channels == 1 { &each[..1] } else { &each };
        Self {
            branch,
            trunk,
            weights: scope.parameter("weights", shape, Init::Constant(products)),
            bias: scope.parameter("bias", &[channels], Init::Constant(0.0)),
            activation: options.activation,
            channels,
        }
    }

    /// Functions `[batch, sensors]` at places `[n, coordinates]`: `[batch, n]`, or `[batch, n, channels]` for several
    /// components.
    ///
    /// # Panics
    /// When shapes do not fit.
    #[track_caller]
    pub fn apply<'g>(&self, pass: &Pass<'g>, functions: Array<'g>, places: Array<'g>) -> Array<'g> {
        let units = |layers: &[Dense], x: Array<'g>| -> Vec<Array<'g>> {
            let mut x = x;
            let step = layers.iter().map(|layer| {
                x = self.activation.at(layer.apply(pass, x));
                x
            });
            step.skip(1).collect()
        };
        let (branch, trunk) = (units(&self.branch, functions), units(&self.trunk, places));
        let (layers, channels) = (branch.len(), self.channels);
        let share = 1.0 / layers as f64;
        let weights = pass[self.weights].reshape(&[layers * channels]);
        let component = |c: usize| {
            let group = |x: Array<'g>| {
                let width = x.shape()[1] / channels;
                if channels == 1 {
                    x
                } else {
                    x.narrow(1, c * width, (c + 1) * width)
                }
            };
            let weighted = |(l, b): (usize, &Array<'g>)| {
                let at = l * channels + c;
                group(*b) * (weights.narrow(0, at, at + 1) * share)
            };
            let branch: Vec<Array<'g>> = branch.iter().enumerate().map(weighted).collect();
            let trunk: Vec<Array<'g>> = trunk.iter().map(|t| group(*t)).collect();
            // The products of all layers in one.
            let (branch, trunk) = (
                Array::concatenate(&branch, 1),
                Array::concatenate(&trunk, 1),
            );
            branch.matmul_by(trunk, Side::Plain, Side::Transposed)
        };
        if channels == 1 {
            return component(0) + pass[self.bias];
        }
        let apart = |c: usize| {
            let y = component(c);
            y.reshape(&[y.shape()[0], y.shape()[1], 1])
        };
        let all: Vec<Array<'g>> = (0..channels).map(apart).collect();
        Array::concatenate(&all, 2) + pass[self.bias]
    }
}
