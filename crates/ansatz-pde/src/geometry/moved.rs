//! Geometries turned, scaled and shifted.

use std::sync::Arc;

use ansatz_autodiff::Array;

use super::error::{finite, positive};
use super::{Bounds, Face, Geometry};
use crate::DomainError;

/// The image of a geometry under x ↦ c·R·x + t. Everything that the geometry knows carries over.
///
/// ```
/// use std::sync::Arc;
/// use ansatz_pde::{BoxDomain, Geometry, Moved};
/// let square = Arc::new(BoxDomain::cube(2, -1.0, 1.0)?);
/// let tilted = Moved::rotated(square, std::f64::consts::FRAC_PI_4)?;
/// assert!((tilted.bounds().high[0] - 2.0_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Moved {
    inner: Arc<dyn Geometry>,
    /// R, row by row.
    rotation: Vec<f64>,
    factor: f64,
    shift: Vec<f64>,
}

impl Moved {
    /// A geometry after a rotation (or reflection; row by row), a scaling and a shift.
    ///
    /// # Errors
    /// [`DomainError::Count`] for a matrix or shift of another size, [`DomainError::Rotation`] for a matrix that is not orthogonal to
    /// 1e-12, [`DomainError::Value`] for a factor that is not positive, [`DomainError::NonFinite`].
    pub fn new(
        inner: Arc<dyn Geometry>,
        rotation: Vec<f64>,
        factor: f64,
        shift: Vec<f64>,
    ) -> Result<Self, DomainError> {
        let d = inner.dims();
        let count = |what, got, expected| {
            if got == expected {
                return Ok(());
            }
            Err(DomainError::Count {
                what,
                expected,
                got,
            })
        };
        count("elements of a rotation", rotation.len(), d * d)?;
        count("coordinates of a shift", shift.len(), d)?;
        finite("element of the rotation", &rotation)?;
        finite("coordinate of the shift", &shift)?;
        positive("factor", factor)?;
        let mut defect = 0.0_f64;
        for i in 0..d {
            for j in 0..d {
                let dot: f64 = (0..d)
                    .map(|k| rotation[k * d + i] * rotation[k * d + j])
                    .sum();
                defect = defect.max((dot - f64::from(u8::from(i == j))).abs());
            }
        }
        if defect > 1e-12 {
            return Err(DomainError::Rotation { defect });
        }
        Ok(Self {
            inner,
            rotation,
            factor,
            shift,
        })
    }

    /// A geometry shifted.
    ///
    /// # Errors
    /// As [`Moved::new`].
    pub fn translated(inner: Arc<dyn Geometry>, by: Vec<f64>) -> Result<Self, DomainError> {
        let d = inner.dims();
        Self::new(inner, identity(d), 1.0, by)
    }

    /// A geometry scaled about the origin.
    ///
    /// # Errors
    /// As [`Moved::new`].
    pub fn scaled(inner: Arc<dyn Geometry>, factor: f64) -> Result<Self, DomainError> {
        let d = inner.dims();
        Self::new(inner, identity(d), factor, vec![0.0; d])
    }

    /// A geometry turned about the origin by an angle in the plane of its first two axes.
    ///
    /// # Errors
    /// [`DomainError::Value`] in one dimension, [`DomainError::NonFinite`].
    pub fn rotated(inner: Arc<dyn Geometry>, angle: f64) -> Result<Self, DomainError> {
        let d = inner.dims();
        if d < 2 {
            return Err(DomainError::Value {
                name: "coordinates of a rotated geometry",
                value: d as f64,
                needed: "at least 2",
            });
        }
        finite("angle", &[angle])?;
        let (sin, cos) = libm::sincos(angle);
        let mut rotation = identity(d);
        (rotation[0], rotation[1]) = (cos, -sin);
        (rotation[d], rotation[d + 1]) = (sin, cos);
        Self::new(inner, rotation, 1.0, vec![0.0; d])
    }

    /// Rᵀ(x − t)/c
    fn back(&self, x: &[f64]) -> Vec<f64> {
        let d = x.len();
        let away = |k: usize| (x[k] - self.shift[k]) / self.factor;
        let element = |i: usize| (0..d).map(|k| self.rotation[k * d + i] * away(k)).sum();
        (0..d).map(element).collect()
    }

    /// R·v
    fn turned(&self, v: &[f64], out: &mut [f64]) {
        for (row, out) in self.rotation.chunks_exact(v.len()).zip(out) {
            *out = row.iter().zip(v).map(|(r, v)| r * v).sum();
        }
    }

    fn forward(&self, y: &[f64], x: &mut [f64]) {
        self.turned(y, x);
        for (x, t) in x.iter_mut().zip(&self.shift) {
            *x = *x * self.factor + t;
        }
    }

    fn back_in_graph<'g>(&self, x: Array<'g>) -> Array<'g> {
        let (g, d) = (x.graph(), self.inner.dims());
        let shift = g.constant(&[1, d], self.shift.clone());
        let rotation = g.constant(&[d, d], self.rotation.clone());
        (x - shift).matmul(rotation) * (1.0 / self.factor)
    }
}

fn identity(d: usize) -> Vec<f64> {
    let element = |i: usize| f64::from(u8::from(i / d == i % d));
    (0..d * d).map(element).collect()
}

impl Geometry for Moved {
    fn dims(&self) -> usize {
        self.inner.dims()
    }

    fn bounds(&self) -> Bounds {
        let inner = self.inner.bounds();
        let d = self.dims();
        let middle: Vec<f64> = (0..d)
            .map(|k| f64::midpoint(inner.low[k], inner.high[k]))
            .collect();
        let mut centre = vec![0.0; d];
        self.forward(&middle, &mut centre);
        let half = inner.extents();
        let reach = |i: usize| {
            let row = &self.rotation[i * d..(i + 1) * d];
            let parts = row.iter().zip(&half).map(|(r, h)| r.abs() * h / 2.0);
            self.factor * parts.sum::<f64>()
        };
        Bounds {
            low: (0..d).map(|i| centre[i] - reach(i)).collect(),
            high: (0..d).map(|i| centre[i] + reach(i)).collect(),
        }
    }

    fn distance(&self, x: &[f64]) -> f64 {
        self.factor * self.inner.distance(&self.back(x))
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let mut normal = vec![0.0; x.len()];
        self.inner.normal(&self.back(x), &mut normal);
        self.turned(&normal, out);
    }

    fn measure(&self) -> Option<f64> {
        let power = libm::pow(self.factor, self.dims() as f64);
        self.inner.measure().map(|m| m * power)
    }

    fn faces(&self) -> Vec<Face> {
        let power = libm::pow(self.factor, self.dims() as f64 - 1.0);
        let faces = self.inner.faces().into_iter().map(|face| Face {
            measure: face.measure * power,
            extents: face.extents.iter().map(|e| e * self.factor).collect(),
            name: face.name,
        });
        faces.collect()
    }

    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]) {
        let mut y = vec![0.0; x.len()];
        self.inner.place_on(face, u, &mut y);
        self.forward(&y, x);
    }

    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool {
        let tolerance = tolerance / self.factor;
        self.inner.on_face(face, &self.back(x), tolerance)
    }

    fn normal_on(&self, face: usize, x: &[f64], out: &mut [f64]) {
        let mut normal = vec![0.0; x.len()];
        self.inner.normal_on(face, &self.back(x), &mut normal);
        self.turned(&normal, out);
    }

    fn is_cut(&self) -> bool {
        self.inner.is_cut()
    }

    fn is_cloud(&self) -> bool {
        self.inner.is_cloud()
    }

    fn keeps(&self, face: usize, x: &[f64]) -> bool {
        self.inner.keeps(face, &self.back(x))
    }

    fn on_boundary(&self, x: &[f64], tolerance: f64) -> bool {
        let tolerance = tolerance / self.factor;
        self.inner.on_boundary(&self.back(x), tolerance)
    }

    fn chart(&self) -> Option<usize> {
        self.inner.chart()
    }

    fn place(&self, u: &[f64], x: &mut [f64]) {
        let mut y = vec![0.0; x.len()];
        self.inner.place(u, &mut y);
        self.forward(&y, x);
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let inner = self.inner.r_function(self.back_in_graph(x))?;
        Some(inner * self.factor)
    }

    fn smooth_distance<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let inner = self.inner.smooth_distance(self.back_in_graph(x))?;
        Some(inner * self.factor)
    }
}
