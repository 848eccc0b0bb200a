//! Vector fields.

use ansatz_core::{EvalError, HostState, JvpField, VectorField, VjpField};

use super::Signature;
use super::map::Map;
use crate::{Array, AutodiffError, Element};

/// The right-hand side of dx/dt = f(t, x; p), traced and compiled with the products that implicit and adjoint methods need.
///
/// The time is rounded to the type of the state. An evaluation allocates nothing after the first one (up to some thirty
/// parameters; small lists beyond).
///
/// ```
/// use ansatz_autodiff::{ProgramField, Signature, core::VectorField};
/// // A pendulum with friction: x = (angle, speed), p = friction.
/// let signature = Signature { state: &[2], parameters: &[&[1]], ..Signature::default() };
/// let field = ProgramField::<f64>::new(&signature, vec![0.1], |_, x, p| {
///     let (angle, speed) = (x.narrow(0, 0, 1), x.narrow(0, 1, 2));
///     ansatz_autodiff::Array::concatenate(&[speed, -angle.sin() - speed * p[0]], 0)
/// })?;
/// let mut dx = vec![0.0; 2];
/// field.eval(0.0, &vec![0.5, 1.0], &mut dx)?;
/// assert!((dx[1] + 0.5_f64.sin() + 0.1).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProgramField<T>(Map<T>);

impl<T: Element> ProgramField<T> {
    /// Traces f(t, x, parameters), with `values` for the parameters, one after the other.
    ///
    /// # Errors
    /// [`AutodiffError::Length`] when `values` do not fit the shapes, [`AutodiffError::Shape`] when f has another shape than
    /// x, and those of [`Program::compile`](crate::Program::compile).
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn new<F>(signature: &Signature<'_>, values: Vec<T>, f: F) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, Array<'g>, &[Array<'g>]) -> Array<'g>,
    {
        let traced = Map::new(signature, 1, Some(signature.state), values, &|t, x, p| {
            f(t[0], x, p)
        });
        traced.map(Self)
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

impl<T: Element, S: HostState<Scalar = T>> VectorField<S> for ProgramField<T> {
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        self.0.eval(&[T::of(t)], x.as_slice(), dx.as_mut_slice())
    }
}

impl<T: Element, S: HostState<Scalar = T>> JvpField<S> for ProgramField<T> {
    fn jvp(&self, t: f64, x: &S, v: &S, out: &mut S) -> Result<(), EvalError> {
        let out = out.as_mut_slice();
        self.0.jvp(&[T::of(t)], x.as_slice(), v.as_slice(), out)
    }
}

impl<T: Element, S: HostState<Scalar = T>> VjpField<S> for ProgramField<T> {
    fn params(&self) -> usize {
        self.0.parameters.len()
    }

    fn vjp(&self, t: f64, x: &S, w: &S, x_bar: &mut S, p_bar: &mut [f64]) -> Result<(), EvalError> {
        let at = (x.as_slice(), w.as_slice());
        let x_bar = x_bar.as_mut_slice();
        self.0.vjp_into(&[T::of(t)], at, x_bar, p_bar)
    }
}
