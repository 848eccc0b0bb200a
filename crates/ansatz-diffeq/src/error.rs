//! What solving a differential equation can fail with.

use ansatz_core::{EvalError, NoiseKind};
use thiserror::Error;

use crate::brownian::{BrownianError, LevyArea};

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
    /// The step size is limited by stability, not by accuracy.
    #[error(
        "the problem is stiff at t = {t}: steps of {h:e} have h·|λ| = {size} at the method's limit of \
         {limit}; go on from there with an implicit method, or set on_stiff to GoOn"
    )]
    Stiff {
        /// Time reached.
        t: f64,
        /// Size of the last step.
        h: f64,
        /// h times the largest eigenvalue in modulus.
        size: f64,
        /// Real interval of stability of the method.
        limit: f64,
    },
    /// Times that are not strictly monotone.
    #[error("times[{index}] = {value} does not go on from {before}: give times strictly in order")]
    Times {
        /// Index of the first time out of order.
        index: usize,
        /// Its value.
        value: f64,
        /// The time before it.
        before: f64,
    },
    /// As many outputs as times are needed.
    #[error("{what}: {got} given, {expected} needed")]
    Count {
        /// What was counted.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        got: usize,
    },
    /// An event function is zero or not a number where it is looked at first.
    #[error(
        "event {index} is {value} at the start t = {t}: its sign is needed there; start elsewhere, \
         or let it wait for its first sign (AtStart::Wait)"
    )]
    EventAtStart {
        /// Index of the event.
        index: usize,
        /// Time.
        t: f64,
        /// Its value.
        value: f64,
    },
    /// An implicit step could not be taken.
    #[error(
        "no implicit step succeeds at t = {t}: {reason}; the Jacobian products may be wrong, the solution \
         may jump or be singular there, or constraints may be of an index above 1"
    )]
    Newton {
        /// Time reached.
        t: f64,
        /// What the solver says.
        reason: String,
    },
    /// No state near the one given fulfils the constraints.
    #[error(
        "the constraints cannot be fulfilled at the start t = {t}: start nearer to a consistent state; \
         constraints of an index above 1 are not solvable"
    )]
    Inconsistent {
        /// Time of the start.
        t: f64,
    },
    /// A stochastic method that does not treat this kind of noise.
    #[error("{method} does not treat {kind:?} noise: it needs {needs}; the Heun method takes any")]
    Noise {
        /// Name of the method.
        method: &'static str,
        /// What the equation says of its noise.
        kind: NoiseKind,
        /// What the method needs.
        needs: &'static str,
    },
    /// A stochastic method that needs more of the path than it tells.
    #[error("{method} needs a path with {needs:?} areas, this one has {got:?}")]
    Levels {
        /// Name of the method.
        method: &'static str,
        /// Levels that it uses.
        needs: LevyArea,
        /// Levels of the path.
        got: LevyArea,
    },
    /// The Brownian path failed.
    #[error("the Brownian path does not answer")]
    Brownian(#[from] BrownianError),
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
