#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod data;
pub mod device;
mod eigen;
mod error;
mod idx;
pub mod laws;
pub mod measure;
pub mod model;
pub mod net;
pub mod ode;
pub mod reference;
mod scratch;
pub mod tb1;

pub use error::ModelError;
pub use idx::DataError;
pub use model::{Analytic, Bridge, Empirical, Gaussian, Mix, Mixture};
