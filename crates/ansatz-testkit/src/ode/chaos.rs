//! Chaotic systems: end states need solvers that are right to many digits.

use super::{Problem, System, standard};

/// Convection in three modes: x' = σ(y − x), y' = x(ρ − z) − y, z' = xy − βz
/// (E. Lorenz, *Deterministic nonperiodic flow*, 1963, equations 25 to 27).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lorenz63 {
    /// Prandtl number.
    pub sigma: f64,
    /// Rayleigh number over its critical value.
    pub rho: f64,
    /// Shape of the cells.
    pub beta: f64,
}

impl Lorenz63 {
    /// (σ, ρ, β) = (10, 28, 8/3) from (1, 1, 1), until t = 10: errors grow about 10⁴ times.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let system = Self {
            sigma: 10.0,
            rho: 28.0,
            beta: 8.0 / 3.0,
        };
        standard("lorenz-63", system, vec![1.0; 3], 10.0)
    }
}

impl System for Lorenz63 {
    fn dim(&self) -> usize {
        3
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[x, y, z], [dx, dy, dz]) = (x, dx) {
            *dx = self.sigma * (y - x);
            *dy = x * (self.rho - z) - y;
            *dz = x * y - self.beta * z;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[x, y, z], &[u, v, w], [a, b, c]) = (x, v, out) {
            *a = self.sigma * (v - u);
            *b = u * (self.rho - z) - x * w - v;
            *c = u * y + x * v - self.beta * w;
        }
    }
}

/// Weather on a circle: xᵢ' = (xᵢ₊₁ − xᵢ₋₂)xᵢ₋₁ − xᵢ + F
/// (E. Lorenz, *Predictability: a problem partly solved*, 1996, equation 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lorenz96 {
    /// Number of sites, at least 4.
    pub sites: usize,
    /// F.
    pub forcing: f64,
}

impl Lorenz96 {
    /// 40 sites and F = 8 from x = F, with x₂₀ = 1.001·F, until t = 2.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let system = Self {
            sites: 40,
            forcing: 8.0,
        };
        let mut start = vec![8.0; 40];
        start[19] = 8.008;
        standard("lorenz-96", system, start, 2.0)
    }
}

impl System for Lorenz96 {
    fn dim(&self) -> usize {
        self.sites
    }

    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        let n = x.len();
        let site =
            |ahead: f64, far: f64, near: f64, x: f64| (ahead - far) * near - x + self.forcing;
        dx[0] = site(x[1], x[n - 2], x[n - 1], x[0]);
        dx[1] = site(x[2], x[n - 1], x[0], x[1]);
        for (d, w) in dx[2..n - 1].iter_mut().zip(x.windows(4)) {
            *d = site(w[3], w[0], w[1], w[2]);
        }
        dx[n - 1] = site(x[0], x[n - 3], x[n - 2], x[n - 1]);
    }

    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        let n = x.len();
        for i in 0..n {
            let (ahead, near, far) = ((i + 1) % n, (i + n - 1) % n, (i + n - 2) % n);
            out[i] = (v[ahead] - v[far]) * x[near] + (x[ahead] - x[far]) * v[near] - v[i];
        }
    }
}
