//! AdjointDPM: gradients by the continuous adjoint of the probability flow.
//!
//! In y = x/α and ρ = σ/α the flow is dy/dρ = ε(αy, ρ), and the gradient λ = ∂L/∂y obeys
//! dλ/dρ = −α(∂ε/∂x)ᵀλ, that of the parameters dg/dρ = −(∂ε/∂p)ᵀλ. Both are integrated backwards by a
//! Runge-Kutta method, together with y itself, which nobody stored.
//!
//! Cost: as many evaluations and products backwards as evaluations forwards; memory does not depend
//! on the number of steps. The gradient is that of the exact flow, not of the numbers computed: with
//! Euler steps it is far off (relative error 0.6 at 40 steps where the sample's is 0.04), and y
//! drifts on its way back.
//!
//! Use [`Plan::gradient`] instead, unless memory forbids it and [`Checkpoints::Invert`] does not
//! apply; and then take [`tableau::RK4`].
//!
//! Reference: J. Pan, J. H. Liew, V. Y. F. Tan, J. Feng, H. Yan, *AdjointDPM: adjoint sensitivity
//! method for gradient backpropagation of diffusion probabilistic models*, 2024, eqs. 8 to 12.
//!
//! [`Checkpoints::Invert`]: super::Checkpoints::Invert

use ansatz_core::{NoiseSchedule, Prediction};
use ansatz_diffeq::{Tableau, tableau};

use super::{GradientPlan, Linear, Plan, PlanBuilder, Value};
use crate::solver::{between, stages};
use crate::{PlanError, RhoRungeKutta, Solver, TimeGrid};

/// The continuous adjoint, with the same Runge-Kutta method both ways.
///
/// ```
/// use ansatz_core::Prediction;
/// use ansatz_diffusion::{AdjointDpm, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let slots = |steps| -> Result<usize, ansatz_diffusion::PlanError> {
///     let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps)?;
///     Ok(AdjointDpm::default().gradient(&schedule, &grid, Prediction::Noise)?.slots())
/// };
/// assert_eq!(slots(10)?, slots(1000)?);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdjointDpm {
    /// The method.
    pub tableau: Tableau,
}

impl Default for AdjointDpm {
    /// The classical method of order 4.
    fn default() -> Self {
        Self {
            tableau: tableau::RK4,
        }
    }
}

impl AdjointDpm {
    /// The plan that samples and integrates the adjoint back, for a model of kind `native`.
    ///
    /// # Errors
    /// Those of [`RhoRungeKutta`]; [`PlanError::Conversion`], see [`Plan::for_model`];
    /// [`PlanError::Option`] for a grid with a noiseless end, where ε and its derivative do not exist.
    pub fn gradient(
        &self,
        schedule: &dyn NoiseSchedule,
        grid: &TimeGrid,
        native: Prediction,
    ) -> Result<GradientPlan, PlanError> {
        if grid.end().sigma == 0.0 {
            return Err(PlanError::Option {
                name: "sigma of the grid's end",
                value: 0.0,
                allowed: "above 0",
            });
        }
        let solver = RhoRungeKutta {
            tableau: self.tableau,
        };
        let forward = solver.plan(schedule, grid)?.for_model(native)?;
        let mut p = Plan::builder();
        let start = p.input();
        let outputs = p.append(&forward, &[start])?;
        let w = p.cotangent(0, outputs[0]);
        // From here on in y and λ.
        let end = grid.end();
        let mut y = p.combine(outputs[0] / end.alpha);
        let mut lambda = p.combine(end.alpha * w);
        for levels in grid.levels().windows(2).rev() {
            let (to, from) = (&levels[0], &levels[1]);
            let dr = to.rho() - from.rho();
            let (mut slopes, mut products) = (Vec::new(), Vec::new());
            for (c, row, b) in stages(&self.tableau) {
                let at = between(schedule, from, to, c);
                let x = at_stage(&mut p, at.alpha, y, dr, row, &slopes);
                let l = at_stage(&mut p, 1.0, lambda, dr, row, &products);
                let (c_x, c_y) =
                    at.convert(native, Prediction::Noise)
                        .map_err(|_| PlanError::Conversion {
                            from: native,
                            want: Prediction::Noise,
                            t: at.t,
                        })?;
                let output = p.eval(x, &at, native);
                let product = p.vjp(x, &at, native, l, -dr * b * c_y);
                slopes.push(c_x * x + c_y * output);
                products.push(-at.alpha * (c_x * l + c_y * product));
            }
            y = at_stage(&mut p, 1.0, y, dr, self.tableau.weights, &slopes);
            lambda = at_stage(&mut p, 1.0, lambda, dr, self.tableau.weights, &products);
        }
        let result = p.combine(lambda / grid.start().alpha);
        Ok(GradientPlan::new(
            p.finish(&[outputs[0], result])?,
            native,
            1,
        ))
    }
}

/// `scale·(base + Δρ·Σ w·slope)`.
fn at_stage(
    p: &mut PlanBuilder,
    scale: f64,
    base: Value,
    dr: f64,
    weights: &[f64],
    slopes: &[Linear],
) -> Value {
    let mut sum = scale * base;
    for (w, s) in weights.iter().zip(slopes) {
        sum = sum + scale * dr * *w * s.clone();
    }
    p.combine(sum)
}
