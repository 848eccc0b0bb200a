#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod denoiser;
mod error;
mod field;
mod linear;
mod noise;
mod observer;
mod random;
mod scalar;
mod state;

pub use denoiser::{
    Clamped, ClassifierGuided, Counted, Denoiser, DensityDenoiser, DivergenceDenoiser,
    DynamicThreshold, Guided, OnInterval, Rescaled, VjpDenoiser,
};
pub use error::EvalError;
pub use field::{
    ControlField, DifferentiableField, JvpField, NoiseKind, Residual, ScalarField, Sde,
    VectorField, VjpControlField, VjpField,
};
pub use linear::{AdjointOp, LinearMap, LinearOp, OnHost, SearchDirection, SpdOp};
#[cfg(feature = "ndarray")]
pub use ndarray;
pub use noise::{NoiseLevel, NoiseSchedule, Prediction};
pub use observer::{Event, Observer, Report};
pub use random::{Key, stream};
pub use scalar::Scalar;
pub use state::{Combination, HostState, RowState, State, Tolerance};
