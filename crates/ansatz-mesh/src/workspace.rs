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

/// Gives a method that has `extract_into` its `extract`.
macro_rules! extraction {
    ($method:ty) => {
        impl $method {
            /// The surface of {f < iso}.
            ///
            /// # Errors
            /// [`MeshError::Sample`](crate::MeshError::Sample) for a sample that is not finite,
            /// [`MeshError::NotFinite`](crate::MeshError::NotFinite) for such an iso value,
            /// [`MeshError::TooLarge`](crate::MeshError::TooLarge) for more than 2³¹ vertices. An iso value that nothing
            /// crosses gives an empty mesh.
            pub fn extract<T: ::ansatz_core::Scalar>(
                &self,
                grid: &$crate::Grid<'_, T>,
                iso: T,
            ) -> Result<$crate::Mesh<T>, $crate::MeshError> {
                let mut mesh = $crate::Mesh::default();
                self.extract_into(grid, iso, &mut $crate::Workspace::default(), &mut mesh)?;
                Ok(mesh)
            }
        }
    };
}

/// Gives a dual method that has `quads_into` and a field `split` its `extract`, `extract_into` and `quads`.
macro_rules! dual_extraction {
    ($method:ty) => {
        $crate::workspace::extraction!($method);

        impl $method {
            /// As `extract`, into memory that is there. On an error `mesh` is as it was.
            ///
            /// # Errors
            /// As `extract`.
            pub fn extract_into<T: ::ansatz_core::Scalar>(
                &self,
                grid: &$crate::Grid<'_, T>,
                iso: T,
                workspace: &mut $crate::Workspace<T>,
                mesh: &mut $crate::Mesh<T>,
            ) -> Result<(), $crate::MeshError> {
                workspace.triangulated(self.split, mesh, |workspace, quads| {
                    self.quads_into(grid, iso, workspace, quads)
                })
            }

            /// The surface before quads are cut.
            ///
            /// # Errors
            /// As `extract`.
            pub fn quads<T: ::ansatz_core::Scalar>(
                &self,
                grid: &$crate::Grid<'_, T>,
                iso: T,
            ) -> Result<$crate::QuadMesh<T>, $crate::MeshError> {
                let mut mesh = $crate::QuadMesh::default();
                self.quads_into(grid, iso, &mut $crate::Workspace::default(), &mut mesh)?;
                Ok(mesh)
            }
        }
    };
}

pub(crate) use {dual_extraction, extraction};
