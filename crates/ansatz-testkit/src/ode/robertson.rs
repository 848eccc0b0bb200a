//! The standard stiff problem.

use super::{Problem, System, reference, standard};

/// Three reactions of very different speed: a → b (k₁), 2b → b + c (k₃), b + c → a + c (k₂)
/// (H. Robertson, *The solution of a set of reaction rate equations*, 1966).
///
/// An explicit method needs steps below 10⁻³ for as long as one cares to go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robertson {
    /// Rate of a → b.
    pub k1: f64,
    /// Rate of b + c → a + c.
    pub k2: f64,
    /// Rate of 2b → b + c.
    pub k3: f64,
}

impl Default for Robertson {
    /// (0.04, 10⁴, 3·10⁷).
    fn default() -> Self {
        Self {
            k1: 0.04,
            k2: 1e4,
            k3: 3e7,
        }
    }
}

impl Robertson {
    /// The standard rates from (1, 0, 0), until t = 4·10⁵.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let mut problem = standard("robertson-4e5", Self::default(), vec![1.0, 0.0, 0.0], 4e5);
        problem.name = "robertson";
        problem
    }

    /// The states of [`Robertson::problem`] at t = 0.4, 40 and 4·10⁵, to the digits of f64.
    #[must_use]
    pub fn states() -> [(f64, Vec<f64>); 3] {
        [
            (0.4, reference("robertson-0.4").0),
            (40.0, reference("robertson-40").0),
            (4e5, reference("robertson-4e5").0),
        ]
    }
}

impl System for Robertson {
    fn dim(&self) -> usize {
        3
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[x, y, z], [dx, dy, dz]) = (x, dx) {
            let (one, two, three) = (self.k1 * x, self.k2 * y * z, self.k3 * y * y);
            *dx = two - one;
            *dy = one - two - three;
            *dz = three;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[_, y, z], &[u, v, w], [a, b, c]) = (x, v, out) {
            let one = self.k1 * u;
            let two = self.k2 * (v * z + y * w);
            let three = 2.0 * self.k3 * y * v;
            *a = two - one;
            *b = one - two - three;
            *c = three;
        }
    }
}
