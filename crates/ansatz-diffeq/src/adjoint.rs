//! Gradients through a solve.
//!
//! A loss L(y(t₀), …, y(tₙ)) has cotangents ȳᵢ = ∂L/∂y(tᵢ). Each method here turns them into a
//! [`Gradient`] with respect to the initial state, the parameters of the field and the times.
//!
//! | method | memory | gradient | use it |
//! |---|---|---|---|
//! | [`Tape`] with [`Memory::Every`] | a state a step | exact, of the discrete solve | by default |
//! | [`Tape`] with [`Memory::Slots`] | as many states as you say | the same bits | when memory is short: n steps cost about n·log n |
//! | [`reversible`] | two states | exact to rounding | long solves of non-dissipative systems |
//! | [`interpolated`] | the dense solution | to the tolerance | when the field is costly and smooth |
//! | [`backsolve`] | none | to the tolerance, wrong for dissipative fields | comparison |
//!
//! The first three differentiate the steps that were taken, with their sizes as constants
//! (discretise, then optimise); the last two solve the adjoint equation a' = −(∂f/∂y)ᵀa (optimise,
//! then discretise). All work for any [`VjpDrive`]: ordinary, stochastic and controlled equations.
//! Gradients with respect to the times exist for ordinary ones only and are those of the exact flow
//! at the computed states: ȳᵢ·f(tᵢ, yᵢ), and −a·f at the start.
//!
//! References: P. Kidger, *On neural differential equations*, 2022, chapter 5; R. Chen, Y. Rubanova,
//! J. Bettencourt, D. Duvenaud, *Neural ordinary differential equations*, 2018, algorithm 1.

mod augmented;
mod continuous;
mod reversible;
mod runge_kutta;
pub mod schedule;
mod tape;

pub use augmented::ErrorNorm;
pub use continuous::{backsolve, interpolated};
pub use reversible::reversible;
pub(crate) use runge_kutta::{Bars, PullMemory, Stages};
pub use tape::{Memory, Tape};

use ansatz_core::{EvalError, Report, State, VjpField};

use crate::StepError;
use crate::stepper::{Drive, Stepper, evaluate};

/// What a loss on a solution depends on, and how strongly.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient<S> {
    /// ∂L/∂y(t₀).
    pub state: S,
    /// ∂L/∂p, in the order of the field's parameters.
    pub params: Vec<f64>,
    /// ∂L/∂tᵢ for every time of the solve; empty where it does not exist (noise).
    pub times: Vec<f64>,
    /// Evaluations of the field that the gradient took beside the products.
    pub report: Report,
}

/// A [`Drive`] with the products that gradients need.
pub trait VjpDrive<S: State>: Drive<S> {
    /// Number of parameters.
    fn params(&self) -> usize;

    /// With k the slope at (t, x) in the step begun last: `x_bar ← (∂k/∂x)ᵀ·w` and
    /// `p_bar += (∂k/∂p)ᵀ·w`.
    ///
    /// # Errors
    /// Whatever the fields report.
    fn vjp(
        &mut self,
        t: f64,
        x: &S,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError>;
}

impl<S: State, F: VjpField<S> + ?Sized> VjpDrive<S> for &F {
    fn params(&self) -> usize {
        VjpField::params(*self)
    }

    fn vjp(
        &mut self,
        t: f64,
        x: &S,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        VjpField::vjp(*self, t, x, w, x_bar, p_bar)
    }
}

/// A stepper whose steps can be pulled back.
pub trait AdjointStepper<S: State>: Stepper<S> {
    /// Number of parameters of the problem.
    fn params(&self) -> usize;

    /// Turns `y_bar`, the cotangent of the state after the step of size `h` from (`t`, `y`), into
    /// that of `y`, and adds to `p_bar` that of the parameters.
    ///
    /// # Errors
    /// [`StepError::Eval`].
    fn pull(
        &mut self,
        t: f64,
        h: f64,
        y: &S,
        y_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), StepError>;

    /// `out ←` the time derivative of the state; `false` if there is none.
    ///
    /// # Errors
    /// [`StepError::Eval`].
    fn rate(&mut self, t: f64, y: &S, out: &mut S) -> Result<bool, StepError>;
}

/// [`VjpDrive::vjp`] with the time in the error.
pub(crate) fn product<S: State, D: VjpDrive<S>>(
    drive: &mut D,
    t: f64,
    x: &S,
    w: &S,
    x_bar: &mut S,
    p_bar: &mut [f64],
) -> Result<(), StepError> {
    drive
        .vjp(t, x, w, x_bar, p_bar)
        .map_err(|source| StepError::Eval { t, source })?;
    crate::stepper::same_length(t, x, x_bar)
}

/// The slope of a steady drive.
fn rate<S: State, D: Drive<S>>(
    drive: &mut D,
    t: f64,
    y: &S,
    out: &mut S,
) -> Result<bool, StepError> {
    if D::STEADY {
        evaluate(drive, t, y, out)?;
    }
    Ok(D::STEADY)
}

/// An error unless there is one cotangent of the right shape for each of the states.
fn check<S: State>(states: &[S], cotangents: &[S]) -> Result<(), StepError> {
    if cotangents.len() != states.len() {
        return Err(StepError::Count {
            what: "cotangents, one for each time",
            expected: states.len(),
            got: cotangents.len(),
        });
    }
    for (state, cotangent) in states.iter().zip(cotangents) {
        if !state.same_shape(cotangent) {
            return Err(StepError::Count {
                what: "elements of a cotangent",
                expected: state.len(),
                got: cotangent.len(),
            });
        }
    }
    Ok(())
}

/// The finished gradient, or an error if it is not finite.
fn finish<S: State>(gradient: Gradient<S>, t: f64) -> Result<Gradient<S>, StepError> {
    let finite = gradient.state.is_finite()
        && gradient
            .params
            .iter()
            .chain(&gradient.times)
            .all(|g| g.is_finite());
    if finite {
        return Ok(gradient);
    }
    Err(StepError::NonFinite {
        what: "the gradient",
        t,
    })
}
