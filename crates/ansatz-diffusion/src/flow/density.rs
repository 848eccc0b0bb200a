//! Densities of encoded data.

use ansatz_core::{EvalError, HostState, Report, Scalar};
use ansatz_diffeq::{Options, solve};

use super::augmented::Augmented;
use crate::{PlanError, SampleError};

/// Data at the noise end of the flow, and how much each sample's neighbourhood grew on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded<S> {
    /// The state at the noise end.
    pub latent: S,
    /// ∫ div(dx/dt) dt per sample: `log p(x) = log p_noise(latent) + log_volume`.
    pub log_volume: Vec<f64>,
    /// What it cost.
    pub report: Report,
}

impl<S> Encoded<S> {
    /// `log p(x)` from the log density of the latents under the distribution at the noise end.
    ///
    /// With the exact distribution the result is exact; a prior such as
    /// [`normal_log_density`] leaves the error of taking it for the exact one.
    ///
    /// # Errors
    /// [`SampleError::Length`] unless there is one number per sample.
    pub fn log_density(&self, prior: &[f64]) -> Result<Vec<f64>, SampleError> {
        if prior.len() != self.log_volume.len() {
            return Err(SampleError::Length {
                what: "log density of the latents",
                expected: self.log_volume.len(),
                got: prior.len(),
            });
        }
        Ok(prior
            .iter()
            .zip(&self.log_volume)
            .map(|(p, v)| p + v)
            .collect())
    }
}

/// Follows densities along any velocity field: `field` writes dx/dt and, per sample, its divergence.
///
/// `log p(x) = log p_end(latent) + log_volume`, where the latent is the state at `times.1`.
///
/// # Errors
/// [`SampleError`], as [`ProbabilityFlow::encode`](crate::ProbabilityFlow::encode).
pub fn follow_density<S: HostState>(
    field: impl Fn(f64, &S, &mut S, &mut [f64]) -> Result<(), EvalError> + Sync,
    times: (f64, f64),
    x: &S,
    samples: usize,
    options: &Options,
) -> Result<Encoded<S>, SampleError> {
    check_samples(x.len(), samples)?;
    let joint =
        |t: f64, y: &Augmented<S>, dy: &mut Augmented<S>| field(t, &y.x, &mut dy.x, &mut dy.log);
    let mut state = Augmented {
        x: x.clone(),
        log: vec![0.0; samples],
    };
    let report = solve(&joint, times, &mut state, options, &mut ())
        .map_err(|e| SampleError::of_solve(e, 0, |t| t))?;
    Ok(Encoded {
        latent: state.x,
        log_volume: state.log,
        report,
    })
}

/// `log N(x; 0, std²·I)` of each of `samples` samples: the prior of the variance-preserving
/// processes (std 1) and of the variance-exploding one (std σ_max).
///
/// # Errors
/// [`PlanError::Option`] when the samples do not divide the state or `std` is not positive.
pub fn normal_log_density<S: HostState>(
    x: &S,
    samples: usize,
    std: f64,
) -> Result<Vec<f64>, PlanError> {
    check_samples(x.len(), samples)?;
    if !(std.is_finite() && std > 0.0) {
        return Err(PlanError::Option {
            name: "std",
            value: std,
            allowed: "a positive number",
        });
    }
    let dim = x.len() / samples;
    let log_norm = -(dim as f64) * (0.5 * std::f64::consts::TAU.ln() + std.ln());
    Ok(x.as_slice()
        .chunks_exact(dim)
        .map(|row| {
            let square: f64 = row.iter().map(|v| (v.f64() / std).powi(2)).sum();
            log_norm - 0.5 * square
        })
        .collect())
}

/// Bits per dimension of 8-bit images: `−log p/(dim·ln 2) + offset`, where the offset is 8 for
/// pixels scaled to [0, 1] and 7 for [−1, 1].
#[must_use]
pub fn bits_per_dim(log_density: f64, dim: usize, offset: f64) -> f64 {
    -log_density / (dim as f64 * std::f64::consts::LN_2) + offset
}

/// Whether a state of `len` elements holds `samples` samples.
pub(crate) fn check_samples(len: usize, samples: usize) -> Result<(), PlanError> {
    if samples > 0 && len >= samples && len.is_multiple_of(samples) {
        Ok(())
    } else {
        Err(PlanError::Option {
            name: "samples",
            value: samples as f64,
            allowed: "a divisor of the number of elements of the state",
        })
    }
}
