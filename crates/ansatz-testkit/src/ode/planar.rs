//! Two unknowns.

use super::{Problem, System, standard};

/// Predator and prey: x' = a·x − b·x·y, y' = −c·y + d·x·y (A. Lotka, 1925; V. Volterra, 1926).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LotkaVolterra {
    /// Growth of the prey.
    pub a: f64,
    /// Prey eaten.
    pub b: f64,
    /// Death of the predators.
    pub c: f64,
    /// Growth by prey eaten.
    pub d: f64,
}

impl LotkaVolterra {
    /// (a, b, c, d) = (1.5, 1, 3, 1) from (1, 1), until t = 10.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let system = Self {
            a: 1.5,
            b: 1.0,
            c: 3.0,
            d: 1.0,
        };
        standard("lotka-volterra", system, vec![1.0, 1.0], 10.0)
    }
}

impl System for LotkaVolterra {
    fn dim(&self) -> usize {
        2
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[x, y], [dx, dy]) = (x, dx) {
            *dx = self.a * x - self.b * x * y;
            *dy = -self.c * y + self.d * x * y;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[x, y], &[u, v], [ou, ov]) = (x, v, out) {
            *ou = self.a * u - self.b * (u * y + x * v);
            *ov = -self.c * v + self.d * (u * y + x * v);
        }
    }
}

/// A chemical oscillator: x' = a + x²y − (b + 1)x, y' = bx − x²y (I. Prigogine, R. Lefever, 1968).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brusselator {
    /// Feed of the first reaction.
    pub a: f64,
    /// Feed of the second reaction.
    pub b: f64,
}

impl Brusselator {
    /// (a, b) = (1, 3) from (1.5, 3), until t = 20 (Hairer, Nørsett, Wanner, section II.4).
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let system = Self { a: 1.0, b: 3.0 };
        standard("brusselator", system, vec![1.5, 3.0], 20.0)
    }
}

impl System for Brusselator {
    fn dim(&self) -> usize {
        2
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[x, y], [dx, dy]) = (x, dx) {
            let xxy = x * x * y;
            *dx = self.a + xxy - (self.b + 1.0) * x;
            *dy = self.b * x - xxy;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[x, y], &[u, v], [ou, ov]) = (x, v, out) {
            let change = 2.0 * x * y * u + x * x * v;
            *ou = change - (self.b + 1.0) * u;
            *ov = self.b * u - change;
        }
    }
}

/// A relaxation oscillator: x'' = μ(1 − x²)x' − x (B. van der Pol, 1926), as (x, x').
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VanDerPol {
    /// Damping; the problem is stiff from about 100.
    pub mu: f64,
}

impl VanDerPol {
    /// μ = 5 from (2, 0), until t = 20.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        standard("van-der-pol", Self { mu: 5.0 }, vec![2.0, 0.0], 20.0)
    }

    /// μ = 1000 from (2, 0), until t = 2000, as in the test set for initial value problem solvers.
    #[must_use]
    pub fn stiff_problem() -> Problem<Self> {
        let system = Self { mu: 1000.0 };
        standard("van-der-pol-stiff", system, vec![2.0, 0.0], 2000.0)
    }
}

impl System for VanDerPol {
    fn dim(&self) -> usize {
        2
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[x, y], [dx, dy]) = (x, dx) {
            *dx = y;
            *dy = self.mu * (1.0 - x * x) * y - x;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[x, y], &[u, v], [ou, ov]) = (x, v, out) {
            *ou = v;
            *ov = -(2.0 * self.mu * x * y + 1.0) * u + self.mu * (1.0 - x * x) * v;
        }
    }
}
