#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod riesz;
mod special;

pub use ansatz_core as core;
pub use ansatz_linalg as linalg;
pub use error::PhysicsError;
