#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod burgers;
pub mod caputo;
pub mod cavity;
pub mod diffusion;
mod error;
pub mod exact;
pub mod flame;
mod grid;
pub mod poisson;
pub mod reference;
pub mod riesz;
pub mod sorption;
mod special;
pub mod spectral;

pub use ansatz_core as core;
pub use ansatz_linalg as linalg;
pub use error::PhysicsError;
pub use reference::Reference;
