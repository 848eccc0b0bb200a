//! The φ-functions of exponential integrators, without cancellation.
//!
//! φ₁(h) = eʰ − 1, φ₂ = φ₁/h − 1, φ₃ = φ₂/h − 1/2, and in general φₖ₊₁ = φₖ/h − 1/k!. (These are
//! h, h, … times smaller than the textbook functions: they are what the step formulas need.)
//! Data-prediction formulas use φₖ(−h).

/// Below this |h| the series is exact to rounding and the recurrence is not.
const SERIES_BELOW: f64 = 0.5;

/// φₖ(h) for k ≥ 1.
pub(crate) fn phi(k: u32, h: f64) -> f64 {
    if k == 1 {
        return h.exp_m1();
    }
    if h.abs() < SERIES_BELOW {
        // φₖ(h) = Σ_{n≥1} hⁿ/(n+k−1)!
        let mut term = 1.0;
        for i in 2..k {
            term /= f64::from(i);
        }
        let mut sum = 0.0;
        for n in 1..=18 {
            term *= h / f64::from(n + k - 1);
            sum += term;
        }
        return sum;
    }
    let factorial: f64 = (1..k).map(f64::from).product();
    phi(k - 1, h) / h - 1.0 / factorial
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recurrence and series against sums carried to convergence, on both sides of the switch.
    #[test]
    fn both_branches_agree_with_the_series() {
        for k in 1..=4_u32 {
            for h in [
                -6.0_f64, -0.51, -0.49, -1e-3, 1e-9, 0.3, 0.499, 0.501, 2.0, 5.0,
            ] {
                let mut term: f64 = 1.0 / (1..k).map(f64::from).product::<f64>();
                let mut sum = 0.0;
                for n in 1..80 {
                    term *= h / f64::from(n + k - 1);
                    sum += term;
                }
                let error = (phi(k, h) - sum).abs() / sum.abs();
                assert!(error < 2e-13, "phi_{k}({h}): relative error {error:e}");
            }
        }
    }
}
