//! Bodies that attract each other.

use super::{Problem, System, standard};

/// A star in a galaxy: H = ½(|p|² + |q|²) + q₁²q₂ − ⅓q₂³, state (q₁, q₂, p₁, p₂)
/// (M. Hénon, C. Heiles, *The applicability of the third integral of motion*, 1964, equation 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HenonHeiles;

impl HenonHeiles {
    /// From q = (0.1, 0.2), p = (0.3, 0.1), until t = 100.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        standard("henon-heiles", Self, vec![0.1, 0.2, 0.3, 0.1], 100.0)
    }

    /// H at a state, which the flow keeps; NaN for a state of another length.
    #[must_use]
    pub fn energy(&self, x: &[f64]) -> f64 {
        let &[q1, q2, p1, p2] = x else {
            return f64::NAN;
        };
        0.5 * (p1 * p1 + p2 * p2 + q1 * q1 + q2 * q2) + q1 * q1 * q2 - q2.powi(3) / 3.0
    }
}

impl System for HenonHeiles {
    fn dim(&self) -> usize {
        4
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[q1, q2, p1, p2], [a, b, c, d]) = (x, dx) {
            *a = p1;
            *b = p2;
            *c = -q1 - 2.0 * q1 * q2;
            *d = -q2 - q1 * q1 + q2 * q2;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[q1, q2, _, _], &[u1, u2, v1, v2], [a, b, c, d]) = (x, v, out) {
            *a = v1;
            *b = v2;
            *c = -u1 - 2.0 * (u1 * q2 + q1 * u2);
            *d = -u2 - 2.0 * q1 * u1 + 2.0 * q2 * u2;
        }
    }
}

/// A satellite of Earth and Moon in their turning frame, state (x, y, x', y')
/// (R. Arenstorf, 1963; Hairer, Nørsett, Wanner, section II.0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arenstorf {
    /// Mass of the Moon; that of Earth is 1 − μ.
    pub mu: f64,
}

impl Arenstorf {
    /// The closed orbit with four loops over one period: the end is the start.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let start = vec![0.994, 0.0, 0.0, -2.001_585_106_379_082_5];
        Problem {
            name: "arenstorf",
            system: Self { mu: 0.012277471 },
            end: start.clone(),
            start,
            times: (0.0, 17.065_216_560_157_963),
            // Rounding of the start and the period, which the close encounter at both ends magnifies.
            end_error: 1e-11,
        }
    }
}

impl System for Arenstorf {
    fn dim(&self) -> usize {
        4
    }

    #[inline]
    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        if let (&[x, y, u, v], [a, b, c, d]) = (x, dx) {
            let (mu, nu) = (self.mu, 1.0 - self.mu);
            let cube = |s: f64| {
                let r2 = s * s + y * y;
                r2 * r2.sqrt()
            };
            let (earth, moon) = (nu / cube(x + mu), mu / cube(x - nu));
            *a = u;
            *b = v;
            *c = x + 2.0 * v - earth * (x + mu) - moon * (x - nu);
            *d = y - 2.0 * u - (earth + moon) * y;
        }
    }

    #[inline]
    fn rate_jvp(&self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        if let (&[x, y, _, _], &[dx, dy, du, dv], [a, b, c, d]) = (x, v, out) {
            let (mu, nu) = (self.mu, 1.0 - self.mu);
            *a = du;
            *b = dv;
            *c = dx + 2.0 * dv;
            *d = dy - 2.0 * du;
            for (mass, s) in [(nu, x + mu), (mu, x - nu)] {
                // m·r/|r|³ changes by m·(dr/|r|³ − 3r(r·dr)/|r|⁵).
                let r2 = s * s + y * y;
                let w = mass / (r2 * r2.sqrt());
                let along = 3.0 * (s * dx + y * dy) / r2;
                *c -= w * (dx - along * s);
                *d -= w * (dy - along * y);
            }
        }
    }
}

/// Stars in the plane.
const STARS: usize = 7;

/// Seven stars of masses 1 to 7 in the plane, state (x, y, x', y') of seven each
/// (Hairer, Nørsett, Wanner, section II.10, equation 10.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pleiades;

impl Pleiades {
    /// Until t = 3, past several close encounters.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let start = vec![
            3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0, // x
            3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0, // y
            0.0, 0.0, 0.0, 0.0, 0.0, 1.75, -1.5, // x'
            0.0, 0.0, 0.0, -1.25, 1.0, 0.0, 0.0, // y'
        ];
        standard("pleiades", Self, start, 3.0)
    }
}

/// The star's number, from 0, is its mass less one.
fn mass(i: usize) -> f64 {
    (i + 1) as f64
}

impl System for Pleiades {
    fn dim(&self) -> usize {
        4 * STARS
    }

    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        let (place, speed) = x.split_at(2 * STARS);
        let (px, py) = place.split_at(STARS);
        let (out, pull) = dx.split_at_mut(2 * STARS);
        out.copy_from_slice(speed);
        pull.fill(0.0);
        let (ax, ay) = pull.split_at_mut(STARS);
        for i in 0..STARS {
            for j in i + 1..STARS {
                let (u, v) = (px[j] - px[i], py[j] - py[i]);
                let r2 = u * u + v * v;
                let w = 1.0 / (r2 * r2.sqrt());
                ax[i] += mass(j) * w * u;
                ay[i] += mass(j) * w * v;
                ax[j] -= mass(i) * w * u;
                ay[j] -= mass(i) * w * v;
            }
        }
    }

    fn rate_jvp(&self, _: f64, x: &[f64], d: &[f64], out: &mut [f64]) {
        let (px, py) = x[..2 * STARS].split_at(STARS);
        let (place, speed) = d.split_at(2 * STARS);
        let (dx, dy) = place.split_at(STARS);
        let (rest, pull) = out.split_at_mut(2 * STARS);
        rest.copy_from_slice(speed);
        pull.fill(0.0);
        let (ax, ay) = pull.split_at_mut(STARS);
        for i in 0..STARS {
            for j in i + 1..STARS {
                let (u, v) = (px[j] - px[i], py[j] - py[i]);
                let (du, dv) = (dx[j] - dx[i], dy[j] - dy[i]);
                let r2 = u * u + v * v;
                let w = 1.0 / (r2 * r2.sqrt());
                let along = 3.0 * (u * du + v * dv) / r2;
                let (cx, cy) = (w * (du - along * u), w * (dv - along * v));
                ax[i] += mass(j) * cx;
                ay[i] += mass(j) * cy;
                ax[j] -= mass(i) * cx;
                ay[j] -= mass(i) * cy;
            }
        }
    }
}
