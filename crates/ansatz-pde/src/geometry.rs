//! Domains: where an equation holds, where its boundary is, and points of both.
//!
//! A geometry is a signed distance d (negative inside) with charts: maps from unit cubes that carry uniform points into
//! uniform points of the inside and of each named face of the boundary. Everything else follows once for all geometries:
//! interior points come through the chart, or by rejection from the bounding box where there is none; boundary points are
//! shared out among faces by their measure; constructive solid geometry keeps those points of its parts' faces that lie on
//! its own boundary; a space-time cylinder multiplies charts by an interval.
//!
//! | geometry | dimension | distance | measure | chart | smooth distance |
//! |---|---|---|---|---|---|
//! | [`BoxDomain`] | any | exact | exact | yes | polynomial |
//! | [`Ball`] | 2 and more | exact | exact | yes | polynomial |
//! | [`Ellipse`] | 2 | exact | exact | yes | polynomial |
//! | [`Polygon`] | 2 | exact | exact | no | R-function, one term an edge |
//! | [`Cylinder`] | 3 | exact | exact | yes | R-function |
//! | [`Csg`] | its parts' | exact sign, a lower bound of the size | no | no | R-function of its parts' |
//! | [`Moved`] | its inner one's | as inner | as inner | as inner | as inner |
//! | [`SpaceTime`] | one more than space | as space | as space | as space | zero at the start and on the side |
//! | [`PointCloud`] | any | to the nearest point | no | no | no |
//!
//! Smooth distances ℓ are positive inside and zero on the boundary with non-zero slope but at corners, so that
//! u = g + ℓ·(network) meets u = g exactly (I. Lagaris, A. Likas, D. Fotiadis, *Artificial neural networks for solving ordinary
//! and partial differential equations*, 1998). R-functions: V. Rvachev, *Theory of R-functions and some applications*, 1982;
//! V. Shapiro, *Semi-analytic geometry with R-functions*, Acta Numerica 2007.

mod ball;
mod boundary;
mod boxes;
mod cloud;
mod csg;
mod cylinder;
mod ellipse;
pub(crate) mod error;
mod moved;
mod polygon;
mod rfunction;
mod sample;
mod space_time;

use std::fmt::Debug;

use ansatz_autodiff::Array;
use ansatz_core::Key;
use rayon::prelude::*;

use crate::{DomainError, Points, Sampler};

pub use ball::{Ball, Radial};
pub use boundary::{Boundary, Test, Where, periodic_pairs};
pub use boxes::BoxDomain;
pub use cloud::PointCloud;
pub use csg::Csg;
pub use cylinder::Cylinder;
pub use ellipse::Ellipse;
pub use moved::Moved;
pub use polygon::Polygon;
pub use space_time::SpaceTime;

/// Points that one task looks at.
const CHUNK: usize = 256;

/// A box around a geometry.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// Lower ends.
    pub low: Vec<f64>,
    /// Upper ends.
    pub high: Vec<f64>,
}

impl Bounds {
    /// Lengths of the sides.
    pub fn extents(&self) -> Vec<f64> {
        let sides = self.low.iter().zip(&self.high);
        sides.map(|(a, b)| b - a).collect()
    }

    /// Length of the diagonal.
    pub fn diameter(&self) -> f64 {
        norm(&self.extents())
    }

    /// A point of the unit cube goes into the box; ends are met exactly.
    pub(crate) fn place(&self, u: &[f64], x: &mut [f64]) {
        for (k, x) in x.iter_mut().enumerate() {
            *x = lerp(self.low[k], self.high[k], u[k]);
        }
    }
}

/// A part of a boundary that is one image of a unit cube.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Its name, by which conditions are attached.
    pub name: String,
    /// Its length, area, …; 1 for a point. Where [`Geometry::is_cut`], of the whole face before it is cut.
    pub measure: f64,
    /// As many coordinates as its unit cube has, in each about the face's length, for grids.
    pub extents: Vec<f64>,
}

/// Points of a boundary.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryPoints {
    /// The points.
    pub points: Points,
    /// Outward unit normals, one a point.
    pub normals: Points,
    /// The number of each point's face among [`Geometry::faces`].
    pub faces: Vec<usize>,
}

/// A domain. Methods for one point take slices of [`Geometry::dims`] coordinates and may panic for shorter ones; methods for
/// [`Points`] check them.
pub trait Geometry: Debug + Send + Sync {
    /// Coordinates of a point.
    fn dims(&self) -> usize;

    /// A box that holds it.
    fn bounds(&self) -> Bounds;

    /// The signed distance of a point to the boundary, negative inside; for [`Csg`] its sign, and a lower bound of its size.
    fn distance(&self, x: &[f64]) -> f64;

    /// The gradient of the distance, a unit vector; on the boundary the outward normal. At corners one of the normals.
    fn normal(&self, x: &[f64], out: &mut [f64]);

    /// Length, area, volume, …, where known in closed form.
    fn measure(&self) -> Option<f64>;

    /// The faces of its boundary.
    fn faces(&self) -> Vec<Face>;

    /// The point of a face that belongs to a point of the unit cube; uniform points become uniform points.
    fn place_on(&self, face: usize, u: &[f64], x: &mut [f64]);

    /// Whether a point lies on a face, up to a tolerance.
    fn on_face(&self, face: usize, x: &[f64], tolerance: f64) -> bool;

    /// The outward normal of a face at one of its points; at corners that of this face.
    fn normal_on(&self, _face: usize, x: &[f64], out: &mut [f64]) {
        self.normal(x, out);
    }

    /// Whether faces hold points that are not on the boundary.
    fn is_cut(&self) -> bool {
        false
    }

    /// Whether nothing is known between its points, so that distances do not tell inside from outside.
    fn is_cloud(&self) -> bool {
        false
    }

    /// Whether a point of a face counts: it lies on the boundary, and no earlier face has it.
    fn keeps(&self, _face: usize, _x: &[f64]) -> bool {
        true
    }

    /// Whether a point lies on the boundary, up to a tolerance.
    fn on_boundary(&self, x: &[f64], tolerance: f64) -> bool {
        self.distance(x).abs() <= tolerance
    }

    /// Coordinates of the unit cube that [`Geometry::place`] takes; `None` where there is no such map.
    fn chart(&self) -> Option<usize> {
        None
    }

    /// The point of the inside that belongs to a point of the unit cube.
    fn place(&self, _u: &[f64], _x: &mut [f64]) {}

    /// A function that is positive inside, negative outside and zero on the boundary, smooth but at corners: `[n, dims]` to
    /// `[n, 1]`.
    fn r_function<'g>(&self, _x: Array<'g>) -> Option<Array<'g>> {
        None
    }

    /// ℓ(x) of hard constraints: positive inside, zero on the boundary, its slope there not zero but at corners; `[n, dims]` to
    /// `[n, 1]`. Where edges meet at a re-entrant corner, Δ(ℓ·network) grows as 1/distance: keep points away from it.
    fn smooth_distance<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        self.r_function(x)
    }

    /// The tolerance by which points count as points of the boundary: 1e-9 of the bounding box's diagonal.
    fn tolerance(&self) -> f64 {
        1e-9 * self.bounds().diameter()
    }

    /// The measure of the boundary, where known.
    fn boundary_measure(&self) -> Option<f64> {
        (!self.is_cut()).then(|| self.faces().iter().map(|f| f.measure).sum())
    }

    /// Signed distances.
    ///
    /// # Errors
    /// [`DomainError::Width`] for points of another width.
    fn distances(&self, points: &Points) -> Result<Vec<f64>, DomainError> {
        points.expect_width("points", self.dims())?;
        let rows = points.as_slice().par_chunks_exact(self.dims());
        let found = rows.with_min_len(CHUNK).map(|x| self.distance(x));
        Ok(found.collect())
    }

    /// Which points lie inside or on the boundary.
    ///
    /// # Errors
    /// As [`Geometry::distances`].
    fn contains(&self, points: &Points) -> Result<Vec<bool>, DomainError> {
        let distances = self.distances(points)?;
        Ok(distances.iter().map(|d| *d <= 0.0).collect())
    }

    /// `n` points of the inside, uniform in measure (but see [`Radial`]); a grid gives about as many.
    ///
    /// # Errors
    /// [`DomainError::TooThin`] when rejection finds too few, [`DomainError::Value`] for more coordinates than the sampler has.
    fn sample_interior(
        &self,
        n: usize,
        sampler: &Sampler,
        key: Key,
    ) -> Result<Points, DomainError> {
        sample::interior(self, n, *sampler, key)
    }

    /// `n` points of the boundary, uniform in measure, with normals, one face after the other; a grid gives about as many.
    ///
    /// # Errors
    /// As [`Geometry::sample_interior`].
    fn sample_boundary(
        &self,
        n: usize,
        sampler: &Sampler,
        key: Key,
    ) -> Result<BoundaryPoints, DomainError> {
        let faces: Vec<usize> = (0..self.faces().len()).collect();
        sample::boundary(self, &faces, None, n, *sampler, key)
    }
}

/// From a to b, both met exactly.
pub(crate) fn lerp(a: f64, b: f64, u: f64) -> f64 {
    (1.0 - u) * a + u * b
}

pub(crate) fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The unit vector of `v`, or along the first axis if `v` is zero.
pub(crate) fn normalise(v: &mut [f64]) {
    let length = norm(v);
    if length > 0.0 {
        for v in v {
            *v /= length;
        }
    } else if let Some(first) = v.first_mut() {
        *first = 1.0;
    }
}

/// Column `axis` of points in a graph.
pub(crate) fn column(x: Array<'_>, axis: usize) -> Array<'_> {
    x.narrow(1, axis, axis + 1)
}
