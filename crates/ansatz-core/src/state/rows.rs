//! States that are batches: what methods need that look at single samples.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::{HostState, Tolerance, kernel};
use crate::{Scalar, State};

/// A state as a batch: `B` rows of one length, one behind the other in the order of [`State::fill_normal`].
///
/// Samplers with numbers of their own for each sample of a batch (controlled steps, EVODiff, correctors) are written on it
/// and run wherever it is implemented: all states in main memory ([`HostState`]) have it, device states give it by kernels
/// of the same bits. How many rows there are is said by the caller; a state does not know.
///
/// Cost: one pass over the states named, for every method. Reductions of a row have the bits that [`State::dot`] has for the
/// row alone, so that a sample goes where it would go without company.
///
/// # Panics
/// As [`State`]: when states differ in shape, or the rows named do not divide the elements. Entry points check before.
///
/// ```
/// use ansatz_core::RowState;
/// let mut x = vec![1.0_f64, 2.0, 3.0, 4.0];
/// let y = vec![1.0, 1.0, 10.0, 10.0];
/// let mut products = [0.0; 2];
/// x.row_dots(&[&y], &mut products);
/// assert_eq!(products, [3.0, 70.0]);
/// x.row_lincomb(1.0, &[(&[0.5, 0.0], &y)]);
/// assert_eq!(x, [1.5, 2.5, 3.0, 4.0]);
/// ```
pub trait RowState: State {
    /// Inner products row by row, with several others: `out[k·B + r] = ⟨self_r, others[k]_r⟩`, where
    /// B = `out.len()/others.len()` is the number of rows.
    ///
    /// # Panics
    /// Also when `out` is no whole number of rows for each of the others.
    fn row_dots(&self, others: &[&Self], out: &mut [f64]);

    /// Root mean square of `(self − a)/max(atol, rtol·max(|a|, |b|))` in each of `out.len()` rows. Equal elements have no
    /// error, even at tolerance 0; 0 for an empty row.
    fn row_errors(&self, a: &Self, b: &Self, tol: Tolerance, out: &mut [f64]);

    /// `self_r ← beta·self_r + Σ cₖ[r]·xₖ_r` for every row r, with the bits of [`State::lincomb`] on the row alone. Every
    /// list of coefficients has a number for each row; `beta = 0` overwrites.
    fn row_lincomb(&mut self, beta: f64, terms: &[(&[f64], &Self)]);

    /// `self ← (1 − m)·self + m·value` in `f64` where the mask's element m is not 0. Elsewhere nothing happens, whatever
    /// `value` holds there, NaN included.
    fn blend(&mut self, mask: &Self, value: &Self);

    /// Runs `f` on the elements in main memory and keeps what it wrote: for what is done once in a run. Device states are
    /// copied there and back. `None` when that failed; the state then has no values (see there).
    fn on_host<R>(&mut self, f: impl FnOnce(&mut [Self::Scalar]) -> R) -> Option<R>;
}

/// Elements of a row, when `rows` rows make up `len` elements.
///
/// # Panics
/// When they do not.
fn row_len(what: &str, len: usize, rows: usize) -> usize {
    assert!(
        rows > 0 && len.is_multiple_of(rows) || len == 0,
        "{what}: {len} elements are no {rows} rows"
    );
    len.checked_div(rows).unwrap_or(0)
}

/// `set(k, piece)` for every piece of `size` places, by several threads where `work` elements are worth it.
fn each<T: Send>(out: &mut [T], size: usize, work: usize, set: impl Fn(usize, &mut [T]) + Sync) {
    if kernel::worth_sharing(work) {
        let pieces = out.par_chunks_exact_mut(size).enumerate();
        pieces.for_each(|(k, o)| set(k, o));
    } else {
        let pieces = out.chunks_exact_mut(size).enumerate();
        pieces.for_each(|(k, o)| set(k, o));
    }
}

struct DistanceLeaf<'a, T> {
    x: &'a [T],
    a: &'a [T],
    b: &'a [T],
    tol: Tolerance,
}

impl<T: Scalar> NullaryFnOnce for DistanceLeaf<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let Tolerance { atol, rtol } = self.tol;
        kernel::lane_sum([self.x, self.a, self.b], |sum, [x, a, b]| {
            let (p, q) = (a.abs(), b.abs());
            let relative = rtol * if p > q { p } else { q };
            let scale = if atol > relative { atol } else { relative };
            let gap = x - a;
            // Equal elements have no error, even at tolerance 0.
            let e = if gap == 0.0 { 0.0 } else { gap / scale };
            sum + e * e
        })
    }
}

/// Root mean square of `(x − a)/max(atol, rtol·max(|a|, |b|))`.
fn distance<T: Scalar>(x: &[T], a: &[T], b: &[T], tol: Tolerance) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    let [sum] = kernel::tree_sum(0, x.len(), &|s, e| {
        [Arch::new().dispatch(DistanceLeaf {
            x: &x[s..e],
            a: &a[s..e],
            b: &b[s..e],
            tol,
        })]
    });
    (sum / x.len() as f64).sqrt()
}

impl<S: HostState> RowState for S {
    fn row_dots(&self, others: &[&Self], out: &mut [f64]) {
        let rows = out.len().checked_div(others.len()).unwrap_or(0);
        assert_eq!(rows * others.len(), out.len(), "row_dots: a place for each");
        for other in others {
            assert!(
                self.same_shape(other),
                "row_dots: states of different shape"
            );
        }
        let len = row_len("row_dots", self.len(), rows);
        let x = self.as_slice();
        let work = x.len() * others.len();
        each(out, 1, work, |k, o| {
            let at = k % rows * len..(k % rows + 1) * len;
            o[0] = kernel::dot(&x[at.clone()], &others[k / rows].as_slice()[at]);
        });
    }

    fn row_errors(&self, a: &Self, b: &Self, tol: Tolerance, out: &mut [f64]) {
        for other in [a, b] {
            assert!(
                self.same_shape(other),
                "row_errors: states of different shape"
            );
        }
        let len = row_len("row_errors", self.len(), out.len());
        let [x, a, b] = [self, a, b].map(HostState::as_slice);
        each(out, 1, x.len(), |r, o| {
            let [x, a, b] = [x, a, b].map(|s| &s[r * len..(r + 1) * len]);
            o[0] = distance(x, a, b, tol);
        });
    }

    fn row_lincomb(&mut self, beta: f64, terms: &[(&[f64], &Self)]) {
        let rows = terms.first().map_or(1, |(c, _)| c.len());
        for (c, x) in terms {
            assert_eq!(c.len(), rows, "row_lincomb: a coefficient for each row");
            assert!(self.same_shape(x), "row_lincomb: states of different shape");
        }
        let (all, len) = (self.len(), row_len("row_lincomb", self.len(), rows));
        each(self.as_mut_slice(), len.max(1), all, |r, row| {
            let x = |k: usize| &terms[k].1.as_slice()[r * len..(r + 1) * len];
            kernel::block(row, beta, terms.len(), |k| terms[k].0[r], x);
        });
    }

    fn blend(&mut self, mask: &Self, value: &Self) {
        for other in [mask, value] {
            assert!(self.same_shape(other), "blend: states of different shape");
        }
        let parts = mask.as_slice().iter().zip(value.as_slice());
        for (x, (m, v)) in self.as_mut_slice().iter_mut().zip(parts) {
            let m = m.f64();
            if m != 0.0 {
                *x = S::Scalar::of((1.0 - m) * x.f64() + m * v.f64());
            }
        }
    }

    fn on_host<R>(&mut self, f: impl FnOnce(&mut [Self::Scalar]) -> R) -> Option<R> {
        Some(f(self.as_mut_slice()))
    }
}
