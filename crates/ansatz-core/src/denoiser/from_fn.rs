//! Closures as models.

use std::marker::PhantomData;

use super::Denoiser;
use crate::{EvalError, NoiseLevel, Prediction, State};

/// A closure with the kind of its prediction; made by [`from_fn`].
pub struct FromFn<S, F> {
    native: Prediction,
    f: F,
    state: PhantomData<fn(&S)>,
}

/// Makes a [`Denoiser`] of a closure `(x, level, out) -> Result<(), EvalError>`.
///
/// ```
/// use ansatz_core::{Denoiser, NoiseLevel, Prediction, denoiser};
/// // Data N(0, 1): the posterior mean is α·x / (α² + σ²).
/// let model = denoiser::from_fn(Prediction::Data, |x: &Vec<f64>, at: &NoiseLevel, out| {
///     let c = at.alpha / (at.alpha.powi(2) + at.sigma.powi(2));
///     for (o, x) in out.iter_mut().zip(x) {
///         *o = c * x;
///     }
///     Ok(())
/// });
/// let mut noise = vec![0.0];
/// model.eval_as(Prediction::Noise, &vec![2.0], &NoiseLevel::new(0.5, 0.8, 0.6), &mut noise)?;
/// assert!((noise[0] - 1.2).abs() < 1e-15); // ε = σ·x here
/// # Ok::<(), ansatz_core::EvalError>(())
/// ```
pub fn from_fn<S: State, F>(native: Prediction, f: F) -> FromFn<S, F>
where
    F: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
{
    FromFn {
        native,
        f,
        state: PhantomData,
    }
}

impl<S: State, F> Denoiser<S> for FromFn<S, F>
where
    F: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
{
    fn native(&self) -> Prediction {
        self.native
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        (self.f)(x, at, out)
    }
}
