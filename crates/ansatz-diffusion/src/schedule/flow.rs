//! The straight path of flow matching.

use ansatz_core::{NoiseLevel, NoiseSchedule};

/// α = 1 − t, σ = t: noise at t = 1, data at t = 0.
///
/// Reference: Y. Lipman et al., *Flow matching for generative modeling*, 2023; X. Liu, C. Gong,
/// Q. Liu, *Flow straight and fast*, 2023. (Both let time run from noise to data; here t is the
/// noise level, as everywhere in this crate.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowLinear {
    /// Data end of the usable range, above 0.
    pub t_min: f64,
    /// Noise end of the usable range; at 1 the signal is gone and λ = −∞.
    pub t_max: f64,
}

impl Default for FlowLinear {
    fn default() -> Self {
        Self {
            t_min: 1e-3,
            t_max: 1.0 - 1e-3,
        }
    }
}

impl NoiseSchedule for FlowLinear {
    fn t_min(&self) -> f64 {
        self.t_min
    }

    fn t_max(&self) -> f64 {
        self.t_max
    }

    fn log_alpha(&self, t: f64) -> f64 {
        (-t).ln_1p()
    }

    fn sigma(&self, t: f64) -> f64 {
        t
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        -1.0 / (1.0 - t)
    }

    fn sigma_rate(&self, _: f64) -> f64 {
        1.0
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        // t/(1−t) = e^{−λ}
        1.0 / (1.0 + lambda.exp())
    }

    fn alpha(&self, t: f64) -> f64 {
        1.0 - t
    }

    /// Exact at t = 1, too, where α times its logarithm's rate is 0·∞.
    fn level(&self, t: f64) -> NoiseLevel {
        NoiseLevel {
            t,
            alpha: 1.0 - t,
            sigma: t,
            alpha_rate: -1.0,
            sigma_rate: 1.0,
        }
    }
}
