//! Quadratic programs: a solver for small dense ones, and the map of their optimality.

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

use super::bilinear::{Bilinear, Factor, Operand, Term};
use super::{Kkt, ParametricMap, Point, check_lengths, dot};
use crate::LinalgError;
use crate::error::finite;

/// min ½xᵀQx + cᵀx subject to A·x = b and G·x ≤ h, with the arguments [Q, c, A, b, G, h], matrices row by row.
///
/// [`QuadraticProgram::optimality`] is the map to differentiate; [`QuadraticProgram::solve`] solves small programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuadraticProgram {
    /// Unknowns.
    pub n: usize,
    /// Rows of A.
    pub equalities: usize,
    /// Rows of G.
    pub inequalities: usize,
}

/// A solution of a [`QuadraticProgram`].
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticSolution {
    /// The minimiser.
    pub x: Vec<f64>,
    /// ν: multipliers of A·x = b, as in Q·x + c + Aᵀν + Gᵀλ = 0.
    pub equality: Vec<f64>,
    /// λ ≥ 0: multipliers of G·x ≤ h.
    pub inequality: Vec<f64>,
}

impl QuadraticSolution {
    /// (x, ν, λ): the unknowns of [`Kkt`].
    #[must_use]
    pub fn stacked(&self) -> Vec<f64> {
        [&self.x[..], &self.equality, &self.inequality].concat()
    }
}

impl QuadraticProgram {
    /// Lengths of the arguments.
    #[must_use]
    pub fn arguments(&self) -> Vec<usize> {
        let (n, e, i) = (self.n, self.equalities, self.inequalities);
        vec![n * n, n, e * n, e, i * n, i]
    }

    /// The Karush-Kuhn-Tucker conditions as a map of (x, ν, λ).
    #[must_use]
    pub fn optimality(&self) -> Kkt<Bilinear, Bilinear, Bilinear> {
        let (n, e, i) = (self.n, self.equalities, self.inequalities);
        let plus = |factor, operand| Term {
            coefficient: 1.0,
            factor,
            operand,
        };
        let less = |k| Term {
            coefficient: -1.0,
            factor: Factor::Identity,
            operand: Operand::Argument(k),
        };
        let mut with_multipliers = vec![e, i];
        with_multipliers.extend(self.arguments());
        let make = |outputs, arguments, terms| Bilinear::fitting(n, outputs, arguments, terms);
        let lagrangian = vec![
            plus(Factor::Matrix(2), Operand::Unknowns),
            plus(Factor::Identity, Operand::Argument(3)),
            plus(Factor::Transposed(4), Operand::Argument(0)),
            plus(Factor::Transposed(6), Operand::Argument(1)),
        ];
        let row = |matrix, side| vec![plus(Factor::Matrix(matrix), Operand::Unknowns), less(side)];
        Kkt {
            lagrangian: make(n, with_multipliers, lagrangian),
            equalities: make(e, self.arguments(), row(2, 3)),
            inequalities: make(i, self.arguments(), row(4, 5)),
        }
    }

    /// Solves the program by the dual active-set method: exact after finitely many steps, each of O(n²k + k³) for k
    /// active constraints.
    ///
    /// Source: D. Goldfarb, A. Idnani, *A numerically stable dual method for solving strictly convex quadratic
    /// programs*, 1983.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::NotPositiveDefinite`] for Q;
    /// [`LinalgError::Infeasible`], constraints numbered equalities first; [`LinalgError::NotConverged`].
    pub fn solve(&self, args: &[&[f64]]) -> Result<QuadraticSolution, LinalgError> {
        let &[q, c, a, b, g, h] = args else {
            return Err(LinalgError::Shape {
                what: "arguments",
                expected: 6,
                got: args.len(),
            });
        };
        check_lengths("arguments", &self.arguments(), args.iter().map(|a| a.len()))?;
        for arg in args {
            finite("argument of a quadratic program", arg)?;
        }
        let (n, e) = (self.n, self.equalities);
        let q = Mat::from_fn(n, n, |i, j| q[i * n + j]);
        let factor = Llt::new(q.as_ref(), Side::Lower).map_err(|error| {
            let faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index } = error;
            LinalgError::NotPositiveDefinite {
                what: "matrix of a quadratic program",
                at: index,
                value: q[(index, index)],
            }
        })?;
        let inverse = |v: &[f64]| -> Vec<f64> {
            let v = Mat::from_fn(n, 1, |i, _| v[i]);
            factor.solve(&v).col_as_slice(0).to_vec()
        };
        let rows = (0..e).map(|k| (&a[k * n..(k + 1) * n], b[k]));
        let bounds = (0..self.inequalities).map(|k| (&g[k * n..(k + 1) * n], h[k]));
        let constraints: Vec<(&[f64], f64)> = rows.chain(bounds).collect();
        let mut state = ActiveSet {
            x: inverse(c).iter().map(|x| -x).collect(),
            active: Vec::new(),
        };
        for k in 0..e {
            state.add(&constraints, k, &inverse, e)?;
        }
        let most = 100 + 50 * constraints.len();
        for _ in 0..most {
            // Violations in units of the row, so that scales of constraints do not matter.
            let violation = |k: usize| {
                let (row, bound) = constraints[k];
                let size = dot(row, row).sqrt().max(f64::MIN_POSITIVE);
                let here = dot(&state.x, &state.x).sqrt();
                let slack = 1e-13 * (here + bound.abs() / size + 1.0);
                ((dot(row, &state.x) - bound) / size, slack)
            };
            let worst = (e..constraints.len())
                .map(|k| (k, violation(k)))
                .filter(|(_, (v, slack))| v > slack)
                .max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b));
            let Some((k, _)) = worst else {
                let mut multipliers = vec![0.0; constraints.len()];
                for (k, u, _) in &state.active {
                    multipliers[*k] = *u;
                }
                let inequality = multipliers.split_off(e);
                return Ok(QuadraticSolution {
                    x: state.x,
                    equality: multipliers,
                    inequality,
                });
            };
            state.add(&constraints, k, &inverse, e)?;
        }
        Err(LinalgError::NotConverged {
            iterations: most,
            residual: f64::NAN,
            tolerance: 0.0,
        })
    }
}

struct ActiveSet {
    x: Vec<f64>,
    /// Constraint, multiplier, Q⁻¹·row.
    active: Vec<(usize, f64, Vec<f64>)>,
}

impl ActiveSet {
    /// Steps until constraint `k` holds with equality, letting go of others that it makes superfluous.
    fn add(
        &mut self,
        constraints: &[(&[f64], f64)],
        k: usize,
        inverse: &dyn Fn(&[f64]) -> Vec<f64>,
        equalities: usize,
    ) -> Result<(), LinalgError> {
        let (row, bound) = constraints[k];
        let turned = inverse(row);
        let mut multiplier = 0.0;
        loop {
            let violation = dot(row, &self.x) - bound;
            let count = self.active.len();
            let mut direction: Vec<f64> = turned.iter().map(|t| -t).collect();
            let mut change = vec![0.0; count];
            if count > 0 {
                let gram = Mat::from_fn(count, count, |i, j| {
                    dot(constraints[self.active[i].0].0, &self.active[j].2)
                });
                let rhs = Mat::from_fn(count, 1, |i, _| {
                    dot(constraints[self.active[i].0].0, &turned)
                });
                let r = gram.partial_piv_lu().solve(&rhs);
                for (i, (_, _, column)) in self.active.iter().enumerate() {
                    change[i] = -r[(i, 0)];
                    for (d, column) in direction.iter_mut().zip(column) {
                        *d += r[(i, 0)] * column;
                    }
                }
            }
            let slope = -dot(row, &direction);
            let dependent = slope <= 1e-12 * dot(row, &turned);
            let full = if dependent {
                f64::INFINITY
            } else {
                violation / slope
            };
            // Equalities may go either way and never leave.
            let heading = if violation < 0.0 && !dependent {
                -1.0
            } else {
                1.0
            };
            let blocking = (0..count)
                .filter(|i| self.active[*i].0 >= equalities && heading * change[*i] < 0.0)
                .map(|i| (i, self.active[i].1 / (heading * -change[i])))
                .min_by(|(_, a), (_, b)| a.total_cmp(b));
            let step = blocking.map_or(full.abs(), |(_, t)| t.min(full.abs()));
            if step.is_infinite() {
                let size = 1e-10 * (1.0 + bound.abs() + dot(row, row).sqrt());
                if violation.abs() <= size || (k >= equalities && violation <= size) {
                    return Ok(()); // follows from the others
                }
                return Err(LinalgError::Infeasible {
                    what: "quadratic program",
                    at: k,
                    violation,
                });
            }
            let step = heading * step;
            if !dependent {
                for (x, d) in self.x.iter_mut().zip(&direction) {
                    *x += step * d;
                }
            }
            for ((_, u, _), change) in self.active.iter_mut().zip(&change) {
                *u += step * change;
            }
            multiplier += step;
            match blocking {
                Some((i, t)) if t < full.abs() => {
                    self.active.remove(i);
                }
                _ => {
                    self.active.push((k, multiplier, turned));
                    return Ok(());
                }
            }
        }
    }
}

impl QuadraticProgram {
    /// ‖F‖ of the optimality conditions at a solution.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`].
    pub fn residual(
        &self,
        solution: &QuadraticSolution,
        args: &[&[f64]],
    ) -> Result<f64, LinalgError> {
        let x = solution.stacked();
        let mut out = vec![0.0; x.len()];
        self.optimality().value(Point { x: &x, args }, &mut out)?;
        Ok(dot(&out, &out).sqrt())
    }
}
