//! Runge-Kutta methods in the noise-to-signal ratio (ρRK of DEIS).
//!
//! With v = x/α and ρ = σ/α the probability flow is dv/dρ = ε(αv, t(ρ)): no stiff linear part is
//! left, and any explicit Runge-Kutta method applies, such as those of
//! [`diffeq::tableau`](crate::diffeq::tableau). A step to a noiseless end is Euler's, since ε does
//! not exist there.
//!
//! Cost: as many evaluations a step as the table has stages (one less if its last stage is the first
//! of the next step), at most stages + 2 states. Order of the table.
//!
//! Use order 3 or 4 with many evaluations and a smooth model, as a check of other solvers; with few
//! evaluations multistep methods are better.
//!
//! Reference: Q. Zhang, Y. Chen, *Fast sampling of diffusion models with exponential integrator*,
//! 2023, section 4 (ρRK).

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};
use ansatz_diffeq::{Tableau, tableau};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// An explicit Runge-Kutta method in ρ = σ/α.
///
/// ```
/// use ansatz_diffusion::diffeq::tableau;
/// use ansatz_diffusion::{RhoRungeKutta, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
/// let plan = RhoRungeKutta { tableau: tableau::RK4 }.plan(&schedule, &grid)?;
/// assert_eq!(plan.nfe(), 40);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RhoRungeKutta {
    /// The method.
    pub tableau: Tableau,
}

impl Default for RhoRungeKutta {
    /// Kutta's method of order 3.
    fn default() -> Self {
        Self {
            tableau: tableau::KUTTA3,
        }
    }
}

impl RhoRungeKutta {
    fn validate(&self) -> Result<(), PlanError> {
        if let Err(e) = self.tableau.validate() {
            let value = match e {
                ansatz_diffeq::StepError::Tableau { got, .. } => got,
                _ => self.tableau.stages() as f64,
            };
            return Err(PlanError::Option {
                name: "tableau",
                value,
                allowed: "a table that its own `validate` accepts",
            });
        }
        let outside = |c: &&f64| !(0.0..=1.0).contains(*c);
        match self.tableau.nodes.iter().find(outside) {
            Some(&value) => Err(PlanError::Option {
                name: "tableau.nodes",
                value,
                allowed: "0 to 1: stages inside the step",
            }),
            None => Ok(()),
        }
    }
}

/// The level where ρ has come the fraction `c` of the way from one node to the next.
pub(crate) fn between(
    schedule: &dyn NoiseSchedule,
    from: &NoiseLevel,
    to: &NoiseLevel,
    c: f64,
) -> NoiseLevel {
    if c == 0.0 {
        *from
    } else if (c - 1.0).abs() < 1e-12 {
        // Exactly the node: a computed inverse could fall outside the grid.
        *to
    } else {
        let rho = from.rho() + c * (to.rho() - from.rho());
        schedule.level(schedule.t_of_lambda(-rho.ln()))
    }
}

/// Node, row and weight of each stage. A last stage at the result of the step is left out: it has no
/// weight, and is evaluated as the first stage of the next step.
pub(crate) fn stages(table: &Tableau) -> impl Iterator<Item = (f64, &'static [f64], f64)> {
    let count = table.stages() - usize::from(table.reuses_last());
    let rows = table.nodes.iter().zip(table.coefficients);
    rows.zip(table.weights)
        .take(count)
        .map(|((c, row), b)| (*c, *row, *b))
}

impl Solver for RhoRungeKutta {
    /// # Errors
    /// [`PlanError::Option`] for a table that is no explicit method with stages inside the step.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        self.validate()?;
        let mut p = Plan::builder();
        let mut x = p.input();
        for (from, to) in grid.pairs() {
            let table = if to.sigma == 0.0 {
                &tableau::EULER
            } else {
                &self.tableau
            };
            let dr = to.rho() - from.rho();
            let mut slopes = Vec::with_capacity(table.stages());
            // α(x/α_s + Δρ Σ w ε): a stage, or the result.
            let at_level = |at: &NoiseLevel, weights: &[f64], slopes: &[_]| {
                let mut sum = (at.alpha / from.alpha) * x;
                for (w, e) in weights.iter().zip(slopes) {
                    sum = sum + at.alpha * dr * *w * *e;
                }
                sum
            };
            for (c, row, _) in stages(table) {
                let at = between(schedule, from, to, c);
                let stage = p.combine(at_level(&at, row, &slopes));
                slopes.push(p.eval(stage, &at, Prediction::Noise));
            }
            x = p.combine(at_level(to, table.weights, &slopes));
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
