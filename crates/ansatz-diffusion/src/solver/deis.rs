//! DEIS: Adams-Bashforth for diffusion, by polynomial extrapolation of the noise.
//!
//! The probability flow is d(x/α)/dρ = ε with ρ = σ/α. A step takes the exact integral of the
//! polynomial through the last r + 1 outputs,
//! `x_{i+1} = (α_{i+1}/α_i)x_i + Σⱼ C_ij ε_{i−j}`, `C_ij = α_{i+1}∫ Lⱼ dρ`,
//! and the variants differ in the variable in which ε is taken for a polynomial: time t (tAB), ρ
//! (ρAB, which is the linear multistep sampler of EDM programs) or λ (λAB). The integrals are exact:
//! of powers in ρ, by φ-functions in λ, and by 64 points of Gauss and Legendre in λ for t.
//!
//! Cost: one evaluation a step, r + 2 states. Order r + 1; the first steps have fewer outputs and
//! lower order.
//!
//! Use tAB of degree 3 on [`Spacing::QUADRATIC`](crate::Spacing::QUADRATIC) for smooth models and 8
//! to 20 evaluations. Under strong guidance [`DpmMultistep`](crate::DpmMultistep) in data form is
//! more stable.
//!
//! Reference: Q. Zhang, Y. Chen, *Fast sampling of diffusion models with exponential integrator*,
//! 2023, eqs. 14 to 16 and appendix B. Programs that offer "DEIS of order k" often mean λAB of degree
//! k − 1.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use super::exponential::{Exponential, gauss_legendre, lagrange};
use super::invertible::check_steps;
use super::{Form, LowerOrder, Solver};
use crate::{Plan, PlanError, TimeGrid};

/// Points of the quadrature in λ: leaves 1e-13 on steps as long as Δλ = 10.
const POINTS: u32 = 64;

/// The variable in which the noise is extrapolated as a polynomial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variable {
    /// Time t (tAB).
    #[default]
    Time,
    /// ρ = σ/α (ρAB).
    Ratio,
    /// λ = ln(α/σ) (λAB).
    LogSnr,
}

/// DEIS with Adams-Bashforth steps.
///
/// ```
/// use ansatz_diffusion::{Deis, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 10)?;
/// let plan = Deis::default().plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.slots()), (10, 5));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deis {
    /// Where ε is a polynomial.
    pub variable: Variable,
    /// Degree r of the polynomial, 0 to 3 (the paper's order); the order of convergence is r + 1.
    pub degree: usize,
    /// What happens in the last steps.
    pub lower_order: LowerOrder,
}

impl Default for Deis {
    /// tAB3, the default of the paper's program.
    fn default() -> Self {
        Self {
            variable: Variable::Time,
            degree: 3,
            lower_order: LowerOrder::Never,
        }
    }
}

/// Coefficients of one step: `x ← keep·x + Σ weights[j]·ε_j`, newest output first.
#[derive(Debug, Clone, PartialEq)]
pub struct StepCoefficients {
    /// Ψ, the factor of the state.
    pub keep: f64,
    /// C, the factors of the outputs.
    pub weights: Vec<f64>,
}

impl Variable {
    fn of(self, at: &NoiseLevel) -> f64 {
        match self {
            Self::Time => at.t,
            Self::Ratio => at.rho(),
            Self::LogSnr => at.lambda(),
        }
    }

    /// Integrals of θᵏ·α_t dρ, k < `count`, where θ is 0 at `from` and 1 at `to`.
    fn moments(
        self,
        schedule: &dyn NoiseSchedule,
        from: &NoiseLevel,
        to: &NoiseLevel,
        count: usize,
    ) -> Vec<f64> {
        let step = Exponential::new(Form::Noise, from, to);
        match self {
            Self::Ratio => {
                let whole = to.sigma - to.alpha * from.rho();
                (1..=count).map(|k| whole / k as f64).collect()
            }
            Self::LogSnr => (0..count as u32).map(|k| step.moment(k)).collect(),
            Self::Time => {
                let mut moments = vec![0.0; count];
                for (u, weight) in gauss_legendre(POINTS) {
                    let t = schedule.t_of_lambda(from.lambda() + u * step.h);
                    let theta = (t - from.t) / (to.t - from.t);
                    let mut term = -to.sigma * weight * step.h * (step.h * (1.0 - u)).exp();
                    for moment in &mut moments {
                        *moment += term;
                        term *= theta;
                    }
                }
                // The first is known without quadrature.
                if let Some(first) = moments.first_mut() {
                    *first = step.moment(0);
                }
                moments
            }
        }
    }
}

impl Deis {
    /// The coefficients of every step.
    ///
    /// # Errors
    /// [`PlanError::Option`] for a degree above 3, [`PlanError::TooFewSteps`] for fewer steps than
    /// outputs in the polynomial.
    pub fn coefficients(
        &self,
        schedule: &dyn NoiseSchedule,
        grid: &TimeGrid,
    ) -> Result<Vec<StepCoefficients>, PlanError> {
        if self.degree > 3 {
            return Err(PlanError::Option {
                name: "degree",
                value: self.degree as f64,
                allowed: "0 to 3",
            });
        }
        check_steps("DEIS", self.degree + 1, grid)?;
        let levels = grid.levels();
        let coefficients = |(i, (from, to)): (usize, (&NoiseLevel, &NoiseLevel))| {
            let order = (self.degree + 1).min(i + 1);
            let mut order = self.lower_order.limit(order, i, grid.steps());
            if to.sigma == 0.0 && self.variable != Variable::Ratio {
                // λ is infinite there; only powers of ρ can be integrated to the end.
                order = 1;
            }
            let keep = to.alpha / from.alpha;
            let weights = if order == 1 {
                vec![to.sigma - keep * from.sigma]
            } else {
                let (start, end) = (self.variable.of(from), self.variable.of(to));
                let nodes: Vec<f64> = (0..order)
                    .map(|j| (self.variable.of(&levels[i - j]) - start) / (end - start))
                    .collect();
                let moments = self.variable.moments(schedule, from, to, order);
                lagrange(&nodes, &moments)
            };
            StepCoefficients { keep, weights }
        };
        Ok(grid.pairs().enumerate().map(coefficients).collect())
    }
}

impl Solver for Deis {
    /// # Errors
    /// As [`Deis::coefficients`].
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        let steps = self.coefficients(schedule, grid)?;
        let mut p = Plan::builder();
        let mut x = p.input();
        let mut outputs = Vec::new();
        for ((from, to), step) in grid.pairs().zip(steps) {
            outputs.insert(0, p.eval(x, from, Prediction::Noise));
            outputs.truncate(self.degree + 1);
            let mut next = step.keep * x;
            for (weight, output) in step.weights.iter().zip(&outputs) {
                next = next + *weight * *output;
            }
            x = p.combine(next);
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
