//! Implicit derivatives against closed forms, reference values, central differences and the adjoint identity.

mod laws;
mod maps;
mod values;
