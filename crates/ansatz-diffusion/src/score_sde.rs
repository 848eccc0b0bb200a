//! Sampling by the reverse of the noising stochastic differential equation.
//!
//! Data is noised by `dx = f·x dt + g dW`; its reverse is `dx = (f·x − g²·∇log p) dt + g dW̄`. One step of
//! any first-order discretisation is a [`Transition`] `x ← keep·x + score·s(x) + std·z`, so a method is a
//! table of transitions, and one writer turns every table into a [`Plan`]. With
//! `r = α_t/α_s` and `v = σ_t² − r²σ_s²` for a step from t to s:
//!
//! | predictor | keep | score | std |
//! |---|---|---|---|
//! | Euler-Maruyama | 1 − fΔt | g²Δt | g√Δt |
//! | reverse diffusion | 2 − r | v | √v |
//! | ancestral | 1/r | v/r | √v·σ_s/σ_t (forward variance: √v) |
//!
//! [`ReverseSde`] is these on any schedule and grid; [`ScoreSde`] is the published tables and grids of the
//! three processes of the paper. [`PredictorCorrector`] adds Langevin steps, whose size depends on the
//! state, and imputation of known elements.
//!
//! Cost: one evaluation a step, three states. Order 1 (weak); hundreds of steps.
//!
//! Use it where the paper's samplers are asked for, or with correctors at large budgets. For few steps
//! [`SdeDpmMultistep`](crate::SdeDpmMultistep) is better.
//!
//! Reference: Y. Song et al., *Score-based generative modeling through stochastic differential
//! equations*, 2021, sections 3 and 4, appendices C, E to G and I.

mod corrector;
mod process;

pub use corrector::{Known, Langevin, LangevinStep, PredictorCorrector};
pub use process::{Process, ScoreSde};

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction, stream};

use crate::solver::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// How a step of the reverse equation is discretised; see the table in [`crate::score_sde`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Predictor {
    /// The continuous equation, by Euler's rule.
    EulerMaruyama,
    /// The reverse of the discrete forward step.
    #[default]
    ReverseDiffusion,
    /// The posterior of the discrete forward step, as in DDPM and NCSN.
    Ancestral,
}

/// Whether the last step adds noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastStep {
    /// The mean alone, which removes the noise that nothing would remove later.
    #[default]
    Mean,
    /// Like all others.
    Noisy,
}

/// One step `x ← keep·x + score·s(x) + std·z`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// Where the score is taken.
    pub from: NoiseLevel,
    /// Where the step leads.
    pub to: NoiseLevel,
    /// Factor of the state.
    pub keep: f64,
    /// Factor of the score.
    pub score: f64,
    /// Factor of the noise.
    pub std: f64,
    /// (α_from/α_to)², which scales the steps of a corrector.
    pub damping: f64,
}

/// The reverse equation on any schedule and grid.
///
/// ```
/// use ansatz_diffusion::{Ddim, ReverseSde, Predictor, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::Time, 200)?;
/// let plan = ReverseSde { predictor: Predictor::Ancestral, ..Default::default() }
///     .plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.draws()), (200, 199));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReverseSde {
    /// The discretisation.
    pub predictor: Predictor,
    /// Noise in the last step.
    pub last: LastStep,
}

impl ReverseSde {
    /// The steps as data.
    ///
    /// # Errors
    /// [`PlanError::Coefficient`] where a step is not defined: from or to a level with α = 0, or
    /// with Euler-Maruyama from a singular level.
    pub fn transitions(
        &self,
        schedule: &dyn NoiseSchedule,
        grid: &TimeGrid,
    ) -> Result<Vec<Transition>, PlanError> {
        let step = |(i, (from, to)): (usize, (&NoiseLevel, &NoiseLevel))| {
            let r = from.alpha / to.alpha;
            let v = (from.sigma.powi(2) - (r * to.sigma).powi(2)).max(0.0);
            let (keep, score, std) = match self.predictor {
                Predictor::EulerMaruyama => {
                    let dt = from.t - to.t;
                    let g2 = schedule.diffusion_squared(from.t).max(0.0);
                    let f = schedule.drift(from.t);
                    (1.0 - f * dt, g2 * dt, (g2 * dt).sqrt())
                }
                Predictor::ReverseDiffusion => (2.0 - r, v, v.sqrt()),
                Predictor::Ancestral => (1.0 / r, v / r, v.sqrt() * to.sigma / from.sigma),
            };
            let transition = Transition {
                from: *from,
                to: *to,
                keep,
                score,
                std,
                damping: r * r,
            };
            match [keep, score, std].into_iter().find(|c| !c.is_finite()) {
                Some(value) => Err(PlanError::Coefficient { step: i, value }),
                None => Ok(transition),
            }
        };
        grid.pairs().enumerate().map(step).collect()
    }
}

impl Solver for ReverseSde {
    /// # Errors
    /// Those of [`ReverseSde::transitions`].
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        write(&self.transitions(schedule, grid)?, self.last)
    }
}

/// A table of transitions as a plan.
fn write(transitions: &[Transition], last: LastStep) -> Result<Plan, PlanError> {
    let mut p = Plan::builder();
    let mut x = p.input();
    for (i, step) in transitions.iter().enumerate() {
        let s = p.eval(x, &step.from, Prediction::Score);
        let mean = step.keep * x + step.score * s;
        let quiet = i + 1 == transitions.len() && last == LastStep::Mean;
        x = if quiet || step.std == 0.0 {
            p.combine(mean)
        } else {
            let z = p.normal(stream::step(i as u64));
            p.combine(mean + step.std * z)
        };
        p.step(&step.to, &[x]);
    }
    p.finish(&[x])
}
