//! Noise schedules: α(t) and σ(t) of the forward marginal `x = α·x₀ + σ·ε`.
//!
//! | schedule | α | σ | used by |
//! |---|---|---|---|
//! | [`VpLinear`] | exp(−t²(β₁−β₀)/4 − tβ₀/2) | √(1−α²) | Score-SDE, DPM-Solver |
//! | [`VpCosine`] | cos-shaped | √(1−α²) | improved DDPM |
//! | [`SubVp`] | as `VpLinear` | 1−α² | Score-SDE |
//! | [`VarianceExploding`] | 1 | σ_min(σ_max/σ_min)^t | Score-SDE, NCSN |
//! | [`Edm`] | 1 | t | Karras et al. |
//! | [`FlowLinear`] | 1−t | t | rectified flow, flow matching |
//! | [`Discrete`] | table | √(1−α²) | DDPM-style training with T labels |
//! | [`UnitTime`] | the same on (0, 1] | √(1−α²) | DPM-Solver on such models |
//! | [`ScaledNoise`] | of another schedule | times σ∞ | mean-reverting SDEs |
//!
//! All numbers are `f64`, and σ is computed without the cancellation of √(1−α²).

mod discrete;
mod exploding;
mod flow;
mod preserving;
mod residual;
mod scaled;
mod unit_time;

pub use discrete::{Betas, Discrete};
pub use exploding::{Edm, VarianceExploding};
pub use flow::FlowLinear;
pub use preserving::{SubVp, VpCosine, VpLinear};
pub use residual::{Ramp, ResidualTable};
pub use scaled::ScaledNoise;
pub use unit_time::UnitTime;

/// ln(1 + eˣ) without overflow.
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
