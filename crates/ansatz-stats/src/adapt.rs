//! Warm-up of Hamiltonian chains: a step size by dual averaging and a diagonal mass by windows.
//!
//! The step size follows `log ε ← log(10ε₀) − √m/γ·H̄` with the mean `H̄` of `α − acceptance`, α the acceptance to
//! reach, weighted by `1/(m + t₀)`; the result is the average of log ε with weights `m^(−κ)`. All chains share
//! it, so the acceptance of a step is the mean over chains.
//!
//! The mass is the inverse of the variances seen in windows that double in length, each forgetting the ones
//! before, so that what the chains did on the way to the typical set has no part in the last: `first` steps
//! adapt ε alone, then windows of `base`, 2·base, 4·base, … steps, the last stretched to the `last` steps, which
//! adapt ε alone again. After each window ε starts anew. Draws of all chains are pooled.
//!
//! References: M. Hoffman, A. Gelman, *The No-U-Turn sampler*, 2014, section 3.2 and algorithm 4; B. Carpenter et
//! al., *Stan: a probabilistic programming language*, 2017 (windows; shrinkage towards 10⁻³).

use ansatz_core::{HostState, Key};

use crate::mass::Spread;
use crate::{ChainError, Mass};

/// How a warm-up adapts the step size and the mass.
///
/// γ, t₀ and κ default to the values of Hoffman and Gelman, windows to those of Stan.
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
    /// Windows of the mass; without them it is kept as it is.
    pub windows: Option<Windows>,
}

impl Default for Adaptation {
    fn default() -> Self {
        Self {
            acceptance: 0.8,
            gamma: 0.05,
            damping: 10.0,
            kappa: 0.75,
            windows: Some(Windows::default()),
        }
    }
}

/// Stretches of a warm-up, in steps. When a warm-up is too short for them they take 15, 75 and 10 % of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Before the first window.
    pub first: usize,
    /// Length of the first window; each next is twice as long. At least 1.
    pub base: usize,
    /// After the last window.
    pub last: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            first: 75,
            base: 25,
            last: 50,
        }
    }
}

impl Windows {
    /// The steps before the first window, and those, from 1, after which a window ends.
    fn stretches(self, steps: usize) -> (usize, Vec<usize>) {
        let (mut at, mut width, mut stop) =
            (self.first, self.base, steps.saturating_sub(self.last));
        if self.first + self.base + self.last > steps {
            at = steps * 15 / 100;
            stop = steps - steps / 10;
            width = stop - at;
        }
        let first = at;
        let mut ends = Vec::new();
        while at < stop {
            // A window that would leave no room for the next, which is twice as long, takes all.
            let next = at + width;
            at = if next + 2 * width > stop { stop } else { next };
            width *= 2;
            ends.push(at);
        }
        (first, ends)
    }
}

impl Adaptation {
    pub(crate) fn validate(&self) -> Result<(), ChainError> {
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
            (
                "windows.base",
                self.windows.map_or(1.0, |w| w.base as f64),
                self.windows.is_none_or(|w| w.base > 0),
                "at least 1",
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

/// Dual averaging towards an acceptance.
struct DualAveraging<'a> {
    options: &'a Adaptation,
    center: f64,
    log_step: f64,
    averaged: f64,
    shortfall: f64,
    count: f64,
}

impl<'a> DualAveraging<'a> {
    fn new(options: &'a Adaptation, step: f64) -> Self {
        Self {
            options,
            center: (10.0 * step).ln(),
            log_step: step.ln(),
            averaged: step.ln(),
            shortfall: 0.0,
            count: 0.0,
        }
    }

    fn update(&mut self, acceptance: f64) {
        let o = self.options;
        self.count += 1.0;
        let weight = 1.0 / (self.count + o.damping);
        self.shortfall += weight * (o.acceptance - acceptance - self.shortfall);
        self.log_step = self.center - self.count.sqrt() / o.gamma * self.shortfall;
        self.averaged += self.count.powf(-o.kappa) * (self.log_step - self.averaged);
    }
}

/// A batch of chains that a warm-up can move.
pub(crate) trait Kernel {
    type State: HostState;

    /// One step of all chains with this step size and mass; the mean acceptance.
    fn advance(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError>;

    /// The mean acceptance of single leapfrog steps from where the chains are, which stay there.
    fn try_leap(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError>;

    fn chains(&self) -> &Self::State;
}

/// Times that a step is halved or doubled before it is taken as it is.
const HALVINGS: u64 = 50;

/// A step size at which single leaps are accepted about half of the time: the start of dual averaging.
fn reasonable(
    kernel: &mut impl Kernel,
    mut step: f64,
    mass: &Mass,
    key: Key,
) -> Result<f64, ChainError> {
    let up = kernel.try_leap(step, mass, key)? > 0.5;
    for i in 1..HALVINGS {
        let next = if up { 2.0 * step } else { 0.5 * step };
        let accepted = kernel.try_leap(next, mass, key.fold_in(i))? > 0.5;
        if up && !accepted {
            break;
        }
        step = next;
        if accepted != up {
            break;
        }
    }
    Ok(step)
}

/// Moves the chains by `steps` steps while adapting; the step size and mass found.
pub(crate) fn warm_up<K: Kernel>(
    kernel: &mut K,
    steps: usize,
    start: (f64, Mass),
    dim: usize,
    key: Key,
    options: &Adaptation,
) -> Result<(f64, Mass), ChainError> {
    let (step, mut mass) = start;
    let mut dual = DualAveraging::new(options, step);
    let (first, ends) = options
        .windows
        .map_or_else(Default::default, |w| w.stretches(steps));
    let mut windows = ends.iter().peekable();
    let mut spread = Spread::new(dim);
    for m in 1..=steps {
        let acceptance = kernel.advance(dual.log_step.exp(), &mass, key)?;
        dual.update(acceptance);
        if m > first && windows.peek().is_some() {
            spread.add(kernel.chains().as_slice());
        }
        if windows.next_if(|end| **end == m).is_some() {
            mass = spread.mass();
            spread.clear();
            let key = key.fold_in(m as u64);
            let step = reasonable(kernel, dual.averaged.exp(), &mass, key)?;
            dual = DualAveraging::new(options, step);
        }
    }
    Ok((dual.averaged.exp(), mass))
}

#[cfg(test)]
mod tests {
    use super::Windows;

    /// The windows of Stan for 1000 steps end at 100, 150, 250, 450 and 950.
    #[test]
    fn windows_double() {
        let w = Windows::default();
        assert_eq!(w.stretches(1000), (75, vec![100, 150, 250, 450, 950]));
        assert_eq!(w.stretches(150), (75, vec![100]));
        assert_eq!(w.stretches(100), (15, vec![90]));
        assert_eq!(w.stretches(5), (0, vec![5]));
        assert_eq!(w.stretches(0), (0, vec![]));
    }
}
