#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod adapt;
mod array;
mod compile;
#[cfg(feature = "cuda")]
pub mod cuda;
mod derive;
mod error;
mod graph;
mod math;
pub mod op;
mod shape;

pub use adapt::{
    Level, ProgramDenoiser, ProgramDivergence, ProgramField, ProgramResidual, ProgramScalarField,
    Signature,
};
pub use ansatz_core as core;
pub use array::Array;
pub use compile::{Element, Options, Program};
pub use derive::{Diagonal, Laplacian, Sweep, corner, diagonal, laplacian, units};
pub use derive::{gauss_newton_product, gradient, hessian_product, jet, jvp, vjp};
pub use derive::{hessian, jacobian, point_hessians, point_jacobians};
pub use error::AutodiffError;
pub use graph::{Graph, Trace};
pub use op::{Convolution, ConvolutionTransposed, Divisor, Grid, Interpolation, Pool, Resampling};
pub use shape::Shape;
