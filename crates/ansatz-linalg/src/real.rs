//! The numbers of matrices.

use ansatz_core::Scalar;
use faer::traits::RealField;

/// `f32` or `f64`, as a [`Scalar`] and as the element of faer's matrices.
pub trait Real: Scalar + RealField {}

impl<T: Scalar + RealField> Real for T {}
