//! Dense layers, and networks of them.
//!
//! References: S. Wang, H. Wang, J. Seidman, P. Perdikaris, *Random weight factorization improves the training of continuous
//! neural representations*, 2022 (eq. 4); A. Jagtap, K. Kawaguchi, G. Karniadakis, *Locally adaptive activation functions
//! with slope recovery for deep and physics-informed neural networks*, 2020 (layer-wise slopes, section 2.1).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use super::{Activation, Layer};
use crate::{Init, Parameter, Pass, Scope};

/// y = x·Wᵀ + b along the last axis: `weight` `[out, in]`, `bias` `[out]`; with a [`Factorisation`] W = diag(s)·V and
/// `weight` is V, `scale` `[out]` is s.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    weight: Parameter,
    scale: Option<Parameter>,
    bias: Option<Parameter>,
}

/// Random weight factorisation W = diag(s)·V, a scale for each output, s = exp(N(μ, σ²)) and V = W₀/s at the start: the network
/// starts as that of W₀ up to rounding, and takes other steps, each unit with a learning rate of its own.
///
/// s itself is trained, as the experiments of 2023 do (S. Wang et al., *An expert's guide to training physics-informed neural
/// networks*), not its logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factorisation {
    /// μ, the mean of ln s; 0.5 or 1.
    pub mean: f64,
    /// σ, the standard deviation of ln s.
    pub deviation: f64,
}

impl Default for Factorisation {
    /// μ = 0.5, σ = 0.1.
    fn default() -> Self {
        Self {
            mean: 0.5,
            deviation: 0.1,
        }
    }
}

impl Dense {
    /// A layer with PyTorch's initial values, uniform in ±1/√inputs.
    pub fn new(scope: &mut Scope<'_>, inputs: usize, outputs: usize) -> Self {
        let bias = Init::Uniform((inputs as f64).sqrt().recip());
        Self::with_init(scope, inputs, outputs, (Init::FanIn, Some(bias)))
    }

    /// A layer with initial values of the weight, and of the bias if it has one.
    pub fn with_init(
        scope: &mut Scope<'_>,
        inputs: usize,
        outputs: usize,
        (weight, bias): (Init, Option<Init>),
    ) -> Self {
        Self {
            weight: scope.parameter("weight", &[outputs, inputs], weight),
            scale: None,
            bias: bias.map(|init| scope.parameter("bias", &[outputs], init)),
        }
    }

    /// A layer with the initial values and the factorisation that a network's options give.
    pub(crate) fn of(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        options: &MlpOptions,
    ) -> Self {
        let mut weight = options.weight.clone();
        let scale = options.factorised.map(|Factorisation { mean, deviation }| {
            scope.parameter("scale", &[outputs], Init::LogNormal(mean, deviation))
        });
        if let Some(scale) = scale {
            weight = Init::Divided(Box::new(weight), scale);
        }
        let init = (weight, options.bias.clone());
        Self {
            scale,
            ..Self::with_init(scope, inputs, outputs, init)
        }
    }

    /// The matrix, V of one that is factorised.
    #[must_use]
    pub fn weight(&self) -> Parameter {
        self.weight
    }

    /// The offset.
    #[must_use]
    pub fn bias(&self) -> Option<Parameter> {
        self.bias
    }

    /// W.
    #[must_use]
    pub fn matrix<'g>(&self, pass: &Pass<'g>) -> Array<'g> {
        let weight = pass[self.weight];
        match self.scale {
            None => weight,
            Some(scale) => weight * pass[scale].reshape(&[weight.shape()[0], 1]),
        }
    }

    /// |W|·r: how far the values spread when each input does by r.
    pub(crate) fn spread<'g>(&self, pass: &Pass<'g>, r: Array<'g>) -> Array<'g> {
        times(r, self.matrix(pass).abs())
    }
}

/// x·Wᵀ along the last axis.
fn times<'g>(x: Array<'g>, weight: Array<'g>) -> Array<'g> {
    let rank = x.shape().rank();
    if rank == 2 {
        return x.matmul_by(weight, Side::Plain, Side::Transposed);
    }
    let outer = &"abcdefghijkl"[..rank.saturating_sub(1)];
    x.contract(weight, &format!("{outer}x,yx->{outer}y"))
}

impl Layer for Dense {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let y = times(x, self.matrix(pass));
        match self.bias {
            Some(bias) => y + pass[bias],
            None => y,
        }
    }
}

/// φ(z), or φ(n·a·z) with a trained number a: what stands between dense layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub(crate) activation: Activation,
    /// n and a.
    slope: Option<(f64, Parameter)>,
}

impl Unit {
    pub(crate) fn of(scope: &mut Scope<'_>, options: &MlpOptions) -> Self {
        let slope = |n: f64| (n, scope.parameter("slope", &[1], Init::Constant(n.recip())));
        Self {
            activation: options.activation,
            slope: options.adaptive.map(slope),
        }
    }

    /// n·a.
    pub(crate) fn slope<'g>(&self, pass: &Pass<'g>) -> Option<Array<'g>> {
        self.slope.map(|(n, a)| pass[a] * n)
    }
}

impl Layer for Unit {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.activation.at(match self.slope(pass) {
            None => x,
            Some(slope) => x * slope,
        })
    }
}

/// A dense layer and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hidden(Dense, Unit);

impl Hidden {
    pub(crate) fn of(scope: &mut Scope<'_>, sizes: (usize, usize), options: &MlpOptions) -> Self {
        Self(Dense::of(scope, sizes, options), Unit::of(scope, options))
    }
}

impl Layer for Hidden {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.1.apply(pass, self.0.apply(pass, x))
    }
}

/// A network of dense layers with a function between them: names `0.weight`, `0.bias`, `1.weight`, …, and `0.scale`, `0.slope`
/// where the options ask for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    layers: Vec<Dense>,
    /// One less.
    units: Vec<Unit>,
    activation: Activation,
}

/// Options of dense layers in an [`Mlp`] and in other networks of them.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpOptions {
    /// Between the layers.
    pub activation: Activation,
    /// Initial values of the weights.
    pub weight: Init,
    /// Initial values of the biases; `None` for layers without.
    pub bias: Option<Init>,
    /// Weights as products of scales and directions, both trained.
    pub factorised: Option<Factorisation>,
    /// n of layer-wise adaptive activations φ(n·a·z), not 0: a is trained for each layer and starts at 1/n, so that the network
    /// starts as it would without. A larger n makes steps in the slope larger.
    pub adaptive: Option<f64>,
}

impl Default for MlpOptions {
    /// tanh, Glorot's weights, biases 0, nothing factorised or adaptive.
    fn default() -> Self {
        Self {
            activation: Activation::Tanh,
            weight: Init::Glorot,
            bias: Some(Init::Constant(0.0)),
            factorised: None,
            adaptive: None,
        }
    }
}

impl Mlp {
    /// A network with these numbers of units, from the inputs to the outputs.
    pub fn new(scope: &mut Scope<'_>, widths: &[usize], options: &MlpOptions) -> Self {
        let (mut layers, mut units) = (Vec::new(), Vec::new());
        for (i, pair) in widths.windows(2).enumerate() {
            let mut branch = scope.scope(i);
            layers.push(Dense::of(&mut branch, (pair[0], pair[1]), options));
            if i + 2 < widths.len() {
                units.push(Unit::of(&mut branch, options));
            }
        }
        Self {
            layers,
            units,
            activation: options.activation,
        }
    }

    pub(crate) fn of_layers(layers: Vec<Dense>, activation: Activation) -> Self {
        let slope = None;
        let unit = Unit { activation, slope };
        Self {
            units: vec![unit; layers.len().saturating_sub(1)],
            layers,
            activation,
        }
    }

    /// The function between the layers.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Its layers.
    #[must_use]
    pub fn layers(&self) -> &[Dense] {
        &self.layers
    }

    /// What stands between them.
    pub(crate) fn units(&self) -> &[Unit] {
        &self.units
    }
}

impl Layer for Mlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let mut x = x;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.apply(pass, x);
            if let Some(unit) = self.units.get(i) {
                x = unit.apply(pass, x);
            }
        }
        x
    }
}
