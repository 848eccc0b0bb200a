//! Nonlinear maps: residuals of equations, vector fields in time, scalar fields in space.

use crate::{EvalError, Scalar, State};

/// A differentiable map r(u) from unknowns to residuals: what Newton and Gauss-Newton methods,
/// implicit differentiation and physics-informed losses are written on.
pub trait Residual<T: Scalar>: Sync {
    /// Length of u.
    fn unknowns(&self) -> usize;

    /// Length of r.
    fn residuals(&self) -> usize;

    /// `r ← r(u)`.
    ///
    /// # Errors
    /// Whatever the equation reports.
    fn eval(&self, u: &[T], r: &mut [T]) -> Result<(), EvalError>;

    /// `jv ← J(u)·v`.
    ///
    /// # Errors
    /// Whatever the equation reports.
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T]) -> Result<(), EvalError>;

    /// `jtw ← J(u)ᵀ·w`.
    ///
    /// # Errors
    /// Whatever the equation reports.
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T]) -> Result<(), EvalError>;
}

/// The right-hand side of dx/dt = f(t, x). Closures qualify.
pub trait VectorField<S: State>: Sync {
    /// `dx ← f(t, x)`.
    ///
    /// # Errors
    /// Whatever the field reports.
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError>;
}

impl<S: State, F> VectorField<S> for F
where
    F: Fn(f64, &S, &mut S) -> Result<(), EvalError> + Sync,
{
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        self(t, x, dx)
    }
}

/// A vector field with the product that implicit methods and forward sensitivities need.
pub trait JvpField<S: State>: VectorField<S> {
    /// `out ← (∂f/∂x)·v`.
    ///
    /// # Errors
    /// Whatever the field reports.
    fn jvp(&self, t: f64, x: &S, v: &S, out: &mut S) -> Result<(), EvalError>;
}

/// A vector field with the products that adjoint methods need.
pub trait VjpField<S: State>: VectorField<S> {
    /// Number of parameters.
    fn params(&self) -> usize;

    /// `x_bar ← (∂f/∂x)ᵀ·w` and `p_bar += (∂f/∂p)ᵀ·w`.
    ///
    /// # Errors
    /// Whatever the field reports.
    fn vjp(&self, t: f64, x: &S, w: &S, x_bar: &mut S, p_bar: &mut [f64]) -> Result<(), EvalError>;
}

/// A map G(t, x)·u, linear in u: the field of a controlled equation dx = G(t, x) dX(t), and the
/// diffusion of dx = f(t, x) dt + G(t, x) dW. Closures qualify.
///
/// `U` holds increments of the control; its length may differ from that of the state.
pub trait ControlField<S: State, U: State = S>: Sync {
    /// `out ← G(t, x)·u`.
    ///
    /// # Errors
    /// Whatever the field reports.
    fn apply(&self, t: f64, x: &S, u: &U, out: &mut S) -> Result<(), EvalError>;
}

impl<S: State, U: State, F> ControlField<S, U> for F
where
    F: Fn(f64, &S, &U, &mut S) -> Result<(), EvalError> + Sync,
{
    fn apply(&self, t: f64, x: &S, u: &U, out: &mut S) -> Result<(), EvalError> {
        self(t, x, u, out)
    }
}

/// A control field with the products that adjoint methods need.
pub trait VjpControlField<S: State, U: State = S>: ControlField<S, U> {
    /// Number of parameters. A type that is a [`VjpField`] as well has one list of them for both.
    fn control_params(&self) -> usize;

    /// With y = G(t, x)·u: `x_bar ← (∂y/∂x)ᵀ·w`, `u_bar ← G(t, x)ᵀ·w` and
    /// `p_bar += (∂y/∂p)ᵀ·w`.
    ///
    /// # Errors
    /// Whatever the field reports.
    // One argument per quantity of the formula.
    #[allow(clippy::too_many_arguments)]
    fn control_vjp(
        &self,
        t: f64,
        x: &S,
        u: &U,
        w: &S,
        x_bar: &mut S,
        u_bar: &mut U,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError>;
}

/// What a solver may assume about the diffusion G(t, x) of a stochastic equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoiseKind {
    /// G does not depend on x.
    Additive,
    /// G is diagonal, and entry i depends on xᵢ alone (and on t).
    Diagonal,
    /// The columns of G commute: Σₖ ∂ₖGᵢₐ·Gₖᵦ is symmetric in a and b. Scalar noise is an example.
    Commutative,
    /// Nothing.
    General,
}

/// A stochastic differential equation dx = f(t, x) dt + G(t, x) dW: the drift f is the
/// [`VectorField`], the diffusion G the [`ControlField`]. Itô or Stratonovich is said by the solver.
pub trait Sde<S: State, W: State = S>: VectorField<S> + ControlField<S, W> {
    /// What solvers may assume.
    fn noise(&self) -> NoiseKind;
}

/// A scalar field on ℝ³, evaluated in batches: neural fields are fast only in batches.
///
/// # Panics
/// `eval` may panic when `points` and `values` differ in length.
pub trait ScalarField<T: Scalar>: Sync {
    /// `values[i] ← f(points[i])`.
    fn eval(&self, points: &[[T; 3]], values: &mut [T]);
}

/// Closures of one point are fields.
impl<T: Scalar, F: Fn([T; 3]) -> T + Sync> ScalarField<T> for F {
    fn eval(&self, points: &[[T; 3]], values: &mut [T]) {
        assert_eq!(points.len(), values.len(), "one value per point");
        for (v, p) in values.iter_mut().zip(points) {
            *v = self(*p);
        }
    }
}

/// A scalar field that also knows its gradient.
pub trait DifferentiableField<T: Scalar>: ScalarField<T> {
    /// Values and gradients together, since they share most of the work.
    fn eval_gradient(&self, points: &[[T; 3]], values: &mut [T], gradients: &mut [[T; 3]]);
}
