//! The log joint density of solution, kernel and noise, and its gradient by hand.
//!
//! With C = C₁⊗…⊗C_D, N points, N_b boundary values and H = N(u) − f, the loss is minus
//!
//! ```text
//! J = −½ Σ_d (N/n_d)·log|C_d| − ½ uᵀC⁻¹u + λ_b·(½N_b·log τ₁ − ½τ₁‖u_b − g‖²) + ½N·log τ₂ − ½τ₂‖H‖²
//! ```
//!
//! Derivatives of u are conditional means of the Gaussian process: ∂ᵏu = C⁽ᵏ⁾C⁻¹u along the coordinates that are
//! differentiated, all others cancel. For a derivative with cotangent V = τ₂·H·∂N/∂(∂ᵏu) along coordinate d, with
//! A = C_d⁻¹u and P = C_d⁻¹C_d⁽ᵏ⁾ᵀV, the gradient in u is P, in C_d⁽ᵏ⁾ it is V·Aᵀ and in C_d it is −P·Aᵀ; the quadratic form
//! gives C⁻¹u and −½(C⁻¹u)·Aᵀ, the determinant ½(N/n_d)·C_d⁻¹.

use crate::LinalgError;
use crate::fourier::Side;

use super::axis::{Axis, bytes, form};
use super::equation::{Derivative, Problem, Residual, point};
use super::factor::Factor;
use super::kernel::Covariance;

/// How data and kernel are weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighing {
    /// λ_b, the weight of the boundary.
    pub boundary: f64,
    /// Added to the diagonal of every covariance matrix; raised tenfold, up to 1e-4, where a factorisation fails.
    pub jitter: f64,
    /// Bytes of matrices allowed.
    pub memory: usize,
}

impl Default for Weighing {
    fn default() -> Self {
        Self {
            boundary: 200.0,
            jitter: 1e-6,
            memory: 4 << 30,
        }
    }
}

/// Where things are in the vector of all unknowns: u, the kernel's parameters of each coordinate, log τ₁, log τ₂.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) points: usize,
    pub(super) dimensions: usize,
    pub(super) kernel: usize,
}

impl Layout {
    pub(super) fn len(self) -> usize {
        self.points + self.dimensions * self.kernel + 2
    }

    pub(super) fn theta(self, d: usize) -> std::ops::Range<usize> {
        let start = self.points + d * self.kernel;
        start..start + self.kernel
    }

    /// log τ₁; log τ₂ follows.
    pub(super) fn noise(self) -> usize {
        self.len() - 2
    }
}

/// u and its derivatives from a part of the solution that is no longer trained.
#[derive(Debug, Clone)]
pub(super) struct Frozen {
    pub(super) u: Vec<f64>,
    pub(super) fields: Vec<Vec<f64>>,
}

/// Loss and gradient in preallocated memory.
#[derive(Debug)]
pub(super) struct Objective<'a, R> {
    pub(super) problem: &'a Problem<R>,
    pub(super) kernel: &'a dyn Covariance,
    weighing: Weighing,
    pub(super) layout: Layout,
    derivatives: Vec<Derivative>,
    pub(super) factors: Vec<Factor>,
    /// Elements after each axis.
    right: Vec<usize>,
    pub(super) frozen: Option<Frozen>,
    /// The highest jitter so far.
    pub(super) jitter: f64,
    /// C_d⁻¹u for each coordinate.
    solved: Vec<Vec<f64>>,
    /// C⁻¹u.
    whole: Vec<f64>,
    fields: Vec<Vec<f64>>,
    /// Slopes of the residual, then cotangents of the fields.
    cotangents: Vec<Vec<f64>>,
    residual: Vec<f64>,
    work: [Vec<f64>; 2],
    /// ½C⁻¹u + ΣP of one coordinate.
    pulled: Vec<f64>,
    /// A point, the derivatives there, their slopes.
    local: [Vec<f64>; 3],
}

impl<'a, R: Residual> Objective<'a, R> {
    pub(super) fn new(
        problem: &'a Problem<R>,
        kernel: &'a dyn Covariance,
        weighing: Weighing,
    ) -> Result<Self, LinalgError> {
        let positive = f64::MIN_POSITIVE..;
        crate::error::within(
            "boundary weight",
            weighing.boundary,
            0.0..,
            "must be 0 or more",
        )?;
        crate::error::within("jitter", weighing.jitter, positive, "must be positive")?;
        let grids = problem.grids();
        let dimensions = grids.len();
        let derivatives = problem.residual().derivatives();
        let axes: Vec<Axis> = grids.iter().map(|g| Axis::new(g)).collect();
        let orders = |d: usize| [0, 1, 2].map(|o| derivatives.iter().any(|k| k[d] == o));
        let points = problem.points();
        let arrays = 5 + dimensions + 2 * derivatives.len();
        let needed =
            axes.iter()
                .enumerate()
                .fold(points.saturating_mul(8 * arrays), |sum, (d, axis)| {
                    sum.saturating_add(bytes(axis.len(), form(axis, dimensions), orders(d)))
                });
        if needed > weighing.memory {
            return Err(LinalgError::TooLarge {
                what: "covariance matrices and fields",
                needed,
                limit: weighing.memory,
            });
        }
        let mut right = vec![1; dimensions];
        for d in (1..dimensions).rev() {
            right[d - 1] = right[d] * axes[d].len();
        }
        let factors = axes.into_iter().enumerate().map(|(d, axis)| {
            let form = form(&axis, dimensions);
            Factor::new(axis, form, orders(d))
        });
        let field = || vec![0.0; points];
        Ok(Self {
            local: [dimensions, derivatives.len(), derivatives.len()].map(|n| vec![0.0; n]),
            problem,
            kernel,
            weighing,
            layout: Layout {
                points,
                dimensions,
                kernel: kernel.parameters(),
            },
            factors: factors.collect::<Result<_, _>>()?,
            right,
            frozen: None,
            jitter: weighing.jitter,
            solved: vec![field(); dimensions],
            whole: field(),
            fields: vec![field(); derivatives.len()],
            cotangents: vec![field(); derivatives.len()],
            derivatives,
            residual: field(),
            work: [field(), field()],
            pulled: field(),
        })
    }

    /// Unknowns at the start: u = 0, the kernel's own, τ₁ = τ₂ = 1.
    pub(super) fn start(&self) -> Vec<f64> {
        let mut z = vec![0.0; self.layout.len()];
        let theta = self.kernel.start();
        for d in 0..self.layout.dimensions {
            z[self.layout.theta(d)].copy_from_slice(&theta);
        }
        z
    }

    /// Factors for the kernel's parameters.
    pub(super) fn set_kernel(&mut self, z: &[f64]) -> Result<(), LinalgError> {
        for (d, factor) in self.factors.iter_mut().enumerate() {
            let theta = &z[self.layout.theta(d)];
            let jitter = factor.set(self.kernel, theta, self.weighing.jitter)?;
            self.jitter = self.jitter.max(jitter);
        }
        Ok(())
    }

    /// All derivatives of the equation of u, with the factors as they are.
    pub(super) fn differentiate(&mut self, u: &[f64]) {
        for (d, factor) in self.factors.iter_mut().enumerate() {
            self.solved[d].copy_from_slice(u);
            factor.solve(self.right[d], &mut self.solved[d]);
        }
        for (k, field) in self.derivatives.iter().zip(&mut self.fields) {
            let mut first = true;
            for d in (0..k.len()).filter(|d| k[*d] > 0) {
                let (factor, right) = (&mut self.factors[d], self.right[d]);
                if first {
                    factor.differentiate(k[d], Side::Plain, right, &self.solved[d], field);
                } else {
                    let work = &mut self.work[0];
                    work.copy_from_slice(field);
                    factor.solve(right, work);
                    factor.differentiate(k[d], Side::Plain, right, work, field);
                }
                first = false;
            }
            if first {
                field.copy_from_slice(u);
            }
        }
    }

    /// u and its derivatives as they are now, to be kept fixed.
    pub(super) fn freeze(&mut self, z: &[f64]) -> Result<Frozen, LinalgError> {
        self.set_kernel(z)?;
        let u = &z[..self.layout.points];
        self.differentiate(u);
        let mut u = u.to_vec();
        let mut fields = self.fields.clone();
        if let Some(before) = &self.frozen {
            add(&before.u, &mut u);
            for (b, f) in before.fields.iter().zip(&mut fields) {
                add(b, f);
            }
        }
        Ok(Frozen { u, fields })
    }

    /// The loss −J, and its gradient.
    pub(super) fn gradient(&mut self, z: &[f64], gradient: &mut [f64]) -> Result<f64, LinalgError> {
        let layout = self.layout;
        let (points, noise) = (layout.points, layout.noise());
        let (tau_boundary, tau) = (z[noise].exp(), z[noise + 1].exp());
        self.set_kernel(z)?;
        let u = &z[..points];
        self.differentiate(u);
        // C⁻¹u from C₁⁻¹u by the other coordinates.
        self.whole.copy_from_slice(&self.solved[0]);
        for d in 1..layout.dimensions {
            self.factors[d].solve(self.right[d], &mut self.whole);
        }
        let mut loss = 0.0;
        for factor in &self.factors {
            loss += 0.5 * (points / factor.axis.len()) as f64 * factor.log_det();
        }
        loss += 0.5 * dot(u, &self.whole);
        let (slope_u, rest) = gradient.split_at_mut(points);
        rest.fill(0.0);
        slope_u.copy_from_slice(&self.whole);

        let squares = self.boundary(u, tau_boundary, slope_u);
        let faces = self.problem.faces().len() as f64;
        let weight = self.weighing.boundary;
        loss -= weight * (0.5 * faces * z[noise] - 0.5 * tau_boundary * squares);
        gradient[noise] = -weight * (0.5 * faces - 0.5 * tau_boundary * squares);

        self.residuals();
        let squares = dot(&self.residual, &self.residual);
        loss -= 0.5 * points as f64 * z[noise + 1] - 0.5 * tau * squares;
        gradient[noise + 1] = -(0.5 * points as f64 - 0.5 * tau * squares);
        for cotangent in &mut self.cotangents {
            for (c, r) in cotangent.iter_mut().zip(&self.residual) {
                *c *= tau * r;
            }
        }
        self.pull(z, gradient);
        Ok(loss)
    }

    /// Adds the boundary's part of the gradient; the sum of squares.
    fn boundary(&self, u: &[f64], tau: f64, slope: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (at, g) in self.problem.faces().iter().zip(self.problem.boundary()) {
            let base = self.frozen.as_ref().map_or(0.0, |f| f.u[*at]);
            let gap = u[*at] + base - g;
            sum += gap * gap;
            slope[*at] += self.weighing.boundary * tau * gap;
        }
        sum
    }

    /// H, and the slopes of N in the derivatives.
    fn residuals(&mut self) {
        let [x, fields, slopes] = &mut self.local;
        for i in 0..self.layout.points {
            point(self.problem.grids(), i, x);
            for (k, value) in fields.iter_mut().enumerate() {
                let base = self.frozen.as_ref().map_or(0.0, |f| f.fields[k][i]);
                *value = self.fields[k][i] + base;
            }
            let value = self.problem.residual().evaluate(x, fields, slopes);
            self.residual[i] = value - self.problem.source()[i];
            for (c, s) in self.cotangents.iter_mut().zip(&*slopes) {
                c[i] = *s;
            }
        }
    }

    /// Pulls the cotangents of the derivatives back to u and, with what determinant and quadratic form give, to the
    /// kernel's parameters.
    fn pull(&mut self, z: &[f64], gradient: &mut [f64]) {
        let points = self.layout.points;
        for (d, factor) in self.factors.iter_mut().enumerate() {
            factor.start_gradient((points / factor.axis.len()) as f64);
            let right = self.right[d];
            for (p, w) in self.pulled.iter_mut().zip(&self.whole) {
                *p = 0.5 * w;
            }
            // Derivatives along this coordinate alone share A.
            for (k, v) in self.derivatives.iter().zip(&self.cotangents) {
                if k[d] == 0 || active(k) != 1 {
                    continue;
                }
                factor.add_gradient(k[d], 1.0, right, v, &self.solved[d]);
                let p = &mut self.work[0];
                factor.differentiate(k[d], Side::Transposed, right, v, p);
                factor.solve(right, p);
                add(p, &mut gradient[..points]);
                add(p, &mut self.pulled);
            }
            factor.add_gradient(0, -1.0, right, &self.pulled, &self.solved[d]);
        }
        for f in 0..self.derivatives.len() {
            match active(&self.derivatives[f]) {
                0 => add(&self.cotangents[f], &mut gradient[..points]),
                1 => {}
                _ => self.pull_mixed(f, &z[..points], &mut gradient[..points]),
            }
        }
        for (d, factor) in self.factors.iter_mut().enumerate() {
            let theta = self.layout.theta(d);
            factor.finish_gradient(self.kernel, &z[theta.clone()], &mut gradient[theta]);
        }
    }

    /// The same for a derivative in several coordinates.
    fn pull_mixed(&mut self, f: usize, u: &[f64], slope: &mut [f64]) {
        let k = self.derivatives[f].clone();
        let others = |d: usize| (0..k.len()).filter(move |e| *e != d);
        let [a, p] = &mut self.work;
        for d in (0..k.len()).filter(|d| k[*d] > 0) {
            // A: u differentiated in the other coordinates, solved in this one.
            a.copy_from_slice(u);
            for e in others(d).filter(|e| k[*e] > 0) {
                self.factors[e].solve(self.right[e], a);
                self.factors[e].differentiate(k[e], Side::Plain, self.right[e], a, p);
                a.copy_from_slice(p);
            }
            let right = self.right[d];
            let factor = &mut self.factors[d];
            factor.solve(right, a);
            factor.add_gradient(k[d], 1.0, right, &self.cotangents[f], a);
            factor.differentiate(k[d], Side::Transposed, right, &self.cotangents[f], p);
            factor.solve(right, p);
            factor.add_gradient(0, -1.0, right, p, a);
        }
        a.copy_from_slice(&self.cotangents[f]);
        for d in (0..k.len()).filter(|d| k[*d] > 0) {
            self.factors[d].differentiate(k[d], Side::Transposed, self.right[d], a, p);
            self.factors[d].solve(self.right[d], p);
            a.copy_from_slice(p);
        }
        add(a, slope);
    }

    /// C⁻¹u.
    pub(super) fn coefficients(&mut self, z: &[f64]) -> Result<Vec<f64>, LinalgError> {
        self.set_kernel(z)?;
        let mut x = z[..self.layout.points].to_vec();
        for (factor, right) in self.factors.iter_mut().zip(&self.right) {
            factor.solve(*right, &mut x);
        }
        Ok(x)
    }
}

/// Coordinates that a derivative differentiates.
fn active(k: &[usize]) -> usize {
    k.iter().filter(|o| **o > 0).count()
}

fn add(x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// Σ x·y in pieces of a fixed length.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let pieces = x.chunks(4096).zip(y.chunks(4096));
    pieces
        .map(|(x, y)| crate::lanes::widest(Dot { x, y }))
        .sum()
}

struct Dot<'a> {
    x: &'a [f64],
    y: &'a [f64],
}

impl pulp::NullaryFnOnce for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        crate::lanes::dot(self.x, self.y)
    }
}
