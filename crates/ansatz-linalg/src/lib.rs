#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod deep;
mod error;
pub mod faer_bridge;
pub mod krylov;
pub mod lanczos;
pub mod operator;
pub mod precondition;
pub mod trace;

pub use ansatz_core as core;
pub use error::LinalgError;
