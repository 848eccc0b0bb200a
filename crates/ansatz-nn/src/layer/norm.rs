//! Normalisations.
//!
//! All use the biased variance, and scale and shift the result by trained numbers (`weight`, `bias`).
//!
//! References: J. L. Ba, J. R. Kiros, G. E. Hinton, *Layer normalization*, 2016; Y. Wu, K. He, *Group
//! normalization*, 2018; B. Zhang, R. Sennrich, *Root mean square layer normalization*, 2019; S. Ioffe,
//! C. Szegedy, *Batch normalization*, 2015.

use ansatz_autodiff::Array;

use super::Layer;
use super::convolution::per_channel;
use crate::{Init, Mode, Parameter, Pass, Scope};

/// (x − mean)/√(variance + ε) along axes.
fn standardised<'g>(x: Array<'g>, axes: &[usize], epsilon: f64) -> Array<'g> {
    let centred = x - kept(x, x.mean_axes(axes), axes);
    let variance = centred.square().mean_axes(axes);
    centred * kept(x, (variance + epsilon).rsqrt(), axes)
}

/// A reduced array with its axes back, of length 1.
fn kept<'g>(x: Array<'g>, reduced: Array<'g>, axes: &[usize]) -> Array<'g> {
    let shape = x.shape();
    let length = |i: usize| if axes.contains(&i) { 1 } else { shape[i] };
    let lengths: Vec<usize> = (0..shape.rank()).map(length).collect();
    reduced.reshape(&lengths)
}

/// The last axis to mean 0 and variance 1.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    weight: Parameter,
    bias: Parameter,
    epsilon: f64,
}

impl LayerNorm {
    /// For a last axis of `n` numbers, ε = 1e-5.
    pub fn new(scope: &mut Scope<'_>, n: usize) -> Self {
        Self {
            weight: scope.parameter("weight", &[n], Init::Constant(1.0)),
            bias: scope.parameter("bias", &[n], Init::Constant(0.0)),
            epsilon: 1e-5,
        }
    }
}

impl Layer for LayerNorm {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let last = x.shape().rank() - 1;
        standardised(x, &[last], self.epsilon) * pass[self.weight] + pass[self.bias]
    }
}

/// The last axis divided by its root mean square.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNorm {
    weight: Parameter,
    epsilon: f64,
}

impl RmsNorm {
    /// For a last axis of `n` numbers, ε = 1e-6.
    pub fn new(scope: &mut Scope<'_>, n: usize) -> Self {
        Self {
            weight: scope.parameter("weight", &[n], Init::Constant(1.0)),
            epsilon: 1e-6,
        }
    }
}

impl Layer for RmsNorm {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let axes = [x.shape().rank() - 1];
        let mean = x.square().mean_axes(&axes);
        x * kept(x, (mean + self.epsilon).rsqrt(), &axes) * pass[self.weight]
    }
}

/// `[batch, channels, lengths…]`, each group of channels of each point to mean 0 and variance 1.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupNorm {
    weight: Parameter,
    bias: Parameter,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// For this many channels in groups of equal size, ε = 1e-5.
    ///
    /// # Panics
    /// When the groups do not divide the channels.
    #[track_caller]
    pub fn new(scope: &mut Scope<'_>, groups: usize, channels: usize) -> Self {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "{channels} channels in {groups} groups"
        );
        Self {
            weight: scope.parameter("weight", &[channels], Init::Constant(1.0)),
            bias: scope.parameter("bias", &[channels], Init::Constant(0.0)),
            groups,
            epsilon: 1e-5,
        }
    }
}

impl Layer for GroupNorm {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let shape = x.shape();
        let points = shape[0].max(1);
        let size = shape.len() / points / self.groups;
        let grouped = x.reshape(&[shape[0], self.groups, size]);
        let y = standardised(grouped, &[2], self.epsilon).reshape(&shape);
        y * per_channel(pass, y, self.weight) + per_channel(pass, y, self.bias)
    }
}

/// `[batch, channels, lengths…]`, each channel to mean 0 and variance 1: of the batch in training, of running averages
/// (buffers `running_mean`, `running_var`) else.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    weight: Parameter,
    bias: Parameter,
    mean: Parameter,
    variance: Parameter,
    epsilon: f64,
    momentum: f64,
}

impl BatchNorm {
    /// For this many channels, ε = 1e-5; averages take a tenth of each batch's statistics (the variance unbiased, as
    /// PyTorch has it).
    pub fn new(scope: &mut Scope<'_>, channels: usize) -> Self {
        Self {
            weight: scope.parameter("weight", &[channels], Init::Constant(1.0)),
            bias: scope.parameter("bias", &[channels], Init::Constant(0.0)),
            mean: scope.buffer("running_mean", &[channels], Init::Constant(0.0)),
            variance: scope.buffer("running_var", &[channels], Init::Constant(1.0)),
            epsilon: 1e-5,
            momentum: 0.1,
        }
    }
}

impl Layer for BatchNorm {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let y = match pass.mode() {
            Mode::Train => {
                let shape = x.shape();
                let axes: Vec<usize> = (0..shape.rank()).filter(|i| *i != 1).collect();
                let mean = x.mean_axes(&axes);
                let centred = x - kept(x, mean, &axes);
                let variance = centred.square().mean_axes(&axes);
                let count = (shape.len() / shape[1].max(1)) as f64;
                let unbiased = variance * (count / (count - 1.0).max(1.0));
                for (buffer, new) in [(self.mean, mean), (self.variance, unbiased)] {
                    let old = pass[buffer] * (1.0 - self.momentum);
                    pass.update(buffer, old + new * self.momentum);
                }
                centred * kept(x, (variance + self.epsilon).rsqrt(), &axes)
            }
            Mode::Evaluate => {
                let scale = (per_channel(pass, x, self.variance) + self.epsilon).rsqrt();
                (x - per_channel(pass, x, self.mean)) * scale
            }
        };
        y * per_channel(pass, y, self.weight) + per_channel(pass, y, self.bias)
    }
}
