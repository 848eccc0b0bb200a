//! UniPC: predictor and corrector of any order at one evaluation a step.
//!
//! The predictor of order p extrapolates the polynomial through p outputs; the corrector repeats
//! the step with the output at the predicted state added, which raises the order by one. That
//! output is the first of the next step, so it costs nothing. From three nodes on the weights are
//! those of the exact integral, whatever B(h); B enters where the paper fixes a weight at ½: the
//! predictor of order 2, `½B(h)(m₋₁ − m₀)/r₁`, and the corrector of order 1, `½B(h)(m_t − m₀)`.
//!
//! Cost: one evaluation a step, `order + 3` states. Order p + 1.
//!
//! Use order 2 with 8 to 20 steps. The last step has no corrector.
//!
//! Reference: W. Zhao, L. Bai, Y. Rao, J. Zhou, J. Lu, *UniPC: a unified predictor-corrector framework
//! for fast sampling of diffusion models*, 2023, sections 3.1 to 3.3 (UniC, UniP, B(h)).

use ansatz_core::{NoiseLevel, NoiseSchedule};

use super::dpm::to_clean;
use super::exponential::Exponential;
use super::invertible::check_steps;
use super::{Form, LowerOrder, Solver};
use crate::{Linear, Plan, PlanError, TimeGrid, Value};

/// The function B(h) of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bh {
    /// B₁(h) = h: better with 5 or 6 steps, by the paper.
    One,
    /// B₂(h) = eʰ − 1.
    #[default]
    Two,
}

/// UniPC of order 1 to 3.
///
/// ```
/// use ansatz_diffusion::{Solver, Spacing, TimeGrid, UniPc, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 10)?;
/// let plan = UniPc::default().plan(&schedule, &grid)?;
/// assert_eq!(plan.nfe(), 10);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniPc {
    /// p, 1 to 3; with the corrector the order of convergence is p + 1.
    pub order: usize,
    /// Data or noise prediction.
    pub form: Form,
    /// Choice of B(h).
    pub bh: Bh,
    /// What happens in the last steps; the paper's program always lowers the order.
    pub lower_order: LowerOrder,
}

impl Default for UniPc {
    fn default() -> Self {
        Self {
            order: 2,
            form: Form::Data,
            bh: Bh::Two,
            lower_order: LowerOrder::Final,
        }
    }
}

impl UniPc {
    /// The step that replaces an exact integral by ½B(h): slope of the line through 0 and `node`.
    fn halved(
        &self,
        step: &Exponential,
        x: Value,
        (_, m0): (f64, Value),
        node: (f64, Value),
    ) -> Linear {
        let slope = (node.1 - m0) / node.0;
        let b = match self.bh {
            Bh::One => step.linearised(),
            Bh::Two => step.moment(0),
        };
        step.keep * x + step.moment(0) * m0 + 0.5 * b * slope
    }

    fn predictor(&self, step: &Exponential, x: Value, nodes: &[(f64, Value)]) -> Linear {
        match nodes {
            [m0, m1] => self.halved(step, x, *m0, *m1),
            _ => step.through(x, nodes),
        }
    }

    fn corrector(&self, step: &Exponential, x: Value, nodes: &[(f64, Value)], m: Value) -> Linear {
        match nodes {
            [m0] => self.halved(step, x, *m0, (1.0, m)),
            _ => step.through(x, &[nodes, &[(1.0, m)]].concat()),
        }
    }

    fn order_of(&self, i: usize, steps: usize, to: &NoiseLevel) -> usize {
        if to.sigma == 0.0 {
            return 1;
        }
        self.lower_order.limit(self.order.min(i + 1), i, steps)
    }
}

impl Solver for UniPc {
    /// # Errors
    /// [`PlanError::Option`] unless the order is 1, 2 or 3; [`PlanError::TooFewSteps`] for fewer
    /// steps than the order.
    fn plan(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        if !(1..=3).contains(&self.order) {
            return Err(PlanError::Option {
                name: "order",
                value: self.order as f64,
                allowed: "1, 2 or 3",
            });
        }
        check_steps("UniPC", self.order, grid)?;
        let want = self.form.prediction();
        let mut p = Plan::builder();
        let mut x = p.input();
        let start = grid.start();
        // Newest first, each with its λ.
        let mut outputs = vec![(start.lambda(), p.eval(x, &start, want))];
        for (i, (from, to)) in grid.pairs().enumerate() {
            outputs.truncate(self.order_of(i, grid.steps(), to));
            if to.sigma == 0.0 {
                x = p.combine(to_clean(self.form, from, to, x, outputs[0].1));
            } else {
                let step = Exponential::new(self.form, from, to);
                let theta = |lambda: f64| (lambda - from.lambda()) / step.h;
                let nodes: Vec<_> = outputs.iter().map(|(l, m)| (theta(*l), *m)).collect();
                let predicted = p.combine(self.predictor(&step, x, &nodes));
                if i + 1 == grid.steps() {
                    x = predicted;
                } else {
                    let m = p.eval(predicted, to, want);
                    x = p.combine(self.corrector(&step, x, &nodes, m));
                    outputs.insert(0, (to.lambda(), m));
                }
            }
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
