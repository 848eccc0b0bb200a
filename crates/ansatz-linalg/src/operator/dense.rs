//! Dense matrices of faer as operators.

use ansatz_core::{AdjointOp, LinearOp, Scalar};
use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, ColMut, ColRef, Mat, MatRef, Par};
use rayon::prelude::*;

use crate::LinalgError;

/// Rows or columns that one task multiplies: fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 512;

/// Entries below which a product stays on the calling thread.
const PARALLEL_MIN: usize = 1 << 18;

/// A dense matrix.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::Dense};
/// let a = Dense::new(faer::mat![[1.0, 2.0], [3.0, 4.0]])?;
/// let mut y = [0.0; 2];
/// a.apply(&[1.0, 1.0], &mut y, &mut []);
/// assert_eq!(y, [3.0, 7.0]);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dense<T>(Mat<T>);

impl<T: Scalar + RealField> Dense<T> {
    /// From a matrix.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`], with the place in column-major order.
    pub fn new(matrix: Mat<T>) -> Result<Self, LinalgError> {
        for j in 0..matrix.ncols() {
            for i in 0..matrix.nrows() {
                let value = matrix[(i, j)];
                if !value.is_finite() {
                    let index = j * matrix.nrows() + i;
                    return Err(LinalgError::NotFinite {
                        what: "matrix",
                        index,
                        value: value.f64(),
                    });
                }
            }
        }
        Ok(Self(matrix))
    }

    /// The matrix.
    pub fn matrix(&self) -> MatRef<'_, T> {
        self.0.as_ref()
    }
}

/// `y ← a·x`, chunk by chunk of rows.
pub(crate) fn multiply<T: Scalar + RealField>(a: MatRef<'_, T>, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), a.ncols(), "length of the input");
    assert_eq!(y.len(), a.nrows(), "length of the output");
    let on = |(i, y): (usize, &mut [T])| {
        let rows = a.subrows(i * CHUNK, y.len());
        let (x, y) = (ColRef::from_slice(x), ColMut::from_slice_mut(y));
        matmul(
            y.as_mat_mut(),
            Accum::Replace,
            rows,
            x.as_mat(),
            T::one(),
            Par::Seq,
        );
    };
    if a.nrows() * a.ncols() >= PARALLEL_MIN {
        y.par_chunks_mut(CHUNK).enumerate().for_each(on);
    } else {
        y.chunks_mut(CHUNK).enumerate().for_each(on);
    }
}

impl<T: Scalar + RealField> LinearOp<T> for Dense<T> {
    fn rows(&self) -> usize {
        self.0.nrows()
    }

    fn cols(&self) -> usize {
        self.0.ncols()
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        multiply(self.0.as_ref(), x, y);
    }
}

impl<T: Scalar + RealField> AdjointOp<T> for Dense<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], _: &mut [T]) {
        multiply(self.0.transpose(), y, x);
    }
}
