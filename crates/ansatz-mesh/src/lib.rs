#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod closest;
pub mod compare;
mod crossings;
mod cube;
mod dual;
mod dual_contouring;
mod dual_marching_cubes;
mod edges;
mod error;
pub mod flexicubes;
mod geometry;
mod grid;
mod implicit;
mod marching_cubes;
mod marching_tetrahedra;
pub mod measure;
mod mesh;
mod qef;
pub mod sample;
mod sparse;
mod spatial;
mod surface_nets;
mod tree;
mod workspace;

pub use ansatz_core as core;
pub use closest::{Closest, Feature, TriangleTree};
pub use compare::{Compare, Comparison, Distance, FScore};
pub use crossings::Normals;
pub use dual::DualVertices;
pub use dual_contouring::{DualContouring, Roots};
pub use dual_marching_cubes::DualMarchingCubes;
pub use error::MeshError;
pub use grid::{Grid, GridShape};
pub use implicit::{FieldCotangent, GridEdges, LevelSetDerivative, Motion};
pub use marching_cubes::{Ambiguity, MarchingCubes};
pub use marching_tetrahedra::MarchingTetrahedra;
pub use mesh::{Mesh, QuadMesh, QuadSplit};
pub use nalgebra;
pub use qef::{CellPolicy, Qef};
pub use sample::{Pattern, Samples, SurfaceSampler};
pub use sparse::{Search, SparseMarchingCubes, SparseReport};
pub use surface_nets::SurfaceNets;
pub use workspace::Workspace;
