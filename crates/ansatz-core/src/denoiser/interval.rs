//! One model at some noise levels and another at the rest.

use std::ops::RangeInclusive;

use super::Denoiser;
use crate::{EvalError, NoiseLevel, Prediction, State};

/// `inside` where ρ = σ/α lies in an interval, `outside` elsewhere.
///
/// With [`Guided`](super::Guided) inside and its conditional model outside, guidance acts at medium
/// noise only: samples are better and the unconditional model is not called elsewhere.
///
/// Reference: T. Kynkäänniemi et al., *Applying guidance in a limited interval improves sample and
/// distribution quality in diffusion models*, 2024.
#[derive(Debug)]
pub struct OnInterval<I, O> {
    inside: I,
    outside: O,
    interval: RangeInclusive<f64>,
}

impl<I, O> OnInterval<I, O> {
    /// Both models and the interval of ρ; an interval that ends before it begins is empty.
    ///
    /// # Errors
    /// [`EvalError::NonFinite`] for an end that is NaN.
    pub fn new(inside: I, outside: O, interval: RangeInclusive<f64>) -> Result<Self, EvalError> {
        if interval.start().is_nan() || interval.end().is_nan() {
            return Err(EvalError::NonFinite { what: "interval" });
        }
        Ok(Self {
            inside,
            outside,
            interval,
        })
    }
}

impl<S: State, I: Denoiser<S>, O: Denoiser<S>> Denoiser<S> for OnInterval<I, O> {
    fn native(&self) -> Prediction {
        self.inside.native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        if self.interval.contains(&at.rho()) {
            self.inside.eval(x, at, out)
        } else {
            self.outside.eval_as(self.inside.native(), x, at, out)
        }
    }
}
