//! The same process in the other calculus.

use std::sync::{Mutex, PoisonError};

use ansatz_core::denoiser::Scratch;
use ansatz_core::{
    ControlField, EvalError, HostState, NoiseKind, Sde, VectorField, VjpControlField,
};

use super::Calculus;
use super::diagonal::ones;
use crate::StepError;

/// An equation with diagonal noise whose solutions in the other calculus are those of `equation` in its own: an Itô
/// drift f becomes f − ½g'g, a Stratonovich drift f + ½g'g.
///
/// Cost: one more application of G and one product with its derivative for each evaluation of the drift.
///
/// Source: P. Kloeden, E. Platen, *Numerical solution of stochastic differential equations*, 1992, section 4.9.
pub struct Converted<'a, S, E: ?Sized> {
    equation: &'a E,
    factor: f64,
    ones: S,
    pool: Scratch<S>,
    /// Derivatives by parameters, which nobody needs.
    unused: Mutex<Vec<f64>>,
}

impl<'a, S, E> Converted<'a, S, E>
where
    S: HostState,
    E: Sde<S> + VjpControlField<S> + ?Sized,
{
    /// Reads `equation`, whose states are like `like`, in the calculus that `to` is not.
    ///
    /// # Errors
    /// [`StepError::Noise`] unless the noise is diagonal or additive.
    pub fn new(equation: &'a E, to: Calculus, like: &S) -> Result<Self, StepError> {
        let factor = match (equation.noise(), to) {
            (NoiseKind::Additive, _) => 0.0,
            (NoiseKind::Diagonal, Calculus::Stratonovich) => -0.5,
            (NoiseKind::Diagonal, Calculus::Ito) => 0.5,
            (kind, _) => {
                return Err(StepError::Noise {
                    method: "conversion between calculi",
                    kind,
                    needs: "diagonal noise",
                });
            }
        };
        Ok(Self {
            equation,
            factor,
            ones: ones(like),
            pool: Scratch::default(),
            unused: Mutex::new(vec![0.0; equation.control_params()]),
        })
    }
}

impl<S, E> VectorField<S> for Converted<'_, S, E>
where
    S: HostState,
    E: Sde<S> + VjpControlField<S> + ?Sized,
{
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        self.equation.eval(t, x, dx)?;
        if self.factor == 0.0 {
            return Ok(());
        }
        self.pool.with(x, |g| {
            self.equation.apply(t, x, &self.ones, g)?;
            self.pool.with(x, |product| {
                self.pool.with(x, |control| {
                    let mut unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
                    self.equation
                        .control_vjp(t, x, &self.ones, g, product, control, &mut unused)
                })?;
                dx.lincomb(1.0, &[(self.factor, product)]);
                Ok(())
            })
        })
    }
}

impl<S, E> ControlField<S> for Converted<'_, S, E>
where
    S: HostState,
    E: Sde<S> + VjpControlField<S> + ?Sized,
{
    fn apply(&self, t: f64, x: &S, u: &S, out: &mut S) -> Result<(), EvalError> {
        self.equation.apply(t, x, u, out)
    }
}

impl<S, E> Sde<S> for Converted<'_, S, E>
where
    S: HostState,
    E: Sde<S> + VjpControlField<S> + ?Sized,
{
    fn noise(&self) -> NoiseKind {
        self.equation.noise()
    }
}
