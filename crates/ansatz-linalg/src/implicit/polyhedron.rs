//! Projections on sets of linear equalities and inequalities.
//!
//! With N the rows that hold with equality and n their right-hand sides, y = P(x) satisfies y + Nᵀμ = x, N·y = n, and so
//!
//! ```text
//! ∂y + Nᵀ∂μ = ∂x − ∂Nᵀμ,   N·∂y = ∂n − ∂N·y
//! ```

use ansatz_core::EvalError;
use faer::Mat;
use faer::linalg::solvers::{PartialPivLu, Solve};

use super::{
    Derivative, ParametricMap, Point, Proximal, QuadraticProgram, add_product, add_transposed,
    check, dot,
};
use crate::LinalgError;

/// The projection on {A·y = b, G·y ≤ h}, by the solver of [`QuadraticProgram`]. The arguments are [A, b] if there are
/// equalities, then [G, h] if there are inequalities, matrices row by row.
///
/// Rows of A, and active rows of G, must be linearly independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polyhedron {
    /// Elements.
    pub n: usize,
    /// Rows of A.
    pub equalities: usize,
    /// Rows of G.
    pub inequalities: usize,
}

impl Polyhedron {
    /// {aᵀy = b}.
    #[must_use]
    pub fn hyperplane(n: usize) -> Self {
        Self::affine(n, 1)
    }

    /// {aᵀy ≤ b}.
    #[must_use]
    pub fn half_space(n: usize) -> Self {
        Self {
            n,
            equalities: 0,
            inequalities: 1,
        }
    }

    /// {A·y = b} with `rows` rows.
    #[must_use]
    pub fn affine(n: usize, rows: usize) -> Self {
        Self {
            n,
            equalities: rows,
            inequalities: 0,
        }
    }
}

impl Proximal for Polyhedron {}

impl ParametricMap for Polyhedron {
    fn unknowns(&self) -> usize {
        self.n
    }

    fn arguments(&self) -> Vec<usize> {
        let pairs = [self.equalities, self.inequalities];
        let some = pairs.iter().filter(|rows| **rows > 0);
        some.flat_map(|rows| [rows * self.n, *rows]).collect()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let n = self.n;
        let empty: &[f64] = &[];
        let pair = |k: usize| [at.args[2 * k], at.args[2 * k + 1]];
        let [a, b] = if self.equalities > 0 {
            pair(0)
        } else {
            [empty; 2]
        };
        let after = usize::from(self.equalities > 0);
        let [g, h] = if self.inequalities > 0 {
            pair(after)
        } else {
            [empty; 2]
        };
        let mut unit = vec![0.0; n * n];
        unit.iter_mut().step_by(n + 1).for_each(|u| *u = 1.0);
        let target: Vec<f64> = at.x.iter().map(|x| -x).collect();
        let program = QuadraticProgram {
            n,
            equalities: self.equalities,
            inequalities: self.inequalities,
        };
        let solution = program.solve(&[&unit, &target, a, b, g, h])?;
        out.copy_from_slice(&solution.x);
        let mut active: Vec<(usize, usize)> = (0..self.equalities).map(|row| (0, row)).collect();
        let bounds = (0..self.inequalities).filter(|row| solution.inequality[*row] > 0.0);
        active.extend(bounds.map(|row| (2 * after, row)));
        let multipliers = active.iter().map(|(arg, row)| {
            if *arg == 0 && self.equalities > 0 {
                solution.equality[*row]
            } else {
                solution.inequality[*row]
            }
        });
        let rows: Vec<f64> = active
            .iter()
            .flat_map(|(arg, row)| at.args[*arg][row * n..(row + 1) * n].to_vec())
            .collect();
        let count = active.len();
        let gram = Mat::from_fn(count, count, |i, j| {
            dot(&rows[i * n..(i + 1) * n], &rows[j * n..(j + 1) * n])
        });
        let gram = (count > 0).then(|| gram.partial_piv_lu());
        if let Some(lu) = &gram {
            let sizes = || (0..count).map(|i| lu.U()[(i, i)].abs());
            let estimate = sizes().fold(f64::INFINITY, f64::min) / sizes().fold(0.0, f64::max);
            if estimate.is_nan() || estimate <= count as f64 * f64::EPSILON {
                return Err(LinalgError::Singular {
                    what: "active rows of a polyhedron",
                    estimate: estimate.max(0.0),
                });
            }
        }
        Ok(Box::new(Face {
            multipliers: multipliers.collect(),
            active,
            rows,
            gram,
            y: solution.x,
        }))
    }
}

struct Face {
    /// Argument and row of each active constraint.
    active: Vec<(usize, usize)>,
    /// N.
    rows: Vec<f64>,
    /// N·Nᵀ, unless nothing is active.
    gram: Option<PartialPivLu<f64>>,
    /// μ.
    multipliers: Vec<f64>,
    y: Vec<f64>,
}

impl Face {
    /// (p, q) with p + Nᵀq = v, N·p = n.
    fn solve(&self, v: &[f64], n: &[f64], p: &mut [f64]) -> Vec<f64> {
        p.copy_from_slice(v);
        let Some(lu) = &self.gram else {
            return Vec::new();
        };
        let mut rhs: Vec<f64> = n.iter().map(|n| -n).collect();
        add_product(1.0, &self.rows, v, &mut rhs);
        let q = lu.solve(&Mat::from_fn(rhs.len(), 1, |i, _| rhs[i]));
        let q = q.col_as_slice(0).to_vec();
        add_transposed(-1.0, &self.rows, &q, p);
        q
    }
}

impl Derivative for Face {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.solve(w, &vec![0.0; self.active.len()], out);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.jvp_x(v, out)
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        let n = self.y.len();
        let (mut v, mut right) = (vec![0.0; n], Vec::with_capacity(self.active.len()));
        for ((arg, row), mu) in self.active.iter().zip(&self.multipliers) {
            let change = &w[*arg][row * n..(row + 1) * n];
            right.push(w[arg + 1][*row] - dot(change, &self.y));
            for (v, change) in v.iter_mut().zip(change) {
                *v -= mu * change;
            }
        }
        self.solve(&v, &right, out);
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        for out in out.iter_mut() {
            out.fill(0.0);
        }
        let n = self.y.len();
        let mut p = vec![0.0; n];
        let q = self.solve(v, &vec![0.0; self.active.len()], &mut p);
        for (i, (arg, row)) in self.active.iter().enumerate() {
            out[arg + 1][*row] = q[i];
            let mu = self.multipliers[i];
            for (j, out) in out[*arg][row * n..(row + 1) * n].iter_mut().enumerate() {
                *out = -mu * p[j] - q[i] * self.y[j];
            }
        }
        Ok(())
    }
}
