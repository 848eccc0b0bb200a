//! Derivatives of solutions, without differentiating the solver.
//!
//! A solution x*(θ) is defined by what holds at it, F(x*, θ) = 0 or x* = T(x*, θ). With M = ∂F/∂x and B = ∂F/∂θ there,
//! the implicit function theorem gives
//!
//! ```text
//! M·∂x* = −B,   ∂x*·w = −M⁻¹(B·w)  (one solve),   vᵀ∂x* = −(M⁻ᵀv)ᵀB  (one solve for all arguments)
//! ```
//!
//! however x* was found. Memory does not depend on the iterations of the solver; the error is at most a constant times
//! that of x̂ itself, while derivatives of the unrolled loop converge more slowly.
//!
//! Everything is a [`ParametricMap`]: F, T, gradients, constraints, projections and proximal operators. A map is
//! linearised once at a point (active sets, factorisations) and then gives the four products of a [`Derivative`]. At a
//! kink all four belong to the same element of the generalised Jacobian. `ProgramMap` of the crate `ansatz-nn` is a map
//! from one traced function, and `ImplicitFunction` there makes the solution part of a program.
//!
//! | the solution of | its map |
//! |---|---|
//! | min f(x, θ), or a root found by Newton's method | the gradient or the function itself, such as [`Closures`] |
//! | x = T(x, θ) | [`FixedPoint`] |
//! | min f + g, min f on a set | [`FixedPoint`] of [`Descent::proximal`] with a proximal operator or projection |
//! | block coordinate descent | the same with [`Descent::with_steps`] and [`Stack`] |
//! | mirror descent | [`FixedPoint`] of [`Descent::mirror`] |
//! | min f with G = 0, H ≤ 0 | [`Kkt`] |
//! | quadratic and conic programs | [`QuadraticProgram`], [`ConicProgram`] |
//! | A·x = b | [`Bilinear::linear_system`] |
//!
//! | projections and proximal operators | |
//! |---|---|
//! | [`Separable`] | box, orthant, hypercube, ℓ∞ ball; ℓ₁, elastic net, ridge and their non-negative forms |
//! | [`Grouped`] | simplex (Euclidean, sparse, entropic), ℓ₁ and ℓ₂ balls and spheres, group lasso |
//! | [`BoxSection`] | box and one equality |
//! | [`Polyhedron`] | hyperplane, half-space, affine set, equalities and inequalities |
//! | [`Transport`] | couplings with given marginals, Euclidean or entropic; Birkhoff's polytope |
//! | [`Isotonic`], [`EntropicIsotonic`] | monotone vectors; with [`Compose`] the order simplex |
//!
//! ```
//! use ansatz_linalg::implicit::{Closures, ImplicitOptions, Point, root_vjp};
//! // x* = θ^(1/2) as the root of x² − θ: dx*/dθ = 1/(2x*).
//! let map = Closures::gradient(
//!     1,
//!     &[1],
//!     |at, out| out[0] = at.x[0] * at.x[0] - at.args[0][0],
//!     |at, w, out| out[0] = 2.0 * at.x[0] * w[0],
//!     |_, w, out| out[0] = -w[0][0],
//!     |_, v, out| out[0][0] = -v[0],
//! );
//! let at = Point { x: &[3.0], args: &[&[9.0]] };
//! let (cotangents, report) = root_vjp(&map, at, &[1.0], &ImplicitOptions::default())?;
//! assert!((cotangents[0][0] - 1.0 / 6.0).abs() < 1e-15 && report.residual == 0.0);
//! # Ok::<(), ansatz_linalg::LinalgError>(())
//! ```
//!
//! Source: M. Blondel, Q. Berthet, M. Cuturi, R. Frostig, S. Hoyer, F. Llinares-López, F. Pedregosa, J.-P. Vert,
//! *Efficient and modular implicit differentiation*, 2022, sections 2 and 3, tables 1 and 2.

mod bilinear;
mod box_section;
mod closures;
mod combine;
mod conic;
mod descent;
mod grouped;
mod isotonic;
mod kkt;
mod polyhedron;
mod quadratic;
mod separable;
mod solve;
mod transport;

pub use bilinear::{Bilinear, Factor, Operand, Term};
pub use box_section::BoxSection;
pub use closures::Closures;
pub use combine::{Compose, FixedPoint, Stack};
pub use conic::{Cone, ConicProgram};
pub use descent::{Descent, Mirror};
pub use grouped::{GroupKind, Grouped};
pub use isotonic::{EntropicIsotonic, Isotonic, Order};
pub use kkt::Kkt;
pub use polyhedron::Polyhedron;
pub use quadratic::{QuadraticProgram, QuadraticSolution};
pub use separable::{Elementwise, Parameters, Separable};
pub use solve::{ImplicitOptions, ImplicitReport, RootSolver, Sensitivity, root_jvp, root_vjp};
pub use transport::{Geometry, Transport};

use ansatz_core::EvalError;

use crate::LinalgError;
use crate::error::{finite, shape};

/// Where a map is evaluated: the unknowns and the arguments, flat arrays each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point<'a> {
    /// x.
    pub x: &'a [f64],
    /// θ.
    pub args: &'a [&'a [f64]],
}

/// A map (x, θ) ↦ y with exact derivatives, θ a list of arrays.
///
/// With as many outputs as unknowns, y = 0 defines an implicit function ([`root_vjp`]).
pub trait ParametricMap: Sync {
    /// Length of x.
    fn unknowns(&self) -> usize;

    /// Length of y.
    fn outputs(&self) -> usize {
        self.unknowns()
    }

    /// Lengths of the arguments.
    fn arguments(&self) -> Vec<usize>;

    /// Writes the value to `out` and gives the derivative at that point, which keeps what it needs of the point.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] for arguments outside their
    /// range; what evaluating the map reports.
    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError>;

    /// Writes the value only.
    ///
    /// # Errors
    /// Those of [`ParametricMap::linearise`].
    fn value(&self, at: Point<'_>, out: &mut [f64]) -> Result<(), LinalgError> {
        self.linearise(at, out).map(drop)
    }
}

/// The derivative of a map at a point, by products with it. Results are overwritten.
pub trait Derivative: Sync {
    /// `out ← ∂y/∂x·w`.
    ///
    /// # Errors
    /// What evaluating the map reports.
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError>;

    /// `out ← (∂y/∂x)ᵀ·v`.
    ///
    /// # Errors
    /// What evaluating the map reports.
    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError>;

    /// `out ← Σ ∂y/∂θₖ·wₖ`.
    ///
    /// # Errors
    /// What evaluating the map reports.
    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError>;

    /// `outₖ ← (∂y/∂θₖ)ᵀ·v` for all arguments.
    ///
    /// # Errors
    /// What evaluating the map reports.
    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError>;
}

/// A map that is the proximal operator of a function g, argmin_y ½‖y − x‖² + g(y, θ); projections are those of
/// indicator functions, which no factor changes.
pub trait Proximal: ParametricMap + Sized {
    /// The proximal operator of `step`·g.
    #[must_use]
    fn scaled(self, step: f64) -> Self {
        let _ = step;
        self
    }
}

/// References and boxes to maps are maps.
macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<M: ParametricMap + ?Sized> ParametricMap for $pointer {
            fn unknowns(&self) -> usize {
                (**self).unknowns()
            }

            fn outputs(&self) -> usize {
                (**self).outputs()
            }

            fn arguments(&self) -> Vec<usize> {
                (**self).arguments()
            }

            fn linearise<'a>(
                &'a self,
                at: Point<'_>,
                out: &mut [f64],
            ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
                (**self).linearise(at, out)
            }

            fn value(&self, at: Point<'_>, out: &mut [f64]) -> Result<(), LinalgError> {
                (**self).value(at, out)
            }
        }
    )*};
}

through_pointer!(&M, Box<M>);

/// Refuses a point that does not fit the map: what a map of one's own does first. Arguments may be infinite (bounds),
/// never NaN.
///
/// # Errors
/// [`LinalgError::Shape`], [`LinalgError::NotFinite`].
pub fn check(
    map: &(impl ParametricMap + ?Sized),
    at: Point<'_>,
    out: &[f64],
) -> Result<(), LinalgError> {
    shape("unknowns", map.unknowns(), at.x.len())?;
    shape("outputs", map.outputs(), out.len())?;
    check_lengths(
        "arguments",
        &map.arguments(),
        at.args.iter().map(|a| a.len()),
    )?;
    finite("unknowns", at.x)?;
    for arg in at.args {
        if let Some(index) = arg.iter().position(|v| v.is_nan()) {
            return Err(LinalgError::NotFinite {
                what: "argument",
                index,
                value: arg[index],
            });
        }
    }
    Ok(())
}

/// Refuses a list of arrays of other lengths.
pub(crate) fn check_lengths(
    what: &'static str,
    expected: &[usize],
    got: impl ExactSizeIterator<Item = usize>,
) -> Result<(), LinalgError> {
    shape(what, expected.len(), got.len())?;
    for (expected, got) in expected.iter().zip(got) {
        shape("elements of an argument", *expected, got)?;
    }
    Ok(())
}

/// Σ aᵢbᵢ.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `y ← y + c·M·x`, M row by row.
fn add_product(c: f64, m: &[f64], x: &[f64], y: &mut [f64]) {
    if x.is_empty() {
        return;
    }
    for (row, y) in m.chunks_exact(x.len()).zip(y) {
        *y += c * dot(row, x);
    }
}

/// `y ← y + c·Mᵀ·x`.
fn add_transposed(c: f64, m: &[f64], x: &[f64], y: &mut [f64]) {
    if y.is_empty() {
        return;
    }
    for (row, x) in m.chunks_exact(y.len()).zip(x) {
        for (y, m) in y.iter_mut().zip(row) {
            *y += c * x * m;
        }
    }
}

/// `M ← M + c·a·bᵀ`.
fn add_outer(c: f64, a: &[f64], b: &[f64], m: &mut [f64]) {
    if b.is_empty() {
        return;
    }
    for (row, a) in m.chunks_exact_mut(b.len()).zip(a) {
        for (m, b) in row.iter_mut().zip(b) {
            *m += c * a * b;
        }
    }
}
