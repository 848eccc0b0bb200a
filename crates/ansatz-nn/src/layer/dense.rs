//! Dense layers, and networks of them.

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use super::{Activation, Layer};
use crate::{Init, Parameter, Pass, Scope};

/// y = x·Wᵀ + b along the last axis: `weight` `[out, in]`, `bias` `[out]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    weight: Parameter,
    bias: Option<Parameter>,
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
            bias: bias.map(|init| scope.parameter("bias", &[outputs], init)),
        }
    }

    /// A layer with the initial values that a network's options give.
    pub(crate) fn of(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        options: &MlpOptions,
    ) -> Self {
        let init = (options.weight.clone(), options.bias.clone());
        Self::with_init(scope, inputs, outputs, init)
    }

    /// The matrix.
    #[must_use]
    pub fn weight(&self) -> Parameter {
        self.weight
    }

    /// The offset.
    #[must_use]
    pub fn bias(&self) -> Option<Parameter> {
        self.bias
    }
}

impl Dense {
    /// |W|·r: how far the values spread when each input does by r.
    pub(crate) fn spread<'g>(&self, pass: &Pass<'g>, r: Array<'g>) -> Array<'g> {
        times(r, pass[self.weight].abs())
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
        let y = times(x, pass[self.weight]);
        match self.bias {
            Some(bias) => y + pass[bias],
            None => y,
        }
    }
}

/// A network of dense layers with a function between them: names `0.weight`, `0.bias`, `1.weight`, ….
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    layers: Vec<Dense>,
    activation: Activation,
}

/// Options of an [`Mlp`].
#[derive(Debug, Clone, PartialEq)]
pub struct MlpOptions {
    /// Between the layers.
    pub activation: Activation,
    /// Initial values of the weights.
    pub weight: Init,
    /// Initial values of the biases; `None` for layers without.
    pub bias: Option<Init>,
}

impl Default for MlpOptions {
    /// tanh, Glorot's weights, biases 0.
    fn default() -> Self {
        Self {
            activation: Activation::Tanh,
            weight: Init::Glorot,
            bias: Some(Init::Constant(0.0)),
        }
    }
}

impl Mlp {
    /// A network with these numbers of units, from the inputs to the outputs.
    pub fn new(scope: &mut Scope<'_>, widths: &[usize], options: &MlpOptions) -> Self {
        let layers = widths.windows(2).enumerate();
        let layer = |(i, pair): (usize, &[usize])| {
            Dense::of(&mut scope.scope(i), (pair[0], pair[1]), options)
        };
        Self::of_layers(layers.map(layer).collect(), options.activation)
    }

    pub(crate) fn of_layers(layers: Vec<Dense>, activation: Activation) -> Self {
        Self { layers, activation }
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
}

impl Layer for Mlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let mut x = x;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.apply(pass, x);
            if i + 1 < self.layers.len() {
                x = self.activation.at(x);
            }
        }
        x
    }
}
