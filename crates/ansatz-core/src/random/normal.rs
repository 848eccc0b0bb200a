//! Normal numbers by the Box-Muller transform, many at a time.
//!
//! From two uniform numbers u in (0, 1] and v in [0, 1): r = √(−2 ln u), and (r cos 2πv, r sin 2πv)
//! are independent and normal. The functions are evaluated by their series on reduced arguments, in
//! plain multiplications and additions without branches: the compiler works on several lanes at once,
//! and the bits are the same on every platform. Against correctly rounded functions the error is
//! below 4 units in the last place.
//!
//! Reference: G. E. P. Box, M. E. Muller, *A note on the generation of random normal deviates*, 1958.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use pulp::{Arch, NullaryFnOnce};

use super::Key;
use crate::Scalar;

/// Pairs computed together. Below 16 the loops are unrolled instead of vectorised, at twice the time.
const LANES: usize = 32;

/// Up to this many pairs are computed one by one, which takes less time than [`LANES`] at once.
const FEW: usize = 4;

/// ln 2 in two parts; a multiple of the first by an exponent is exact.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

const ONE: u64 = 0x3ff0_0000_0000_0000;

/// 1/1!, −1/3!, 1/5!, … and 1/0!, −1/2!, 1/4!, …: exact to rounding for |x| ≤ π/4.
const SIN: [f64; 9] = factorials(1);
const COS: [f64; 10] = factorials(0);

/// 1, 1/3, 1/5, … of 2·artanh: exact to rounding for |x| ≤ 0.172.
const ATANH: [f64; 11] = {
    let mut c = [0.0; 11];
    let mut k = 0;
    while k < 11 {
        c[k] = 1.0 / (2 * k + 1) as f64;
        k += 1;
    }
    c
};

/// (−1)ᵏ/(2k + first)!
const fn factorials<const N: usize>(first: usize) -> [f64; N] {
    let mut c = [0.0; N];
    let mut value = 1.0;
    let mut k = 0;
    while k < N {
        c[k] = value;
        value /= -(((2 * k + first + 1) * (2 * k + first + 2)) as f64);
        k += 1;
    }
    c
}

#[inline(always)]
fn horner<const N: usize>(c: &[f64; N], z: f64) -> f64 {
    let mut sum = c[N - 1];
    for k in (0..N - 1).rev() {
        sum = sum * z + c[k];
    }
    sum
}

/// −ln u for u in (0, 1], normal numbers only.
#[inline(always)]
fn minus_ln(u: f64) -> f64 {
    // u = 2ᵉ·m with m in [√½, √2).
    let shift = ONE - FRAC_1_SQRT_2.to_bits();
    let shifted = u.to_bits().wrapping_add(shift);
    let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff) + FRAC_1_SQRT_2.to_bits());
    // 1023 − e lies in 0..2¹¹; placed below the leading bit of 2⁵² it becomes a number exactly.
    let magic = f64::from_bits(0x4330_0000_0000_0000);
    let minus_e = 1023.0 - (f64::from_bits(0x4330_0000_0000_0000 | (shifted >> 52)) - magic);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let ln_m = 2.0 * s * horner(&ATANH, s * s);
    minus_e * LN2_HIGH + (minus_e * LN2_LOW - ln_m)
}

/// (cos 2πv, sin 2πv) for v in [0, 1).
#[inline(always)]
fn turn(v: f64) -> (f64, f64) {
    // Quarter turns 0 to 4, and what remains: at most an eighth, exactly.
    let magic = f64::from_bits(0x4330_0000_0000_0000);
    let quarters = 4.0 * v + magic;
    let remainder = v - 0.25 * (quarters - magic);
    let quarter = quarters.to_bits();
    let t = TAU * remainder;
    let z = t * t;
    let (cos, sin) = (horner(&COS, z), t * horner(&SIN, z));
    let (a, b) = if quarter & 1 == 0 {
        (cos, sin)
    } else {
        (sin, cos)
    };
    // cos turns negative in quarters 1 and 2, sin in 2 and 3.
    let sign = |bit: u64| (bit & 2) << 62;
    (
        f64::from_bits(a.to_bits() ^ sign(quarter.wrapping_add(1))),
        f64::from_bits(b.to_bits() ^ sign(quarter)),
    )
}

/// Normal pairs number `first` to `first + N`, the first of each pair in the first array.
#[inline(always)]
pub(super) fn pairs<const N: usize>(key: Key, stream: u64, first: u64) -> [[f64; N]; 2] {
    let [a, b, c, d] = key.lanes::<N>(stream, first);
    // 52 random bits behind the leading one: [1, 2).
    let unit =
        |low: u32, high: u32| f64::from_bits(ONE | (u64::from(high) << 32 | u64::from(low)) >> 12);
    // One loop for each function: short bodies that become vector instructions.
    let mut radius = [0.0; N];
    for i in 0..N {
        radius[i] = (2.0 * minus_ln(2.0 - unit(a[i], b[i]))).sqrt();
    }
    let mut out = [[0.0; N]; 2];
    for i in 0..N {
        let (cos, sin) = turn(unit(c[i], d[i]) - 1.0);
        out[0][i] = radius[i] * cos;
        out[1][i] = radius[i] * sin;
    }
    out
}

struct Fill<'a, T> {
    key: Key,
    stream: u64,
    first: u64,
    out: &'a mut [T],
}

impl<T: Scalar> NullaryFnOnce for Fill<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut counter = self.first;
        for block in self.out.chunks_mut(2 * LANES) {
            if block.len() <= 2 * FEW {
                // Small states: a full set of lanes would be thrown away.
                for pair in block.chunks_mut(2) {
                    let normal = pairs::<1>(self.key, self.stream, counter);
                    for (x, [z]) in pair.iter_mut().zip(normal) {
                        *x = T::of(z);
                    }
                    counter += 1;
                }
                continue;
            }
            let [x, y] = pairs::<LANES>(self.key, self.stream, counter);
            for (i, pair) in block.chunks_mut(2).enumerate() {
                pair[0] = T::of(x[i]);
                if let Some(second) = pair.get_mut(1) {
                    *second = T::of(y[i]);
                }
            }
            counter += LANES as u64;
        }
    }
}

/// Fills `out` with the pairs from number `first` on.
pub(super) fn fill<T: Scalar>(key: Key, stream: u64, first: u64, out: &mut [T]) {
    Arch::new().dispatch(Fill {
        key,
        stream,
        first,
        out,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In units of the last place of `b`.
    fn ulps(a: f64, b: f64) -> f64 {
        (a - b).abs() / (b.abs() * f64::EPSILON).max(f64::MIN_POSITIVE)
    }

    #[test]
    fn logarithm_agrees_with_libm() {
        let mut worst = 0.0_f64;
        for k in 0..200_000_u64 {
            let [u, e] = Key::new(k).uniform(0, 0);
            let u = (1.0 - u) * libm::exp2(-(50.0 * e).floor());
            worst = worst.max(ulps(minus_ln(u), -libm::log(u)));
        }
        for u in [
            1.0,
            1.0 - f64::EPSILON / 2.0,
            FRAC_1_SQRT_2,
            0.5,
            2.0_f64.powi(-52),
        ] {
            worst = worst.max(ulps(minus_ln(u), -libm::log(u)));
        }
        assert!(worst < 4.0, "{worst} ulp");
    }

    #[test]
    fn turns_agree_with_libm() {
        let mut worst = 0.0_f64;
        for k in 0..200_000_u64 {
            let [v, _] = Key::new(k).uniform(1, 0);
            let (cos, sin) = turn(v);
            // libm's argument is rounded before: that alone costs an ulp of 2π in the result.
            let (s, c) = libm::sincos(TAU * v);
            worst = worst.max((cos - c).abs()).max((sin - s).abs());
        }
        assert!(worst < 2.0 * TAU * f64::EPSILON, "{worst:e}");
        for (v, cos, sin) in [
            (0.0, 1.0, 0.0),
            (0.25, 0.0, 1.0),
            (0.5, -1.0, 0.0),
            (0.75, 0.0, -1.0),
        ] {
            let (c, s) = turn(v);
            assert!(
                (c - cos).abs() < 1e-300 && (s - sin).abs() < 1e-300,
                "{v}: {c} {s}"
            );
        }
    }

    /// Lanes, tails and instruction sets change nothing.
    #[test]
    fn one_at_a_time_gives_the_same_bits() {
        let key = Key::new(5);
        for length in [1, 3, 8, 9, 69, 101] {
            let mut many = vec![0.0_f64; length];
            key.fill_normal(3, &mut many);
            for (i, x) in many.iter().enumerate() {
                let one = key.normal(3, i as u64 / 2)[i % 2];
                assert_eq!(one.to_bits(), x.to_bits(), "element {i} of {length}");
            }
        }
    }
}
