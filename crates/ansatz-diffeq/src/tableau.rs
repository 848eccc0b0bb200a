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
//! | [`RALSTON2`] | 2 | 2 | no | comparison |
//! | [`HEUN2`] | 2 | 2 | order 1 | rough right-hand sides |
//! | [`KUTTA3`], [`HEUN3`], [`RALSTON3`], [`HOUWEN3`], [`SSP3`] | 3 | 3 | no | fixed steps, comparison |
//! | [`BOGACKI_SHAMPINE`] | 3 | 4, reused | order 2 | tolerances above 1e-4 |
//! | [`RK4`] | 4 | 4 | no | fixed steps |
//! | [`DORMAND_PRINCE`] | 5 | 7, reused | order 4 | comparison with other programs |
//! | [`TSITOURAS`] | 5 | 7, reused | order 4 | the default |
//! | [`DOP853`] | 8 | 13, reused | orders 5 and 3 | tolerances below 1e-7 |
//! | [`PRINCE_DORMAND`] | 8 | 14, reused | order 7 | comparison with other programs |
//!
//! References: E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd
//! edition, 1993, sections II.1 to II.5; the sources of the tables are given with them.

mod eighth;
mod high;
mod low;
mod third;

pub use eighth::{DOP853, PRINCE_DORMAND};
pub use high::{DORMAND_PRINCE, TSITOURAS};
pub use low::{BOGACKI_SHAMPINE, EULER, HEUN2, MIDPOINT, RALSTON2, RK4};
pub use third::{HEUN3, HOUWEN3, KUTTA3, RALSTON3, SSP3};

use crate::StepError;

/// Most stages of a method that the engine takes.
pub const MAX_STAGES: usize = 16;

/// All tables, for tests and comparisons.
pub const ALL: [&Tableau; 15] = [
    &EULER,
    &MIDPOINT,
    &RALSTON2,
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
    &DOP853,
    &PRINCE_DORMAND,
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
    /// Weights of a second estimate, of lower order, for the combined norm of DOP853; else empty.
    pub second_error: &'static [f64],
    /// Nodes and rows of stages that only dense output needs; they may use every stage and the
    /// extra ones before.
    pub extra: &'static [(f64, &'static [f64])],
    /// Dense output beyond the cubic Hermite polynomial: rows of weights over stages and extra stages,
    /// of the polynomials θ²(1−θ)², θ³(1−θ)², θ³(1−θ)³, θ⁴(1−θ)³. Empty: the cubic.
    pub dense: &'static [&'static [f64]],
}

/// A table to complete by `..EXPLICIT`: without estimates and dense rows.
pub const EXPLICIT: Tableau = Tableau {
    name: "",
    order: 0,
    nodes: &[],
    coefficients: &[],
    weights: &[],
    error: &[],
    second_error: &[],
    extra: &[],
    dense: &[],
};

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

    /// The two last stages that lie at the end of the step: their difference shows the largest
    /// eigenvalue (Hairer, Wanner, *Solving ordinary differential equations II*, section IV.2).
    pub(crate) fn twin_stages(&self) -> Option<(usize, usize)> {
        let s = self.stages();
        (s >= 2 && self.reuses_last() && self.nodes[s - 2] >= 1.0).then(|| (s - 2, s - 1))
    }

    /// Order of the dense output: 3 for the cubic Hermite polynomial.
    #[must_use]
    pub fn dense_order(&self) -> u32 {
        match self.dense.len() as u32 {
            0 => self.order.min(3),
            // φ₃ has degree 4, and each row adds one.
            rows => 3 + rows,
        }
    }

    /// Weights c of the slopes in y(t + θh) = y + h (Σ cᵢ kᵢ + c' f(t + h, y₁)): stages and extra
    /// stages into `weights`, and c' as the result.
    ///
    /// The polynomials are 1 to 7 of θ, θ(1−θ), θ²(1−θ), θ²(1−θ)², θ³(1−θ)², θ³(1−θ)³, θ⁴(1−θ)³; the
    /// first three with y, y₁ and the slopes at both ends give the cubic Hermite polynomial, the
    /// others vanish with their slopes at both ends.
    pub(crate) fn dense_weights(&self, theta: f64, weights: &mut [f64; MAX_STAGES]) -> f64 {
        let rest = 1.0 - theta;
        let line = theta * rest;
        let mut phi = theta * line;
        let (first, second) = (line, phi);
        for (w, b) in weights.iter_mut().zip(self.weights) {
            *w = b * (theta - first + 2.0 * second);
        }
        weights[0] += first - second;
        for (j, row) in self.dense.iter().enumerate() {
            phi *= if j % 2 == 0 { rest } else { theta };
            for (w, d) in weights.iter_mut().zip(*row) {
                *w += d * phi;
            }
        }
        -second
    }

    /// Length of the interval of stability on the negative real axis: the first x > 0 where the
    /// method's answer to y' = −x y, y(0) = 1, h = 1 exceeds 1 in modulus, to 1e-6.
    #[must_use]
    pub fn real_stability(&self) -> f64 {
        let answer = |x: f64| {
            let mut k = [0.0; MAX_STAGES];
            for (i, row) in self.coefficients.iter().enumerate() {
                let y: f64 = 1.0 + row.iter().zip(&k).map(|(a, k)| a * k).sum::<f64>();
                k[i] = -x * y;
            }
            let change: f64 = self.weights.iter().zip(&k).map(|(b, k)| b * k).sum();
            (1.0 + change).abs()
        };
        // Scan, then halve the interval in which the modulus passes 1.
        let step = 0.01;
        let mut x = step;
        while answer(x) <= 1.0 && x < 100.0 {
            x += step;
        }
        let (mut low, mut high) = (x - step, x);
        while high - low > 1e-7 {
            let middle = 0.5 * (low + high);
            if answer(middle) <= 1.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
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
        if !self.second_error.is_empty() {
            let got = self.second_error.len() as f64;
            demand("number of second error weights", 0, got, s as f64)?;
            let got = self.second_error.iter().sum();
            demand("sum of second error weights", s - 1, got, 0.0)?;
        }
        let all = s + self.extra.len();
        if all > MAX_STAGES || (!self.extra.is_empty() && !self.reuses_last()) {
            return Err(StepError::Option {
                name: "tableau.extra.len()",
                value: self.extra.len() as f64,
                allowed: "up to 16 stages in all, behind a reused last stage",
            });
        }
        for (i, (node, row)) in self.extra.iter().enumerate() {
            let got = row.len() as f64;
            demand("number of extra coefficients", i, got, (s + i) as f64)?;
            demand("sum of extra coefficients", i, row.iter().sum(), *node)?;
        }
        for (i, row) in self.dense.iter().enumerate() {
            demand("number of dense weights", i, row.len() as f64, all as f64)?;
            demand("sum of dense weights", i, row.iter().sum(), 0.0)?;
        }
        Ok(())
    }
}
