//! e^x for x ≤ 0 in arithmetic that becomes vector instructions.

/// e⁻⁷⁰⁸ is the smallest power kept; what lies below is 0, in sums with a term of 1.
const LEAST: f64 = -708.0;

/// Adding it rounds to whole numbers, and leaves them in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// ln 2 as a sum whose first part has 32 zero bits at its end, so that whole multiples are exact.
const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// 1/k! from k = 13 down to 0: with |r| ≤ ½ ln 2 the term left out is below 4e-18.
const TAYLOR: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// e^x for x ≤ 0, within two units of rounding; 0 below −708.
#[inline(always)]
pub(super) fn exp_of_negative(x: f64) -> f64 {
    let y = if x > LEAST { x } else { LEAST };
    let rounded = y * std::f64::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (y - n * LN2[0]) - n * LN2[1];
    let mut sum = TAYLOR[0];
    for c in &TAYLOR[1..] {
        sum = sum * r + c;
    }
    let power = f64::from_bits(rounded.to_bits().wrapping_add(1023) << 52);
    if x > LEAST { sum * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::exp_of_negative;

    #[test]
    fn agrees_with_the_library() {
        let mut worst = 0.0_f64;
        for k in 0..70_000 {
            let x = -0.01 * f64::from(k);
            let exact = x.exp();
            worst = worst.max((exp_of_negative(x) - exact).abs() / exact);
        }
        // Two units here and one of the library.
        assert!(worst < 3.0 * f64::EPSILON, "{worst:e}");
        assert_eq!(exp_of_negative(-0.0).to_bits(), 1.0_f64.to_bits());
        for x in [-709.0, -1e300, f64::NEG_INFINITY] {
            assert_eq!(exp_of_negative(x).to_bits(), 0);
        }
    }
}
