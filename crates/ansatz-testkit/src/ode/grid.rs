//! Partial differential equations by the method of lines.

use std::f64::consts::PI;

use super::{Problem, System, standard};

/// Heat on the unit square, u' = κΔu with u = 0 at the edge, in n × n inner points.
///
/// A product of sines is an eigenvector of the grid too, so the end is known in closed form:
/// sin(kπx)·sin(lπy) decays at the rate 4κ(n + 1)²·(sin²(kπ/2(n + 1)) + sin²(lπ/2(n + 1))).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatGrid {
    /// Points per side.
    pub side: usize,
    /// κ.
    pub diffusivity: f64,
}

/// Wave numbers and amplitudes of the standard start.
const MODES: [(f64, f64, f64); 3] = [(1.0, 1.0, 1.0), (2.0, 3.0, 0.5), (5.0, 4.0, 0.25)];

impl HeatGrid {
    /// 32 × 32 points, κ = 1, three modes, until t = 0.05: an explicit method is held to steps of
    /// about 4·10⁻⁴ by its stability.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        Self {
            side: 32,
            diffusivity: 1.0,
        }
        .from_modes(0.05)
    }

    /// The three modes of the standard problem on this grid, until `end`.
    #[must_use]
    pub fn from_modes(self, end: f64) -> Problem<Self> {
        Problem {
            name: "heat-2d",
            system: self,
            start: self.exact(0.0),
            times: (0.0, end),
            end: self.exact(end),
            // Three products of a few roundings each.
            end_error: 1e-14,
        }
    }

    /// The state at time `t` in closed form.
    #[must_use]
    pub fn exact(&self, t: f64) -> Vec<f64> {
        let cells = (self.side + 1) as f64;
        let wave = |k: f64, i: usize| (k * PI * (i + 1) as f64 / cells).sin();
        let decay = |k: f64| (2.0 * cells * (0.5 * k * PI / cells).sin()).powi(2);
        let mut u = vec![0.0; self.side * self.side];
        for (k, l, amplitude) in MODES {
            let now = amplitude * (-self.diffusivity * (decay(k) + decay(l)) * t).exp();
            for (place, u) in u.iter_mut().enumerate() {
                *u += now * wave(k, place % self.side) * wave(l, place / self.side);
            }
        }
        u
    }
}

impl System for HeatGrid {
    fn dim(&self) -> usize {
        self.side * self.side
    }

    fn rate(&self, _: f64, u: &[f64], du: &mut [f64]) {
        let n = self.side;
        let c = self.diffusivity * ((n + 1) as f64).powi(2);
        for (j, (row, out)) in u.chunks_exact(n).zip(du.chunks_exact_mut(n)).enumerate() {
            let below = (j > 0).then(|| &u[(j - 1) * n..][..n]);
            let above = (j + 1 < n).then(|| &u[(j + 1) * n..][..n]);
            match (below, above) {
                (Some(below), Some(above)) => {
                    for i in 0..n {
                        out[i] = below[i] + above[i] - 4.0 * row[i];
                    }
                }
                (Some(side), None) | (None, Some(side)) => {
                    for i in 0..n {
                        out[i] = side[i] - 4.0 * row[i];
                    }
                }
                (None, None) => out[0] = -4.0 * row[0],
            }
            for (o, west) in out[1..].iter_mut().zip(row) {
                *o += west;
            }
            for (o, east) in out.iter_mut().zip(&row[1..]) {
                *o += east;
            }
            for o in out {
                *o *= c;
            }
        }
    }

    fn rate_jvp(&self, t: f64, _: &[f64], v: &[f64], out: &mut [f64]) {
        self.rate(t, v, out);
    }
}

/// The Brusselator with diffusion on the unit square: u' = 1 + u²v − 4.4u + αΔu,
/// v' = 3.4u − u²v + αΔv without flux through the edge, state (u, v) of side² points each, row by row
/// (Hairer, Nørsett, Wanner, section II.10, equation 10.11).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrusselatorGrid {
    /// Points per side, edges included; at least 2.
    pub side: usize,
    /// α.
    pub diffusivity: f64,
}

impl BrusselatorGrid {
    /// 21 × 21 points, α = 0.002, from u = 0.5 + y, v = 1 + 5x, until t = 7.5.
    #[must_use]
    pub fn problem() -> Problem<Self> {
        let system = Self {
            side: 21,
            diffusivity: 2e-3,
        };
        let n = system.side;
        let at = |i: usize| i as f64 / (n - 1) as f64;
        let points = 0..n * n;
        let u = points.clone().map(|p| 0.5 + at(p / n));
        let v = points.map(|p| 1.0 + 5.0 * at(p % n));
        standard("brusselator-2d", system, u.chain(v).collect(), 7.5)
    }

    /// `out ← αΔw`; behind the edge a point sees its mirror image.
    fn diffuse(&self, w: &[f64], out: &mut [f64]) {
        let n = self.side;
        let c = self.diffusivity * ((n - 1) as f64).powi(2);
        for (j, (row, out)) in w.chunks_exact(n).zip(out.chunks_exact_mut(n)).enumerate() {
            let below = &w[if j == 0 { 1 } else { j - 1 } * n..][..n];
            let above = &w[if j + 1 == n { j - 1 } else { j + 1 } * n..][..n];
            for i in 1..n - 1 {
                let sides = row[i - 1] + row[i + 1] + below[i] + above[i];
                out[i] = c * (sides - 4.0 * row[i]);
            }
            for (i, inner) in [(0, 1), (n - 1, n - 2)] {
                out[i] = c * (2.0 * row[inner] + below[i] + above[i] - 4.0 * row[i]);
            }
        }
    }
}

impl System for BrusselatorGrid {
    fn dim(&self) -> usize {
        2 * self.side * self.side
    }

    fn rate(&self, _: f64, x: &[f64], dx: &mut [f64]) {
        let half = self.side * self.side;
        let ((u, v), (du, dv)) = (x.split_at(half), dx.split_at_mut(half));
        self.diffuse(u, du);
        self.diffuse(v, dv);
        for ((u, v), (du, dv)) in u.iter().zip(v).zip(du.iter_mut().zip(dv)) {
            let uuv = u * u * v;
            *du += 1.0 + uuv - 4.4 * u;
            *dv += 3.4 * u - uuv;
        }
    }

    fn rate_jvp(&self, _: f64, x: &[f64], d: &[f64], out: &mut [f64]) {
        let half = self.side * self.side;
        let ((u, v), (a, b)) = (x.split_at(half), d.split_at(half));
        let (du, dv) = out.split_at_mut(half);
        self.diffuse(a, du);
        self.diffuse(b, dv);
        for i in 0..half {
            let change = 2.0 * u[i] * v[i] * a[i] + u[i] * u[i] * b[i];
            du[i] += change - 4.4 * a[i];
            dv[i] += 3.4 * a[i] - change;
        }
    }
}
