//! Sparse matrices of faer as operators.

use ansatz_core::{AdjointOp, LinearOp, Scalar};
use faer::sparse::{SparseColMat, SparseColMatRef};
use rayon::prelude::*;

use super::all_finite;
use crate::LinalgError;

/// Rows or columns that one task computes.
const CHUNK: usize = 1 << 12;

/// A sparse matrix, kept by rows and by columns: both products are sums along one contiguous line each, which threads
/// share without conflict. Twice the memory of one form.
#[derive(Debug, Clone)]
pub struct Sparse<T> {
    columns: SparseColMat<usize, T>,
    /// The columns of the transpose.
    rows: SparseColMat<usize, T>,
}

impl<T: Scalar + faer::traits::RealField> Sparse<T> {
    /// From compressed columns.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`], with the place among the stored values.
    pub fn new(columns: SparseColMat<usize, T>) -> Result<Self, LinalgError> {
        all_finite("matrix", columns.val())?;
        let rows = columns
            .transpose()
            .to_col_major()
            .map_err(|_| LinalgError::TooLarge {
                what: "transpose of the matrix",
                needed: columns.val().len() * (size_of::<T>() + size_of::<usize>()),
                limit: isize::MAX as usize,
            })?;
        Ok(Self { columns, rows })
    }

    /// The compressed columns.
    pub fn columns(&self) -> SparseColMatRef<'_, usize, T> {
        self.columns.as_ref()
    }
}

/// `y ← aᵀ·x`: one sum for each column of `a`.
fn gather<T: Scalar>(a: SparseColMatRef<'_, usize, T>, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), a.nrows(), "length of the input");
    assert_eq!(y.len(), a.ncols(), "length of the output");
    let (index, value) = (a.symbolic().row_idx(), a.val());
    y.par_chunks_mut(CHUNK).enumerate().for_each(|(c, y)| {
        for (j, y) in y.iter_mut().enumerate() {
            let range = a.symbolic().col_range(c * CHUNK + j);
            *y = index[range.clone()]
                .iter()
                .zip(&value[range])
                .map(|(i, v)| *v * x[*i])
                .sum();
        }
    });
}

impl<T: Scalar + faer::traits::RealField> LinearOp<T> for Sparse<T> {
    fn rows(&self) -> usize {
        self.columns.nrows()
    }

    fn cols(&self) -> usize {
        self.columns.ncols()
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        gather(self.rows.as_ref(), x, y);
    }
}

impl<T: Scalar + faer::traits::RealField> AdjointOp<T> for Sparse<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], _: &mut [T]) {
        gather(self.columns.as_ref(), y, x);
    }
}
