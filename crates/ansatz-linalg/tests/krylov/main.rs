//! Operators, Krylov methods, preconditioners, the deep conjugate direction method, stochastic traces.

mod common;
mod estimates;
mod methods;
mod operators;
