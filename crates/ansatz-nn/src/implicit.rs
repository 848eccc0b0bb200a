//! Solutions of equations as layers: array programs for implicit differentiation.
//!
//! | type | what it is |
//! |---|---|
//! | [`ProgramMap`] | a traced function F(x, θ) with its four products, as the [`ParametricMap`] that `ansatz_linalg::implicit` asks for |
//! | [`ImplicitFunction`] | the solution x*(θ) of F(x, θ) = 0 as an operation of array programs, differentiable to any order |
//!
//! With M = ∂F/∂x and B = ∂F/∂θ at the solution, ẋ = −M⁻¹Bθ̇ and θ̄ = −Bᵀ·M⁻ᵀx̄: one linear solve each, however the solution
//! was found. Both are written as array programs of x* and θ, in which the solve is an operation too, p = M(x, θ)⁻¹b with
//!
//! ```text
//! ṗ = M⁻¹(ḃ − Ṁp),   b̄ = M⁻ᵀp̄ = q,   (x̄, θ̄) = −∂(qᵀM(x, θ)p)/∂(x, θ)
//! ```
//!
//! so that derivatives of derivatives are more of the same: a Hessian product of a loss of x* takes four solves.
//!
//! Source: M. Blondel, Q. Berthet, M. Cuturi, R. Frostig, S. Hoyer, F. Llinares-López, F. Pedregosa, J.-P. Vert,
//! *Efficient and modular implicit differentiation*, 2022, section 2.
//!
//! [`ParametricMap`]: ansatz_linalg::implicit::ParametricMap

mod function;
mod map;

pub use function::ImplicitFunction;
pub use map::ProgramMap;
