//! Intervals, rectangles, cuboids and boxes of any dimension.

use ansatz_autodiff::Array;

use super::error::finite;
use super::rfunction::both;
use super::{Bounds, Face, Geometry, column, lerp, normalise};
use crate::DomainError;

/// The box [a₁, b₁] × … × [a_d, b_d].
///
/// Its faces are `left` and `right` (axis 0), `bottom` and `top` (1), `back` and `front` (2), `low 3` and `high 3`, ….
/// ℓ(x) = Π (xₖ − aₖ)(bₖ − xₖ)/(bₖ − aₖ).
///
/// ```
/// use ansatz_pde::{BoxDomain, Geometry, Sampler, core::Key};
/// let square = BoxDomain::rectangle([0.0, 1.0], [0.0, 1.0])?;
/// assert_eq!(square.distance(&[0.5, 1.25]), 0.25);
/// let edge = square.sample_boundary(8, &Sampler::default(), Key::new(1))?;
/// assert_eq!(edge.points.len(), 8);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BoxDomain {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl BoxDomain {
    /// A box from its lower and upper corner.
    ///
    /// # Errors
    /// [`DomainError::Extent`] where an upper end is not above its lower one, [`DomainError::NonFinite`],
    /// [`DomainError::Count`] for corners of different or no width.
    pub fn new(low: Vec<f64>, high: Vec<f64>) -> Result<Self, DomainError> {
        if low.is_empty() || low.len() != high.len() {
            return Err(DomainError::Count {
                what: "upper ends of a box",
                expected: low.len().max(1),
                got: high.len(),
            });
        }
        finite("lower end", &low)?;
        finite("upper end", &high)?;
        for (axis, (a, b)) in low.iter().zip(&high).enumerate() {
            if a >= b {
                let (low, high) = (*a, *b);
                return Err(DomainError::Extent { axis, low, high });
            }
        }
        Ok(Self { low, high })
    }

    /// The interval [low, high].
    ///
    /// # Errors
    /// As [`BoxDomain::new`].
    pub fn interval(low: f64, high: f64) -> Result<Self, DomainError> {
        Self::new(vec![low], vec![high])
    }

    /// The rectangle of two intervals.
    ///
    /// # Errors
    /// As [`BoxDomain::new`].
    pub fn rectangle(x: [f64; 2], y: [f64; 2]) -> Result<Self, DomainError> {
        Self::new(vec![x[0], y[0]], vec![x[1], y[1]])
    }

    /// The cuboid of three intervals.
    ///
    /// # Errors
    /// As [`BoxDomain::new`].
    pub fn cuboid(x: [f64; 2], y: [f64; 2], z: [f64; 2]) -> Result<Self, DomainError> {
        Self::new(vec![x[0], y[0], z[0]], vec![x[1], y[1], z[1]])
    }

    /// The cube [low, high]ᵈ.
    ///
    /// # Errors
    /// As [`BoxDomain::new`].
    pub fn cube(dims: usize, low: f64, high: f64) -> Result<Self, DomainError> {
        Self::new(vec![low; dims], vec![high; dims])
    }

    fn extent(&self, axis: usize) -> f64 {
        self.high[axis] - self.low[axis]
    }

    /// Distance of a coordinate above the nearer end of its interval; negative inside.
    fn beyond(&self, axis: usize, x: f64) -> f64 {
        (self.low[axis] - x).max(x - self.high[axis])
    }

    fn outward(&self, axis: usize, x: f64) -> f64 {
        if x - self.low[axis] < self.high[axis] - x {
            -1.0
        } else {
            1.0
        }
    }

    /// (xₖ − aₖ)(bₖ − xₖ)/(bₖ − aₖ)
    fn parabola<'g>(&self, axis: usize, x: Array<'g>) -> Array<'g> {
        let x = column(x, axis);
        (x - self.low[axis]) * (x - self.high[axis]) * (-1.0 / self.extent(axis))
    }
}

fn side_name(axis: usize, upper: usize) -> String {
    const NAMES: [[&str; 2]; 3] = [["left", "right"], ["bottom", "top"], ["back", "front"]];
    match NAMES.get(axis) {
        Some(pair) => pair[upper].to_owned(),
        None => format!("{} {axis}", ["low", "high"][upper]),
    }
}

impl Geometry for BoxDomain {
    fn dims(&self) -> usize {
        self.low.len()
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            low: self.low.clone(),
            high: self.high.clone(),
        }
    }

    fn distance(&self, x: &[f64]) -> f64 {
        let (mut outside, mut nearest) = (0.0, f64::NEG_INFINITY);
        for axis in 0..self.dims() {
            let beyond = self.beyond(axis, x[axis]);
            if beyond.is_nan() {
                return f64::NAN;
            }
            outside += beyond.max(0.0) * beyond.max(0.0);
            nearest = nearest.max(beyond);
        }
        if nearest > 0.0 {
            outside.sqrt()
        } else {
            nearest
        }
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let mut deepest = 0;
        for axis in 0..self.dims() {
            let beyond = self.beyond(axis, x[axis]);
            out[axis] = beyond.max(0.0) * self.outward(axis, x[axis]);
            if beyond > self.beyond(deepest, x[deepest]) {
                deepest = axis;
            }
        }
        if out.iter().all(|v| *v == 0.0) {
            out[deepest] = self.outward(deepest, x[deepest]);
        }
        normalise(out);
    }

    fn measure(&self) -> Option<f64> {
        Some((0..self.dims()).map(|k| self.extent(k)).product())
    }

    fn faces(&self) -> Vec<Face> {
        let dims = self.dims();
        let face = |i: usize| {
            let others = (0..dims).filter(|k| *k != i / 2);
            let extents: Vec<f64> = others.map(|k| self.extent(k)).collect();
            Face {
                name: side_name(i / 2, i % 2),
                measure: extents.iter().product(),
                extents,
            }
        };
        (0..2 * dims).map(face).collect()
    }

    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]) {
        let fixed = face / 2;
        x[fixed] = [self.low[fixed], self.high[fixed]][face % 2];
        let others = (0..self.dims()).filter(|k| *k != fixed);
        for (k, u) in others.zip(u) {
            x[k] = lerp(self.low[k], self.high[k], *u);
        }
    }

    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool {
        let fixed = face / 2;
        let at = [self.low[fixed], self.high[fixed]][face % 2];
        (x[fixed] - at).abs() <= tolerance
            && (0..self.dims()).all(|k| self.beyond(k, x[k]) <= tolerance)
    }

    fn normal_on(&self, face: usize, _x: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        out[face / 2] = [-1.0, 1.0][face % 2];
    }

    fn chart(&self) -> Option<usize> {
        Some(self.dims())
    }

    fn place(&self, u: &[f64], x: &mut [f64]) {
        for (k, x) in x.iter_mut().enumerate() {
            *x = lerp(self.low[k], self.high[k], u[k]);
        }
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let parts = (0..self.dims()).map(|k| self.parabola(k, x));
        parts.reduce(both)
    }

    fn smooth_distance<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let parts = (0..self.dims()).map(|k| self.parabola(k, x));
        parts.reduce(|a, b| a * b)
    }
}
