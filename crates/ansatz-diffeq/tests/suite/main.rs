//! All integration tests in one program: it links once.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::type_complexity,
    clippy::excessive_precision,
    clippy::ptr_arg,
    reason = "a test fails by panicking, compares with exact numbers, holds tables of rows printed \
              to more digits than f64 has, and has states that are vectors"
)]

mod accuracy;
mod brownian;
mod dense;
mod errors;
mod events;
mod gradients;
mod noisy_gradients;
mod noisy_problems;
mod orders;
mod paths;
mod problems;
mod spectral;
mod splitting;
mod stable;
mod standard;
mod statistics;
mod steppers;
mod stochastic;
mod stochastic_steps;
