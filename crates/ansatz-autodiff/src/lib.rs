#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod array;
mod compile;
mod derive;
mod error;
mod graph;
mod math;
pub mod op;
mod shape;

pub use ansatz_core as core;
pub use array::Array;
pub use compile::{Element, Options, Program};
pub use derive::{Laplacian, gradient, hessian_product, jet, jvp, laplacian, vjp};
pub use error::AutodiffError;
pub use graph::{Graph, Trace};
pub use op::{Convolution, ConvolutionTransposed, Divisor, Grid, Interpolation, Pool, Resampling};
pub use shape::Shape;
