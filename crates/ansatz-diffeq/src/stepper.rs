//! Methods as steppers: what the one loop of [`integrate`](crate::integrate) runs.
//!
//! A stepper is a method bound to a problem and to its working memory. It proposes the state after
//! a step, estimates the error, and keeps what one step hands to the next (a slope that is used
//! twice, the second state of a reversible method). The loop owns time, step size and state.
//!
//! | stepper | problem | use it for |
//! |---|---|---|
//! | [`RungeKutta`] | any [`VectorField`] | everything that is not stiff |
//! | [`Etdrk4`] | y' = L y + N(t, y), L diagonal | spectral methods, stiff only in L |
//! | [`Symplectic`] | q' = v(p), p' = F(t, q) | mechanics over long times |
//! | [`ReversibleHeun`] | any field, on pairs of states | exact gradients without stored states |
//! | [`Doubling`] | that of another stepper | error estimates where it has none |

mod doubling;
mod exponential;
mod reversible;
mod runge_kutta;
mod symplectic;

pub use doubling::Doubling;
pub use exponential::{Etdrk4, Spectrum};
pub use reversible::ReversibleHeun;
pub use runge_kutta::RungeKutta;
pub use symplectic::{Composition, Symplectic, VERLET, YOSHIDA4, YOSHIDA6};

use ansatz_core::{EvalError, State, Tolerance, VectorField};

use crate::{Adaptive, StepError};

/// A method bound to a problem.
///
/// The loop calls [`attempt`](Stepper::attempt), with an adaptive step size
/// [`error`](Stepper::error), and if the step is good [`accept`](Stepper::accept); in between,
/// [`interpolate`](Stepper::interpolate) gives states inside the step. A rejected step is simply
/// attempted again with another size. A step must be a pure function of (t, h, y) and of what
/// [`restart`](Stepper::restart) would have it work out anew, so that it can be replayed.
pub trait Stepper<S: State> {
    /// The order p in the step-size rule h ← h·q^(−1/p); `None` when there is no error estimate.
    fn error_order(&self) -> Option<f64>;

    /// Computes the state after a step of signed size `h` from (`t`, `y`).
    ///
    /// # Errors
    /// [`StepError::Eval`] when the problem's functions fail.
    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError>;

    /// The state that [`attempt`](Stepper::attempt) computed.
    fn next(&self) -> &S;

    /// Scaled error of the attempted step: below 1 is good; NaN if anything was not finite.
    ///
    /// # Errors
    /// [`StepError::Eval`] when the estimate needs another evaluation and that fails.
    fn error(&mut self, t: f64, h: f64, y: &S, tolerance: Tolerance) -> Result<f64, StepError>;

    /// Makes the attempted step the current state.
    fn accept(&mut self, y: &mut S);

    /// Forgets what was carried from the last step: the problem jumps, or the state was changed.
    fn restart(&mut self);

    /// Evaluations of the problem's functions so far.
    fn nfe(&self) -> usize;

    /// `out ←` the state at `t + theta·h` of the step attempted from (`t`, `y`), 0 ≤ θ ≤ 1. Between
    /// [`attempt`](Stepper::attempt) and [`accept`](Stepper::accept) only.
    ///
    /// Without a formula of its own a method interpolates linearly.
    ///
    /// # Errors
    /// [`StepError::Eval`] when the formula needs more of the problem's functions and they fail.
    fn interpolate(
        &mut self,
        t: f64,
        h: f64,
        theta: f64,
        y: &S,
        out: &mut S,
    ) -> Result<(), StepError> {
        let _ = (t, h);
        out.lincomb(0.0, &[(1.0 - theta, y), (theta, self.next())]);
        Ok(())
    }

    /// How many states describe the inside of a step, see [`dense_row`](Stepper::dense_row).
    fn dense_rows(&self) -> usize {
        1
    }

    /// `out ←` row j of the dense output y + Σⱼ φⱼ(θ)·rowⱼ, with the polynomials θ, θ(1−θ), θ²(1−θ),
    /// θ²(1−θ)², θ³(1−θ)², …, so that a step can be kept and read later. Row 0 is y₁ − y.
    ///
    /// # Errors
    /// As [`interpolate`](Stepper::interpolate).
    fn dense_row(&mut self, t: f64, h: f64, y: &S, j: usize, out: &mut S) -> Result<(), StepError> {
        let _ = (t, h, j);
        out.lincomb(0.0, &[(1.0, self.next()), (-1.0, y)]);
        Ok(())
    }

    /// An estimate of h times the largest |eigenvalue| of the field's Jacobian from the attempted
    /// step, after [`error`](Stepper::error), and the length of the method's real interval of
    /// stability; `None` if the method has no estimate.
    fn stiffness(&mut self) -> Option<Stiffness> {
        None
    }

    /// Size of the first step, positive. Without a rule of its own a method asks the user for it.
    ///
    /// # Errors
    /// [`StepError::Option`] when `settings.first` is needed, [`StepError::Eval`].
    fn first_step(
        &mut self,
        times: (f64, f64),
        y: &S,
        settings: &Adaptive,
    ) -> Result<f64, StepError> {
        let _ = (times, y);
        settings.first.ok_or_else(needs_first)
    }

    /// Why the attempted step has no finite result.
    fn broken(&self, t: f64, h: f64) -> StepError {
        StepError::NonFinite {
            what: "the solution",
            t: t + h,
        }
    }

    /// `true` when no shorter step can mend a result that is not finite.
    fn hopeless(&self) -> bool {
        false
    }
}

/// The answer of a method that cannot choose a first step.
fn needs_first() -> StepError {
    StepError::Option {
        name: "first",
        value: f64::NAN,
        allowed: "the size of the first step: this method has no rule to find one",
    }
}

/// How stiff a step looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stiffness {
    /// h·|λ| with the largest eigenvalue in modulus.
    pub size: f64,
    /// Largest h·|λ| on the negative real axis for which the method is stable.
    pub limit: f64,
}

/// What moves a state over a step: the slope that a Runge-Kutta method combines.
///
/// For dx/dt = f(t, x) it is f. For dx = f dt + G dX over a step of size h in which the control or
/// the noise changes by ΔX it is f + G·ΔX/h: with that slope the tables of deterministic methods are
/// methods for stochastic (Euler's for Itô's calculus, the others for Stratonovich's) and controlled
/// equations.
pub trait Drive<S: State> {
    /// Whether a slope stays valid when the step changes. Not so if it contains the increments of
    /// a step.
    const STEADY: bool;

    /// Prepares for the step from `t` to `t + h`: gets its increments.
    ///
    /// # Errors
    /// Whatever the source of the increments reports.
    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError>;

    /// `out ←` the slope at (t, x).
    ///
    /// # Errors
    /// Whatever the fields report.
    fn slope(&mut self, t: f64, x: &S, out: &mut S) -> Result<(), EvalError>;
}

impl<S: State, F: VectorField<S> + ?Sized> Drive<S> for &F {
    const STEADY: bool = true;

    fn begin(&mut self, _: f64, _: f64) -> Result<(), StepError> {
        Ok(())
    }

    #[inline]
    fn slope(&mut self, t: f64, x: &S, out: &mut S) -> Result<(), EvalError> {
        self.eval(t, x, out)
    }
}

/// `out ←` the slope at (t, x), with the time in the error and the length checked.
#[inline]
pub(crate) fn evaluate<S: State, D: Drive<S>>(
    drive: &mut D,
    t: f64,
    x: &S,
    out: &mut S,
) -> Result<(), StepError> {
    drive
        .slope(t, x, out)
        .map_err(|source| StepError::Eval { t, source })?;
    same_length(t, x, out)
}

/// An error if a function of the user changed the length of its output.
#[inline]
pub(crate) fn same_length<S: State>(t: f64, x: &S, out: &S) -> Result<(), StepError> {
    if out.len() == x.len() {
        return Ok(());
    }
    let source = EvalError::Length {
        what: "output of the field",
        expected: x.len(),
        got: out.len(),
    };
    Err(StepError::Eval { t, source })
}

/// `out ←` the cubic Hermite polynomial through (y, f) and (y₁, f₁) at y(t + θh).
pub(crate) fn hermite<S: State>(theta: f64, h: f64, start: (&S, &S), end: (&S, &S), out: &mut S) {
    let ((y, f), (y1, f1)) = (start, end);
    let rest = 1.0 - theta;
    let (to, slope) = (theta * theta * (3.0 - 2.0 * theta), h * theta * rest);
    out.lincomb(
        0.0,
        &[
            (1.0 - to, y),
            (to, y1),
            (slope * rest, f),
            (-slope * theta, f1),
        ],
    );
}
