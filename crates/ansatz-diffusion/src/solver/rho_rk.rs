//! Runge-Kutta methods in the noise-to-signal ratio (ρRK of DEIS).
//!
//! With v = x/α and ρ = σ/α the probability flow is dv/dρ = ε(αv, t(ρ)): no stiff linear part is
//! left, and any explicit Runge-Kutta method applies. The methods are tables, one engine runs them.
//! A step to a noiseless end is Euler's, since ε does not exist there.
//!
//! Cost: as many evaluations a step as the table has stages, at most stages + 2 states. Order of the
//! table.
//!
//! Use order 3 or 4 with many evaluations and a smooth model, as a check of other solvers; with few
//! evaluations multistep methods are better.
//!
//! References: Q. Zhang, Y. Chen, *Fast sampling of diffusion models with exponential integrator*,
//! 2023, section 4 (ρRK); E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations
//! I*, section II.1 (Kutta, Heun); A. Ralston, *Runge-Kutta methods with minimum error bounds*, 1962;
//! C.-W. Shu, S. Osher, *Efficient implementation of essentially non-oscillatory shock-capturing
//! schemes*, 1988 (SSP); P. van der Houwen, *Explicit Runge-Kutta formulas with increased stability
//! boundaries*, 1972.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// An explicit Runge-Kutta method. Row i of `a` has i entries; c is the row sums of `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tableau {
    /// Name, for messages and tables.
    pub name: &'static str,
    /// Order of convergence.
    pub order: usize,
    /// Weights of earlier stages in each stage; the first row is empty.
    pub a: &'static [&'static [f64]],
    /// Weights of the stages in the result.
    pub b: &'static [f64],
}

impl Tableau {
    /// Euler's method.
    pub const EULER: Self = Self {
        name: "Euler",
        order: 1,
        a: &[&[]],
        b: &[1.0],
    };
    /// The midpoint rule.
    pub const MIDPOINT: Self = Self {
        name: "midpoint",
        order: 2,
        a: &[&[], &[0.5]],
        b: &[0.0, 1.0],
    };
    /// Heun's method of order 2.
    pub const HEUN2: Self = Self {
        name: "Heun 2",
        order: 2,
        a: &[&[], &[1.0]],
        b: &[0.5, 0.5],
    };
    /// Kutta's method of order 3.
    pub const KUTTA3: Self = Self {
        name: "Kutta 3",
        order: 3,
        a: &[&[], &[0.5], &[-1.0, 2.0]],
        b: &[1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0],
    };
    /// Heun's method of order 3.
    pub const HEUN3: Self = Self {
        name: "Heun 3",
        order: 3,
        a: &[&[], &[1.0 / 3.0], &[0.0, 2.0 / 3.0]],
        b: &[0.25, 0.0, 0.75],
    };
    /// Ralston's method of order 3.
    pub const RALSTON3: Self = Self {
        name: "Ralston 3",
        order: 3,
        a: &[&[], &[0.5], &[0.0, 0.75]],
        b: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0],
    };
    /// Van der Houwen's method of order 3.
    pub const HOUWEN3: Self = Self {
        name: "van der Houwen 3",
        order: 3,
        a: &[&[], &[8.0 / 15.0], &[0.25, 5.0 / 12.0]],
        b: &[0.25, 0.0, 0.75],
    };
    /// The strong-stability-preserving method of order 3 of Shu and Osher.
    pub const SSP3: Self = Self {
        name: "SSP 3",
        order: 3,
        a: &[&[], &[1.0], &[0.25, 0.25]],
        b: &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0],
    };
    /// The classical method of order 4.
    pub const RK4: Self = Self {
        name: "RK4",
        order: 4,
        a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
        b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    };
    /// All of the above.
    pub const ALL: [Self; 9] = [
        Self::EULER,
        Self::MIDPOINT,
        Self::HEUN2,
        Self::KUTTA3,
        Self::HEUN3,
        Self::RALSTON3,
        Self::HOUWEN3,
        Self::SSP3,
        Self::RK4,
    ];

    fn validate(&self) -> Result<(), PlanError> {
        let bad = |name, value, allowed| {
            Err(PlanError::Option {
                name,
                value,
                allowed,
            })
        };
        if self.a.len() != self.b.len() || self.b.is_empty() {
            return bad(
                "tableau.a.len()",
                self.a.len() as f64,
                "one row for every weight in b, and at least one",
            );
        }
        if let Some((i, row)) = self.a.iter().enumerate().find(|(i, row)| row.len() != *i) {
            return bad(
                "tableau.a[i].len()",
                row.len() as f64 - i as f64,
                "i entries in row i (value is the excess)",
            );
        }
        let sum: f64 = self.b.iter().sum();
        let consistent = (sum - 1.0).abs() < 1e-12;
        if !consistent {
            return bad("sum of tableau.b", sum, "1");
        }
        for row in self.a {
            let c: f64 = row.iter().sum();
            if !(0.0..=1.0 + 1e-12).contains(&c) {
                return bad(
                    "tableau.c",
                    c,
                    "0 to 1: the model is not known outside the step",
                );
            }
        }
        Ok(())
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

/// An explicit Runge-Kutta method in ρ = σ/α.
///
/// ```
/// use ansatz_diffusion::{RhoRungeKutta, Solver, Spacing, Tableau, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
/// let plan = RhoRungeKutta { tableau: Tableau::RK4 }.plan(&schedule, &grid)?;
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
            tableau: Tableau::KUTTA3,
        }
    }
}

impl Solver for RhoRungeKutta {
    /// # Errors
    /// [`PlanError::Option`] for a table that is no explicit method with stages inside the step.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        self.tableau.validate()?;
        let mut p = Plan::builder();
        let mut x = p.input();
        for (from, to) in grid.pairs() {
            let tableau = if to.sigma == 0.0 {
                &Tableau::EULER
            } else {
                &self.tableau
            };
            let dr = to.rho() - from.rho();
            let mut slopes = Vec::with_capacity(tableau.b.len());
            // α(x/α_s + Δρ Σ w ε): a stage, or the result.
            let at_level = |at: &NoiseLevel, weights: &[f64], slopes: &[_]| {
                let mut sum = (at.alpha / from.alpha) * x;
                for (w, e) in weights.iter().zip(slopes) {
                    sum = sum + at.alpha * dr * *w * *e;
                }
                sum
            };
            for row in tableau.a {
                let c: f64 = row.iter().sum();
                let at = between(schedule, from, to, c);
                let stage = p.combine(at_level(&at, row, &slopes));
                slopes.push(p.eval(stage, &at, Prediction::Noise));
            }
            x = p.combine(at_level(to, tableau.b, &slopes));
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
