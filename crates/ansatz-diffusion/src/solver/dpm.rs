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
//! Cost: one evaluation a step, `order + 1` states.
//!
//! Use `++` with order 2 as the default sampler; order 3 for smooth models and 15 steps or more.
//!
//! References: C. Lu et al., *DPM-Solver*, 2022, and *DPM-Solver++*, 2022, algorithm 2 and
//! appendix.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use super::Solver;
use super::phi::{phi, psi1, psi2, psi3};
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
        let left = steps - i;
        let lower = match self.lower_order {
            LowerOrder::Auto => steps < 10,
            LowerOrder::Final => true,
            LowerOrder::Never => false,
        };
        let mut order = self.order.min(i + 1);
        if lower {
            order = order.min(left);
        }
        if to.sigma == 0.0 { 1 } else { order }
    }

    /// `x_t` from the newest outputs `m[0], m[1], …` at half log-SNRs `lambda[0], lambda[1], …`.
    fn step(
        &self,
        order: usize,
        from: &NoiseLevel,
        to: &NoiseLevel,
        x: Value,
        m: &[Value],
        lambda: &[f64],
    ) -> Linear {
        let h = to.lambda() - from.lambda();
        // (coefficient of x, scale, and the three weights in the sign of the noise form)
        let (keep, scale, [w1, w2, w3], sign) = match self.form {
            Form::Data => (
                to.sigma / from.sigma,
                to.alpha,
                [psi1(h), psi2(h), psi3(h)],
                -1.0,
            ),
            Form::Noise => (
                to.alpha / from.alpha,
                to.sigma,
                [phi(1, h), phi(2, h), phi(3, h)],
                1.0,
            ),
        };
        let base = keep * x - scale * w1 * m[0];
        if order == 1 {
            return base;
        }
        let r0 = (lambda[0] - lambda[1]) / h;
        let d10 = (m[0] - m[1]) / r0;
        if order == 2 {
            return match self.coefficients {
                Coefficients::Taylor => base - sign * scale * w2 * d10,
                _ => base - 0.5 * scale * w1 * d10,
            };
        }
        let r1 = (lambda[1] - lambda[2]) / h;
        let d11 = (m[1] - m[2]) / r1;
        let second = (d10.clone() - d11) / (r0 + r1);
        let d1 = d10 + r0 * second.clone();
        // Deviation: the published programs use half of the second difference, which costs an order.
        let d2 = match self.coefficients {
            Coefficients::Published => second,
            _ => 2.0 * second,
        };
        base - sign * scale * w2 * d1 - scale * w3 * d2
    }
}

impl Solver for DpmMultistep {
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
        if grid.steps() < self.order {
            return Err(PlanError::TooFewSteps {
                method: "multistep DPM-Solver",
                needed: self.order,
                got: grid.steps(),
            });
        }
        let want = match self.form {
            Form::Data => Prediction::Data,
            Form::Noise => Prediction::Noise,
        };
        let mut p = Plan::builder();
        let mut x = p.input();
        let (mut outputs, mut lambdas) = (Vec::new(), Vec::new());
        for (i, (from, to)) in grid.pairs().enumerate() {
            outputs.insert(0, p.eval(x, from, want));
            lambdas.insert(0, from.lambda());
            outputs.truncate(3);
            lambdas.truncate(3);
            let order = self.order_of(i, grid.steps(), to);
            let next = if to.sigma == 0.0 && self.form == Form::Data {
                // h is infinite: the whole noise is removed, and the estimate is what remains.
                to.alpha * outputs[0]
            } else if to.sigma == 0.0 {
                (to.alpha / from.alpha) * (x - from.sigma * outputs[0])
            } else {
                self.step(order, from, to, x, &outputs, &lambdas)
            };
            x = p.combine(next);
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
