//! Sine and cosine: the angle less a multiple of π/2, then one of two polynomials.
//!
//! Near angles are reduced with π/2 in parts (Cody and Waite), far ones in integers with as many
//! digits of 2/π as it takes (M. Payne, R. Hanek, *Radian reduction for trigonometric functions*, 1983).

use super::block::{BLOCK, Block, Kernel};
use super::real::{Real, polynomial};
use super::table as t;

/// A scalar with its way to reduce angles.
pub(crate) trait Angle: Real {
    /// Up to here the quick reduction holds.
    const NEAR: Self;
    /// (r, tail, quarter) with x = quarter·π/2 + r + tail for 0 ≤ x ≤ [`Angle::NEAR`], the quarter
    /// in the low bits.
    fn reduce(self) -> (Self, Self, Self);
    /// The same for finite x beyond.
    fn reduce_far(self) -> (Self, Self, Self);
    /// sin or cos, by the quarter + `quarters`, with the sign of `odd`.
    fn evaluate(r: Self, tail: Self, quarter: Self, quarters: u32, odd: Self) -> Self;
}

/// sin(r + `tail`) with z = r², the tail below the last place of r.
#[inline(always)]
fn sine<T: Real>(r: T, z: T, tail: T) -> T {
    r + (r * z * polynomial(T::SIN, z) + (tail - T::of(0.5) * z * tail))
}

/// cos of the same.
#[inline(always)]
fn cosine<T: Real>(r: T, z: T, tail: T) -> T {
    let (one, half) = (T::one(), T::of(0.5) * z);
    let rest = one - half;
    rest + (((one - rest) - half) + (z * z * polynomial(T::COS, z) - r * tail))
}

macro_rules! evaluate {
    ($T:ty, $bits:ty) => {
        #[inline(always)]
        fn evaluate(r: Self, tail: Self, quarter: Self, quarters: u32, odd: Self) -> Self {
            let z = r * r;
            let quarter = quarter.to_bits().wrapping_add(<$bits>::from(quarters));
            let value = if quarter & 1 == 0 {
                sine(r, z, tail)
            } else {
                cosine(r, z, tail)
            };
            let negative = (quarter & 2) << (<$bits>::BITS - 2);
            let odd = odd.to_bits() & 1 << (<$bits>::BITS - 1);
            <$T>::from_bits(value.to_bits() ^ negative ^ odd)
        }
    };
}

impl Angle for f64 {
    /// Multiples of the parts of 26 bits are exact to 2²⁷·π/2.
    const NEAR: Self = 2.0e8;

    #[inline(always)]
    fn reduce(self) -> (Self, Self, Self) {
        let quarter = self * std::f64::consts::FRAC_2_PI + f64::ROUND;
        let n = quarter - f64::ROUND;
        let [first, second, third, last] = t::HALF_PI_PARTS;
        let w = (self - n * first) - n * second;
        let r = w - n * third;
        (r, ((w - r) - n * third) - n * last, quarter)
    }

    fn reduce_far(self) -> (Self, Self, Self) {
        let (r, tail, quarter) = reduce_far(self);
        (r, tail, f64::from_bits(quarter))
    }

    evaluate!(f64, u64);
}

impl Angle for f32 {
    /// Multiples of 33 bits are exact to 2²⁰·π/2.
    const NEAR: Self = 1.6e6;

    #[inline(always)]
    fn reduce(self) -> (Self, Self, Self) {
        let x = f64::from(self);
        let quarter = x * std::f64::consts::FRAC_2_PI + f64::ROUND;
        let n = quarter - f64::ROUND;
        let [first, last] = t::HALF_PI_TWO;
        let r = (x - n * first) - n * last;
        // A tail in single precision would not change the result by more than half a unit.
        (r as f32, 0.0, f32::from_bits(quarter.to_bits() as u32))
    }

    fn reduce_far(self) -> (Self, Self, Self) {
        let (r, _, quarter) = reduce_far(f64::from(self));
        (r as f32, 0.0, f32::from_bits(quarter as u32))
    }

    evaluate!(f32, u32);
}

/// sin(x + `quarters`·π/2): the sine for 0, the cosine for 1.
pub(super) struct Turn {
    pub(super) quarters: u32,
}

impl<T: Angle> Kernel<T, 1> for Turn {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        let (mut tail, mut quarter) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
        for i in 0..BLOCK {
            (out[i], tail[i], quarter[i]) = x[i].abs().reduce();
        }
        let is_far = |a: T| (a > T::NEAR) & (a < T::infinity());
        if x.iter().fold(false, |far, x| far | is_far(x.abs())) {
            for i in 0..BLOCK {
                if is_far(x[i].abs()) {
                    (out[i], tail[i], quarter[i]) = x[i].abs().reduce_far();
                }
            }
        }
        for i in 0..BLOCK {
            let odd = if self.quarters == 0 { x[i] } else { T::one() };
            out[i] = T::evaluate(out[i], tail[i], quarter[i], self.quarters, odd);
        }
    }
}

/// (r, tail, quarter) with a = quarter·π/2 + r + tail modulo 2π, for finite a ≥ 2²⁰.
fn reduce_far(a: f64) -> (f64, f64, u64) {
    let bits = a.to_bits();
    let mantissa = u128::from(bits & 0x000f_ffff_ffff_ffff | 1 << 52);
    // a/4 = mantissa·2^exponent; the table begins 64 places above the point.
    let exponent = (bits >> 52).cast_signed() - (1023 + 52 + 2);
    let first = (exponent + 64) as usize;
    // The 192 places that reach below the point: the ones before contribute whole turns.
    let (word, shift) = (first / 64, first % 64);
    let window = |k: usize| {
        let high = t::TWO_OVER_PI[word + k];
        match shift {
            0 => high,
            s => high << s | t::TWO_OVER_PI[word + k + 1] >> (64 - s),
        }
    };
    let low = mantissa * u128::from(window(2));
    let middle = mantissa * u128::from(window(1)) + (low >> 64);
    let high = mantissa * u128::from(window(0)) + (middle >> 64);
    // The turn's fraction in 192 places: two of the quarter, the next rounds it.
    let (a, b, c) = (high as u64, middle as u64, low as u64);
    let quarter = (a >> 62) + (a >> 61 & 1);
    let fraction = (u128::from(a) << 64 | u128::from(b)) << 2 | u128::from(c >> 62);
    // Its top bit is now worth −½: a quarter turn's fraction in ±½, of 128 places.
    let fraction = fraction.cast_signed();
    let scale = f64::from_bits((1023 - 128) << 52);
    let top = fraction as f64;
    let rest = fraction.wrapping_sub(top as i128) as f64;
    let (p, q) = (top * scale, rest * scale);
    // (p + q)·π/2, the product's rounding error from products of halves.
    let [pi, pi_low] = t::HALF_PI;
    let product = p * pi;
    let (p1, pi1) = (p.head(), pi.head());
    let (p2, pi2) = (p - p1, pi - pi1);
    let error = ((p1 * pi1 - product) + p1 * pi2 + p2 * pi1) + p2 * pi2;
    let tail = error + (p * pi_low + q * pi);
    let r = product + tail;
    (r, tail - (r - product), quarter)
}
