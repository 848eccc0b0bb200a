//! Operators as sums of products of all layers of two networks.
//!
//! Reference: Y. Zang, P. S. Koutsourelakis, *DGenNO: a novel physics-aware neural operator for solving forward and inverse
//! PDE problems based on deep, generative probabilistic modeling*, 2025 (the MultiONet architecture).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use crate::layer::{Activation, Dense, Layer, MlpOptions};
use crate::{Init, Parameter, Pass, Scope};

/// G(u)(y) = 1/L·Σ_l w_l·⟨b_l(u), t_l(y)⟩ + b₀: branch b_l and trunk t_l are the activated units of layer l = 1, …, L of two
/// networks of one width, behind a first layer each. A [`DeepONet`](crate::DeepONet) multiplies its last layers only; here every
/// depth takes part, at nearly no cost.
///
/// Names: `branch.0`, …, `branch.L`, `trunk.0`, …, `weights` `[L]`, `bias` `[1]`.
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
}

/// Options of a [`MultiONet`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultiONetOptions {
    /// Units of each layer.
    pub width: usize,
    /// L, layers whose products are added.
    pub layers: usize,
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
    /// Six products of 80 units, x + tanh(sin(π(x + 1))), Glorot's weights, biases 0.
    // Deviation: the authors' program starts with w_l = 0, so that at first nothing but w_l moves.
    fn default() -> Self {
        let MlpOptions { weight, bias, .. } = MlpOptions::default();
        Self {
            width: 80,
            layers: 6,
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
    /// Without layers.
    #[track_caller]
    pub fn new(
        scope: &mut Scope<'_>,
        (sensors, coordinates): (usize, usize),
        options: &MultiONetOptions,
    ) -> Self {
        assert!(options.layers > 0, "a product of layers needs a layer");
        let dense = MlpOptions {
            activation: options.activation,
            weight: options.weight.clone(),
            bias: options.bias.clone(),
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
        Self {
            branch,
            trunk,
            weights: scope.parameter("weights", &[options.layers], Init::Constant(products)),
            bias: scope.parameter("bias", &[1], Init::Constant(0.0)),
            activation: options.activation,
        }
    }

    /// Functions `[batch, sensors]` at places `[n, coordinates]`: `[batch, n]`.
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
        let (mut branch, trunk) = (units(&self.branch, functions), units(&self.trunk, places));
        let share = 1.0 / branch.len() as f64;
        for (l, b) in branch.iter_mut().enumerate() {
            *b = *b * (pass[self.weights].narrow(0, l, l + 1) * share);
        }
        // All products in one.
        let (branch, trunk) = (
            Array::concatenate(&branch, 1),
            Array::concatenate(&trunk, 1),
        );
        branch.matmul_by(trunk, Side::Plain, Side::Transposed) + pass[self.bias]
    }
}
