//! What evaluating a model, field or operator can fail with.

use std::error::Error;

use thiserror::Error;

use crate::Prediction;

/// Failure of one evaluation of user-supplied mathematics.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A state has the wrong number of elements.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which argument or result.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// A state has the right number of elements in another shape.
    #[error("{what} has another shape than the state given")]
    Shape {
        /// Which argument or result.
        what: &'static str,
    },
    /// NaN or infinity where a number was needed.
    #[error("{what} is not finite")]
    NonFinite {
        /// Which value.
        what: &'static str,
    },
    /// An argument lies outside its domain.
    #[error("{what} = {value} lies outside [{min}, {max}]")]
    OutOfRange {
        /// Which argument.
        what: &'static str,
        /// The value given.
        value: f64,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// A model output cannot be expressed in the kind that was asked for.
    #[error(
        "{want:?} cannot be computed from {from:?} at alpha = {alpha}, sigma = {sigma}: \
         let the grid end before this level, or use a model of another prediction kind"
    )]
    Conversion {
        /// Kind that the model returns.
        from: Prediction,
        /// Kind that was asked for.
        want: Prediction,
        /// Signal factor of the level.
        alpha: f64,
        /// Noise factor of the level.
        sigma: f64,
    },
    /// The user's own error, kept whole as the source.
    #[error("the model failed")]
    Model(#[source] Box<dyn Error + Send + Sync>),
}

impl EvalError {
    /// Wraps an error of the user's model.
    ///
    /// ```
    /// use std::error::Error;
    /// let e = ansatz_core::EvalError::model(std::fmt::Error);
    /// assert!(e.source().is_some());
    /// ```
    pub fn model(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Model(Box::new(error))
    }
}
