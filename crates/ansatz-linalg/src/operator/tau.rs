//! Preconditioners that are diagonal in the sine basis (the τ algebra).
//!
//! With S the orthonormal DST-I of length n and f the generating symbol of a symmetric Toeplitz matrix,
//! P = S·diag(f(jπ/(n + 1)))·S. Unlike circulants it samples f away from θ = 0, so that symbols with a zero there, those
//! of discretised differential operators, give an invertible P with the right behaviour near the zero
//! (D. Bini, F. Di Benedetto, *A new preconditioner for the parallel solution of positive definite Toeplitz systems*, 1990;
//! S. Serra, *Superlinear PCG methods for symmetric Toeplitz systems*, Math. Comp. 68, 1999).

use std::f64::consts::PI;

use ansatz_core::{EvalError, LinearOp, SearchDirection, SpdOp};

use crate::LinalgError;
use crate::fourier::{Transform, Trigonometric};

use super::circulant::length;

/// P⁻¹ = S·diag(1/f(jπ/(n + 1)))·S.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::TauPreconditioner};
/// // 2 − 2cos θ: the second difference, which lies in the algebra. P⁻¹ solves with it.
/// let p = TauPreconditioner::new(3, |theta| 2.0 - 2.0 * theta.cos())?;
/// let mut x = [0.0; 3];
/// p.apply(&[1.0, 0.0, 1.0], &mut x, &mut vec![0.0; p.scratch_len()]);
/// assert!(x.iter().all(|v| (v - 1.0).abs() < 1e-14));
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TauPreconditioner {
    transform: Trigonometric,
    inverse: Vec<f64>,
    scratch: Vec<f64>,
}

impl TauPreconditioner {
    /// For a matrix of order `n` with a symbol on (0, π).
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for order 0; [`LinalgError::NotPositiveDefinite`] where the symbol is not a positive number.
    pub fn new(n: usize, symbol: impl Fn(f64) -> f64) -> Result<Self, LinalgError> {
        let transform = Trigonometric::new(Transform::SineI, n)?;
        let mut inverse = Vec::with_capacity(n);
        for at in 0..n {
            let value = symbol(PI * (at + 1) as f64 / (n + 1) as f64);
            if !(value > 0.0 && value.is_finite()) {
                return Err(LinalgError::NotPositiveDefinite {
                    what: "symbol of a sine preconditioner",
                    at,
                    value,
                });
            }
            inverse.push(1.0 / value);
        }
        let scratch = vec![0.0; transform.scratch_len()];
        Ok(Self {
            transform,
            inverse,
            scratch,
        })
    }
}

fn solve(transform: &Trigonometric, inverse: &[f64], y: &mut [f64], scratch: &mut [f64]) {
    transform.apply(y, scratch);
    for (y, d) in y.iter_mut().zip(inverse) {
        *y *= d;
    }
    transform.apply(y, scratch);
}

impl LinearOp<f64> for TauPreconditioner {
    fn rows(&self) -> usize {
        self.inverse.len()
    }

    fn cols(&self) -> usize {
        self.inverse.len()
    }

    fn scratch_len(&self) -> usize {
        self.transform.scratch_len()
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        y.copy_from_slice(x);
        solve(&self.transform, &self.inverse, y, scratch);
    }
}

impl SpdOp<f64> for TauPreconditioner {}

impl SearchDirection<Vec<f64>> for TauPreconditioner {
    fn propose(&mut self, residual: &Vec<f64>, direction: &mut Vec<f64>) -> Result<(), EvalError> {
        length(self.inverse.len(), residual.len(), direction.len())?;
        direction.copy_from_slice(residual);
        solve(&self.transform, &self.inverse, direction, &mut self.scratch);
        Ok(())
    }
}
