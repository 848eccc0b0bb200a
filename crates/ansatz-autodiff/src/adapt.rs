//! Programs as what other crates ask for, by one call each.
//!
//! | type | is a | function that is traced |
//! |---|---|---|
//! | [`ProgramField`] | [`VectorField`], [`JvpField`], [`VjpField`] | f(t, x, parameters) |
//! | [`ProgramDenoiser`] | [`Denoiser`], [`VjpDenoiser`] | y(x, level, parameters) |
//! | [`ProgramDivergence`] | the same, and [`DivergenceDenoiser`] | as above |
//! | [`ProgramResidual`] | [`Residual`] | r(u, parameters) |
//! | [`ProgramScalarField`] | [`ScalarField`], [`DifferentiableField`] | f(points, parameters) |
//!
//! The constructor traces the function, differentiates it and compiles the value and the products. Parameters are one flat
//! vector, in the order and with the shapes of [`Signature::parameters`]; they may be changed between evaluations. The first
//! axis of a state with several counts as independent points, which only means that the compiler may split it.
//!
//! [`VectorField`]: ansatz_core::VectorField
//! [`JvpField`]: ansatz_core::JvpField
//! [`VjpField`]: ansatz_core::VjpField
//! [`Denoiser`]: ansatz_core::Denoiser
//! [`VjpDenoiser`]: ansatz_core::VjpDenoiser
//! [`DivergenceDenoiser`]: ansatz_core::DivergenceDenoiser
//! [`Residual`]: ansatz_core::Residual
//! [`ScalarField`]: ansatz_core::ScalarField
//! [`DifferentiableField`]: ansatz_core::DifferentiableField

mod denoiser;
mod field;
mod map;
mod residual;
mod scalar;

pub use denoiser::{Level, ProgramDenoiser, ProgramDivergence};
pub use field::ProgramField;
pub use residual::ProgramResidual;
pub use scalar::ProgramScalarField;

use crate::Options;

/// Shapes of what a function is given, and how it is compiled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signature<'a> {
    /// Shape of the state (of the unknowns, for a residual).
    pub state: &'a [usize],
    /// Shapes of the parameters.
    pub parameters: &'a [&'a [usize]],
    /// How the programs are compiled.
    pub options: Options,
}
