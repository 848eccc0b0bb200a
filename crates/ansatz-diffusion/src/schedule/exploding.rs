//! Schedules with α = 1: the state is the data plus noise.

use ansatz_core::NoiseSchedule;

/// σ(t) = σ_min (σ_max/σ_min)^t.
///
/// Reference: Y. Song et al., *Score-based generative modeling through stochastic differential
/// equations*, 2021, appendix C; defaults are theirs (0.01, 50).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceExploding {
    /// σ at t = 0.
    pub sigma_min: f64,
    /// σ at t = 1.
    pub sigma_max: f64,
    /// Data end of the usable range.
    pub t_min: f64,
    /// Noise end of the usable range.
    pub t_max: f64,
}

impl Default for VarianceExploding {
    fn default() -> Self {
        Self {
            sigma_min: 0.01,
            sigma_max: 50.0,
            t_min: 1e-5,
            t_max: 1.0,
        }
    }
}

impl VarianceExploding {
    fn log_ratio(&self) -> f64 {
        (self.sigma_max / self.sigma_min).ln()
    }
}

impl NoiseSchedule for VarianceExploding {
    fn t_min(&self) -> f64 {
        self.t_min
    }

    fn t_max(&self) -> f64 {
        self.t_max
    }

    fn log_alpha(&self, _: f64) -> f64 {
        0.0
    }

    fn sigma(&self, t: f64) -> f64 {
        self.sigma_min * (t * self.log_ratio()).exp()
    }

    fn log_alpha_rate(&self, _: f64) -> f64 {
        0.0
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        self.sigma(t) * self.log_ratio()
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        (-lambda - self.sigma_min.ln()) / self.log_ratio()
    }
}

/// σ(t) = t: time is the noise level.
///
/// Reference: T. Karras, M. Aittala, T. Aila, S. Laine, *Elucidating the design space of
/// diffusion-based generative models*, 2022, table 1; the range is theirs (0.002 to 80).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edm {
    /// Smallest noise level.
    pub sigma_min: f64,
    /// Largest noise level.
    pub sigma_max: f64,
}

impl Default for Edm {
    fn default() -> Self {
        Self {
            sigma_min: 0.002,
            sigma_max: 80.0,
        }
    }
}

impl NoiseSchedule for Edm {
    fn t_min(&self) -> f64 {
        self.sigma_min
    }

    fn t_max(&self) -> f64 {
        self.sigma_max
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
