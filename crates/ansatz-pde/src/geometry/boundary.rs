//! Named parts of a boundary, to which conditions are attached, and periodic images.

use std::fmt;
use std::sync::Arc;

use ansatz_core::Key;
use rayon::prelude::*;

use super::error::finite;
use super::sample::{Accept, boundary};
use super::{BoundaryPoints, CHUNK, Geometry};
use crate::{DomainError, Points, Sampler};

/// Points of a face that are looked at before it is left out.
const PROBES: usize = 256;

/// A function that says whether a point belongs to a part.
pub type Test = dyn Fn(&[f64]) -> bool + Send + Sync;

/// Which points of a boundary.
#[derive(Clone)]
pub enum Where {
    /// All.
    Everywhere,
    /// Those of the faces of a name; of [`Csg`](super::Csg) also of the faces whose name ends in `:` and this name.
    Face(String),
    /// Those with a coordinate of a given value.
    Coordinate {
        /// Which coordinate.
        axis: usize,
        /// Its value.
        value: f64,
    },
    /// Those of which a function says so.
    Predicate(Arc<Test>),
}

impl Where {
    /// By name of a face.
    pub fn face(name: impl Into<String>) -> Self {
        Self::Face(name.into())
    }

    /// By a function of the point.
    pub fn predicate(predicate: impl Fn(&[f64]) -> bool + Send + Sync + 'static) -> Self {
        Self::Predicate(Arc::new(predicate))
    }
}

impl fmt::Debug for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("Everywhere"),
            Self::Face(name) => write!(f, "Face({name:?})"),
            Self::Coordinate { axis, value } => write!(f, "Coordinate(x{axis} = {value})"),
            Self::Predicate(_) => f.write_str("Predicate(..)"),
        }
    }
}

/// A part of a geometry's boundary.
///
/// ```
/// use std::sync::Arc;
/// use ansatz_pde::{Boundary, BoxDomain, DomainError, Geometry, Sampler, Where, core::Key};
/// let square: Arc<dyn Geometry> = Arc::new(BoxDomain::cube(2, 0.0, 1.0)?);
/// let lid = Boundary::new("lid", square.clone(), Where::face("top"))?;
/// let points = lid.sample(3, &Sampler::default(), Key::new(0))?;
/// assert_eq!(points.points.column(1), [1.0; 3]);
/// assert_eq!(points.normals.row(0), [0.0, 1.0]);
/// let nowhere = Boundary::new("outflow", square, Where::predicate(|x| x[0] > 2.0));
/// assert!(matches!(nowhere, Err(DomainError::EmptyBoundary { name }) if name == "outflow"));
/// # Ok::<(), DomainError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Boundary {
    name: String,
    geometry: Arc<dyn Geometry>,
    faces: Vec<usize>,
    place: Where,
    tolerance: f64,
}

impl Boundary {
    /// A part of a boundary by its points' place.
    ///
    /// # Errors
    /// [`DomainError::NoFace`] for a name that no face has, [`DomainError::EmptyBoundary`] where none of 256 points of each face belongs
    /// to the part (so a predicate must take some per cent of a face), [`DomainError::Value`] for a coordinate that there is not,
    /// [`DomainError::NonFinite`] for its value.
    pub fn new(
        name: impl Into<String>,
        geometry: Arc<dyn Geometry>,
        place: Where,
    ) -> Result<Self, DomainError> {
        let name = name.into();
        let all = geometry.faces();
        let mut faces: Vec<usize> = (0..all.len()).collect();
        match &place {
            Where::Face(wanted) => {
                let end = format!(":{wanted}");
                faces.retain(|i| all[*i].name == *wanted || all[*i].name.ends_with(&end));
                if faces.is_empty() {
                    return Err(DomainError::NoFace {
                        name: wanted.clone(),
                        known: all.into_iter().map(|f| f.name).collect(),
                    });
                }
            }
            Where::Coordinate { axis, value } => {
                finite("value of a coordinate", &[*value])?;
                if *axis >= geometry.dims() {
                    return Err(DomainError::Value {
                        name: "axis of a boundary",
                        value: *axis as f64,
                        needed: "it must be a coordinate of the domain",
                    });
                }
            }
            Where::Everywhere | Where::Predicate(_) => {}
        }
        let mut part = Self::of(&name, geometry, faces, place);
        part.leave_out_empty_faces()?;
        if part.faces.is_empty() {
            return Err(DomainError::EmptyBoundary { name });
        }
        Ok(part)
    }

    /// Faces known to hold points.
    pub(super) fn of(
        name: &str,
        geometry: Arc<dyn Geometry>,
        faces: Vec<usize>,
        place: Where,
    ) -> Self {
        Self {
            name: name.to_owned(),
            tolerance: geometry.tolerance(),
            geometry,
            faces,
            place,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The geometry that it bounds.
    pub fn geometry(&self) -> &Arc<dyn Geometry> {
        &self.geometry
    }

    /// Its measure, where it is whole faces.
    pub fn measure(&self) -> Option<f64> {
        let whole = matches!(self.place, Where::Everywhere | Where::Face(_));
        let all = self.geometry.faces();
        let sum = || self.faces.iter().map(|f| all[*f].measure).sum();
        (whole && !self.geometry.is_cut()).then(sum)
    }

    /// `n` of its points, uniform in measure, with outward normals; a grid gives about as many.
    ///
    /// # Errors
    /// [`DomainError::TooThin`] when too few candidates belong to it, [`DomainError::Value`] for more coordinates than the sampler
    /// has.
    pub fn sample(
        &self,
        n: usize,
        sampler: &Sampler,
        key: Key,
    ) -> Result<BoundaryPoints, DomainError> {
        let accept = |x: &[f64]| self.takes(x);
        let accept: Option<Accept<'_>> = match self.place {
            Where::Everywhere | Where::Face(_) => None,
            _ => Some(&accept),
        };
        if self.faces.is_empty() {
            return self.geometry.sample_boundary(n, sampler, key);
        }
        boundary(&*self.geometry, &self.faces, accept, n, *sampler, key)
    }

    /// Which points belong to it, up to the geometry's tolerance.
    ///
    /// # Errors
    /// [`DomainError::Width`] for points of another width.
    pub fn contains(&self, points: &Points) -> Result<Vec<bool>, DomainError> {
        points.expect_width("points", self.geometry.dims())?;
        let rows = points.as_slice().par_chunks_exact(points.dims());
        let on = |x: &[f64]| {
            self.faces
                .iter()
                .any(|f| self.geometry.on_face(*f, x, self.tolerance))
        };
        let found = rows.with_min_len(CHUNK).map(|x| self.takes(x) && on(x));
        Ok(found.collect())
    }

    fn takes(&self, x: &[f64]) -> bool {
        match &self.place {
            Where::Everywhere | Where::Face(_) => true,
            Where::Coordinate { axis, value } => (x[*axis] - value).abs() <= self.tolerance,
            Where::Predicate(predicate) => predicate(x),
        }
    }

    fn leave_out_empty_faces(&mut self) -> Result<(), DomainError> {
        let all = self.geometry.faces();
        let mut kept = Vec::new();
        let mut x = vec![0.0; self.geometry.dims()];
        for f in &self.faces {
            let width = all[*f].extents.len();
            let mut holds = |u: &[f64]| {
                self.geometry.place_on(*f, u, &mut x);
                self.geometry.keeps(*f, &x) && self.takes(&x)
            };
            let sampler = if width <= 100 {
                Sampler::default()
            } else {
                Sampler::Uniform
            };
            let found = if width == 0 {
                holds(&[])
            } else {
                let unit = sampler.unit(PROBES, width, Key::new(*f as u64))?;
                unit.rows().any(&mut holds)
            };
            if found {
                kept.push(*f);
            }
        }
        self.faces = kept;
        Ok(())
    }
}

/// `n` points of the boundary at the lower end of an axis, and their images at the upper end, for periodic conditions.
///
/// ```
/// use std::sync::Arc;
/// use ansatz_pde::{BoxDomain, Sampler, SpaceTime, core::Key, periodic_pairs};
/// let domain = SpaceTime::new(Arc::new(BoxDomain::interval(-1.0, 1.0)?), [0.0, 1.0])?;
/// let [left, right] = periodic_pairs(Arc::new(domain), 0, 8, &Sampler::default(), Key::new(0))?;
/// assert_eq!(left.column(1), right.column(1));
/// assert_eq!((left.row(0)[0], right.row(0)[0]), (-1.0, 1.0));
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
///
/// # Errors
/// [`DomainError::EmptyBoundary`] where the geometry has no flat part at the lower end, [`DomainError::NotPeriodic`] where an image is
/// not on the boundary, and as [`Boundary::sample`].
pub fn periodic_pairs(
    geometry: Arc<dyn Geometry>,
    axis: usize,
    n: usize,
    sampler: &Sampler,
    key: Key,
) -> Result<[Points; 2], DomainError> {
    let bounds = geometry.bounds();
    let value = bounds.low.get(axis).copied().unwrap_or(0.0);
    let name = format!("lower end of axis {axis}");
    let place = Where::Coordinate { axis, value };
    let part = Boundary::new(name, geometry, place)?;
    let geometry = part.geometry();
    let low = part.sample(n, sampler, key)?;
    let mut images = low.points.as_slice().to_vec();
    for image in images.chunks_exact_mut(geometry.dims()) {
        image[axis] = bounds.high[axis];
    }
    let images = Points::of(geometry.dims(), images);
    let tolerance = geometry.tolerance();
    let lost = images
        .rows()
        .position(|x| !geometry.on_boundary(x, tolerance));
    if let Some(i) = lost {
        let point = low.points.row(i).to_vec();
        return Err(DomainError::NotPeriodic { axis, point });
    }
    Ok([low.points, images])
}
