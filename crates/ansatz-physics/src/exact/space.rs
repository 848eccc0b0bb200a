//! Elliptic problems, and waves in the plane.

use std::f64::consts::PI;

use ansatz_core::{Key, stream};

use crate::PhysicsError;
use crate::reference::{all_finite, finite};

use super::{Exact, Number};

const COORDINATES: [&str; 3] = ["x", "y", "z"];

/// The cube [low, high]^d.
fn cube(dimension: usize, low: f64, high: f64) -> Vec<(&'static str, f64, f64)> {
    let name = |i: usize| COORDINATES.get(i).copied().unwrap_or("x_i");
    (0..dimension).map(|i| (name(i), low, high)).collect()
}

/// u = Π sin πx_i on [−1, 1]^d: Δu = −dπ²u, 0 on the unit cube's faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SineProduct {
    /// d.
    pub dimension: usize,
}

impl SineProduct {
    /// −Δu.
    pub fn source(&self, point: &[f64]) -> f64 {
        let product: f64 = point.iter().map(|x| (PI * x).sin()).product();
        self.dimension as f64 * PI * PI * product
    }
}

impl Exact for SineProduct {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        cube(self.dimension, -1.0, 1.0)
    }

    fn formula<N: Number>(&self, point: &[N], out: &mut [N]) {
        out[0] = point
            .iter()
            .fold(N::constant(1.0), |p, x| p * (*x * PI).sin());
    }
}

/// u = (1 − |x|²)·Σ_{i<d} c_i·sin(x_i + cos x_{i+1} + x_{i+1}·cos x_i) in the unit ball, 0 on its surface.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoBody {
    coefficients: Vec<f64>,
}

impl TwoBody {
    /// With given c, one less than the dimension.
    ///
    /// # Errors
    /// [`PhysicsError::NotFinite`]; [`PhysicsError::Parameter`] for none.
    pub fn new(coefficients: Vec<f64>) -> Result<Self, PhysicsError> {
        all_finite("coefficients", &coefficients)?;
        if coefficients.is_empty() {
            return Err(PhysicsError::Parameter {
                name: "dimension",
                value: 1.0,
                needed: "must be 2 or more",
            });
        }
        Ok(Self { coefficients })
    }

    /// With normal c.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for a dimension below 2.
    pub fn random(dimension: usize, key: Key) -> Result<Self, PhysicsError> {
        let mut coefficients = vec![0.0; dimension.saturating_sub(1)];
        key.fill_normal(stream::INITIAL, &mut coefficients);
        Self::new(coefficients)
    }

    /// Δu in O(d), where [`Exact::laplacian`] costs O(d²).
    ///
    /// With S_i = x_i + cos x_{i+1} + x_{i+1}·cos x_i and U the sum, Δu = (1 − |x|²)ΔU − 4x·∇U − 2dU.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`]; [`PhysicsError::Parameter`] for a point of another dimension.
    pub fn closed_laplacian(&self, x: &[f64]) -> Result<f64, PhysicsError> {
        self.check(x)?;
        let (mut sum, mut radial, mut second) = (0.0, 0.0, 0.0);
        for (i, c) in self.coefficients.iter().enumerate() {
            let (a, b) = (x[i], x[i + 1]);
            let (sin, cos) = (a + b.cos() + b * a.cos()).sin_cos();
            let (s_a, s_b) = (1.0 - b * a.sin(), a.cos() - b.sin());
            let (s_aa, s_bb) = (-b * a.cos(), -b.cos());
            sum += c * sin;
            radial += c * cos * (a * s_a + b * s_b);
            second += c * (cos * (s_aa + s_bb) - sin * (s_a * s_a + s_b * s_b));
        }
        let square: f64 = x.iter().map(|x| x * x).sum();
        Ok((1.0 - square) * second - 4.0 * radial - 2.0 * x.len() as f64 * sum)
    }
}

impl Exact for TwoBody {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        cube(self.coefficients.len() + 1, -1.0, 1.0)
    }

    fn check(&self, point: &[f64]) -> Result<(), PhysicsError> {
        crate::reference::check_length("point", point.len(), self.coefficients.len() + 1)?;
        let radius = point.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Points of the surface carry rounding.
        crate::reference::inside("|x|", radius, 0.0, 1.0 + 1e-12)
    }

    fn formula<N: Number>(&self, point: &[N], out: &mut [N]) {
        let zero = N::constant(0.0);
        let square = point.iter().fold(zero, |s, x| s + *x * *x);
        let sum = self
            .coefficients
            .iter()
            .enumerate()
            .fold(zero, |s, (i, c)| {
                let (a, b) = (point[i], point[i + 1]);
                s + (a + b.cos() + b * a.cos()).sin() * *c
            });
        out[0] = (-square + 1.0) * sum;
    }
}

/// Δu + k²u = q on [−1, 1]²: u = sin(a_x·πx)·sin(a_y·πy).
///
/// With a = (2n, 2n) it is −Δu − k₀²u = k₀²·u on the unit square for k₀ = 2πn as well: `wavenumber` = k₀, q = −k₀²u.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Helmholtz {
    /// a_x and a_y.
    pub waves: [f64; 2],
    /// k.
    pub wavenumber: f64,
}

impl Helmholtz {
    /// k = 1 and a pair (a_x, a_y): (4, 1) or (1, 4) as usual, (10, 10) for a hard problem.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for numbers that are not finite.
    pub fn new(a_x: f64, a_y: f64) -> Result<Self, PhysicsError> {
        Ok(Self {
            waves: [finite("a_x", a_x)?, finite("a_y", a_y)?],
            wavenumber: 1.0,
        })
    }

    /// q.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn source(&self, x: f64, y: f64) -> Result<f64, PhysicsError> {
        let [a, b] = self.waves;
        let factor = self.wavenumber * self.wavenumber - (a * a + b * b) * PI * PI;
        Ok(factor * self.value(&[x, y])?)
    }
}

impl Exact for Helmholtz {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        cube(2, -1.0, 1.0)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let [a, b] = self.waves;
        out[0] = (p[0] * (a * PI)).sin() * (p[1] * (b * PI)).sin();
    }
}

/// u_tt − Δu + u² = q in the plane: u = (x + y)·cos kt + xy·sin kt on [−1, 1]² × [0, 10].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KleinGordon {
    /// k, 2 as usual.
    pub k: f64,
}

impl KleinGordon {
    /// q = u² − k²u.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn source(&self, x: f64, y: f64, t: f64) -> Result<f64, PhysicsError> {
        let u = self.value(&[x, y, t])?;
        Ok(u * u - self.k * self.k * u)
    }
}

impl Exact for KleinGordon {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        vec![("x", -1.0, 1.0), ("y", -1.0, 1.0), ("t", 0.0, 10.0)]
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let (sin, cos) = (p[2] * self.k).sin_cos();
        out[0] = (p[0] + p[1]) * cos + p[0] * p[1] * sin;
    }
}
