//! All integration tests in one program: it links once.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::ptr_arg,
    clippy::unnecessary_wraps,
    reason = "a test fails by panicking, compares with exact numbers, has states that are vectors and \
              targets that cannot fail"
)]

mod chains;
mod diagnostics;
mod errors;
mod kalman;
mod langevin;
mod nuts;
mod resample;
mod semidiscrete;
mod sinkhorn;
mod smc;
mod targets;
