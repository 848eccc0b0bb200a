//! What exactly invertible solvers share: a pair of states instead of one.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use super::Solver;
use crate::{Linear, Plan, PlanBuilder, PlanError, TimeGrid, Value};

/// Growth of rounding errors beyond which an inversion in `f64` loses more than 1e-6.
pub const MAX_AMPLIFICATION_F64: f64 = 1e-6 / f64::EPSILON;

/// Growth of rounding errors beyond which an inversion in `f32` loses more than 1e-2.
pub const MAX_AMPLIFICATION_F32: f64 = 1e-2 / (f32::EPSILON as f64);

/// Where the second state of a pair comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partner {
    /// A copy of the first.
    Copy,
    /// The neighbouring node, reached by one DDIM step.
    Neighbour,
}

impl Partner {
    /// The pair at the noise end: (state, next state) for neighbours.
    fn at_noise(self, p: &mut PlanBuilder, x: Value, grid: &TimeGrid) -> [Value; 2] {
        let levels = grid.levels();
        match self {
            Self::Copy => [x, x],
            Self::Neighbour => [x, ddim_step(p, x, &levels[0], &levels[1])],
        }
    }

    /// The pair at the data end: (state, state before) for neighbours.
    fn at_data(self, p: &mut PlanBuilder, x: Value, grid: &TimeGrid) -> [Value; 2] {
        let levels = grid.levels();
        let last = levels.len() - 1;
        match self {
            Self::Copy => [x, x],
            Self::Neighbour => [x, ddim_step(p, x, &levels[last], &levels[last - 1])],
        }
    }
}

fn ddim_step(p: &mut PlanBuilder, x: Value, s: &NoiseLevel, t: &NoiseLevel) -> Value {
    let e = p.eval(x, s, Prediction::Noise);
    p.combine(transfer(x, e, s, t))
}

/// A solver on pairs of states whose steps can be undone exactly.
///
/// The latent of a data point is a *pair*: a single state would have to be doubled at the noise end,
/// which loses exactness. Edit by encoding with one model and decoding with another.
pub trait ExactInversion: Solver {
    /// From a pair at the noise end to a pair at the data end (two inputs, two outputs). The first
    /// of each pair is the state proper.
    ///
    /// # Errors
    /// As [`Solver::plan`].
    fn pair(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError>;

    /// How one state becomes a pair.
    fn partner(&self) -> Partner;

    /// Predicted growth of a rounding error when `steps` steps are undone.
    fn amplification(&self, steps: usize) -> f64;

    /// Largest growth that the options allow.
    fn max_amplification(&self) -> f64;

    /// From noise to a pair at the data end, the form to use when the sample will be inverted.
    ///
    /// # Errors
    /// As [`Solver::plan`].
    fn generate(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        from_noise(self, schedule, grid, 2)
    }

    /// From a data point to its latent pair (one input, two outputs). Decode by
    /// [`ExactInversion::pair`].
    ///
    /// # Errors
    /// As [`Solver::plan`], and [`PlanError::Amplification`] if rounding errors would grow beyond
    /// [`ExactInversion::max_amplification`].
    fn encode(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        let amplification = self.amplification(grid.steps());
        let allowed = self.max_amplification();
        let usable = amplification <= allowed;
        if !usable {
            return Err(PlanError::Amplification {
                steps: grid.steps(),
                amplification,
                allowed,
            });
        }
        let inverse = self.pair(schedule, grid)?.inverse()?;
        let mut p = Plan::builder();
        let x = p.input();
        let data = self.partner().at_data(&mut p, x, grid);
        let outputs = p.append(&inverse, &data)?;
        p.finish(&outputs)
    }
}

/// The plan from one state at the noise end to the first `outputs` states of the pair.
pub(super) fn from_noise<S: ExactInversion + ?Sized>(
    solver: &S,
    schedule: &dyn NoiseSchedule,
    grid: &TimeGrid,
    outputs: usize,
) -> Result<Plan, PlanError> {
    let pair = solver.pair(schedule, grid)?;
    let mut p = Plan::builder();
    let x = p.input();
    let noise = solver.partner().at_noise(&mut p, x, grid);
    let states = p.append(&pair, &noise)?;
    p.finish(&states[..outputs])
}

/// The DDIM step from `s` to `t` with noise estimate `e`: (α_t/α_s)·x + (σ_t − α_t σ_s/α_s)·e.
pub(super) fn transfer(x: Value, e: impl Into<Linear>, s: &NoiseLevel, t: &NoiseLevel) -> Linear {
    let keep = t.alpha / s.alpha;
    keep * x + (t.sigma - keep * s.sigma) * e.into()
}

/// At least `needed` steps, or an error that names the method.
pub(super) fn check_steps(
    method: &'static str,
    needed: usize,
    grid: &TimeGrid,
) -> Result<(), PlanError> {
    let got = grid.steps();
    if got < needed {
        return Err(PlanError::TooFewSteps {
            method,
            needed,
            got,
        });
    }
    Ok(())
}
