#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
mod ihvp;
mod real;

pub use ansatz_core as core;
pub use error::LinalgError;
pub use ihvp::{BlockFisher, CompressedFisher, FileRows, FisherWindow, PagedFisher, RowStore};
pub use ihvp::{Coefficients, Divisor, FactorOptions, FisherFactor, Refresh};
pub use ihvp::{Compensation, InverseFisher, Removal, Surgeon, densities};
pub use real::Real;
