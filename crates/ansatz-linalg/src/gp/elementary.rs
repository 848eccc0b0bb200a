//! eˣ for x ≤ 0 and sine with cosine, in arithmetic that becomes vector instructions.
//!
//! Arguments are reduced by ln 2 and π/2 in parts (W. Cody, W. Waite, *Software Manual for the Elementary Functions*,
//! 1980), the rest are Taylor polynomials on |r| ≤ ½ ln 2 and |r| ≤ π/4, whose first omitted terms are below 1e-17. Errors
//! are a few units of the last place; products are not fused, so bits do not depend on the processor.

/// 1.5·2⁵²: adding it rounds to the nearest whole number and leaves that in the low bits.
const ROUND: f64 = 6755399441055744.0;

const LN2: [f64; 2] = [0.6931471803691238, 1.9082149292705877e-10];

const HALF_PI: [f64; 3] = [
    1.5707963267341256,
    6.077100506303966e-11,
    2.0222662487959506e-21,
];

/// 1/k! for k = 2..=13.
const EXP: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5040.0,
    1.0 / 40320.0,
    1.0 / 362880.0,
    1.0 / 3628800.0,
    1.0 / 39916800.0,
    1.0 / 479001600.0,
    1.0 / 6227020800.0,
];

/// (−1)ᵏ/(2k + 1)! for k = 1..=8.
const SIN: [f64; 8] = [
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5040.0,
    1.0 / 362880.0,
    -1.0 / 39916800.0,
    1.0 / 6227020800.0,
    -1.0 / 1307674368000.0,
    1.0 / 355687428096000.0,
];

/// (−1)ᵏ/(2k)! for k = 2..=8.
const COS: [f64; 7] = [
    1.0 / 24.0,
    -1.0 / 720.0,
    1.0 / 40320.0,
    -1.0 / 3628800.0,
    1.0 / 479001600.0,
    -1.0 / 87178291200.0,
    1.0 / 20922789888000.0,
];

#[inline(always)]
fn horner<const N: usize>(c: &[f64; N], x: f64) -> f64 {
    let mut sum = c[N - 1];
    for k in (0..N - 1).rev() {
        sum = sum * x + c[k];
    }
    sum
}

/// eˣ for x ≤ 0; below −700 that of −700, 1e-304.
#[inline(always)]
pub(super) fn exp_negative(x: f64) -> f64 {
    let x = if x > -700.0 { x } else { -700.0 };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2[0]) - n * LN2[1];
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    (1.0 + (r + r * r * horner(&EXP, r))) * power
}

/// (sin x, cos x) for 0 ≤ x < 10⁶; beyond, errors grow with that of x itself.
#[inline(always)]
pub(super) fn sin_cos(x: f64) -> (f64, f64) {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    let w = (x - n * HALF_PI[0]) - n * HALF_PI[1];
    let r = w - n * HALF_PI[2];
    let z = r * r;
    let sin = r + r * z * horner(&SIN, z);
    let half = 0.5 * z;
    let rest = 1.0 - half;
    let cos = rest + (((1.0 - rest) - half) + z * z * horner(&COS, z));
    let quarter = shifted.to_bits();
    let odd = quarter & 1 == 1;
    let (a, b) = if odd { (cos, sin) } else { (sin, cos) };
    // The sine turns negative in quarters 2 and 3, the cosine in 1 and 2.
    let sign = |bits: u64| (bits & 2) << 62;
    (
        f64::from_bits(a.to_bits() ^ sign(quarter)),
        f64::from_bits(b.to_bits() ^ sign(quarter.wrapping_add(1))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_agree_with_the_standard_library() {
        for i in 0..200_000 {
            let x = 0.01 * f64::from(i) * (1.0 + 1e-3 * f64::from(i));
            let (sin, cos) = sin_cos(x);
            assert!(
                (sin - x.sin()).abs() < 2.5e-16,
                "sin {x}: {sin} {}",
                x.sin()
            );
            assert!(
                (cos - x.cos()).abs() < 2.5e-16,
                "cos {x}: {cos} {}",
                x.cos()
            );
            let y = -0.0035 * f64::from(i);
            let e = y.exp();
            assert!((exp_negative(y) - e).abs() <= 4e-16 * e, "exp {y}");
        }
        assert!((exp_negative(0.0) - 1.0).abs() < f64::EPSILON);
        assert!(exp_negative(-1e9) < 1e-300);
    }
}
