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
    /// The linear system could not be solved.
    #[error(transparent)]
    Linear(#[from] LinalgError),
}
