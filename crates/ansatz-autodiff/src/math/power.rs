//! xʸ = exp(y ln |x|) with the logarithm in twice the working precision.
//!
//! `f32` is computed in `f64`. For `f64`, products of halves of the digits are exact (T. J. Dekker,
//! *A floating-point technique for extending the available precision*, 1971): ln x comes out with
//! some 65 bits, which y ln x ≤ 745 needs.

// Comparisons with integers are meant exactly; `||` would be a branch in a loop without any.
#![allow(clippy::float_cmp, clippy::needless_bitwise_bool)]

use super::block::{BLOCK, Block, Kernel};
use super::exponential::{expm1_reduced, reduce};
use super::logarithm::{assemble, split};
use super::real::{Real, at_least, at_most, polynomial};
use super::table as t;

/// A scalar with its way to compute powers, in two steps.
pub(crate) trait Power: Real {
    /// ln |x|, high and low part.
    fn ln_long(self) -> (Self, Self);
    /// xʸ from [`Power::ln_long`].
    fn power(self, y: Self, ln: (Self, Self)) -> Self;
}

/// ln(2ᵏ(1 + f)), high and low part.
#[inline(always)]
fn ln_long(k: f64, f: f64) -> (f64, f64) {
    // s = f/(2 + f) = s1 + s2, s1 of half the digits.
    let d = 2.0 + f;
    let lost = f - (d - 2.0);
    let inverse = 1.0 / d;
    let s1 = (f * inverse).head();
    let d1 = d.head();
    let s2 = ((f - s1 * d1) - s1 * ((d - d1) + lost)) * inverse;
    // z = s² = z1 + z2.
    let square = s1 * s1;
    let z1 = square.head();
    let z2 = (square - z1) + (2.0 * s1 + s2) * s2;
    let z = z1 + z2;
    // w = artanh(s)/s = 1 + z/3 + z²·R.
    let [third, third_low] = t::THIRD;
    let third1 = third.head();
    let q = z1 * third1;
    let w = 1.0 + q;
    let w_low = (q - (w - 1.0))
        + ((z1 * ((third - third1) + third_low) + z2 * third) + z * z * polynomial(&t::LN_LONG, z));
    let w1 = (w + w_low).head();
    let w2 = (w - w1) + w_low;
    let (l1, l2) = (2.0 * (s1 * w1), 2.0 * (s1 * w2 + s2 * (w1 + w2)));
    let whole = k * f64::LN2_HIGH;
    let high = whole + l1;
    (high, ((whole - high) + l1) + (k * f64::LN2_LOW + l2))
}

#[inline(always)]
fn is_integer(magnitude: f64) -> bool {
    const LAST: f64 = 4_503_599_627_370_496.0;
    (magnitude >= LAST) | ((magnitude + LAST) - LAST == magnitude)
}

/// The rules of IEEE 754 around `regular` = |x|ʸ.
#[inline(always)]
fn with_rules(x: f64, y: f64, regular: f64) -> f64 {
    let a = x.abs();
    let zero = a == 0.0;
    let infinite = a == f64::INFINITY;
    let limit = if zero == (y < 0.0) {
        f64::INFINITY
    } else {
        0.0
    };
    let value = if zero | infinite { limit } else { regular };
    let integer = is_integer(y.abs());
    let odd = integer & !is_integer(0.5 * y.abs());
    let negative = x.is_sign_negative();
    let value = if negative & odd { -value } else { value };
    let undefined = (negative & !integer & !zero & !infinite) | x.is_nan() | y.is_nan();
    let value = if undefined { f64::NAN } else { value };
    if (y == 0.0) | (x == 1.0) { 1.0 } else { value }
}

/// Larger exponents give 0, 1 or ∞ like this one.
const LARGEST: f64 = 1.0e40;

impl Power for f64 {
    #[inline(always)]
    fn ln_long(self) -> (Self, Self) {
        let (k, f) = split(self.abs());
        ln_long(k, f)
    }

    #[inline(always)]
    fn power(self, y: Self, (high, low): (Self, Self)) -> Self {
        let exponent = at_least(at_most(y, LARGEST), -LARGEST);
        let (y1, h1) = (exponent.head(), high.head());
        let (y2, h2) = (exponent - y1, (high - h1) + low);
        let product = y1 * h1;
        let rest = y1 * h2 + y2 * (h1 + h2);
        let (least, most) = f64::EXP_RANGE;
        let inside = (product > least) & (product < most);
        let rest = if inside { rest } else { 0.0 };
        let (shifted, r, _) = reduce(at_least(at_most(product, most), least), f64::ROUND_TWICE);
        let (a, b) = f64::power_of_two_halves(shifted);
        with_rules(self, y, (1.0 + expm1_reduced(r + rest)) * a * b)
    }
}

impl Power for f32 {
    #[inline(always)]
    fn ln_long(self) -> (Self, Self) {
        let (k, m, _) = f64::from(self.abs()).split();
        let f = m - 1.0;
        let ln = assemble(k, f, f / (2.0 + f));
        let high = ln as f32;
        (high, (ln - f64::from(high)) as f32)
    }

    #[inline(always)]
    fn power(self, y: Self, (high, low): (Self, Self)) -> Self {
        let (x, y) = (f64::from(self), f64::from(y));
        let ln = f64::from(high) + f64::from(low);
        let exponent = at_least(at_most(y, LARGEST), -LARGEST);
        let (shifted, r, _) = reduce(
            at_least(at_most(exponent * ln, 200.0), -200.0),
            f64::ROUND_BIASED,
        );
        let regular = (1.0 + expm1_reduced(r)) * f64::power_of_two(shifted);
        with_rules(x, y, regular) as f32
    }
}

/// xʸ in stages.
#[inline(always)]
fn block<T: Power>(x: &Block<T>, y: impl Fn(usize) -> T, out: &mut Block<T>) {
    let (mut high, mut low) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
    for i in 0..BLOCK {
        (high[i], low[i]) = x[i].ln_long();
    }
    for i in 0..BLOCK {
        out[i] = x[i].power(y(i), (high[i], low[i]));
    }
}

/// xʸ with a y for each x.
pub(super) struct Pow;

impl<T: Power> Kernel<T, 2> for Pow {
    #[inline(always)]
    fn block(&self, [x, y]: [&Block<T>; 2], out: &mut Block<T>) {
        block(x, |i| y[i], out);
    }
}

/// xʸ with one y.
pub(super) struct PowConstant<T>(pub(super) T);

impl<T: Power> Kernel<T, 1> for PowConstant<T> {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        let y = self.0;
        block(x, |_| y, out);
    }
}
