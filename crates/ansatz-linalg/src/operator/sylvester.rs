//! A·X + X·Bᵀ = F for matrices of any kind.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::hessenberg::{hessenberg_in_place, hessenberg_in_place_scratch};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_right_in_place_scratch as reflect_scratch,
    apply_block_householder_sequence_on_the_right_in_place_with_conj as reflect,
};
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Accum, Conj, Mat, MatRef, Par, Spec, c64};

use super::kronecker::{check_factors, check_square};
use crate::LinalgError;
use crate::error::{finite, shape};

/// Sylvester's equation A·X + X·Bᵀ = F, which is (A ⊕ B)·x = f for X row by row, ready for any number of right-hand sides.
///
/// A = U·S·Uᴴ and B = V·T·Vᴴ by complex Schur forms make it triangular, S·Y + Y·Tᵀ = Uᴴ·F·V̄, which is solved column by
/// column. Orthogonal transformations only: as stable as the equation allows, for defective matrices too. about 25(n³ + m³)
/// complex operations once, then n·m·(n + m) a solution. For symmetric matrices [`Eigenfactors::sum`](super::Eigenfactors::sum)
/// is faster.
///
/// ```
/// use ansatz_linalg::operator::Sylvester;
/// use faer::mat;
/// // A turn and a shear, neither symmetric.
/// let (a, b) = (mat![[0.0, -1.0], [1.0, 0.0]], mat![[1.0, 5.0], [0.0, 1.0]]);
/// let x = Sylvester::new(&a, &b)?.solve(&[1.0, 0.0, 0.0, 0.0])?;
/// let x = mat![[x[0], x[1]], [x[2], x[3]]];
/// let f = &a * &x + &x * b.transpose();
/// assert!((f[(0, 0)] - 1.0).abs() < 1e-14 && f[(0, 1)].abs() < 1e-14);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
///
/// Source: R. Bartels, G. Stewart, *Solution of the matrix equation AX + XB = C*, 1972, with complex forms as in
/// G. Golub, C. Van Loan, *Matrix computations*, 4th edition, 2013, sections 7.5 and 7.6.3.
#[derive(Debug, Clone)]
pub struct Sylvester {
    a: Schur,
    b: Schur,
}

/// A = vectors·upper·vectorsᴴ.
#[derive(Debug, Clone)]
struct Schur {
    vectors: Mat<c64>,
    upper: Mat<c64>,
}

impl Schur {
    fn new(a: &Mat<f64>) -> Result<Self, LinalgError> {
        let n = a.nrows();
        let mut upper = Mat::from_fn(n, n, |i, j| c64::new(a[(i, j)], 0.0));
        let mut vectors = Mat::identity(n, n);
        if n == 1 {
            return Ok(Self { vectors, upper });
        }
        let block = recommended_block_size::<c64>(n - 1, n - 1);
        let needed = hessenberg_in_place_scratch::<c64>(n, block, Par::Seq, Spec::default())
            .or(reflect_scratch::<c64>(n - 1, block, n - 1));
        let mut memory = MemBuffer::new(needed);
        let stack = MemStack::new(&mut memory);
        let mut reflectors = Mat::zeros(block, n - 1);
        hessenberg_in_place(
            upper.as_mut(),
            reflectors.as_mut(),
            Par::Seq,
            stack,
            Spec::default(),
        );
        reflect(
            upper.as_ref().submatrix(1, 0, n - 1, n - 1),
            reflectors.as_ref(),
            Conj::No,
            vectors.as_mut().submatrix_mut(1, 1, n - 1, n - 1),
            Par::Seq,
            stack,
        );
        // The reflectors lie below the first subdiagonal.
        for j in 0..n {
            for i in j + 2..n {
                upper[(i, j)] = c64::new(0.0, 0.0);
            }
        }
        match triangularise(&mut upper, &mut vectors) {
            None => Ok(Self { vectors, upper }),
            Some(value) => Err(LinalgError::Breakdown {
                iteration: SWEEPS,
                what: "the entry below the diagonal of a Schur form",
                value,
            }),
        }
    }

    fn order(&self) -> usize {
        self.upper.nrows()
    }
}

/// Most sweeps for an eigenvalue; two or three are usual.
const SWEEPS: usize = 60;

/// Makes H upper triangular by orthogonal similarities of one shift at a time, Wilkinson's, chased through without forming
/// the shifted matrix, and multiplies Z by them. Gives the entry that does not vanish if it fails.
fn triangularise(h: &mut Mat<c64>, z: &mut Mat<c64>) -> Option<f64> {
    let n = h.nrows();
    let zero = c64::new(0.0, 0.0);
    let (mut end, mut sweeps) = (n - 1, 0);
    while end > 0 {
        let small = |l: usize| {
            let beside = h[(l, l)].norm() + h[(l - 1, l - 1)].norm();
            h[(l, l - 1)].norm() <= f64::EPSILON * beside
        };
        let mut begin = end;
        while begin > 0 && !small(begin) {
            begin -= 1;
        }
        if begin > 0 {
            h[(begin, begin - 1)] = zero;
        }
        if begin == end {
            (end, sweeps) = (end - 1, 0);
            continue;
        }
        sweeps += 1;
        if sweeps > SWEEPS {
            return Some(h[(end, end - 1)].norm());
        }
        let shift = if sweeps % 10 == 0 {
            // Something else, where shifts go round in circles.
            h[(end, end)] + h[(end, end - 1)].norm()
        } else {
            wilkinson([
                [h[(end - 1, end - 1)], h[(end - 1, end)]],
                [h[(end, end - 1)], h[(end, end)]],
            ])
        };
        let (mut x, mut y) = (h[(begin, begin)] - shift, h[(begin + 1, begin)]);
        for k in begin..end {
            let turn = Rotation::new(x, y);
            turn.rows(h, k, k.saturating_sub(1).max(begin));
            turn.columns(h, k, (k + 2).min(end));
            turn.columns(z, k, n - 1);
            if k > begin {
                h[(k + 1, k - 1)] = zero;
            }
            if k + 1 < end {
                (x, y) = (h[(k + 1, k)], h[(k + 2, k)]);
            }
        }
    }
    None
}

/// The eigenvalue of a 2×2 matrix nearest to its last entry.
fn wilkinson([[a, b], [c, d]]: [[c64; 2]; 2]) -> c64 {
    let half = (a - d) * 0.5;
    let root = (half * half + b * c).sqrt();
    let far = if (half + root).norm() > (half - root).norm() {
        half + root
    } else {
        half - root
    };
    if far.norm() > 0.0 { d - b * c / far } else { d }
}

/// G = [c, s; −s̄, c] with real c.
struct Rotation {
    c: f64,
    s: c64,
}

impl Rotation {
    /// The one that takes (x, y) to (r, 0).
    fn new(x: c64, y: c64) -> Self {
        let (first, second) = (x.norm(), y.norm());
        let length = first.hypot(second);
        if second == 0.0 {
            let s = c64::new(0.0, 0.0);
            return Self { c: 1.0, s };
        }
        if first == 0.0 {
            let s = y.conj() / second;
            return Self { c: 0.0, s };
        }
        Self {
            c: first / length,
            s: (x / first) * (y.conj() / length),
        }
    }

    /// Rows k and k + 1 from column `from` on: G·A.
    fn rows(&self, a: &mut Mat<c64>, k: usize, from: usize) {
        for j in from..a.ncols() {
            let (upper, lower) = (a[(k, j)], a[(k + 1, j)]);
            a[(k, j)] = upper * self.c + self.s * lower;
            a[(k + 1, j)] = lower * self.c - self.s.conj() * upper;
        }
    }

    /// Columns k and k + 1 down to row `to`: A·Gᴴ.
    fn columns(&self, a: &mut Mat<c64>, k: usize, to: usize) {
        for i in 0..=to {
            let (left, right) = (a[(i, k)], a[(i, k + 1)]);
            a[(i, k)] = left * self.c + self.s.conj() * right;
            a[(i, k + 1)] = right * self.c - self.s * left;
        }
    }
}

/// `a·b`, on this thread.
fn product(a: MatRef<'_, c64>, b: MatRef<'_, c64>) -> Mat<c64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    let one = c64::new(1.0, 0.0);
    matmul(out.as_mut(), Accum::Replace, a, b, one, Par::Seq);
    out
}

/// The same with the conjugate of `b`.
fn product_conjugate(a: MatRef<'_, c64>, b: &Mat<c64>) -> Mat<c64> {
    let conjugate = Mat::from_fn(b.nrows(), b.ncols(), |i, j| b[(i, j)].conj());
    product(a, conjugate.as_ref())
}

impl Sylvester {
    /// From A of order n and B of order m.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for matrices that are empty or not square; [`LinalgError::NotFinite`];
    /// [`LinalgError::Singular`] when an eigenvalue of A is, to rounding, minus one of B: then there is no solution or more
    /// than one; [`LinalgError::Breakdown`] from the eigenvalues.
    pub fn new(a: &Mat<f64>, b: &Mat<f64>) -> Result<Self, LinalgError> {
        let both = [a.clone(), b.clone()];
        check_factors(&both)?;
        check_square(&both)?;
        let (a, b) = (Schur::new(a)?, Schur::new(b)?);
        let (n, m) = (a.order(), b.order());
        let mut least = f64::INFINITY;
        for i in 0..n {
            for j in 0..m {
                least = least.min((a.upper[(i, i)] + b.upper[(j, j)]).norm());
            }
        }
        let size = a.upper.norm_l2() + b.upper.norm_l2();
        let estimate = least / size;
        // 0/0 is singular as well.
        if estimate.is_nan() || estimate <= (n + m) as f64 * f64::EPSILON {
            return Err(LinalgError::Singular {
                what: "Sylvester's equation: A and −B share an eigenvalue",
                estimate: if estimate.is_nan() { 0.0 } else { estimate },
            });
        }
        Ok(Self { a, b })
    }

    /// X, row by row, for F row by row.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`].
    pub fn solve(&self, f: &[f64]) -> Result<Vec<f64>, LinalgError> {
        let (n, m) = (self.a.order(), self.b.order());
        shape("right-hand side", n * m, f.len())?;
        finite("right-hand side", f)?;
        let f = Mat::from_fn(n, m, |i, j| c64::new(f[i * m + j], 0.0));
        let left = Mat::from_fn(n, n, |i, j| self.a.vectors[(j, i)].conj());
        let turned = product(left.as_ref(), f.as_ref());
        let mut y = product_conjugate(turned.as_ref(), &self.b.vectors);
        let (s, t) = (&self.a.upper, &self.b.upper);
        for j in (0..m).rev() {
            for k in j + 1..m {
                let c = t[(j, k)];
                for i in 0..n {
                    let known = y[(i, k)];
                    y[(i, j)] -= c * known;
                }
            }
            for i in (0..n).rev() {
                let value = y[(i, j)] / (s[(i, i)] + t[(j, j)]);
                y[(i, j)] = value;
                for above in 0..i {
                    y[(above, j)] -= s[(above, i)] * value;
                }
            }
        }
        let turned = product(self.a.vectors.as_ref(), y.as_ref());
        let x = product(turned.as_ref(), self.b.vectors.transpose());
        Ok((0..n * m).map(|k| x[(k / m, k % m)].re).collect())
    }
}
