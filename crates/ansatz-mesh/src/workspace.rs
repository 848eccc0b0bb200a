//! Memory that extractions share.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use crate::crossings::Crossings;
use crate::{Mesh, MeshError, QuadMesh, QuadSplit, dual, marching_cubes};

/// Memory of extractions, for the next one: after two extractions of the same size a further one allocates nothing on one
/// thread.
#[derive(Debug, Default)]
pub struct Workspace<T: Scalar> {
    pub(crate) crossings: Crossings<T>,
    /// Crossings and their normals, for methods whose vertices are not the crossings.
    pub(crate) points: Vec<Point3<T>>,
    pub(crate) normals: Vec<Vector3<T>>,
    pub(crate) parts: Vec<marching_cubes::Part<T>>,
    /// Vertices of two slabs of samples.
    pub(crate) tetrahedra: [Vec<u32>; 2],
    pub(crate) dual: dual::Memory<T>,
}

impl<T: Scalar> Workspace<T> {
    /// The triangles of the quads that `make` gives; if it fails, `mesh` is as it was.
    pub(crate) fn triangulated(
        &mut self,
        split: QuadSplit,
        mesh: &mut Mesh<T>,
        make: impl FnOnce(&mut Self, &mut QuadMesh<T>) -> Result<(), MeshError>,
    ) -> Result<(), MeshError> {
        let mut quads = std::mem::take(&mut self.dual.quads);
        let made = make(self, &mut quads);
        if made.is_ok() {
            quads.triangulate_into(split, mesh);
        }
        self.dual.quads = quads;
        made
    }
}
