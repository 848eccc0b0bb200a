#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod brownian;
mod control;
mod error;
pub mod path;
pub mod signature;
mod solve;
mod step;
pub mod tableau;

pub use ansatz_core as core;
pub use control::{Adaptive, Gains, StepSize};
pub use error::StepError;
pub use solve::{Options, solve};
pub use tableau::Tableau;
