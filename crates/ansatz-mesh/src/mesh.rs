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

/// How a quad becomes triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QuadSplit {
    /// Along the shorter diagonal; the first one of equals.
    #[default]
    ShorterDiagonal,
    /// Along the diagonal from the first corner.
    FirstDiagonal,
    /// Along the diagonal whose ends have the more similar normals; the shorter one without normals.
    SimilarNormals,
    /// Four triangles around a new vertex at the mean of the corners. The only way that keeps a manifold of quads a
    /// manifold in every case: two quads may share a diagonal.
    Centre,
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

impl<T: Scalar> QuadMesh<T> {
    /// Triangles in the place of quads.
    pub fn triangulate(&self, split: QuadSplit) -> Mesh<T> {
        let mut mesh = Mesh::default();
        self.triangulate_into(split, &mut mesh);
        mesh
    }

    /// As [`QuadMesh::triangulate`], into memory that is there.
    pub fn triangulate_into(&self, split: QuadSplit, mesh: &mut Mesh<T>) {
        mesh.vertices.clone_from(&self.vertices);
        mesh.normals.clone_from(&self.normals);
        mesh.triangles.clear();
        if split == QuadSplit::Centre {
            self.fans(mesh);
            return;
        }
        let position = |v: u32| &self.vertices[v as usize];
        mesh.triangles.reserve(2 * self.quads.len());
        for &[a, b, c, d] in &self.quads {
            let first = match (split, &self.normals) {
                (QuadSplit::FirstDiagonal, _) => true,
                (QuadSplit::SimilarNormals, Some(normals)) => {
                    let agree = |a: u32, b: u32| dot(normals[a as usize], normals[b as usize]);
                    agree(a, c) >= agree(b, d)
                }
                _ => {
                    let length = |a: u32, b: u32| {
                        let side = position(a) - position(b);
                        dot(side, side)
                    };
                    length(a, c) <= length(b, d)
                }
            };
            if first {
                mesh.triangles.extend_from_slice(&[[a, b, c], [a, c, d]]);
            } else {
                mesh.triangles.extend_from_slice(&[[a, b, d], [b, c, d]]);
            }
        }
    }

    fn fans(&self, mesh: &mut Mesh<T>) {
        let quarter = T::of(0.25);
        for quad in &self.quads {
            let centre = mesh.vertices.len() as u32;
            let sum = quad.iter().map(|&v| self.vertices[v as usize].coords);
            mesh.vertices
                .push(Point3::from(sum.fold(zero(), |a, b| a + b) * quarter));
            if let (Some(out), Some(normals)) = (&mut mesh.normals, &self.normals) {
                let sum = quad.iter().map(|&v| normals[v as usize]);
                let sum = sum.fold(zero(), |a, b| a + b);
                let size = dot(sum, sum).sqrt();
                out.push(if size > T::zero() { sum / size } else { sum });
            }
            for m in 0..4 {
                mesh.triangles.push([quad[m], quad[(m + 1) % 4], centre]);
            }
        }
    }
}

fn zero<T: Scalar>() -> Vector3<T> {
    Vector3::from([T::zero(); 3])
}

fn dot<T: Scalar>(a: Vector3<T>, b: Vector3<T>) -> T {
    a.x * b.x + a.y * b.y + a.z * b.z
}
