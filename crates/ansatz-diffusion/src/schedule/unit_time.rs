//! A table of labels on continuous time in (0, 1].

use ansatz_core::NoiseSchedule;

use super::Discrete;

/// A [`Discrete`] schedule whose time runs from 1/N to 1: label n is at t = (n + 1)/N.
///
/// Grids that are even in a function of time (quadratic, say) are meant in this time. Between labels
/// ln α is linear, and beyond them extrapolated. A model finds its label by
/// [`UnitTime::label`].
///
/// Reference: C. Lu et al., *DPM-Solver*, 2022, appendix D.1.
///
/// ```
/// use ansatz_diffusion::core::NoiseSchedule;
/// use ansatz_diffusion::{Betas, Discrete, UnitTime};
/// let schedule = UnitTime(Discrete::new(Betas::Linear(1e-4, 0.02), 1000)?);
/// assert_eq!((schedule.t_min(), schedule.t_max()), (0.001, 1.0));
/// assert_eq!(schedule.label(1.0), 999.0);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTime(
    /// The table.
    pub Discrete,
);

impl UnitTime {
    fn count(&self) -> f64 {
        self.0.labels() as f64
    }

    /// The label at time t, a whole number at the nodes.
    ///
    /// Deviation: programs of DPM-Solver use 1000·(t − 1/N), which is off for tables of other than
    /// 1000 entries.
    #[must_use]
    pub fn label(&self, t: f64) -> f64 {
        t * self.count() - 1.0
    }
}

impl NoiseSchedule for UnitTime {
    fn t_min(&self) -> f64 {
        1.0 / self.count()
    }

    fn t_max(&self) -> f64 {
        1.0
    }

    fn log_alpha(&self, t: f64) -> f64 {
        self.0.log_alpha(self.label(t))
    }

    fn sigma(&self, t: f64) -> f64 {
        self.0.sigma(self.label(t))
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        self.count() * self.0.log_alpha_rate(self.label(t))
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        self.count() * self.0.sigma_rate(self.label(t))
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        (self.0.t_of_lambda(lambda) + 1.0) / self.count()
    }
}
