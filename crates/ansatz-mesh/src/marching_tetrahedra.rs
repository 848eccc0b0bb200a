//! Marching tetrahedra: no choices, hence no ambiguity.
//!
//! Values are linear on a tetrahedron, so its part of the surface is one triangle or one quad, and neighbours agree. On
//! a grid each cell is cut into the six tetrahedra of the monotone paths from its lowest to its highest corner, which fit
//! their neighbours without taking turns; seven edges at each sample may carry a vertex. There are three times the
//! triangles of marching cubes, of poorer shape, and the cut has a direction: use it where a guarantee matters more, or
//! for values on tetrahedra of one's own ([`MarchingTetrahedra::extract_tetrahedra`]).
//!
//! Cost: that of marching cubes for what lies away from the surface, six tetrahedra for each active cell.
//!
//! Source: A. Doi, A. Koide, An efficient method of triangulating equi-valued surfaces by using tetrahedral cells (1991).

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use crate::crossings::{fraction, gradient, unit};
use crate::marching_cubes::fill_normals;
use crate::workspace::extraction;
use crate::{Grid, Mesh, MeshError, Normals, Workspace};

/// Corners of the six tetrahedra of a cell, by paths along the axes in all orders. Those of even orders are right-handed.
const PATHS: [[u8; 4]; 6] = {
    const ORDERS: [[u8; 3]; 6] = [
        [0, 1, 2],
        [1, 2, 0],
        [2, 0, 1],
        [0, 2, 1],
        [1, 0, 2],
        [2, 1, 0],
    ];
    let mut paths = [[0; 4]; 6];
    let mut p = 0;
    while p < 6 {
        let mut m = 0;
        while m < 3 {
            paths[p][m + 1] = paths[p][m] | 1 << ORDERS[p][m];
            m += 1;
        }
        // Odd orders give left-handed tetrahedra; two corners change places.
        if p >= 3 {
            let c = paths[p][1];
            paths[p][1] = paths[p][2];
            paths[p][2] = c;
        }
        p += 1;
    }
    paths
};

/// No vertex yet.
const NONE: u32 = u32::MAX;

/// Marching tetrahedra and its options.
///
/// ```
/// use ansatz_mesh::{Grid, GridShape, MarchingTetrahedra};
///
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let samples = shape.sample(&|[x, y, z]: [f32; 3]| (x * x + y * y + z * z).sqrt() - 0.7);
/// let mesh = MarchingTetrahedra::default().extract(&Grid::new(shape, &samples)?, 0.0)?;
/// assert_eq!(mesh.triangles.len(), 2 * (mesh.vertices.len() - 2));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MarchingTetrahedra {
    /// Whether vertices have normals (on grids).
    pub normals: Normals,
}

/// Calls with the triangles of a right-handed tetrahedron whose corners are inside as the bits say. Triangles are given
/// as pairs of corners, counter-clockwise seen from outside of the surface.
fn triangles(inside: u8, mut visit: impl FnMut([[usize; 2]; 3])) {
    // Even permutations bring the odd corner out, or the inside pair, to the front.
    let corners: [usize; 4] = match inside {
        0b0001 | 0b1110 | 0b0011 | 0b1100 => [0, 1, 2, 3],
        0b0010 | 0b1101 => [1, 0, 3, 2],
        0b0100 | 0b1011 => [2, 3, 0, 1],
        0b1000 | 0b0111 => [3, 2, 1, 0],
        0b0101 | 0b1010 => [0, 2, 3, 1],
        0b1001 | 0b0110 => [0, 3, 1, 2],
        _ => return,
    };
    let [a, b, c, d] = corners;
    let flip = |[x, y, z]: [[usize; 2]; 3], back: bool| if back { [x, z, y] } else { [x, y, z] };
    if inside.count_ones() == 2 {
        // Edges between the pairs, in turn.
        let back = inside >> a & 1 == 0;
        visit(flip([[a, c], [a, d], [b, d]], back));
        visit(flip([[a, c], [b, d], [b, c]], back));
    } else {
        visit(flip([[a, b], [a, c], [a, d]], inside.count_ones() == 3));
    }
}

extraction!(MarchingTetrahedra);

impl MarchingTetrahedra {
    /// As [`MarchingTetrahedra::extract`], into memory that is there. On an error `mesh` is as it was.
    ///
    /// # Errors
    /// As [`crate::MarchingCubes::extract`].
    pub fn extract_into<T: Scalar>(
        &self,
        grid: &Grid<'_, T>,
        iso: T,
        workspace: &mut Workspace<T>,
        mesh: &mut Mesh<T>,
    ) -> Result<(), MeshError> {
        let Workspace {
            crossings,
            points,
            normals,
            tetrahedra,
            ..
        } = workspace;
        crossings.run(grid, iso, Normals::None, points, normals)?;
        let dims = grid.shape().dims();
        let [_, n1, n2] = dims;
        let strides = [n1 * n2, n2, 1];
        // Vertices of two slabs of samples, seven each: edges by their direction 1 to 7.
        for slab in tetrahedra.iter_mut() {
            slab.clear();
            slab.resize(7 * n1 * n2, NONE);
        }
        let mut found = mesh.normals.take().unwrap_or_default();
        found.clear();
        mesh.vertices.clear();
        mesh.triangles.clear();
        for i in 0..dims[0] - 1 {
            tetrahedra[(i + 1) % 2].fill(NONE);
            for j in 0..n1 - 1 {
                crossings.cells(i, j, |k, case, _| {
                    for path in PATHS {
                        let inside = (0..4).map(|m| (case >> path[m] & 1) << m).sum();
                        triangles(inside, |sides| {
                            let triangle = sides.map(|side| {
                                let [low, high] = {
                                    let [a, b] = side.map(|m| path[m]);
                                    [a.min(b), a.max(b)]
                                };
                                let offset = |c: u8| [c & 1, c >> 1 & 1, c >> 2].map(usize::from);
                                let [dx, dy, dz] = offset(low);
                                let at = [i + dx, j + dy, k + dz];
                                let place = 7 * (at[1] * n2 + at[2]) + usize::from(low ^ high) - 1;
                                let name = &mut tetrahedra[at[0] % 2][place];
                                if *name == NONE {
                                    *name = mesh.vertices.len() as u32;
                                    let step = offset(low ^ high);
                                    self.vertex(
                                        grid,
                                        iso,
                                        strides,
                                        at,
                                        step,
                                        &mut mesh.vertices,
                                        &mut found,
                                    );
                                }
                                *name
                            });
                            mesh.triangles.push(triangle);
                        });
                    }
                });
            }
        }
        if self.normals != Normals::None {
            mesh.normals = Some(found);
            fill_normals(mesh);
        }
        if mesh.vertices.len() >= NONE as usize {
            let vertices = mesh.vertices.len();
            *mesh = Mesh::default();
            return Err(MeshError::TooLarge { vertices });
        }
        Ok(())
    }

    /// Adds the vertex on the edge from a sample by a step.
    #[expect(clippy::too_many_arguments, reason = "the state of one loop")]
    fn vertex<T: Scalar>(
        self,
        grid: &Grid<'_, T>,
        iso: T,
        strides: [usize; 3],
        at: [usize; 3],
        step: [usize; 3],
        vertices: &mut Vec<Point3<T>>,
        normals: &mut Vec<Vector3<T>>,
    ) {
        let flat = |at: [usize; 3]| (0..3).map(|a| at[a] * strides[a]).sum::<usize>();
        let end = std::array::from_fn(|a| at[a] + step[a]);
        let t = fraction(grid.data()[flat(at)], grid.data()[flat(end)], iso.f64());
        let (o, h) = (grid.shape().origin(), grid.shape().spacing());
        vertices.push(Point3::from(std::array::from_fn(|a| {
            T::of(o[a] + (at[a] as f64 + t * step[a] as f64) * h[a])
        })));
        if self.normals != Normals::None {
            let inverse = h.map(|h| 1.0 / h);
            let (g, e) = (gradient(grid, inverse, at), gradient(grid, inverse, end));
            let normal = std::array::from_fn::<f64, 3, _>(|a| (1.0 - t) * g[a] + t * e[a]);
            normals.push(unit(Vector3::from(normal)));
        }
    }

    /// The surface of {f < iso} for values at the corners of any tetrahedra. They may have either handedness: triangles
    /// are turned by the positions. Vertices come in the order in which the tetrahedra meet them.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one value for each point, [`MeshError::Index`] for a corner that does not
    /// exist, [`MeshError::Value`], [`MeshError::Vertex`] and [`MeshError::NotFinite`] for what is not finite.
    pub fn extract_tetrahedra<T: Scalar>(
        &self,
        points: &[Point3<T>],
        values: &[T],
        tetrahedra: &[[u32; 4]],
        iso: T,
    ) -> Result<Mesh<T>, MeshError> {
        let (expected, found) = (points.len(), values.len());
        if expected != found {
            return Err(MeshError::Count {
                what: "values",
                expected,
                found,
            });
        }
        if !iso.is_finite() {
            return Err(MeshError::NotFinite {
                what: "iso value",
                value: iso.f64(),
            });
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(MeshError::Value {
                what: "values",
                index,
                value: values[index].f64(),
            });
        }
        if let Some(index) = points.iter().position(|p| p.iter().any(|x| !x.is_finite())) {
            return Err(MeshError::Vertex {
                index,
                position: points[index].map(Scalar::f64).into(),
            });
        }
        let mut mesh = Mesh::default();
        let mut names = std::collections::HashMap::new();
        for (face, corners) in tetrahedra.iter().enumerate() {
            if let Some(&vertex) = corners.iter().find(|&&v| v as usize >= points.len()) {
                return Err(MeshError::Index {
                    face,
                    vertex,
                    vertices: points.len(),
                });
            }
            let at = corners.map(|v| points[v as usize].map(Scalar::f64));
            let mut corners = *corners;
            if (at[1] - at[0])
                .cross(&(at[2] - at[0]))
                .dot(&(at[3] - at[0]))
                < 0.0
            {
                corners.swap(2, 3);
            }
            let inside = |m: usize| u8::from(values[corners[m] as usize] < iso);
            triangles((0..4).map(|m| inside(m) << m).sum(), |sides| {
                let triangle = sides.map(|side| {
                    let [a, b] = side.map(|m| corners[m]);
                    let [a, b] = [a.min(b), a.max(b)];
                    *names.entry([a, b]).or_insert_with(|| {
                        let t = fraction(values[a as usize], values[b as usize], iso.f64());
                        let [p, q] = [a, b].map(|v| points[v as usize].coords.map(Scalar::f64));
                        mesh.vertices
                            .push(Point3::from((p * (1.0 - t) + q * t).map(T::of)));
                        mesh.vertices.len() as u32 - 1
                    })
                });
                mesh.triangles.push(triangle);
            });
        }
        Ok(mesh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_right_handed() {
        for path in PATHS {
            let [a, b, c, d] =
                path.map(|c| Vector3::from([c & 1, c >> 1 & 1, c >> 2].map(f64::from)));
            assert!(
                ((b - a).cross(&(c - a)).dot(&(d - a)) - 1.0).abs() < 1e-15,
                "{path:?}"
            );
        }
    }

    /// Normals of all 14 cases point from inside corners to outside corners.
    #[test]
    fn triangles_face_outward() {
        let corners =
            [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(Vector3::from);
        for inside in 1..15u8 {
            triangles(inside, |sides| {
                let [p, q, r] = sides.map(|[a, b]| (corners[a] + corners[b]) / 2.0);
                let normal = (q - p).cross(&(r - p));
                for [a, b] in sides {
                    assert_ne!(inside >> a & 1, inside >> b & 1);
                    let (low, high) = if inside >> a & 1 == 1 { (a, b) } else { (b, a) };
                    assert!(
                        normal.dot(&(corners[high] - corners[low])) > 0.0,
                        "{inside:04b}"
                    );
                }
            });
        }
    }
}
