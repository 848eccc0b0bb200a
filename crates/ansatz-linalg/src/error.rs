//! What linear algebra can fail with.

use ansatz_core::EvalError;
use thiserror::Error;

/// A problem could not be set up or solved.
///
/// Errors of the input come before any work and change nothing. Errors that come up on the way
/// ([`LinalgError::NotConverged`], [`LinalgError::Indefinite`], [`LinalgError::Breakdown`]) leave the best iterate in
/// the caller's vector.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// Sizes that do not fit together.
    #[error("{what}: {got} given, {expected} needed")]
    Shape {
        /// What was measured.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        got: usize,
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
    /// A matrix that should be positive definite and is not.
    #[error(
        "{what}: not positive definite, pivot {at} is {value}; add to the diagonal, or use a method for indefinite \
         matrices"
    )]
    NotPositiveDefinite {
        /// The matrix.
        what: &'static str,
        /// Row of the pivot, or number of the eigenvalue.
        at: usize,
        /// The pivot or eigenvalue.
        value: f64,
    },
    /// A direction of zero or negative curvature met by a method for positive definite operators. The solution so far
    /// is kept.
    #[error(
        "step {iteration}: curvature {curvature} along a search direction; the operator is not positive definite: use \
         MINRES or GMRES"
    )]
    Indefinite {
        /// Step at which it was met.
        iteration: usize,
        /// dᵀA·d.
        curvature: f64,
    },
    /// A matrix without inverse, to working precision.
    #[error("{what}: singular, reciprocal condition about {estimate:e}")]
    Singular {
        /// The matrix.
        what: &'static str,
        /// Estimate of the reciprocal condition number.
        estimate: f64,
    },
    /// The right-hand side of a singular problem is not in the range of its operator.
    #[error(
        "no solution: the right-hand side has the mean {mean:e} along the kernel of the operator; subtract it, or fix \
         the solution somewhere"
    )]
    Incompatible {
        /// Component along the kernel.
        mean: f64,
    },
    /// Constraints that no point satisfies.
    #[error(
        "{what}: no point satisfies all constraints; constraint {at} is violated by {violation:e} at the best point"
    )]
    Infeasible {
        /// The set.
        what: &'static str,
        /// Number of the constraint.
        at: usize,
        /// By how much it is violated.
        violation: f64,
    },
    /// A graph in several parts, between which nothing flows.
    #[error(
        "the graph has {components} connected components; take more neighbours, or embed each component by itself"
    )]
    Disconnected {
        /// Number of components.
        components: usize,
        /// The component of each vertex, numbered by their first vertices.
        labels: Vec<usize>,
    },
    /// Too many steps. The best iterate is kept.
    #[error(
        "not converged after {iterations} steps: relative residual {residual:e}, {tolerance:e} wanted; allow more \
         steps, a larger tolerance, or take a better preconditioner"
    )]
    NotConverged {
        /// Steps made.
        iterations: usize,
        /// ‖b − A·x‖ / ‖b‖ reached.
        residual: f64,
        /// Residual wanted.
        tolerance: f64,
    },
    /// A method that cannot go on: NaN from an operator or a model, or a vanishing inner product. The best iterate is
    /// kept.
    #[error("step {iteration}: {what} is {value}; the best solution so far is kept")]
    Breakdown {
        /// Step at which it happened.
        iteration: usize,
        /// What could not be used.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// More memory than allowed would be needed. Nothing was allocated.
    #[error("{what} would need {needed} bytes, {limit} are allowed")]
    TooLarge {
        /// What would be allocated.
        what: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Numbers outside the memory could not be read or written.
    #[error("storage: {0}")]
    Storage(#[from] std::io::Error),
    /// A device failed, or there is none.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Device(#[from] ansatz_cuda::CudaError),
    /// An operator, preconditioner or model reported an error.
    #[error(transparent)]
    Operator(#[from] EvalError),
}

/// Refuses numbers that are not finite.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<(), LinalgError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(LinalgError::NotFinite {
            what,
            index,
            value: values[index],
        }),
    }
}

/// Refuses a length other than the one needed.
pub(crate) fn shape(what: &'static str, expected: usize, got: usize) -> Result<(), LinalgError> {
    if expected == got {
        Ok(())
    } else {
        Err(LinalgError::Shape {
            what,
            expected,
            got,
        })
    }
}

/// Refuses a parameter outside its range.
pub(crate) fn within(
    name: &'static str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    needed: &'static str,
) -> Result<(), LinalgError> {
    if value.is_finite() && range.contains(&value) {
        Ok(())
    } else {
        Err(LinalgError::Parameter {
            name,
            value,
            needed,
        })
    }
}
