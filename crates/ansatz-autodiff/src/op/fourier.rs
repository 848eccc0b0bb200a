//! Discrete Fourier transforms over the last axes.
//!
//! Complex arrays have a last axis of length 2: real and imaginary part. With ω = e^{−2πi/n}, the
//! transform along an axis of length n is `X[k] = Σ x[j]·ω^{jk}`, and its inverse has ω̄ and a factor 1/n.
//! Of a real array only frequencies 0 to n/2 along the last axis are kept, n/2 + 1 of them; the others
//! are their conjugates.
//!
//! All are linear maps between arrays of real numbers, closed under transposition. The complex
//! transform F has Fᵀ = F̄. The half spectrum of a real array, R, and the real array of a half spectrum
//! C (the inverse without its 1/n) weigh each frequency that stands for two of them differently:
//! with w = ½ there and 1 at frequency 0 and, for even n, n/2, Rᵀ = C·w and Cᵀ = w⁻¹·R. Hence [`Fourier`]
//! has a weight for these middle frequencies, and its transpose is another [`Fourier`].
//!
//! Cost: about 2.5·n·log₂ n operations on a real axis of n elements, 5·n·log₂ n on a complex one, for
//! lengths of any factors. Instructions are chosen for the processor, so last bits depend on it.

mod transform;

use super::{Prepared, Primitive, Rule, Split};
use crate::{Array, Shape};
use transform::Transform;

/// Which of the two conjugate transforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Σ x·e^{−2πijk/n}.
    Forward,
    /// Σ x·e^{+2πijk/n}.
    Backward,
}

/// A Fourier transform over the last `axes` axes of the real array, or before the last of the complex one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fourier {
    axes: usize,
    form: Form,
    /// A factor of the result.
    scale: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Complex(Direction),
    /// Real to half spectrum; frequencies that stand for two are multiplied by `middle`.
    Halve {
        middle: f64,
    },
    /// Half spectrum, its middle frequencies multiplied by `middle`, to real.
    Unfold {
        middle: f64,
        length: usize,
    },
}

impl Array<'_> {
    /// The half spectrum of a real array over its last `axes` axes: `[.., n]` gives `[.., n/2 + 1, 2]`, the
    /// other axes transformed in full. Linear.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let spectrum = g.input(&[4]).rfft(1);
    /// let program = Program::<f64>::compile(&g.finish(&[spectrum]), &Options::default())?;
    /// let mut out = [0.0; 6];
    /// program.run(&[&[1.0, 2.0, 3.0, 4.0]], &mut [&mut out])?;
    /// assert_eq!(out, [10.0, 0.0, -2.0, 2.0, -2.0, 0.0]);
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// When there are less than `axes` axes, none are asked for, or one has length 0.
    #[must_use]
    #[track_caller]
    pub fn rfft(self, axes: usize) -> Self {
        let fourier = Fourier {
            axes,
            form: Form::Halve { middle: 1.0 },
            scale: 1.0,
        };
        self.make(fourier, &[self])
    }

    /// The inverse of [`Array::rfft`]: `[.., length/2 + 1, 2]` gives `[.., length]`. Imaginary parts that a
    /// real array cannot have, of frequency 0 and for even length of length/2, count for nothing. Linear.
    ///
    /// # Panics
    /// When the array is not complex, has less than `axes` axes before the last, or not length/2 + 1
    /// frequencies.
    #[must_use]
    #[track_caller]
    pub fn irfft(self, axes: usize, length: usize) -> Self {
        let form = Form::Unfold {
            middle: 1.0,
            length,
        };
        let count = self
            .transformed(axes)
            .iter()
            .rev()
            .skip(1)
            .product::<usize>()
            * length;
        self.inverse(axes, form, count)
    }

    /// The Fourier transform of a complex array over the last `axes` axes before that of the parts. Linear.
    ///
    /// # Panics
    /// When the array is not complex, or has less than `axes` axes before the last.
    #[must_use]
    #[track_caller]
    pub fn fft(self, axes: usize) -> Self {
        let fourier = Fourier {
            axes,
            form: Form::Complex(Direction::Forward),
            scale: 1.0,
        };
        self.make(fourier, &[self])
    }

    /// The inverse of [`Array::fft`]. Linear.
    ///
    /// # Panics
    /// When the array is not complex, or has less than `axes` axes before the last.
    #[must_use]
    #[track_caller]
    pub fn ifft(self, axes: usize) -> Self {
        let count = self.transformed(axes).iter().product();
        self.inverse(axes, Form::Complex(Direction::Backward), count)
    }

    #[track_caller]
    fn inverse(self, axes: usize, form: Form, count: usize) -> Self {
        let fourier = Fourier {
            axes,
            form,
            scale: 1.0 / count.max(1) as f64,
        };
        self.make(fourier, &[self])
    }

    /// Lengths of the transformed axes of a complex array, as far as it has them.
    fn transformed(self, axes: usize) -> Vec<usize> {
        let shape = self.shape();
        let end = shape.rank().saturating_sub(1);
        shape[end.saturating_sub(axes)..end].to_vec()
    }

    /// The product of complex arrays (last axis: real and imaginary part), element by element, the other
    /// axes broadcast.
    ///
    /// # Panics
    /// When an array is not complex, or shapes do not broadcast.
    #[must_use]
    #[track_caller]
    pub fn complex_mul(self, other: Self) -> Self {
        let (p, q) = (self.parts(), other.parts());
        let turn = self.graph().constant(&[2], vec![-1.0, 1.0]);
        // (a + ib)·z = a·z + b·iz.
        self.take(p, &[0, 0]) * other + self.take(p, &[1, 1]) * (other.take(q, &[1, 0]) * turn)
    }

    /// The complex conjugate.
    ///
    /// # Panics
    /// When the array is not complex.
    #[must_use]
    #[track_caller]
    pub fn complex_conj(self) -> Self {
        let _ = self.parts();
        self * self.graph().constant(&[2], vec![1.0, -1.0])
    }

    /// The axis of real and imaginary part.
    #[track_caller]
    pub(super) fn parts(self) -> usize {
        let shape = self.shape();
        assert!(
            shape.last() == Some(&2),
            "a complex array ends with an axis of length 2, not {shape}"
        );
        shape.rank() - 1
    }
}

impl Fourier {
    /// Axes before the transformed ones, and the lengths of the transformed ones as real or complex points.
    fn axes_of(self, x: &Shape) -> Result<(&[usize], &[usize]), String> {
        let end = match self.form {
            Form::Halve { .. } => x.rank(),
            _ if x.last() == Some(&2) => x.rank() - 1,
            _ => return Err("a complex array ends with an axis of length 2".into()),
        };
        if self.axes == 0 || self.axes > end {
            return Err(format!("a transform over {} axes", self.axes));
        }
        let (outer, over) = x[..end].split_at(end - self.axes);
        if over.contains(&0) {
            return Err("a transform over an axis of length 0".into());
        }
        Ok((outer, over))
    }
}

impl Primitive for Fourier {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Complex(Direction::Forward) => "fft",
            Form::Complex(Direction::Backward) => "fft_backward",
            Form::Halve { .. } => "rfft",
            Form::Unfold { .. } => "rfft_backward",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let form = match self.form {
            Form::Complex(direction) => [0, direction as u64, 0],
            Form::Halve { middle } => [1, 0, middle.to_bits()],
            Form::Unfold { middle, length } => [2, length as u64, middle.to_bits()],
        };
        let [a, b, c] = form;
        Some(vec![self.axes as u64, self.scale.to_bits(), a, b, c])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x] = inputs else {
            return Err("one input is needed".into());
        };
        let (outer, over) = self.axes_of(x)?;
        let last = over[over.len() - 1];
        let before = [outer, &over[..over.len() - 1]].concat();
        let end: &[usize] = match self.form {
            Form::Complex(_) => return Ok(x.clone()),
            Form::Halve { .. } => &[last / 2 + 1, 2],
            Form::Unfold { length, .. } if length > 0 && last == length / 2 + 1 => &[length],
            Form::Unfold { length, .. } => {
                return Err(format!("{last} frequencies for length {length}"));
            }
        };
        Ok(Shape::new(&[&before, end].concat()))
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let form = match self.form {
            Form::Complex(Direction::Forward) => Form::Complex(Direction::Backward),
            Form::Complex(Direction::Backward) => Form::Complex(Direction::Forward),
            Form::Halve { middle } => Form::Unfold {
                middle: middle / 2.0,
                length: inputs[0].shape().last().copied().unwrap_or(0),
            },
            Form::Unfold { middle, .. } => Form::Halve {
                middle: middle * 2.0,
            },
        };
        bar.make(Self { form, ..*self }, &[bar])
    }

    fn split(&self, inputs: &[Shape], _: &[bool]) -> Split {
        match self.axes_of(&inputs[0]) {
            Ok(([_, ..], _)) => Split::Rows,
            _ => Split::Whole,
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let (outer, over) = self.axes_of(&inputs[0]).ok()?;
        let mut lengths = over.to_vec();
        if let (Form::Unfold { length, .. }, Some(last)) = (self.form, lengths.last_mut()) {
            *last = length;
        }
        let count = outer.iter().product();
        Some(Prepared::new(Transform::new(*self, &lengths, count)))
    }

    fn flops(&self, inputs: &[&Shape], out: &Shape) -> u64 {
        let points = inputs[0].len().max(out.len()) as f64;
        let over = self
            .axes_of(inputs[0])
            .map_or(1, |(_, n)| n.iter().product());
        (2.5 * points * f64::from(usize::max(over, 2) as u32).log2()) as u64
    }
}
