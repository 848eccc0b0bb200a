//! Simple polygons.

mod formula;

use ansatz_autodiff::Array;

use super::error::finite;
use super::rfunction::{both, either};
use super::{Bounds, Face, Geometry, column, lerp, normalise};
use crate::DomainError;
use formula::Formula;

/// A polygon whose edges meet at common corners only. Corners may go round either way; faces are `edge 0`, `edge 1`, … from each
/// corner given to the next.
///
/// ℓ joins the signed distances of the lines through its edges by R-functions, each edge once, in the order of the
/// polygon's Boolean formula (D. Dobkin, L. Guibas, J. Hershberger, J. Snoeyink, *An efficient algorithm for finding the CSG
/// representation of a simple polygon*, 1993): zero on the boundary and only there, smooth but at corners, of unit slope on edges.
/// Where k edges lie on one line the slope may fall to (2 − √2)ᵏ⁻¹, and derivatives end at the boundary itself.
///
/// ```
/// use ansatz_pde::{Geometry, Polygon};
/// let l = Polygon::new(&[[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0], [1.0, 2.0], [0.0, 2.0]])?;
/// assert_eq!(l.measure(), Some(3.0));
/// assert_eq!(l.boundary_measure(), Some(8.0));
/// assert_eq!(l.distance(&[1.5, 1.5]), 0.5);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// In the order given.
    corners: Vec<[f64; 2]>,
    /// 1 for corners given counter-clockwise, −1 otherwise.
    turn: f64,
    formula: Formula,
}

impl Polygon {
    /// A polygon from its corners. Cost: n² for n corners.
    ///
    /// # Errors
    /// [`DomainError::Count`] for less than three corners, [`DomainError::Crossing`] where edges meet away from a common corner or
    /// fold back, [`DomainError::NonFinite`].
    pub fn new(corners: &[[f64; 2]]) -> Result<Self, DomainError> {
        let n = corners.len();
        if n < 3 {
            return Err(DomainError::Count {
                what: "corners of a polygon",
                expected: 3,
                got: n,
            });
        }
        finite("coordinate of the corners", corners.as_flattened())?;
        for first in 0..n {
            for second in first + 1..n {
                if meet(corners, first, second) {
                    return Err(DomainError::Crossing { first, second });
                }
            }
        }
        let turn = if area(corners) < 0.0 { -1.0 } else { 1.0 };
        // Edges by first corner; the formula wants them counter-clockwise.
        let around: Vec<usize> = if turn > 0.0 {
            (0..n).collect()
        } else {
            (0..n).rev().collect()
        };
        Ok(Self {
            formula: Formula::new(corners, &around),
            corners: corners.to_vec(),
            turn,
        })
    }

    /// A triangle.
    ///
    /// # Errors
    /// As [`Polygon::new`].
    pub fn triangle(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> Result<Self, DomainError> {
        Self::new(&[a, b, c])
    }

    /// The polygon of n equal sides with its corners on a circle, the first at an angle.
    ///
    /// # Errors
    /// As [`Polygon::new`].
    pub fn regular(
        sides: usize,
        centre: [f64; 2],
        radius: f64,
        angle: f64,
    ) -> Result<Self, DomainError> {
        let corner = |i: usize| {
            let turn = std::f64::consts::TAU * i as f64 / sides as f64;
            let (sin, cos) = libm::sincos(angle + turn);
            [centre[0] + radius * cos, centre[1] + radius * sin]
        };
        Self::new(&(0..sides).map(corner).collect::<Vec<_>>())
    }

    /// Its corners, in the order given.
    pub fn corners(&self) -> &[[f64; 2]] {
        &self.corners
    }

    fn edge(&self, i: usize) -> [[f64; 2]; 2] {
        [self.corners[i], self.corners[(i + 1) % self.corners.len()]]
    }

    /// The outward normal of an edge.
    fn outward(&self, i: usize) -> [f64; 2] {
        let [a, b] = self.edge(i);
        let length = self.turn * libm::hypot(b[0] - a[0], b[1] - a[1]);
        [(b[1] - a[1]) / length, (a[0] - b[0]) / length]
    }

    /// The nearest edge, its nearest point and the distance to it.
    fn nearest(&self, x: &[f64]) -> (usize, [f64; 2], f64) {
        let mut best = (0, [f64::NAN; 2], f64::INFINITY);
        for i in 0..self.corners.len() {
            let at = on_segment(self.edge(i), x);
            let distance = libm::hypot(x[0] - at[0], x[1] - at[1]);
            if distance < best.2 {
                best = (i, at, distance);
            }
        }
        best
    }

    /// By the number of edges that a ray to the right crosses.
    fn inside(&self, x: &[f64]) -> bool {
        let edges = (0..self.corners.len()).map(|i| self.edge(i));
        let crossed = edges.filter(|[a, b]| {
            (a[1] > x[1]) != (b[1] > x[1])
                && x[0] < a[0] + (x[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        });
        crossed.count() % 2 == 1
    }
}

/// Twice the signed area of the triangle a b c.
fn side(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The signed area, relative to the first corner.
fn area(corners: &[[f64; 2]]) -> f64 {
    let triangles = corners.windows(2).map(|w| side(corners[0], w[0], w[1]));
    triangles.sum::<f64>() / 2.0
}

fn on_segment([a, b]: [[f64; 2]; 2], x: &[f64]) -> [f64; 2] {
    let d = [b[0] - a[0], b[1] - a[1]];
    let along = (x[0] - a[0]) * d[0] + (x[1] - a[1]) * d[1];
    let t = (along / (d[0] * d[0] + d[1] * d[1])).clamp(0.0, 1.0);
    [lerp(a[0], b[0], t), lerp(a[1], b[1], t)]
}

/// Whether two edges have a point in common beside the corner that neighbours share.
fn meet(corners: &[[f64; 2]], first: usize, second: usize) -> bool {
    let n = corners.len();
    let edge = |i: usize| [corners[i], corners[(i + 1) % n]];
    let ([a, b], [c, d]) = (edge(first), edge(second));
    // A fold, or an edge without length, which makes both numbers zero.
    let folds = |a: [f64; 2], b: [f64; 2], c: [f64; 2]| {
        let forward = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]);
        side(a, b, c) == 0.0 && forward <= 0.0
    };
    if second == first + 1 {
        return folds(a, b, d);
    }
    if (second + 1) % n == first {
        return folds(c, d, b);
    }
    let (p, q) = (side(a, b, c), side(a, b, d));
    let (r, s) = (side(c, d, a), side(c, d, b));
    if p * q < 0.0 && r * s < 0.0 {
        return true;
    }
    let touches = |e: [[f64; 2]; 2], x: [f64; 2]| {
        let at = on_segment(e, &x);
        let reach = x[0].abs().max(x[1].abs()).max(at[0].abs()).max(at[1].abs());
        libm::hypot(x[0] - at[0], x[1] - at[1]) <= 4.0 * f64::EPSILON * reach
    };
    touches([a, b], c) || touches([a, b], d) || touches([c, d], a) || touches([c, d], b)
}

impl Geometry for Polygon {
    fn dims(&self) -> usize {
        2
    }

    fn bounds(&self) -> Bounds {
        let end = |k: usize, pick: fn(f64, f64) -> f64| {
            let values = self.corners.iter().map(|c| c[k]);
            values.reduce(pick).unwrap_or(f64::NAN)
        };
        Bounds {
            low: vec![end(0, f64::min), end(1, f64::min)],
            high: vec![end(0, f64::max), end(1, f64::max)],
        }
    }

    fn distance(&self, x: &[f64]) -> f64 {
        let (_, _, distance) = self.nearest(x);
        if self.inside(x) { -distance } else { distance }
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let (edge, at, distance) = self.nearest(x);
        let outward = self.outward(edge);
        let away = [x[0] - at[0], x[1] - at[1]];
        // Nearer than this the direction is rounding noise.
        let scale = at[0].abs().max(at[1].abs()).max(1e-300);
        if distance <= 1e3 * f64::EPSILON * scale {
            out.copy_from_slice(&outward);
            return;
        }
        let sign = if self.inside(x) { -1.0 } else { 1.0 };
        out.copy_from_slice(&away.map(|v| sign * v));
        normalise(out);
    }

    fn measure(&self) -> Option<f64> {
        Some(area(&self.corners).abs())
    }

    fn faces(&self) -> Vec<Face> {
        let face = |i: usize| {
            let [a, b] = self.edge(i);
            let measure = libm::hypot(b[0] - a[0], b[1] - a[1]);
            Face {
                name: format!("edge {i}"),
                measure,
                extents: vec![measure],
            }
        };
        (0..self.corners.len()).map(face).collect()
    }

    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]) {
        let [a, b] = self.edge(face);
        for k in 0..2 {
            x[k] = lerp(a[k], b[k], u[0]);
        }
    }

    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool {
        let at = on_segment(self.edge(face), x);
        libm::hypot(x[0] - at[0], x[1] - at[1]) <= tolerance
    }

    fn normal_on(&self, face: usize, _x: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&self.outward(face));
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let (u, v) = (column(x, 0), column(x, 1));
        let line = |i: usize| {
            let ([a, _], n) = (self.edge(i), self.outward(i));
            u * -n[0] + v * -n[1] + (n[0] * a[0] + n[1] * a[1])
        };
        Some(self.formula.fold(&line, &both, &either))
    }
}
