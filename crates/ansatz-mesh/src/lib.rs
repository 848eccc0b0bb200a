#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod error;
mod grid;
mod mesh;

pub use ansatz_core as core;
pub use error::MeshError;
pub use grid::{Grid, GridShape};
pub use mesh::{Mesh, QuadMesh};
