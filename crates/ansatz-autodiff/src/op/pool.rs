//! Pooling: the mean or the largest element of each window.
//!
//! The axes behind [images, channels] are covered by windows as those of a
//! [`Convolution`](super::Convolution). The mean is linear. The largest element is taken in two steps: which
//! tap of the window it is (the first one, if several are equal), and the element at that tap, which is
//! linear in the input. So derivatives of any order go to the first largest element.
//!
//! Cost: one operation for each element of each window; the mean separates into axes.

use super::convolution::{Axis, along, positions};
use super::separable::{Along, Separable};
use super::{Kernel, Prepared, Primitive, Rule, Split};
use crate::array::settled;
use crate::compile::Element;
use crate::{Array, AutodiffError, Shape};

/// What a mean over a window is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Divisor {
    /// The size of the window: padding counts as zeros (`count_include_pad=True` of PyTorch, its default).
    #[default]
    Window,
    /// The number of elements of the window that are inside (`count_include_pad=False`).
    Inside,
}

/// Windows over the axes behind the channels. A list has a number for each of them, or one for all.
///
/// ```
/// use ansatz_autodiff::{Graph, Pool};
/// let g = Graph::new();
/// let x = g.batch(&[8, 3, 32, 32]);
/// let y = x.max_pool(&Pool { window: vec![2], ..Pool::default() });
/// assert_eq!(&y.shape()[..], [8, 3, 16, 16]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pool {
    /// Elements of a window; 1 if empty.
    pub window: Vec<usize>,
    /// Distance of windows; that of the window's length if empty.
    pub stride: Vec<usize>,
    /// Places before and behind the input: zeros for means, −∞ for the largest element. None by default.
    pub padding: Vec<(usize, usize)>,
    /// Distance of the elements of a window; 1 if empty.
    pub dilation: Vec<usize>,
    /// What means are divided by.
    pub divisor: Divisor,
}

impl Pool {
    fn axes(&self, x: &Shape) -> Result<Vec<Axis>, String> {
        if x.rank() < 3 {
            return Err(format!("[images, channels, lengths…] is needed, not {x}"));
        }
        let count = x.rank() - 2;
        let axis = |i: usize| {
            let window = along(&self.window, i, count, 1, "window")?;
            let stride = along(&self.stride, i, count, window, "stride")?;
            let dilation = along(&self.dilation, i, count, 1, "dilation")?;
            let padding = along(&self.padding, i, count, (0, 0), "padding")?;
            let input = x[i + 2];
            let axis = Axis {
                input,
                kernel: window,
                output: positions((input, window), (stride, dilation), padding)?,
                stride,
                dilation,
                low: padding.0,
            };
            let empty =
                (0..axis.output).find(|o| (0..window).all(|t| axis.element(*o, t).is_none()));
            match empty {
                Some(o) => Err(format!(
                    "window {o} of {window} elements lies in the padding {padding:?}: give less padding"
                )),
                None => Ok(axis),
            }
        };
        (0..count).map(axis).collect()
    }
}

impl Array<'_> {
    /// The mean of each window of images [B, C, I₁, …].
    ///
    /// # Panics
    /// When windows do not fit, or lie in the padding;
    /// [`Array::try_average_pool`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn average_pool(self, options: &Pool) -> Self {
        settled(self.try_average_pool(options))
    }

    /// [`Array::average_pool`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_average_pool(self, options: &Pool) -> Result<Self, AutodiffError> {
        let axes = options.axes(&self.shape());
        let axes =
            axes.map_err(|e| AutodiffError::operation("average_pool", e, &[self.shape()]))?;
        let map = |axis| match options.divisor {
            Divisor::Window => Along::Mean(axis),
            Divisor::Inside => Along::MeanInside(axis),
        };
        let maps = axes.into_iter().map(map).collect();
        let primitive = Separable::new(["average_pool", "average_pool_transposed"], maps);
        self.try_make(primitive, &[self])
    }

    /// The largest element of each window of images [B, C, I₁, …]; NaN if it holds one. Derivatives go to the
    /// first largest element.
    ///
    /// # Panics
    /// When windows do not fit, or lie in the padding;
    /// [`Array::try_max_pool`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn max_pool(self, options: &Pool) -> Self {
        settled(self.try_max_pool(options))
    }

    /// [`Array::max_pool`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_max_pool(self, options: &Pool) -> Result<Self, AutodiffError> {
        let axes = options.axes(&self.shape());
        let axes = axes.map_err(|e| AutodiffError::operation("max_pool", e, &[self.shape()]))?;
        let with = |role| Largest {
            role,
            axes: axes.clone(),
        };
        let tap = self.try_make(with(Role::Tap), &[self])?;
        self.try_make(with(Role::Take), &[self, tap])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The number of the largest element's tap.
    Tap,
    /// The element at the tap.
    Take,
    /// The transpose of `Take`: puts elements where they were taken.
    Put,
}

/// The parts of max pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Largest {
    pub(crate) role: Role,
    pub(crate) axes: Vec<Axis>,
}

impl Largest {
    fn with(&self, role: Role) -> Self {
        Self {
            role,
            ..self.clone()
        }
    }
}

impl Primitive for Largest {
    fn name(&self) -> &'static str {
        match self.role {
            Role::Tap => "largest_tap",
            Role::Take => "take_tap",
            Role::Put => "put_tap",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let axes = self.axes.iter().flat_map(Axis::numbers);
        Some(axes.chain([self.role as u64]).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let Some(x) = inputs.first().filter(|x| x.rank() == self.axes.len() + 2) else {
            return Err(format!("{} axes are needed", self.axes.len() + 2));
        };
        let shape = |length: fn(&Axis) -> usize| {
            let lengths = self.axes.iter().map(length);
            let all: Vec<usize> = x[..2].iter().copied().chain(lengths).collect();
            Shape::new(&all)
        };
        let (input, output) = (shape(|a| a.input), shape(|a| a.output));
        match (self.role, inputs) {
            (Role::Tap, [x]) if *x == input => Ok(output),
            (Role::Take, [x, tap]) if *x == input && *tap == output => Ok(output),
            (Role::Put, [y, tap]) if *y == output && *tap == output => Ok(input),
            _ => Err(format!("windows from {input} to {output} are given")),
        }
    }

    fn rule(&self) -> Rule {
        match self.role {
            Role::Tap => Rule::Constant,
            Role::Take | Role::Put => Rule::General,
        }
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let tangent = tangents[0]?;
        Some(out.graph().apply(self.clone(), &[tangent, inputs[1]]))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        _: Array<'g>,
    ) -> Array<'g> {
        let other = match self.role {
            Role::Put => Role::Take,
            _ => Role::Put,
        };
        match i {
            0 => bar.graph().apply(self.with(other), &[bar, inputs[1]]),
            _ => inputs[i].zeros(),
        }
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        if split.contains(&false) {
            Split::Whole
        } else {
            Split::Rows
        }
    }

    fn prepare(&self, _: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        Some(Prepared::new(Windows::new(self.role, &self.axes)))
    }

    fn flops(&self, inputs: &[&Shape], out: &Shape) -> u64 {
        let pairs: usize = self.axes.iter().map(Axis::pairs).product();
        match self.role {
            Role::Tap => (inputs[0][0] * inputs[0][1] * pairs) as u64,
            Role::Take => 0,
            Role::Put => {
                (out[0] * out[1] * self.axes.iter().map(|a| a.output).product::<usize>()) as u64
            }
        }
    }
}

/// Windows over a plane, line by line.
#[derive(Debug)]
struct Windows {
    role: Role,
    input: usize,
    output: usize,
    last: Axis,
    lines: Vec<Line>,
    /// For each tap, its distance from the window's first place.
    taps: Vec<isize>,
}

/// A line of windows along the last axis.
#[derive(Debug)]
struct Line {
    /// The first place of the first window; padding may lie before it.
    start: isize,
    /// Number of the first tap, and first element, of the lines of the input that the windows meet.
    meets: Vec<(usize, usize)>,
}

impl Windows {
    fn new(role: Role, axes: &[Axis]) -> Self {
        let (last, outer) = (axes[axes.len() - 1], &axes[..axes.len() - 1]);
        let mut lines = vec![Line {
            start: 0,
            meets: vec![(0, 0)],
        }];
        let mut taps = vec![0];
        let reach = |axis: &Axis| (axis.input, axis.kernel);
        for axis in outer {
            let (input, kernel) = reach(axis);
            let next = |line: &Line| -> Vec<Line> {
                let at = |o: usize| {
                    let meets = line.meets.iter().flat_map(|(tap, element)| {
                        let inside =
                            (0..kernel).filter_map(move |t| Some((t, axis.element(o, t)?)));
                        inside.map(move |(t, i)| (tap * kernel + t, element * input + i))
                    });
                    Line {
                        start: line.start * input.cast_signed() + (o * axis.stride).cast_signed()
                            - axis.low.cast_signed(),
                        meets: meets.collect(),
                    }
                };
                (0..axis.output).map(at).collect()
            };
            lines = lines.iter().flat_map(next).collect();
            taps = grown(&taps, axis);
        }
        for line in &mut lines {
            line.start = line.start * last.input.cast_signed() - last.low.cast_signed();
            for (tap, element) in &mut line.meets {
                *tap *= last.kernel;
                *element *= last.input;
            }
        }
        Self {
            role,
            input: axes.iter().map(|a| a.input).product(),
            output: axes.iter().map(|a| a.output).product(),
            taps: grown(&taps, &last),
            last,
            lines,
        }
    }

    /// The place of the element at a tap of window `o` of a line.
    fn place<T: Element>(&self, line: &Line, o: usize, tap: T) -> Option<usize> {
        let tap = self.taps.get(tap.to_usize()?)?;
        usize::try_from(line.start + (o * self.last.stride).cast_signed() + tap).ok()
    }

    fn largest<T: Element>(&self, line: &Line, x: &[T], best: &mut [T], out: &mut [T]) {
        best.fill(T::neg_infinity());
        // No window has been looked at.
        out.fill(-T::one());
        let axis = self.last;
        for (first, element) in &line.meets {
            let x = &x[*element..][..axis.input];
            for t in 0..axis.kernel {
                let tap = T::of((first + t) as f64);
                for (o, (best, out)) in best.iter_mut().zip(&mut *out).enumerate() {
                    let Some(i) = axis.element(o, t) else {
                        continue;
                    };
                    let v = x[i];
                    if v > *best || v.is_nan() || *out < T::zero() {
                        *best = v;
                        *out = tap;
                    }
                }
            }
        }
    }
}

/// The distances of taps over one more axis.
fn grown(taps: &[isize], axis: &Axis) -> Vec<isize> {
    let each = |at: &isize| {
        let at = at * axis.input.cast_signed();
        (0..axis.kernel).map(move |t| at + (t * axis.dilation).cast_signed())
    };
    taps.iter().flat_map(each).collect()
}

impl<T: Element> Kernel<T> for Windows {
    fn scratch(&self) -> usize {
        self.last.output
    }

    fn run(&self, _: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let (from, to) = match self.role {
            Role::Put => (self.output, self.input),
            _ => (self.input, self.output),
        };
        let width = self.last.output;
        let planes = inputs[0].chunks_exact(from).zip(out.chunks_exact_mut(to));
        for (p, (x, out)) in planes.enumerate() {
            let taps = |l: usize| &inputs[1][p * self.output + l * width..][..width];
            if self.role == Role::Put {
                out.fill(T::zero());
            }
            for (l, line) in self.lines.iter().enumerate() {
                let here = l * width..(l + 1) * width;
                match self.role {
                    Role::Tap => self.largest(line, x, scratch, &mut out[here]),
                    Role::Take => {
                        for (o, (v, tap)) in out[here].iter_mut().zip(taps(l)).enumerate() {
                            let x = self.place(line, o, *tap).and_then(|i| x.get(i));
                            *v = x.copied().unwrap_or_else(T::nan);
                        }
                    }
                    Role::Put => {
                        for (o, (v, tap)) in x[here].iter().zip(taps(l)).enumerate() {
                            if let Some(i) = self.place(line, o, *tap).filter(|i| *i < to) {
                                out[i] += *v;
                            }
                        }
                    }
                }
            }
        }
    }
}
