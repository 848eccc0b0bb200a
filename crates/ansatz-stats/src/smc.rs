//! Sequential Monte Carlo: a population that follows a sequence of targets.
//!
//! n particles xᵢ with log-weights log wᵢ stand for the distribution Σ Wᵢ δ(xᵢ), W normalised. Going from one
//! target to the next multiplies weights by an increment ([`Particles::reweight`]); where few particles
//! carry the weight they are resampled ([`Particles::resample_below`]), and between targets the caller
//! moves them by any kernel ([`Particles::state_mut`]). The product over all steps of the mean
//! increments, `Z = ∏ Σᵢ Wᵢ·exp(increment)ᵢ`, is an unbiased estimate of the ratio of the last
//! normalising constant to the first ([`Particles::log_normaliser`] is its logarithm).
//!
//! Cost: O(n) a step and one copy of the population at a resampling; two populations of memory,
//! nothing allocated after [`Particles::new`].
//!
//! Use it for filtering, for annealing from a simple distribution to a posterior, and for correcting
//! an approximate sampler by weights. With few particles or long sequences look at
//! [`Particles::origins`]: when all descend from few, estimates of early times are poor.
//!
//! References: P. Del Moral, A. Doucet, A. Jasra, *Sequential Monte Carlo samplers*, 2006; N. Gordon,
//! D. Salmond, A. Smith, *Novel approach to nonlinear/non-Gaussian Bayesian state estimation*, 1993.

mod temper;

use ansatz_core::{HostState, Key};

pub use temper::Criterion;

use crate::{Resampler, WeightError, effective_sample_size, log_mean_exp, log_sum_exp};

/// Weighted particles: a flat state of n rows, one weight each.
///
/// ```
/// use ansatz_core::{Key, State};
/// use ansatz_stats::{Particles, Resampler};
/// // N(0, 1) becomes N(0, 1)·exp(-x), whose integral is exp(1/2) and whose mean is -1.
/// let mut x = vec![0.0; 40_000];
/// x.fill_normal(Key::new(3), 0);
/// let increments: Vec<f64> = x.iter().map(|x| -x).collect();
/// let mut particles = Particles::new(x, 40_000)?;
/// particles.reweight(&increments)?;
/// assert!((particles.log_normaliser()? - 0.5).abs() < 0.04);
/// assert!((particles.mean(|row| row[0])? + 1.0).abs() < 0.05);
/// particles.resample_below(0.5, Resampler::Systematic, Key::new(4), 0)?;
/// assert_eq!(particles.effective_sample_size()?, 40_000.0);
/// # Ok::<(), ansatz_stats::WeightError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Particles<S> {
    state: S,
    /// Where a resampled population is written.
    spare: S,
    log_weights: Vec<f64>,
    ancestors: Vec<usize>,
    origins: Vec<usize>,
    spare_origins: Vec<usize>,
    /// Of everything before the last resampling.
    log_normaliser: f64,
    resamplings: usize,
}

impl<S: HostState> Particles<S> {
    /// `count` equal particles, the rows of `state`.
    ///
    /// # Errors
    /// [`WeightError::Empty`] for no particle, [`WeightError::Length`] unless rows are whole.
    pub fn new(state: S, count: usize) -> Result<Self, WeightError> {
        if count == 0 {
            return Err(WeightError::Empty);
        }
        let dim = (state.len() / count).max(1);
        check(
            "state (particles times their length)",
            dim * count,
            state.len(),
        )?;
        Ok(Self {
            spare: state.zeros_like(),
            state,
            log_weights: vec![0.0; count],
            ancestors: (0..count).collect(),
            origins: (0..count).collect(),
            spare_origins: vec![0; count],
            log_normaliser: 0.0,
            resamplings: 0,
        })
    }

    /// Number of particles.
    #[must_use]
    pub fn count(&self) -> usize {
        self.log_weights.len()
    }

    /// The particles, row by row.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The particles, to be moved. Weights are not changed by a move.
    ///
    /// A state of another length breaks the contract: the next resampling then panics.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    /// Log-weights since the last resampling, not normalised.
    #[must_use]
    pub fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// Before the last resampling, the index of each particle; 0, 1, 2, … when there was none.
    #[must_use]
    pub fn ancestors(&self) -> &[usize] {
        &self.ancestors
    }

    /// The particle of the first population that each descends from.
    #[must_use]
    pub fn origins(&self) -> &[usize] {
        &self.origins
    }

    /// How often the population was resampled.
    #[must_use]
    pub fn resamplings(&self) -> usize {
        self.resamplings
    }

    /// Multiplies weights by `exp(increments)`.
    ///
    /// # Errors
    /// [`WeightError`] when an increment is NaN or +∞, or leaves no weight; weights are then
    /// unchanged.
    pub fn reweight(&mut self, increments: &[f64]) -> Result<(), WeightError> {
        check("increments", self.count(), increments.len())?;
        let mut any = false;
        for (index, (w, d)) in self.log_weights.iter().zip(increments).enumerate() {
            match w + d {
                s if s.is_nan() => return Err(WeightError::NotANumber { index }),
                f64::INFINITY => return Err(WeightError::Infinite { index }),
                s => any |= s > f64::NEG_INFINITY,
            }
        }
        if !any {
            return Err(WeightError::AllZero {
                count: self.count(),
            });
        }
        for (w, d) in self.log_weights.iter_mut().zip(increments) {
            *w += d;
        }
        Ok(())
    }

    /// How many equal particles are worth as much; see [`effective_sample_size`].
    ///
    /// # Errors
    /// None on weights that [`Particles::reweight`] accepted.
    pub fn effective_sample_size(&self) -> Result<f64, WeightError> {
        effective_sample_size(&self.log_weights)
    }

    /// ln of the estimated ratio of the current normalising constant to the first.
    ///
    /// # Errors
    /// None on weights that [`Particles::reweight`] accepted.
    pub fn log_normaliser(&self) -> Result<f64, WeightError> {
        Ok(self.log_normaliser + log_mean_exp(&self.log_weights)?)
    }

    /// Weighted mean of a function of a particle.
    ///
    /// # Errors
    /// None on weights that [`Particles::reweight`] accepted.
    pub fn mean(&self, mut f: impl FnMut(&[S::Scalar]) -> f64) -> Result<f64, WeightError> {
        let log_sum = log_sum_exp(&self.log_weights)?;
        let dim = self.state.len() / self.count();
        let rows = self.state.as_slice().chunks_exact(dim);
        // A particle without weight counts for nothing, even where f is not finite.
        let weighted = rows.zip(&self.log_weights).map(|(row, w)| {
            let weight = (w - log_sum).exp();
            if weight > 0.0 { weight * f(row) } else { 0.0 }
        });
        Ok(weighted.sum())
    }

    /// Draws a population of equal particles.
    ///
    /// # Errors
    /// None on weights that [`Particles::reweight`] accepted.
    pub fn resample(&mut self, how: Resampler, key: Key, stream: u64) -> Result<(), WeightError> {
        let log_mean = log_mean_exp(&self.log_weights)?;
        how.resample(&self.log_weights, key, stream, &mut self.ancestors)?;
        let dim = self.state.len() / self.count();
        let rows = self.state.as_slice();
        let into = self.spare.as_mut_slice().chunks_exact_mut(dim);
        for (row, a) in into.zip(&self.ancestors) {
            row.copy_from_slice(&rows[a * dim..][..dim]);
        }
        std::mem::swap(&mut self.state, &mut self.spare);
        for (origin, a) in self.spare_origins.iter_mut().zip(&self.ancestors) {
            *origin = self.origins[*a];
        }
        std::mem::swap(&mut self.origins, &mut self.spare_origins);
        self.log_normaliser += log_mean;
        self.log_weights.fill(0.0);
        self.resamplings += 1;
        Ok(())
    }

    /// Resamples if the effective sample size is below `fraction` of the particles; tells whether.
    ///
    /// # Errors
    /// [`WeightError::Option`] unless the fraction lies in [0, 1].
    pub fn resample_below(
        &mut self,
        fraction: f64,
        how: Resampler,
        key: Key,
        stream: u64,
    ) -> Result<bool, WeightError> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(WeightError::Option {
                name: "fraction",
                value: fraction,
                allowed: "a number in [0, 1]",
            });
        }
        let low = self.effective_sample_size()? < fraction * self.count() as f64;
        if low {
            self.resample(how, key, stream)?;
        }
        Ok(low)
    }
}

fn check(what: &'static str, expected: usize, got: usize) -> Result<(), WeightError> {
    if expected == got {
        Ok(())
    } else {
        Err(WeightError::Length {
            what,
            expected,
            got,
        })
    }
}
