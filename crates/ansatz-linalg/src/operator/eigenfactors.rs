//! Matrices that Kronecker products of small eigenvector matrices diagonalise.
//!
//! Given symmetric A_d and symmetric positive definite metrics C_d, the pencils A_d·v = λ·C_d·v have eigenvectors V_d with
//! V_dᵀC_dV_d = I and V_dᵀA_dV_d = Λ_d. With V = ⊗V_d and C = ⊗C_d (C_d = I when none is given)
//!
//! ```text
//! product   A₁⊗A₂⊗… + s·C                     = V⁻ᵀ·diag(Πλ + s)·V⁻¹
//! sum       A₁⊗C₂⊗… + C₁⊗A₂⊗… + … + s·C       = V⁻ᵀ·diag(Σλ + s)·V⁻¹
//! ```
//!
//! which covers K + s·I, the sum of two Kronecker products A⊗B + C⊗D (s = 1), Kronecker sums, and Sylvester's equation
//! AX + XBᵀ = F. Once factored, every shift s has its solution, determinant and trace of the inverse.
//!
//! Cost: about 9·Σn_d³ flops once, 4N·Σn_d for a solution, N for a determinant.
//!
//! C. Van Loan, *The ubiquitous Kronecker product*, 2000; V. Simoncini, *Computational methods for linear matrix
//! equations*, SIAM Review 58, 2016.

use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Accum, Mat, Par, Side};

use crate::error::{finite, shape};
use crate::{LinalgError, LogDet};

use super::kronecker::{along, check_factors, check_square};

/// How the eigenvalues of the factors make one of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Combine {
    Product,
    Sum,
}

/// A sum or product of Kronecker factors by their eigenvectors. The shift is given with each question.
///
/// ```
/// use ansatz_linalg::operator::Eigenfactors;
/// use faer::mat;
/// // A⊗A + 2·I.
/// let a = mat![[2.0, 1.0], [1.0, 2.0]];
/// let k = Eigenfactors::product(&[a.clone(), a])?;
/// let x = k.solve(2.0, &[6.0, 2.0, 2.0, 1.0])?;
/// assert!((x[0] - 1.0).abs() < 1e-14 && x[1].abs() < 1e-14 && x[3].abs() < 1e-14);
/// // Eigenvalues 9, 3, 3, 1, each with 2 added.
/// assert!((k.log_det(2.0).log - (11.0_f64 * 5.0 * 5.0 * 3.0).ln()).abs() < 1e-14);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Eigenfactors {
    combine: Combine,
    vectors: Vec<Mat<f64>>,
    values: Vec<Vec<f64>>,
    /// log det C.
    metric: f64,
    order: usize,
}

impl Eigenfactors {
    /// A₁⊗A₂⊗…, of symmetric factors.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] when a factor is not symmetric to
    /// 1e-12 of its largest element.
    pub fn product(factors: &[Mat<f64>]) -> Result<Self, LinalgError> {
        Self::new(Combine::Product, factors, &[])
    }

    /// A₁⊕A₂⊕… = A₁⊗I⊗… + I⊗A₂⊗… + …, of symmetric terms.
    ///
    /// # Errors
    /// Those of [`Eigenfactors::product`].
    pub fn sum(terms: &[Mat<f64>]) -> Result<Self, LinalgError> {
        Self::new(Combine::Sum, terms, &[])
    }

    /// A₁⊗A₂⊗… with the metrics C₁, C₂, …: the shift s adds s·C₁⊗C₂⊗…, so that s = 1 gives the sum of two Kronecker
    /// products.
    ///
    /// # Errors
    /// Those of [`Eigenfactors::product`], and [`LinalgError::NotPositiveDefinite`] for a metric.
    pub fn product_of_pencils(
        factors: &[Mat<f64>],
        metrics: &[Mat<f64>],
    ) -> Result<Self, LinalgError> {
        shape("number of metrics", factors.len(), metrics.len())?;
        Self::new(Combine::Product, factors, metrics)
    }

    /// A₁⊗C₂⊗… + C₁⊗A₂⊗… + …, as finite elements on a tensor grid have it: stiffness in one direction, mass in the
    /// others. The shift s adds s·C₁⊗C₂⊗….
    ///
    /// # Errors
    /// Those of [`Eigenfactors::product_of_pencils`].
    pub fn sum_of_pencils(terms: &[Mat<f64>], metrics: &[Mat<f64>]) -> Result<Self, LinalgError> {
        shape("number of metrics", terms.len(), metrics.len())?;
        Self::new(Combine::Sum, terms, metrics)
    }

    fn new(
        combine: Combine,
        factors: &[Mat<f64>],
        metrics: &[Mat<f64>],
    ) -> Result<Self, LinalgError> {
        check_factors(factors)?;
        check_square(factors)?;
        let order = factors.iter().map(Mat::nrows).product();
        let (mut vectors, mut values, mut metric) = (Vec::new(), Vec::new(), 0.0);
        if !metrics.is_empty() {
            check_factors(metrics)?;
            check_square(metrics)?;
        }
        for (d, a) in factors.iter().enumerate() {
            symmetric(a)?;
            let (v, lambda) = if let Some(c) = metrics.get(d) {
                shape("order of a metric", a.nrows(), c.nrows())?;
                symmetric(c)?;
                let (v, lambda, log) = pencil(a, c)?;
                metric += log * (order / a.nrows()) as f64;
                (v, lambda)
            } else {
                eigen(a)?
            };
            vectors.push(v);
            values.push(lambda);
        }
        Ok(Self {
            combine,
            vectors,
            values,
            metric,
            order,
        })
    }

    /// Order of the matrix.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Eigenvalues of the pencil of factor `d`, ascending.
    pub fn factor_eigenvalues(&self, d: usize) -> &[f64] {
        &self.values[d]
    }

    /// Calls `on` with the place and eigenvalue of each combination, in row-major order.
    fn each(&self, shift: f64, mut on: impl FnMut(usize, f64)) {
        let mut digits = vec![0; self.values.len()];
        for place in 0..self.order {
            let parts = self.values.iter().zip(&digits).map(|(v, i)| v[*i]);
            let value = match self.combine {
                Combine::Product => parts.product::<f64>(),
                Combine::Sum => parts.sum(),
            };
            on(place, value + shift);
            for (digit, values) in digits.iter_mut().zip(&self.values).rev() {
                *digit += 1;
                if *digit < values.len() {
                    break;
                }
                *digit = 0;
            }
        }
    }

    /// Solves (K + s·C)·x = b.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`], and [`LinalgError::Singular`] when an eigenvalue is below
    /// N·eps times the largest.
    pub fn solve(&self, shift: f64, b: &[f64]) -> Result<Vec<f64>, LinalgError> {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        self.each(shift, |_, v| {
            least = least.min(v.abs());
            most = most.max(v.abs());
        });
        if most.is_nan() || least <= f64::EPSILON * self.order as f64 * most {
            return Err(LinalgError::Singular {
                what: "Kronecker matrix",
                estimate: if most > 0.0 { least / most } else { 0.0 },
            });
        }
        shape("right-hand side", self.order, b.len())?;
        finite("right-hand side", b)?;
        Ok(self.divide(shift, b))
    }

    /// [`Eigenfactors::solve`] for a matrix that has to be positive definite.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`], and [`LinalgError::NotPositiveDefinite`] with the least
    /// eigenvalue of the pencil when that is not positive.
    pub fn solve_positive(&self, shift: f64, b: &[f64]) -> Result<Vec<f64>, LinalgError> {
        let mut least = (0, f64::INFINITY);
        self.each(shift, |at, v| {
            if v.is_nan() || v < least.1 {
                least = (at, v);
            }
        });
        if least.1.is_nan() || least.1 <= 0.0 {
            return Err(LinalgError::NotPositiveDefinite {
                what: "Kronecker matrix with its shift",
                at: least.0,
                value: least.1,
            });
        }
        shape("right-hand side", self.order, b.len())?;
        finite("right-hand side", b)?;
        Ok(self.divide(shift, b))
    }

    /// V·diag(1/(λ + s))·Vᵀ·b.
    fn divide(&self, shift: f64, b: &[f64]) -> Vec<f64> {
        let (mut x, mut y) = (b.to_vec(), vec![0.0; b.len()]);
        let mut right = self.order;
        for v in &self.vectors {
            right /= v.nrows();
            along(v.transpose(), right, &x, &mut y, Accum::Replace);
            std::mem::swap(&mut x, &mut y);
        }
        self.each(shift, |at, value| x[at] /= value);
        let mut right = self.order;
        for v in &self.vectors {
            right /= v.nrows();
            along(v.as_ref(), right, &x, &mut y, Accum::Replace);
            std::mem::swap(&mut x, &mut y);
        }
        x
    }

    /// det(K + s·C).
    pub fn log_det(&self, shift: f64) -> LogDet {
        let mut det = LogDet::ONE;
        self.each(shift, |_, v| det = det.times(v));
        det.log += self.metric;
        det
    }

    /// tr((K + s·C)⁻¹·C), the trace of the inverse when there are no metrics.
    pub fn trace_inverse(&self, shift: f64) -> f64 {
        let mut sum = 0.0;
        self.each(shift, |_, v| sum += 1.0 / v);
        sum
    }
}

/// Refuses a matrix that is not symmetric.
fn symmetric(a: &Mat<f64>) -> Result<(), LinalgError> {
    let (mut apart, mut size) = (0.0_f64, 0.0_f64);
    for j in 0..a.ncols() {
        for i in 0..a.nrows() {
            apart = apart.max((a[(i, j)] - a[(j, i)]).abs());
            size = size.max(a[(i, j)].abs());
        }
    }
    if apart > 1e-12 * size {
        return Err(LinalgError::Parameter {
            name: "asymmetry of a Kronecker factor",
            value: apart / size,
            needed: "must be below 1e-12 of the largest element",
        });
    }
    Ok(())
}

fn eigen(a: &Mat<f64>) -> Result<(Mat<f64>, Vec<f64>), LinalgError> {
    let eigen = a
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| LinalgError::NotConverged {
            iterations: 0,
            residual: f64::NAN,
            tolerance: f64::EPSILON,
        })?;
    let values = eigen.S().column_vector().iter().copied().collect();
    Ok((eigen.U().to_owned(), values))
}

/// V and λ of A·v = λ·C·v with VᵀCV = I, and log det C: with C = LLᵀ the eigenvectors Y of L⁻¹AL⁻ᵀ give V = L⁻ᵀY.
fn pencil(a: &Mat<f64>, c: &Mat<f64>) -> Result<(Mat<f64>, Vec<f64>, f64), LinalgError> {
    let factor = c.llt(Side::Lower).map_err(
        |faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index }| {
            LinalgError::NotPositiveDefinite {
                what: "metric of a Kronecker pencil",
                at: index,
                value: c[(index.min(c.nrows() - 1), index.min(c.nrows() - 1))],
            }
        },
    )?;
    let l = factor.L();
    let mut b = a.clone();
    solve_lower_triangular_in_place(l, b.as_mut(), Par::Seq);
    let mut b = b.transpose().to_owned();
    solve_lower_triangular_in_place(l, b.as_mut(), Par::Seq);
    let (mut v, lambda) = eigen(&b)?;
    solve_upper_triangular_in_place(l.transpose(), v.as_mut(), Par::Seq);
    let log = (0..l.nrows()).map(|i| 2.0 * l[(i, i)].ln()).sum();
    Ok((v, lambda, log))
}
