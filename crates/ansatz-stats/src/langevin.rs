//! Langevin dynamics: a random walk that drifts along the score.
//!
//! One step is `x ← x + (h/2)·∇log p(x) + √h·z` with z standard normal, Euler's rule for the diffusion whose
//! stationary law is p.
//!
//! [`Ula`] takes every step. It needs the score alone, on any state, and is biased by O(h): on a normal
//! distribution of variance s² the step is `x ← (1 − h/(2s²))x + √h·z`, so the variance that it keeps is
//! `h/(1 − (1 − h/(2s²))²) = s²/(1 − h/(4s²))`, and it diverges from h = 4s² on.
//!
//! [`Mala`] accepts a step with probability `min(1, p(y)q(x|y)/(p(x)q(y|x)))`, q the density of the step,
//! which removes the bias. With p = z and ε = √h the proposal is one leapfrog step, and the ratio is
//! `exp(−ΔH)`; hence it is [`Hmc`] with one leap.
//!
//! Cost: one evaluation a step. `Ula` keeps three states.
//!
//! Use `Mala` wherever a log density is known, with h of the order of the smallest variance over the
//! cube root of the dimension; `Ula` for scores without a density, with h far below the smallest variance.
//!
//! References: G. Roberts, R. Tweedie, *Exponential convergence of Langevin distributions and their
//! discrete approximations*, 1996; G. Roberts, J. Rosenthal, *Optimal scaling of discrete
//! approximations to Langevin diffusions*, 1998 (acceptance 0.574).

use std::ops::ControlFlow;

use ansatz_core::{EvalError, Event, HostState, Key, NoiseLevel, Observer, Report, State, stream};

use crate::ensemble::{finite, positive};
use crate::{Adaptation, ChainError, ChainReport, Hmc, Mass, Target};

/// The unadjusted Langevin algorithm.
///
/// ```
/// use ansatz_core::{EvalError, Key, State};
/// use ansatz_stats::Ula;
/// let score = |x: &Vec<f64>, out: &mut Vec<f64>| -> Result<(), EvalError> {
///     out.lincomb(0.0, &[(-1.0, x)]); // of N(0, 1)
///     Ok(())
/// };
/// let mut x = vec![0.0; 10_000];
/// Ula { step: 1.0, steps: 30 }.run(&score, &mut x, Key::new(1), &mut ())?;
/// let variance = x.dot(&x) / 10_000.0;
/// assert!((variance - 4.0 / 3.0).abs() < 0.1); // 1/(1 - h/4), not 1
/// # Ok::<(), ansatz_stats::ChainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ula {
    /// Size h > 0 of a step.
    pub step: f64,
    /// Number of steps.
    pub steps: usize,
}

impl Ula {
    /// Moves `x`, which may hold any number of chains.
    ///
    /// `score` writes ∇log p. Noise is a function of the key and the number of the step: to go on, give
    /// another key. The observer sees the state after every step, at [`NoiseLevel::clean`] of the steps
    /// finished.
    ///
    /// # Errors
    /// [`ChainError`]; `x` is then unchanged.
    pub fn run<S: State>(
        &self,
        score: &dyn Fn(&S, &mut S) -> Result<(), EvalError>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, ChainError> {
        positive("step", self.step)?;
        finite(x.is_finite(), "the initial state", 0)?;
        let (mut now, mut s, mut z) = (x.clone(), x.zeros_like(), x.zeros_like());
        let mut report = Report::default();
        for step in 0..self.steps {
            score(&now, &mut s).map_err(|source| ChainError::Eval { step, source })?;
            finite(s.is_finite(), "the score", step)?;
            z.fill_normal(key, stream::step(step as u64));
            now.lincomb(1.0, &[(0.5 * self.step, &s), (self.step.sqrt(), &z)]);
            finite(now.is_finite(), "the state", step)?;
            (report.nfe, report.steps) = (step + 1, step + 1);
            let level = NoiseLevel::clean(report.steps as f64);
            let event = Event::new(report.steps, self.steps, report.nfe, level, &now);
            if observer.on_step(&event) == ControlFlow::Break(()) {
                report.stopped_early = true;
                break;
            }
        }
        *x = now;
        Ok(report)
    }
}

/// The Metropolis-adjusted Langevin algorithm, for a batch of chains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mala {
    /// Size h > 0 of a step, as in [`Ula`].
    pub step: f64,
    /// Number of steps.
    pub steps: usize,
}

impl Mala {
    /// The same method as a Hamiltonian one.
    #[must_use]
    pub fn as_hmc(&self) -> Hmc {
        Hmc {
            step: self.step.sqrt(),
            leaps: 1,
            steps: self.steps,
            mass: Mass::Identity,
        }
    }

    /// Moves every chain, a row of `x`; see [`Hmc::run`].
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
        positive("step", self.step)?;
        self.as_hmc().run(target, x, chains, key, observer)
    }

    /// Moves the chains while adapting h to an acceptance of 0.574; see [`Hmc::warm_up`].
    ///
    /// # Errors
    /// [`ChainError`]; `x` is then unchanged.
    pub fn warm_up<S: HostState>(
        &self,
        target: &dyn Target<S>,
        x: &mut S,
        chains: usize,
        key: Key,
    ) -> Result<Self, ChainError> {
        positive("step", self.step)?;
        let adaptation = Adaptation {
            acceptance: 0.574,
            windows: None,
            ..Adaptation::default()
        };
        let hmc = self.as_hmc().warm_up(target, x, chains, key, &adaptation)?;
        Ok(Self {
            step: hmc.step * hmc.step,
            ..*self
        })
    }
}
