//! Domains known by points only.

use ansatz_core::Key;

use super::{BoundaryPoints, Bounds, Face, Geometry, norm, normalise};
use crate::points::permutation;
use crate::{DomainError, Points, Sampler};

/// Points inside, and points of the boundary with their normals, from elsewhere: a mesh, a measurement. The distance is that to
/// the nearest point, so a point is contained only if it is one of the cloud's. Draws are random subsets of the points; the
/// sampler does not matter.
#[derive(Debug, Clone, PartialEq)]
pub struct PointCloud {
    interior: Points,
    boundary: Option<[Points; 2]>,
}

impl PointCloud {
    /// Points of the inside.
    ///
    /// # Errors
    /// [`DomainError::Count`] without points.
    pub fn new(interior: Points) -> Result<Self, DomainError> {
        if interior.is_empty() {
            return Err(DomainError::Count {
                what: "points of a cloud",
                expected: 1,
                got: 0,
            });
        }
        Ok(Self {
            interior,
            boundary: None,
        })
    }

    /// With points of the boundary and their outward normals, which are made unit vectors.
    ///
    /// # Errors
    /// [`DomainError::Width`] or [`DomainError::Count`] where widths or numbers of points differ.
    pub fn with_boundary(self, points: Points, normals: Points) -> Result<Self, DomainError> {
        points.expect_width("boundary points", self.dims())?;
        normals.expect_width("normals", self.dims())?;
        if points.is_empty() || points.len() != normals.len() {
            return Err(DomainError::Count {
                what: "normals",
                expected: points.len().max(1),
                got: normals.len(),
            });
        }
        let dims = self.dims();
        let mut unit = normals.into_vec();
        unit.chunks_exact_mut(dims).for_each(normalise);
        let boundary = Some([points, Points::of(dims, unit)]);
        Ok(Self { boundary, ..self })
    }

    /// The nearest of some points, and the distance to it.
    fn nearest(points: &Points, x: &[f64]) -> (usize, f64) {
        let distance = |p: &[f64]| {
            let away: Vec<f64> = p.iter().zip(x).map(|(p, x)| x - p).collect();
            norm(&away)
        };
        let rows = points.rows().map(distance).enumerate();
        rows.fold(
            (0, f64::INFINITY),
            |best, new| {
                if new.1 < best.1 { new } else { best }
            },
        )
    }

    fn chosen(points: &Points, n: usize, key: Key) -> Result<Vec<usize>, DomainError> {
        if n > points.len() {
            return Err(DomainError::Count {
                what: "points of a cloud",
                expected: n,
                got: points.len(),
            });
        }
        let order = permutation(points.len(), key);
        Ok(order[..n].iter().map(|i| *i as usize).collect())
    }
}

impl Geometry for PointCloud {
    fn dims(&self) -> usize {
        self.interior.dims()
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds {
            low: self.interior.row(0).to_vec(),
            high: self.interior.row(0).to_vec(),
        };
        let edge = self.boundary.iter().flat_map(|b| b[0].rows());
        for x in self.interior.rows().chain(edge) {
            for k in 0..x.len() {
                bounds.low[k] = bounds.low[k].min(x[k]);
                bounds.high[k] = bounds.high[k].max(x[k]);
            }
        }
        bounds
    }

    fn distance(&self, x: &[f64]) -> f64 {
        let inside = Self::nearest(&self.interior, x).1;
        let edge = self.boundary.as_ref().map(|b| Self::nearest(&b[0], x).1);
        edge.map_or(inside, |edge| inside.min(edge))
    }

    fn is_cloud(&self) -> bool {
        true
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        if let Some([points, normals]) = &self.boundary {
            out.copy_from_slice(normals.row(Self::nearest(points, x).0));
            return;
        }
        let near = self.interior.row(Self::nearest(&self.interior, x).0);
        for k in 0..out.len() {
            out[k] = x[k] - near[k];
        }
        normalise(out);
    }

    fn measure(&self) -> Option<f64> {
        None
    }

    fn faces(&self) -> Vec<Face> {
        Vec::new()
    }

    fn place_on(&self, _face: usize, _u: &[f64], _x: &mut [f64]) {}

    fn on_face(&self, _face: usize, _x: &[f64], _tolerance: f64) -> bool {
        false
    }

    fn on_boundary(&self, x: &[f64], tolerance: f64) -> bool {
        let near = self.boundary.as_ref().map(|b| Self::nearest(&b[0], x).1);
        near.is_some_and(|d| d <= tolerance)
    }

    fn boundary_measure(&self) -> Option<f64> {
        None
    }

    fn sample_interior(
        &self,
        n: usize,
        _sampler: &Sampler,
        key: Key,
    ) -> Result<Points, DomainError> {
        let chosen = Self::chosen(&self.interior, n, key)?;
        Ok(self.interior.select(&chosen))
    }

    fn sample_boundary(
        &self,
        n: usize,
        _sampler: &Sampler,
        key: Key,
    ) -> Result<BoundaryPoints, DomainError> {
        let Some([points, normals]) = &self.boundary else {
            return Err(DomainError::NoPoints {
                what: "the boundary of a cloud without boundary points",
                remedy: "give them by `with_boundary`",
            });
        };
        let chosen = Self::chosen(points, n, key)?;
        Ok(BoundaryPoints {
            points: points.select(&chosen),
            normals: normals.select(&chosen),
            faces: vec![0; n],
        })
    }
}
