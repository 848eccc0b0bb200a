//! Keeping the denoised estimate inside the range of the data.

use num_traits::Float;

use super::Denoiser;
use crate::{EvalError, HostState, NoiseLevel, Prediction, Scalar};

/// A model whose estimate of the data is clipped to `[-limit, limit]` elementwise.
///
/// It predicts [`Prediction::Data`]; noise asked of it is recomputed from the clipped estimate.
///
/// Reference: J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, 2020.
#[derive(Debug)]
pub struct Clamped<D> {
    inner: D,
    limit: f64,
}

impl<D> Clamped<D> {
    /// Clips at ±`limit`.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless `limit` is positive.
    pub fn new(inner: D, limit: f64) -> Result<Self, EvalError> {
        if limit > 0.0 {
            Ok(Self { inner, limit })
        } else {
            Err(EvalError::OutOfRange {
                what: "limit",
                value: limit,
                min: f64::MIN_POSITIVE,
                max: f64::INFINITY,
            })
        }
    }
}

impl<S: HostState, D: Denoiser<S>> Denoiser<S> for Clamped<D> {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        self.inner.eval_as(Prediction::Data, x, at, out)?;
        let limit = S::Scalar::of(self.limit);
        for v in out.as_mut_slice() {
            // `max` and `min` would turn NaN into a number and hide a broken model.
            if v.abs() > limit {
                *v = limit.copysign(*v);
            }
        }
        Ok(())
    }
}
