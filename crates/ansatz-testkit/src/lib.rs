#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod eigen;
mod error;
pub mod measure;
pub mod model;
pub mod reference;
mod scratch;
pub mod tb1;

pub use error::ModelError;
pub use model::{Analytic, Empirical, Gaussian, Mixture};
