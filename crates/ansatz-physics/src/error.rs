//! What a classical solver can fail with.

use ansatz_linalg::LinalgError;
use thiserror::Error;

/// A problem could not be set up or solved. Errors of the input come before any work and change nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PhysicsError {
    /// A parameter outside its range.
    #[error("{name} = {value}: {needed}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// A number that is not finite.
    #[error("{what}: element {index} is {value}; numbers must be finite")]
    NotFinite {
        /// Where it is.
        what: &'static str,
        /// Its place.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A value was asked for where the reference says nothing.
    #[error("{coordinate} = {value} lies outside [{low}, {high}], the domain of this reference")]
    OutsideDomain {
        /// The coordinate.
        coordinate: &'static str,
        /// Its value.
        value: f64,
        /// The least allowed.
        low: f64,
        /// The greatest allowed.
        high: f64,
    },
    /// Refinement did not settle.
    #[error(
        "{what}: the last refinement, to {size}, still changed the result by {change:e} where {tolerance:e} was wanted"
    )]
    NotConverged {
        /// What was computed.
        what: &'static str,
        /// The last size: nodes, steps, iterations.
        size: usize,
        /// The last change.
        change: f64,
        /// The change wanted.
        tolerance: f64,
    },
    /// A solution stopped being a number on its way.
    #[error(
        "the solution is no longer finite at t = {time}: take a smaller step than {step}, or more modes"
    )]
    BlowUp {
        /// When.
        time: f64,
        /// The step.
        step: f64,
    },
    /// The linear system could not be solved.
    #[error(transparent)]
    Linear(#[from] LinalgError),
}
