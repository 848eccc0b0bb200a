//! Thresholds that follow the data of each sample.

use std::sync::{Mutex, PoisonError};

use super::{Denoiser, sample_len};
use crate::{EvalError, HostState, NoiseLevel, Prediction, Scalar};

/// Dynamic thresholding: with s the `quantile` of |x̂₀| within a sample, a sample with s > `limit` is
/// clipped to ±s and scaled to ±`limit`; others are clipped to ±`limit`.
///
/// It keeps strong guidance from saturating pixels. It predicts [`Prediction::Data`]; meant for
/// pixels, not for latents. Cost: a selection per sample, linear in its length.
///
/// Reference: C. Saharia et al., *Photorealistic text-to-image diffusion models with deep language
/// understanding*, 2022, section 2.3 (quantile 0.995, limit 1).
#[derive(Debug)]
pub struct DynamicThreshold<D> {
    inner: D,
    quantile: f64,
    limit: f64,
    samples: usize,
    /// Magnitudes of one sample, for the selection.
    scratch: Mutex<Vec<Vec<f64>>>,
}

impl<D> DynamicThreshold<D> {
    /// With the quantile (0.995 is usual) and the limit of the data's range (usually 1), for batches
    /// of `samples` samples.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for a quantile outside (0, 1] or a limit that is not positive.
    pub fn new(inner: D, quantile: f64, limit: f64, samples: usize) -> Result<Self, EvalError> {
        let checks = [
            ("quantile", quantile, 1.0, quantile > 0.0 && quantile <= 1.0),
            ("limit", limit, f64::MAX, limit > 0.0 && limit.is_finite()),
        ];
        for (what, value, max, good) in checks {
            if !good {
                let min = f64::MIN_POSITIVE;
                return Err(EvalError::OutOfRange {
                    what,
                    value,
                    min,
                    max,
                });
            }
        }
        Ok(Self {
            inner,
            quantile,
            limit,
            samples,
            scratch: Mutex::default(),
        })
    }
}

impl<S: HostState, D: Denoiser<S>> Denoiser<S> for DynamicThreshold<D> {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let size = sample_len(x.len(), self.samples)?;
        self.inner.eval_as(Prediction::Data, x, at, out)?;
        let pool = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut magnitudes = pool().pop().unwrap_or_default();
        for row in out.as_mut_slice().chunks_exact_mut(size) {
            magnitudes.clear();
            magnitudes.extend(row.iter().map(|v| v.f64().abs()));
            let s = quantile(&mut magnitudes, self.quantile).max(self.limit);
            // Deviation: published programs divide by s whatever the limit, which only for a limit
            // of 1 keeps estimates inside the limit as they are.
            let factor = self.limit / s;
            for v in row {
                // `max` and `min` would turn NaN into a number and hide a broken model.
                let clipped = if v.f64().abs() > s {
                    s.copysign(v.f64())
                } else {
                    v.f64()
                };
                *v = S::Scalar::of(factor * clipped);
            }
        }
        pool().push(magnitudes);
        Ok(())
    }
}

/// Quantile with linear interpolation between order statistics. NaN counts as the largest number.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    let position = q * (values.len() - 1) as f64;
    let (low, weight) = (position.floor() as usize, position.fract());
    let (_, below, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    let below = *below;
    if weight == 0.0 {
        return below;
    }
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    below + weight * (next - below)
}
