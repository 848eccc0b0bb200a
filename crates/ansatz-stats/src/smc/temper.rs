//! The next temperature of an annealed sequence, by the weights that it would give.

use ansatz_core::HostState;

use super::Particles;
use super::check;
use crate::WeightError;

/// What the next step of an annealed sequence must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Criterion {
    /// The conditional effective sample size `n(ΣWᵢvᵢ)²/ΣWᵢvᵢ²` of increments v under the present weights W: how
    /// good the next target is as seen from this one, whether or not particles were resampled.
    #[default]
    Conditional,
    /// The effective sample size of the weights after the step; below it one resamples.
    Effective,
}

/// Bisections of the interval: to the last bit of a temperature.
const BISECTIONS: usize = 60;

impl<S: HostState> Particles<S> {
    /// The temperature in (`from`, 1] at which the criterion has fallen to `fraction` of the particles, or 1 if
    /// it does not fall so far.
    ///
    /// Targets are `p₀(x)·exp(τ·u(x))`, and `exponents` holds u of each particle (log likelihood for tempering from
    /// a prior to a posterior; −∞ is allowed). The increments to give to [`Particles::reweight`] are then
    /// `(next − from)·u`. The conditional size falls with the temperature, so that there is one answer; the
    /// effective size does where weights are equal.
    ///
    /// Cost: 60 passes over the particles, two exponentials each; nothing allocated.
    ///
    /// References: Y. Zhou, A. Johansen, J. Aston, *Toward automatic model comparison: an adaptive sequential Monte
    /// Carlo approach*, 2016 (conditional); A. Jasra, D. Stephens, A. Doucet, T. Tsagaris, *Inference for Lévy-driven
    /// stochastic volatility models via adaptive sequential Monte Carlo*, 2011 (effective).
    ///
    /// # Errors
    /// [`WeightError::Option`] unless `from` lies in [0, 1) and `fraction` in (0, 1); [`WeightError`] for
    /// exponents of another number, NaN or +∞, or that leave no weight, and when the effective size is below
    /// the fraction already: resample first.
    ///
    /// ```
    /// use ansatz_stats::{Criterion, Particles};
    /// let particles = Particles::new(vec![0.0, 1.0, 2.0, 3.0], 4)?;
    /// let u = [-9.0, -4.0, -1.0, 0.0];
    /// let tau = particles.next_temperature(&u, 0.0, 0.5, Criterion::Effective)?;
    /// let w = u.map(|u| tau * u);
    /// assert!((ansatz_stats::effective_sample_size(&w)? - 2.0).abs() < 1e-9);
    /// # Ok::<(), ansatz_stats::WeightError>(())
    /// ```
    pub fn next_temperature(
        &self,
        exponents: &[f64],
        from: f64,
        fraction: f64,
        criterion: Criterion,
    ) -> Result<f64, WeightError> {
        check("exponents", self.count(), exponents.len())?;
        let option = |name, value, allowed| {
            Err(WeightError::Option {
                name,
                value,
                allowed,
            })
        };
        if !(0.0..1.0).contains(&from) {
            return option("from", from, "a number in [0, 1)");
        }
        if !(fraction > 0.0 && fraction < 1.0) {
            return option("fraction", fraction, "a number in (0, 1)");
        }
        for (index, u) in exponents.iter().enumerate() {
            match *u {
                u if u.is_nan() => return Err(WeightError::NotANumber { index }),
                f64::INFINITY => return Err(WeightError::Infinite { index }),
                _ => {}
            }
        }
        let least = fraction * self.count() as f64;
        let kept = |step: f64| self.size(exponents, step, criterion);
        if criterion == Criterion::Effective {
            let size = self.effective_sample_size()?;
            if size < least {
                let allowed =
                    "at most the effective sample size over the particles: resample first";
                return option("fraction", fraction, allowed);
            }
        }
        let whole = 1.0 - from;
        if kept(whole)? >= least {
            return Ok(1.0);
        }
        let (mut low, mut high) = (0.0, whole);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if kept(middle)? >= least {
                low = middle;
            } else {
                high = middle;
            }
        }
        // Where any step is too long the temperature still moves on.
        Ok((from + high).max(from.next_up()))
    }

    /// The size that a step of this length leaves.
    fn size(&self, exponents: &[f64], step: f64, criterion: Criterion) -> Result<f64, WeightError> {
        let pairs = || self.log_weights().iter().zip(exponents);
        let top = pairs().fold(f64::NEG_INFINITY, |top, (w, u)| top.max(w + step * u));
        let base = self
            .log_weights()
            .iter()
            .fold(f64::NEG_INFINITY, |b, w| b.max(*w));
        if top == f64::NEG_INFINITY {
            return Err(WeightError::AllZero {
                count: self.count(),
            });
        }
        let (mut sum, mut squares, mut weights) = (0.0, 0.0, 0.0);
        for (w, u) in pairs() {
            let (before, after) = ((w - base).exp(), (w + step * u - top).exp());
            sum += after;
            match criterion {
                Criterion::Effective => squares += after * after,
                // W·v² = (W·v)²/W; a particle without weight has no part.
                Criterion::Conditional if before > 0.0 => squares += after * after / before,
                Criterion::Conditional => {}
            }
            weights += before;
        }
        Ok(match criterion {
            Criterion::Effective => sum * sum / squares,
            Criterion::Conditional => self.count() as f64 * sum * sum / (squares * weights),
        })
    }
}
