//! The signed distance of a mesh, negative inside, as a scalar field or on a grid.
//!
//! |d| is the distance to the closest point, found by [`crate::TriangleTree`]. The sign comes from
//! one of two sources:
//!
//! - [`Sign::PseudoNormal`]: of (p − c)·n, c the closest point and n the normal there, weighted by
//!   angles at corners and summed over the two triangles of an edge. Exact for every watertight mesh
//!   without self-intersections (J. Bærentzen, H. Aanæs, *Signed distance computation using the
//!   angle weighted pseudonormal*, 2005, theorem 1). Costs nothing beside the distance.
//! - [`Sign::Winding`]: negative where the winding number is above ½ ([`crate::WindingNumber`]): for
//!   triangle soups, holes and overlaps. Costs about as much as the distance.

mod grid;
mod winding;

pub use grid::GridDistance;
pub use winding::WindingNumber;

use ansatz_core::{DifferentiableField, Scalar, ScalarField};
use rayon::prelude::*;

use crate::closest::{Closest, Feature, TriangleTree};
use crate::edges::Edges;
use crate::geometry::{Vec3, checked, corners, cross, unit_or_zero};
use crate::measure::Topology;
use crate::{Mesh, MeshError};

/// Points that one task of a batch looks at.
const CHUNK: usize = 64;

/// Where the sign of a distance comes from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Sign {
    /// Angle-weighted pseudo-normals; the mesh must be watertight.
    #[default]
    PseudoNormal,
    /// The generalised winding number, for any mesh.
    Winding,
}

/// The signed distance of a mesh: negative inside, positive outside.
///
/// ```
/// use ansatz_mesh::{Mesh, Sign, SignedDistance, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0),
///                   Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, 0.0, 1.0)];
/// let mesh = Mesh::new(points, vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])?;
/// let distance = SignedDistance::new(&mesh, Sign::PseudoNormal)?;
/// assert_eq!(distance.at([0.1, 0.2, 0.2]), -0.1);
/// assert_eq!(distance.at([-3.0, -4.0, 0.5]), 5.0);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignedDistance {
    tree: TriangleTree,
    /// Unit normals of triangles.
    faces: Vec<Vec3>,
    sign: Signs,
}

#[derive(Debug, Clone)]
enum Signs {
    Normals(PseudoNormals),
    Winding(WindingNumber),
}

/// Normals of half-edges and vertices; their lengths do not matter.
#[derive(Debug, Clone)]
struct PseudoNormals {
    triangles: Vec<[u32; 3]>,
    edges: Vec<Vec3>,
    vertices: Vec<Vec3>,
}

impl PseudoNormals {
    fn new(vertices: &[Vec3], triangles: &[[u32; 3]], faces: &[Vec3]) -> Self {
        let mut edges = vec![Vec3::zeros(); 3 * triangles.len()];
        for halves in Edges::new(triangles, vertices.len()).iter() {
            let sum: Vec3 = halves.iter().map(|h| faces[(h / 3) as usize]).sum();
            for h in halves {
                edges[*h as usize] = sum;
            }
        }
        let mut at_vertices = vec![Vec3::zeros(); vertices.len()];
        for (triangle, normal) in triangles.iter().zip(faces) {
            let c = corners(vertices, *triangle);
            for k in 0..3 {
                let angle = (c[(k + 1) % 3] - c[k]).angle(&(c[(k + 2) % 3] - c[k]));
                at_vertices[triangle[k] as usize] += normal * angle;
            }
        }
        Self {
            triangles: triangles.to_vec(),
            edges,
            vertices: at_vertices,
        }
    }

    fn of(&self, found: &Closest, faces: &[Vec3]) -> Vec3 {
        match found.feature {
            Feature::Face => faces[found.triangle],
            Feature::Edge(k) => self.edges[3 * found.triangle + k],
            Feature::Corner(k) => self.vertices[self.triangles[found.triangle][k] as usize],
        }
    }
}

impl SignedDistance {
    /// Prepares queries. Cost: F log F.
    ///
    /// # Errors
    /// [`MeshError::NotWatertight`] when the sign is to come from pseudo-normals and the mesh has
    /// holes, edges with more than two triangles, or triangles that face different ways;
    /// [`MeshError::Empty`] without triangles; [`MeshError::Index`] and [`MeshError::Vertex`] for a
    /// mesh that is unsound.
    pub fn new<T: Scalar>(mesh: &Mesh<T>, sign: Sign) -> Result<Self, MeshError> {
        let vertices = checked(mesh)?;
        let tree = TriangleTree::of(&vertices, &mesh.triangles)?;
        let faces: Vec<Vec3> = mesh
            .triangles
            .iter()
            .map(|t| unit_or_zero(cross(&corners(&vertices, *t))))
            .collect();
        let sign = match sign {
            Sign::PseudoNormal => {
                let topology = Topology::of(mesh)?;
                if !topology.is_watertight() {
                    return Err(MeshError::NotWatertight {
                        boundary: topology.boundary_edges,
                        non_manifold: topology.non_manifold_edges,
                        inconsistent: topology.inconsistent_edges,
                    });
                }
                Signs::Normals(PseudoNormals::new(&vertices, &mesh.triangles, &faces))
            }
            Sign::Winding => Signs::Winding(WindingNumber::new(mesh)?),
        };
        Ok(Self { tree, faces, sign })
    }

    /// The signed distance at a point; NaN where a coordinate is.
    pub fn at(&self, p: [f64; 3]) -> f64 {
        self.with_closest(p).0
    }

    /// The signed distance and its gradient, a unit vector that points away from the inside. On the
    /// surface it is the (pseudo-)normal; where several points are closest, one of them counts.
    pub fn at_with_gradient(&self, p: [f64; 3]) -> (f64, [f64; 3]) {
        let (distance, found) = self.with_closest(p);
        let away = unit_or_zero(Vec3::from(p) - Vec3::from(found.point));
        // Nearer than this the direction is rounding noise.
        let scale = Vec3::from(p).amax().max(Vec3::from(found.point).amax());
        let gradient = if found.distance > 1e3 * f64::EPSILON * scale {
            away * distance.signum()
        } else {
            let normal = match &self.sign {
                Signs::Normals(normals) => normals.of(&found, &self.faces),
                Signs::Winding(_) => self.faces[found.triangle],
            };
            unit_or_zero(normal)
        };
        (distance, gradient.into())
    }

    /// The closest point, without a sign.
    pub fn closest(&self, p: [f64; 3]) -> Closest {
        self.tree.closest(p)
    }

    fn with_closest(&self, p: [f64; 3]) -> (f64, Closest) {
        let found = self.tree.closest(p);
        (self.signed(p, &found), found)
    }

    /// The distance with its sign.
    fn signed(&self, p: [f64; 3], found: &Closest) -> f64 {
        let inside = match &self.sign {
            Signs::Normals(normals) => {
                let away = Vec3::from(p) - Vec3::from(found.point);
                away.dot(&normals.of(found, &self.faces)) < 0.0
            }
            Signs::Winding(winding) => winding.at(p) > 0.5,
        };
        if inside {
            -found.distance
        } else {
            found.distance
        }
    }
}

impl<T: Scalar> ScalarField<T> for SignedDistance {
    fn eval(&self, points: &[[T; 3]], values: &mut [T]) {
        assert_eq!(points.len(), values.len(), "one value per point");
        let at = |(v, p): (&mut T, &[T; 3])| *v = T::of(self.at(p.map(Scalar::f64)));
        values
            .par_iter_mut()
            .zip(points)
            .with_min_len(CHUNK)
            .for_each(at);
    }
}

impl<T: Scalar> DifferentiableField<T> for SignedDistance {
    fn eval_gradient(&self, points: &[[T; 3]], values: &mut [T], gradients: &mut [[T; 3]]) {
        assert_eq!(points.len(), values.len(), "one value per point");
        assert_eq!(points.len(), gradients.len(), "one gradient per point");
        values
            .par_iter_mut()
            .zip(gradients)
            .zip(points)
            .with_min_len(CHUNK)
            .for_each(|((v, g), p)| {
                let (value, gradient) = self.at_with_gradient(p.map(Scalar::f64));
                (*v, *g) = (T::of(value), gradient.map(T::of));
            });
    }
}
