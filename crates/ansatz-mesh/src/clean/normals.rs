//! Normals of vertices from the triangles around them.

use ansatz_core::Scalar;

use crate::edges::{Edges, Sets, ends, next};
use crate::geometry::{Vec3, checked, corners, cross, narrow_vector, unit_or_zero};
use crate::{Mesh, MeshError};

/// How much a triangle counts at a corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Weighting {
    /// Its angle there: the result does not depend on how faces are cut into triangles (G. Thürmer, C.
    /// Wüthrich, *Computing vertex normals from polygonal facets*, 1998).
    #[default]
    Angle,
    /// Its area.
    Area,
    /// One.
    Unit,
}

/// Computes a unit normal per vertex, the weighted sum of the normals of its triangles; zero where
/// that sum is zero or there is no triangle.
///
/// ```
/// use ansatz_mesh::{Mesh, clean::VertexNormals, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0), Point3::new(0.0, 1.0, 0.0)];
/// let mut mesh = Mesh::new(points, vec![[0, 1, 2]])?;
/// VertexNormals::default().apply(&mut mesh)?;
/// assert_eq!(mesh.normals.unwrap()[0].as_slice(), [0.0, 0.0, 1.0]);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VertexNormals {
    /// How much a triangle counts.
    pub weighting: Weighting,
    /// With an angle in radians, edges where two triangles turn by more are creases: vertices on them
    /// are split, so that each side has its own normal. `None`, the default: vertices stay.
    pub crease: Option<f64>,
}

impl VertexNormals {
    /// Sets the normals of a mesh, and returns how many vertices were added for creases. Cost: linear.
    ///
    /// # Errors
    /// [`MeshError::Option`] for a crease angle that is not between 0 and π, [`MeshError::Index`] and
    /// [`MeshError::Vertex`] for a mesh that is unsound, [`MeshError::TooLarge`] when splitting needs
    /// more than 2³² vertices.
    pub fn apply<T: Scalar>(&self, mesh: &mut Mesh<T>) -> Result<usize, MeshError> {
        let mut points = checked(mesh)?;
        let faces: Vec<Vec3> = mesh
            .triangles
            .iter()
            .map(|t| cross(&corners(&points, *t)))
            .collect();
        let before = points.len();
        let mut triangles = mesh.triangles.clone();
        if let Some(angle) = self.crease {
            if !(0.0..=std::f64::consts::PI).contains(&angle) {
                return Err(MeshError::Option {
                    what: "crease angle",
                    value: angle,
                    range: "0 to π",
                });
            }
            let copies = split(&mut triangles, &faces, before, angle.cos());
            if before + copies.len() > u32::MAX as usize {
                let vertices = before + copies.len();
                return Err(MeshError::TooLarge { vertices });
            }
            points.extend(
                copies
                    .iter()
                    .map(|v| points[*v as usize])
                    .collect::<Vec<_>>(),
            );
            mesh.vertices.extend(
                copies
                    .iter()
                    .map(|v| mesh.vertices[*v as usize])
                    .collect::<Vec<_>>(),
            );
            mesh.triangles.clone_from(&triangles);
        }
        let mut sums = vec![Vec3::zeros(); points.len()];
        for (t, face) in triangles.iter().zip(&faces) {
            let c = corners(&points, *t);
            let unit = unit_or_zero(*face);
            for k in 0..3 {
                sums[t[k] as usize] += match self.weighting {
                    Weighting::Area => *face,
                    Weighting::Unit => unit,
                    Weighting::Angle => {
                        unit * (c[(k + 1) % 3] - c[k]).angle(&(c[(k + 2) % 3] - c[k]))
                    }
                };
            }
        }
        mesh.normals = Some(
            sums.into_iter()
                .map(|s| narrow_vector(unit_or_zero(s)))
                .collect(),
        );
        Ok(points.len() - before)
    }
}

/// Gives each group of corners that no crease divides a vertex of its own. The first group keeps the
/// vertex; the others are copies, whose originals are returned.
fn split(triangles: &mut [[u32; 3]], faces: &[Vec3], vertices: usize, least: f64) -> Vec<u32> {
    let mut groups = Sets::new(3 * triangles.len());
    for halves in Edges::new(triangles, vertices).iter() {
        let &[first, second] = halves else { continue };
        let [n, m] = [first, second].map(|h| unit_or_zero(faces[(h / 3) as usize]));
        // A triangle without area has no opinion.
        let flat = n == Vec3::zeros() || m == Vec3::zeros();
        if !flat && n.dot(&m) < least {
            continue;
        }
        let same_way = ends(triangles, first)[0] == ends(triangles, second)[0];
        let (at_a, at_b) = if same_way {
            (second, next(second))
        } else {
            (next(second), second)
        };
        groups.join(first, at_a);
        groups.join(next(first), at_b);
    }
    let mut name = vec![u32::MAX; 3 * triangles.len()];
    let mut taken = vec![false; vertices];
    let mut copies = Vec::new();
    for corner in 0..name.len() {
        // The root is the lowest corner of its group.
        let root = groups.find(corner as u32) as usize;
        let vertex = &mut triangles[corner / 3][corner % 3];
        if root == corner {
            name[corner] = if std::mem::replace(&mut taken[*vertex as usize], true) {
                copies.push(*vertex);
                (vertices + copies.len() - 1) as u32
            } else {
                *vertex
            };
        }
        *vertex = name[root];
    }
    copies
}
