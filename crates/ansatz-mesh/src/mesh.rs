//! Indexed surfaces.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use crate::MeshError;

/// A triangle mesh: vertices are shared between triangles, which wind counter-clockwise seen from
/// outside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh<T: Scalar> {
    /// Positions.
    pub vertices: Vec<Point3<T>>,
    /// Three indices of vertices each.
    pub triangles: Vec<[u32; 3]>,
    /// A unit normal per vertex, where somebody asked for them.
    pub normals: Option<Vec<Vector3<T>>>,
}

/// A mesh of quadrilaterals, as dual methods make them before a diagonal is chosen. Corners go
/// round counter-clockwise seen from outside; they need not lie in a plane.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuadMesh<T: Scalar> {
    /// Positions.
    pub vertices: Vec<Point3<T>>,
    /// Four indices of vertices each.
    pub quads: Vec<[u32; 4]>,
    /// A unit normal per vertex, where somebody asked for them.
    pub normals: Option<Vec<Vector3<T>>>,
}

impl<T: Scalar> Mesh<T> {
    /// A mesh whose triangles name vertices that exist.
    ///
    /// # Errors
    /// [`MeshError::Index`] for the first triangle that does not.
    pub fn new(vertices: Vec<Point3<T>>, triangles: Vec<[u32; 3]>) -> Result<Self, MeshError> {
        for (face, corners) in triangles.iter().enumerate() {
            if let Some(&vertex) = corners.iter().find(|&&v| v as usize >= vertices.len()) {
                let vertices = vertices.len();
                return Err(MeshError::Index {
                    face,
                    vertex,
                    vertices,
                });
            }
        }
        Ok(Self {
            vertices,
            triangles,
            normals: None,
        })
    }

    /// Whether there is no triangle.
    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
    }

    /// The corners of a triangle.
    ///
    /// # Panics
    /// When there is no such triangle.
    pub fn corners(&self, triangle: usize) -> [Point3<T>; 3] {
        self.triangles[triangle].map(|v| self.vertices[v as usize])
    }
}
