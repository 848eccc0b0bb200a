//! Memory that extractions share.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use crate::crossings::Crossings;
use crate::{dual, marching_cubes};

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
