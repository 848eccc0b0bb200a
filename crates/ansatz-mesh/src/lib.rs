#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod edges;
mod error;
mod geometry;
mod grid;
pub mod measure;
mod mesh;

pub use ansatz_core as core;
pub use error::MeshError;
pub use grid::{Grid, GridShape};
pub use mesh::{Mesh, QuadMesh};
pub use nalgebra;
