//! Circular cylinders along an axis of coordinates.

use std::f64::consts::{PI, TAU};

use ansatz_autodiff::Array;

use super::error::{finite, positive};
use super::rfunction::both;
use super::{Bounds, Face, Geometry, column, lerp};
use crate::DomainError;

/// The cylinder of radius R and height 2h about a line parallel to an axis; [`Moved`](super::Moved) turns it elsewhere. Faces
/// are `side`, `low` and `high`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cylinder {
    centre: [f64; 3],
    axis: usize,
    radius: f64,
    half: f64,
}

impl Cylinder {
    /// A cylinder from its centre, the axis it is parallel to, its radius and its height.
    ///
    /// # Errors
    /// [`DomainError::Value`] for a radius or height that is not positive, or an axis above 2; [`DomainError::NonFinite`].
    pub fn new(
        centre: [f64; 3],
        axis: usize,
        radius: f64,
        height: f64,
    ) -> Result<Self, DomainError> {
        finite("coordinate of the centre", &centre)?;
        positive("radius", radius)?;
        positive("height", height)?;
        if axis > 2 {
            return Err(DomainError::Value {
                name: "axis of a cylinder",
                value: axis as f64,
                needed: "it must be 0, 1 or 2",
            });
        }
        let half = height / 2.0;
        Ok(Self {
            centre,
            axis,
            radius,
            half,
        })
    }

    /// The axes across.
    fn across(&self) -> [usize; 2] {
        [(self.axis + 1) % 3, (self.axis + 2) % 3]
    }

    /// Distance from the line, height above the centre.
    fn place_of(&self, x: &[f64]) -> (f64, f64) {
        let [i, j] = self.across();
        let r = libm::hypot(x[i] - self.centre[i], x[j] - self.centre[j]);
        (r, x[self.axis] - self.centre[self.axis])
    }

    fn at(&self, r: f64, turn: f64, height: f64, x: &mut [f64]) {
        let [i, j] = self.across();
        let (sin, cos) = libm::sincos(TAU * turn);
        x[i] = self.centre[i] + r * cos;
        x[j] = self.centre[j] + r * sin;
        x[self.axis] = self.centre[self.axis] + height;
    }

    /// The unit vector away from the line, times a number; along the axis another.
    fn vector(&self, x: &[f64], away: f64, along: f64, out: &mut [f64]) {
        let [i, j] = self.across();
        let (r, _) = self.place_of(x);
        let unit = |k: usize| {
            if r > 0.0 {
                (x[k] - self.centre[k]) / r
            } else {
                f64::from(u8::from(k == i))
            }
        };
        (out[i], out[j]) = (away * unit(i), away * unit(j));
        out[self.axis] = along;
    }
}

impl Geometry for Cylinder {
    fn dims(&self) -> usize {
        3
    }

    fn bounds(&self) -> Bounds {
        let reach = |k: usize| {
            if k == self.axis {
                self.half
            } else {
                self.radius
            }
        };
        Bounds {
            low: (0..3).map(|k| self.centre[k] - reach(k)).collect(),
            high: (0..3).map(|k| self.centre[k] + reach(k)).collect(),
        }
    }

    fn distance(&self, x: &[f64]) -> f64 {
        let (r, z) = self.place_of(x);
        let (a, b) = (r - self.radius, z.abs() - self.half);
        if a > 0.0 && b > 0.0 {
            libm::hypot(a, b)
        } else {
            a.max(b)
        }
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let (r, z) = self.place_of(x);
        let (a, b) = (r - self.radius, z.abs() - self.half);
        let up = if z < 0.0 { -1.0 } else { 1.0 };
        if a > 0.0 && b > 0.0 {
            let d = libm::hypot(a, b);
            self.vector(x, a / d, up * b / d, out);
        } else if a > b {
            self.vector(x, 1.0, 0.0, out);
        } else {
            self.vector(x, 0.0, up, out);
        }
    }

    fn measure(&self) -> Option<f64> {
        Some(PI * self.radius * self.radius * 2.0 * self.half)
    }

    fn faces(&self) -> Vec<Face> {
        let round = TAU * self.radius;
        let cap = PI * self.radius * self.radius;
        let face = |name: &str, measure, extents: [f64; 2]| Face {
            name: name.to_owned(),
            measure,
            extents: extents.to_vec(),
        };
        vec![
            face("side", round * 2.0 * self.half, [round, 2.0 * self.half]),
            face("low", cap, [round, self.radius]),
            face("high", cap, [round, self.radius]),
        ]
    }

    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]) {
        if face == 0 {
            self.at(self.radius, u[0], lerp(-self.half, self.half, u[1]), x);
        } else {
            let height = [-self.half, self.half][face - 1];
            self.at(self.radius * u[1].sqrt(), u[0], height, x);
        }
    }

    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool {
        let (r, z) = self.place_of(x);
        if face == 0 {
            (r - self.radius).abs() <= tolerance && z.abs() <= self.half + tolerance
        } else {
            let height = [-self.half, self.half][face - 1];
            (z - height).abs() <= tolerance && r <= self.radius + tolerance
        }
    }

    fn normal_on(&self, face: usize, x: &[f64], out: &mut [f64]) {
        match face {
            0 => self.vector(x, 1.0, 0.0, out),
            1 => self.vector(x, 0.0, -1.0, out),
            _ => self.vector(x, 0.0, 1.0, out),
        }
    }

    fn chart(&self) -> Option<usize> {
        Some(3)
    }

    fn place(&self, u: &[f64], x: &mut [f64]) {
        let height = lerp(-self.half, self.half, u[2]);
        self.at(self.radius * u[1].sqrt(), u[0], height, x);
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let away = |k: usize| (column(x, k) - self.centre[k]).square();
        let [i, j] = self.across();
        let side = (away(i) + away(j) - self.radius * self.radius) * (-0.5 / self.radius);
        let caps = (away(self.axis) - self.half * self.half) * (-0.5 / self.half);
        Some(both(side, caps))
    }
}
