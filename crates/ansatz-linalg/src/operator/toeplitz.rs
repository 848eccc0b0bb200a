//! Toeplitz matrices: constant along diagonals, multiplied by Fourier transforms.
//!
//! Entry (i, j) is c[i − j] for i ≥ j and r[j − i] above the diagonal, with first column c and first row r. The matrix is
//! a corner of a circulant of length at least rows + cols − 1, whose spectrum is kept: a product is two real transforms,
//! O(n log n) time and O(n) memory. Symmetric positive definite systems are solved by [`Levinson`](super::Levinson), or
//! by conjugate gradients with a circulant or sine preconditioner.

use ansatz_core::{AdjointOp, LinearOp};

use crate::LinalgError;
use crate::error::finite;
use crate::fourier::{Convolution, RealFft, Side, fast_length};

/// A Toeplitz matrix, given by first column and first row.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::Toeplitz};
/// // 1 4 5
/// // 2 1 4
/// let a = Toeplitz::new(&[1.0, 2.0], &[1.0, 4.0, 5.0])?;
/// let mut scratch = vec![0.0; a.scratch_len()];
/// let mut y = [0.0; 2];
/// a.apply(&[1.0, 1.0, 1.0], &mut y, &mut scratch);
/// assert!((y[0] - 10.0).abs() < 1e-14 && (y[1] - 7.0).abs() < 1e-14);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Toeplitz {
    rows: usize,
    cols: usize,
    convolution: Convolution,
}

impl Toeplitz {
    /// From the first column and the first row, which begin with the same number.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] when one is empty, [`LinalgError::NotFinite`], and [`LinalgError::Parameter`] when they
    /// disagree on the first element.
    pub fn new(column: &[f64], row: &[f64]) -> Result<Self, LinalgError> {
        for (what, values) in [
            ("first column of a Toeplitz matrix", column),
            ("first row of a Toeplitz matrix", row),
        ] {
            if values.is_empty() {
                return Err(LinalgError::Shape {
                    what,
                    expected: 1,
                    got: 0,
                });
            }
            finite(what, values)?;
        }
        if (column[0] - row[0]).abs() > 0.0 {
            return Err(LinalgError::Parameter {
                name: "first element of the row",
                value: row[0],
                needed: "must be that of the column",
            });
        }
        let (rows, cols) = (column.len(), row.len());
        let mut convolution = Convolution::new(RealFft::new(fast_length(rows + cols - 1)));
        let mut scratch = vec![0.0; convolution.scratch_len()];
        convolution.set_kernel(|c| embed(column, row, c), &mut scratch);
        Ok(Self {
            rows,
            cols,
            convolution,
        })
    }

    /// The symmetric matrix with this first column.
    ///
    /// # Errors
    /// Those of [`Toeplitz::new`].
    pub fn symmetric(column: &[f64]) -> Result<Self, LinalgError> {
        Self::new(column, column)
    }

    /// What a product does.
    #[cfg(feature = "cuda")]
    pub(crate) fn convolution(&self) -> &Convolution {
        &self.convolution
    }
}

/// The first column of the circulant that has a Toeplitz matrix in its corner, on zeros.
pub(crate) fn embed(column: &[f64], row: &[f64], c: &mut [f64]) {
    c[..column.len()].copy_from_slice(column);
    for (c, r) in c.iter_mut().rev().zip(&row[1..]) {
        *c = *r;
    }
}

impl LinearOp<f64> for Toeplitz {
    fn rows(&self) -> usize {
        self.rows
    }

    fn cols(&self) -> usize {
        self.cols
    }

    fn scratch_len(&self) -> usize {
        self.convolution.scratch_len()
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(x.len(), self.cols, "length of the input");
        assert_eq!(y.len(), self.rows, "length of the output");
        self.convolution.apply(Side::Plain, x, y, scratch);
    }
}

impl AdjointOp<f64> for Toeplitz {
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(y.len(), self.rows, "length of the input");
        assert_eq!(x.len(), self.cols, "length of the output");
        self.convolution.apply(Side::Transposed, y, x, scratch);
    }
}
