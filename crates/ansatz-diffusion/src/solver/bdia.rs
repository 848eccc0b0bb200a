//! BDIA: exact inversion by bi-directional integration approximation.
//!
//! With Φ(z; s→t) the DDIM step that reuses one noise estimate ε(z, s),
//! `z_{i+1} = γ·z_{i−1} − γ·Φ(z_i; t_i→t_{i−1}) + Φ(z_i; t_i→t_{i+1})`.
//! The new state is affine in `z_{i−1}`, so the step is undone by algebra. γ = 1 is a leapfrog of
//! second order and inverts at machine precision for any number of steps. γ < 1 damps the
//! leapfrog's oscillation but is first order, with (1−γ)/(1+γ) of DDIM's error, and its *inverse*
//! amplifies rounding errors by 1/γ a step: [`ExactInversion::encode`] refuses when that destroys
//! the result.
//!
//! Cost: one evaluation a step, three states. Latent: a pair.
//!
//! Use γ = 1 for inversion and editing; γ = 0.5 for generation in about 10 steps.
//!
//! Reference: G. Zhang, J. P. Lewis, W. B. Kleijn, *Exact diffusion inversion via bi-directional
//! integration approximation*, 2023.

use ansatz_core::{NoiseSchedule, Prediction};

use super::Solver;
use super::invertible::{
    ExactInversion, MAX_AMPLIFICATION_F64, Partner, check_steps, from_noise, transfer,
};
use crate::{Plan, PlanError, TimeGrid};

/// BDIA on DDIM steps.
///
/// ```
/// use ansatz_diffusion::{Bdia, ExactInversion, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::Time, 50)?;
/// let encode = Bdia::default().encode(&schedule, &grid)?; // data -> latent pair
/// assert_eq!((encode.nfe(), encode.outputs()), (50, 2));
/// let unstable = Bdia { gamma: 0.5, ..Bdia::default() };
/// assert!(unstable.encode(&schedule, &grid).is_err()); // rounding errors would grow 2⁴⁹ times
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bdia {
    /// γ in [0, 1]: 1 is exact and of second order, 0 is DDIM.
    pub gamma: f64,
    /// Growth of rounding errors that [`ExactInversion::encode`] accepts; use
    /// [`MAX_AMPLIFICATION_F32`](super::MAX_AMPLIFICATION_F32) for `f32` states.
    pub max_amplification: f64,
}

impl Default for Bdia {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            max_amplification: MAX_AMPLIFICATION_F64,
        }
    }
}

impl Bdia {
    fn validate(&self, grid: &TimeGrid) -> Result<(), PlanError> {
        if !(0.0..=1.0).contains(&self.gamma) {
            return Err(PlanError::Option {
                name: "gamma",
                value: self.gamma,
                allowed: "0 (DDIM) to 1 (exact inversion, second order)",
            });
        }
        check_steps("BDIA", 2, grid)
    }
}

impl Solver for Bdia {
    /// # Errors
    /// [`PlanError::Option`] for γ outside [0, 1], [`PlanError::TooFewSteps`] for one step.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        from_noise(self, schedule, grid, 1)
    }
}

impl ExactInversion for Bdia {
    fn pair(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        self.validate(grid)?;
        let levels = grid.levels();
        let mut p = Plan::builder();
        let (mut older, mut z) = (p.input(), p.input());
        p.step(&levels[1], &[z, older]);
        for w in levels.windows(3) {
            let [before, at, after] = [w[0], w[1], w[2]];
            let e = p.eval(z, &at, Prediction::Noise);
            let back = transfer(z, e, &at, &before);
            let on = transfer(z, e, &at, &after);
            let next = p.combine(self.gamma * (older - back) + on);
            (older, z) = (z, next);
            p.step(&after, &[z, older]);
        }
        p.finish(&[z, older])
    }

    fn partner(&self) -> Partner {
        Partner::Neighbour
    }

    fn amplification(&self, steps: usize) -> f64 {
        self.gamma.powf(1.0 - steps as f64)
    }

    fn max_amplification(&self) -> f64 {
        self.max_amplification
    }
}
