//! Schedules that the tests of this crate share.
#![allow(dead_code, reason = "each test file uses a part")]

use ansatz_core::NoiseSchedule;

/// ln α = −t²(β₁ − β₀)/4 − tβ₀/2 with β₀ = 0.1, β₁ = 20 and α² + σ² = 1.
pub(crate) struct VpLinear;

const BETA: (f64, f64) = (0.1, 20.0);

impl NoiseSchedule for VpLinear {
    fn t_min(&self) -> f64 {
        1e-5
    }

    fn t_max(&self) -> f64 {
        1.0
    }

    fn log_alpha(&self, t: f64) -> f64 {
        -0.25 * t * t * (BETA.1 - BETA.0) - 0.5 * t * BETA.0
    }

    fn sigma(&self, t: f64) -> f64 {
        (-(2.0 * self.log_alpha(t)).exp_m1()).sqrt()
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        -0.5 * (BETA.0 + t * (BETA.1 - BETA.0))
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        -self.log_alpha_rate(t) * (2.0 * self.log_alpha(t)).exp() / self.sigma(t)
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        // L = ln(1 + e^{−2λ}) = −2 ln α
        let l = if lambda > 0.0 {
            (-2.0 * lambda).exp().ln_1p()
        } else {
            -2.0 * lambda + (2.0 * lambda).exp().ln_1p()
        };
        let spread = BETA.1 - BETA.0;
        2.0 * l / ((BETA.0 * BETA.0 + 2.0 * spread * l).sqrt() + BETA.0)
    }
}

/// α = 1, σ = t.
pub(crate) struct Edm;

impl NoiseSchedule for Edm {
    fn t_min(&self) -> f64 {
        0.002
    }

    fn t_max(&self) -> f64 {
        80.0
    }

    fn log_alpha(&self, _: f64) -> f64 {
        0.0
    }

    fn sigma(&self, t: f64) -> f64 {
        t
    }

    fn log_alpha_rate(&self, _: f64) -> f64 {
        0.0
    }

    fn sigma_rate(&self, _: f64) -> f64 {
        1.0
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        (-lambda).exp()
    }
}
