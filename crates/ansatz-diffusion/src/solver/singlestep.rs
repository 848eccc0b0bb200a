//! DPM-Solver and DPM-Solver++ in singlestep form, orders 2 and 3.
//!
//! A block from s to t evaluates the model at s, at λ_s + r₁h and, for order 3, at λ_s + r₂h, each
//! stage being the exact step for the polynomial through the outputs so far; the result is the
//! exact step through all of them (`taylor`) or, in the papers' variant, through the first and the
//! last (order 3) and by the midpoint rule (order 2).
//!
//! Cost: `order` evaluations a block, four states. Order 2 or 3; order 3 needs r₂ = 2/3,
//! which the default ratios have.
//!
//! Use it where a step must not depend on the past: changing guidance, restarts, 12 evaluations or
//! more. [`DpmMultistep`](crate::DpmMultistep) is better per evaluation on most models.
//!
//! Reference: C. Lu et al., *DPM-Solver*, 2022, algorithms 1, 2, 4 and 5 and section 3.4 (the
//! pattern of orders for a given number of evaluations); *DPM-Solver++*, 2022, algorithm 1.

use ansatz_core::{NoiseLevel, NoiseSchedule};

use super::dpm::to_clean;
use super::exponential::Exponential;
use super::{Coefficients, Form, Solver};
use crate::{Linear, Plan, PlanBuilder, PlanError, Spacing, TimeGrid, Value};

/// How a grid is divided into blocks, and where their stages are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Blocks {
    /// Every step of the grid is a block, with stages spread evenly in λ.
    #[default]
    Even,
    /// Every step of the grid is a block, with stages at these fractions of it in λ; order 2 uses
    /// the first.
    Ratios(f64, f64),
    /// The nodes of the grid are stages: blocks of the full order, and lower orders at the end so
    /// that every node is used. N steps cost N evaluations (`fast` of the papers).
    Fast,
    /// The nodes of the grid are stages, and the number of steps a multiple of the order.
    Fixed,
}

/// Singlestep DPM-Solver(++).
///
/// ```
/// use ansatz_diffusion::{Blocks, DpmSinglestep, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 5)?;
/// let plan = DpmSinglestep::default().plan(&schedule, &grid)?; // 5 blocks of order 3
/// assert_eq!(plan.nfe(), 15);
/// let fast = DpmSinglestep { blocks: Blocks::Fast, ..Default::default() };
/// let grid = fast.grid(&schedule, Spacing::LogSnr, 10)?; // orders 3, 3, 3, 1
/// assert_eq!(fast.plan(&schedule, &grid)?.nfe(), 10);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSinglestep {
    /// 2 or 3.
    pub order: usize,
    /// Data (`++`) or noise prediction.
    pub form: Form,
    /// [`Coefficients::Taylor`] for exact integrals; the others are the papers' variant.
    pub coefficients: Coefficients,
    /// Blocks and stages.
    pub blocks: Blocks,
}

impl Default for DpmSinglestep {
    /// DPM-Solver++(3S).
    fn default() -> Self {
        Self {
            order: 3,
            form: Form::Data,
            coefficients: Coefficients::Midpoint,
            blocks: Blocks::Even,
        }
    }
}

/// Orders of the blocks for `nfe` evaluations in all.
fn fast_orders(order: usize, nfe: usize) -> Vec<usize> {
    let (full, rest) = (nfe / order, nfe % order);
    let mut orders = vec![order; full];
    match (order, rest) {
        (3, 0) => {
            // 3, …, 3, 2, 1
            orders.pop();
            orders.extend([2, 1]);
        }
        (_, 0) => {}
        _ => orders.push(rest),
    }
    orders
}

impl DpmSinglestep {
    /// The grid on which this sampler spends `nfe` evaluations (at most `nfe`, where they are not a
    /// multiple of the order and all blocks are alike). With [`Blocks::Fast`] it has `nfe` steps of
    /// the spacing, and on [`Spacing::LogSnr`] blocks of equal length in λ, whatever their order.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for fewer evaluations than a block takes, and those of
    /// [`TimeGrid::new`].
    pub fn grid(
        &self,
        schedule: &dyn NoiseSchedule,
        spacing: Spacing,
        nfe: usize,
    ) -> Result<TimeGrid, PlanError> {
        self.validate()?;
        let steps = match self.blocks {
            Blocks::Fast => nfe,
            Blocks::Fixed => nfe / self.order * self.order,
            Blocks::Even | Blocks::Ratios(..) => nfe / self.order,
        };
        let even = TimeGrid::new(schedule, spacing, steps)?;
        if spacing != Spacing::LogSnr || self.blocks != Blocks::Fast {
            return Ok(even);
        }
        let orders = fast_orders(self.order, nfe);
        let outer = TimeGrid::new(schedule, spacing, orders.len())?;
        let mut times = vec![outer.start().t];
        for ((from, to), order) in outer.pairs().zip(&orders) {
            for k in 1..*order {
                let part = k as f64 / *order as f64;
                let lambda = from.lambda() + part * (to.lambda() - from.lambda());
                times.push(schedule.t_of_lambda(lambda));
            }
            times.push(to.t);
        }
        TimeGrid::from_times(schedule, &times)
    }

    fn validate(&self) -> Result<(), PlanError> {
        if !(2..=3).contains(&self.order) {
            return Err(PlanError::Option {
                name: "order",
                value: self.order as f64,
                allowed: "2 or 3",
            });
        }
        if let Blocks::Ratios(r1, r2) = self.blocks {
            let inside = r1 > 0.0 && r1 < 1.0;
            if !inside {
                return Err(PlanError::Option {
                    name: "r1",
                    value: r1,
                    allowed: "between 0 and 1, both excluded",
                });
            }
            let between = r2 > r1 && r2 < 1.0;
            if self.order == 3 && !between {
                return Err(PlanError::Option {
                    name: "r2",
                    value: r2,
                    allowed: "between r1 and 1, both excluded",
                });
            }
        }
        Ok(())
    }

    /// One block: the model at the start and at every inner level.
    fn block(
        &self,
        p: &mut PlanBuilder,
        x: Value,
        from: &NoiseLevel,
        inner: &[NoiseLevel],
        to: &NoiseLevel,
    ) -> Value {
        let want = self.form.prediction();
        let mut outputs = vec![(*from, p.eval(x, from, want))];
        let mut state = x;
        for at in inner {
            state = p.combine(stage(self.form, x, &outputs, at));
            outputs.push((*at, p.eval(state, at, want)));
        }
        if to.sigma == 0.0 {
            let (at, m) = outputs[inner.len()];
            return p.combine(to_clean(self.form, &at, to, state, m));
        }
        p.combine(result(self.form, self.coefficients, x, &outputs, to))
    }
}

/// The state at level `at`, exact for the polynomial through `outputs`; the first is at the start.
pub(crate) fn stage(
    form: Form,
    x: Value,
    outputs: &[(NoiseLevel, Value)],
    at: &NoiseLevel,
) -> Linear {
    let from = &outputs[0].0;
    let step = Exponential::new(form, from, at);
    let theta = |l: &NoiseLevel| (l.lambda() - from.lambda()) / step.h;
    let nodes: Vec<_> = outputs.iter().map(|(l, m)| (theta(l), *m)).collect();
    step.through(x, &nodes)
}

/// The end of a block whose stages are `outputs`.
pub(crate) fn result(
    form: Form,
    coefficients: Coefficients,
    x: Value,
    outputs: &[(NoiseLevel, Value)],
    to: &NoiseLevel,
) -> Linear {
    match (coefficients, outputs) {
        (Coefficients::Taylor, _) | (_, [_]) => stage(form, x, outputs, to),
        (_, [(from, m0), (middle, m1)]) => {
            let step = Exponential::new(form, from, to);
            let r1 = (middle.lambda() - from.lambda()) / step.h;
            let slope = (*m1 - *m0) / r1;
            step.keep * x + step.moment(0) * (*m0 + 0.5 * slope)
        }
        (_, [first, .., last]) => stage(form, x, &[*first, *last], to),
        (_, []) => x.into(),
    }
}

impl Solver for DpmSinglestep {
    /// # Errors
    /// [`PlanError::Option`] for an order other than 2 or 3, ratios that are not 0 < r₁ < r₂ < 1, or
    /// a number of steps that [`Blocks::Fixed`] cannot divide.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        self.validate()?;
        let steps = grid.steps();
        let (r1, r2) = match self.blocks {
            Blocks::Ratios(r1, r2) => (r1, r2),
            _ => (1.0 / self.order as f64, 2.0 / 3.0),
        };
        let orders = match self.blocks {
            Blocks::Fast => fast_orders(self.order, steps),
            Blocks::Fixed if steps.is_multiple_of(self.order) => {
                vec![self.order; steps / self.order]
            }
            Blocks::Fixed => {
                return Err(PlanError::Option {
                    name: "steps of the grid",
                    value: steps as f64,
                    allowed: "a multiple of the order",
                });
            }
            Blocks::Even | Blocks::Ratios(..) => vec![1; steps],
        };
        let mut p = Plan::builder();
        let mut x = p.input();
        let mut nodes = grid.levels();
        for size in orders {
            let (from, to) = (&nodes[0], &nodes[size]);
            if matches!(self.blocks, Blocks::Fast | Blocks::Fixed) {
                x = self.block(&mut p, x, from, &nodes[1..size], to);
            } else if to.sigma == 0.0 {
                x = self.block(&mut p, x, from, &[], to);
            } else {
                let h = to.lambda() - from.lambda();
                let at = |r: f64| schedule.level(schedule.t_of_lambda(from.lambda() + r * h));
                x = self.block(&mut p, x, from, &[at(r1), at(r2)][..self.order - 1], to);
            }
            p.step(to, &[x]);
            nodes = &nodes[size..];
        }
        p.finish(&[x])
    }
}
