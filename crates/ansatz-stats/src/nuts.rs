//! The no-U-turn sampler: Hamiltonian trajectories that end where they turn back, for a batch of chains.
//!
//! From a point with a momentum p ~ N(0, M) a trajectory is doubled, forward or backward in time by a coin, until
//! it makes a U-turn: with p₋, p₊ the momenta at its ends and ρ the sum of all less half of the two, the discrete
//! integral of p over its length,
//!
//! `p₋ᵀM⁻¹ρ ≤ 0` or `p₊ᵀM⁻¹ρ ≤ 0`,
//!
//! for the whole, for any of the halves, quarters, … that it is made of, or for a half with the nearest point of
//! the other. (Without the last, a trajectory that has gone a whole period, and a step further, passes for a
//! short one.) A doubling that contains a turn is dropped. Points of a new half are drawn by their weights `exp(−H)`; the half's draw replaces that of the
//! trajectory with probability min(1, weight of the half / weight of the rest), which favours far points and
//! leaves the target exactly invariant.
//!
//! A new half is integrated leaf by leaf, without recursion: leaf n, counted from 0, ends one sub-trajectory for
//! each of the ones at the end of n in binary. The first leaf of each was stored with the sum of momenta up to it
//! and the leaf before it in a slot numbered by the ones of ⌊n/2⌋, so that a chain needs as many slots as it may
//! double.
//!
//! Chains are rows, each with its own tree. All leaves that are due are evaluated as one batch, from which a
//! chain that has ended is taken out: a batch call costs what the chains still under way cost.
//!
//! Cost: 2^depth − 1 evaluations of a row a step; (20 + 3·max_depth) numbers for each element of a chain, nothing
//! allocated in a step.
//!
//! Use it as the default for smooth densities in up to thousands of dimensions, after [`Nuts::warm_up`]. Look at
//! [`NutsReport::divergences`]: more than a few mean that part of the target is too narrow for the step.
//!
//! References: M. Hoffman, A. Gelman, *The No-U-Turn sampler: adaptively setting path lengths in Hamiltonian Monte
//! Carlo*, 2014; M. Betancourt, *A conceptual introduction to Hamiltonian Monte Carlo*, 2017, appendix A
//! (multinomial draws, the criterion by ρ); D. Phan, N. Pradhan, M. Jankowiak, *Composable effects for flexible and
//! accelerated probabilistic programming in NumPyro*, 2019 (iteration, slots); Stan, release 2.21 (halves with the
//! nearest point of the other).

mod forest;
mod tree;

use std::ops::ControlFlow;

use ansatz_core::{Event, Key, NoiseLevel, Observer, Scalar};

use crate::adapt::{Kernel, warm_up};
use crate::ensemble::positive;
use crate::{Adaptation, ChainError, Mass, Target};
use forest::Forest;

/// The multinomial no-U-turn sampler.
///
/// ```
/// use ansatz_core::{EvalError, Key};
/// use ansatz_stats::{Adaptation, Nuts, Trace};
/// // Four chains on N(0, 1) × N(0, 100²).
/// let normal = |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
///     for ((l, s), x) in log.iter_mut().zip(score.chunks_mut(2)).zip(x.chunks(2)) {
///         (s[0], s[1]) = (-x[0], -x[1] / 1e4);
///         *l = 0.5 * (x[0] * s[0] + x[1] * s[1]);
///     }
///     Ok(())
/// };
/// let mut x = vec![1.0; 8];
/// let nuts = Nuts { steps: 300, ..Nuts::default() };
/// let nuts = nuts.warm_up(&normal, &mut x, 4, Key::new(1), &Adaptation::default())?;
/// let mut trace = Trace::new(4);
/// let report = nuts.run(&normal, &mut x, 4, Key::new(2), &mut trace)?;
/// assert_eq!((report.divergences, trace.draws()), (0, 300));
/// let wide = trace.diagnose(|row| row[1])?;
/// assert!(wide.r_hat < 1.05 && (wide.std - 100.0).abs() < 20.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Nuts {
    /// Size ε > 0 of a leapfrog step.
    pub step: f64,
    /// Steps of the chain.
    pub steps: usize,
    /// Doublings of a trajectory at most, 1 to 24: 2^max_depth − 1 evaluations.
    pub max_depth: usize,
    /// Growth of H at which a trajectory counts as divergent and ends.
    pub max_energy_change: f64,
    /// Mass of the momentum.
    pub mass: Mass,
}

impl Default for Nuts {
    /// 1000 steps; ε = 0.1, to be adapted; at most ten doublings; divergent from a change of 1000.
    fn default() -> Self {
        Self {
            step: 0.1,
            steps: 1000,
            max_depth: 10,
            max_energy_change: 1000.0,
            mass: Mass::Identity,
        }
    }
}

/// Most doublings: the number of a leaf then fits where random numbers are counted.
const MAX_DEPTH: usize = 24;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NutsReport {
    /// Calls of the target, on the chains still under way.
    pub nfe: usize,
    /// Evaluations of single rows, all chains together.
    pub rows: u64,
    /// Steps taken.
    pub steps: usize,
    /// Mean over leaves of min(1, exp(H at the start − H)), then over chains and steps.
    pub acceptance: f64,
    /// Trajectories that ended because H grew beyond the limit or was NaN.
    pub divergences: u64,
    /// Trajectories that were doubled `max_depth` times without a turn.
    pub saturations: u64,
    /// `true` when an observer ended the run.
    pub stopped_early: bool,
}

impl Nuts {
    fn forest<'a, T: Scalar>(
        &self,
        target: &'a dyn Target<Vec<T>>,
        x: &Vec<T>,
        chains: usize,
    ) -> Result<Forest<'a, T>, ChainError> {
        positive("step", self.step)?;
        positive("max_energy_change", self.max_energy_change)?;
        if !(1..=MAX_DEPTH).contains(&self.max_depth) {
            return Err(ChainError::Option {
                name: "max_depth",
                value: self.max_depth as f64,
                allowed: "a number from 1 to 24",
            });
        }
        Forest::new(self, target, x, chains)
    }

    /// Moves every chain, a row of `x`, by `steps` steps.
    ///
    /// The target must take any number of rows: the length of its `log_density`. The randomness of a step is
    /// a function of the key, the number of the step and the chain. The observer sees the chains after every
    /// step, at [`NoiseLevel::clean`] of the steps finished.
    ///
    /// # Errors
    /// [`ChainError`]; `x` is then unchanged.
    pub fn run<T: Scalar>(
        &self,
        target: &dyn Target<Vec<T>>,
        x: &mut Vec<T>,
        chains: usize,
        key: Key,
        observer: &mut dyn Observer<Vec<T>>,
    ) -> Result<NutsReport, ChainError> {
        let mut forest = self.forest(target, x, chains)?;
        let mut stopped_early = false;
        for step in 1..=self.steps {
            forest.advance(self.step, &self.mass, key)?;
            let level = NoiseLevel::clean(step as f64);
            let event = Event::new(step, self.steps, forest.nfe(), level, forest.chains());
            if observer.on_step(&event) == ControlFlow::Break(()) {
                stopped_early = true;
                break;
            }
        }
        let report = NutsReport {
            stopped_early,
            ..forest.report()
        };
        *x = forest.into_chains();
        Ok(report)
    }

    /// Moves the chains by `steps` steps while adapting step size and mass, and returns the sampler with what
    /// was found. Samples of a warm-up are not samples of the target.
    ///
    /// # Errors
    /// [`ChainError`]; `x` is then unchanged.
    pub fn warm_up<T: Scalar>(
        &self,
        target: &dyn Target<Vec<T>>,
        x: &mut Vec<T>,
        chains: usize,
        key: Key,
        adaptation: &Adaptation,
    ) -> Result<Self, ChainError> {
        adaptation.validate()?;
        let mut forest = self.forest(target, x, chains)?;
        let (start, dim) = ((self.step, self.mass.clone()), x.len() / chains);
        let (step, mass) = warm_up(&mut forest, self.steps, start, dim, key, adaptation)?;
        *x = forest.into_chains();
        Ok(Self {
            step,
            mass,
            ..*self
        })
    }
}
