//! Closest points of triangles and meshes.
//!
//! The point of a triangle nearest to p is found by the regions in which p projects to a corner, an
//! edge or the inside (C. Ericson, *Real-Time Collision Detection*, 2005, section 5.1.5). A mesh asks
//! a hierarchy of boxes; a query costs about a microsecond on thousands of triangles.

use ansatz_core::Scalar;

use crate::geometry::{Vec3, checked, corners};
use crate::tree::Tree;
use crate::{Mesh, MeshError};

/// The part of a triangle on which a closest point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// The inside.
    Face,
    /// The inside of the edge from this corner (0, 1, 2) to the next.
    Edge(usize),
    /// This corner.
    Corner(usize),
}

/// The point of a mesh that is closest to another point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closest {
    /// Where it is.
    pub point: [f64; 3],
    /// Its distance.
    pub distance: f64,
    /// The triangle it lies on; of several the one with the lowest number.
    pub triangle: usize,
    /// Its barycentric coordinates there: non-negative, with sum 1.
    pub barycentric: [f64; 3],
    /// The part of the triangle it lies on.
    pub feature: Feature,
}

/// Barycentric coordinates and feature of the point of a triangle closest to `p`.
#[inline]
pub(crate) fn on_triangle(p: &Vec3, [a, b, c]: &[Vec3; 3]) -> ([f64; 3], Feature) {
    let (ab, ac, ap) = (b - a, c - a, p - a);
    let (d1, d2) = (ab.dot(&ap), ac.dot(&ap));
    if d1 <= 0.0 && d2 <= 0.0 {
        return ([1.0, 0.0, 0.0], Feature::Corner(0));
    }
    let bp = p - b;
    let (d3, d4) = (ab.dot(&bp), ac.dot(&bp));
    if d3 >= 0.0 && d4 <= d3 {
        return ([0.0, 1.0, 0.0], Feature::Corner(1));
    }
    let vc = d1 * d4 - d3 * d2;
    if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 && d1 > d3 {
        let t = d1 / (d1 - d3);
        return ([1.0 - t, t, 0.0], Feature::Edge(0));
    }
    let cp = p - c;
    let (d5, d6) = (ab.dot(&cp), ac.dot(&cp));
    if d6 >= 0.0 && d5 <= d6 {
        return ([0.0, 0.0, 1.0], Feature::Corner(2));
    }
    let vb = d5 * d2 - d1 * d6;
    if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 && d2 > d6 {
        let t = d2 / (d2 - d6);
        return ([1.0 - t, 0.0, t], Feature::Edge(2));
    }
    let va = d3 * d6 - d5 * d4;
    let (e, f) = (d4 - d3, d5 - d6);
    if va <= 0.0 && e >= 0.0 && f >= 0.0 && e + f > 0.0 {
        let t = e / (e + f);
        return ([0.0, 1.0 - t, t], Feature::Edge(1));
    }
    let sum = va + vb + vc;
    if sum > 0.0 {
        let (v, w) = (vb / sum, vc / sum);
        return ([1.0 - v - w, v, w], Feature::Face);
    }
    on_border(p, &[*a, *b, *c])
}

/// The same for a triangle without area, by its edges.
fn on_border(p: &Vec3, c: &[Vec3; 3]) -> ([f64; 3], Feature) {
    let mut best = (f64::INFINITY, [1.0, 0.0, 0.0], Feature::Corner(0));
    for k in 0..3 {
        let next = (k + 1) % 3;
        let along = c[next] - c[k];
        let length2 = along.norm_squared();
        let t = if length2 > 0.0 {
            ((p - c[k]).dot(&along) / length2).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let distance = (c[k] + along * t - p).norm_squared();
        if distance < best.0 {
            let mut weights = [0.0; 3];
            (weights[k], weights[next]) = (1.0 - t, t);
            let feature = match t {
                0.0 => Feature::Corner(k),
                1.0 => Feature::Corner(next),
                _ => Feature::Edge(k),
            };
            best = (distance, weights, feature);
        }
    }
    (best.1, best.2)
}

#[inline]
pub(crate) fn at(corners: &[Vec3; 3], w: &[f64; 3]) -> Vec3 {
    corners[0] * w[0] + corners[1] * w[1] + corners[2] * w[2]
}

/// The triangles of a mesh in a hierarchy of boxes, for closest-point queries.
///
/// ```
/// use ansatz_mesh::{Mesh, TriangleTree, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0), Point3::new(0.0, 1.0, 0.0)];
/// let tree = TriangleTree::new(&Mesh::new(points, vec![[0, 1, 2]])?)?;
/// let found = tree.closest([0.25, 0.25, 2.0]);
/// assert_eq!((found.point, found.distance), ([0.25, 0.25, 0.0], 2.0));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TriangleTree {
    pub(crate) tree: Tree,
    /// Corners of the triangle in each slot.
    pub(crate) corners: Vec<[Vec3; 3]>,
}

impl TriangleTree {
    /// The tree of a mesh. Cost: F log F, about 150 bytes per triangle.
    ///
    /// # Errors
    /// [`MeshError::Empty`] without triangles, [`MeshError::Index`] and [`MeshError::Vertex`] for a
    /// mesh that is unsound.
    pub fn new<T: Scalar>(mesh: &Mesh<T>) -> Result<Self, MeshError> {
        Self::of(&checked(mesh)?, &mesh.triangles)
    }

    pub(crate) fn of(vertices: &[Vec3], triangles: &[[u32; 3]]) -> Result<Self, MeshError> {
        if triangles.is_empty() {
            return Err(MeshError::Empty);
        }
        let boxes: Vec<[Vec3; 2]> = triangles
            .iter()
            .map(|t| {
                let [a, b, c] = corners(vertices, *t);
                [a.inf(&b).inf(&c), a.sup(&b).sup(&c)]
            })
            .collect();
        let tree = Tree::new(&boxes);
        let corners = tree
            .items
            .iter()
            .map(|i| corners(vertices, triangles[*i as usize]))
            .collect();
        Ok(Self { tree, corners })
    }

    /// The point of the mesh closest to `p`. Cost: O(log F) for points near the surface.
    ///
    /// A coordinate that is NaN or infinite gives a distance that is NaN.
    pub fn closest(&self, p: [f64; 3]) -> Closest {
        self.closest_within(p, f64::INFINITY).unwrap_or(Closest {
            point: [f64::NAN; 3],
            distance: f64::NAN,
            triangle: self.tree.items[0] as usize,
            barycentric: [f64::NAN; 3],
            feature: Feature::Face,
        })
    }

    /// The same if it is not farther than `reach`, and sooner when it is; `None` for a coordinate that
    /// is not finite.
    pub fn closest_within(&self, p: [f64; 3], reach: f64) -> Option<Closest> {
        let p = Vec3::from(p);
        if !p.iter().all(|x| x.is_finite()) {
            return None;
        }
        let (mut best, mut item, mut slot_of) = (reach * reach, u32::MAX, 0);
        let mut found = ([f64::NAN; 3], Feature::Face);
        self.tree.nearest(&p, best, |slot| {
            let corners = &self.corners[slot];
            let (weights, feature) = on_triangle(&p, corners);
            let distance = (at(corners, &weights) - p).norm_squared();
            let triangle = self.tree.items[slot];
            if distance < best || (distance <= best && triangle < item) {
                (best, item, slot_of) = (distance, triangle, slot);
                found = (weights, feature);
            }
            best
        });
        let (barycentric, feature) = found;
        (item != u32::MAX).then(|| Closest {
            point: at(&self.corners[slot_of], &barycentric).into(),
            distance: best.sqrt(),
            triangle: item as usize,
            barycentric,
            feature,
        })
    }

    /// How many triangles there are.
    pub fn triangles(&self) -> usize {
        self.corners.len()
    }
}
