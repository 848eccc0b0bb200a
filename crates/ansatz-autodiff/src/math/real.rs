//! The two scalars as bits: scaling by powers of two, splitting exponents, and the tables of each.

use ansatz_core::Scalar;

use super::table as t;

/// A [`Scalar`] with what the kernels know about its format. Values below are exact unless stated.
pub(crate) trait Real: Scalar {
    /// 1.5·2ᵖ⁻¹: adding it to a number below 2ᵖ⁻² rounds that to an integer, kept in the low bits.
    const ROUND: Self;
    /// The same plus the exponent's bias.
    const ROUND_BIASED: Self;
    /// The same plus twice the bias.
    const ROUND_TWICE: Self;
    /// Below the first eˣ and x·eˣ are 0, above the second eˣ is infinite.
    const EXP_RANGE: (Self, Self);
    /// Beyond this eˣ is lost beside 1, with some bits to spare.
    const EXP_LOST: Self;
    /// Beyond this erf is 1.
    const ERF_ONE: Self;
    /// Below −this Φ is 0.
    const NORMAL_ZERO: Self;

    // The tables of `table.rs`.
    const LN2_HIGH: Self;
    const LN2_LOW: Self;
    const EXP: &'static [Self];
    const LN: &'static [Self];
    const ERF: &'static [Self];
    const NORMAL: &'static [Self];
    const NORMAL_K: Self;
    const SIN: &'static [Self];
    const COS: &'static [Self];

    /// 2ⁿ of a sum n + [`Real::ROUND_BIASED`] with a normal result.
    fn power_of_two(n: Self) -> Self;
    /// Two factors of 2ⁿ, of a sum n + [`Real::ROUND_TWICE`] with n in ±4/3 of the exponents' range.
    fn power_of_two_halves(n: Self) -> (Self, Self);
    /// x = 2ᵏ·m with m in [√½, √2): (k, m, 2⁻ᵏ), for normal x > 0; the last is 0 for the largest x.
    fn split(self) -> (Self, Self, Self);
    /// 2ᵖ, which makes a subnormal number normal, and p.
    const NORMALISE: (Self, Self);
    /// The number cut to half its bits: its square is exact.
    fn head(self) -> Self;
}

macro_rules! real {
    ($T:ty, $bits:ty, $digits:expr, $bias:expr, { $($constants:tt)* }) => {
        impl Real for $T {
            const ROUND: Self = 3.0 * (1_u64 << ($digits - 1)) as $T;
            const ROUND_BIASED: Self = Self::ROUND + $bias as $T;
            const ROUND_TWICE: Self = Self::ROUND + (2 * $bias) as $T;
            $($constants)*

            #[inline(always)]
            fn power_of_two(n: Self) -> Self {
                // The bits above the exponent leave at the top.
                <$T>::from_bits(n.to_bits() << $digits)
            }

            #[inline(always)]
            fn power_of_two_halves(n: Self) -> (Self, Self) {
                let e = n.to_bits() & (4 * $bias + 3);
                let half = e >> 1;
                (
                    <$T>::from_bits(half << $digits),
                    <$T>::from_bits((e - half) << $digits),
                )
            }

            #[inline(always)]
            fn split(self) -> (Self, Self, Self) {
                const ONE: $bits = (1.0 as $T).to_bits();
                const LEAST: $bits = (std::f64::consts::FRAC_1_SQRT_2 as $T).to_bits();
                const MANTISSA: $bits = (1 << $digits) - 1;
                // An integer below 2ᵈ placed under the leading bit of 2ᵈ is that number.
                const PLACE: $T = (1_u64 << $digits) as $T;
                let shifted = self.to_bits().wrapping_add(ONE - LEAST);
                let biased = shifted >> $digits;
                let m = <$T>::from_bits((shifted & MANTISSA) + LEAST);
                let k = <$T>::from_bits(PLACE.to_bits() | biased) - (PLACE + $bias as $T);
                let inverse = <$T>::from_bits((2 * $bias as $bits).saturating_sub(biased) << $digits);
                (k, m, inverse)
            }

            #[inline(always)]
            fn head(self) -> Self {
                const TAIL: $bits = (1 << (($digits + 2) / 2)) - 1;
                <$T>::from_bits(self.to_bits() & !TAIL)
            }
        }
    };
}

real!(f64, u64, 52, 1023, {
    const EXP_RANGE: (Self, Self) = (-760.0, 710.0);
    const EXP_LOST: Self = 44.0;
    const ERF_ONE: Self = 6.0;
    const NORMAL_ZERO: Self = 39.0;
    const NORMALISE: (Self, Self) = (18_014_398_509_481_984.0, 54.0);
    const LN2_HIGH: Self = t::LN2_HIGH_F64;
    const LN2_LOW: Self = t::LN2_LOW_F64;
    const EXP: &'static [Self] = &t::EXP_F64;
    const LN: &'static [Self] = &t::LN_F64;
    const ERF: &'static [Self] = &t::ERF_F64;
    const NORMAL: &'static [Self] = &t::NORMAL_F64;
    const NORMAL_K: Self = t::NORMAL_K_F64;
    const SIN: &'static [Self] = &t::SIN_F64;
    const COS: &'static [Self] = &t::COS_F64;
});

real!(f32, u32, 23, 127, {
    const EXP_RANGE: (Self, Self) = (-112.0, 89.0);
    const EXP_LOST: Self = 20.0;
    const ERF_ONE: Self = 4.0;
    const NORMAL_ZERO: Self = 15.0;
    const NORMALISE: (Self, Self) = (33_554_432.0, 25.0);
    const LN2_HIGH: Self = t::LN2_HIGH_F32;
    const LN2_LOW: Self = t::LN2_LOW_F32;
    const EXP: &'static [Self] = &t::EXP_F32;
    const LN: &'static [Self] = &t::LN_F32;
    const ERF: &'static [Self] = &t::ERF_F32;
    const NORMAL: &'static [Self] = &t::NORMAL_F32;
    const NORMAL_K: Self = t::NORMAL_K_F32;
    const SIN: &'static [Self] = &t::SIN_F32;
    const COS: &'static [Self] = &t::COS_F32;
});

/// c₀ + c₁z + c₂z² + c₃z³ of up to four coefficients.
#[inline(always)]
fn group<T: Real>(c: &[T], z: T, z2: T) -> T {
    match *c {
        [a] => a,
        [a, b] => a + b * z,
        [a, b, c] => (a + b * z) + c * z2,
        [a, b, c, d] => (a + b * z) + (c + d * z) * z2,
        _ => T::nan(),
    }
}

/// Σ cₖ·zᵏ by Horner's rule in z⁴: a chain of additions is a quarter as long as in z, and processors
/// wait for it longer than they work.
#[inline(always)]
pub(super) fn polynomial<T: Real>(c: &[T], z: T) -> T {
    let z2 = z * z;
    let z4 = z2 * z2;
    let mut start = (c.len() - 1) / 4 * 4;
    let mut sum = group(&c[start..], z, z2);
    while start > 0 {
        start -= 4;
        sum = sum * z4 + group(&c[start..start + 4], z, z2);
    }
    sum
}

/// The smaller; NaN if x is.
#[inline(always)]
pub(super) fn at_most<T: Real>(x: T, limit: T) -> T {
    if x > limit { limit } else { x }
}

/// The larger; NaN if x is.
#[inline(always)]
pub(super) fn at_least<T: Real>(x: T, limit: T) -> T {
    if x < limit { limit } else { x }
}
