//! Cells of several sizes: a lattice of which some cells are halved, again and again.
//!
//! A cell that is larger than its neighbours is a polyhedron: its faces are those of the smaller cells beside it, and their
//! corners are its corners too. Every face then belongs to two cells alike and every edge of a face to three or four cells
//! around it, so that a dual mesh has no cracks where sizes change. Cells that touch differ in size by a factor of two at
//! most.
//!
//! Cost: O(n log n) to build for n cells.

mod build;

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use super::regularise::{deform_by, deform_vjp_by};
use crate::MeshError;
use build::{Leaf, Lists, balance, find, split};

/// No cell: outside of the grid.
pub(super) const NONE: u32 = u32::MAX;

/// Adaptive cells: a lattice over a box, and cells of it halved along each axis.
///
/// ```
/// use ansatz_mesh::flexicubes::{FlexiCubes, FlexiParameters, OctreeGrid};
///
/// let ball = |p: [f64; 3]| (p[0] * p[0] + p[1] * p[1] + p[2] * p[2]).sqrt() - 0.7;
/// let mut grid = OctreeGrid::new([8; 3], [-1.0; 3], [1.0; 3])?;
/// // Small cells where x is positive and the surface may be.
/// grid = grid.refine(|low, high| {
///     let middle = [0, 1, 2].map(|a| f64::midpoint(low[a], high[a]));
///     middle[0] > 0.0 && ball(middle).abs() < high[0] - low[0]
/// })?;
/// let points = grid.points::<f64>();
/// let values: Vec<f64> = points.iter().map(|p| ball((*p).into())).collect();
/// let surface = FlexiCubes::default().extract(&grid, &FlexiParameters::new(&points, &values))?;
/// assert!(ansatz_mesh::measure::Topology::of(&surface.mesh)?.is_watertight());
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OctreeGrid {
    low: [f64; 3],
    high: [f64; 3],
    /// The box in units of the smallest cell.
    extent: [u32; 3],
    /// Lowest corner and side of the cells, ascending.
    leaves: Vec<Leaf>,
    /// Places of the vertices, ascending.
    corners: Vec<[u32; 3]>,
    /// Edges that no vertex cuts, by their ends, ascending.
    pub(super) edges: Vec<[u32; 2]>,
    /// The cells around each edge, counter-clockwise about its direction; three of them are followed by [`NONE`], and an
    /// edge on the border has none.
    pub(super) around: Vec<[u32; 4]>,
    /// Polygons between cells.
    pub(super) faces: Lists,
    /// The edge after each vertex of each face.
    pub(super) face_edges: Lists,
    /// The two cells of each face. The vertices of the face go round counter-clockwise seen from outside of the first.
    pub(super) sides: Vec<[u32; 2]>,
    /// Faces of each cell.
    pub(super) cell_faces: Lists,
    /// Vertices of each cell: its eight corners, then those of its neighbours on it.
    pub(super) cell_vertices: Lists,
    /// Edges of each cell: those along its twelve edges, then those within its faces.
    pub(super) cell_edges: Lists,
}

impl OctreeGrid {
    /// A lattice of so many cells along each axis over a box. Cells and vertices are numbered as those of
    /// [`super::HexGrid::lattice`].
    ///
    /// # Errors
    /// [`MeshError::TooSmall`] without a cell, [`MeshError::TooLarge`] for more vertices than a `u32` counts,
    /// [`MeshError::Spacing`] for a box that is empty or not finite.
    pub fn new(cells: [usize; 3], low: [f64; 3], high: [f64; 3]) -> Result<Self, MeshError> {
        let dims = cells.map(|n| n.saturating_add(1));
        if cells.contains(&0) {
            return Err(MeshError::TooSmall { dims });
        }
        let vertices = dims.iter().fold(1usize, |a, n| a.saturating_mul(*n));
        if vertices > u32::MAX as usize / 24 {
            return Err(MeshError::TooLarge { vertices });
        }
        let spacing = std::array::from_fn(|a| (high[a] - low[a]) / cells[a] as f64);
        if spacing.iter().any(|h| !(h.is_finite() && *h > 0.0)) {
            return Err(MeshError::Spacing { spacing });
        }
        let extent = cells.map(|n| n as u32);
        let mut leaves = Vec::with_capacity(cells.iter().product());
        for i in 0..extent[0] {
            for j in 0..extent[1] {
                leaves.extend((0..extent[2]).map(|k| Leaf {
                    low: [i, j, k],
                    side: 1,
                }));
            }
        }
        Ok(Self::build(low, high, extent, leaves))
    }

    /// Halves the cells that `wanted` takes by their lowest and highest corner, and neighbours of these which would be four
    /// times as large.
    ///
    /// # Errors
    /// [`MeshError::TooLarge`] when cells become smaller than 2⁻²⁰ of the box, or more than a `u32` counts.
    pub fn refine(
        &self,
        mut wanted: impl FnMut([f64; 3], [f64; 3]) -> bool,
    ) -> Result<Self, MeshError> {
        let mut extent = self.extent;
        let mut leaves = self.leaves.clone();
        if leaves.iter().any(|l| l.side == 1) {
            // The smallest cells may be halved: they become two units wide.
            if extent.iter().any(|&n| n > 1 << 20) {
                let vertices = self.corners.len().saturating_mul(8);
                return Err(MeshError::TooLarge { vertices });
            }
            extent = extent.map(|n| 2 * n);
            for leaf in &mut leaves {
                leaf.low = leaf.low.map(|x| 2 * x);
                leaf.side *= 2;
            }
        }
        leaves = split(&leaves, |cell| {
            let [low, high] = self.cell_box(cell);
            wanted(low, high)
        });
        balance(&mut leaves, extent);
        if leaves.iter().all(|l| l.side > 1) {
            extent = extent.map(|n| n / 2);
            for leaf in &mut leaves {
                leaf.low = leaf.low.map(|x| x / 2);
                leaf.side /= 2;
            }
        }
        if leaves.len() > u32::MAX as usize / 64 {
            let vertices = leaves.len();
            return Err(MeshError::TooLarge { vertices });
        }
        Ok(Self::build(self.low, self.high, extent, leaves))
    }

    /// How many vertices there are.
    pub fn vertices(&self) -> usize {
        self.corners.len()
    }

    /// How many cells there are.
    pub fn cells(&self) -> usize {
        self.leaves.len()
    }

    /// How many raw weights α, β and γ there are: one α for each vertex of each cell ([`OctreeGrid::cell_vertices`]), one β
    /// for each edge of each cell ([`OctreeGrid::cell_edges`]), one γ for each cell.
    pub fn weights(&self) -> [usize; 3] {
        [
            self.cell_vertices.total(),
            self.cell_edges.total(),
            self.leaves.len(),
        ]
    }

    /// The vertices of a cell: its eight corners in the usual order, then those which smaller neighbours put on its edges
    /// and faces.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn cell_vertices(&self, cell: usize) -> &[u32] {
        self.cell_vertices.get(cell)
    }

    /// The edges of a cell by their ends: those along its twelve edges in the usual order, then those within its faces.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn cell_edges(&self, cell: usize) -> impl Iterator<Item = [u32; 2]> {
        let edges = self.cell_edges.get(cell).iter();
        edges.map(|&e| self.edges[e as usize])
    }

    /// Lowest and highest corner of a cell.
    ///
    /// # Panics
    /// When there is no such cell.
    pub fn cell_box(&self, cell: usize) -> [[f64; 3]; 2] {
        let leaf = self.leaves[cell];
        [0, 7].map(|c| self.place(leaf.corner(c)))
    }

    fn place(&self, at: [u32; 3]) -> [f64; 3] {
        let (low, high) = (self.low, self.high);
        std::array::from_fn(|a| {
            low[a] + (high[a] - low[a]) * (f64::from(at[a]) / f64::from(self.extent[a]))
        })
    }

    /// Positions of the vertices.
    pub fn points<T: Scalar>(&self) -> Vec<Point3<T>> {
        let point = |at: &[u32; 3]| Point3::from(self.place(*at).map(T::of));
        self.corners.iter().map(point).collect()
    }

    /// The cell sizes at each vertex: those of the smallest cell that has it.
    fn spacing(&self) -> Vec<[f64; 3]> {
        let mut least = vec![u32::MAX; self.corners.len()];
        for (cell, leaf) in self.leaves.iter().enumerate() {
            for &v in self.cell_vertices.get(cell) {
                least[v as usize] = least[v as usize].min(leaf.side);
            }
        }
        let unit: [f64; 3] =
            std::array::from_fn(|a| (self.high[a] - self.low[a]) / f64::from(self.extent[a]));
        let scaled = |side: u32| unit.map(|h| h * f64::from(side));
        least.into_iter().map(scaled).collect()
    }

    /// Positions that move less than half of the smallest cell beside them, as [`super::deform`].
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one vector for each vertex.
    pub fn deform<T: Scalar>(&self, raw: &[Vector3<T>]) -> Result<Vec<Point3<T>>, MeshError> {
        self.check("deformations", raw.len())?;
        let spacing = self.spacing();
        Ok(deform_by(&self.points(), |v| spacing[v], raw))
    }

    /// The derivative with respect to the raw vectors of [`OctreeGrid::deform`] from the one with respect to positions.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one vector for each vertex.
    pub fn deform_vjp<T: Scalar>(
        &self,
        raw: &[Vector3<T>],
        cotangent: &[Vector3<T>],
    ) -> Result<Vec<Vector3<T>>, MeshError> {
        self.check("deformations", raw.len())?;
        self.check("cotangent of points", cotangent.len())?;
        let spacing = self.spacing();
        Ok(deform_vjp_by(|v| spacing[v], raw, cotangent))
    }

    /// Numbers at the vertices of a grid that [`OctreeGrid::refine`] made of this one: those at common vertices, and the
    /// trilinear interpolants of the corners of the old cell at new ones.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one number for each vertex.
    pub fn prolong<T: Scalar>(&self, finer: &Self, values: &[T]) -> Result<Vec<T>, MeshError> {
        self.check("values", values.len())?;
        let scale = (finer.extent[0] / self.extent[0]).max(1);
        let value = |at: &[u32; 3]| -> T {
            let old = at.map(|x| x / scale);
            if at.iter().all(|x| x % scale == 0)
                && let Some(v) = self.vertex_at(old)
            {
                return values[v as usize];
            }
            // Places on the upper border belong to the last cell.
            let within = std::array::from_fn(|a| old[a].min(self.extent[a] - 1));
            let Some(cell) = find(&self.leaves, within) else {
                return T::zero();
            };
            let leaf = self.leaves[cell];
            let t: [f64; 3] = std::array::from_fn(|a| {
                (f64::from(at[a]) / f64::from(scale) - f64::from(leaf.low[a]))
                    / f64::from(leaf.side)
            });
            let corners = &self.cell_vertices.get(cell)[..8];
            let weighted = corners.iter().enumerate().map(|(c, v)| {
                let weight = |a: usize| if c >> a & 1 == 1 { t[a] } else { 1.0 - t[a] };
                weight(0) * weight(1) * weight(2) * values[*v as usize].f64()
            });
            T::of(weighted.sum())
        };
        Ok(finer.corners.iter().map(value).collect())
    }

    fn check(&self, what: &'static str, found: usize) -> Result<(), MeshError> {
        let expected = self.vertices();
        if found == expected {
            return Ok(());
        }
        Err(MeshError::Count {
            what,
            expected,
            found,
        })
    }
}
