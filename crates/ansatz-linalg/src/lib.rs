#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod determinant;
mod error;
pub mod fourier;
pub mod gp;
mod lanes;
pub mod operator;

pub use ansatz_core as core;
pub use determinant::LogDet;
pub use error::LinalgError;
