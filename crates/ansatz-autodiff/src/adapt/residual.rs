//! Residuals of equations.

use ansatz_core::{EvalError, Residual};

use super::Signature;
use super::map::Map;
use crate::{Array, AutodiffError, Element};

/// A map r(u; p) from unknowns to residuals with its products, traced and compiled.
///
/// ```
/// use ansatz_autodiff::{ProgramResidual, Signature, core::Residual};
/// // The circle and the line: u₀² + u₁² = p, u₀ = u₁.
/// let signature = Signature { state: &[2], parameters: &[&[1]], ..Signature::default() };
/// let residual = ProgramResidual::<f64>::new(&signature, vec![2.0], |u, p| {
///     let circle = u.square().sum().reshape(&[1]) - p[0];
///     let line = u.narrow(0, 0, 1) - u.narrow(0, 1, 2);
///     ansatz_autodiff::Array::concatenate(&[circle, line], 0)
/// })?;
/// let mut r = [9.0; 2];
/// residual.eval(&[1.0, 1.0], &mut r)?;
/// assert_eq!(r, [0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProgramResidual<T>(Map<T>);

impl<T: Element> ProgramResidual<T> {
    /// Traces r(u, parameters), with `values` for the parameters, one after the other.
    ///
    /// # Errors
    /// [`AutodiffError::Length`] when `values` do not fit the shapes, and those of
    /// [`Program::compile`](crate::Program::compile).
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn new<F>(signature: &Signature<'_>, values: Vec<T>, f: F) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, &[Array<'g>]) -> Array<'g>,
    {
        Map::new(signature, 0, None, values, &|_, u, p| f(u, p)).map(Self)
    }

    /// The parameters, one after the other.
    #[must_use]
    pub fn parameters(&self) -> &[T] {
        &self.0.parameters
    }

    /// The parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.0.parameters
    }
}

impl<T: Element> Residual<T> for ProgramResidual<T> {
    fn unknowns(&self) -> usize {
        self.0.from
    }

    fn residuals(&self) -> usize {
        self.0.to
    }

    fn eval(&self, u: &[T], r: &mut [T]) -> Result<(), EvalError> {
        self.0.eval(&[], u, r)
    }

    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T]) -> Result<(), EvalError> {
        self.0.jvp(&[], u, v, jv)
    }

    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T]) -> Result<(), EvalError> {
        self.0.vjp(&[], u, w, jtw, |_| {})
    }
}
