//! One function per contract of `ansatz-core`: call them in the tests of your own types.
//!
//! Each law draws its own inputs (from fixed keys, so a failure repeats), compares the
//! implementation with a naive evaluation or with an identity that must hold, and panics at the
//! caller's line with the numbers of the first violation. Tolerances are derived: a few units of
//! rounding times the size of the terms that were added, never fitted.
//!
//! | law | for |
//! |---|---|
//! | [`state`], [`state_of_length`], [`flat_noise`] | [`State`](ansatz_core::State) |
//! | [`rows`] | [`RowState`](ansatz_core::RowState) |
//! | [`denoiser`], [`divergence`] | [`Denoiser`](ansatz_core::Denoiser), [`DivergenceDenoiser`](ansatz_core::DivergenceDenoiser) |
//! | [`prediction_conversions`], [`schedule`] | [`NoiseLevel`](ansatz_core::NoiseLevel), [`NoiseSchedule`](ansatz_core::NoiseSchedule) |
//! | [`linear_op`], [`adjoint_op`], [`spd_op`] | operators on slices |
//! | [`linear_map`], [`adjoint_maps`], [`spd_map`] | maps between states, on any device |
//! | [`residual_derivatives`], [`vjp_field`], [`vjp_parameters`], [`differentiable_field`] | hand-written derivatives |
//! | [`same_for_threads`] | anything that runs in a pool |
//! | [`order`] | anything with an order of convergence |

mod derivative;
mod divergence;
mod linear;
mod noise;
mod rows;
mod run;
mod schedule;
mod state;

pub use derivative::{differentiable_field, residual_derivatives, vjp_field, vjp_parameters};
pub use divergence::divergence;
pub use linear::{adjoint_maps, adjoint_op, linear_map, linear_op, spd_map, spd_op};
pub use noise::{denoiser, prediction_conversions};
pub use rows::rows;
pub use run::{order, same_for_threads};
pub use schedule::{Variance, schedule};
pub use state::{flat_noise, state, state_of_length};

use ansatz_core::{Key, Scalar};

/// What a law found: nothing, or a sentence with numbers.
type Verdict = Result<(), String>;

/// Reports a violation at the line of the caller's caller.
#[track_caller]
fn uphold(verdict: Verdict) {
    if let Err(violation) = verdict {
        panic!("{violation}");
    }
}

/// Fails with a sentence when `condition` does not hold. Write conditions so that NaN fails them.
fn demand(condition: bool, violation: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(violation()) }
}

/// Standard normal numbers of draw number `draw`.
fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0x1a35).fill_normal(draw, &mut x);
    x
}

fn norm<T: Scalar>(x: &[T]) -> f64 {
    x.iter().map(|v| v.f64() * v.f64()).sum::<f64>().sqrt()
}

fn dot<T: Scalar>(x: &[T], y: &[T]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x.f64() * y.f64()).sum()
}

/// The bit patterns of numbers, for comparisons that tell NaN and signed zeros apart.
fn bits<T: Scalar>(x: &[T]) -> Vec<u64> {
    x.iter().map(|v| v.f64().to_bits()).collect()
}

/// Numbers in scientific notation, for messages.
fn list(x: &[f64]) -> String {
    let words: Vec<String> = x.iter().map(|v| format!("{v:.2e}")).collect();
    format!("[{}]", words.join(", "))
}
