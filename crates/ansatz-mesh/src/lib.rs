#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod clean;
mod closest;
pub mod compare;
mod crossings;
mod cube;
#[cfg(feature = "cuda")]
pub mod device;
mod dual;
mod dual_contouring;
mod dual_marching_cubes;
mod edges;
mod error;
pub mod flexicubes;
mod geometry;
mod grid;
mod grid_field;
mod implicit;
pub mod io;
mod label_nets;
mod marching_cubes;
mod marching_tetrahedra;
pub mod measure;
mod mesh;
mod qef;
pub mod sample;
mod sections;
mod signed;
pub mod slice;
mod sparse;
mod spatial;
mod surface_nets;
mod tree;
mod unsigned;
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
pub use grid_field::GridField;
pub use implicit::{
    FieldCotangent, GridEdges, LevelSetDerivative, LevelSetProjection, Motion, Projected,
    RefreshedSamples,
};
pub use label_nets::{LabelMesh, LabelNets};
pub use marching_cubes::{Ambiguity, MarchingCubes};
pub use marching_tetrahedra::MarchingTetrahedra;
pub use mesh::{Mesh, QuadMesh, QuadSplit};
pub use nalgebra;
pub use qef::{CellPolicy, Qef};
pub use sample::{Pattern, Samples, SurfaceSampler};
pub use sections::{Contour, CrossSections, Section};
pub use signed::{GridDistance, Sign, SignedDistance, WindingNumber};
pub use sparse::{Search, SparseMarchingCubes, SparseReport};
pub use surface_nets::SurfaceNets;
pub use unsigned::{DualMeshUdf, Margins, QuadFilter, UdfMesh, UdfVertex};
pub use workspace::Workspace;
