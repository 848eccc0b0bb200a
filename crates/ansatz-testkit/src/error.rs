//! What building an analytic model can fail with.

use thiserror::Error;

/// Parameters that describe no distribution.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No component, no data point, or dimension 0.
    #[error("{what} is empty")]
    Empty {
        /// Which argument.
        what: &'static str,
    },
    /// An argument has the wrong number of elements.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// NaN or infinity.
    #[error("{what}[{index}] is not finite")]
    NonFinite {
        /// Which argument.
        what: &'static str,
        /// Position in the flattened argument.
        index: usize,
    },
    /// A weight, variance or bandwidth below zero.
    #[error("{what}[{index}] = {value} is negative")]
    Negative {
        /// Which argument.
        what: &'static str,
        /// Position in the flattened argument.
        index: usize,
        /// The value given.
        value: f64,
    },
    /// Mixture weights that do not sum to 1 within 1e-12.
    #[error("weights sum to {sum}, expected 1 within 1e-12: divide them by their sum")]
    Weights {
        /// Their sum.
        sum: f64,
    },
    /// A covariance that differs from its transpose.
    #[error(
        "covariance {component} is not symmetric: entries ({row}, {column}) and its mirror differ by {difference:e}"
    )]
    NotSymmetric {
        /// Component of the mixture.
        component: usize,
        /// Row of the first entry.
        row: usize,
        /// Column of the first entry.
        column: usize,
        /// Difference of the two entries.
        difference: f64,
    },
    /// A covariance with a negative eigenvalue.
    #[error("covariance {component} has the negative eigenvalue {value}")]
    NegativeEigenvalue {
        /// Component of the mixture.
        component: usize,
        /// Its smallest eigenvalue.
        value: f64,
    },
}

/// Fails on the first element of `values` that is NaN or infinite.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<(), ModelError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(ModelError::NonFinite { what, index }),
        None => Ok(()),
    }
}

/// Fails on the first element of `values` below zero.
pub(crate) fn non_negative(what: &'static str, values: &[f64]) -> Result<(), ModelError> {
    match values.iter().position(|v| *v < 0.0) {
        Some(index) => Err(ModelError::Negative {
            what,
            index,
            value: values[index],
        }),
        None => Ok(()),
    }
}

/// Fails unless `got` elements were `expected`.
pub(crate) fn length(what: &'static str, expected: usize, got: usize) -> Result<(), ModelError> {
    if expected == got {
        Ok(())
    } else {
        Err(ModelError::Length {
            what,
            expected,
            got,
        })
    }
}
