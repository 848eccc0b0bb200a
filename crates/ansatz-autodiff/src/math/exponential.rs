//! eˣ and what is made of it: eˣ = 2ⁿ·eʳ with |r| ≤ ½ ln 2, eʳ by a polynomial.

use super::block::{BLOCK, Block, Kernel};
use super::real::{Real, at_least, at_most, polynomial};

/// A function of eʸ, y given by x.
pub(super) trait ByExp {
    /// Whether the rounding of r counts: in 2ⁿ(eʳ − 1) + 2ⁿ − 1 cancellation doubles it at n = ±1.
    const CLOSE: bool = false;
    /// y and the constant that rounds n.
    fn prepare<T: Real>(x: T) -> (T, T);
    /// The result from x, n + the constant, and r + q = eʳ − 1, |q| < |r|/5.
    fn finish<T: Real>(x: T, shifted: T, r: T, q: T) -> T;
}

/// The kernel of a function of eʸ.
pub(super) struct Exponential<F>(pub(super) F);

impl<T: Real, F: ByExp> Kernel<T, 1> for Exponential<F> {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        let (mut shifted, mut r) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
        for i in 0..BLOCK {
            let (y, round) = F::prepare(x[i]);
            let (n, rest, lost) = reduce(y, round);
            (shifted[i], r[i]) = (n, rest);
            if F::CLOSE {
                out[i] = lost;
            }
        }
        for i in 0..BLOCK {
            let q = tail(r[i]);
            out[i] = if F::CLOSE { q + out[i] } else { q };
        }
        for i in 0..BLOCK {
            out[i] = F::finish(x[i], shifted[i], r[i], out[i]);
        }
    }
}

/// n of x = n·ln 2 + r still with `round` added, r, and what r lost to rounding.
#[inline(always)]
pub(super) fn reduce<T: Real>(x: T, round: T) -> (T, T, T) {
    let shifted = x * T::of(std::f64::consts::LOG2_E) + round;
    let n = shifted - round;
    let (high, low) = (x - n * T::LN2_HIGH, n * T::LN2_LOW);
    let r = high - low;
    (shifted, r, (high - r) - low)
}

/// eʳ − 1 − r for |r| ≤ ½ ln 2.
#[inline(always)]
fn tail<T: Real>(r: T) -> T {
    r * r * polynomial(T::EXP, r)
}

/// eʳ − 1.
#[inline(always)]
pub(super) fn expm1_reduced<T: Real>(r: T) -> T {
    r + tail(r)
}

/// The range of eˣ, for [`Real::power_of_two_halves`].
#[inline(always)]
fn in_range<T: Real>(x: T) -> (T, T) {
    let x = at_least(at_most(x, T::EXP_RANGE.1), T::EXP_RANGE.0);
    (x, T::ROUND_TWICE)
}

pub(super) struct Exp;

impl ByExp for Exp {
    #[inline(always)]
    fn prepare<T: Real>(x: T) -> (T, T) {
        in_range(x)
    }

    #[inline(always)]
    fn finish<T: Real>(_: T, shifted: T, r: T, q: T) -> T {
        let (a, b) = T::power_of_two_halves(shifted);
        (T::one() + (r + q)) * a * b
    }
}

pub(super) struct Expm1;

impl ByExp for Expm1 {
    const CLOSE: bool = true;

    #[inline(always)]
    fn prepare<T: Real>(x: T) -> (T, T) {
        let y = at_least(at_most(x, T::EXP_RANGE.1), -T::EXP_LOST);
        // Half of 2ⁿ: the largest would not be a number.
        (y, T::ROUND_BIASED - T::one())
    }

    #[inline(always)]
    fn finish<T: Real>(x: T, shifted: T, r: T, q: T) -> T {
        let half = T::of(0.5);
        let scale = T::power_of_two(shifted);
        let large = ((scale * r + (scale - half)) + scale * q) * T::of(2.0);
        // Halves of the smallest numbers would not be numbers.
        (if scale == half { r + q } else { large }).copysign(x)
    }
}

/// What σ(x) and x·σ(x) share: `factor` = 1 or x gives the one or the other.
#[inline(always)]
fn logistic<T: Real>(x: T, factor: T, shifted: T, p: T) -> T {
    let one = T::one();
    let (a, b) = T::power_of_two_halves(shifted);
    let e = one + p;
    let denominator = one + e * a * b;
    // e^−|x| last of all, that small results keep their digits.
    let negative = x < T::zero();
    let value = factor * if negative { e } else { one } / denominator;
    if negative { value * a * b } else { value }
}

pub(super) struct Sigmoid;

impl ByExp for Sigmoid {
    #[inline(always)]
    fn prepare<T: Real>(x: T) -> (T, T) {
        in_range(-x.abs())
    }

    #[inline(always)]
    fn finish<T: Real>(x: T, shifted: T, r: T, q: T) -> T {
        logistic(x, T::one(), shifted, r + q)
    }
}

pub(super) struct Silu;

impl ByExp for Silu {
    #[inline(always)]
    fn prepare<T: Real>(x: T) -> (T, T) {
        in_range(-x.abs())
    }

    #[inline(always)]
    fn finish<T: Real>(x: T, shifted: T, r: T, q: T) -> T {
        // −∞ times 0 would be NaN; the range's end gives −0 as well.
        logistic(x, at_least(x, T::EXP_RANGE.0), shifted, r + q)
    }
}

/// E/(E + 2) with E = e²ˣ − 1. Correcting E and the sum for their rounding would bring the error
/// below 1.7 units in the last place, at 1.6 times the time.
pub(super) struct Tanh;

impl ByExp for Tanh {
    #[inline(always)]
    fn prepare<T: Real>(x: T) -> (T, T) {
        let a = at_most(x.abs(), T::EXP_LOST * T::of(0.5));
        (a + a, T::ROUND_BIASED)
    }

    #[inline(always)]
    fn finish<T: Real>(x: T, shifted: T, r: T, q: T) -> T {
        let scale = T::power_of_two(shifted);
        let e = scale * (r + q) + (scale - T::one());
        (e / (e + T::of(2.0))).copysign(x)
    }
}
