//! One vertex where several are.

use std::collections::HashMap;
use std::collections::HashSet;

use ansatz_core::Scalar;

use crate::edges::degenerate;
use crate::geometry::{Vec3, checked};
use crate::spatial::CellHash;
use crate::{Mesh, MeshError};

/// Joins vertices that lie together, then drops triangles that name a vertex twice or repeat another
/// one with the same orientation, and vertices that no triangle names.
///
/// Vertices are looked at in order: each joins the lowest one within `tolerance` that stays, or stays
/// itself. So none moves by more than the tolerance, also in chains of close vertices, where joining
/// all that are linked would pull the chain into one point. What stays keeps its position, its normal
/// and its order.
///
/// ```
/// use ansatz_mesh::{Mesh, clean::Weld, nalgebra::Point3};
/// let p = |x: f32, y: f32| Point3::new(x, y, 0.0);
/// let soup = vec![p(0., 0.), p(1., 0.), p(0., 1.), p(1., 0.), p(1., 1.), p(0., 1.)];
/// let mut mesh = Mesh::new(soup, vec![[0, 1, 2], [3, 4, 5]])?;
/// assert_eq!(Weld::default().apply(&mut mesh)?.joined, 2);
/// assert_eq!(mesh.triangles, [[0, 1, 2], [1, 3, 2]]);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weld {
    /// The largest distance over which vertices are joined; 0, the default, joins equal positions.
    pub tolerance: f64,
}

/// What a weld did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Welded {
    /// Vertices that became another one.
    pub joined: usize,
    /// Triangles dropped because they name a vertex twice.
    pub degenerate: usize,
    /// Triangles dropped because the same one stands before.
    pub duplicate: usize,
    /// Vertices dropped because no triangle names them.
    pub unused: usize,
}

impl Weld {
    /// Welds a mesh. Cost: linear, for tolerances up to the length of edges.
    ///
    /// # Errors
    /// [`MeshError::Option`] for a tolerance that is negative or not finite, [`MeshError::Index`],
    /// [`MeshError::Vertex`] and [`MeshError::Normals`] for a mesh that is unsound.
    pub fn apply<T: Scalar>(&self, mesh: &mut Mesh<T>) -> Result<Welded, MeshError> {
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(MeshError::Option {
                what: "tolerance",
                value: self.tolerance,
                range: "0 or a positive distance",
            });
        }
        let points = checked(mesh)?;
        if let Some(normals) = mesh.normals.as_ref().filter(|n| n.len() != points.len()) {
            let (found, vertices) = (normals.len(), points.len());
            return Err(MeshError::Normals { found, vertices });
        }
        let target = if self.tolerance > 0.0 {
            within(&points, self.tolerance)
        } else {
            equal(&points)
        };
        let mut done = Welded {
            joined: (0..).zip(&target).filter(|(i, t)| i != *t).count(),
            ..Welded::default()
        };
        let mut seen = HashSet::with_capacity(mesh.triangles.len());
        mesh.triangles.retain_mut(|t| {
            *t = t.map(|v| target[v as usize]);
            if degenerate(*t) {
                done.degenerate += 1;
                return false;
            }
            let lowest = (0..3).min_by_key(|k| t[*k]).unwrap_or(0);
            let turned = [0, 1, 2].map(|k| t[(lowest + k) % 3]);
            let new = seen.insert(turned);
            done.duplicate += usize::from(!new);
            new
        });
        let before = points.len() - done.joined;
        compact(mesh);
        done.unused = before - mesh.vertices.len();
        Ok(done)
    }
}

/// The lowest vertex at the same place; both zeros are one place.
fn equal(points: &[Vec3]) -> Vec<u32> {
    let mut known = HashMap::with_capacity(points.len());
    (0..)
        .zip(points)
        .map(|(i, p)| {
            let bits = [p.x, p.y, p.z].map(|x| (x + 0.0).to_bits());
            *known.entry(bits).or_insert(i)
        })
        .collect()
}

fn within(points: &[Vec3], tolerance: f64) -> Vec<u32> {
    let cells = CellHash::new(points, tolerance);
    let mut target: Vec<u32> = (0..points.len() as u32).collect();
    for i in 0..points.len() {
        let mut lowest = i;
        cells.around(&points[i], |j| {
            if j < lowest && target[j] as usize == j && (points[j] - points[i]).norm() <= tolerance
            {
                lowest = j;
            }
        });
        target[i] = lowest as u32;
    }
    target
}

/// Drops vertices that no triangle names; the others keep their order.
pub(super) fn compact<T: Scalar>(mesh: &mut Mesh<T>) {
    let mut place = vec![u32::MAX; mesh.vertices.len()];
    mesh.triangles
        .iter()
        .flatten()
        .for_each(|v| place[*v as usize] = 0);
    for (next, p) in (0..).zip(place.iter_mut().filter(|p| **p == 0)) {
        *p = next;
    }
    let kept = |i: &mut usize| {
        *i += 1;
        place[*i - 1] != u32::MAX
    };
    let mut i = 0;
    mesh.vertices.retain(|_| kept(&mut i));
    if let Some(normals) = &mut mesh.normals {
        let mut i = 0;
        normals.retain(|_| kept(&mut i));
    }
    for t in &mut mesh.triangles {
        *t = t.map(|v| place[v as usize]);
    }
}
