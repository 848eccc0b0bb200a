#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod clean;
mod closest;
pub mod compare;
mod edges;
mod error;
mod geometry;
mod grid;
pub mod io;
pub mod measure;
mod mesh;
pub mod sample;
mod sections;
mod signed;
pub mod slice;
mod spatial;
mod tree;

pub use ansatz_core as core;
pub use closest::{Closest, Feature, TriangleTree};
pub use compare::{Compare, Comparison, Distance, FScore};
pub use error::MeshError;
pub use grid::{Grid, GridShape};
pub use mesh::{Mesh, QuadMesh};
pub use nalgebra;
pub use sample::{Pattern, Samples, SurfaceSampler};
pub use sections::{Contour, CrossSections, Section};
pub use signed::{GridDistance, Sign, SignedDistance, WindingNumber};
