//! Circulant matrices: diagonal in the Fourier basis.
//!
//! Entry (i, j) of a circulant is c[(i − j) mod n]; its eigenvalues are the discrete Fourier transform of the first
//! column c. Products, solutions and determinants cost O(n log n). The circulants nearest to a Toeplitz matrix are its
//! classical preconditioners: with few eigenvalues away from 1 conjugate gradients take a number of steps that does not
//! grow with n, when the symbol is positive (R. Chan, M. Ng, *Conjugate gradient methods for Toeplitz systems*, SIAM
//! Review 38, 1996).

use ansatz_core::{AdjointOp, EvalError, LinearOp, SearchDirection, SpdOp};

use crate::error::{finite, shape};
use crate::fourier::{Convolution, RealFft, Side};
use crate::{LinalgError, LogDet};

/// A real circulant matrix, given by its first column.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::Circulant};
/// let shift = Circulant::new(&[0.0, 1.0, 0.0])?;
/// let mut scratch = vec![0.0; shift.scratch_len()];
/// let mut y = [0.0; 3];
/// shift.apply(&[1.0, 2.0, 3.0], &mut y, &mut scratch);
/// assert!((y[0] - 3.0).abs() < 1e-15 && (y[1] - 1.0).abs() < 1e-15);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Circulant {
    convolution: Convolution,
}

impl Circulant {
    /// From the first column.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for an empty column, [`LinalgError::NotFinite`].
    pub fn new(column: &[f64]) -> Result<Self, LinalgError> {
        not_empty(column)?;
        finite("first column of a circulant", column)?;
        let mut convolution = Convolution::new(RealFft::new(column.len()));
        let mut scratch = vec![0.0; convolution.scratch_len()];
        convolution.set_kernel(|c| c.copy_from_slice(column), &mut scratch);
        Ok(Self { convolution })
    }

    /// Strang's circulant for a symmetric Toeplitz matrix: its central diagonals, wrapped around; c\[j\] = t\[j\] for
    /// j ≤ n/2, t[n − j] beyond (G. Strang, *A proposal for Toeplitz matrix calculations*, 1986).
    ///
    /// # Errors
    /// Those of [`Circulant::new`].
    pub fn strang(column: &[f64]) -> Result<Self, LinalgError> {
        let n = column.len();
        let wrapped: Vec<f64> = (0..n).map(|j| column[j.min(n - j).min(n - 1)]).collect();
        Self::new(&wrapped)
    }

    /// T. Chan's circulant for a symmetric Toeplitz matrix, the nearest one in the Frobenius norm:
    /// c\[j\] = ((n − j)·t\[j\] + j·t\[n − j\])/n. It is positive definite when the matrix is (T. Chan, *An optimal circulant
    /// preconditioner for Toeplitz systems*, 1988).
    ///
    /// # Errors
    /// Those of [`Circulant::new`].
    pub fn chan(column: &[f64]) -> Result<Self, LinalgError> {
        let n = column.len();
        let mean = |j: usize| {
            let beyond = if j == 0 { 0.0 } else { column[n - j] };
            ((n - j) as f64 * column[j] + j as f64 * beyond) / n as f64
        };
        Self::new(&(0..n).map(mean).collect::<Vec<_>>())
    }

    /// The real parts of eigenvalues 0 to n/2; the others repeat them. All that there is for a symmetric circulant.
    pub fn eigenvalues(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        let n = self.rows() as f64;
        self.convolution.spectrum().iter().map(move |v| v.re * n)
    }

    /// Solves C·x = b.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`], and [`LinalgError::Singular`] when an eigenvalue is below
    /// n·eps times the largest.
    pub fn solve(&self, b: &[f64]) -> Result<Vec<f64>, LinalgError> {
        shape("right-hand side", self.rows(), b.len())?;
        finite("right-hand side", b)?;
        let inverse = self.inverse()?;
        let mut x = vec![0.0; b.len()];
        let mut scratch = vec![0.0; inverse.scratch_len()];
        inverse.apply(b, &mut x, &mut scratch);
        Ok(x)
    }

    /// The inverse, a circulant again.
    ///
    /// # Errors
    /// [`LinalgError::Singular`] when an eigenvalue is below n·eps times the largest.
    pub fn inverse(&self) -> Result<Self, LinalgError> {
        let n = self.rows() as f64;
        let sizes = || self.convolution.spectrum().iter().map(|v| v.norm());
        let (least, most) = (
            sizes().fold(f64::INFINITY, f64::min),
            sizes().fold(0.0, f64::max),
        );
        if least.is_nan() || least <= n * f64::EPSILON * most {
            return Err(LinalgError::Singular {
                what: "circulant matrix",
                estimate: if most > 0.0 { least / most } else { 0.0 },
            });
        }
        let mut inverse = self.clone();
        for v in inverse.convolution.spectrum_mut() {
            // Both have the factor 1/n of the convolution.
            *v = (*v * n * n).inv();
        }
        Ok(inverse)
    }

    /// What a product does.
    #[cfg(feature = "cuda")]
    pub(crate) fn convolution(&self) -> &Convolution {
        &self.convolution
    }

    /// The determinant: pairs of conjugate eigenvalues have a positive product.
    pub fn log_det(&self) -> LogDet {
        let n = self.rows();
        let mut det = LogDet::ONE;
        for (k, v) in self.convolution.spectrum().iter().enumerate() {
            let v = *v * n as f64;
            det = if k == 0 || 2 * k == n {
                det.times(v.re)
            } else {
                det.times(v.norm_sqr())
            };
        }
        det
    }
}

fn not_empty(column: &[f64]) -> Result<(), LinalgError> {
    if column.is_empty() {
        return Err(LinalgError::Shape {
            what: "first column",
            expected: 1,
            got: 0,
        });
    }
    Ok(())
}

impl LinearOp<f64> for Circulant {
    fn rows(&self) -> usize {
        self.convolution.fft().len()
    }

    fn cols(&self) -> usize {
        self.rows()
    }

    fn scratch_len(&self) -> usize {
        self.convolution.scratch_len()
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(x.len(), self.cols(), "length of the input");
        self.convolution.apply(Side::Plain, x, y, scratch);
    }
}

impl AdjointOp<f64> for Circulant {
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(y.len(), self.rows(), "length of the input");
        self.convolution.apply(Side::Transposed, y, x, scratch);
    }
}

/// The inverse of a symmetric positive definite circulant as a preconditioner.
#[derive(Debug)]
pub struct CirculantPreconditioner {
    inverse: Circulant,
    scratch: Vec<f64>,
}

impl CirculantPreconditioner {
    /// From a circulant.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`] for an eigenvalue that is not positive.
    pub fn new(circulant: &Circulant) -> Result<Self, LinalgError> {
        if let Some((at, value)) = circulant
            .eigenvalues()
            .enumerate()
            .find(|(_, v)| v.is_nan() || *v <= 0.0)
        {
            return Err(LinalgError::NotPositiveDefinite {
                what: "circulant preconditioner",
                at,
                value,
            });
        }
        let inverse = circulant.inverse()?;
        let scratch = vec![0.0; inverse.scratch_len()];
        Ok(Self { inverse, scratch })
    }

    /// The best there is for a symmetric Toeplitz matrix with this first column: Strang's circulant, or T. Chan's where
    /// that is not positive definite, or `None`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for an empty column, [`LinalgError::NotFinite`].
    pub fn for_toeplitz(column: &[f64]) -> Result<Option<Self>, LinalgError> {
        let strang = Circulant::strang(column)?;
        Ok(Self::new(&strang)
            .or_else(|_| Self::new(&Circulant::chan(column)?))
            .ok())
    }
}

impl LinearOp<f64> for CirculantPreconditioner {
    fn rows(&self) -> usize {
        self.inverse.rows()
    }

    fn cols(&self) -> usize {
        self.inverse.cols()
    }

    fn scratch_len(&self) -> usize {
        self.inverse.scratch_len()
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        self.inverse.apply(x, y, scratch);
    }
}

impl SpdOp<f64> for CirculantPreconditioner {}

impl SearchDirection<Vec<f64>> for CirculantPreconditioner {
    fn propose(&mut self, residual: &Vec<f64>, direction: &mut Vec<f64>) -> Result<(), EvalError> {
        length(self.rows(), residual.len(), direction.len())?;
        self.inverse.apply(residual, direction, &mut self.scratch);
        Ok(())
    }
}

/// Lengths of residual and direction.
pub(super) fn length(expected: usize, residual: usize, direction: usize) -> Result<(), EvalError> {
    for (what, got) in [("residual", residual), ("direction", direction)] {
        if got != expected {
            return Err(EvalError::Length {
                what,
                expected,
                got,
            });
        }
    }
    Ok(())
}
