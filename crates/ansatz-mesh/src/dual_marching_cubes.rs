//! Dual marching cubes: the dual of marching cubes, a manifold of quads.
//!
//! Each loop of a cell gives one vertex, at the mean of its crossings, and each crossed edge a quad of the loops around
//! it. Cells with two sheets have two vertices, so sheets stay apart. Two neighbours whose common face has both arcs on
//! one loop of either would share an edge of four quads; both cut off outside corners there instead (36 of 256 cases).
//!
//! Sources: G. Nielson, Dual marching cubes (2004); R. Wenger, Isosurfaces: geometry, topology, and algorithms (2013).

use ansatz_core::Scalar;

use crate::workspace::dual_extraction;
use crate::{DualVertices, Grid, MeshError, Normals, QuadMesh, QuadSplit, SurfaceNets, Workspace};

/// Dual marching cubes and its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DualMarchingCubes {
    /// How quads become triangles.
    pub split: QuadSplit,
    /// Whether vertices have normals.
    pub normals: Normals,
}

dual_extraction!(DualMarchingCubes);

impl DualMarchingCubes {
    /// As [`DualMarchingCubes::quads`], into memory that is there. On an error `mesh` is as it was.
    ///
    /// # Errors
    /// As [`DualMarchingCubes::extract`].
    pub fn quads_into<T: Scalar>(
        &self,
        grid: &Grid<'_, T>,
        iso: T,
        workspace: &mut Workspace<T>,
        mesh: &mut QuadMesh<T>,
    ) -> Result<(), MeshError> {
        let nets = SurfaceNets {
            vertices: DualVertices::Manifold,
            relaxation: 0,
            split: self.split,
            normals: self.normals,
        };
        nets.quads_into(grid, iso, workspace, mesh)
    }
}
