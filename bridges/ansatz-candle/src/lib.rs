#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod denoiser;
mod state;

pub use candle_core as candle;
pub use denoiser::{TensorFn, from_fn};
pub use state::{CandleState, Element};
