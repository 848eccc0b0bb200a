#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod fourier;

pub use ansatz_core as core;
pub use error::LinalgError;
