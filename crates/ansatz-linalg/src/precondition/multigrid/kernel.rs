//! Loops over rows of one colour. [`pulp`] compiles them per instruction set.

use ansatz_core::Scalar;
use pulp::NullaryFnOnce;

use super::level::{BLACK, RED, red_parity};
use crate::operator::rows_beside;

/// What a loop over one colour reads.
#[derive(Clone, Copy)]
pub(super) struct Field<'a, T> {
    pub(super) half: usize,
    pub(super) ny: usize,
    pub(super) nz: usize,
    pub(super) colour: usize,
    /// The values of the other colour.
    pub(super) other: &'a [T],
    pub(super) b: &'a [T],
    pub(super) diagonal: &'a [T],
    pub(super) inverse: &'a [T],
    pub(super) uniform: &'a [T],
    pub(super) zeros: &'a [T],
}

/// The rows of the other colour around one row.
struct Around<'a, T> {
    /// Slot m is beside the cell, on one side.
    own: &'a [T],
    /// 0: the other cell in the row is slot m − 1 of `own`; 1: slot m + 1.
    parity: usize,
    south: &'a [T],
    north: &'a [T],
    below: &'a [T],
    above: &'a [T],
}

impl<'a, T: Scalar> Field<'a, T> {
    #[inline(always)]
    fn row(&self, of: &'a [T], r: usize) -> &'a [T] {
        &of[r * self.half..][..self.half]
    }

    #[inline(always)]
    fn around(&self, r: usize) -> Around<'a, T> {
        let beside = rows_beside(r, self.ny, self.nz);
        let of = |n: Option<usize>| n.map_or(self.zeros, |n| self.row(self.other, n));
        let red = red_parity(r, self.ny);
        Around {
            own: self.row(self.other, r),
            parity: if self.colour == RED { red } else { 1 - red },
            south: of(beside[0]),
            north: of(beside[1]),
            below: of(beside[2]),
            above: of(beside[3]),
        }
    }
}

impl<T: Scalar> Around<'_, T> {
    /// The sum of the neighbours of slot m, at the ends of a row as well.
    #[inline(always)]
    fn sum(&self, m: usize) -> T {
        let second = if self.parity == 0 {
            m.wrapping_sub(1)
        } else {
            m + 1
        };
        let second = self.own.get(second).copied().unwrap_or(T::zero());
        (self.own[m] + second) + ((self.south[m] + self.north[m]) + (self.below[m] + self.above[m]))
    }

    /// Writes `f(m, sum of neighbours)` into the inner slots of a row, with the sums of [`Around::sum`].
    #[inline(always)]
    fn inner(&self, out: &mut [T], f: impl Fn(usize, T) -> T) {
        let n = out.len();
        if n < 3 {
            return;
        }
        let inner = 1..n - 1;
        let second = if self.parity == 0 {
            &self.own[..n - 2]
        } else {
            &self.own[2..n]
        };
        let own = &self.own[inner.clone()];
        let (south, north) = (&self.south[inner.clone()], &self.north[inner.clone()]);
        let (below, above) = (&self.below[inner.clone()], &self.above[inner.clone()]);
        let out = &mut out[inner];
        for m in 0..out.len() {
            let sum = (own[m] + second[m]) + ((south[m] + north[m]) + (below[m] + above[m]));
            out[m] = f(m, sum);
        }
    }
}

/// Ends of a row, once each.
fn ends(n: usize) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain((n > 1).then_some(n - 1))
}

/// x ← (b + Σ)/d.
pub(super) struct Relax<'a, T> {
    pub(super) field: Field<'a, T>,
    pub(super) x: &'a mut [T],
    pub(super) first: usize,
}

impl<T: Scalar> NullaryFnOnce for Relax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { field, x, first } = self;
        let n = field.half;
        for (r, x) in x.chunks_exact_mut(n).enumerate() {
            let r = first + r;
            let (b, inverse) = (field.row(field.b, r), field.row(field.inverse, r));
            let around = field.around(r);
            for m in ends(n) {
                x[m] = (b[m] + around.sum(m)) * inverse[m];
            }
            if n < 3 {
                continue;
            }
            let b = &b[1..n - 1];
            if field.uniform[r] == T::zero() {
                let inverse = &inverse[1..n - 1];
                around.inner(x, |m, sum| (b[m] + sum) * inverse[m]);
            } else {
                let inverse = inverse[1];
                around.inner(x, |m, sum| (b[m] + sum) * inverse);
            }
        }
    }
}

/// x ← b/d.
pub(super) struct Start<'a, T> {
    pub(super) field: Field<'a, T>,
    pub(super) x: &'a mut [T],
    pub(super) first: usize,
}

impl<T: Scalar> NullaryFnOnce for Start<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { field, x, first } = self;
        let n = field.half;
        for (r, x) in x.chunks_exact_mut(n).enumerate() {
            let r = first + r;
            let (b, inverse) = (field.row(field.b, r), field.row(field.inverse, r));
            if field.uniform[r] == T::zero() {
                for ((x, b), inverse) in x.iter_mut().zip(b).zip(inverse) {
                    *x = *b * *inverse;
                }
            } else {
                let inner = inverse[1];
                for (x, b) in x.iter_mut().zip(b) {
                    *x = *b * inner;
                }
                for m in ends(n) {
                    x[m] = b[m] * inverse[m];
                }
            }
        }
    }
}

/// r ← b + Σ − d·x.
pub(super) struct Residual<'a, T> {
    pub(super) field: Field<'a, T>,
    pub(super) x: &'a [T],
    pub(super) r: &'a mut [T],
    pub(super) first: usize,
}

impl<T: Scalar> NullaryFnOnce for Residual<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            field,
            x,
            r: out,
            first,
        } = self;
        let n = field.half;
        for (r, out) in out.chunks_exact_mut(n).enumerate() {
            let r = first + r;
            let (b, d) = (field.row(field.b, r), field.row(field.diagonal, r));
            let (x, around) = (field.row(x, r), field.around(r));
            // Where there is no equation d = 0, and the sum of neighbours is none of it.
            let inverse = field.row(field.inverse, r);
            let gate = |i: T, v: T| if i == T::zero() { T::zero() } else { v };
            for m in ends(n) {
                out[m] = gate(inverse[m], b[m] + around.sum(m) - d[m] * x[m]);
            }
            if n < 3 {
                continue;
            }
            let (b, x) = (&b[1..n - 1], &x[1..n - 1]);
            if field.uniform[r] == T::zero() {
                let (d, inverse) = (&d[1..n - 1], &inverse[1..n - 1]);
                around.inner(out, |m, sum| gate(inverse[m], b[m] + sum - d[m] * x[m]));
            } else {
                let d = field.uniform[r];
                around.inner(out, |m, sum| b[m] + sum - d * x[m]);
            }
        }
    }
}

/// Cells in order → the two colours, times a factor. Returns the largest element. What cells hold that have no equation
/// does not matter: sweeps multiply it by an inverse of 0.
pub(super) struct Split<'a, T, U> {
    pub(super) nx: usize,
    pub(super) ny: usize,
    pub(super) half: usize,
    pub(super) first: usize,
    pub(super) from: &'a [U],
    pub(super) to: [&'a mut [T]; 2],
    pub(super) scale: U,
}

impl<T: Scalar, U: Scalar> NullaryFnOnce for Split<'_, T, U> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let Self {
            nx,
            ny,
            half,
            first,
            from,
            to: [red, black],
            scale,
        } = self;
        let mut largest = U::zero();
        let rows = red.chunks_exact_mut(half).zip(black.chunks_exact_mut(half));
        for (r, (red, black)) in rows.enumerate() {
            let from = &from[r * nx..][..nx];
            // Even cells of the row are red where the parity is 0.
            let swap = red_parity(first + r, ny);
            let (even, odd) = if swap == 0 {
                (red, black)
            } else {
                (black, red)
            };
            let pairs = from.chunks_exact(2);
            let last = pairs.remainder();
            let larger = |m: U, v: U| if v.abs() > m { v.abs() } else { m };
            for (m, pair) in pairs.enumerate() {
                let (a, b) = (pair[0], pair[1]);
                largest = larger(larger(largest, a), b);
                even[m] = T::of((a * scale).f64());
                odd[m] = T::of((b * scale).f64());
            }
            if let [v] = last {
                let a = *v;
                largest = larger(largest, a);
                even[half - 1] = T::of((a * scale).f64());
                odd[half - 1] = T::zero();
            }
        }
        largest.f64()
    }
}

/// The two colours → cells in order, times a factor.
pub(super) struct Merge<'a, T, U> {
    pub(super) nx: usize,
    pub(super) ny: usize,
    pub(super) half: usize,
    pub(super) first: usize,
    pub(super) from: [&'a [T]; 2],
    pub(super) to: &'a mut [U],
    pub(super) scale: U,
}

impl<T: Scalar, U: Scalar> NullaryFnOnce for Merge<'_, T, U> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            nx,
            ny,
            half,
            first,
            from,
            to,
            scale,
        } = self;
        for (r, to) in to.chunks_exact_mut(nx).enumerate() {
            let swap = red_parity(first + r, ny);
            let of = |colour: usize| &from[colour][r * half..][..half];
            let (even, odd) = if swap == 0 {
                (of(RED), of(BLACK))
            } else {
                (of(BLACK), of(RED))
            };
            let mut pairs = to.chunks_exact_mut(2);
            for ((pair, e), o) in (&mut pairs).zip(even).zip(odd) {
                pair[0] = U::of(e.f64()) * scale;
                pair[1] = U::of(o.f64()) * scale;
            }
            if let [v] = pairs.into_remainder() {
                *v = U::of(even[half - 1].f64()) * scale;
            }
        }
    }
}
