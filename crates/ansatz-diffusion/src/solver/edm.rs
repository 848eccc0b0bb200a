//! EDM's sampler: Euler or Heun steps in the noise-to-signal ratio, with optional churn.
//!
//! In ρ = σ/α the probability-flow ODE of x/α has the noise ε as its right-hand side:
//! d(x/α)/dρ = ε. A step goes from ρ̂ ≥ ρ, reached by adding fresh noise (churn), to the next node;
//! Heun's rule averages ε at both ends. The step to a noiseless end is Euler's, and its result is
//! the model's data estimate.
//!
//! Cost: two evaluations a step (one in the last, if the end is noiseless), three states. Order 2.
//!
//! Use it with EDM-trained models; with churn, where a few more steps buy sample quality.
//!
//! Reference: T. Karras, M. Aittala, T. Aila, S. Laine, *Elucidating the design space of
//! diffusion-based generative models*, 2022, algorithms 1 and 2.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction, stream};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// Noise added before each step (algorithm 2 of the paper); values are in units of ρ = σ/α.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// S_churn ≥ 0: total amount, spread over the steps.
    pub amount: f64,
    /// S_min: no churn below this noise level.
    pub min: f64,
    /// S_max: no churn above this noise level.
    pub max: f64,
    /// S_noise: scale of the added noise.
    pub noise: f64,
}

/// How a step uses the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// One evaluation, order 1.
    Euler,
    /// A second evaluation at the end of the step, order 2.
    #[default]
    Heun,
}

/// The sampler of EDM.
///
/// ```
/// use ansatz_diffusion::{Edm, Heun, Solver, Spacing, TimeGrid};
/// let schedule = Edm::default();
/// let grid = TimeGrid::new(&schedule, Spacing::KARRAS, 17)?.with_clean_end();
/// let plan = Heun::default().plan(&schedule, &grid)?;
/// assert_eq!(plan.nfe(), 35); // as in the paper: 18 noise levels
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Heun {
    /// Heun's rule, or Euler's at half the cost.
    pub rule: Rule,
    /// Fresh noise before each step; `None` is deterministic.
    pub churn: Option<Churn>,
}

impl Heun {
    /// Euler steps: the same sampler without the second evaluation, order 1.
    #[must_use]
    pub fn euler() -> Self {
        Self {
            rule: Rule::Euler,
            churn: None,
        }
    }

    /// γ of one step: ρ̂ = (1 + γ)ρ.
    fn gamma(&self, rho: f64, steps: usize) -> f64 {
        match self.churn {
            Some(c) if rho >= c.min && rho <= c.max => {
                (c.amount / steps as f64).min(std::f64::consts::SQRT_2 - 1.0)
            }
            _ => 0.0,
        }
    }

    fn validate(&self) -> Result<(), PlanError> {
        let Some(c) = self.churn else { return Ok(()) };
        for (name, value, good) in [
            ("churn.amount", c.amount, c.amount >= 0.0),
            ("churn.noise", c.noise, c.noise >= 0.0),
            ("churn.min", c.min, c.min <= c.max),
        ] {
            if !good || value.is_infinite() {
                return Err(PlanError::Option {
                    name,
                    value,
                    allowed: "finite, amount and noise not negative, min at most max",
                });
            }
        }
        Ok(())
    }
}

impl Solver for Heun {
    /// # Errors
    /// [`PlanError::Option`] for negative churn.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        self.validate()?;
        let mut p = Plan::builder();
        let mut x = p.input();
        for (i, (from, to)) in grid.pairs().enumerate() {
            let gamma = self.gamma(from.rho(), grid.steps());
            let mut at: NoiseLevel = *from;
            if gamma > 0.0 {
                let rho = (1.0 + gamma) * from.rho();
                at = schedule.level(schedule.t_of_lambda(-rho.ln()));
                let std = (rho.powi(2) - from.rho().powi(2)).sqrt();
                let noise = self.churn.map_or(1.0, |c| c.noise);
                let z = p.normal(stream::step(i as u64));
                x = p.combine(at.alpha * (x / from.alpha + std * noise * z));
            }
            let dr = to.rho() - at.rho();
            if to.sigma == 0.0 {
                let m = p.eval(x, &at, Prediction::Data);
                x = p.combine(to.alpha * m);
            } else {
                let e1 = p.eval(x, &at, Prediction::Noise);
                x = p.combine(to.alpha * (x / at.alpha + dr * e1));
                if self.rule == Rule::Heun {
                    let e2 = p.eval(x, to, Prediction::Noise);
                    // x/α̂ + dr(e₁ + e₂)/2, written so that the old state can be forgotten.
                    x = p.combine(x + 0.5 * dr * to.alpha * (e2 - e1));
                }
            }
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
