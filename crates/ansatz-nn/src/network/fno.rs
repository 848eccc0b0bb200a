//! The Fourier neural operator.
//!
//! Each block adds a map of the lowest modes of its input's Fourier transform, one matrix of channels a mode, to a map
//! of the channels at each point: a function of functions that does not depend on the grid.
//!
//! Reference: Z. Li et al., *Fourier neural operator for parametric partial differential equations*, 2021 (eqs. 4, 5).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Range;

use crate::layer::{Activation, Conv, Layer};
use crate::{Init, Parameter, Pass, Scope};

/// The lowest modes of `[batch, in, lengths…]`, mapped to `[batch, out, lengths…]`: `weight_0`, `weight_1`, …
/// `[in, out, modes…, 2]`, one for each choice of positive or negative frequencies along all axes but the last.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralConv {
    weights: Vec<Parameter>,
    modes: Vec<usize>,
}

impl SpectralConv {
    /// A layer that keeps `modes` frequencies of each axis, of either sign along all but the last one.
    pub fn new(scope: &mut Scope<'_>, (inputs, outputs): (usize, usize), modes: &[usize]) -> Self {
        let mut shape = vec![inputs, outputs];
        shape.extend(modes);
        shape.push(2);
        let scale = ((inputs * outputs) as f64).recip();
        let corners = 1 << modes.len().saturating_sub(1);
        let weights = (0..corners)
            .map(|c| scope.parameter(format!("weight_{c}"), &shape, Init::Uniform(scale)))
            .collect();
        Self {
            weights,
            modes: modes.to_vec(),
        }
    }
}

impl Layer for SpectralConv {
    /// # Panics
    /// When an axis has fewer frequencies than the layer keeps.
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let axes = self.modes.len();
        let length = x.shape()[x.shape().rank() - 1];
        let spectrum = x.rfft(axes);
        let shape = spectrum.shape();
        let mut total: Option<Array<'g>> = None;
        for (corner, weight) in self.weights.iter().enumerate() {
            let low = |axis: usize| corner >> axis & 1 == 0 || axis + 1 == axes;
            let range = |i: usize| match i.checked_sub(2) {
                Some(axis) if axis < axes => Range {
                    start: if low(axis) {
                        0
                    } else {
                        shape[i] - self.modes[axis]
                    },
                    length: self.modes[axis],
                    step: 1,
                },
                _ => Range::all(shape[i]),
            };
            let ranges: Vec<Range> = (0..shape.rank()).map(range).collect();
            let mixed = spectrum.slice(&ranges).mix_modes(pass[*weight]);
            let (mut to, mut ranges) = (shape.to_vec(), ranges);
            to[1] = mixed.shape()[1];
            ranges[1] = Range::all(to[1]);
            let placed = mixed.pad(&to, &ranges);
            total = Some(total.map_or(placed, |sum| sum + placed));
        }
        total
            .unwrap_or_else(|| spectrum.zeros())
            .irfft(axes, length)
    }
}

/// Sizes of an [`Fno`].
#[derive(Debug, Clone, PartialEq)]
pub struct FnoOptions {
    /// Channels of the input and of the result.
    pub channels: (usize, usize),
    /// Channels between.
    pub width: usize,
    /// Frequencies that are kept along each axis: one to three axes.
    pub modes: Vec<usize>,
    /// Blocks.
    pub blocks: usize,
    /// Behind each block but the last.
    pub activation: Activation,
}

impl Default for FnoOptions {
    /// One channel to one, width 32, 12 modes of one axis, 4 blocks, GELU.
    fn default() -> Self {
        Self {
            channels: (1, 1),
            width: 32,
            modes: vec![12],
            blocks: 4,
            activation: Activation::Gelu,
        }
    }
}

/// A Fourier neural operator on `[batch, in, lengths…]`: the coordinates in [0, 1) are added as channels.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{Fno, FnoOptions, Layer, Layout, Mode, Pass};
/// let mut layout = Layout::new();
/// let options = FnoOptions { modes: vec![8, 8], ..FnoOptions::default() };
/// let operator = Fno::new(&mut layout.root(), &options);
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// // The same weights serve any grid.
/// let y = operator.apply(&pass, graph.batch(&[2, 1, 32, 48]));
/// assert_eq!(&y.shape()[..], [2, 1, 32, 48]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fno {
    lift: Conv,
    blocks: Vec<(SpectralConv, Conv)>,
    project: (Conv, Conv),
    activation: Activation,
}

impl Fno {
    /// An operator.
    pub fn new(scope: &mut Scope<'_>, options: &FnoOptions) -> Self {
        let (axes, width) = (options.modes.len(), options.width);
        let point = vec![1; axes];
        let at_points = |scope: &mut Scope<'_>, name: &str, channels| {
            Conv::same(&mut scope.scope(name), channels, &point)
        };
        let lift = at_points(scope, "lift", (options.channels.0 + axes, width));
        let blocks = (0..options.blocks)
            .map(|b| {
                let mut branch = scope.scope(format!("blocks.{b}"));
                let spectral = SpectralConv::new(
                    &mut branch.scope("spectral"),
                    (width, width),
                    &options.modes,
                );
                (
                    spectral,
                    at_points(&mut branch, "pointwise", (width, width)),
                )
            })
            .collect();
        let project = (
            at_points(scope, "project.0", (width, 4 * width)),
            at_points(scope, "project.1", (4 * width, options.channels.1)),
        );
        Self {
            lift,
            blocks,
            project,
            activation: options.activation,
        }
    }
}

impl Layer for Fno {
    /// # Panics
    /// When an axis has fewer frequencies than the operator keeps.
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let mut x = self.lift.apply(pass, with_coordinates(x));
        for (b, (spectral, pointwise)) in self.blocks.iter().enumerate() {
            x = spectral.apply(pass, x) + pointwise.apply(pass, x);
            if b + 1 < self.blocks.len() {
                x = self.activation.at(x);
            }
        }
        let hidden = self.activation.at(self.project.0.apply(pass, x));
        self.project.1.apply(pass, hidden)
    }
}

/// Channels i/length of each axis behind those of x.
fn with_coordinates(x: Array<'_>) -> Array<'_> {
    let shape = x.shape();
    let mut parts = vec![x];
    for axis in 2..shape.rank() {
        let n = shape[axis];
        let mut along = vec![1; shape.rank() - 1];
        along[axis - 1] = n;
        let line = x
            .graph()
            .constant(&along, (0..n).map(|i| i as f64 / n as f64).collect());
        let mut to = shape.to_vec();
        to[1] = 1;
        // A multiple of x is split along the batch as x is.
        let zeros = x.narrow(1, 0, 1) * 0.0;
        parts.push(zeros + line.broadcast(&to));
    }
    Array::concatenate(&parts, 1)
}
