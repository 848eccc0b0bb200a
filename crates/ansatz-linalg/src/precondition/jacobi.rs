//! The inverse of the diagonal.

use ansatz_core::{EvalError, HostState, Scalar, SearchDirection};

use crate::LinalgError;
use crate::operator::all_finite;

/// M = diag(A). Zeros on the diagonal, of cells without an equation, give zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Jacobi<T> {
    inverse: Vec<T>,
}

impl<T: Scalar> Jacobi<T> {
    /// From the diagonal of the operator.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`]; [`LinalgError::NotPositiveDefinite`] for a negative entry.
    pub fn new(diagonal: &[T]) -> Result<Self, LinalgError> {
        all_finite("diagonal", diagonal)?;
        if let Some(at) = diagonal.iter().position(|d| *d < T::zero()) {
            return Err(LinalgError::NotPositiveDefinite {
                what: "diagonal",
                at,
                value: diagonal[at].f64(),
            });
        }
        let invert = |d: &T| if *d == T::zero() { *d } else { d.recip() };
        Ok(Self {
            inverse: diagonal.iter().map(invert).collect(),
        })
    }
}

impl<T: Scalar, S: HostState<Scalar = T>> SearchDirection<S> for Jacobi<T> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        super::same_length(self.inverse.len(), residual, direction)?;
        let r = residual.as_slice().iter();
        for ((z, r), d) in direction
            .as_mut_slice()
            .iter_mut()
            .zip(r)
            .zip(&self.inverse)
        {
            *z = *r * *d;
        }
        Ok(())
    }
}
