#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod hmc;
pub mod langevin;
pub mod resample;
pub mod smc;
mod target;
pub mod transport;
pub mod weights;

pub use ansatz_core as core;
pub use error::{ChainError, TransportError, WeightError};
pub use hmc::{Adaptation, ChainReport, Hmc, leapfrog};
pub use langevin::{Mala, Ula};
pub use resample::{Resampler, categorical};
pub use smc::Particles;
pub use target::{AtLevel, Target};
pub use weights::{effective_sample_size, log_mean_exp, log_sum_exp};
