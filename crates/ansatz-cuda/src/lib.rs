#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod blas;
mod buffer;
mod call;
mod device;
mod element;
mod error;
mod family;
pub mod fft;
mod graph;
pub mod kernel;
mod module;
pub mod nvrtc;
mod pool;
pub mod program;
mod state;

pub use buffer::Buffer;
pub use call::{Call, Kind, View, ViewMut};
pub use device::Device;
pub use element::{DeviceScalar, Element};
pub use error::CudaError;
pub use family::Family;
pub use state::CudaState;
