//! What solving a differential equation can fail with.

use ansatz_core::EvalError;
use thiserror::Error;

/// A solve failed. The caller's state is as it was before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StepError {
    /// An option outside its range.
    #[error("option {name} = {value} is not allowed: {allowed}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// A tableau whose rows do not fit together.
    #[error("tableau {name}: {what} of stage {stage} is {got}, expected {expected}")]
    Tableau {
        /// Name of the tableau.
        name: &'static str,
        /// Which quantity is wrong.
        what: &'static str,
        /// Stage, from 0.
        stage: usize,
        /// Value found.
        got: f64,
        /// Value required.
        expected: f64,
    },
    /// NaN or infinity in the initial state, the field or the solution.
    #[error("{what} is not finite at t = {t}: check the field and its domain there")]
    NonFinite {
        /// Which value.
        what: &'static str,
        /// Time of the evaluation.
        t: f64,
    },
    /// The controller asks for a step that no longer moves the time.
    #[error(
        "step size {h:e} at t = {t} is too small to go on (scaled error {error:e}): the solution may \
         be singular or the problem stiff; loosen the tolerance or use an implicit method"
    )]
    StepTooSmall {
        /// Time reached.
        t: f64,
        /// Step asked for.
        h: f64,
        /// Scaled error of the rejected step, which had to be below 1.
        error: f64,
    },
    /// The budget of steps is spent before the end.
    #[error(
        "{max_steps} steps reached t = {t}, not the end {end}: raise max_steps or loosen the tolerance"
    )]
    TooManySteps {
        /// Steps allowed, rejected ones included.
        max_steps: usize,
        /// Time reached.
        t: f64,
        /// End of the interval.
        end: f64,
    },
    /// The field failed.
    #[error("field evaluation failed at t = {t}")]
    Eval {
        /// Time of the evaluation.
        t: f64,
        /// What it reported.
        #[source]
        source: EvalError,
    },
}
