//! ln x = k ln 2 + ln m with m in [√½, √2), ln m = 2 artanh(f/(2 + f)) with f = m − 1.

use super::block::{BLOCK, Block, Kernel};
use super::exponential::{Exp, Exponential};
use super::real::{Real, polynomial};

/// k ln 2 + ln(1 + f) with s = f/(2 + f).
#[inline(always)]
pub(super) fn assemble<T: Real>(k: T, f: T, s: T) -> T {
    let z = s * s;
    let half_square = T::of(0.5) * f * f;
    // ln(1 + f) = f − f²/2 + s·(f²/2 + R): the largest term is exact.
    let r = z * polynomial(T::LN, z);
    k * T::LN2_HIGH - ((half_square - (s * (half_square + r) + k * T::LN2_LOW)) - f)
}

/// `value` where 0 < u < ∞; the logarithm's limits and NaN elsewhere.
#[inline(always)]
fn in_domain<T: Real>(u: T, value: T) -> T {
    // −∞ at 0, ∞ at ∞, NaN for the rest.
    let limit = if u == T::zero() {
        T::neg_infinity()
    } else {
        u + if u > T::zero() { u } else { T::nan() }
    };
    if (u > T::zero()) & (u < T::infinity()) {
        value
    } else {
        limit
    }
}

/// |x| = 2ᵏ(1 + f), for finite x > 0.
#[inline(always)]
pub(super) fn split<T: Real>(x: T) -> (T, T) {
    let (scale, shift) = T::NORMALISE;
    let subnormal = x < T::min_positive_value();
    let (k, m, _) = (if subnormal { x * scale } else { x }).split();
    (if subnormal { k - shift } else { k }, m - T::one())
}

/// 1 + x = 2ᵏ(1 + f), for finite x > −1.
#[inline(always)]
fn split_1p<T: Real>(x: T) -> (T, T) {
    let one = T::one();
    let u = one + x;
    // What the sum lost; it matters for |x| below the inverse of the last place.
    let lost = if x > one {
        one - (u - x)
    } else {
        x - (u - one)
    };
    let (k, m, inverse) = u.split();
    (k, (m - one) + lost * inverse)
}

/// ln of what `split` takes apart, in stages.
#[inline(always)]
fn stages<T: Real>(
    x: &Block<T>,
    out: &mut Block<T>,
    split: impl Fn(T) -> (T, T),
    finish: impl Fn(T, T) -> T,
) {
    let (mut k, mut f) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
    for i in 0..BLOCK {
        (k[i], f[i]) = split(x[i]);
    }
    for i in 0..BLOCK {
        out[i] = f[i] / (T::of(2.0) + f[i]);
    }
    for i in 0..BLOCK {
        out[i] = finish(x[i], assemble(k[i], f[i], out[i]));
    }
}

pub(super) struct Ln;

impl<T: Real> Kernel<T, 1> for Ln {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        stages(x, out, split, in_domain);
    }
}

pub(super) struct Ln1p;

impl<T: Real> Kernel<T, 1> for Ln1p {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        stages(x, out, split_1p, |x, value| {
            in_domain(T::one() + x, value).copysign(x)
        });
    }
}

/// max(x, 0) + ln(1 + e^−|x|).
pub(super) struct Softplus;

impl<T: Real> Kernel<T, 1> for Softplus {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        let negative: Block<T> = std::array::from_fn(|i| -x[i].abs());
        let mut e = [T::zero(); BLOCK];
        Exponential(Exp).block([&negative], &mut e);
        stages(&e, out, split_1p, |_, value| value);
        for i in 0..BLOCK {
            out[i] += if x[i] > T::zero() { x[i] } else { T::zero() };
        }
    }
}
