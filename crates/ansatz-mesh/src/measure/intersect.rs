//! Pairs of triangles of a mesh that run through one another.

use ansatz_core::Scalar;
use rayon::prelude::*;
use robust::{Coord, Coord3D, orient2d, orient3d};

use crate::closest::TriangleTree;
use crate::edges::degenerate;
use crate::geometry::{Vec3, checked, corners};
use crate::{Mesh, MeshError};

/// Pairs of triangles that have a point in common which their shared corners do not explain, in
/// order, the lower number first.
///
/// Corners at the same place are shared, whether they have one index or two. Triangles that share
/// - no corner: intersect when they touch;
/// - one corner: when the side opposite to it of one touches the other;
/// - an edge: when they lie in a plane on the same side of the edge (a fold);
/// - all three: always (a duplicate).
///
/// Every decision is exact (J. Shewchuk, *Adaptive precision floating-point arithmetic and fast robust
/// geometric predicates*, 1997). Triangles without area are left out. Cost: F log F for surfaces.
///
/// # Errors
/// [`MeshError::Index`] and [`MeshError::Vertex`] for a mesh that is unsound.
///
/// ```
/// use ansatz_mesh::{Mesh, measure, nalgebra::Point3};
/// let p = |x: f64, y: f64, z: f64| Point3::new(x, y, z);
/// let mesh = Mesh::new(
///     vec![p(0., 0., 0.), p(3., 0., 0.), p(0., 3., 0.), p(1., 1., -1.), p(1., 1., 1.), p(4., 4., 0.)],
///     vec![[0, 1, 2], [3, 4, 5]],
/// )?;
/// assert_eq!(measure::self_intersections(&mesh)?, [[0, 1]]);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
pub fn self_intersections<T: Scalar>(mesh: &Mesh<T>) -> Result<Vec<[u32; 2]>, MeshError> {
    let vertices = checked(mesh)?;
    if mesh.is_empty() {
        return Ok(Vec::new());
    }
    let tree = TriangleTree::of(&vertices, &mesh.triangles)?;
    let flat: Vec<bool> = mesh
        .triangles
        .iter()
        .map(|t| degenerate(*t) || projection(&corners(&vertices, *t)).is_none())
        .collect();
    let pairs: Vec<Vec<[u32; 2]>> = (0..mesh.triangles.len())
        .into_par_iter()
        .map(|i| {
            let mut found = Vec::new();
            if flat[i] {
                return found;
            }
            let own = corners(&vertices, mesh.triangles[i]);
            let bounds = [
                own[0].inf(&own[1]).inf(&own[2]),
                own[0].sup(&own[1]).sup(&own[2]),
            ];
            tree.tree.overlaps(&bounds, |j| {
                let other = j as usize;
                if other > i && !flat[other] {
                    let theirs = corners(&vertices, mesh.triangles[other]);
                    if meet(&own, &theirs) {
                        found.push([i as u32, j]);
                    }
                }
            });
            found.sort_unstable();
            found
        })
        .collect();
    Ok(pairs.concat())
}

type Triangle = [Vec3; 3];

fn above([a, b, c]: &Triangle, p: &Vec3) -> f64 {
    let coord = |v: &Vec3| Coord3D {
        x: v.x,
        y: v.y,
        z: v.z,
    };
    orient3d(coord(a), coord(b), coord(c), coord(p))
}

fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    let coord = |[x, y]: [f64; 2]| Coord { x, y };
    orient2d(coord(a), coord(b), coord(c))
}

fn project(v: &Vec3, axis: usize) -> [f64; 2] {
    [v[(axis + 1) % 3], v[(axis + 2) % 3]]
}

/// An axis along which the triangle does not project to a line.
fn projection(t: &Triangle) -> Option<usize> {
    (0..3).find(|&axis| {
        turn(
            project(&t[0], axis),
            project(&t[1], axis),
            project(&t[2], axis),
        ) != 0.0
    })
}

fn meet(a: &Triangle, b: &Triangle) -> bool {
    // Corner k of a is corner shared[k] of b.
    let shared: [Option<usize>; 3] = std::array::from_fn(|k| b.iter().position(|v| *v == a[k]));
    let common = shared.iter().flatten().count();
    let opposite = |t: &Triangle, k: usize| [t[(k + 1) % 3], t[(k + 2) % 3]];
    match common {
        0 => {
            let sides =
                |t: &Triangle, other: &Triangle| (0..3).any(|k| touches(&opposite(t, k), other));
            sides(a, b) || sides(b, a)
        }
        1 => {
            let k = shared.iter().position(Option::is_some).unwrap_or(0);
            let l = shared[k].unwrap_or(0);
            touches(&opposite(a, k), b) || touches(&opposite(b, l), a)
        }
        2 => {
            let k = shared.iter().position(Option::is_none).unwrap_or(0);
            let Some(l) = (0..3).find(|l| !shared.contains(&Some(*l))) else {
                return true;
            };
            let Some(axis) = projection(a).filter(|_| above(a, &b[l]) == 0.0) else {
                return false;
            };
            let [p, q] = opposite(a, k).map(|v| project(&v, axis));
            let side = |v: &Vec3| turn(p, q, project(v, axis)) > 0.0;
            side(&a[k]) == side(&b[l])
        }
        _ => true,
    }
}

/// Whether a segment and a triangle have a point in common.
fn touches([p, q]: &[Vec3; 2], t: &Triangle) -> bool {
    let (sp, sq) = (above(t, p), above(t, q));
    if (sp > 0.0 && sq > 0.0) || (sp < 0.0 && sq < 0.0) {
        return false;
    }
    if sp == 0.0 && sq == 0.0 {
        let Some(axis) = projection(t) else {
            return false;
        };
        return touches_in_plane(
            [project(p, axis), project(q, axis)],
            [0, 1, 2].map(|k| project(&t[k], axis)),
        );
    }
    let around = [0, 1, 2].map(|k| above(&[*p, *q, t[k]], &t[(k + 1) % 3]));
    around.iter().all(|s| *s >= 0.0) || around.iter().all(|s| *s <= 0.0)
}

fn touches_in_plane([p, q]: [[f64; 2]; 2], t: [[f64; 2]; 3]) -> bool {
    let inside = |x| {
        let s = [0, 1, 2].map(|k| turn(t[k], t[(k + 1) % 3], x));
        s.iter().all(|s| *s >= 0.0) || s.iter().all(|s| *s <= 0.0)
    };
    let crosses = |a, b| {
        let (d1, d2) = (turn(p, q, a), turn(p, q, b));
        let (d3, d4) = (turn(a, b, p), turn(a, b, q));
        // Touching ends are found by `inside`, collinear overlaps too.
        (d1 > 0.0) != (d2 > 0.0) && (d3 > 0.0) != (d4 > 0.0) && d1 * d2 <= 0.0 && d3 * d4 <= 0.0
    };
    // A segment that meets the triangle but ends outside goes in through one side or through a corner.
    let through_corner = || {
        (0..3).any(|k| {
            let between = |a: f64, b: f64, x: f64| (a.min(b)..=a.max(b)).contains(&x);
            turn(p, q, t[k]) == 0.0 && between(p[0], q[0], t[k][0]) && between(p[1], q[1], t[k][1])
        })
    };
    inside(p) || inside(q) || (0..3).any(|k| crosses(t[k], t[(k + 1) % 3])) || through_corner()
}
