#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod adjoint;
pub mod brownian;
pub mod cde;
mod control;
mod dense;
mod ensemble;
mod error;
mod event;
pub mod heuristics;
mod increments;
mod integrate;
pub mod latent;
pub mod path;
pub mod sde;
pub mod signature;
mod solve;
pub mod splitting;
pub mod stepper;
#[cfg(feature = "diffsol")]
pub mod stiff;
pub mod tableau;

pub use ansatz_core as core;
pub use control::{Adaptive, Control, Gains, OnStiff, StepSize};
pub use dense::{Dense, keep, solve_dense};
pub use ensemble::{EnsembleError, solve_each};
pub use error::StepError;
pub use event::{Action, AtStart, Crossing, Direction, Hit, Outcome, solve_events};
pub use increments::Increments;
pub use integrate::{Accepted, Visitor, integrate};
pub use solve::{Options, solve, solve_at};
pub use splitting::Splitting;
pub use stepper::{
    Composition, Drive, Etdrk4, ReversibleHeun, RungeKutta, Spectrum, Stepper, Symplectic, VERLET,
    YOSHIDA4, YOSHIDA6,
};
pub use tableau::Tableau;
