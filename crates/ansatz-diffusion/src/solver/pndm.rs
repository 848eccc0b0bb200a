//! Pseudo numerical methods: PNDM, PLMS, iPNDM.
//!
//! A step is DDIM's with a combination of noise estimates in place of ε. The combination has the
//! weights of Adams and Bashforth on an even grid, (1), (3, −1)/2, (23, −16, 5)/12, (55, −59, 37,
//! −9)/24, whatever the grid is. The methods differ in how they start, while outputs are few:
//! with lower orders (iPNDM), with an improved Euler step (S-PNDM, PLMS), or with Runge-Kutta steps
//! whose stages are DDIM steps (F-PNDM).
//!
//! Cost: one evaluation a step, and 1 (improved Euler) or 9 (Runge-Kutta) in all for the start; five
//! states, eight for F-PNDM. Order 2 on any grid, despite the weights of order 4: the transfer is exact for
//! constant ε only.
//!
//! Use iPNDM on [`Spacing::QUADRATIC`](crate::Spacing::QUADRATIC) with 5 to 20 steps, where it is
//! among the best, and the others for parity with programs.
//!
//! References: L. Liu, Y. Ren, Z. Lin, Z. Zhao, *Pseudo numerical methods for diffusion models on
//! manifolds*, 2022, eqs. 11 to 13 and algorithm 2; Q. Zhang, Y. Chen, *Fast sampling of diffusion
//! models with exponential integrator*, 2023, appendix (iPNDM).

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use super::Solver;
use super::invertible::{check_steps, transfer};
use crate::{Linear, Plan, PlanBuilder, PlanError, TimeGrid, Value};

/// Weights of Adams and Bashforth, newest output first, by number of outputs.
const ADAMS_BASHFORTH: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

/// How the first steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WarmUp {
    /// With the lower orders: no extra evaluation (iPNDM).
    #[default]
    LowerOrder,
    /// The first step by the improved Euler method, then lower orders: one extra evaluation.
    ImprovedEuler,
    /// Steps of the classical Runge-Kutta method until there are outputs enough: three extra
    /// evaluations each.
    RungeKutta,
}

/// Where the stages in the middle of a Runge-Kutta step may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HalfSteps {
    /// At any time.
    #[default]
    Anywhere,
    /// At whole labels only, for models with integer labels: other grids are an error.
    WholeLabels,
}

/// Linear multistep on the noise with DDIM's transfer.
///
/// ```
/// use ansatz_diffusion::{Pndm, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 10)?;
/// let nfe = |solver: Pndm| Ok(solver.plan(&schedule, &grid)?.nfe());
/// assert_eq!((nfe(Pndm::ipndm())?, nfe(Pndm::s_pndm())?, nfe(Pndm::f_pndm())?), (10, 11, 19));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pndm {
    /// Outputs in the combination, 1 to 4.
    pub outputs: usize,
    /// The start.
    pub warm_up: WarmUp,
    /// Middle stages of Runge-Kutta steps.
    pub half_steps: HalfSteps,
}

impl Default for Pndm {
    /// iPNDM.
    fn default() -> Self {
        Self::ipndm()
    }
}

impl Pndm {
    /// iPNDM: orders 1, 2, 3, 4, 4, …; N evaluations.
    #[must_use]
    pub const fn ipndm() -> Self {
        Self {
            outputs: 4,
            warm_up: WarmUp::LowerOrder,
            half_steps: HalfSteps::Anywhere,
        }
    }

    /// S-PNDM: improved Euler, then two outputs; N + 1 evaluations.
    #[must_use]
    pub const fn s_pndm() -> Self {
        Self {
            outputs: 2,
            warm_up: WarmUp::ImprovedEuler,
            ..Self::ipndm()
        }
    }

    /// PLMS of latent diffusion: improved Euler, then orders 2, 3, 4, 4, …; N + 1 evaluations.
    #[must_use]
    pub const fn plms() -> Self {
        Self {
            outputs: 4,
            ..Self::s_pndm()
        }
    }

    /// F-PNDM: three Runge-Kutta steps, then four outputs; N + 9 evaluations.
    #[must_use]
    pub const fn f_pndm() -> Self {
        Self {
            warm_up: WarmUp::RungeKutta,
            ..Self::ipndm()
        }
    }

    /// The level in the middle of a step, in time.
    fn middle(
        &self,
        schedule: &dyn NoiseSchedule,
        from: &NoiseLevel,
        to: &NoiseLevel,
    ) -> Result<NoiseLevel, PlanError> {
        let t = 0.5 * (from.t + to.t);
        if self.half_steps == HalfSteps::WholeLabels && t.fract() != 0.0 {
            return Err(PlanError::Option {
                name: "label in the middle of a step",
                value: t,
                allowed: "a whole number: use an even spacing of labels",
            });
        }
        Ok(schedule.level(t))
    }
}

/// Noise estimate of a Runge-Kutta step of which `e1` is the first stage.
fn runge_kutta(
    p: &mut PlanBuilder,
    x: Value,
    e1: Value,
    [from, middle, to]: [&NoiseLevel; 3],
) -> Linear {
    let mut stage = |e: Value, at: &NoiseLevel| {
        let state = p.combine(transfer(x, e, from, at));
        p.eval(state, at, Prediction::Noise)
    };
    let e2 = stage(e1, middle);
    let e3 = stage(e2, middle);
    let e4 = stage(e3, to);
    (e1 + 2.0 * e2 + 2.0 * e3 + e4) / 6.0
}

impl Solver for Pndm {
    /// # Errors
    /// [`PlanError::Option`] unless there are 1 to 4 outputs, and for middles that are no whole
    /// labels where those are asked for; [`PlanError::TooFewSteps`] for fewer steps than outputs.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        if !(1..=4).contains(&self.outputs) {
            return Err(PlanError::Option {
                name: "outputs",
                value: self.outputs as f64,
                allowed: "1 to 4",
            });
        }
        check_steps("PNDM", self.outputs, grid)?;
        let mut p = Plan::builder();
        let mut x = p.input();
        let mut outputs = Vec::new();
        for (i, (from, to)) in grid.pairs().enumerate() {
            outputs.insert(0, p.eval(x, from, Prediction::Noise));
            outputs.truncate(self.outputs);
            let estimate = match self.warm_up {
                WarmUp::ImprovedEuler if i == 0 && self.outputs > 1 => {
                    let end = p.combine(transfer(x, outputs[0], from, to));
                    let e2 = p.eval(end, to, Prediction::Noise);
                    0.5 * (outputs[0] + e2)
                }
                WarmUp::RungeKutta if outputs.len() < self.outputs => {
                    let middle = self.middle(schedule, from, to)?;
                    runge_kutta(&mut p, x, outputs[0], [from, &middle, to])
                }
                _ => {
                    let weights = ADAMS_BASHFORTH[outputs.len() - 1];
                    let terms = weights.iter().zip(&outputs);
                    terms.fold(Linear::default(), |sum, (w, e)| sum + *w * *e)
                }
            };
            x = p.combine(transfer(x, estimate, from, to));
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
