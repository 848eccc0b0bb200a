//! Convolutions in one to three axes.

use ansatz_autodiff::{Array, Convolution, ConvolutionTransposed};

use super::Layer;
use crate::{Init, Parameter, Pass, Scope};

/// A convolution of `[batch, in, lengths…]` with `weight` `[out, in/groups, kernel…]` and `bias` `[out]`; the kernel has one
/// to three axes. The names and shapes are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    weight: Parameter,
    bias: Option<Parameter>,
    options: Convolution,
}

impl Conv {
    /// A layer with PyTorch's initial values, uniform in ±1/√(in/groups·taps).
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        kernel: &[usize],
        options: Convolution,
    ) -> Self {
        let taps: usize = kernel.iter().product();
        let fan_in = inputs / options.groups.max(1) * taps;
        let bias = Init::Uniform((fan_in.max(1) as f64).sqrt().recip());
        Self::with_init(
            scope,
            (inputs, outputs),
            kernel,
            options,
            (Init::FanIn, Some(bias)),
        )
    }

    /// A layer with an odd kernel that keeps the lengths.
    pub fn same(scope: &mut Scope<'_>, channels: (usize, usize), kernel: &[usize]) -> Self {
        let padding = kernel.iter().map(|k| (k / 2, k / 2)).collect();
        let options = Convolution {
            padding,
            ..Convolution::default()
        };
        Self::new(scope, channels, kernel, options)
    }

    /// A layer with initial values of the weight, and of the bias if it has one.
    pub fn with_init(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        kernel: &[usize],
        options: Convolution,
        (weight, bias): (Init, Option<Init>),
    ) -> Self {
        let mut shape = vec![outputs, inputs / options.groups.max(1)];
        shape.extend(kernel);
        Self {
            weight: scope.parameter("weight", &shape, weight),
            bias: bias.map(|init| scope.parameter("bias", &[outputs], init)),
            options,
        }
    }
}

impl Conv {
    /// |W| * r: how far the values spread when each input does by r.
    pub(crate) fn spread<'g>(&self, pass: &Pass<'g>, r: Array<'g>) -> Array<'g> {
        r.convolve(pass[self.weight].abs(), &self.options)
    }
}

impl Layer for Conv {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let y = x.convolve(pass[self.weight], &self.options);
        offset(pass, y, self.bias)
    }
}

/// A transposed convolution of `[batch, in, lengths…]` with `weight` `[in, out/groups, kernel…]` and `bias` `[out]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvTransposed {
    weight: Parameter,
    bias: Option<Parameter>,
    options: ConvolutionTransposed,
}

impl ConvTransposed {
    /// A layer with PyTorch's initial values, uniform in ±1/√(out/groups·taps).
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        kernel: &[usize],
        options: ConvolutionTransposed,
    ) -> Self {
        let mut shape = vec![inputs, outputs / options.convolution.groups.max(1)];
        shape.extend(kernel);
        let fan: usize = shape[1..].iter().product();
        let bias = Init::Uniform((fan.max(1) as f64).sqrt().recip());
        Self {
            weight: scope.parameter("weight", &shape, Init::FanIn),
            bias: Some(scope.parameter("bias", &[outputs], bias)),
            options,
        }
    }
}

impl Layer for ConvTransposed {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let y = x.convolve_transposed(pass[self.weight], &self.options);
        offset(pass, y, self.bias)
    }
}

/// A number for each channel of `[batch, channels, lengths…]`.
pub(super) fn per_channel<'g>(pass: &Pass<'g>, y: Array<'g>, numbers: Parameter) -> Array<'g> {
    let shape = y.shape();
    let mut lengths = vec![1; shape.rank() - 1];
    lengths[0] = shape[1];
    pass[numbers].reshape(&lengths)
}

fn offset<'g>(pass: &Pass<'g>, y: Array<'g>, bias: Option<Parameter>) -> Array<'g> {
    match bias {
        Some(bias) => y + per_channel(pass, y, bias),
        None => y,
    }
}
