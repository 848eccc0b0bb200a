//! Learning rates that change with the steps.
//!
//! Reference for the cosine: I. Loshchilov, F. Hutter, *SGDR: stochastic gradient descent with warm restarts*, 2017
//! (eq. 5).

use std::f64::consts::PI;

/// A learning rate for each step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// The same always.
    Constant(f64),
    /// From the first number to the second along half a cosine, over this many steps; the second one from then on.
    Cosine {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
        /// Steps between.
        steps: u64,
    },
    /// Multiplied by `factor` at each of these steps.
    Steps {
        /// At the start.
        from: f64,
        /// What it is multiplied by.
        factor: f64,
        /// When, in ascending order.
        at: Vec<u64>,
    },
    /// Multiplied by `factor` after each step.
    Exponential {
        /// At the start.
        from: f64,
        /// What it is multiplied by.
        factor: f64,
    },
    /// Rising from 0 over this many steps, then another schedule from its start.
    Warmup(u64, Box<Schedule>),
}

impl Schedule {
    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Cosine { from, to, steps } => {
                let way = (step.min(*steps) as f64) / (*steps).max(1) as f64;
                to + 0.5 * (from - to) * (1.0 + (PI * way).cos())
            }
            Self::Steps { from, factor, at } => at
                .iter()
                .filter(|s| **s <= step)
                .fold(*from, |rate, _| rate * factor),
            Self::Exponential { from, factor } => from * factor.powf(step as f64),
            Self::Warmup(steps, then) if step < *steps => {
                then.at(0) * (step + 1) as f64 / *steps as f64
            }
            Self::Warmup(steps, then) => then.at(step - steps),
        }
    }
}
