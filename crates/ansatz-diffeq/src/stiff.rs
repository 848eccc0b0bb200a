//! Stiff equations and equations with constraints: M·dx/dt = f(t, x) by the implicit methods of the
//! `diffsol` crate (feature `diffsol`).
//!
//! An equation is stiff when stability, not accuracy, holds an explicit method to small steps: rates of
//! very different size (chemistry, circuits), diffusion on a fine grid. Then an implicit step, which
//! solves (M − γhJ)δ = r with the Jacobian J = ∂f/∂x by Newton's method, costs much more but goes much
//! farther. Which to take:
//!
//! | sign | take |
//! |---|---|
//! | no wide range of rates, or a loose tolerance is met by few steps | [`solve`](crate::solve) |
//! | steps stay small where the solution is smooth; [`OnStiff`](crate::OnStiff) reports it | [`Method::Bdf`] |
//! | the same with jumps, oscillation or short intervals, where a one-step method restarts for free | [`Method::TrBdf2`] to 1e-4, [`Method::Esdirk34`] below |
//! | algebraic constraints (zero rows in M), index 1 | [`Equation::mass`] with any of them |
//! | stiff in a known linear part, diagonal in some basis | [`Etdrk4`](crate::Etdrk4) |
//!
//! The Jacobian comes as products J·v ([`JvpField`]); [`Differences`] makes them from a field without.
//! A dense Jacobian takes n products and its factors n³/3 multiplications, each now and then and not
//! every step; [`Linear::Sparse`] finds the pattern of J once and takes a product for each colour of it.
//!
//! Steps are controlled by diffsol: its counts do not compare with those of the explicit methods, and
//! neither does its error norm, which takes the size of the state at the start of a step only.
//! Memory is allocated by diffsol as it goes.
//!
//! References: E. Hairer, G. Wanner, *Solving ordinary differential equations II*, 2nd edition, 1996, sections
//! IV.8, V.1 and VI.1; L. Shampine, M. Reichelt, *The MATLAB ODE suite*, 1997, section 2 (BDF);
//! M. Hosea, L. Shampine, *Analysis and implementation of TR-BDF2*, 1996; the `diffsol` crate by
//! M. Robinson is the program.

mod bridge;
mod differences;

use ansatz_core::{JvpField, LinearMap, Observer, Report, Tolerance};

use crate::StepError;

pub use differences::Differences;

/// An implicit method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Method {
    /// Backward differentiation formulas of order 1 to 5, of variable step and order: the least work
    /// for long smooth solutions.
    #[default]
    Bdf,
    /// Trapezoidal rule and BDF2 in one step: order 2, L-stable.
    TrBdf2,
    /// A singly diagonally implicit Runge-Kutta method of four stages: order 3, L-stable.
    Esdirk34,
}

/// How the linear equations of Newton's method are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Linear {
    /// LU factors of a full matrix: up to a few hundred unknowns.
    #[default]
    Dense,
    /// Sparse LU factors. The pattern is found at the start by sending NaN through the products, so
    /// they must not branch on their arguments.
    Sparse,
}

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The method.
    pub method: Method,
    /// Local error that a step may make.
    pub tolerance: Tolerance,
    /// Linear algebra.
    pub linear: Linear,
    /// Size of the first step; `None` estimates it.
    pub first: Option<f64>,
    /// Most steps, rejected ones included.
    pub max_steps: usize,
}

impl Default for Options {
    /// BDF with dense matrices, tolerances 1e-6 and up to 100 000 steps.
    fn default() -> Self {
        Self {
            method: Method::default(),
            tolerance: Tolerance::new(1e-6, 1e-6),
            linear: Linear::default(),
            first: None,
            max_steps: 100_000,
        }
    }
}

impl Options {
    /// The default method with other tolerances.
    #[must_use]
    pub fn tolerance(atol: f64, rtol: f64) -> Self {
        Self {
            tolerance: Tolerance::new(atol, rtol),
            ..Self::default()
        }
    }

    fn validate(&self) -> Result<(), StepError> {
        let Tolerance { atol, rtol } = self.tolerance;
        let checks = [
            (
                "atol",
                atol,
                atol.is_finite() && atol > 0.0,
                "finite and positive: components may pass through 0",
            ),
            (
                "rtol",
                rtol,
                rtol.is_finite() && rtol >= 0.0,
                "finite and not negative",
            ),
            (
                "first",
                self.first.unwrap_or(1.0),
                self.first.is_none_or(|h| h.is_finite() && h > 0.0),
                "finite and positive",
            ),
        ];
        for (name, value, good, allowed) in checks {
            if !good {
                return Err(StepError::Option {
                    name,
                    value,
                    allowed,
                });
            }
        }
        Ok(())
    }
}

/// M·dx/dt = f(t, x). A reference to a [`JvpField`] is one, without a mass matrix.
#[derive(Clone, Copy)]
pub struct Equation<'a> {
    /// f, with its Jacobian products.
    pub field: &'a dyn JvpField<Vec<f64>>,
    /// M, constant; `None` is the identity. Zero rows make their equations constraints 0 = f; those
    /// unknowns are then corrected at the start, so that the constraints hold.
    pub mass: Option<&'a dyn LinearMap<Vec<f64>>>,
}

impl<'a, F: JvpField<Vec<f64>>> From<&'a F> for Equation<'a> {
    fn from(field: &'a F) -> Self {
        Self { field, mass: None }
    }
}

/// Replaces `x`, the state at `times.0`, by the state at `times.1`; time may run backwards.
///
/// The observer sees every accepted step; if it breaks, `x` is the state then. The report counts
/// evaluations of f together with Jacobian products. Equal times evaluate nothing.
///
/// # Errors
/// [`StepError`]; `x` is then unchanged. [`StepError::Newton`] and [`StepError::Inconsistent`] are those
/// that explicit methods do not know.
///
/// ```
/// use ansatz_diffeq::stiff::{self, Differences, Options};
/// // A fast decay towards a slow curve: explicit steps would have to stay below 0.003.
/// let field = |t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
///     dx[0] = -1000.0 * (x[0] - t.cos()) - t.sin();
///     Ok(())
/// };
/// let mut x = vec![2.0];
/// let report = stiff::solve(&Differences(field), (0.0, 10.0), &mut x, &Options::default(), &mut ())?;
/// assert!((x[0] - 10.0_f64.cos()).abs() < 1e-4 && report.steps < 300);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub fn solve<'a>(
    equation: impl Into<Equation<'a>>,
    times: (f64, f64),
    x: &mut Vec<f64>,
    options: &Options,
    observer: &mut dyn Observer<Vec<f64>>,
) -> Result<Report, StepError> {
    let mut end = vec![0.0; x.len()];
    let mut output = |_, state: &[f64]| end.copy_from_slice(state);
    let times = [times.0, times.1];
    let report = run(equation.into(), &times, x, options, observer, &mut output)?;
    *x = end;
    Ok(report)
}

/// Writes the states at `times` into `out`, from the state `x` at the first of them. Steps are not
/// shortened for the outputs.
///
/// # Errors
/// As [`solve`], and [`StepError::Count`] when `out` and `times` or states differ in length,
/// [`StepError::Times`] when the times are not in order. `out` may then hold part of the solution.
pub fn solve_at<'a>(
    equation: impl Into<Equation<'a>>,
    times: &[f64],
    x: &[f64],
    options: &Options,
    out: &mut [Vec<f64>],
) -> Result<Report, StepError> {
    let count = |what, expected, got| {
        if expected == got {
            Ok(())
        } else {
            Err(StepError::Count {
                what,
                expected,
                got,
            })
        }
    };
    count("output states", times.len(), out.len())?;
    for state in &*out {
        count("elements of an output state", x.len(), state.len())?;
    }
    let mut output = |i: usize, state: &[f64]| out[i].copy_from_slice(state);
    run(equation.into(), times, x, options, &mut (), &mut output)
}

/// Checks what does not concern diffsol, and leaves the rest to the bridge. `output` is shown the state at
/// each time, the first included.
fn run(
    equation: Equation<'_>,
    times: &[f64],
    x: &[f64],
    options: &Options,
    observer: &mut dyn Observer<Vec<f64>>,
    output: &mut dyn FnMut(usize, &[f64]),
) -> Result<Report, StepError> {
    options.validate()?;
    let (start, end) = crate::integrate::interval(times)?;
    if !x.iter().all(|v| v.is_finite()) {
        return Err(StepError::NonFinite {
            what: "the initial state",
            t: start,
        });
    }
    if crate::integrate::same(start, end) || x.is_empty() {
        for i in 0..times.len() {
            output(i, x);
        }
        return Ok(Report::default());
    }
    bridge::run(equation, times, x, options, observer, output)
}
