//! One more evaluation at the end: the model's estimate of the clean data.
//!
//! A sampler that stops at a level with σ > 0 leaves that noise in its result. `x ← x̂₀(x, t_N)`
//! removes it, at the price of the smoothing that the posterior mean is.
//!
//! Cost: one evaluation. It differs from [`TimeGrid::with_clean_end`] only for solvers that lower
//! their order in the last steps: here the steps before are those of the grid as it is.
//!
//! Use it with models trained to σ well above 0, and for metrics that see pixel noise.
//!
//! References: Y. Song et al., *Score-based generative modeling through stochastic differential
//! equations*, 2021, appendix G; C. Lu et al., *DPM-Solver*, 2022, appendix D.1 (`denoise_to_zero`).

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// A solver followed by one denoising evaluation of each of its outputs.
///
/// ```
/// use ansatz_diffusion::{DenoiseToZero, DpmMultistep, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 10)?;
/// let plan = DenoiseToZero(DpmMultistep::default()).plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.steps()), (11, 11));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DenoiseToZero<S>(
    /// What runs before.
    pub S,
);

impl<S: Solver> Solver for DenoiseToZero<S> {
    /// # Errors
    /// Those of the inner solver. A grid that ends without noise is left alone.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        let plan = self.0.plan(schedule, grid)?;
        let end = grid.end();
        if end.sigma == 0.0 {
            return Ok(plan);
        }
        let mut p = Plan::builder();
        let inputs: Vec<_> = (0..plan.inputs()).map(|_| p.input()).collect();
        let outputs = p.append(&plan, &inputs)?;
        let clean: Vec<_> = outputs
            .iter()
            .map(|x| p.eval(*x, &end, Prediction::Data))
            .collect();
        p.step(&NoiseLevel::clean(end.t), &clean);
        p.finish(&clean)
    }
}
