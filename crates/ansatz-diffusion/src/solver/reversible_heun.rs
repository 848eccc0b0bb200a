//! Reversible Heun on the probability flow: two coupled states, one evaluation a step.
//!
//! In v = x/α and ρ = σ/α the flow is dv/dρ = ε. With h = ρ_{i+1} − ρ_i and a second state v̂,
//! `u = v + (h/2)·ε(v̂, ρ_i)`, `v̂ ← 2u − v̂`, `v ← u + (h/2)·ε(v̂, ρ_{i+1})`:
//! second order, and every line is affine in the state that it replaces, so the step is undone by
//! algebra. The evaluation at the end of a step is the one at the beginning of the next.
//!
//! Cost: one evaluation a step and one more, three states. Latent: a pair.
//!
//! Use it where adjoints of differential equations use it; on few steps [`Bdia`](crate::Bdia) is as
//! exact and needs no extra evaluation. It is not stable on stiff problems.
//!
//! Reference: P. Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural
//! SDEs*, 2021, algorithm 1 (without noise).

use ansatz_core::{NoiseSchedule, Prediction};

use super::Solver;
use super::invertible::{ExactInversion, MAX_AMPLIFICATION_F64, Partner, check_steps, from_noise};
use crate::{Plan, PlanError, TimeGrid};

/// Reversible Heun, which has no parameter.
///
/// ```
/// use ansatz_diffusion::{ExactInversion, ReversibleHeun, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 20)?;
/// let pair = ReversibleHeun.pair(&schedule, &grid)?;
/// assert_eq!((pair.nfe(), pair.inverse()?.nfe()), (21, 21));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReversibleHeun;

impl Solver for ReversibleHeun {
    /// # Errors
    /// [`PlanError::Option`] for a grid with a noiseless end, where ε does not exist.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        from_noise(self, schedule, grid, 1)
    }
}

impl ExactInversion for ReversibleHeun {
    fn pair(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        check_steps("reversible Heun", 1, grid)?;
        if grid.end().sigma == 0.0 {
            return Err(PlanError::Option {
                name: "sigma of the grid's end",
                value: 0.0,
                allowed: "above 0",
            });
        }
        let mut p = Plan::builder();
        let (mut x, mut partner) = (p.input(), p.input());
        let mut e = p.eval(partner, &grid.start(), Prediction::Noise);
        for (from, to) in grid.pairs() {
            let half = 0.5 * (to.rho() - from.rho());
            // Kept as a value of its own: it is what the inverse finds first.
            let u = p.combine(x / from.alpha + half * e);
            partner = p.combine(to.alpha * (2.0 * u - partner / from.alpha));
            e = p.eval(partner, to, Prediction::Noise);
            x = p.combine(to.alpha * (u + half * e));
            p.step(to, &[x, partner]);
        }
        p.finish(&[x, partner])
    }

    fn partner(&self) -> Partner {
        Partner::Copy
    }

    /// Not bounded by the number of steps alone: the model decides. A round trip shows it.
    fn amplification(&self, _: usize) -> f64 {
        1.0
    }

    fn max_amplification(&self) -> f64 {
        MAX_AMPLIFICATION_F64
    }
}
