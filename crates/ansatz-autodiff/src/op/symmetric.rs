//! Inverse square roots of symmetric matrices, and the Lyapunov equation that is their derivative.
//!
//! [`InverseRoot`] gives Y = A^(−½) for each symmetric positive semidefinite matrix in the last two axes, the
//! pseudo-inverse where A is singular. From Y·A·Y = 1, Y·Ẏ + Ẏ·Y = −Y²·Ȧ·Y²: with [`Lyapunov`], which solves Y·X + X·Y = B
//! and whose derivative is a Lyapunov equation again, every order of derivative is a program of these two. In the eigenvectors of
//! Y the solution is Bᵢⱼ/(yᵢ + yⱼ): differences of eigenvalues never divide, so that repeated ones do no harm, unlike in
//! derivatives of eigenvectors.
//!
//! Cost: eigenvectors by cyclic Jacobi rotations, some 30·n³ operations for an n×n matrix: for many small ones.
//!
//! References: N. J. Higham, *Functions of matrices*, 2008, sections 6.1 and 3.2; G. H. Golub, C. F. Van Loan, *Matrix
//! computations*, 4th edition, 2013, section 8.5.

use super::triangular::{square, stacked};
use super::{Kernel, Prepared, Primitive, Rule, Side, Split};
use crate::array::settled;
use crate::{Array, AutodiffError, Element, Shape};

/// A^(−½) for each symmetric positive semidefinite matrix in the last two axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InverseRoot;

/// The X with Y·X + X·Y = B, for each pair of a symmetric positive semidefinite Y and a B in the last two axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lyapunov;

impl Array<'_> {
    /// A^(−½) for each symmetric positive semidefinite matrix A in the last two axes. The symmetric part (A + Aᵀ)/2 is
    /// taken. Directions with an eigenvalue below n·ε times the largest count as those of a zero: there the result is 0, a
    /// pseudo-inverse. A matrix with a negative eigenvalue beyond that gives NaN.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let y = g.input(&[2, 2]).inverse_root();
    /// let program = Program::<f64>::compile(&g.finish(&[y]), &Options::default())?;
    /// let mut out = [0.0; 4];
    /// program.run(&[&[4.0, 0.0, 0.0, 0.25]], &mut [&mut out])?;
    /// assert_eq!(out, [0.5, 0.0, 0.0, 2.0]);
    /// program.run(&[&[2.0, 2.0, 2.0, 2.0]], &mut [&mut out])?;
    /// assert!(out.iter().all(|v| (v - 0.25).abs() < 1e-15));
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// When the last two axes are not those of square matrices;
    /// [`Array::try_inverse_root`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn inverse_root(self) -> Self {
        settled(self.try_inverse_root())
    }

    /// [`Array::inverse_root`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_inverse_root(self) -> Result<Self, AutodiffError> {
        self.try_make(InverseRoot, &[self])
    }

    /// The X with Y·X + X·Y = B for symmetric positive semidefinite Y (this array, its symmetric part) and B in the last two
    /// axes. Where two eigenvalues of Y are both zero, X has no part there.
    ///
    /// # Panics
    /// When Y is not square, or B has another shape;
    /// [`Array::try_solve_lyapunov`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn solve_lyapunov(self, b: Self) -> Self {
        settled(self.try_solve_lyapunov(b))
    }

    /// [`Array::solve_lyapunov`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_solve_lyapunov(self, b: Self) -> Result<Self, AutodiffError> {
        self.try_make(Lyapunov, &[self, b])
    }
}

fn symmetric(x: Array<'_>) -> Array<'_> {
    (x + x.matrix_transpose()) * 0.5
}

/// −Y²·S·Y² through the equation, S the symmetric part: the derivative and its own transpose.
fn slope<'g>(y: Array<'g>, change: Array<'g>) -> Array<'g> {
    let inverse = y.matmul(y);
    -y.solve_lyapunov(inverse.matmul(symmetric(change)).matmul(inverse))
}

impl Primitive for InverseRoot {
    fn name(&self) -> &'static str {
        "inverse_root"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [a] = inputs else {
            return Err("one input is needed".into());
        };
        square(a)?;
        Ok(a.clone())
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        _: &[Array<'g>],
        y: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        Some(slope(y, tangents[0]?))
    }

    fn cotangent<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>], y: Array<'g>) -> Array<'g> {
        // The map Ȧ → Ẏ is its own transpose: both factors commute with it.
        slope(y, bar)
    }

    fn split(&self, inputs: &[Shape], split: &[bool]) -> Split {
        stacked(inputs, split)
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        Small::of(&inputs[0]).map(|small| Prepared::new(Root(small)))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let n = inputs[0].last().copied().unwrap_or(0);
        (30 * inputs[0].len() * n) as u64
    }
}

impl Primitive for Lyapunov {
    fn name(&self) -> &'static str {
        "lyapunov"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [y, b] = inputs else {
            return Err("two inputs are needed".into());
        };
        square(y)?;
        if y == b {
            Ok(b.clone())
        } else {
            Err("the right-hand side has another shape".into())
        }
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        x: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let moved = tangents[0].map(|dy| {
            let dy = symmetric(dy);
            dy.matmul(x) + x.matmul(dy)
        });
        let change = match (tangents[1], moved) {
            (Some(db), Some(m)) => db - m,
            (None, Some(m)) => -m,
            (db, None) => db?,
        };
        Some(inputs[0].solve_lyapunov(change))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        x: Array<'g>,
    ) -> Array<'g> {
        let b_bar = inputs[0].solve_lyapunov(bar);
        if i == 1 {
            return b_bar;
        }
        let right = b_bar.matmul_by(x, Side::Plain, Side::Transposed);
        let left = x.matmul_by(b_bar, Side::Transposed, Side::Plain);
        -symmetric(right + left)
    }

    fn split(&self, inputs: &[Shape], split: &[bool]) -> Split {
        stacked(inputs, split)
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        Small::of(&inputs[0]).map(|small| Prepared::new(Solve(small)))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let n = inputs[0].last().copied().unwrap_or(0);
        (38 * inputs[0].len() * n) as u64
    }
}

/// Matrices in a row of the batch, and their side.
#[derive(Debug, Clone, Copy)]
struct Small {
    count: usize,
    n: usize,
}

impl Small {
    fn of(shape: &Shape) -> Option<Self> {
        let [ref outer @ .., n, _] = shape[..] else {
            return None;
        };
        let count = outer.iter().product();
        Some(Self { count, n })
    }
}

#[derive(Debug)]
struct Root(Small);

#[derive(Debug)]
struct Solve(Small);

/// Sweeps over all pairs; convergence is quadratic, so that some six are enough.
const SWEEPS: usize = 30;

/// Eigenvectors as columns of `v`; the symmetric part of `from` becomes diagonal in `a`.
fn eigen<T: Element>(from: &[T], n: usize, a: &mut [T], v: &mut [T]) {
    let half = T::of(0.5);
    for i in 0..n {
        for j in 0..n {
            a[i * n + j] = (from[i * n + j] + from[j * n + i]) * half;
            v[i * n + j] = if i == j { T::one() } else { T::zero() };
        }
    }
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let (app, aqq, apq) = (a[p * n + p], a[q * n + q], a[p * n + q]);
                // What is lost in rounding beside the diagonal is nothing.
                if apq.abs() <= T::min_positive_value()
                    || apq.abs() <= T::EPS * half * half * (app.abs() * aqq.abs()).sqrt()
                {
                    continue;
                }
                turned = true;
                let theta = (aqq - app) / (apq + apq);
                let sign = if theta < T::zero() {
                    -T::one()
                } else {
                    T::one()
                };
                let t = sign / (theta.abs() + theta.hypot(T::one()));
                let c = t.hypot(T::one()).recip();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[k * n + p], v[k * n + q]);
                    (v[k * n + p], v[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                (a[p * n + q], a[q * n + p]) = (T::zero(), T::zero());
            }
        }
        if !turned {
            break;
        }
    }
}

/// Below this an eigenvalue is that of a direction that is not there.
fn floor<T: Element>(a: &[T], n: usize) -> T {
    let largest = (0..n).fold(T::zero(), |m, i| m.max(a[i * n + i].abs()));
    largest * T::EPS * T::of(n as f64)
}

impl<T: Element> Kernel<T> for Root {
    fn scratch(&self) -> usize {
        2 * self.0.n * self.0.n
    }

    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let n = self.0.n;
        let (a, v) = scratch.split_at_mut(n * n);
        for s in 0..rows * self.0.count {
            eigen(&inputs[0][s * n * n..][..n * n], n, a, v);
            let floor = floor(a, n);
            for k in 0..n {
                let value = a[k * n + k];
                a[k * n + k] = if value.is_finite() && value.abs() <= floor {
                    T::zero()
                } else {
                    // NaN below zero.
                    value.sqrt().recip()
                };
            }
            let y = &mut out[s * n * n..][..n * n];
            for i in 0..n {
                for j in 0..=i {
                    let each = (0..n).map(|k| v[i * n + k] * a[k * n + k] * v[j * n + k]);
                    let sum: T = each.sum();
                    (y[i * n + j], y[j * n + i]) = (sum, sum);
                }
            }
        }
    }
}

impl<T: Element> Kernel<T> for Solve {
    fn scratch(&self) -> usize {
        3 * self.0.n * self.0.n
    }

    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let n = self.0.n;
        let (a, rest) = scratch.split_at_mut(n * n);
        let (v, w) = rest.split_at_mut(n * n);
        for s in 0..rows * self.0.count {
            let block = s * n * n..(s + 1) * n * n;
            eigen(&inputs[0][block.clone()], n, a, v);
            let floor = floor(a, n);
            let (b, x) = (&inputs[1][block.clone()], &mut out[block]);
            // W = B·V, X = Vᵀ·W, divided; W = V·X, X = W·Vᵀ.
            for i in 0..n {
                for j in 0..n {
                    w[i * n + j] = (0..n).map(|k| b[i * n + k] * v[k * n + j]).sum();
                }
            }
            for i in 0..n {
                for j in 0..n {
                    let sum: T = (0..n).map(|k| v[k * n + i] * w[k * n + j]).sum();
                    let both = a[i * n + i] + a[j * n + j];
                    x[i * n + j] = if both.abs() <= floor {
                        T::zero()
                    } else {
                        sum / both
                    };
                }
            }
            for i in 0..n {
                for j in 0..n {
                    w[i * n + j] = (0..n).map(|k| v[i * n + k] * x[k * n + j]).sum();
                }
            }
            for i in 0..n {
                for j in 0..n {
                    x[i * n + j] = (0..n).map(|k| w[i * n + k] * v[j * n + k]).sum();
                }
            }
        }
    }
}
