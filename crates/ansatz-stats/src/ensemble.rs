//! What Hamiltonian chains share: where they are, and where a trajectory takes them.

use ansatz_core::{EvalError, HostState, Key, State};

use crate::{ChainError, Mass, Target};

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
    let drift = |x: &mut S, p: &S| x.lincomb(1.0, &[(step, p)]);
    integrate(target, drift, (x, p, log_density, score), step, leaps)
}

/// The same with any rule that adds a step along the velocity.
pub(crate) fn integrate<S: State>(
    target: &dyn Target<S>,
    drift: impl Fn(&mut S, &S),
    (x, p, log_density, score): (&mut S, &mut S, &mut [f64], &mut S),
    step: f64,
    leaps: usize,
) -> Result<(), EvalError> {
    for leap in 0..leaps {
        // The half steps between two leaps are one.
        let kick = if leap == 0 { 0.5 * step } else { step };
        p.lincomb(1.0, &[(kick, score)]);
        drift(x, p);
        target.eval(x, log_density, score)?;
    }
    if leaps > 0 {
        p.lincomb(1.0, &[(0.5 * step, score)]);
    }
    Ok(())
}

/// Chains with the target's values, and a second set of the same for proposals.
pub(crate) struct Ensemble<'a, S> {
    pub(crate) target: &'a dyn Target<S>,
    pub(crate) dim: usize,
    pub(crate) now: Points<S>,
    pub(crate) proposal: Points<S>,
    pub(crate) momentum: S,
    /// H before less H after, of each chain.
    pub(crate) gain: Vec<f64>,
    pub(crate) nfe: usize,
    pub(crate) steps: usize,
}

/// Points and the target's values there.
pub(crate) struct Points<S> {
    pub(crate) x: S,
    pub(crate) score: S,
    pub(crate) log_density: Vec<f64>,
}

impl<S: HostState> Points<S> {
    fn new(x: &S, chains: usize) -> Self {
        Self {
            x: x.clone(),
            score: x.zeros_like(),
            log_density: vec![0.0; chains],
        }
    }
}

impl<'a, S: HostState> Ensemble<'a, S> {
    pub(crate) fn new(
        target: &'a dyn Target<S>,
        x: &S,
        chains: usize,
        mass: &Mass,
    ) -> Result<Self, ChainError> {
        if chains == 0 || x.is_empty() || !x.len().is_multiple_of(chains) {
            return Err(ChainError::Chains {
                elements: x.len(),
                chains,
            });
        }
        let dim = x.len() / chains;
        mass.validate(dim)?;
        finite(x.is_finite(), "the initial state", 0)?;
        let mut now = Points::new(x, chains);
        target
            .eval(&now.x, &mut now.log_density, &mut now.score)
            .map_err(|source| ChainError::Eval { step: 0, source })?;
        let start = now.log_density.iter().all(|l| l.is_finite());
        finite(start, "the log density of the initial state", 0)?;
        finite(now.score.is_finite(), "the score of the initial state", 0)?;
        Ok(Self {
            target,
            dim,
            now,
            proposal: Points::new(x, chains),
            momentum: x.zeros_like(),
            gain: vec![0.0; chains],
            nfe: 1,
            steps: 0,
        })
    }

    pub(crate) fn chains(&self) -> usize {
        self.gain.len()
    }

    /// A trajectory of every chain from a new momentum: `proposal`, `momentum` and `gain` at its end.
    pub(crate) fn propose(
        &mut self,
        (step, leaps): (f64, usize),
        mass: &Mass,
        key: Key,
        stream: u64,
    ) -> Result<(), ChainError> {
        let (now, proposal, p) = (&self.now, &mut self.proposal, &mut self.momentum);
        mass.draw(p.as_mut_slice(), key, stream);
        let rows = p.as_slice().chunks_exact(self.dim);
        for ((gain, row), log) in self.gain.iter_mut().zip(rows).zip(&now.log_density) {
            *gain = mass.kinetic(row) - log;
        }
        proposal.x.assign(&now.x);
        proposal.score.assign(&now.score);
        let drift = |x: &mut S, p: &S| mass.drift(x, p, step);
        let Points {
            x,
            score,
            log_density,
        } = proposal;
        let state = (x, &mut *p, &mut log_density[..], score);
        integrate(self.target, drift, state, step, leaps).map_err(|source| ChainError::Eval {
            step: self.steps,
            source,
        })?;
        self.nfe += leaps;
        let rows = p.as_slice().chunks_exact(self.dim);
        for ((gain, row), log) in self.gain.iter_mut().zip(rows).zip(log_density) {
            *gain += *log - mass.kinetic(row);
        }
        Ok(())
    }

    /// The mean acceptance of single leaps, which are not taken.
    pub(crate) fn try_leap(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError> {
        self.propose((step, 1), mass, key, TRIALS)?;
        let sum: f64 = self.gain.iter().filter_map(|g| probability(*g)).sum();
        Ok(sum / self.chains() as f64)
    }
}

/// The stream of momenta of trials, above those of steps.
const TRIALS: u64 = 1 << 48;

/// min(1, exp(gain)); none where the proposal is no point with a density.
pub(crate) fn probability(gain: f64) -> Option<f64> {
    (!gain.is_nan() && gain < f64::INFINITY).then(|| gain.min(0.0).exp())
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
