//! Conic programs.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, add_outer, add_product, add_transposed, check, dot};
use crate::LinalgError;
use crate::error::finite;

/// A cone of slacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cone {
    /// {0}ⁿ: equalities.
    Zero(usize),
    /// s ≥ 0.
    NonNegative(usize),
    /// s₁ ≥ ‖(s₂, …, sₙ)‖.
    SecondOrder(usize),
}

impl Cone {
    fn len(self) -> usize {
        let (Self::Zero(n) | Self::NonNegative(n) | Self::SecondOrder(n)) = self;
        n
    }

    /// Π of the dual cone, and its derivative.
    fn project_dual(self, v: &[f64], out: &mut [f64]) -> Part {
        out.copy_from_slice(v);
        match self {
            Self::Zero(n) => Part::Diagonal(vec![1.0; n]),
            Self::NonNegative(_) => {
                for v in out.iter_mut() {
                    *v = v.max(0.0);
                }
                let live = v.iter().map(|v| if *v > 0.0 { 1.0 } else { 0.0 });
                Part::Diagonal(live.collect())
            }
            Self::SecondOrder(n) => {
                let (Some((t, z)), Some((first, rest))) = (v.split_first(), out.split_first_mut())
                else {
                    return Part::Diagonal(Vec::new());
                };
                let norm = dot(z, z).sqrt();
                if norm <= *t {
                    return Part::Diagonal(vec![1.0; n]);
                }
                if norm <= -t {
                    out.fill(0.0);
                    return Part::Diagonal(vec![0.0; n]);
                }
                *first = 0.5 * (t + norm);
                for (rest, z) in rest.iter_mut().zip(z) {
                    *rest = *first * z / norm;
                }
                Part::Round {
                    ratio: t / norm,
                    axis: z.iter().map(|z| z / norm).collect(),
                }
            }
        }
    }
}

/// The derivative of the projection on one cone: symmetric.
enum Part {
    Diagonal(Vec<f64>),
    /// ½[1, ẑᵀ; ẑ, (1 + r)I − rẑẑᵀ].
    Round {
        ratio: f64,
        axis: Vec<f64>,
    },
}

impl Part {
    fn apply(&self, w: &[f64], out: &mut [f64]) {
        match self {
            Self::Diagonal(d) => {
                for ((out, d), w) in out.iter_mut().zip(d).zip(w) {
                    *out = d * w;
                }
            }
            Self::Round { ratio, axis } => {
                let along = dot(axis, &w[1..]);
                out[0] = 0.5 * (w[0] + along);
                for (i, a) in axis.iter().enumerate() {
                    out[i + 1] = 0.5 * (a * w[0] + (1.0 + ratio) * w[i + 1] - ratio * along * a);
                }
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Diagonal(d) => d.len(),
            Self::Round { axis, .. } => axis.len() + 1,
        }
    }
}

/// The optimality of min cᵀz subject to A·z + s = b, s ∈ K, as a map of x = (z, v), where y = Π(v) on the dual cone is the
/// multiplier and s = y − v the slack. The arguments are [A (m×n, row by row), b, c].
///
/// ```text
/// F = (Aᵀy + c,  b − A·z − s)
/// ```
///
/// Deviation: the homogeneous embedding of the sources, ((Q − I)Π + I)x, has one unknown more, a scale w, and is singular
/// along x at every solution. Here w = 1; its last equation, cᵀz + bᵀy = 0, then follows from the others.
///
/// Sources: E. Busseti, W. Moursi, S. Boyd, *Solution refinement at regular points of conic problems*, 2019;
/// A. Agrawal, S. Barratt, S. Boyd, E. Busseti, W. Moursi, *Differentiating through a cone program*, 2019.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConicProgram {
    /// Length of z.
    pub n: usize,
    /// K, as a product.
    pub cones: Vec<Cone>,
}

impl ConicProgram {
    /// Rows of A.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.cones.iter().map(|c| c.len()).sum()
    }

    /// x = (z, y − s) from what solvers give.
    #[must_use]
    pub fn point(z: &[f64], multipliers: &[f64], slacks: &[f64]) -> Vec<f64> {
        let v = multipliers.iter().zip(slacks).map(|(y, s)| y - s);
        z.iter().copied().chain(v).collect()
    }
}

impl ParametricMap for ConicProgram {
    fn unknowns(&self) -> usize {
        self.n + self.rows()
    }

    fn arguments(&self) -> Vec<usize> {
        let m = self.rows();
        vec![m * self.n, m, self.n]
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let (z, v) = at.x.split_at(self.n);
        let (a, b, c) = (at.args[0], at.args[1], at.args[2]);
        let mut y = v.to_vec();
        let mut parts = Vec::with_capacity(self.cones.len());
        let mut start = 0;
        for cone in &self.cones {
            let range = start..start + cone.len();
            parts.push(cone.project_dual(&v[range.clone()], &mut y[range.clone()]));
            start = range.end;
        }
        let (first, second) = out.split_at_mut(self.n);
        first.copy_from_slice(c);
        add_transposed(1.0, a, &y, first);
        for (i, out) in second.iter_mut().enumerate() {
            *out = b[i] - (y[i] - v[i]);
        }
        add_product(-1.0, a, z, second);
        finite("value of a map", out)?;
        Ok(Box::new(AtPoint {
            z: z.to_vec(),
            a: a.to_vec(),
            y,
            parts,
        }))
    }
}

struct AtPoint {
    z: Vec<f64>,
    y: Vec<f64>,
    a: Vec<f64>,
    parts: Vec<Part>,
}

impl AtPoint {
    fn project(&self, w: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; w.len()];
        let mut start = 0;
        for part in &self.parts {
            let range = start..start + part.len();
            part.apply(&w[range.clone()], &mut out[range.clone()]);
            start = range.end;
        }
        out
    }
}

impl Derivative for AtPoint {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let (z, v) = w.split_at(self.z.len());
        let (first, second) = out.split_at_mut(self.z.len());
        let y = self.project(v);
        first.fill(0.0);
        add_transposed(1.0, &self.a, &y, first);
        for (i, out) in second.iter_mut().enumerate() {
            *out = v[i] - y[i];
        }
        add_product(-1.0, &self.a, z, second);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let (p, q) = v.split_at(self.z.len());
        let (first, second) = out.split_at_mut(self.z.len());
        first.fill(0.0);
        add_transposed(-1.0, &self.a, q, first);
        let mut back: Vec<f64> = q.iter().map(|q| -q).collect();
        add_product(1.0, &self.a, p, &mut back);
        second.copy_from_slice(&self.project(&back));
        for (out, q) in second.iter_mut().zip(q) {
            *out += q;
        }
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        let (first, second) = out.split_at_mut(self.z.len());
        first.copy_from_slice(w[2]);
        add_transposed(1.0, w[0], &self.y, first);
        second.copy_from_slice(w[1]);
        add_product(-1.0, w[0], &self.z, second);
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let (p, q) = v.split_at(self.z.len());
        out[0].fill(0.0);
        add_outer(1.0, &self.y, p, out[0]);
        add_outer(-1.0, q, &self.z, out[0]);
        out[1].copy_from_slice(q);
        out[2].copy_from_slice(p);
        Ok(())
    }
}
