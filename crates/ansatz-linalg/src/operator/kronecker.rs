//! Kronecker products and sums, never formed.
//!
//! Vectors are arrays of one axis per factor in row-major order, so that for two factors (A⊗B)·vec X = vec(A·X·Bᵀ). A
//! product multiplies along each axis in turn; every function of the matrix that acts factor by factor (inverse,
//! determinant, eigenvectors) costs what the factors cost:
//!
//! ```text
//! (A⊗B)(C⊗D) = AC⊗BD     (A⊗B)⁻¹ = A⁻¹⊗B⁻¹     det(A⊗B) = det(A)^b·det(B)^a
//! ```
//!
//! Cost for factors of order n_d, N = Π n_d: 2N·Σn_d flops and 2N numbers of working memory for a product or a solution,
//! (2/3)·Σn_d³ flops to factor. Matrices with a shift, sums of two products and Kronecker sums are
//! [`Eigenfactors`](super::Eigenfactors).
//!
//! C. Van Loan, *The ubiquitous Kronecker product*, J. Comput. Appl. Math. 123, 2000.

use ansatz_core::{AdjointOp, LinearOp, Scalar};
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::PartialPivLu;
use faer::linalg::triangular_solve::{
    solve_unit_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::traits::RealField;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::error::{finite, shape};
use crate::{LinalgError, LogDet};

/// Rows that one task multiplies: fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 128;

/// Operations below which a product along an axis stays on the calling thread.
const PARALLEL_MIN: usize = 1 << 20;

/// Multiplies an array of `x.len()/(a.ncols()·right)` × `a.ncols()` × `right` elements along its middle axis.
pub(crate) fn along<T: Scalar + RealField>(
    a: MatRef<'_, T>,
    right: usize,
    x: &[T],
    y: &mut [T],
    accum: Accum,
) {
    let (m, n) = a.shape();
    let left = x.len() / (n * right);
    let one = T::one();
    let shared = x.len() * m >= PARALLEL_MIN && rayon::current_num_threads() > 1;
    if right == 1 {
        // Lines are rows of a matrix, on which the factor acts from the right.
        let on = |(i, y): (usize, &mut [T])| {
            let rows = y.len() / m;
            let x = MatRef::from_row_major_slice(&x[i * CHUNK * n..][..rows * n], rows, n);
            let y = MatMut::from_row_major_slice_mut(y, rows, m);
            matmul(y, accum, x, a.transpose(), one, Par::Seq);
        };
        if shared {
            y.par_chunks_mut(CHUNK * m).enumerate().for_each(on);
        } else {
            y.chunks_mut(CHUNK * m).enumerate().for_each(on);
        }
        return;
    }
    let on = |(l, y): (usize, &mut [T])| {
        let x = MatRef::from_row_major_slice(&x[l * n * right..][..n * right], n, right);
        let block = |(i, y): (usize, &mut [T])| {
            let rows = y.len() / right;
            let y = MatMut::from_row_major_slice_mut(y, rows, right);
            matmul(y, accum, a.subrows(i * CHUNK, rows), x, one, Par::Seq);
        };
        if shared && left == 1 {
            y.par_chunks_mut(CHUNK * right).enumerate().for_each(block);
        } else {
            y.chunks_mut(CHUNK * right).enumerate().for_each(block);
        }
    };
    if shared && left > 1 {
        y.par_chunks_mut(m * right).enumerate().for_each(on);
    } else {
        y.chunks_mut(m * right).enumerate().for_each(on);
    }
}

/// Refuses no factors, empty factors and numbers that are not finite.
pub(super) fn check_factors<T: Scalar + RealField>(factors: &[Mat<T>]) -> Result<(), LinalgError> {
    if factors.is_empty() {
        return Err(LinalgError::Shape {
            what: "number of Kronecker factors",
            expected: 1,
            got: 0,
        });
    }
    for a in factors {
        if a.nrows() == 0 || a.ncols() == 0 {
            return Err(LinalgError::Shape {
                what: "rows and columns of a Kronecker factor",
                expected: 1,
                got: 0,
            });
        }
        for j in 0..a.ncols() {
            for i in 0..a.nrows() {
                if !a[(i, j)].is_finite() {
                    return Err(LinalgError::NotFinite {
                        what: "Kronecker factor",
                        index: i * a.ncols() + j,
                        value: a[(i, j)].f64(),
                    });
                }
            }
        }
    }
    Ok(())
}

/// Refuses factors that are not square.
pub(super) fn check_square<T>(factors: &[Mat<T>]) -> Result<(), LinalgError> {
    factors
        .iter()
        .try_for_each(|a| shape("columns of a square Kronecker factor", a.nrows(), a.ncols()))
}

/// A₁⊗A₂⊗…, of any number of factors of any shapes.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::Kronecker};
/// use faer::mat;
/// let k = Kronecker::new(vec![mat![[1.0, 2.0], [3.0, 4.0]], mat![[0.0, 1.0], [1.0, 0.0]]])?;
/// let mut scratch = vec![0.0; k.scratch_len()];
/// let mut y = [0.0; 4];
/// k.apply(&[1.0, 0.0, 0.0, 0.0], &mut y, &mut scratch);
/// assert_eq!(y, [0.0, 1.0, 0.0, 3.0]); // the first column
/// let det = k.factor()?.log_det(); // (−2)²·(−1)²
/// assert!(det.sign == 1.0 && (det.log - 4.0_f64.ln()).abs() < 1e-14);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Kronecker<T = f64> {
    factors: Vec<Mat<T>>,
}

impl<T: Scalar + RealField> Kronecker<T> {
    /// From the factors, the one whose index varies slowest first.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] without factors or with an empty one, [`LinalgError::NotFinite`].
    pub fn new(factors: Vec<Mat<T>>) -> Result<Self, LinalgError> {
        check_factors(&factors)?;
        Ok(Self { factors })
    }

    /// The factors.
    pub fn factors(&self) -> &[Mat<T>] {
        &self.factors
    }

    fn product(&self, side: Side, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let oriented = |d: usize| match side {
            Side::Plain => self.factors[d].as_ref(),
            Side::Transposed => self.factors[d].transpose(),
        };
        let count = self.factors.len();
        let half = scratch.len() / 2;
        let (mut from, mut to) = scratch.split_at_mut(half);
        let mut right: usize = (0..count).map(|d| oriented(d).ncols()).product();
        assert_eq!(x.len(), right, "length of the input");
        let mut length = x.len();
        for d in 0..count {
            let a = oriented(d);
            right /= a.ncols();
            let next = length / a.ncols() * a.nrows();
            let source = if d == 0 { x } else { &from[..length] };
            if d + 1 == count {
                assert_eq!(y.len(), next, "length of the output");
                along(a, right, source, y, Accum::Replace);
            } else {
                along(a, right, source, &mut to[..next], Accum::Replace);
            }
            length = next;
            std::mem::swap(&mut from, &mut to);
        }
    }

    /// The largest array between two factors.
    fn between(&self, orient: impl Fn(&Mat<T>) -> (usize, usize)) -> usize {
        let mut length: usize = self.factors.iter().map(|a| orient(a).1).product();
        let inner = &self.factors[..self.factors.len() - 1];
        let lengths = inner.iter().map(|a| {
            let (m, n) = orient(a);
            length = length / n * m;
            length
        });
        lengths.max().unwrap_or(0)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Plain,
    Transposed,
}

impl<T: Scalar + RealField> LinearOp<T> for Kronecker<T> {
    fn rows(&self) -> usize {
        self.factors.iter().map(Mat::nrows).product()
    }

    fn cols(&self) -> usize {
        self.factors.iter().map(Mat::ncols).product()
    }

    fn scratch_len(&self) -> usize {
        let plain = self.between(Mat::shape);
        2 * plain.max(self.between(|a| (a.ncols(), a.nrows())))
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        self.product(Side::Plain, x, y, scratch);
    }
}

impl<T: Scalar + RealField> AdjointOp<T> for Kronecker<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.product(Side::Transposed, y, x, scratch);
    }
}

impl Kronecker<f64> {
    /// Factors every factor: solutions and the determinant.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] when a factor is not square.
    pub fn factor(&self) -> Result<KroneckerLu, LinalgError> {
        check_square(&self.factors)?;
        let factors = self.factors.iter().map(|a| {
            let lu = a.partial_piv_lu();
            let order = lu.P().arrays().0.to_vec();
            Lu { lu, order }
        });
        Ok(KroneckerLu {
            factors: factors.collect(),
        })
    }
}

#[derive(Debug, Clone)]
struct Lu {
    lu: PartialPivLu<f64>,
    /// Row i of L·U is row order[i] of the matrix.
    order: Vec<usize>,
}

impl Lu {
    fn pivots(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.order.len()).map(|i| self.lu.U()[(i, i)])
    }

    fn det(&self) -> LogDet {
        // Each exchange that sorts the permutation turns the sign.
        let mut order = self.order.clone();
        let mut det = LogDet::ONE;
        for i in 0..order.len() {
            while order[i] != i {
                let j = order[i];
                order.swap(i, j);
                det.sign = -det.sign;
            }
        }
        self.pivots().fold(det, LogDet::times)
    }
}

/// The factors of a Kronecker product, each with its LU factorisation.
#[derive(Debug, Clone)]
pub struct KroneckerLu {
    factors: Vec<Lu>,
}

impl KroneckerLu {
    /// Order of the product.
    pub fn order(&self) -> usize {
        self.factors.iter().map(|f| f.order.len()).product()
    }

    /// The determinant, with its sign.
    pub fn log_det(&self) -> LogDet {
        let all = self.order();
        let mut det = LogDet::ONE;
        for f in &self.factors {
            let part = f.det().power(all / f.order.len());
            det.sign *= part.sign;
            det.log += part.log;
        }
        det
    }

    /// Solves (A₁⊗A₂⊗…)·x = b.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`], and [`LinalgError::Singular`] when a pivot is below n·eps
    /// times the largest of its factor.
    pub fn solve(&self, b: &[f64]) -> Result<Vec<f64>, LinalgError> {
        shape("right-hand side", self.order(), b.len())?;
        finite("right-hand side", b)?;
        for f in &self.factors {
            let sizes = || f.pivots().map(f64::abs);
            let (least, most) = (
                sizes().fold(f64::INFINITY, f64::min),
                sizes().fold(0.0, f64::max),
            );
            if least.is_nan() || least <= f.order.len() as f64 * f64::EPSILON * most {
                return Err(LinalgError::Singular {
                    what: "Kronecker factor",
                    estimate: if most > 0.0 { least / most } else { 0.0 },
                });
            }
        }
        let mut x = b.to_vec();
        self.solve_in_place(&mut x, &mut vec![0.0; b.len()]);
        Ok(x)
    }

    /// [`KroneckerLu::solve`] in memory of the caller, without asking whether a factor is singular.
    ///
    /// # Panics
    /// When `x` or `scratch` has not the order's length.
    pub fn solve_in_place(&self, x: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(x.len(), self.order(), "length of the right-hand side");
        assert_eq!(scratch.len(), x.len(), "length of the working memory");
        let mut right = x.len();
        for f in &self.factors {
            let n = f.order.len();
            right /= n;
            let on = |(x, y): (&mut [f64], &mut [f64])| {
                for (y, i) in y.chunks_mut(right).zip(&f.order) {
                    y.copy_from_slice(&x[i * right..][..right]);
                }
            };
            for pair in x.chunks_mut(n * right).zip(scratch.chunks_mut(n * right)) {
                on(pair);
            }
            let triangular = |y: MatMut<'_, f64>| {
                let mut y = y;
                solve_unit_lower_triangular_in_place(f.lu.L(), y.as_mut(), Par::Seq);
                solve_upper_triangular_in_place(f.lu.U(), y, Par::Seq);
            };
            if right == 1 {
                scratch.par_chunks_mut(CHUNK * n).for_each(|y| {
                    triangular(MatMut::from_column_major_slice_mut(y, n, y.len() / n));
                });
            } else {
                scratch.par_chunks_mut(n * right).for_each(|y| {
                    triangular(MatMut::from_row_major_slice_mut(y, n, right));
                });
            }
            x.copy_from_slice(scratch);
        }
    }
}

/// A⊕B⊕… = A⊗I⊗… + I⊗B⊗… + …: second differences on a grid, Sylvester's equation.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::KroneckerSum};
/// use faer::mat;
/// let a = mat![[2.0, -1.0], [-1.0, 2.0]];
/// let laplacian = KroneckerSum::new(vec![a.clone(), a])?;
/// let mut y = [0.0; 4];
/// laplacian.apply(&[1.0, 1.0, 1.0, 1.0], &mut y, &mut []);
/// assert_eq!(y, [2.0; 4]);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct KroneckerSum<T = f64> {
    terms: Vec<Mat<T>>,
}

impl<T: Scalar + RealField> KroneckerSum<T> {
    /// From the matrices that act on each axis, the slowest first.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] without terms, with an empty one or one that is not square, [`LinalgError::NotFinite`].
    pub fn new(terms: Vec<Mat<T>>) -> Result<Self, LinalgError> {
        check_factors(&terms)?;
        check_square(&terms)?;
        Ok(Self { terms })
    }

    /// The matrices of the axes.
    pub fn terms(&self) -> &[Mat<T>] {
        &self.terms
    }

    fn sum(&self, side: Side, x: &[T], y: &mut [T]) {
        assert_eq!(x.len(), self.rows(), "length of the input");
        assert_eq!(y.len(), self.rows(), "length of the output");
        let mut right = x.len();
        let mut accum = Accum::Replace;
        for a in &self.terms {
            right /= a.nrows();
            let a = match side {
                Side::Plain => a.as_ref(),
                Side::Transposed => a.transpose(),
            };
            along(a, right, x, y, accum);
            accum = Accum::Add;
        }
    }
}

impl<T: Scalar + RealField> LinearOp<T> for KroneckerSum<T> {
    fn rows(&self) -> usize {
        self.terms.iter().map(Mat::nrows).product()
    }

    fn cols(&self) -> usize {
        self.rows()
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        self.sum(Side::Plain, x, y);
    }
}

impl<T: Scalar + RealField> AdjointOp<T> for KroneckerSum<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], _: &mut [T]) {
        self.sum(Side::Transposed, y, x);
    }
}
