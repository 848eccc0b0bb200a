//! Surface nets: one vertex for each active cell, at the mean of its crossings, a quad around each crossed edge.
//!
//! Triangles are better shaped than those of marching cubes (none of a sampled sphere has an angle below 10°), and there
//! are as many. Cells that two sheets of the surface pass through are not manifold with one vertex for each cell, which
//! is how the method is known; [`DualVertices::Manifold`] mends that. The surface is open where it leaves the grid.
//!
//! Cost: that of marching cubes and one mean for each active cell.
//!
//! Source: S. Gibson, Constrained elastic surface nets: generating smooth surfaces from binary segmented data (1998).

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use crate::dual::{DualVertices, Engine};
use crate::workspace::dual_extraction;
use crate::{Grid, GridShape, MeshError, Normals, QuadMesh, QuadSplit, Workspace};

/// Surface nets and their options.
///
/// ```
/// use ansatz_mesh::{Grid, GridShape, SurfaceNets};
///
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let samples = shape.sample(&|[x, y, z]: [f32; 3]| (x * x + y * y + z * z).sqrt() - 0.7);
/// let mesh = SurfaceNets::default().extract(&Grid::new(shape, &samples)?, 0.0)?;
/// assert_eq!(mesh.triangles.len(), 2 * (mesh.vertices.len() - 2));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurfaceNets {
    /// How many vertices a cell has.
    pub vertices: DualVertices,
    /// Rounds of relaxation, each of which moves every vertex to the mean of its neighbours, but not out of its cell.
    pub relaxation: usize,
    /// How quads become triangles.
    pub split: QuadSplit,
    /// Whether vertices have normals.
    pub normals: Normals,
}

impl Default for SurfaceNets {
    fn default() -> Self {
        Self {
            vertices: DualVertices::PerCell,
            relaxation: 0,
            split: QuadSplit::ShorterDiagonal,
            normals: Normals::None,
        }
    }
}

dual_extraction!(SurfaceNets);

impl SurfaceNets {
    /// As [`SurfaceNets::quads`], into memory that is there. On an error `mesh` is as it was.
    ///
    /// # Errors
    /// As [`SurfaceNets::extract`].
    pub fn quads_into<T: Scalar>(
        &self,
        grid: &Grid<'_, T>,
        iso: T,
        workspace: &mut Workspace<T>,
        mesh: &mut QuadMesh<T>,
    ) -> Result<(), MeshError> {
        let Workspace {
            crossings,
            points,
            normals,
            dual,
            ..
        } = workspace;
        crossings.run(grid, iso, self.normals, points, normals)?;
        let points: &[Point3<T>] = points;
        let engine = Engine {
            crossings,
            dims: grid.shape().dims(),
            normals: (self.normals != Normals::None).then_some(&normals[..]),
            vertices: self.vertices,
            cells: self.relaxation > 0,
            rule: |_, names: &[u32]| mean(points, names),
        };
        engine.run(dual, mesh)?;
        if self.relaxation > 0 {
            relax(grid.shape(), &dual.cells, self.relaxation, mesh);
        }
        Ok(())
    }
}

/// The mean of some crossings.
#[inline(always)]
pub(crate) fn mean<T: Scalar>(points: &[Point3<T>], names: &[u32]) -> Point3<T> {
    let mut sum = [0.0; 3];
    for &name in names {
        let p = &points[name as usize];
        for (s, x) in sum.iter_mut().zip(p.iter()) {
            *s += x.f64();
        }
    }
    let scale = 1.0 / names.len() as f64;
    Point3::from(sum.map(|s| T::of(s * scale)))
}

/// Rounds of moving vertices to the mean of their neighbours along sides of quads, within their cells.
pub(crate) fn relax<T: Scalar>(
    shape: GridShape,
    cells: &[[u32; 3]],
    rounds: usize,
    mesh: &mut QuadMesh<T>,
) {
    let mut sides: Vec<[u32; 2]> = mesh
        .quads
        .iter()
        .flat_map(|q| (0..4).map(|m| [q[m].min(q[(m + 1) % 4]), q[m].max(q[(m + 1) % 4])]))
        .collect();
    sides.sort_unstable();
    sides.dedup();
    let mut degree = vec![0u32; mesh.vertices.len()];
    for v in sides.iter().flatten() {
        degree[*v as usize] += 1;
    }
    let (o, h) = (shape.origin(), shape.spacing());
    let mut sums = vec![Vector3::zeros(); mesh.vertices.len()];
    for _ in 0..rounds {
        sums.fill(Vector3::zeros());
        for &[a, b] in &sides {
            let [p, q] = [a, b].map(|v| mesh.vertices[v as usize].coords.map(Scalar::f64));
            sums[a as usize] += q;
            sums[b as usize] += p;
        }
        for (((vertex, sum), cell), &n) in
            mesh.vertices.iter_mut().zip(&sums).zip(cells).zip(&degree)
        {
            if n > 0 {
                *vertex = Point3::from(std::array::from_fn::<T, 3, _>(|a| {
                    let low = o[a] + f64::from(cell[a]) * h[a];
                    T::of((sum[a] / f64::from(n)).clamp(low, low + h[a]))
                }));
            }
        }
    }
}
