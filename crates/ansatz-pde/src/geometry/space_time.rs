//! A geometry over an interval of time.

use std::sync::Arc;

use ansatz_autodiff::Array;

use super::error::finite;
use super::{Boundary, Bounds, Face, Geometry, Where, column, lerp};
use crate::DomainError;

/// Space × [t₀, t₁]. Coordinates are those of space, then t, unless [`SpaceTime::with_time_axis`] says otherwise.
///
/// Faces are those of space, over all times, then `initial` and `end`. ℓ is the space's times (t − t₀)/(t₁ − t₀): zero at the
/// start and on the side, free at the end. Normals are those of the domain in space-time.
///
/// ```
/// use std::sync::Arc;
/// use ansatz_pde::{BoxDomain, Geometry, Sampler, SpaceTime, core::Key};
/// let domain = SpaceTime::new(Arc::new(BoxDomain::interval(-1.0, 1.0)?), [0.0, 3.0])?;
/// assert_eq!(domain.measure(), Some(6.0));
/// let start = domain.initial().sample(5, &Sampler::default(), Key::new(0))?;
/// assert_eq!(start.points.column(1), [0.0; 5]);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpaceTime {
    space: Arc<dyn Geometry>,
    time: [f64; 2],
    axis: usize,
    /// Faces of space.
    sides: usize,
}

impl SpaceTime {
    /// A geometry over an interval of time, t as the last coordinate.
    ///
    /// # Errors
    /// [`DomainError::Extent`] where the interval is empty, [`DomainError::NonFinite`].
    pub fn new(space: Arc<dyn Geometry>, time: [f64; 2]) -> Result<Self, DomainError> {
        finite("end of the interval of time", &time)?;
        let (axis, sides) = (space.dims(), space.faces().len());
        if time[0] >= time[1] {
            let [low, high] = time;
            return Err(DomainError::Extent { axis, low, high });
        }
        Ok(Self {
            space,
            time,
            axis,
            sides,
        })
    }

    /// The same domain with t as coordinate `axis`; those of space keep their order.
    ///
    /// # Errors
    /// [`DomainError::Value`] for an axis above the dimension of space.
    pub fn with_time_axis(self, axis: usize) -> Result<Self, DomainError> {
        if axis > self.space.dims() {
            return Err(DomainError::Value {
                name: "axis of time",
                value: axis as f64,
                needed: "at most the number of coordinates of space",
            });
        }
        Ok(Self { axis, ..self })
    }

    /// The geometry in space.
    pub fn space(&self) -> &Arc<dyn Geometry> {
        &self.space
    }

    /// The interval of time.
    pub fn time(&self) -> [f64; 2] {
        self.time
    }

    /// Which coordinate is t.
    pub fn time_axis(&self) -> usize {
        self.axis
    }

    /// Space at the first time.
    pub fn initial(&self) -> Boundary {
        self.part("initial", vec![self.sides])
    }

    /// Space at the last time.
    pub fn end(&self) -> Boundary {
        self.part("end", vec![self.sides + 1])
    }

    /// The boundary of space at all times.
    pub fn side(&self) -> Boundary {
        self.part("side", (0..self.sides).collect())
    }

    fn part(&self, name: &str, faces: Vec<usize>) -> Boundary {
        Boundary::of(name, Arc::new(self.clone()), faces, Where::Everywhere)
    }

    /// A point's place in space, and its time.
    fn apart<R>(&self, x: &[f64], use_it: impl FnOnce(&[f64], f64) -> R) -> R {
        let t = x[self.axis];
        if self.axis + 1 == x.len() {
            use_it(&x[..self.axis], t)
        } else {
            let space: Vec<f64> = [&x[..self.axis], &x[self.axis + 1..]].concat();
            use_it(&space, t)
        }
    }

    /// A point of space-time; `fill` sets its place in space.
    fn together(&self, x: &mut [f64], t: f64, fill: impl FnOnce(&mut [f64])) {
        // Space first, then its later coordinates make room for t.
        let last = x.len() - 1;
        fill(&mut x[..last]);
        x.copy_within(self.axis..last, self.axis + 1);
        x[self.axis] = t;
    }

    /// The distance in time beyond the interval, negative inside.
    fn beyond(&self, t: f64) -> f64 {
        (self.time[0] - t).max(t - self.time[1])
    }

    fn forward(&self, t: f64) -> f64 {
        if t - self.time[0] < self.time[1] - t {
            -1.0
        } else {
            1.0
        }
    }

    fn space_columns<'g>(&self, x: Array<'g>) -> Array<'g> {
        let columns = (0..=self.space.dims()).filter(|k| *k != self.axis);
        let columns: Vec<Array<'g>> = columns.map(|k| column(x, k)).collect();
        Array::concatenate(&columns, 1)
    }
}

impl Geometry for SpaceTime {
    fn dims(&self) -> usize {
        self.space.dims() + 1
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = self.space.bounds();
        bounds.low.insert(self.axis, self.time[0]);
        bounds.high.insert(self.axis, self.time[1]);
        bounds
    }

    fn distance(&self, x: &[f64]) -> f64 {
        self.apart(x, |space, t| {
            let (a, b) = (self.space.distance(space), self.beyond(t));
            if a > 0.0 && b > 0.0 {
                libm::hypot(a, b)
            } else if a.is_nan() || b.is_nan() {
                f64::NAN
            } else {
                a.max(b)
            }
        })
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let (a, b, normal, t) = self.apart(x, |space, t| {
            let mut normal = vec![0.0; space.len()];
            self.space.normal(space, &mut normal);
            (self.space.distance(space), self.beyond(t), normal, t)
        });
        let (in_space, in_time) = if a > 0.0 && b > 0.0 {
            let d = libm::hypot(a, b);
            (a / d, b / d)
        } else if a > b {
            (1.0, 0.0)
        } else {
            (0.0, 1.0)
        };
        self.together(out, in_time * self.forward(t), |out| {
            for (out, n) in out.iter_mut().zip(&normal) {
                *out = in_space * n;
            }
        });
    }

    fn measure(&self) -> Option<f64> {
        let duration = self.time[1] - self.time[0];
        self.space.measure().map(|m| m * duration)
    }

    fn faces(&self) -> Vec<Face> {
        let duration = self.time[1] - self.time[0];
        let sides = self.space.faces().into_iter().map(|mut face| {
            face.measure *= duration;
            face.extents.push(duration);
            face
        });
        let mut faces: Vec<Face> = sides.collect();
        // Without a chart slices are cut from the bounding box.
        let extents = self.space.bounds().extents();
        let volume = extents.iter().product();
        let (measure, extents) = match self.space.chart() {
            Some(width) if width != extents.len() => {
                (self.space.measure().unwrap_or(volume), vec![1.0; width])
            }
            Some(_) => (self.space.measure().unwrap_or(volume), extents),
            None => (volume, extents),
        };
        for name in ["initial", "end"] {
            faces.push(Face {
                name: name.to_owned(),
                measure,
                extents: extents.clone(),
            });
        }
        faces
    }

    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]) {
        if face < self.sides {
            let (u, last) = u.split_at(u.len() - 1);
            let t = lerp(self.time[0], self.time[1], last[0]);
            self.together(x, t, |x| self.space.place_on(face, u, x));
        } else {
            let t = self.time[face - self.sides];
            self.together(x, t, |x| match self.space.chart() {
                Some(_) => self.space.place(u, x),
                None => self.space.bounds().place(u, x),
            });
        }
    }

    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool {
        self.apart(x, |space, t| {
            if face < self.sides {
                self.space.on_face(face, space, tolerance) && self.beyond(t) <= tolerance
            } else {
                let at = self.time[face - self.sides];
                (t - at).abs() <= tolerance && self.space.distance(space) <= tolerance
            }
        })
    }

    fn normal_on(&self, face: usize, x: &[f64], out: &mut [f64]) {
        if face < self.sides {
            let mut normal = vec![0.0; x.len() - 1];
            self.apart(x, |space, _| {
                self.space.normal_on(face, space, &mut normal);
            });
            self.together(out, 0.0, |out| out.copy_from_slice(&normal));
        } else {
            out.fill(0.0);
            out[self.axis] = [-1.0, 1.0][face - self.sides];
        }
    }

    fn is_cut(&self) -> bool {
        self.space.is_cut() || self.space.chart().is_none()
    }

    fn is_cloud(&self) -> bool {
        self.space.is_cloud()
    }

    fn keeps(&self, face: usize, x: &[f64]) -> bool {
        self.apart(x, |space, _| {
            if face < self.sides {
                self.space.keeps(face, space)
            } else {
                self.space.chart().is_some() || self.space.distance(space) <= 0.0
            }
        })
    }

    fn on_boundary(&self, x: &[f64], tolerance: f64) -> bool {
        self.apart(x, |space, t| {
            let (side, beyond) = (self.space.on_boundary(space, tolerance), self.beyond(t));
            let inside = side || self.space.distance(space) <= tolerance;
            beyond <= tolerance && (side || (inside && beyond >= -tolerance))
        })
    }

    fn boundary_measure(&self) -> Option<f64> {
        let duration = self.time[1] - self.time[0];
        let (inside, side) = (self.space.measure()?, self.space.boundary_measure()?);
        Some(2.0 * inside + side * duration)
    }

    fn chart(&self) -> Option<usize> {
        self.space.chart().map(|width| width + 1)
    }

    fn place(&self, u: &[f64], x: &mut [f64]) {
        let (u, last) = u.split_at(u.len() - 1);
        let t = lerp(self.time[0], self.time[1], last[0]);
        self.together(x, t, |x| self.space.place(u, x));
    }

    fn smooth_distance<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let space = self.space.smooth_distance(self.space_columns(x))?;
        let elapsed = column(x, self.axis) - self.time[0];
        Some(space * elapsed * (1.0 / (self.time[1] - self.time[0])))
    }
}
