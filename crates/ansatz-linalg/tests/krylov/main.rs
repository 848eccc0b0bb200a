//! Operators, Krylov methods, preconditioners, the deep conjugate direction method, stochastic traces.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bridge;
mod common;
mod deep;
mod estimates;
mod methods;
mod operators;
mod preconditioners;
