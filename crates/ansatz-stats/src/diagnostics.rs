//! Whether chains have converged, and how precise their averages are.
//!
//! Every chain is split in two halves, so that a trend shows as a difference between chains. With C halves of n
//! draws, W the mean of their variances and B/n the variance of their means:
//!
//! - `R̂ = √((n − 1 + B/W)/n)`, near 1 when all chains have the same distribution. Taken of normal scores of ranks
//!   `Φ⁻¹((r − ⅜)/(Cn + ¼))`, which exist for any distribution, and again after folding `|x − median|`, which sees
//!   differences of scale; the larger counts. Run longer while it is above 1.01.
//! - The effective sample size `Cn/τ̂`, `τ̂ = −1 + 2Σρ̂ₜ`, with autocorrelations ρ̂ from all halves, `1 − (W − mean
//!   autocovariance)/(variance of all)`, summed in pairs while these are positive and made to fall (Geyer): *bulk*
//!   of normal scores, *tail* the lesser of the indicators of x below its 5 % and 95 % quantiles. Want 100 a chain.
//! - The Monte Carlo standard error of the mean, `std/√ESS` with the ESS of x itself.
//!
//! Values come as `[draws, chains]`: what an observer sees, step by step. [`Trace`] records them.
//!
//! Cost: O(N log N) for ranks and O(N·τ) for autocorrelations of N values.
//!
//! Use [`diagnose`] on every quantity that is reported, not only on coordinates. It needs several chains with
//! scattered starts: one chain cannot tell that it has not seen a mode.
//!
//! References: A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Bürkner, *Rank-normalization, folding, and
//! localization: an improved R̂ for assessing convergence of MCMC*, 2021; C. Geyer, *Practical Markov chain Monte
//! Carlo*, 1992 (initial monotone sequence).

use std::ops::ControlFlow;

use ansatz_core::{Event, HostState, Observer, Scalar};

use crate::DiagnosticError;
use crate::transport::normal_quantile;

/// What a set of chains says about one quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagnostics {
    /// Mean of all draws.
    pub mean: f64,
    /// Standard deviation of all draws.
    pub std: f64,
    /// Monte Carlo standard error of the mean.
    pub mcse: f64,
    /// Rank-normalised split R̂; infinite when chains stand still at different values.
    pub r_hat: f64,
    /// Effective sample size in the bulk.
    pub ess_bulk: f64,
    /// Effective sample size in the tails.
    pub ess_tail: f64,
}

/// Diagnoses a quantity whose `values` are `[draws, chains]`.
///
/// # Errors
/// [`DiagnosticError`] for fewer than 8 draws a chain, values that do not fill whole draws, are not finite, or
/// are all the same.
///
/// ```
/// use ansatz_core::Key;
/// let mut values = vec![0.0; 4 * 500]; // independent draws
/// Key::new(1).fill_normal(0, &mut values);
/// let d = ansatz_stats::diagnose(&values, 4)?;
/// assert!(d.r_hat < 1.01 && d.ess_bulk > 1500.0);
/// assert!(d.mean.abs() < 4.0 * d.mcse);
/// # Ok::<(), ansatz_stats::DiagnosticError>(())
/// ```
pub fn diagnose(values: &[f64], chains: usize) -> Result<Diagnostics, DiagnosticError> {
    let halves = Halves::new(values, chains)?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let std = (square / (count - 1.0)).sqrt();
    let scores = halves.scores();
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |p: f64| {
        let end = quantile(&sorted, p);
        halves.map(|v| f64::from(u8::from(v <= end))).ess()
    };
    Ok(Diagnostics {
        mean,
        std,
        mcse: std / halves.ess().sqrt(),
        r_hat: scores.r_hat().max(halves.folded().scores().r_hat()),
        ess_bulk: scores.ess(),
        ess_tail: below(0.05).min(below(0.95)),
    })
}

/// The p-quantile of sorted numbers, linear between them.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (k, part) = (at.floor() as usize, at.fract());
    let next = sorted[(k + 1).min(sorted.len() - 1)];
    sorted[k] + part * (next - sorted[k])
}

/// Halves of chains, one after another.
struct Halves {
    values: Vec<f64>,
    /// Draws of a half.
    draws: usize,
}

/// Fewest draws of a chain.
const FEWEST: usize = 8;

impl Halves {
    fn new(values: &[f64], chains: usize) -> Result<Self, DiagnosticError> {
        if chains == 0 || !values.len().is_multiple_of(chains) {
            return Err(DiagnosticError::Chains {
                values: values.len(),
                chains,
            });
        }
        let draws = values.len() / chains;
        if draws < FEWEST {
            return Err(DiagnosticError::TooFew {
                needed: FEWEST,
                got: draws,
            });
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(DiagnosticError::NonFinite {
                draw: index / chains,
                chain: index % chains,
                value: values[index],
            });
        }
        if values.iter().all(|v| v.total_cmp(&values[0]).is_eq()) {
            return Err(DiagnosticError::Constant { value: values[0] });
        }
        // Of an odd number the draw in the middle is left out.
        let half = draws / 2;
        let mut out = Vec::with_capacity(2 * half * chains);
        for chain in 0..chains {
            for first in [0, draws - half] {
                // Adding 0 makes one zero of two, so that they rank as equals.
                out.extend((first..first + half).map(|i| values[i * chains + chain] + 0.0));
            }
        }
        Ok(Self {
            values: out,
            draws: half,
        })
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            values: self.values.iter().map(|v| f(*v)).collect(),
            draws: self.draws,
        }
    }

    fn folded(&self) -> Self {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5);
        self.map(|v| (v - median).abs())
    }

    /// Normal scores of ranks; equal values share the mean of theirs.
    fn scores(&self) -> Self {
        let count = self.values.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| self.values[*a].total_cmp(&self.values[*b]));
        let mut scores = vec![0.0; count];
        let mut first = 0;
        for group in order.chunk_by(|a, b| self.values[*a].total_cmp(&self.values[*b]).is_eq()) {
            // Ranks first + 1, …, first + len.
            let rank = first as f64 + 0.5 * (group.len() as f64 + 1.0);
            let score = normal_quantile((rank - 0.375) / (count as f64 + 0.25));
            for i in group {
                scores[*i] = score;
            }
            first += group.len();
        }
        Self {
            values: scores,
            draws: self.draws,
        }
    }

    fn means(&self) -> Vec<f64> {
        let mean = |half: &[f64]| half.iter().sum::<f64>() / self.draws as f64;
        self.values.chunks_exact(self.draws).map(mean).collect()
    }

    /// Mean over halves of the autocovariance at a lag, divided by the number of draws.
    fn autocovariance(&self, means: &[f64], lag: usize) -> f64 {
        let halves = self.values.chunks_exact(self.draws).zip(means);
        let sum: f64 = halves
            .map(|(half, m)| {
                let pairs = half.iter().zip(&half[lag..]);
                pairs.map(|(a, b)| (a - m) * (b - m)).sum::<f64>()
            })
            .sum();
        sum / self.values.len() as f64
    }

    /// W and B/n.
    fn variances(&self, means: &[f64]) -> (f64, f64) {
        let n = self.draws as f64;
        let within = self.autocovariance(means, 0) * n / (n - 1.0);
        let center = means.iter().sum::<f64>() / means.len() as f64;
        let between: f64 = means.iter().map(|m| (m - center) * (m - center)).sum();
        (within, between / (means.len() - 1) as f64)
    }

    /// √((n − 1 + B/W)/n)
    fn r_hat(&self) -> f64 {
        let (within, between) = self.variances(&self.means());
        let n = self.draws as f64;
        if between <= 0.0 {
            return ((n - 1.0) / n).sqrt();
        }
        // What rounding of the mean leaves of a half that stands still.
        if within < between * f64::EPSILON * f64::EPSILON * n {
            return f64::INFINITY;
        }
        ((n - 1.0 + n * between / within) / n).sqrt()
    }

    /// Effective sample size; the number of values when they are all the same.
    fn ess(&self) -> f64 {
        let (count, n) = (self.values.len() as f64, self.draws);
        let means = self.means();
        let (within, between) = self.variances(&means);
        let total = within * (n as f64 - 1.0) / n as f64 + between;
        if total <= 0.0 {
            return count;
        }
        let rho = |lag: usize| 1.0 - (within - self.autocovariance(&means, lag)) / total;
        // Sums of pairs ρ₂ₖ + ρ₂ₖ₊₁ while positive, each no larger than the one before.
        let (mut even, mut pair) = (1.0, 1.0 + rho(1));
        let (mut sum, mut lag, mut last) = (0.0, 0, f64::INFINITY);
        while pair > 0.0 && lag + 4 < n {
            last = pair.min(last);
            sum += last;
            lag += 2;
            even = rho(lag);
            pair = even + rho(lag + 1);
        }
        // Of the pair that ends the sum its first number still counts, if it is positive.
        let tau = -1.0 + 2.0 * sum + even.max(0.0);
        // Antithetic chains may have fewer than one draw's worth of correlation, but not without limit.
        count / tau.max(1.0 / count.log10())
    }
}

/// An observer that records chains: give it to `run` and ask it for quantities.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    chains: usize,
    dim: usize,
    /// `[draws, chains, dim]`
    values: Vec<f64>,
}

impl Trace {
    /// An empty record of so many chains.
    #[must_use]
    pub fn new(chains: usize) -> Self {
        Self {
            chains,
            dim: 0,
            values: Vec::new(),
        }
    }

    /// Draws recorded.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.values.len() / (self.chains * self.dim).max(1)
    }

    /// All states, `[draws, chains, dim]`.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// A function of a chain's state, `[draws, chains]`.
    pub fn quantity(&self, f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
        self.values.chunks_exact(self.dim.max(1)).map(f).collect()
    }

    /// Diagnoses a function of a chain's state.
    ///
    /// # Errors
    /// As [`diagnose`].
    pub fn diagnose(&self, f: impl FnMut(&[f64]) -> f64) -> Result<Diagnostics, DiagnosticError> {
        diagnose(&self.quantity(f), self.chains)
    }
}

impl<S: HostState> Observer<S> for Trace {
    fn on_step(&mut self, event: &Event<'_, S>) -> ControlFlow<()> {
        let state = event.state.as_slice();
        self.dim = state.len() / self.chains.max(1);
        self.values.extend(state.iter().map(|v| v.f64()));
        ControlFlow::Continue(())
    }
}
