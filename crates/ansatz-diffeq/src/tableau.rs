//! Explicit Runge-Kutta methods as tables; one engine runs them all.
//!
//! A method with s stages computes `kᵢ = f(t + cᵢh, y + h Σ_{j<i} aᵢⱼ kⱼ)` and
//! `y ← y + h Σ bᵢ kᵢ`; an embedded pair also gives the error estimate `e = h Σ dᵢ kᵢ`, where
//! d = b − b̂ is stored directly because the difference of two solutions would cancel.
//!
//! Cost: s evaluations and s + 2 states, or s − 1 evaluations when the last stage of a step is the
//! first of the next ([`Tableau::reuses_last`]).
//!
//! | table | order | stages | embedded | use it for |
//! |---|---|---|---|---|
//! | [`EULER`] | 1 | 1 | no | comparison |
//! | [`MIDPOINT`] | 2 | 2 | no | comparison |
//! | [`HEUN2`] | 2 | 2 | order 1 | rough right-hand sides |
//! | [`KUTTA3`], [`HEUN3`], [`RALSTON3`], [`HOUWEN3`], [`SSP3`] | 3 | 3 | no | fixed steps, comparison |
//! | [`BOGACKI_SHAMPINE`] | 3 | 4, reused | order 2 | tolerances above 1e-4 |
//! | [`RK4`] | 4 | 4 | no | fixed steps |
//! | [`DORMAND_PRINCE`] | 5 | 7, reused | order 4 | comparison with other programs |
//! | [`TSITOURAS`] | 5 | 7, reused | order 4 | the default |
//!
//! References: E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd
//! edition, 1993, sections II.1 to II.5; the sources of the tables are given with them.

mod high;
mod low;
mod third;

pub use high::{DORMAND_PRINCE, TSITOURAS};
pub use low::{BOGACKI_SHAMPINE, EULER, HEUN2, MIDPOINT, RK4};
pub use third::{HEUN3, HOUWEN3, KUTTA3, RALSTON3, SSP3};

use crate::StepError;

/// Most stages of a method that the engine takes.
pub const MAX_STAGES: usize = 16;

/// All tables, for tests and comparisons.
pub const ALL: [&Tableau; 12] = [
    &EULER,
    &MIDPOINT,
    &HEUN2,
    &KUTTA3,
    &HEUN3,
    &RALSTON3,
    &HOUWEN3,
    &SSP3,
    &BOGACKI_SHAMPINE,
    &RK4,
    &DORMAND_PRINCE,
    &TSITOURAS,
];

/// Coefficients of an explicit Runge-Kutta method.
///
/// ```
/// use ansatz_diffeq::tableau::{ALL, TSITOURAS};
/// assert_eq!((TSITOURAS.order, TSITOURAS.stages()), (5, 7));
/// assert!(ALL.iter().all(|t| t.validate().is_ok()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tableau {
    /// Name for messages.
    pub name: &'static str,
    /// Order of the solution that is carried on.
    pub order: u32,
    /// c: where in the step the stages lie.
    pub nodes: &'static [f64],
    /// Rows of a: row `i` has the `i` coefficients of the earlier stages.
    pub coefficients: &'static [&'static [f64]],
    /// b.
    pub weights: &'static [f64],
    /// b − b̂; empty for a method without an error estimate.
    pub error: &'static [f64],
}

impl Tableau {
    /// Number of stages s.
    #[must_use]
    pub fn stages(&self) -> usize {
        self.weights.len()
    }

    /// `true` when the last stage of a step is evaluated at its result, so that it is the first
    /// stage of the next step ("first same as last").
    #[must_use]
    pub fn reuses_last(&self) -> bool {
        let Some((last, head)) = self.weights.split_last() else {
            return false;
        };
        let row = self.coefficients.last().copied().unwrap_or_default();
        !head.is_empty() && *last == 0.0 && row == head && self.nodes.last() == Some(&1.0)
    }

    /// Whether the rows fit together: lengths, `Σⱼ aᵢⱼ = cᵢ`, `Σ b = 1`, `Σ d = 0`.
    ///
    /// # Errors
    /// [`StepError::Tableau`] with the first entry that does not.
    pub fn validate(&self) -> Result<(), StepError> {
        let s = self.stages();
        let demand = |what, stage, got: f64, expected: f64| {
            // Sums of up to 16 terms of moderate size, each rounded.
            if (got - expected).abs() <= 1e-13 {
                Ok(())
            } else {
                Err(StepError::Tableau {
                    name: self.name,
                    what,
                    stage,
                    got,
                    expected,
                })
            }
        };
        if s == 0 || s > MAX_STAGES {
            return Err(StepError::Option {
                name: "tableau.stages()",
                value: s as f64,
                allowed: "1 to 16",
            });
        }
        demand("number of nodes", 0, self.nodes.len() as f64, s as f64)?;
        demand(
            "number of rows",
            0,
            self.coefficients.len() as f64,
            s as f64,
        )?;
        for (i, (row, c)) in self.coefficients.iter().zip(self.nodes).enumerate() {
            demand("number of coefficients", i, row.len() as f64, i as f64)?;
            demand("sum of coefficients", i, row.iter().sum(), *c)?;
        }
        demand("sum of weights", s - 1, self.weights.iter().sum(), 1.0)?;
        if !self.error.is_empty() {
            if s < 2 {
                return Err(StepError::Option {
                    name: "tableau.error.len()",
                    value: 1.0,
                    allowed: "0 for a method of one stage: it cannot estimate its error",
                });
            }
            let got = self.error.len() as f64;
            demand("number of error weights", 0, got, s as f64)?;
            demand("sum of error weights", s - 1, self.error.iter().sum(), 0.0)?;
        }
        Ok(())
    }
}
