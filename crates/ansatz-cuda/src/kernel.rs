//! Launchers: one module for each family of kernels.
//!
//! Each has a `plan` side, which checks shapes and gives a [`Call`](crate::Call) without touching a device, and functions on
//! buffers, which plan and send. Shapes are those of the table in the module's head; every module names the function on the
//! processor that has the same result (its twin), which the tests compare with.

pub mod conv;
pub mod crossings;
pub mod cubes;
pub mod grid_field;
pub mod ihvp;
pub mod kron;
pub mod lincomb;
pub mod nets;
pub mod philox;
pub mod reduce;
pub mod scan;
pub mod spectrum;
pub mod stencil;
