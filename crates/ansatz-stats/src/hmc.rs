//! Hamiltonian Monte Carlo, for a batch of chains.
//!
//! A point x gets a momentum p ~ N(0, I) and moves by Hamilton's equations of
//! `H = −log p(x) + ½|p|²`, discretised by `leaps` steps of the leapfrog rule
//! `p ← p + ½ε∇log p(x)`, `x ← x + εp`, `p ← p + ½ε∇log p(x)`, which keeps volume and is undone by p ← −p.
//! So accepting with probability `min(1, exp(H_before − H_after))` leaves the target exactly
//! invariant. H changes by O(ε²) over a fixed time.
//!
//! Chains are the rows of a state. Each accepts by itself; all share ε, so that the target is evaluated
//! on whole batches. [`Hmc::warm_up`] finds ε by dual averaging of `log ε` towards an acceptance.
//!
//! Cost: `leaps` evaluations a step and one at the start; seven states of memory, nothing
//! allocated in a step.
//!
//! Use it on smooth densities in many dimensions, where a random walk (`leaps = 1`, which is
//! [`Mala`](crate::Mala)) needs the square of the number of steps. Scale coordinates to similar spread
//! first: the mass is the identity. A trajectory whose length is near a whole period of a coordinate
//! does not mix it; vary `leaps` between runs if that may be.
//!
//! References: R. Neal, *MCMC using Hamiltonian dynamics*, 2011, sections 2 and 3; M. Hoffman,
//! A. Gelman, *The No-U-Turn sampler*, 2014, section 3.2 (dual averaging).

use std::ops::ControlFlow;

use ansatz_core::{EvalError, Event, HostState, Key, NoiseLevel, Observer, Scalar, State, stream};

use crate::{ChainError, Target};

/// Hamiltonian Monte Carlo with trajectories of fixed length.
///
/// ```
/// use ansatz_core::{EvalError, Key};
/// use ansatz_stats::{Adaptation, Hmc};
/// // 500 chains on N(0, 4).
/// let normal = |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
///     for ((l, s), x) in log.iter_mut().zip(score).zip(x) {
///         (*l, *s) = (-x * x / 8.0, -x / 4.0);
///     }
///     Ok(())
/// };
/// let mut x = vec![0.0; 500];
/// let hmc = Hmc { step: 0.1, leaps: 4, steps: 50 };
/// let hmc = hmc.warm_up(&normal, &mut x, 500, Key::new(1), &Adaptation::default())?;
/// let report = hmc.run(&normal, &mut x, 500, Key::new(2), &mut ())?;
/// let variance = x.iter().map(|x| x * x).sum::<f64>() / 500.0;
/// assert!((variance - 4.0).abs() < 5.0 * 4.0 * (2.0_f64 / 500.0).sqrt());
/// assert!(report.acceptance > 0.6 && report.nfe == 201);
/// # Ok::<(), ansatz_stats::ChainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hmc {
    /// Size ε > 0 of a leapfrog step.
    pub step: f64,
    /// Leapfrog steps of a trajectory, at least 1.
    pub leaps: usize,
    /// Trajectories.
    pub steps: usize,
}

/// What a run of chains that accept or reject did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChainReport {
    /// Evaluations of the target on the batch.
    pub nfe: usize,
    /// Steps taken.
    pub steps: usize,
    /// Mean probability of acceptance, over steps and chains.
    pub acceptance: f64,
    /// Proposals that were rejected because their energy was NaN or −∞: the step is too long for the
    /// target there.
    pub divergences: u64,
    /// `true` when an observer ended the run.
    pub stopped_early: bool,
}

/// Dual averaging: how [`Hmc::warm_up`] finds a step size.
///
/// `log ε ← log(10ε₀) − √m/γ·H̄` with the mean `H̄` of `acceptance − α`, weighted by `1/(m + t₀)`; the result
/// is the average of log ε with weights `m^(−κ)`. γ, t₀ and κ default to the values of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptation {
    /// Acceptance to reach, in (0, 1): 0.8 for long trajectories, 0.574 for one leap.
    pub acceptance: f64,
    /// Strength γ > 0 of the pull towards 10ε₀.
    pub gamma: f64,
    /// Steps t₀ ≥ 0 over which the start is damped.
    pub damping: f64,
    /// Decay κ in (0.5, 1].
    pub kappa: f64,
}

impl Default for Adaptation {
    fn default() -> Self {
        Self {
            acceptance: 0.8,
            gamma: 0.05,
            damping: 10.0,
            kappa: 0.75,
        }
    }
}

impl Adaptation {
    fn validate(&self) -> Result<(), ChainError> {
        let rules = [
            (
                "acceptance",
                self.acceptance,
                self.acceptance > 0.0 && self.acceptance < 1.0,
                "a number in (0, 1)",
            ),
            ("gamma", self.gamma, self.gamma > 0.0, "a positive number"),
            (
                "damping",
                self.damping,
                self.damping >= 0.0,
                "a number that is not negative",
            ),
            (
                "kappa",
                self.kappa,
                self.kappa > 0.5 && self.kappa <= 1.0,
                "a number in (0.5, 1]",
            ),
        ];
        for (name, value, holds, allowed) in rules {
            if !(holds && value.is_finite()) {
                return Err(ChainError::Option {
                    name,
                    value,
                    allowed,
                });
            }
        }
        Ok(())
    }
}

impl Hmc {
    /// Moves every chain, a row of `x`, by `steps` trajectories.
    ///
    /// The randomness of a step is a function of the key and the number of the step: to go on, give
    /// another key. The observer sees the chains after every step, at [`NoiseLevel::clean`] of the
    /// steps finished.
    ///
    /// # Errors
    /// [`ChainError`]; `x` is then unchanged.
    pub fn run<S: HostState>(
        &self,
        target: &dyn Target<S>,
        x: &mut S,
        chains: usize,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<ChainReport, ChainError> {
        let mut batch = Batch::new(self, target, x, chains)?;
        for step in 0..self.steps {
            batch.advance(self.step, self.leaps, key)?;
            let level = NoiseLevel::clean(batch.steps as f64);
            let event = Event::new(step + 1, self.steps, batch.nfe, level, &batch.x);
            if observer.on_step(&event) == ControlFlow::Break(()) {
                batch.stopped_early = true;
                break;
            }
        }
        let report = batch.report();
        *x = batch.x;
        Ok(report)
    }

    /// Moves the chains by `steps` trajectories whose step size is adapted, and returns the method
    /// with the size found. Samples of a warm-up are not samples of the target.
    ///
    /// # Errors
    /// [`ChainError`]; `x` is then unchanged.
    pub fn warm_up<S: HostState>(
        &self,
        target: &dyn Target<S>,
        x: &mut S,
        chains: usize,
        key: Key,
        adaptation: &Adaptation,
    ) -> Result<Self, ChainError> {
        adaptation.validate()?;
        let mut batch = Batch::new(self, target, x, chains)?;
        let center = (10.0 * self.step).ln();
        let (mut log_step, mut averaged, mut shortfall) = (self.step.ln(), self.step.ln(), 0.0);
        for m in 1..=self.steps {
            let alpha = batch.advance(log_step.exp(), self.leaps, key)?;
            let m = m as f64;
            let weight = 1.0 / (m + adaptation.damping);
            shortfall += weight * (adaptation.acceptance - alpha - shortfall);
            log_step = center - m.sqrt() / adaptation.gamma * shortfall;
            averaged += m.powf(-adaptation.kappa) * (log_step - averaged);
        }
        *x = batch.x;
        Ok(Self {
            step: averaged.exp(),
            ..*self
        })
    }
}

/// Follows `leaps` leapfrog steps of size `step`, in place.
///
/// `score` and `log_density` must hold the target's values at `x`, and hold those at the end point
/// afterwards. Negating `p` and calling again leads back.
///
/// # Errors
/// What the target reports; the arguments then hold intermediate values.
pub fn leapfrog<S: State>(
    target: &dyn Target<S>,
    x: &mut S,
    p: &mut S,
    log_density: &mut [f64],
    score: &mut S,
    step: f64,
    leaps: usize,
) -> Result<(), EvalError> {
    for leap in 0..leaps {
        // The half steps between two leaps are one.
        let kick = if leap == 0 { 0.5 * step } else { step };
        p.lincomb(1.0, &[(kick, score)]);
        x.lincomb(1.0, &[(step, p)]);
        target.eval(x, log_density, score)?;
    }
    if leaps > 0 {
        p.lincomb(1.0, &[(0.5 * step, score)]);
    }
    Ok(())
}

/// Chains, the target's values there, and a proposal.
struct Batch<'a, S> {
    target: &'a dyn Target<S>,
    dim: usize,
    x: S,
    score: S,
    log_density: Vec<f64>,
    proposal: S,
    proposal_score: S,
    proposal_density: Vec<f64>,
    momentum: S,
    kinetic: Vec<f64>,
    nfe: usize,
    steps: usize,
    /// Sum over steps of the mean acceptance.
    accepted: f64,
    divergences: u64,
    stopped_early: bool,
}

impl<'a, S: HostState> Batch<'a, S> {
    fn new(
        options: &Hmc,
        target: &'a dyn Target<S>,
        x: &S,
        chains: usize,
    ) -> Result<Self, ChainError> {
        positive("step", options.step)?;
        if options.leaps == 0 {
            return Err(ChainError::Option {
                name: "leaps",
                value: 0.0,
                allowed: "at least 1",
            });
        }
        if chains == 0 || x.is_empty() || !x.len().is_multiple_of(chains) {
            return Err(ChainError::Chains {
                elements: x.len(),
                chains,
            });
        }
        finite(x.is_finite(), "the initial state", 0)?;
        let mut batch = Self {
            target,
            dim: x.len() / chains,
            x: x.clone(),
            score: x.zeros_like(),
            log_density: vec![0.0; chains],
            proposal: x.zeros_like(),
            proposal_score: x.zeros_like(),
            proposal_density: vec![0.0; chains],
            momentum: x.zeros_like(),
            kinetic: vec![0.0; chains],
            nfe: 1,
            steps: 0,
            accepted: 0.0,
            divergences: 0,
            stopped_early: false,
        };
        target
            .eval(&batch.x, &mut batch.log_density, &mut batch.score)
            .map_err(|source| ChainError::Eval { step: 0, source })?;
        let start = batch.log_density.iter().all(|l| l.is_finite());
        finite(start, "the log density of the initial state", 0)?;
        finite(batch.score.is_finite(), "the score of the initial state", 0)?;
        Ok(batch)
    }

    /// One trajectory of every chain; the mean acceptance.
    fn advance(&mut self, step: f64, leaps: usize, key: Key) -> Result<f64, ChainError> {
        let number = self.steps as u64;
        self.momentum.fill_normal(key, stream::step(number));
        let rows = self.momentum.as_slice().chunks_exact(self.dim);
        for (k, p) in self.kinetic.iter_mut().zip(rows) {
            *k = half_square(p);
        }
        self.proposal.assign(&self.x);
        self.proposal_score.assign(&self.score);
        self.proposal_density.copy_from_slice(&self.log_density);
        leapfrog(
            self.target,
            &mut self.proposal,
            &mut self.momentum,
            &mut self.proposal_density,
            &mut self.proposal_score,
            step,
            leaps,
        )
        .map_err(|source| ChainError::Eval {
            step: self.steps,
            source,
        })?;
        self.nfe += leaps;
        let mut sum = 0.0;
        for (chain, kinetic) in self.kinetic.iter().enumerate() {
            let row = chain * self.dim..(chain + 1) * self.dim;
            let after =
                self.proposal_density[chain] - half_square(&self.momentum.as_slice()[row.clone()]);
            let gain = after - (self.log_density[chain] - kinetic);
            if gain.is_nan() || gain == f64::INFINITY {
                self.divergences += 1;
                continue;
            }
            let alpha = gain.min(0.0).exp();
            sum += alpha;
            let [u, _] = key.uniform(stream::corrector(number), chain as u64);
            if u < alpha {
                let copy = |to: &mut S, from: &S| {
                    to.as_mut_slice()[row.clone()].copy_from_slice(&from.as_slice()[row.clone()]);
                };
                copy(&mut self.x, &self.proposal);
                copy(&mut self.score, &self.proposal_score);
                self.log_density[chain] = self.proposal_density[chain];
            }
        }
        self.steps += 1;
        let mean = sum / self.kinetic.len() as f64;
        self.accepted += mean;
        Ok(mean)
    }

    fn report(&self) -> ChainReport {
        ChainReport {
            nfe: self.nfe,
            steps: self.steps,
            acceptance: self.accepted / self.steps.max(1) as f64,
            divergences: self.divergences,
            stopped_early: self.stopped_early,
        }
    }
}

fn half_square<T: Scalar>(row: &[T]) -> f64 {
    0.5 * row.iter().map(|v| v.f64() * v.f64()).sum::<f64>()
}

pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), ChainError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(ChainError::Option {
            name,
            value,
            allowed: "a positive number",
        })
    }
}

pub(crate) fn finite(holds: bool, what: &'static str, step: usize) -> Result<(), ChainError> {
    if holds {
        Ok(())
    } else {
        Err(ChainError::NonFinite { what, step })
    }
}
