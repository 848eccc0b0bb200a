//! Ellipses.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use ansatz_autodiff::Array;

use super::error::{finite, positive};
use super::{Bounds, Face, Geometry, column, normalise};
use crate::DomainError;

/// Intervals of the table of arc lengths over a quarter.
const PIECES: usize = 256;

/// Nodes and weights of Gauss and Legendre's rule with five points on [−1, 1].
const GAUSS: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

/// The ellipse with half axes a and b, the first turned by an angle against the first axis of coordinates. Its face is
/// `ellipse`, points on it are uniform in arc length; ℓ = min(a, b)/2·(1 − (x/a)² − (y/b)²) in its own axes.
///
/// Distances are exact: the closest point by bisection (D. Eberly, *Distance from a point to an ellipse*, 2013).
#[derive(Debug, Clone, PartialEq)]
pub struct Ellipse {
    centre: [f64; 2],
    half: [f64; 2],
    sin: f64,
    cos: f64,
    /// Arc length from the end of the first axis at equal steps of the parameter over a quarter.
    arcs: Vec<f64>,
}

impl Ellipse {
    /// An ellipse from its centre, half axes and angle.
    ///
    /// # Errors
    /// [`DomainError::Value`] for a half axis that is not positive, [`DomainError::NonFinite`].
    pub fn new(centre: [f64; 2], half: [f64; 2], angle: f64) -> Result<Self, DomainError> {
        finite("coordinate of the centre", &centre)?;
        finite("angle", &[angle])?;
        positive("half axis", half[0])?;
        positive("half axis", half[1])?;
        let (sin, cos) = libm::sincos(angle);
        let mut arcs = vec![0.0];
        for i in 0..PIECES {
            let step = FRAC_PI_2 / PIECES as f64;
            let from = i as f64 * step;
            arcs.push(arcs[i] + arc(half, from, from + step));
        }
        Ok(Self {
            centre,
            half,
            sin,
            cos,
            arcs,
        })
    }

    fn quarter(&self) -> f64 {
        self.arcs[PIECES]
    }

    /// Coordinates along its own axes.
    fn own(&self, x: &[f64]) -> [f64; 2] {
        let (u, v) = (x[0] - self.centre[0], x[1] - self.centre[1]);
        [self.cos * u + self.sin * v, self.cos * v - self.sin * u]
    }

    fn turned(&self, own: [f64; 2]) -> [f64; 2] {
        [
            self.cos * own[0] - self.sin * own[1],
            self.sin * own[0] + self.cos * own[1],
        ]
    }

    fn set(&self, own: [f64; 2], x: &mut [f64]) {
        let turned = self.turned(own);
        x[0] = self.centre[0] + turned[0];
        x[1] = self.centre[1] + turned[1];
    }

    /// The closest point of the ellipse to a point, in its own axes.
    fn closest(&self, own: [f64; 2]) -> [f64; 2] {
        // In the first quadrant with the longer axis first.
        let long = usize::from(self.half[1] > self.half[0]);
        let (a, b) = (self.half[long], self.half[1 - long]);
        let (p, q) = (own[long].abs(), own[1 - long].abs());
        let (x, y) = if q > 0.0 {
            if p > 0.0 {
                let (z0, z1) = (p / a, q / b);
                let r = (a / b) * (a / b);
                let s = root(r, z0, z1);
                (r * p / (s + r), q / (s + 1.0))
            } else {
                (0.0, b)
            }
        } else {
            let edge = (a * a - b * b) / a;
            if p < edge {
                let t = a * p / (a * a - b * b);
                (a * t, b * (1.0 - t * t).max(0.0).sqrt())
            } else {
                (a, 0.0)
            }
        };
        let mut found = [0.0; 2];
        found[long] = x.copysign(own[long]);
        found[1 - long] = y.copysign(own[1 - long]);
        found
    }
}

/// The root above −1 of (r z₀/(s + r))² + (z₁/(s + 1))² = 1, by bisection to the last bit.
fn root(r: f64, z0: f64, z1: f64) -> f64 {
    let n0 = r * z0;
    let g = |s: f64| {
        let (u, v) = (n0 / (s + r), z1 / (s + 1.0));
        u * u + v * v - 1.0
    };
    let mut low = z1 - 1.0;
    let mut high = if g(0.0) < 0.0 {
        0.0
    } else {
        libm::hypot(n0, z1) - 1.0
    };
    loop {
        let s = f64::midpoint(low, high);
        // NaN ends the search as well.
        if !(s > low && s < high) {
            return s;
        }
        if g(s) > 0.0 {
            low = s;
        } else {
            high = s;
        }
    }
}

/// Arc length between two parameters.
fn arc(half: [f64; 2], from: f64, to: f64) -> f64 {
    let (middle, reach) = (f64::midpoint(from, to), (to - from) / 2.0);
    let speeds = GAUSS
        .iter()
        .map(|(x, w)| w * speed(half, middle + reach * x));
    reach * speeds.sum::<f64>()
}

fn speed(half: [f64; 2], t: f64) -> f64 {
    let (sin, cos) = libm::sincos(t);
    libm::hypot(half[0] * sin, half[1] * cos)
}

impl Geometry for Ellipse {
    fn dims(&self) -> usize {
        2
    }

    fn bounds(&self) -> Bounds {
        let [a, b] = self.half;
        let reach = [
            libm::hypot(a * self.cos, b * self.sin),
            libm::hypot(a * self.sin, b * self.cos),
        ];
        Bounds {
            low: (0..2).map(|k| self.centre[k] - reach[k]).collect(),
            high: (0..2).map(|k| self.centre[k] + reach[k]).collect(),
        }
    }

    fn distance(&self, x: &[f64]) -> f64 {
        let own = self.own(x);
        let at = self.closest(own);
        let distance = libm::hypot(own[0] - at[0], own[1] - at[1]);
        let level = (own[0] / self.half[0]).powi(2) + (own[1] / self.half[1]).powi(2);
        if level < 1.0 { -distance } else { distance }
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let at = self.closest(self.own(x));
        let slope = [0, 1].map(|k| at[k] / (self.half[k] * self.half[k]));
        out.copy_from_slice(&self.turned(slope));
        normalise(out);
    }

    fn measure(&self) -> Option<f64> {
        Some(PI * self.half[0] * self.half[1])
    }

    fn faces(&self) -> Vec<Face> {
        let measure = 4.0 * self.quarter();
        vec![Face {
            name: "ellipse".to_owned(),
            measure,
            extents: vec![measure],
        }]
    }

    fn place_on(&self, _face: usize, u: &[f64], x: &mut [f64]) {
        let turns = 4.0 * u[0];
        let quadrant = turns.floor();
        let mut s = (turns - quadrant) * self.quarter();
        // Odd quadrants run from the second axis back to the first.
        let back = quadrant % 2.0 > 0.5;
        if back {
            s = self.quarter() - s;
        }
        let piece = self.arcs.partition_point(|a| *a <= s).clamp(1, PIECES) - 1;
        let step = FRAC_PI_2 / PIECES as f64;
        let from = piece as f64 * step;
        let rest = s - self.arcs[piece];
        let mut t = from + rest / speed(self.half, from).max(f64::MIN_POSITIVE);
        for _ in 0..6 {
            let error = arc(self.half, from, t) - rest;
            t = (t - error / speed(self.half, t).max(f64::MIN_POSITIVE)).clamp(from, from + step);
        }
        let angle = match quadrant as u32 {
            1 => PI - t,
            2 => PI + t,
            3 => TAU - t,
            _ => t,
        };
        let (sin, cos) = libm::sincos(angle);
        self.set([self.half[0] * cos, self.half[1] * sin], x);
    }

    fn on_face(&self, _face: usize, x: &[f64], tolerance: f64) -> bool {
        self.on_boundary(x, tolerance)
    }

    fn chart(&self) -> Option<usize> {
        Some(2)
    }

    fn place(&self, u: &[f64], x: &mut [f64]) {
        let r = u[0].sqrt();
        let (sin, cos) = libm::sincos(TAU * u[1]);
        self.set([self.half[0] * r * cos, self.half[1] * r * sin], x);
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let (u, v) = (column(x, 0) - self.centre[0], column(x, 1) - self.centre[1]);
        let own = [u * self.cos + v * self.sin, v * self.cos - u * self.sin];
        let level =
            own[0].square() * self.half[0].powi(-2) + own[1].square() * self.half[1].powi(-2);
        Some((level - 1.0) * (-0.5 * self.half[0].min(self.half[1])))
    }
}
