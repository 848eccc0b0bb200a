//! Convolutions in one, two and three dimensions, and their transposes.
//!
//! For x of shape [B, C, I₁, …], w of shape [O, C/g, K₁, …] and output positions o,
//!
//! y[b, c, o] = Σ_{c', t} w[c, c', t] · x[b, c', o·stride + t·dilation − padding]
//!
//! over the taps t and the channels c' of the group of c, x being zero outside: the cross-correlation
//! that networks call convolution. It is linear in x and in w. Its transpose in x is the transposed
//! convolution, its transpose in w the sum over images and positions of products of y and x; the three
//! are one trilinear form Σ y·w·x with one of its arguments left out, so the transposes of each are the
//! other two, and derivatives of any order need nothing else.
//!
//! Kernels are matrix products whose left factor is read where it lies in zero-padded planes (im2col
//! without the copy). Cost: 2·B·O·(C/g)·Π(pairs of positions and taps that meet an element). With 3×3 taps,
//! stride and dilation 1, 32 channels or more and large images, Winograd's tiles take 2.25 times less.
//!
//! Reference: V. Dumoulin, F. Visin, *A guide to convolution arithmetic for deep learning*, 2016;
//! M. Dukhan, *The indirect convolution algorithm*, 2019; A. Lavin, S. Gray, *Fast algorithms for
//! convolutional neural networks*, 2016.

mod geometry;
mod kernel;
mod narrow;
mod product;
mod transform;
mod winograd;

pub(crate) use geometry::Axis;
pub(crate) use product::{Lanes, Product};
pub(crate) use transform::Map;

use std::sync::Arc;

use winograd::Tiles;

use super::{Prepared, Primitive, Rule, Split};
use crate::array::settled;
use crate::{Array, AutodiffError, Shape};

/// How a convolution moves over its input. A list has a number for each axis behind the channels, or
/// one for all of them; an empty list is the default.
///
/// ```
/// use ansatz_autodiff::{Convolution, Graph};
/// let g = Graph::new();
/// let (x, w) = (g.batch(&[8, 3, 32, 32]), g.input(&[16, 3, 3, 3]));
/// let halved = Convolution {
///     stride: vec![2],
///     padding: vec![(1, 1)],
///     ..Convolution::default()
/// };
/// let y = x.convolve(w, &halved);
/// assert_eq!(&y.shape()[..], [8, 16, 16, 16]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// Distance of the windows; 1 by default.
    pub stride: Vec<usize>,
    /// Zeros before and behind the input; none by default.
    pub padding: Vec<(usize, usize)>,
    /// Distance of the taps; 1 by default.
    pub dilation: Vec<usize>,
    /// Parts of the channels that do not see each other.
    pub groups: usize,
}

impl Default for Convolution {
    fn default() -> Self {
        Self {
            stride: Vec::new(),
            padding: Vec::new(),
            dilation: Vec::new(),
            groups: 1,
        }
    }
}

/// How a transposed convolution moves over its output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConvolutionTransposed {
    /// The convolution whose transpose it is.
    pub convolution: Convolution,
    /// Elements behind the output's end that a convolution with stride would not have used; 0 by
    /// default. It decides which of the shapes that the convolution takes to the input's shape is meant.
    pub output_padding: Vec<usize>,
}

/// The number for axis `i`.
pub(super) fn along<V: Copy>(
    list: &[V],
    i: usize,
    axes: usize,
    default: V,
    what: &str,
) -> Result<V, String> {
    match list {
        [] => Ok(default),
        [one] => Ok(*one),
        list if list.len() == axes => Ok(list[i]),
        list => Err(format!(
            "{what} has {} numbers: give one, or one for each of {axes} axes",
            list.len()
        )),
    }
}

/// Number of windows with `kernel` taps on `input` elements.
pub(super) fn positions(
    (input, kernel): (usize, usize),
    (stride, dilation): (usize, usize),
    (low, high): (usize, usize),
) -> Result<usize, String> {
    if kernel == 0 || stride == 0 || dilation == 0 || input == 0 {
        return Err(format!(
            "{input} elements, {kernel} taps, stride {stride} and dilation {dilation} must not be zero"
        ));
    }
    let reach = (kernel - 1) * dilation + 1;
    match (input + low + high).checked_sub(reach) {
        Some(rest) => Ok(rest / stride + 1),
        None => Err(format!(
            "a window of {reach} elements does not fit into {input} and {low} + {high} of padding"
        )),
    }
}

/// Which argument of the trilinear form is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// y from x and w.
    Output,
    /// x from y and w.
    Input,
    /// w from x and y.
    Weight,
}

/// A convolution or one of its transposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlation {
    pub(crate) role: Role,
    pub(crate) axes: Vec<Axis>,
    pub(crate) groups: usize,
    /// Channels of x and of y in a group.
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Correlation {
    /// The convolution of `x` with `w`.
    ///
    /// # Errors
    /// What does not fit.
    pub fn output(x: &Shape, w: &Shape, options: &Convolution) -> Result<Self, String> {
        let (count, groups) = (spatial(x, w)?, options.groups);
        if groups == 0 || !w[0].is_multiple_of(groups) || x[1] != w[1] * groups {
            return Err(format!(
                "{} channels in {groups} groups do not fit weights {w}: x[1] = w[1]·groups and a multiple of groups as w[0] are needed",
                x[1]
            ));
        }
        let axis = |i: usize| {
            let stride = along(&options.stride, i, count, 1, "stride")?;
            let dilation = along(&options.dilation, i, count, 1, "dilation")?;
            let padding = along(&options.padding, i, count, (0, 0), "padding")?;
            let sizes = (x[i + 2], w[i + 2]);
            Ok(Axis {
                input: sizes.0,
                kernel: sizes.1,
                output: positions(sizes, (stride, dilation), padding)?,
                stride,
                dilation,
                low: padding.0,
            })
        };
        Ok(Self {
            role: Role::Output,
            axes: (0..count).map(axis).collect::<Result<_, String>>()?,
            groups,
            inputs: w[1],
            outputs: w[0] / groups,
        })
    }

    /// The transposed convolution of `y` with `w`.
    ///
    /// # Errors
    /// What does not fit.
    pub fn input(y: &Shape, w: &Shape, options: &ConvolutionTransposed) -> Result<Self, String> {
        let (count, groups) = (spatial(y, w)?, options.convolution.groups);
        let moves = &options.convolution;
        if groups == 0 || !w[0].is_multiple_of(groups) || y[1] != w[0] {
            return Err(format!(
                "{} channels in {groups} groups do not fit weights {w}: w[0] channels, a multiple of groups, are needed",
                y[1]
            ));
        }
        let axis = |i: usize| {
            let stride = along(&moves.stride, i, count, 1, "stride")?;
            let dilation = along(&moves.dilation, i, count, 1, "dilation")?;
            let (low, high) = along(&moves.padding, i, count, (0, 0), "padding")?;
            let more = along(&options.output_padding, i, count, 0, "output padding")?;
            let (output, kernel) = (y[i + 2], w[i + 2]);
            if more >= stride.max(dilation) {
                return Err(format!(
                    "output padding {more} must be smaller than stride {stride} or dilation {dilation}"
                ));
            }
            if output == 0 || kernel == 0 || stride == 0 || dilation == 0 {
                return Err("lengths, strides and dilations must not be zero".into());
            }
            let full = (output - 1) * stride + (kernel - 1) * dilation + 1 + more;
            let input = full.checked_sub(low + high).filter(|n| *n > 0);
            let input =
                input.ok_or_else(|| format!("padding {low} + {high} takes all of {full}"))?;
            Ok(Axis {
                input,
                kernel,
                output,
                stride,
                dilation,
                low,
            })
        };
        Ok(Self {
            role: Role::Input,
            axes: (0..count).map(axis).collect::<Result<_, String>>()?,
            groups,
            inputs: w[1],
            outputs: w[0] / groups,
        })
    }

    fn with(&self, role: Role) -> Self {
        Self {
            role,
            ..self.clone()
        }
    }

    /// Shapes of x, w and y, the first axis of x and y of length `images`.
    fn shapes(&self, images: usize) -> [Vec<usize>; 3] {
        let shape = |a: usize, b: usize, length: fn(&Axis) -> usize| {
            let lengths = self.axes.iter().map(length);
            [a, b].into_iter().chain(lengths).collect()
        };
        [
            shape(images, self.groups * self.inputs, |a| a.input),
            shape(self.groups * self.outputs, self.inputs, |a| a.kernel),
            shape(images, self.groups * self.outputs, |a| a.output),
        ]
    }

    /// Images in the inputs.
    fn images(inputs: &[Shape]) -> usize {
        inputs.first().and_then(|s| s.first()).copied().unwrap_or(0)
    }
}

/// Number of axes behind the channels.
fn spatial(x: &Shape, w: &Shape) -> Result<usize, String> {
    if x.rank() < 3 || x.rank() != w.rank() {
        return Err(format!(
            "[images, channels, lengths…] and as many axes of weights are needed, not {x} and {w}"
        ));
    }
    Ok(x.rank() - 2)
}

impl Primitive for Correlation {
    fn name(&self) -> &'static str {
        match self.role {
            Role::Output => "convolve",
            Role::Input => "convolve_transposed",
            Role::Weight => "convolve_weights",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let numbers = [self.groups, self.inputs, self.outputs, self.role as usize];
        let axes = self.axes.iter().flat_map(Axis::numbers);
        Some(numbers.iter().map(|n| *n as u64).chain(axes).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x, w, y] = self.shapes(Self::images(inputs));
        let (a, b, out) = match self.role {
            Role::Output => (x, w, y),
            Role::Input => (y, w, x),
            Role::Weight => (x, y, w),
        };
        let largest = [&a, &out].map(|s| s[1..].iter().product::<usize>());
        if largest.iter().any(|n| *n > u32::MAX as usize / 2) {
            return Err(format!("images of {largest:?} elements are too large"));
        }
        match inputs {
            [s, t] if s[..] == a && t[..] == b => Ok(Shape::new(&out)),
            _ => Err(format!("{a:?} and {b:?} are needed")),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Bilinear
    }

    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let (a, b) = (inputs[0], inputs[1]);
        let (role, left, right) = match (self.role, i) {
            (Role::Output, 0) => (Role::Input, bar, b),
            (Role::Output, _) => (Role::Weight, a, bar),
            (Role::Input, 0) => (Role::Output, bar, b),
            (Role::Input, _) => (Role::Weight, bar, a),
            (Role::Weight, 0) => (Role::Input, b, bar),
            (Role::Weight, _) => (Role::Output, a, bar),
        };
        bar.graph().apply(self.with(role), &[left, right])
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        match (self.role, split) {
            (Role::Output | Role::Input, [true, false]) => Split::Rows,
            (Role::Weight, [true, true]) => Split::Sum,
            _ => Split::Whole,
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, split: &[bool]) -> Option<Prepared> {
        let add = self.role == Role::Weight && split.contains(&true);
        let images = Self::images(inputs);
        // Weights that serve a whole batch are packed once.
        let ready = self.role != Role::Weight && split == [true, false];
        let single = Tiles::new::<f32>(self, images, (add, ready));
        let double = Tiles::new::<f64>(self, images, (add, ready));
        let (prepared, pack, length) = if let (Some(single), Some(double)) = (single, double) {
            let (single, double) = (Arc::new(single), Arc::new(double));
            let length = single.packed().max(double.packed());
            let packs = [&single, &double].map(|tiles| Arc::new(winograd::Pack(tiles.clone())));
            let [first, second] = packs;
            (
                Prepared::pair(single, double),
                Prepared::pair(first, second),
                length,
            )
        } else {
            let wide = Arc::new(kernel::Wide::new(self, images, (add, ready)));
            let pack = Prepared::new(kernel::Pack(wide.clone()));
            let length = wide.packed();
            (Prepared::pair(wide.clone(), wide), pack, length)
        };
        Some(match length {
            0 => prepared,
            _ => prepared.packed(1, pack, length),
        })
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let images = inputs.first().map_or(0, |s| s[0]);
        let pairs: usize = self.axes.iter().map(Axis::pairs).product();
        2 * (images * self.groups * self.inputs * self.outputs * pairs) as u64
    }
}

impl Array<'_> {
    /// The convolution of images [B, C, I₁, …] with weights [O, C/groups, K₁, …], in one, two or three
    /// dimensions (or more): y[b, c, o] = Σ w[c, c', t]·x[b, c', o·stride + t·dilation − padding].
    ///
    /// Axis i of the result has length (I + padding − (K − 1)·dilation − 1)/stride + 1, rounded down.
    ///
    /// Two axes with 3 taps, stride and dilation 1 and 32 channels or more on both sides go by tiles of 4×4
    /// elements on large images: NaN and infinities make NaN of all results that share a tile with them.
    ///
    /// # Panics
    /// When the shapes do not fit;
    /// [`Array::try_convolve`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn convolve(self, w: Self, options: &Convolution) -> Self {
        settled(self.try_convolve(w, options))
    }

    /// [`Array::convolve`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_convolve(self, w: Self, options: &Convolution) -> Result<Self, AutodiffError> {
        let (x, weights) = (self.shape(), w.shape());
        match Correlation::output(&x, &weights, options) {
            Ok(primitive) => self.try_make(primitive, &[self, w]),
            Err(e) => Err(AutodiffError::operation("convolve", e, &[x, weights])),
        }
    }

    /// The transposed convolution of images [B, O, N₁, …] with weights [O, C/groups, K₁, …]: the
    /// transpose of [`Array::convolve`] in its input, [B, C, I₁, …] the result's shape.
    ///
    /// Axis i of the result has length (N − 1)·stride + (K − 1)·dilation + 1 + output_padding − padding.
    /// Weights and options are those of `ConvTranspose1d`, `2d` and `3d` of PyTorch, whose weights have the
    /// shape [in_channels, out_channels/groups, K₁, …]: its input channels are O here. A padding p
    /// there is (p, p) here.
    ///
    /// # Panics
    /// When the shapes do not fit;
    /// [`Array::try_convolve_transposed`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn convolve_transposed(self, w: Self, options: &ConvolutionTransposed) -> Self {
        settled(self.try_convolve_transposed(w, options))
    }

    /// [`Array::convolve_transposed`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_convolve_transposed(
        self,
        w: Self,
        options: &ConvolutionTransposed,
    ) -> Result<Self, AutodiffError> {
        let (x, weights) = (self.shape(), w.shape());
        match Correlation::input(&x, &weights, options) {
            Ok(primitive) => self.try_make(primitive, &[self, w]),
            Err(e) => Err(AutodiffError::operation(
                "convolve_transposed",
                e,
                &[x, weights],
            )),
        }
    }
}
