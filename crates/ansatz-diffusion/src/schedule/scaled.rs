//! A schedule with scaled noise.

use ansatz_core::NoiseSchedule;

use crate::PlanError;

/// α of a schedule, and its σ times a constant: around a variance-preserving schedule, the marginals
/// of a mean-reverting SDE that tends to standard deviation σ∞.
///
/// Reference: Z. Luo et al., *Image restoration with mean-reverting stochastic differential
/// equations*, 2023, eqs. 3 to 6.
///
/// ```
/// use ansatz_diffusion::core::NoiseSchedule;
/// use ansatz_diffusion::{ScaledNoise, VpLinear};
/// let schedule = ScaledNoise::new(VpLinear::default(), 50.0 / 255.0)?;
/// assert!((schedule.sigma(1.0) - 50.0 / 255.0).abs() < 1e-4);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaledNoise<N> {
    inner: N,
    sigma: f64,
}

impl<N: NoiseSchedule> ScaledNoise<N> {
    /// `sigma` is σ∞.
    ///
    /// # Errors
    /// [`PlanError::Option`] unless σ∞ is positive and finite.
    pub fn new(inner: N, sigma: f64) -> Result<Self, PlanError> {
        if sigma > 0.0 && sigma.is_finite() {
            Ok(Self { inner, sigma })
        } else {
            Err(PlanError::Option {
                name: "sigma",
                value: sigma,
                allowed: "positive and finite, in units of the data (not of 255)",
            })
        }
    }
}

impl<N: NoiseSchedule> NoiseSchedule for ScaledNoise<N> {
    fn t_min(&self) -> f64 {
        self.inner.t_min()
    }

    fn t_max(&self) -> f64 {
        self.inner.t_max()
    }

    fn log_alpha(&self, t: f64) -> f64 {
        self.inner.log_alpha(t)
    }

    fn sigma(&self, t: f64) -> f64 {
        self.sigma * self.inner.sigma(t)
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        self.inner.log_alpha_rate(t)
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        self.sigma * self.inner.sigma_rate(t)
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        self.inner.t_of_lambda(lambda + self.sigma.ln())
    }

    fn alpha(&self, t: f64) -> f64 {
        self.inner.alpha(t)
    }
}
