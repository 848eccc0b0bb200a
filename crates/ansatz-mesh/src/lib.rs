#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod crossings;
mod cube;
mod dual;
mod dual_contouring;
mod dual_marching_cubes;
mod error;
mod grid;
mod marching_cubes;
mod mesh;
mod qef;
mod surface_nets;
mod workspace;

pub use ansatz_core as core;
pub use crossings::Normals;
pub use dual::DualVertices;
pub use dual_contouring::{DualContouring, Roots};
pub use dual_marching_cubes::DualMarchingCubes;
pub use error::MeshError;
pub use grid::{Grid, GridShape};
pub use marching_cubes::{Ambiguity, MarchingCubes};
pub use mesh::{Mesh, QuadMesh, QuadSplit};
pub use qef::{CellPolicy, Qef};
pub use surface_nets::SurfaceNets;
pub use workspace::Workspace;
