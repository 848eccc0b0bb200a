//! Hamiltonian Monte Carlo, for a batch of chains.
//!
//! A point x gets a momentum p ~ N(0, M) and moves by Hamilton's equations of
//! `H = −log p(x) + ½pᵀM⁻¹p`, discretised by `leaps` steps of the leapfrog rule
//! `p ← p + ½ε∇log p(x)`, `x ← x + εM⁻¹p`, `p ← p + ½ε∇log p(x)`, which keeps volume and is undone by p ← −p.
//! So accepting with probability `min(1, exp(H_before − H_after))` leaves the target exactly
//! invariant. H changes by O(ε²) over a fixed time.
//!
//! Chains are the rows of a state. Each accepts by itself; all share ε and the [`Mass`], so that the target is
//! evaluated on whole batches. [`Hmc::warm_up`] finds both; see [`Adaptation`].
//!
//! Cost: `leaps` evaluations a step and one at the start; six states of memory, nothing
//! allocated in a step.
//!
//! Use it on smooth densities in many dimensions, where a random walk (`leaps = 1`, which is
//! [`Mala`](crate::Mala)) needs the square of the number of steps. A trajectory whose length is near a whole
//! period of a coordinate does not mix it: where the right length is not known take [`Nuts`](crate::Nuts), which
//! finds one for every point.
//!
//! References: R. Neal, *MCMC using Hamiltonian dynamics*, 2011, sections 2 and 3.

use std::ops::ControlFlow;

use ansatz_core::{Event, HostState, Key, NoiseLevel, Observer, stream};

use crate::adapt::{Kernel, warm_up};
use crate::ensemble::{Ensemble, positive, probability};
use crate::{Adaptation, ChainError, Mass, Target};

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
/// let hmc = Hmc { step: 0.1, leaps: 4, steps: 50, ..Hmc::default() };
/// let hmc = hmc.warm_up(&normal, &mut x, 500, Key::new(1), &Adaptation::default())?;
/// let report = hmc.run(&normal, &mut x, 500, Key::new(2), &mut ())?;
/// let variance = x.iter().map(|x| x * x).sum::<f64>() / 500.0;
/// assert!((variance - 4.0).abs() < 5.0 * 4.0 * (2.0_f64 / 500.0).sqrt());
/// assert!(report.acceptance > 0.6 && report.nfe == 201);
/// # Ok::<(), ansatz_stats::ChainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Hmc {
    /// Size ε > 0 of a leapfrog step.
    pub step: f64,
    /// Leapfrog steps of a trajectory, at least 1.
    pub leaps: usize,
    /// Trajectories.
    pub steps: usize,
    /// Mass of the momentum.
    pub mass: Mass,
}

impl Default for Hmc {
    /// 1000 trajectories of ten steps of 0.1.
    fn default() -> Self {
        Self {
            step: 0.1,
            leaps: 10,
            steps: 1000,
            mass: Mass::Identity,
        }
    }
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
        let mut stopped_early = false;
        for step in 0..self.steps {
            batch.advance(self.step, &self.mass, key)?;
            let level = NoiseLevel::clean((step + 1) as f64);
            let event = Event::new(
                step + 1,
                self.steps,
                batch.ensemble.nfe,
                level,
                batch.chains(),
            );
            if observer.on_step(&event) == ControlFlow::Break(()) {
                stopped_early = true;
                break;
            }
        }
        let report = ChainReport {
            stopped_early,
            ..batch.report()
        };
        *x = batch.ensemble.now.x;
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
        let (start, dim) = ((self.step, self.mass.clone()), batch.ensemble.dim);
        let (step, mass) = warm_up(&mut batch, self.steps, start, dim, key, adaptation)?;
        *x = batch.ensemble.now.x;
        Ok(Self {
            step,
            mass,
            ..*self
        })
    }
}

/// Chains in progress.
struct Batch<'a, S> {
    ensemble: Ensemble<'a, S>,
    leaps: usize,
    /// Sum over steps of the mean acceptance.
    accepted: f64,
    divergences: u64,
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
        Ok(Self {
            ensemble: Ensemble::new(target, x, chains, &options.mass)?,
            leaps: options.leaps,
            accepted: 0.0,
            divergences: 0,
        })
    }

    fn report(&self) -> ChainReport {
        ChainReport {
            nfe: self.ensemble.nfe,
            steps: self.ensemble.steps,
            acceptance: self.accepted / self.ensemble.steps.max(1) as f64,
            divergences: self.divergences,
            stopped_early: false,
        }
    }
}

impl<S: HostState> Kernel for Batch<'_, S> {
    type State = S;

    /// One trajectory of every chain.
    fn advance(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError> {
        let ensemble = &mut self.ensemble;
        let number = ensemble.steps as u64;
        ensemble.propose((step, self.leaps), mass, key, stream::step(number))?;
        let (now, proposal) = (&mut ensemble.now, &ensemble.proposal);
        let mut sum = 0.0;
        for (chain, gain) in ensemble.gain.iter().enumerate() {
            let Some(alpha) = probability(*gain) else {
                self.divergences += 1;
                continue;
            };
            sum += alpha;
            let [u, _] = key.uniform(stream::corrector(number), chain as u64);
            if u < alpha {
                let row = chain * ensemble.dim..(chain + 1) * ensemble.dim;
                let copy = |to: &mut S, from: &S| {
                    to.as_mut_slice()[row.clone()].copy_from_slice(&from.as_slice()[row.clone()]);
                };
                copy(&mut now.x, &proposal.x);
                copy(&mut now.score, &proposal.score);
                now.log_density[chain] = proposal.log_density[chain];
            }
        }
        ensemble.steps += 1;
        let mean = sum / ensemble.gain.len() as f64;
        self.accepted += mean;
        Ok(mean)
    }

    fn try_leap(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError> {
        self.ensemble.try_leap(step, mass, key)
    }

    fn chains(&self) -> &S {
        &self.ensemble.now.x
    }
}
