//! Maps of groups of elements with one number θ: simplexes, norm balls and spheres, the group lasso.
//!
//! All have Jacobians that are diagonal plus rank one within a group, symmetric in x:
//!
//! ```text
//! ∂y = d⊙∂x + u·(c·uᵀ∂x) + g·∂θ
//! ```

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, Proximal, check, dot};
use crate::LinalgError;
use crate::error::within;

/// What is done to a group x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupKind {
    /// The point of {y ≥ 0, Σy = θ} nearest to x.
    Simplex,
    /// The same with at most this many entries that are not 0.
    SparseSimplex(usize),
    /// θ·softmax(x): the point of the simplex nearest in the Kullback-Leibler sense to eˣ.
    EntropicSimplex,
    /// The nearest point with ‖y‖₁ ≤ θ.
    L1Ball,
    /// A nearest point with ‖y‖₁ = θ.
    L1Sphere,
    /// The nearest point with ‖y‖ ≤ θ.
    L2Ball,
    /// The nearest point with ‖y‖ = θ; 0 has none.
    L2Sphere,
    /// x·max(1 − ηθ/‖x‖, 0): the proximal operator of θ‖y‖.
    GroupLasso,
}

/// A [`GroupKind`] map on consecutive groups of equal width that share the one argument, θ. O(n log n) for simplexes and
/// ℓ₁, O(n) else.
///
/// Sources: J. Duchi, S. Shalev-Shwartz, Y. Singer, T. Chandra, *Efficient projections onto the ℓ₁-ball*, 2008;
/// A. Kyrillidis, S. Becker, V. Cevher, C. Koch, *Sparse projections onto the simplex*, 2013.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouped {
    kind: GroupKind,
    width: usize,
    count: usize,
    step: f64,
}

impl Grouped {
    /// For `count` groups of `width` elements.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for groups of no element, or a sparse simplex with none to keep.
    pub fn new(kind: GroupKind, width: usize, count: usize) -> Result<Self, LinalgError> {
        within("width", width as f64, 1.0.., "at least 1")?;
        if let GroupKind::SparseSimplex(keep) = kind {
            within("entries to keep", keep as f64, 1.0.., "at least 1")?;
        }
        Ok(Self {
            kind,
            width,
            count,
            step: 1.0,
        })
    }

    /// Writes the value of one group and gives d, u, g and c.
    fn group(&self, x: &[f64], theta: f64, y: &mut [f64]) -> Result<Group, LinalgError> {
        let norm = dot(x, x).sqrt();
        Ok(match self.kind {
            GroupKind::Simplex => threshold(x, theta, x.len(), y),
            GroupKind::SparseSimplex(keep) => threshold(x, theta, keep, y),
            GroupKind::EntropicSimplex => {
                let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (x - top).exp();
                }
                let total: f64 = y.iter().sum();
                for y in y.iter_mut() {
                    *y *= theta / total;
                }
                weighted(y.to_vec())
            }
            GroupKind::L1Ball if x.iter().map(|x| x.abs()).sum::<f64>() <= theta => identity(x, y),
            GroupKind::L1Ball | GroupKind::L1Sphere => {
                let sizes: Vec<f64> = x.iter().map(|x| x.abs()).collect();
                let mut group = threshold(&sizes, theta, x.len(), y);
                for (i, x) in x.iter().enumerate() {
                    let sign = 1.0_f64.copysign(*x);
                    y[i] *= sign;
                    group.u[i] *= sign;
                    group.g[i] *= sign;
                }
                group
            }
            GroupKind::L2Ball if norm <= theta => identity(x, y),
            GroupKind::L2Sphere if norm == 0.0 => {
                return Err(LinalgError::Parameter {
                    name: "norm of a group",
                    value: 0.0,
                    needed: "above 0: the centre has no nearest point on a sphere",
                });
            }
            GroupKind::L2Ball | GroupKind::L2Sphere => radial(x, norm, [theta, 0.0, 1.0], y),
            GroupKind::GroupLasso => {
                let cut = self.step * theta;
                if norm > cut {
                    radial(x, norm, [norm - cut, 1.0, -self.step], y)
                } else {
                    y.fill(0.0);
                    Group::flat(x.len(), 0.0)
                }
            }
        })
    }
}

/// The derivative of one group.
struct Group {
    d: Vec<f64>,
    u: Vec<f64>,
    g: Vec<f64>,
    c: f64,
}

impl Group {
    /// A multiple of the identity.
    fn flat(n: usize, d: f64) -> Self {
        Self {
            d: vec![d; n],
            u: vec![0.0; n],
            g: vec![0.0; n],
            c: 0.0,
        }
    }
}

fn identity(x: &[f64], y: &mut [f64]) -> Group {
    y.copy_from_slice(x);
    Group::flat(x.len(), 1.0)
}

/// ∂y = ω⊙(∂x − ∂τ) with Σ∂y = ∂θ.
fn weighted(weights: Vec<f64>) -> Group {
    let total: f64 = weights.iter().sum();
    let inverse = if total > 0.0 { 1.0 / total } else { 0.0 };
    Group {
        g: weights.iter().map(|w| w * inverse).collect(),
        u: weights.clone(),
        d: weights,
        c: -inverse,
    }
}

/// y = max(x − τ, 0) on the `keep` largest elements, with τ such that Σy = θ.
fn threshold(x: &[f64], theta: f64, keep: usize, y: &mut [f64]) -> Group {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|a, b| x[*b].total_cmp(&x[*a]));
    order.truncate(keep);
    let (mut sum, mut tau, mut support) = (-theta, 0.0, 0);
    for (k, i) in order.iter().enumerate() {
        let candidate = (sum + x[*i]) / (k + 1) as f64;
        if x[*i] <= candidate && k > 0 {
            break;
        }
        sum += x[*i];
        (tau, support) = (candidate, k + 1);
    }
    y.fill(0.0);
    let mut live = vec![0.0; x.len()];
    for i in &order[..support] {
        y[*i] = (x[*i] - tau).max(0.0);
        live[*i] = 1.0;
    }
    weighted(live)
}

/// y = ρ·x/‖x‖ with [ρ, dρ/d‖x‖, dρ/dθ].
fn radial(x: &[f64], norm: f64, [rho, by_norm, by_theta]: [f64; 3], y: &mut [f64]) -> Group {
    let u: Vec<f64> = x.iter().map(|x| x / norm).collect();
    for (y, u) in y.iter_mut().zip(&u) {
        *y = rho * u;
    }
    Group {
        d: vec![rho / norm; x.len()],
        g: u.iter().map(|u| by_theta * u).collect(),
        u,
        c: by_norm - rho / norm,
    }
}

impl Proximal for Grouped {
    fn scaled(mut self, step: f64) -> Self {
        self.step *= step;
        self
    }
}

impl ParametricMap for Grouped {
    fn unknowns(&self) -> usize {
        self.width * self.count
    }

    fn arguments(&self) -> Vec<usize> {
        vec![1]
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let theta = at.args[0][0];
        within(
            "size of a set or weight of a norm",
            theta,
            0.0..,
            "a finite number, at least 0",
        )?;
        let parts =
            at.x.chunks_exact(self.width)
                .zip(out.chunks_exact_mut(self.width));
        let groups = parts.map(|(x, y)| self.group(x, theta, y));
        Ok(Box::new(Groups {
            groups: groups.collect::<Result<_, _>>()?,
            width: self.width,
        }))
    }
}

struct Groups {
    groups: Vec<Group>,
    width: usize,
}

impl Derivative for Groups {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let parts = w
            .chunks_exact(self.width)
            .zip(out.chunks_exact_mut(self.width));
        for (group, (w, out)) in self.groups.iter().zip(parts) {
            let along = group.c * dot(&group.u, w);
            for i in 0..self.width {
                out[i] = group.d[i] * w[i] + along * group.u[i];
            }
        }
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.jvp_x(v, out)
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        for (group, out) in self.groups.iter().zip(out.chunks_exact_mut(self.width)) {
            for (out, g) in out.iter_mut().zip(&group.g) {
                *out = g * w[0][0];
            }
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let parts = self.groups.iter().zip(v.chunks_exact(self.width));
        out[0][0] = parts.map(|(group, v)| dot(&group.g, v)).sum();
        Ok(())
    }
}
