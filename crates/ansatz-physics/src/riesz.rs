//! The fractional Laplacian on an interval, by collocation with splines.
//!
//! (−d²/dx²)^{α/2} u = s on (0, 1), u = 0 outside, 1 < α < 2: diffusion by Lévy flights. On functions that vanish outside
//! it is the Riesz operator, of left and right derivatives of Riemann and Liouville,
//!
//! ```text
//! (₀D_x^α u + _xD₁^α u)/(2cos(πα/2)),      with the Fourier symbol |ω|^α.
//! ```
//!
//! u is a spline of degree p on n equal intervals (open uniform knots, the first and last B-spline dropped), and the equation
//! holds at the Greville points ξ_i = (t_{i+1} + … + t_{i+p})/p: a matrix of order M = n + p − 2 that is full, since the
//! operator is not local, but whose entries depend on i − j only, apart from p − 2 rows and p − 1 columns at either end.
//! The first column of the Toeplitz matrix and those rows and columns are all that is kept.
//!
//! The matrix n^{−α}A has the symbol f(θ) = Σ_l |θ + 2πl|^α·sinc(θ/2 + πl)^{p+1}, with a zero of order α at 0 and a value
//! at π that falls exponentially with p. Conjugate directions in the sine basis with f itself as eigenvalues
//! ([`Preconditioner::Tau`]) make GMRES converge in 5 to 7 steps for any n; Strang's circulant does about as well.
//!
//! The error for smooth solutions is O(n^{−(p+2−α)}) for even p and O(n^{−(p+1−α)}) for odd p in the maximum norm. For s that do not vanish
//! at the ends, u behaves like x^{α/2} there and every degree has order α/2 only: choose p = 2 or 3 then, or a
//! method with weighted Jacobi polynomials.
//!
//! Cost: O(pn) kernel evaluations to set up, O(n log n + pn) per product, O(pn) memory.
//!
//! M. Mazza, M. Donatelli, C. Manni, H. Speleers, *On the matrices in B-spline collocation methods for Riesz fractional
//! equations and their spectral properties*, Numer. Linear Algebra Appl. 30, 2023; entries are computed here by quadrature, without the cancellation of truncated powers.

mod assembly;
mod solve;
mod spline;

pub use solve::{Preconditioner, SolveOptions};
pub use spline::RieszSolution;

use std::f64::consts::PI;

use ansatz_core::{AdjointOp, LinearOp};
use ansatz_linalg::operator::Toeplitz;
use faer::Mat;

use crate::PhysicsError;
use crate::special::hurwitz;

use assembly::Assembly;
use spline::Knots;

/// The collocation matrix of one order, degree and number of intervals.
#[derive(Debug, Clone)]
pub struct RieszCollocation {
    alpha: f64,
    knots: Knots,
    points: Vec<f64>,
    /// The first column of the Toeplitz part, with the factor n^α.
    column: Vec<f64>,
    toeplitz: Toeplitz,
    border: Border,
}

/// Rows and columns that differ from the Toeplitz matrix.
#[derive(Debug, Clone)]
struct Border {
    /// Rows at the beginning, and as many at the end.
    rows: usize,
    /// The rows at the beginning; those at the end are the same backwards in both directions.
    row_entries: Vec<Vec<f64>>,
    /// The difference from the Toeplitz matrix in the columns at the beginning, 0 in the rows above.
    column_entries: Vec<Vec<f64>>,
}

impl RieszCollocation {
    /// Splines of degree `p` on `n` intervals for the order α.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for α outside (1, 2), p < 2 or n < p + 1.
    pub fn new(alpha: f64, degree: usize, intervals: usize) -> Result<Self, PhysicsError> {
        if alpha.is_nan() || alpha <= 1.0 || alpha >= 2.0 {
            return Err(PhysicsError::Parameter {
                name: "order alpha",
                value: alpha,
                needed: "must lie between 1 and 2, both excluded; for 2 use collocation for u''",
            });
        }
        if !(2..=MOST).contains(&degree) {
            return Err(PhysicsError::Parameter {
                name: "degree of the spline",
                value: degree as f64,
                needed: "must be 2 to 11",
            });
        }
        if intervals < degree + 1 {
            return Err(PhysicsError::Parameter {
                name: "intervals",
                value: intervals as f64,
                needed: "must be more than the degree",
            });
        }
        let knots = Knots::new(degree, intervals);
        let assembly = Assembly::new(alpha, &knots);
        let order = intervals + degree - 2;
        let column: Vec<f64> = (0..order).map(|k| assembly.central(k)).collect();
        let (rows, columns) = ((degree - 2).min(order), (degree - 1).min(order));
        let row_entries: Vec<Vec<f64>> = (0..rows)
            .map(|i| (0..order).map(|j| assembly.entry(i, j)).collect())
            .collect();
        let inner = |i: usize| (rows..order - rows).contains(&i);
        let column_entries = (0..columns)
            .map(|j| {
                let entry = |i: usize| {
                    if inner(i) {
                        assembly.entry(i, j) - column[i.abs_diff(j)]
                    } else {
                        0.0
                    }
                };
                (0..order).map(entry).collect()
            })
            .collect();
        Ok(Self {
            alpha,
            points: (0..order).map(|i| knots.greville(i + 1)).collect(),
            toeplitz: Toeplitz::symmetric(&column)?,
            column,
            border: Border {
                rows,
                row_entries,
                column_entries,
            },
            knots,
        })
    }

    /// Order of the matrix, n + p − 2.
    pub fn order(&self) -> usize {
        self.points.len()
    }

    /// α.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// p.
    pub fn degree(&self) -> usize {
        self.knots.degree()
    }

    /// n.
    pub fn intervals(&self) -> usize {
        self.knots.intervals()
    }

    /// The points of collocation.
    pub fn points(&self) -> &[f64] {
        &self.points
    }

    /// The first column of the Toeplitz part, of n^α times the Fourier coefficients of the symbol.
    pub fn toeplitz_column(&self) -> &[f64] {
        &self.column
    }

    /// The symbol of n^{−α}A at an angle θ, even and of period 2π:
    /// f(θ) = Σ_l |θ + 2πl|^α·sinc(θ/2 + πl)^{p+1}.
    ///
    /// With s = p + 1 − α the sum is |2 sin(θ/2)|^{p+1} times Hurwitz' zeta functions of order s.
    pub fn symbol(&self, theta: f64) -> f64 {
        symbol(self.alpha, self.knots.degree(), theta)
    }

    /// The matrix in full, for looking at: M² numbers.
    pub fn matrix(&self) -> Mat<f64> {
        let m = self.order();
        let mut a = Mat::from_fn(m, m, |i, j| self.column[i.abs_diff(j)]);
        for (j, column) in self.border.column_entries.iter().enumerate() {
            for (i, v) in column.iter().enumerate() {
                a[(i, j)] += v;
                a[(m - 1 - i, m - 1 - j)] += v;
            }
        }
        for (i, row) in self.border.row_entries.iter().enumerate() {
            for (j, v) in row.iter().enumerate() {
                a[(i, j)] = *v;
                a[(m - 1 - i, m - 1 - j)] = *v;
            }
        }
        a
    }

    /// The ratio of the greatest and the least singular value, of the full matrix: O(M³). It grows like n^α.
    ///
    /// # Errors
    /// [`PhysicsError::Linear`] when the singular values do not converge.
    pub fn condition(&self) -> Result<f64, PhysicsError> {
        let values =
            self.matrix()
                .singular_values()
                .map_err(|_| ansatz_linalg::LinalgError::Breakdown {
                    iteration: 0,
                    what: "a singular value",
                    value: f64::NAN,
                })?;
        Ok(values[0] / values[values.len() - 1])
    }
}

/// The highest degree that is tested.
const MOST: usize = 11;

fn symbol(alpha: f64, degree: usize, theta: f64) -> f64 {
    let power = (0..=degree).fold(1.0, |power, _| power * 2.0 * (0.5 * theta).sin().abs());
    let theta = theta.rem_euclid(2.0 * PI);
    let theta = theta.min(2.0 * PI - theta);
    if theta == 0.0 {
        return 0.0;
    }
    let order = degree as f64 + 1.0 - alpha;
    let a = theta / (2.0 * PI);
    let sum = if degree % 2 == 1 {
        hurwitz(order, a) + hurwitz(order, 1.0 - a)
    } else {
        // Signs alternate: Σ(−1)^l (l + a)^{−s} from even and odd l.
        let alternating = |a: f64| {
            (hurwitz(order, 0.5 * a) - hurwitz(order, 0.5 * (a + 1.0))) * 2.0_f64.powf(-order)
        };
        alternating(a) + alternating(1.0 - a)
    };
    power * (2.0 * PI).powf(-order) * sum
}

impl LinearOp<f64> for RieszCollocation {
    fn rows(&self) -> usize {
        self.order()
    }

    fn cols(&self) -> usize {
        self.order()
    }

    fn scratch_len(&self) -> usize {
        self.toeplitz.scratch_len()
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        self.toeplitz.apply(x, y, scratch);
        let m = self.order();
        for (j, column) in self.border.column_entries.iter().enumerate() {
            let (first, last) = (x[j], x[m - 1 - j]);
            for (y, c) in y.iter_mut().zip(column) {
                *y += c * first;
            }
            for (y, c) in y.iter_mut().rev().zip(column) {
                *y += c * last;
            }
        }
        for (i, row) in self.border.row_entries.iter().enumerate() {
            y[i] = row.iter().zip(x).map(|(a, x)| a * x).sum();
            y[m - 1 - i] = row.iter().zip(x.iter().rev()).map(|(a, x)| a * x).sum();
        }
    }
}

impl AdjointOp<f64> for RieszCollocation {
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64], scratch: &mut [f64]) {
        let m = self.order();
        // The Toeplitz part sees the inner rows only.
        let rows = self.border.rows;
        let mut inner = y.to_vec();
        inner[..rows].fill(0.0);
        inner[m - rows..].fill(0.0);
        self.toeplitz.apply_adjoint(&inner, x, scratch);
        for (j, column) in self.border.column_entries.iter().enumerate() {
            x[j] += column.iter().zip(&inner).map(|(c, y)| c * y).sum::<f64>();
            let last = column.iter().zip(inner.iter().rev()).map(|(c, y)| c * y);
            x[m - 1 - j] += last.sum::<f64>();
        }
        for (i, row) in self.border.row_entries.iter().enumerate() {
            for (x, a) in x.iter_mut().zip(row) {
                *x += a * y[i];
            }
            for (x, a) in x.iter_mut().rev().zip(row) {
                *x += a * y[m - 1 - i];
            }
        }
    }
}
