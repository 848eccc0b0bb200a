//! Variance-preserving schedules (α² + σ² = 1), and their sub-variance-preserving relative.

use ansatz_core::NoiseSchedule;

use super::softplus;

/// σ = √(1 − α²) from ln α.
fn sigma_of(log_alpha: f64) -> f64 {
    (-(2.0 * log_alpha).exp_m1()).sqrt()
}

/// dσ/dt = −α² f / σ where f = d ln α/dt.
fn sigma_rate_of(log_alpha: f64, rate: f64) -> f64 {
    -(2.0 * log_alpha).exp() * rate / sigma_of(log_alpha)
}

/// Linear β(t) = β₀ + t(β₁ − β₀): ln α = −t²(β₁−β₀)/4 − tβ₀/2.
///
/// Reference: Y. Song et al., *Score-based generative modeling through stochastic differential
/// equations*, 2021, appendix C; defaults are theirs (0.1, 20).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VpLinear {
    /// β₀ > 0, the rate at t = 0.
    pub beta_min: f64,
    /// β₁ > β₀, the rate at t = 1.
    pub beta_max: f64,
    /// Data end of the usable range.
    pub t_min: f64,
    /// Noise end of the usable range.
    pub t_max: f64,
}

impl Default for VpLinear {
    fn default() -> Self {
        Self {
            beta_min: 0.1,
            beta_max: 20.0,
            t_min: 1e-3,
            t_max: 1.0,
        }
    }
}

impl VpLinear {
    /// t with −2·ln α(t) = `twice`.
    fn t_of_twice_log_alpha(&self, twice: f64) -> f64 {
        // 2(β₁−β₀)L / ((√Δ + β₀)(β₁−β₀)): the quadratic's root without cancellation.
        let slope = self.beta_max - self.beta_min;
        let root = (self.beta_min.powi(2) + 2.0 * slope * twice).sqrt();
        2.0 * twice / (root + self.beta_min)
    }
}

impl NoiseSchedule for VpLinear {
    fn t_min(&self) -> f64 {
        self.t_min
    }

    fn t_max(&self) -> f64 {
        self.t_max
    }

    fn log_alpha(&self, t: f64) -> f64 {
        -0.25 * t * t * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min
    }

    fn sigma(&self, t: f64) -> f64 {
        sigma_of(self.log_alpha(t))
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        -0.5 * (self.beta_min + t * (self.beta_max - self.beta_min))
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        sigma_rate_of(self.log_alpha(t), self.log_alpha_rate(t))
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        self.t_of_twice_log_alpha(softplus(-2.0 * lambda))
    }
}

/// α(t) ∝ cos((t + s)/(1 + s)·π/2), s = 0.008.
///
/// Reference: A. Nichol, P. Dhariwal, *Improved denoising diffusion probabilistic models*, 2021,
/// eq. 17. λ → −∞ at t = 1, so the usable range ends at 0.9946 (DPM-Solver, 2022).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VpCosine {
    /// Offset s.
    pub offset: f64,
    /// Data end of the usable range.
    pub t_min: f64,
    /// Noise end of the usable range, below 1.
    pub t_max: f64,
}

impl Default for VpCosine {
    fn default() -> Self {
        Self {
            offset: 0.008,
            t_min: 1e-3,
            t_max: 0.9946,
        }
    }
}

impl VpCosine {
    fn angle(&self, t: f64) -> f64 {
        (t + self.offset) / (1.0 + self.offset) * std::f64::consts::FRAC_PI_2
    }

    /// 1 − α² = sin(a−b)·sin(a+b)/cos²b with a the angle and b the offset's angle.
    fn sigma_squared(&self, t: f64) -> f64 {
        let b = self.angle(0.0);
        let between = t / (1.0 + self.offset) * std::f64::consts::FRAC_PI_2;
        between.sin() * (between + 2.0 * b).sin() / b.cos().powi(2)
    }
}

impl NoiseSchedule for VpCosine {
    fn t_min(&self) -> f64 {
        self.t_min
    }

    fn t_max(&self) -> f64 {
        self.t_max
    }

    fn log_alpha(&self, t: f64) -> f64 {
        let square = self.sigma_squared(t);
        if square < 0.5 {
            // ½ ln(1 − σ²): the difference of two logarithms of cosines would cancel.
            return 0.5 * (-square).ln_1p();
        }
        self.angle(t).cos().ln() - self.angle(0.0).cos().ln()
    }

    fn sigma(&self, t: f64) -> f64 {
        self.sigma_squared(t).sqrt()
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        -self.angle(t).tan() * std::f64::consts::FRAC_PI_2 / (1.0 + self.offset)
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        -(2.0 * self.log_alpha(t)).exp() * self.log_alpha_rate(t) / self.sigma(t)
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        // tan a = √((1 − α² cos²b)/(α² cos²b)) with α² = 1/(1+e^{−2λ}); atan keeps small angles.
        let b = self.angle(0.0);
        let e = (-2.0 * lambda).exp();
        let angle = ((e + b.sin().powi(2)).sqrt() / b.cos()).atan();
        angle * (1.0 + self.offset) / std::f64::consts::FRAC_PI_2 - self.offset
    }
}

/// α as [`VpLinear`], σ = 1 − α²: a smaller variance than the variance-preserving SDE at every t.
///
/// Reference: Y. Song et al., 2021, eq. 29 of appendix B.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SubVp(
    /// The schedule of α.
    pub VpLinear,
);

impl NoiseSchedule for SubVp {
    fn t_min(&self) -> f64 {
        self.0.t_min
    }

    fn t_max(&self) -> f64 {
        self.0.t_max
    }

    fn log_alpha(&self, t: f64) -> f64 {
        self.0.log_alpha(t)
    }

    fn sigma(&self, t: f64) -> f64 {
        -(2.0 * self.log_alpha(t)).exp_m1()
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        self.0.log_alpha_rate(t)
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        -2.0 * self.log_alpha_rate(t) * (2.0 * self.log_alpha(t)).exp()
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        // α/(1−α²) = r: α = (√(1+4r²) − 1)/(2r), written for small and large r alike; then
        // −2 ln α = 2·asinh(1/(2r)).
        self.0
            .t_of_twice_log_alpha(2.0 * (0.5 * (-lambda).exp()).asinh())
    }
}
