//! A diagonal plus a matrix of low rank, its inverse and its determinant.
//!
//! ```text
//! A = D + U·W·Uᵀ,   D = diag(d), W = diag(w), U of n×k
//! A⁻¹ = D⁻¹ − D⁻¹U·C⁻¹·UᵀD⁻¹,   C = W⁻¹ + UᵀD⁻¹U            (Woodbury)
//! log|A| = Σ log d + Σ log w + log|C|
//! ```
//!
//! A product costs 4nk operations, the factorisation nk² + k³/3, a solve 4nk. The source is M. Woodbury, *Inverting
//! modified matrices*, 1950.

use ansatz_core::{AdjointOp, LinearOp, Scalar, SpdOp};
use faer::linalg::solvers::{Llt, Solve};
use faer::traits::RealField;
use faer::{ColMut, Mat, Side};

use super::{all_finite, dense::multiply};
use crate::LinalgError;
use crate::error::shape;

/// `diag(d) + U·diag(w)·Uᵀ`.
#[derive(Debug, Clone)]
pub struct LowRank<T> {
    diagonal: Vec<T>,
    factor: Mat<T>,
    weights: Vec<T>,
}

impl<T: Scalar + RealField> LowRank<T> {
    /// From the diagonal d, the factor U of n×k and the weights w.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`].
    pub fn new(diagonal: Vec<T>, factor: Mat<T>, weights: Vec<T>) -> Result<Self, LinalgError> {
        shape("rows of the factor", diagonal.len(), factor.nrows())?;
        shape("weights", factor.ncols(), weights.len())?;
        all_finite("diagonal", &diagonal)?;
        all_finite("weights", &weights)?;
        super::Dense::new(factor.clone())?;
        Ok(Self {
            diagonal,
            factor,
            weights,
        })
    }

    /// The inverse, for positive d and w.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`] names the first entry of d or w that is not positive.
    pub fn inverse(&self) -> Result<LowRankInverse<T>, LinalgError> {
        let positive = |what, values: &[T]| match values.iter().position(|v| *v <= T::zero()) {
            None => Ok(()),
            Some(at) => Err(LinalgError::NotPositiveDefinite {
                what,
                at,
                value: values[at].f64(),
            }),
        };
        positive("diagonal", &self.diagonal)?;
        positive("weights", &self.weights)?;
        let (n, k) = (self.factor.nrows(), self.factor.ncols());
        let over_d = Mat::from_fn(n, k, |i, j| self.factor[(i, j)] / self.diagonal[i]);
        let mut c = self.factor.transpose() * &over_d;
        for j in 0..k {
            c[(j, j)] += T::one() / self.weights[j];
        }
        let c = Llt::new(c.as_ref(), Side::Lower).map_err(|_| LinalgError::Singular {
            what: "capacitance matrix",
            estimate: T::EPS.f64(),
        })?;
        let logs = |v: &[T]| v.iter().map(|v| v.f64().ln()).sum::<f64>();
        let pivots: f64 = (0..k).map(|j| 2.0 * c.L()[(j, j)].f64().ln()).sum();
        Ok(LowRankInverse {
            log_det: logs(&self.diagonal) + logs(&self.weights) + pivots,
            diagonal: self.diagonal.clone(),
            over_d,
            capacitance: c,
        })
    }
}

impl<T: Scalar + RealField> LinearOp<T> for LowRank<T> {
    fn rows(&self) -> usize {
        self.diagonal.len()
    }

    fn cols(&self) -> usize {
        self.diagonal.len()
    }

    fn scratch_len(&self) -> usize {
        self.diagonal.len() + self.weights.len()
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let (part, inner) = scratch.split_at_mut(self.diagonal.len());
        let inner = &mut inner[..self.weights.len()];
        multiply(self.factor.transpose(), x, inner);
        for (v, w) in inner.iter_mut().zip(&self.weights) {
            *v *= *w;
        }
        multiply(self.factor.as_ref(), inner, part);
        for (i, y) in y.iter_mut().enumerate() {
            *y = self.diagonal[i] * x[i] + part[i];
        }
    }
}

impl<T: Scalar + RealField> AdjointOp<T> for LowRank<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.apply(y, x, scratch);
    }
}

/// The inverse of a [`LowRank`] matrix, and its determinant.
#[derive(Debug, Clone)]
pub struct LowRankInverse<T> {
    diagonal: Vec<T>,
    /// D⁻¹U.
    over_d: Mat<T>,
    capacitance: Llt<T>,
    log_det: f64,
}

impl<T> LowRankInverse<T> {
    /// log|A| of the matrix that was inverted.
    pub fn log_det(&self) -> f64 {
        self.log_det
    }
}

impl<T: Scalar + RealField> LinearOp<T> for LowRankInverse<T> {
    fn rows(&self) -> usize {
        self.diagonal.len()
    }

    fn cols(&self) -> usize {
        self.diagonal.len()
    }

    fn scratch_len(&self) -> usize {
        self.diagonal.len() + self.over_d.ncols()
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let (part, inner) = scratch.split_at_mut(self.diagonal.len());
        let inner = &mut inner[..self.over_d.ncols()];
        multiply(self.over_d.transpose(), x, inner);
        self.capacitance
            .solve_in_place(ColMut::from_slice_mut(inner).as_mat_mut());
        multiply(self.over_d.as_ref(), inner, part);
        for (i, y) in y.iter_mut().enumerate() {
            *y = x[i] / self.diagonal[i] - part[i];
        }
    }
}

impl<T: Scalar + RealField> AdjointOp<T> for LowRankInverse<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.apply(y, x, scratch);
    }
}

impl<T: Scalar + RealField> SpdOp<T> for LowRankInverse<T> {}
