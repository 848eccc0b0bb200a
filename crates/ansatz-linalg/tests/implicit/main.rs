//! Implicit derivatives against closed forms, reference values, central differences and the adjoint identity.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod inputs;
mod laws;
mod maps;
mod threads;
mod values;
