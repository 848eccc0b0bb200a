//! Classifier-free guidance without its growth of contrast.

use super::{Denoiser, Guided, Scratch, sample_len};
use crate::{EvalError, HostState, NoiseLevel, Prediction, Scalar};

/// Guidance whose estimate of the data is rescaled, per sample, towards the standard deviation of the
/// conditional one: `x̂₀ ← (φ·std(x̂₀_c)/std(x̂₀) + 1 − φ)·x̂₀`.
///
/// φ = 0 is [`Guided`]; φ = 1 restores the conditional deviation fully; 0.7 is the paper's choice. It
/// predicts [`Prediction::Data`]. Cost: both models and two passes over the state.
///
/// Reference: S. Lin et al., *Common diffusion noise schedules and sample steps are flawed*, 2024,
/// section 3.4 (there on the model's own output; here always on the data).
pub struct Rescaled<S, C, U> {
    guided: Guided<S, C, U>,
    phi: f64,
    samples: usize,
    scratch: Scratch<S>,
}

impl<S: HostState, C: Denoiser<S>, U: Denoiser<S>> Rescaled<S, C, U> {
    /// Wraps guidance for batches of `samples` samples.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless 0 ≤ φ ≤ 1.
    pub fn new(guided: Guided<S, C, U>, phi: f64, samples: usize) -> Result<Self, EvalError> {
        if !(0.0..=1.0).contains(&phi) {
            return Err(EvalError::OutOfRange {
                what: "phi",
                value: phi,
                min: 0.0,
                max: 1.0,
            });
        }
        Ok(Self {
            guided,
            phi,
            samples,
            scratch: Scratch::default(),
        })
    }
}

impl<S: HostState, C: Denoiser<S>, U: Denoiser<S>> Denoiser<S> for Rescaled<S, C, U> {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let size = sample_len(x.len(), self.samples)?;
        self.scratch.with(x, |conditional| {
            self.guided
                .eval_both(Prediction::Data, x, at, conditional, out)?;
            let rows = conditional.as_slice().chunks_exact(size);
            for (row, conditional) in out.as_mut_slice().chunks_exact_mut(size).zip(rows) {
                let (got, wanted) = (deviation(row), deviation(conditional));
                // A constant estimate has no deviation to rescale.
                if got > 0.0 {
                    let factor = self.phi * wanted / got + 1.0 - self.phi;
                    for v in row {
                        *v = S::Scalar::of(factor * v.f64());
                    }
                }
            }
            Ok(())
        })
    }
}

/// Standard deviation of the elements; NaN if one of them is.
fn deviation<T: Scalar>(x: &[T]) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| v.f64()).sum::<f64>() / n;
    let square = x.iter().map(|v| (v.f64() - mean).powi(2)).sum::<f64>();
    (square / n).sqrt()
}
