//! Constructive solid geometry: unions, intersections, differences.

use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_core::Key;

use super::rfunction::{both, either};
use super::{Bounds, Face, Geometry};
use crate::{DomainError, Sampler, Sequence};

/// Points by which parts are seen to meet, or something to be left.
const PROBES: usize = 1 << 14;

/// Cosine beyond which two normals count as the same or opposite.
const PARALLEL: f64 = 1.0 - 1e-9;

/// A union, intersection or difference of geometries of one dimension.
///
/// With d the parts' distances, a union has min d, an intersection max d, a difference max(d₁, −d₂, −d₃, …): the right
/// sign, and a size that is never above the true distance outside a union and inside an intersection. Boundary points
/// are uniform points of the parts' faces, of which those on the boundary are kept, each place once. A face that two parts of a
/// union share from opposite sides is inside, not boundary.
///
/// Faces are named `0:left`, `1:sphere`, … after part and face; [`Where::Face`](super::Where::Face) finds them by the last
/// part of the name as well.
///
/// ```
/// use std::sync::Arc;
/// use ansatz_pde::{Ball, BoxDomain, Csg, Geometry};
/// let plate = Arc::new(BoxDomain::rectangle([-1.0, 1.0], [-1.0, 1.0])?);
/// let hole = Arc::new(Ball::new(vec![0.0, 0.0], 0.5)?);
/// let domain = Csg::difference(plate.clone(), vec![hole])?;
/// assert_eq!(domain.distance(&[0.0, 0.0]), 0.5);
/// let away = Arc::new(Ball::new(vec![3.0, 0.0], 0.5)?);
/// assert!(Csg::difference(plate, vec![away]).is_err());
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Csg {
    operation: Operation,
    parts: Vec<Arc<dyn Geometry>>,
    /// For each face: its part, and its number there.
    places: Vec<(usize, usize)>,
    bounds: Bounds,
    tolerance: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Union,
    Intersection,
    /// The first part without the others.
    Difference,
}

impl Csg {
    /// What lies in any of the parts.
    ///
    /// # Errors
    /// [`DomainError::Count`] without parts, [`DomainError::Value`] for parts of different dimension.
    pub fn union(parts: Vec<Arc<dyn Geometry>>) -> Result<Self, DomainError> {
        Self::new(Operation::Union, parts)
    }

    /// What lies in all parts.
    ///
    /// # Errors
    /// As [`Csg::union`], and [`DomainError::NothingLeft`].
    pub fn intersection(parts: Vec<Arc<dyn Geometry>>) -> Result<Self, DomainError> {
        let made = Self::new(Operation::Intersection, parts)?;
        if made.is_empty()? {
            return Err(DomainError::NothingLeft {
                operation: "intersection",
            });
        }
        Ok(made)
    }

    /// What lies in a geometry and in none of the holes.
    ///
    /// # Errors
    /// As [`Csg::union`]; [`DomainError::NothingRemoved`] where a hole does not meet the geometry,
    /// [`DomainError::NothingLeft`] where nothing is left.
    pub fn difference(
        from: Arc<dyn Geometry>,
        holes: Vec<Arc<dyn Geometry>>,
    ) -> Result<Self, DomainError> {
        for (i, hole) in holes.iter().enumerate() {
            let common = Self::new(Operation::Intersection, vec![from.clone(), hole.clone()])?;
            if common.is_empty()? {
                return Err(DomainError::NothingRemoved { part: i + 1 });
            }
        }
        let mut parts = vec![from];
        parts.extend(holes);
        let made = Self::new(Operation::Difference, parts)?;
        if made.is_empty()? {
            return Err(DomainError::NothingLeft {
                operation: "difference",
            });
        }
        Ok(made)
    }

    fn new(operation: Operation, parts: Vec<Arc<dyn Geometry>>) -> Result<Self, DomainError> {
        let Some(first) = parts.first() else {
            return Err(DomainError::Count {
                what: "parts",
                expected: 1,
                got: 0,
            });
        };
        if let Some(other) = parts.iter().find(|p| p.dims() != first.dims()) {
            return Err(DomainError::Width {
                what: "points of a part",
                expected: first.dims(),
                got: other.dims(),
            });
        }
        let mut bounds = first.bounds();
        let rest = match operation {
            Operation::Difference => &[][..],
            _ => &parts[1..],
        };
        for other in rest.iter().map(|p| p.bounds()) {
            for k in 0..first.dims() {
                let (low, high) = (&mut bounds.low[k], &mut bounds.high[k]);
                (*low, *high) = if operation == Operation::Union {
                    (low.min(other.low[k]), high.max(other.high[k]))
                } else {
                    (low.max(other.low[k]), high.min(other.high[k]))
                };
            }
        }
        let faces = parts.iter().enumerate();
        let places = faces.flat_map(|(i, p)| (0..p.faces().len()).map(move |f| (i, f)));
        let largest = parts.iter().map(|p| p.tolerance()).fold(0.0, f64::max);
        Ok(Self {
            operation,
            places: places.collect(),
            bounds,
            tolerance: largest,
            parts,
        })
    }

    /// The parts.
    pub fn parts(&self) -> &[Arc<dyn Geometry>] {
        &self.parts
    }

    /// Whether no probe of the bounding box lies inside. A body that fills less than some 1e-4 of its box may be missed, so
    /// probes of the smallest part's box are looked at as well.
    fn is_empty(&self) -> Result<bool, DomainError> {
        let overlap = self.bounds.low.iter().zip(&self.bounds.high);
        if overlap.into_iter().any(|(a, b)| a >= b) {
            return Ok(true);
        }
        let dims = self.dims();
        let sampler = if dims <= 100 {
            Sampler::Sobol(Sequence::default())
        } else {
            Sampler::Uniform
        };
        let unit = sampler.unit(PROBES, dims, Key::new(0))?;
        let mut x = vec![0.0; dims];
        for u in unit.rows() {
            self.bounds.place(u, &mut x);
            if self.distance(&x) < 0.0 {
                return Ok(false);
            }
        }
        for part in &self.parts {
            if let Some(width) = part.chart()
                && width <= 100
            {
                for u in sampler.unit(PROBES / 8, width, Key::new(1))?.rows() {
                    part.place(u, &mut x);
                    if self.distance(&x) < 0.0 {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// −1 for parts that are removed.
    fn sign(&self, part: usize) -> f64 {
        if self.operation == Operation::Difference && part > 0 {
            -1.0
        } else {
            1.0
        }
    }

    /// The part whose distance decides, and the distance.
    fn deciding(&self, x: &[f64]) -> (usize, f64) {
        let wins = |new: f64, old: f64| match self.operation {
            Operation::Union => new < old,
            _ => new > old,
        };
        let first = (0, self.parts[0].distance(x));
        let rest = self.parts.iter().enumerate().skip(1);
        rest.fold(first, |best, (i, part)| {
            let distance = self.sign(i) * part.distance(x);
            if wins(distance, best.1) || distance.is_nan() {
                (i, distance)
            } else {
                best
            }
        })
    }

    /// The parts whose boundary holds a point, if no other part decides that it is inside or outside.
    fn meeting(&self, x: &[f64], tolerance: f64) -> Option<Vec<usize>> {
        let mut on = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            if part.on_boundary(x, tolerance) {
                on.push(i);
                continue;
            }
            let inside = self.sign(i) * part.distance(x) < 0.0;
            if inside == (self.operation == Operation::Union) {
                return None;
            }
        }
        Some(on)
    }

    fn signed_normal(&self, part: usize, x: &[f64]) -> Vec<f64> {
        let mut normal = vec![0.0; self.dims()];
        self.parts[part].normal(x, &mut normal);
        let sign = self.sign(part);
        for v in &mut normal {
            *v *= sign;
        }
        normal
    }
}

impl Geometry for Csg {
    fn dims(&self) -> usize {
        self.bounds.low.len()
    }

    fn bounds(&self) -> Bounds {
        self.bounds.clone()
    }

    fn distance(&self, x: &[f64]) -> f64 {
        self.deciding(x).1
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        let part = self.deciding(x).0;
        out.copy_from_slice(&self.signed_normal(part, x));
    }

    fn measure(&self) -> Option<f64> {
        None
    }

    fn faces(&self) -> Vec<Face> {
        let parts = self.parts.iter().enumerate();
        let named = parts.flat_map(|(i, part)| {
            part.faces().into_iter().map(move |face| Face {
                name: format!("{i}:{}", face.name),
                ..face
            })
        });
        named.collect()
    }

    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]) {
        let (part, face) = self.places[face];
        self.parts[part].place_on(face, u, x);
    }

    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool {
        let (part, face) = self.places[face];
        self.parts[part].on_face(face, x, tolerance) && self.on_boundary(x, tolerance)
    }

    fn normal_on(&self, face: usize, x: &[f64], out: &mut [f64]) {
        let (part, face) = self.places[face];
        self.parts[part].normal_on(face, x, out);
        let sign = self.sign(part);
        for v in out {
            *v *= sign;
        }
    }

    fn is_cut(&self) -> bool {
        true
    }

    fn is_cloud(&self) -> bool {
        self.parts.iter().any(|part| part.is_cloud())
    }

    fn keeps(&self, face: usize, x: &[f64]) -> bool {
        let (part, local) = self.places[face];
        self.parts[part].keeps(local, x)
            && self.on_boundary(x, self.tolerance)
            && !(0..part).any(|earlier| self.parts[earlier].on_boundary(x, self.tolerance))
    }

    fn on_boundary(&self, x: &[f64], tolerance: f64) -> bool {
        let Some(on) = self.meeting(x, tolerance) else {
            return false;
        };
        // Where two parts touch from opposite sides, the point is inside (a union) or outside (an intersection).
        let normals: Vec<Vec<f64>> = if on.len() > 1 {
            on.iter().map(|i| self.signed_normal(*i, x)).collect()
        } else {
            Vec::new()
        };
        let opposite = |a: &[f64], b: &[f64]| {
            let cosine: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            cosine < -PARALLEL
        };
        let mut pairs = (0..normals.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        !on.is_empty() && !pairs.any(|(i, j)| opposite(&normals[i], &normals[j]))
    }

    fn tolerance(&self) -> f64 {
        self.tolerance
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let mut joined: Option<Array<'g>> = None;
        for (i, part) in self.parts.iter().enumerate() {
            let next = part.r_function(x)? * self.sign(i);
            joined = Some(match (joined, self.operation) {
                (None, _) => next,
                (Some(before), Operation::Union) => either(before, next),
                (Some(before), _) => both(before, next),
            });
        }
        joined
    }
}
