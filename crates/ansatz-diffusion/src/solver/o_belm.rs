//! O-BELM: the optimal bi-directional explicit linear multistep sampler.
//!
//! In z/α and ρ = σ/α, with h = ρ_i − ρ_{i+1}, H = ρ_{i−1} − ρ_i and q = h/H,
//! `z_{i+1}/α_{i+1} = q²·z_{i−1}/α_{i−1} + (1−q²)·z_i/α_i − h(h+H)/H·ε(z_i, t_i)`:
//! second order on any grid and stable forwards. Backwards a perturbation of the pair grows by
//! (H/h)² a step where the grid gets finer, so on the log-SNR grid BDIA with γ = 1 inverts better.
//!
//! Cost: one evaluation a step, three states. Latent: a pair.
//!
//! Use it for generation that must be invertible, on grids even in time.
//!
//! Reference: F. Wang et al., *BELM: bidirectional explicit linear multi-step sampler for exact
//! inversion in diffusion models*, 2024, eq. 18.

use ansatz_core::{NoiseSchedule, Prediction};

use super::Solver;
use super::invertible::{ExactInversion, MAX_AMPLIFICATION_F64, Partner, check_steps, from_noise};
use crate::{Plan, PlanError, TimeGrid};

/// O-BELM, which has no parameter.
///
/// ```
/// use ansatz_diffusion::{ExactInversion, OBelm, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::Time, 20)?;
/// let pair = OBelm.pair(&schedule, &grid)?;
/// assert_eq!(pair.inverse()?.nfe(), pair.nfe());
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OBelm;

impl Solver for OBelm {
    /// # Errors
    /// [`PlanError::TooFewSteps`] for one step.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        from_noise(self, schedule, grid, 1)
    }
}

impl ExactInversion for OBelm {
    fn pair(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        check_steps("O-BELM", 2, grid)?;
        let levels = grid.levels();
        let mut p = Plan::builder();
        let (mut older, mut z) = (p.input(), p.input());
        p.step(&levels[1], &[z, older]);
        for w in levels.windows(3) {
            let [before, at, after] = [w[0], w[1], w[2]];
            let (large, small) = (before.rho() - at.rho(), at.rho() - after.rho());
            let q2 = (small / large).powi(2);
            let e = p.eval(z, &at, Prediction::Noise);
            let next = p.combine(
                after.alpha
                    * (q2 * (older / before.alpha) + (1.0 - q2) * (z / at.alpha)
                        - small * (small + large) / large * e),
            );
            (older, z) = (z, next);
            p.step(&after, &[z, older]);
        }
        p.finish(&[z, older])
    }

    fn partner(&self) -> Partner {
        Partner::Neighbour
    }

    /// Not bounded by the number of steps alone: the grid decides. A round trip shows it.
    fn amplification(&self, _: usize) -> f64 {
        1.0
    }

    fn max_amplification(&self) -> f64 {
        MAX_AMPLIFICATION_F64
    }
}
