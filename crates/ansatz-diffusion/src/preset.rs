//! Presets: the schedules, labels and predictions that families of pretrained models were made with.
//!
//! | preset | path | network predicts | nodes |
//! |---|---|---|---|
//! | [`LabelFamily::STABLE_DIFFUSION`] | 1000 scaled-linear betas | noise | leading labels, offset 1, end at label 0 |
//! | [`LabelFamily::STABLE_DIFFUSION_V`] | the same | velocity | the same |
//! | [`LabelFamily::DDPM`] | 1000 linear betas | noise | leading labels, clean end |
//! | [`LabelFamily::IMPROVED_DDPM`] | 1000 cosine betas | noise | leading labels, clean end |
//! | [`FlowFamily::STABLE_DIFFUSION_3`] | straight, shifted by 3 | flow | even, then shifted |
//! | [`FlowFamily::flux`] | straight, shifted by image size | flow | i/N, then shifted |
//! | [`EdmFamily`] | σ = t from 80 to 0.002 | preconditioned data | Karras, clean end |
//!
//! A family gives a grid; any solver runs on it. The network is told a *label*: [`NoiseLevel::t`] of
//! a label family, a thousand times t of a flow family, ¼ ln σ of EDM.
//!
//! Every number is checked against diffusers 0.42.1 (`tests/suite/preset.rs`).
//!
//! [`NoiseLevel::t`]: ansatz_core::NoiseLevel

mod edm;
mod flow;
mod label;

pub use edm::{EdmFamily, Factors, Preconditioned};
pub use flow::{FlowFamily, FlowNodes, shifted};
pub use label::{LabelEnd, LabelFamily};
