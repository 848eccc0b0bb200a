//! Projections on the couplings of two marginals.
//!
//! Both geometries have the form X = φ(Y + f⊕g) with potentials f, g that give the marginals, φ = max(·, 0) or exp. The
//! dual, Σ Φ(Y + f⊕g) − aᵀf − bᵀg with Φ′ = φ, is convex; its Hessian, and everything in derivatives, needs the weights
//! ω = φ′ only:
//!
//! ```text
//! ∂X = ω⊙(∂Y + ∂f⊕∂g),   H·(∂f, ∂g) = (∂a, ∂b) − marginals of ω⊙∂Y,   H = [diag(ω1), ω; ωᵀ, diag(ωᵀ1)]
//! ```
//!
//! H has a kernel for each connected component of the support; the pseudo-inverse is what is meant.

use ansatz_core::EvalError;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

use super::{Derivative, ParametricMap, Point, Proximal, check};
use crate::LinalgError;

/// The distance in which a coupling is nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Geometry {
    /// ‖X − Y‖².
    #[default]
    Euclidean,
    /// Σ X(log X − 1 − Y): the Kullback-Leibler divergence from e^Y, as in entropic transport.
    Entropic,
}

/// The nearest coupling: X ≥ 0 with row sums a and column sums b, for m×n matrices Y row by row and the arguments [a, b].
/// With a = b = 1 that is Birkhoff's polytope.
///
/// Newton's method on the dual, O((m + n)³) a step and typically 10 to 30 steps; the derivative takes one eigenvalue
/// decomposition of order m + n.
///
/// Source: M. Blondel, V. Seguy, A. Rolet, *Smooth and sparse optimal transport*, 2018.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// m.
    pub rows: usize,
    /// n.
    pub columns: usize,
    /// The distance.
    pub geometry: Geometry,
}

impl Proximal for Transport {}

const STEPS: usize = 500;

impl Transport {
    /// Value, weight and Φ of one entry.
    fn entry(&self, s: f64) -> [f64; 3] {
        match self.geometry {
            Geometry::Euclidean if s > 0.0 => [s, 1.0, 0.5 * s * s],
            Geometry::Euclidean => [0.0; 3],
            Geometry::Entropic => [s.exp(); 3],
        }
    }

    /// φ, φ′ and the dual value at potentials.
    fn evaluate(&self, y: &[f64], p: &[f64], marginals: &[f64]) -> ([Vec<f64>; 2], f64) {
        let (f, g) = p.split_at(self.rows);
        let mut parts = [Vec::with_capacity(y.len()), Vec::with_capacity(y.len())];
        let mut dual = -super::dot(p, marginals);
        for (row, f) in y.chunks_exact(self.columns).zip(f) {
            for (y, g) in row.iter().zip(g) {
                let [value, weight, integral] = self.entry(y + f + g);
                parts[0].push(value);
                parts[1].push(weight);
                dual += integral;
            }
        }
        (parts, dual)
    }

    /// Row sums, then column sums.
    fn sums(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.rows + self.columns];
        let (rows, columns) = out.split_at_mut(self.rows);
        for (x, row) in x.chunks_exact(self.columns).zip(rows) {
            for (x, column) in x.iter().zip(&mut *columns) {
                *row += x;
                *column += x;
            }
        }
        out
    }

    fn hessian(&self, weights: &[f64]) -> Mat<f64> {
        let (m, sums) = (self.rows, self.sums(weights));
        let n = sums.len();
        Mat::from_fn(n, n, |i, j| match (i < m, j < m) {
            _ if i == j => sums[i],
            (true, false) => weights[i * self.columns + j - m],
            (false, true) => weights[j * self.columns + i - m],
            _ => 0.0,
        })
    }
}

impl ParametricMap for Transport {
    fn unknowns(&self) -> usize {
        self.rows * self.columns
    }

    fn arguments(&self) -> Vec<usize> {
        vec![self.rows, self.columns]
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let marginals = at.args.concat();
        for (value, needed) in marginals.iter().map(|v| (*v, "a finite number above 0")) {
            crate::error::within("marginal", value, f64::MIN_POSITIVE.., needed)?;
        }
        let total: f64 = at.args[0].iter().sum();
        let other: f64 = at.args[1].iter().sum();
        if (total - other).abs() > 1e-9 * total {
            return Err(LinalgError::Infeasible {
                what: "transport polytope: the marginals have other sums",
                at: 0,
                violation: total - other,
            });
        }
        let order = marginals.len();
        // Potentials that put every row right by itself, up to the size of the largest entry.
        let mut p = vec![0.0; order];
        for (i, row) in at.x.chunks_exact(self.columns).enumerate() {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            p[i] = match self.geometry {
                Geometry::Euclidean => at.args[0][i] / self.columns as f64 - top,
                Geometry::Entropic => (at.args[0][i] / self.columns as f64).ln() - top,
            };
        }
        let ([mut x, mut weights], mut dual) = self.evaluate(at.x, &p, &marginals);
        let mut best = f64::INFINITY;
        for step in 0..=STEPS {
            let sums = self.sums(&x);
            let r: Vec<f64> = marginals.iter().zip(&sums).map(|(m, s)| m - s).collect();
            let error = r.iter().fold(0.0, |e: f64, r| e.max(r.abs()));
            // Down to rounding, where steps no longer help.
            if error <= 1e-15 * total || (error <= 1e-12 * total && error >= 0.5 * best) {
                break;
            }
            best = best.min(error);
            if step == STEPS {
                return Err(LinalgError::NotConverged {
                    iterations: STEPS,
                    residual: error / total,
                    tolerance: 1e-12,
                });
            }
            let mut h = self.hessian(&weights);
            let size = (0..order).fold(0.0, |s: f64, i| s.max(h[(i, i)]));
            let shift = 1e-13 * size + (error / total).min(1e-2) * 1e-3;
            let direction = loop_shift(&mut h, shift.max(1e-12), &r);
            let slope: f64 = -super::dot(&direction, &r);
            let mut length = 1.0;
            loop {
                let next: Vec<f64> = p
                    .iter()
                    .zip(&direction)
                    .map(|(p, d)| p + length * d)
                    .collect();
                let (parts, value) = self.evaluate(at.x, &next, &marginals);
                let allowed = dual + 1e-4 * length * slope + 1e-14 * (dual.abs() + total);
                if value <= allowed || length < 1e-10 {
                    (p, [x, weights], dual) = (next, parts, value);
                    break;
                }
                length *= 0.5;
            }
        }
        out.copy_from_slice(&x);
        let eigen = self
            .hessian(&weights)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| LinalgError::Breakdown {
                iteration: 0,
                what: "eigenvalues of the dual of transport",
                value: f64::NAN,
            })?;
        let values: Vec<f64> = (0..order).map(|i| eigen.S()[i]).collect();
        let cut = 1e-12 * values.iter().copied().fold(0.0, f64::max);
        let u = eigen.U();
        let inverse = Mat::from_fn(order, order, |i, j| {
            let kept = (0..order).filter(|k| values[*k] > cut);
            kept.map(|k| u[(i, k)] * u[(j, k)] / values[k]).sum::<f64>()
        });
        Ok(Box::new(Coupling {
            map: *self,
            weights,
            inverse,
        }))
    }
}

/// (H + shift)⁻¹r, with a larger shift where rounding asks for it.
fn loop_shift(h: &mut Mat<f64>, mut shift: f64, r: &[f64]) -> Vec<f64> {
    let n = r.len();
    loop {
        for i in 0..n {
            h[(i, i)] += shift;
        }
        if let Ok(factor) = Llt::new(h.as_ref(), Side::Lower) {
            let solution = factor.solve(&Mat::from_fn(n, 1, |i, _| r[i]));
            return solution.col_as_slice(0).to_vec();
        }
        if !shift.is_finite() {
            return r.to_vec();
        }
        shift *= 10.0;
    }
}

struct Coupling {
    map: Transport,
    /// ω.
    weights: Vec<f64>,
    /// The pseudo-inverse of H.
    inverse: Mat<f64>,
}

impl Coupling {
    fn weigh(&self, v: &[f64]) -> Vec<f64> {
        self.weights.iter().zip(v).map(|(w, v)| w * v).collect()
    }

    fn solve(&self, r: &[f64]) -> Vec<f64> {
        let n = r.len();
        (0..n)
            .map(|i| (0..n).map(|j| self.inverse[(i, j)] * r[j]).sum())
            .collect()
    }

    /// `out ← out + ω⊙(f⊕g)`.
    fn spread(&self, potentials: &[f64], out: &mut [f64]) {
        let (f, g) = potentials.split_at(self.map.rows);
        for (i, out) in out.iter_mut().enumerate() {
            let (row, column) = (i / self.map.columns, i % self.map.columns);
            *out += self.weights[i] * (f[row] + g[column]);
        }
    }
}

impl Derivative for Coupling {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        out.copy_from_slice(&self.weigh(w));
        let mut back = self.map.sums(out);
        for b in &mut back {
            *b = -*b;
        }
        self.spread(&self.solve(&back), out);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.jvp_x(v, out)
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(0.0);
        self.spread(&self.solve(&w.concat()), out);
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let q = self.solve(&self.map.sums(&self.weigh(v)));
        let (a, b) = q.split_at(self.map.rows);
        out[0].copy_from_slice(a);
        out[1].copy_from_slice(b);
        Ok(())
    }
}
