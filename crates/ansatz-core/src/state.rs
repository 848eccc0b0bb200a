//! The waist between methods and memory.
//!
//! A method that only combines states and calls a model runs on every [`State`]: vectors, arrays,
//! pairs of states, device buffers. All arithmetic that such a method needs is here:
//!
//! - [`State::lincomb`]: `x ← β·x + Σ cₖ·xₖ`, one pass over memory, no allocation;
//! - [`State::dot`] and [`State::error_norm`]: reductions whose tree depends on the length alone;
//! - [`State::fill_normal`]: noise as a pure function of (key, stream, index).
//!
//! Results have the same bits for every number of threads. Large vectors are worked on by the
//! caller's rayon pool, small ones on the calling thread.

#[cfg(feature = "ndarray")]
mod array;
mod fixed;
mod kernel;
mod pair;
mod rows;
mod tiled;

use crate::{Key, Scalar};

pub use rows::RowState;

/// Absolute and relative tolerance of an error norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Absolute part, in the units of the state.
    pub atol: f64,
    /// Part relative to the larger of the two states compared.
    pub rtol: f64,
}

impl Tolerance {
    /// Both parts at once.
    #[must_use]
    pub fn new(atol: f64, rtol: f64) -> Self {
        Self { atol, rtol }
    }
}

/// One line of a small program on states: `slots[dst] ← beta·slots[dst] + Σ c·slots[k]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Combination {
    /// Slot that is written.
    pub dst: usize,
    /// Factor of what it held; 0 overwrites.
    pub beta: f64,
    /// Coefficients and slots, none of which is `dst`.
    pub terms: Vec<(f64, usize)>,
}

/// A point of a vector space, on whatever device.
///
/// Coefficients and reductions are `f64`; an `f32` state is combined in `f64` and rounded once.
/// (For `f32`, coefficients keep 29 bits: products are then exact, and the fused instructions of
/// processors that have them change no bit. The loss is a 64th of the state's own rounding.)
///
/// # Panics
/// All methods that combine panic when the lengths (or shapes) of the states involved differ: entry
/// points of the library ask [`State::same_shape`] before, so a mismatch here is a broken contract.
///
/// ```
/// use ansatz_core::State;
/// let mut x = vec![1.0_f32, 2.0];
/// let y = vec![10.0_f32, 20.0];
/// x.lincomb(2.0, &[(0.5, &y)]);
/// assert_eq!(x, [7.0, 14.0]);
/// assert_eq!(x.dot(&y), 350.0);
/// ```
pub trait State: Clone + Send + Sync {
    /// Type of one stored element.
    type Scalar: Scalar;

    /// Number of elements.
    fn len(&self) -> usize;

    /// `true` when there is no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `true` when combinations of the two are possible. States that are more than a list of
    /// elements (arrays, pairs) compare their shapes.
    fn same_shape(&self, other: &Self) -> bool {
        self.len() == other.len()
    }

    /// A state of the same shape and device, filled with zeros. The only method that allocates.
    #[must_use]
    fn zeros_like(&self) -> Self;

    /// `self ← beta·self + Σ cᵢ·xᵢ` in one pass.
    ///
    /// `beta = 0` overwrites: whatever `self` held, NaN included, is gone. Terms are added in
    /// the order given, after `beta·self`.
    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]);

    /// Inner product, summed in a fixed tree: the same bits for every thread count.
    fn dot(&self, other: &Self) -> f64;

    /// Inner products with several states, each with the bits of [`State::dot`]: what orthogonalisation and
    /// products with stored vectors need. States in main memory read `self` once for several of the others.
    ///
    /// # Panics
    /// When `out` and `others` differ in length.
    fn dots(&self, others: &[&Self], out: &mut [f64]) {
        assert_eq!(others.len(), out.len(), "dots: a place for each product");
        for (o, other) in out.iter_mut().zip(others) {
            *o = self.dot(other);
        }
    }

    /// Root mean square of `self / (atol + rtol·max(|a|, |b|))`; 0 for an empty state.
    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64;

    /// Standard normal noise. Element `i` is a pure function of `(key, stream, i)`.
    fn fill_normal(&mut self, key: Key, stream: u64);

    /// `self ← y + h·Σ cᵢ·kᵢ`, without `y` where it is `None`, leaving out coefficients that are 0: the
    /// stages and the error of a Runge-Kutta step. `k` may be longer than `c`.
    ///
    /// The result is that of [`State::lincomb`] with the coefficients h·cᵢ. Short states override it,
    /// for which the list of terms costs more than the arithmetic.
    fn step_from(&mut self, y: Option<&Self>, h: f64, c: &[f64], k: &[Self]) {
        step_by_terms(self, y, h, c, k);
    }

    /// Runs several combinations in order, and tells whether all that they wrote is finite.
    ///
    /// The result is that of [`State::lincomb`] line by line. States in main memory do it tile by
    /// tile, so that a solver's step loads and stores each state once, however many lines it has.
    fn combine_all(slots: &mut [Self], program: &[Combination]) -> bool {
        combine_in_turn(slots, program)
    }

    /// `self ← other`.
    fn assign(&mut self, other: &Self) {
        self.lincomb(0.0, &[(1.0, other)]);
    }

    /// `true` when no element is NaN or infinite.
    fn is_finite(&self) -> bool {
        // x/(1 + |x|): below 1 for every number, where a sum of squares would overflow.
        self.error_norm(self, self, Tolerance::new(1.0, 1.0))
            .is_finite()
    }

    /// Euclidean norm.
    fn norm(&self) -> f64 {
        self.dot(self).sqrt()
    }
}

/// Terms that one call of `lincomb` takes from the stack; longer sums are split.
const MAX_TERMS: usize = 16;

/// [`State::step_from`] for any state.
fn step_by_terms<S: State>(out: &mut S, y: Option<&S>, h: f64, c: &[f64], k: &[S]) {
    let Some(any) = y.or(k.first()) else {
        return out.lincomb(0.0, &[]);
    };
    let mut terms = [(1.0, any); MAX_TERMS + 1];
    let mut count = usize::from(y.is_some());
    let mut beta = 0.0;
    for (c, k) in c.iter().zip(k).filter(|(c, _)| **c != 0.0) {
        if count == terms.len() {
            out.lincomb(beta, &terms);
            (beta, count) = (1.0, 0);
        }
        terms[count] = (h * c, k);
        count += 1;
    }
    out.lincomb(beta, &terms[..count]);
}

/// [`State::combine_all`] for any state.
fn combine_in_turn<S: State>(slots: &mut [S], program: &[Combination]) -> bool {
    program.iter().fold(true, |finite, line| {
        let (before, rest) = slots.split_at_mut(line.dst);
        let (dst, after) = rest.split_at_mut(1);
        let slot = |k: usize| match k.checked_sub(line.dst + 1) {
            Some(k) => &after[k],
            None => &before[k],
        };
        combine_line(&mut dst[0], line, slot);
        finite & dst[0].is_finite()
    })
}

fn combine_line<'a, S: State + 'a>(dst: &mut S, line: &Combination, slot: impl Fn(usize) -> &'a S) {
    let Some((_, first)) = line.terms.first() else {
        return dst.lincomb(line.beta, &[]);
    };
    for (i, chunk) in line.terms.chunks(MAX_TERMS).enumerate() {
        let mut terms = [(0.0, slot(*first)); MAX_TERMS];
        for (term, (c, k)) in terms.iter_mut().zip(chunk) {
            *term = (*c, slot(*k));
        }
        let beta = if i == 0 { line.beta } else { 1.0 };
        dst.lincomb(beta, &terms[..chunk.len()]);
    }
}

/// A state whose elements the processor can read in place: what elementwise combinators
/// (clamping, thresholding) and file formats need beyond [`State`].
pub trait HostState: State {
    /// The elements in the order of [`State::fill_normal`].
    fn as_slice(&self) -> &[Self::Scalar];

    /// The same, for writing.
    fn as_mut_slice(&mut self) -> &mut [Self::Scalar];
}

impl<T: Scalar> State for Vec<T> {
    type Scalar = T;

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn zeros_like(&self) -> Self {
        vec![T::zero(); self.as_slice().len()]
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        kernel::lincomb(self, beta, terms, |s| s.as_slice());
    }

    fn step_from(&mut self, y: Option<&Self>, h: f64, c: &[f64], k: &[Self]) {
        if self.as_slice().len() <= kernel::SMALL {
            kernel::step_small(self, y.map(Vec::as_slice), h, c, k);
        } else {
            step_by_terms(self, y, h, c, k);
        }
    }

    fn dot(&self, other: &Self) -> f64 {
        kernel::dot(self, other)
    }

    fn dots(&self, others: &[&Self], out: &mut [f64]) {
        kernel::dots(self, others, out);
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        kernel::error_norm(self, a, b, tol)
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        key.fill_normal(stream, self);
    }

    fn is_finite(&self) -> bool {
        kernel::is_finite(self)
    }

    fn combine_all(slots: &mut [Self], program: &[Combination]) -> bool {
        tiled::combine_all(slots, program, Self::as_mut_slice)
            .unwrap_or_else(|| combine_in_turn(slots, program))
    }
}

impl<T: Scalar> HostState for Vec<T> {
    fn as_slice(&self) -> &[T] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}
