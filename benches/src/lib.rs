#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod autodiff;
pub mod emit;
pub mod ensemble;
pub mod expr;
pub mod fisher;
pub mod gp;
pub mod memory;
pub mod mesh;
pub mod ode;
pub mod pinn;
pub mod poisson;
pub mod record;
pub mod serve;
pub mod stepping;
pub mod suites;
pub mod timing;
pub mod unet;
