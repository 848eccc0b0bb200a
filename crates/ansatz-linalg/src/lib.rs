#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod deep;
mod determinant;
#[cfg(feature = "cuda")]
pub mod device;
mod error;
pub mod faer_bridge;
pub mod fisher;
pub mod fourier;
pub mod gp;
pub mod graph;
pub mod implicit;
pub mod krylov;
pub mod lanczos;
mod lanes;
pub mod lowrank;
pub mod operator;
pub mod precondition;
mod real;
pub mod trace;

pub use ansatz_core as core;
pub use determinant::LogDet;
pub use error::LinalgError;
pub use real::Real;
