#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adapt;
pub mod diagnostics;
mod ensemble;
mod error;
pub mod hmc;
pub mod kalman;
pub mod langevin;
mod mass;
pub mod nuts;
pub mod resample;
pub mod smc;
mod target;
pub mod transport;
pub mod weights;

pub use adapt::{Adaptation, Windows};
pub use ansatz_core as core;
pub use diagnostics::{Diagnostics, Trace, diagnose};
pub use ensemble::leapfrog;
pub use error::{ChainError, DiagnosticError, TransportError, WeightError};
pub use hmc::{ChainReport, Hmc};
pub use langevin::{Mala, Ula};
pub use mass::Mass;
pub use nuts::{Nuts, NutsReport};
pub use resample::{Resampler, categorical};
pub use smc::{Criterion, Particles};
pub use target::{AtLevel, Target};
pub use weights::{effective_sample_size, log_mean_exp, log_sum_exp};
