//! Operators, Krylov methods, preconditioners, the deep conjugate direction method, stochastic traces.

mod bridge;
mod common;
mod deep;
mod estimates;
mod methods;
mod operators;
mod preconditioners;
