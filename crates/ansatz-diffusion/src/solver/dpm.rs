//! DPM-Solver and DPM-Solver++ in multistep form, orders 1 to 3.
//!
//! With h = λ_t − λ_s and earlier outputs m₀, m₋₁, m₋₂ of the model, a step is the exact solution of
//! the probability-flow ODE for a polynomial through those outputs in λ:
//!
//! - data form (`++`): `x_t = (σ_t/σ_s)x − α_t(ψ₁m₀ − ψ₂D₁ + ψ₃D₂)`,
//! - noise form: `x_t = (α_t/α_s)x − σ_t(φ₁m₀ + φ₂D₁ + φ₃D₂)`,
//!
//! D₁ and D₂ being finite-difference estimates of m′h and m″h². The midpoint variant of order 2
//! puts ½ψ₁ (½φ₁) in place of −ψ₂ (φ₂).
//!
//! The first steps have less history and are of lower order. They happen where the signal is faint,
//! so their error, though of second order for order 3, has a factor near α² of the start: it shows
//! on grids of several hundred steps only.
//!
//! A grid may start at pure noise (α = 0, as flow models do), where h is infinite: the data form takes
//! its limit, in which the estimate enters with full weight, and the history begins at the next node.
//!
//! Cost: one evaluation a step, `order + 1` states.
//!
//! Use `++` with order 2 as the default sampler; order 3 for smooth models and 15 steps or more.
//!
//! References: C. Lu et al., *DPM-Solver*, 2022, and *DPM-Solver++*, 2022, algorithm 2 and
//! appendix.

use ansatz_core::{NoiseLevel, NoiseSchedule, stream};

use super::Solver;
use super::exponential::Exponential;
use super::invertible::check_steps;
use crate::{Linear, Plan, PlanError, TimeGrid, Value};

/// Which of the two equivalent ODEs is integrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// In the data prediction (DPM-Solver++): stable under guidance, the default.
    #[default]
    Data,
    /// In the noise prediction (DPM-Solver).
    Noise,
}

/// Which coefficients a step of order 2 or 3 uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coefficients {
    /// The midpoint rule of the papers for order 2 (`dpmsolver`), exact integrals for order 3.
    #[default]
    Midpoint,
    /// Exact integrals of the interpolating polynomial (`taylor`, `heun`).
    Taylor,
    /// As [`Coefficients::Midpoint`], but order 3 with the halved second difference of the published
    /// programs, which makes it second order. For parity with them only.
    Published,
    /// As [`Coefficients::Taylor`], with the same halved difference: the program of the sampler for
    /// mean-reverting diffusion.
    PublishedTaylor,
}

/// Whether the last steps fall back to lower orders, which keeps few-step runs stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LowerOrder {
    /// In grids of fewer than 10 steps, as the official program does.
    Auto,
    /// Always: the step before last at most of order 2, the last of order 1.
    #[default]
    Final,
    /// Never (a step to a noiseless end is of order 1 all the same).
    Never,
}

impl LowerOrder {
    /// `order` of step `i` of `steps`, lowered near the end where this asks for it.
    pub(crate) fn limit(self, order: usize, i: usize, steps: usize) -> usize {
        match self {
            Self::Auto if steps >= 10 => order,
            Self::Never => order,
            Self::Auto | Self::Final => order.min(steps - i),
        }
    }
}

/// Multistep DPM-Solver(++).
///
/// ```
/// use ansatz_diffusion::{DpmMultistep, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 20)?;
/// let plan = DpmMultistep { order: 3, ..Default::default() }.plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.slots()), (20, 4));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmMultistep {
    /// 1 to 3.
    pub order: usize,
    /// Data (`++`) or noise prediction.
    pub form: Form,
    /// Variant of the coefficients.
    pub coefficients: Coefficients,
    /// What happens in the last steps.
    pub lower_order: LowerOrder,
}

impl Default for DpmMultistep {
    /// DPM-Solver++(2M), the sampler that most users want.
    fn default() -> Self {
        Self {
            order: 2,
            form: Form::Data,
            coefficients: Coefficients::Midpoint,
            lower_order: LowerOrder::Final,
        }
    }
}

impl DpmMultistep {
    /// Order of step `i` of `steps`: warm-up, fall-back at the end, and a clean end.
    fn order_of(&self, i: usize, steps: usize, to: &NoiseLevel) -> usize {
        if to.sigma == 0.0 {
            return 1;
        }
        self.lower_order.limit(self.order.min(i + 1), i, steps)
    }

    fn validate(&self, grid: &TimeGrid) -> Result<(), PlanError> {
        if !(1..=3).contains(&self.order) {
            return Err(PlanError::Option {
                name: "order",
                value: self.order as f64,
                allowed: "1, 2 or 3",
            });
        }
        check_steps("multistep DPM-Solver", self.order, grid)
    }

    /// The sampler for noise level `eta` of the reverse process: 0 is the ODE.
    pub(crate) fn write(
        &self,
        grid: &TimeGrid,
        eta: f64,
        noise_scale: f64,
    ) -> Result<Plan, PlanError> {
        self.validate(grid)?;
        let mut p = Plan::builder();
        let mut x = p.input();
        // Newest first, each with its λ.
        let mut outputs: Vec<(f64, Value)> = Vec::new();
        for (i, (from, to)) in grid.pairs().enumerate() {
            let m = p.eval(x, from, self.form.prediction());
            outputs.insert(0, (from.lambda(), m));
            outputs.truncate(self.order_of(i, grid.steps(), to));
            if to.sigma == 0.0 {
                x = p.combine(to_clean(self.form, from, to, x, m));
            } else if from.alpha == 0.0 && self.form == Form::Data {
                // The state keeps its noise in the ODE; in the SDE all of it is drawn anew.
                let noise = if eta > 0.0 {
                    noise_scale * to.sigma * p.normal(stream::step(i as u64))
                } else {
                    (to.sigma / from.sigma) * x
                };
                x = p.combine(noise + to.alpha * m);
                // λ is infinite there: no polynomial goes through that output.
                outputs.clear();
            } else {
                let step = Exponential::stochastic(self.form, from, to, eta);
                let theta = |lambda: f64| (lambda - from.lambda()) / step.h;
                let nodes: Vec<_> = outputs.iter().map(|(l, m)| (theta(*l), *m)).collect();
                let mean = multistep(self.coefficients, &step, x, &nodes);
                x = if step.std > 0.0 {
                    let z = p.normal(stream::step(i as u64));
                    p.combine(mean + noise_scale * step.std * z)
                } else {
                    p.combine(mean)
                };
            }
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}

/// A step through earlier outputs, newest first; their number is the order.
fn multistep(
    coefficients: Coefficients,
    step: &Exponential,
    x: Value,
    outputs: &[(f64, Value)],
) -> Linear {
    match (coefficients, outputs) {
        (Coefficients::Midpoint | Coefficients::Published, [(_, m0), (theta, m1)]) => {
            let slope = (*m0 - *m1) / -theta;
            step.keep * x + step.moment(0) * (*m0 + 0.5 * slope)
        }
        (
            Coefficients::Published | Coefficients::PublishedTaylor,
            [_, (theta1, _), (theta2, _)],
        ) => {
            let [m0, m1, m2] = [0, 1, 2].map(|k: usize| outputs[k].1);
            let second = ((m0 - m1) / -theta1 - (m1 - m2) / (theta1 - theta2)) / -theta2;
            // Deviation: the published programs use half of the second difference in place of
            // m''h²/2, which costs an order. Half of what the exact step holds is taken back.
            step.through(x, outputs) - 0.5 * step.moment(2) * second
        }
        _ => step.through(x, outputs),
    }
}

/// The step to a noiseless end, where h is infinite: all noise is removed.
pub(crate) fn to_clean(
    form: Form,
    from: &NoiseLevel,
    to: &NoiseLevel,
    x: Value,
    m: Value,
) -> Linear {
    match form {
        Form::Data => to.alpha * m,
        Form::Noise => (to.alpha / from.alpha) * (x - from.sigma * m),
    }
}

impl Solver for DpmMultistep {
    /// # Errors
    /// [`PlanError::Option`] unless the order is 1, 2 or 3; [`PlanError::TooFewSteps`] for fewer
    /// steps than the order.
    fn plan(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        self.write(grid, 0.0, 1.0)
    }
}
