//! What weighting, moving and transporting can fail with.

use ansatz_core::EvalError;
use thiserror::Error;

/// Weights that describe no distribution, or a population that they do not fit.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum WeightError {
    /// No weight at all.
    #[error("there is no weight: give at least one particle")]
    Empty,
    /// Every log-weight is −∞.
    #[error(
        "all {count} weights are zero: use more particles, or approach the target in smaller steps"
    )]
    AllZero {
        /// Number of weights.
        count: usize,
    },
    /// A log-weight that is NaN.
    #[error("log-weight {index} is NaN")]
    NotANumber {
        /// Particle, from 0.
        index: usize,
    },
    /// A log-weight that is +∞.
    #[error("log-weight {index} is +infinity: only -infinity (a weight of zero) is allowed")]
    Infinite {
        /// Particle, from 0.
        index: usize,
    },
    /// An argument has the wrong number of elements.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// An option outside its range.
    #[error("option {name} = {value} is not allowed: {allowed}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
}

/// A Markov chain failed. The caller's state is as it was before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// An option outside its range.
    #[error("option {name} = {value} is not allowed: {allowed}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// A state that does not hold whole chains.
    #[error("{elements} elements are not {chains} chains of equal length")]
    Chains {
        /// Elements of the state.
        elements: usize,
        /// Chains asked for.
        chains: usize,
    },
    /// NaN or infinity where a number was needed.
    #[error("{what} is not finite at step {step}: check the target there, or shorten the step")]
    NonFinite {
        /// Which value.
        what: &'static str,
        /// Step, from 0.
        step: usize,
    },
    /// The target failed.
    #[error("evaluation of the target failed at step {step}")]
    Eval {
        /// Step, from 0.
        step: usize,
        /// What it reported.
        #[source]
        source: EvalError,
    },
}

/// A transport problem that is none, or one that was not solved.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Fewer points than the problem needs.
    #[error("{what} has {got} points, at least {needed} are needed")]
    TooFew {
        /// Which measure.
        what: &'static str,
        /// Fewest that there may be.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// An argument has the wrong number of elements.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// NaN or infinity where a number was needed.
    #[error("element {index} of {what} is {value}")]
    NonFinite {
        /// Which argument.
        what: &'static str,
        /// Element, from 0.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A weight that is negative, or zero where every point needs some.
    #[error("weight {index} of {what} is {value}, and must be {allowed}")]
    Weight {
        /// Which measure.
        what: &'static str,
        /// Point, from 0.
        index: usize,
        /// Its weight.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// Weights whose sum is not 1.
    #[error("the weights of {what} sum to {sum}, not to 1: divide them by their sum")]
    WeightSum {
        /// Which measure.
        what: &'static str,
        /// Their sum.
        sum: f64,
    },
    /// Two targets at one place: their cells are not defined.
    #[error("targets {first} and {second} are the same point: give one of them both weights")]
    Duplicate {
        /// The first, from 0.
        first: usize,
        /// The second.
        second: usize,
    },
    /// An option outside its range.
    #[error("option {name} = {value} is not allowed: {allowed}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// The iterations were spent before the tolerance was met.
    #[error(
        "after {iterations} iterations the marginals are off by {error:e}, more than \
         {tolerance:e}: raise `epsilon` or `max_iterations`, or loosen `tolerance`"
    )]
    NotConverged {
        /// Iterations made.
        iterations: usize,
        /// Distance to the prescribed marginals.
        error: f64,
        /// Distance asked for.
        tolerance: f64,
    },
}

/// Draws that cannot be diagnosed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DiagnosticError {
    /// Values that do not fill whole draws of all chains.
    #[error("{values} values are not whole draws of {chains} chains")]
    Chains {
        /// Values given.
        values: usize,
        /// Chains asked for.
        chains: usize,
    },
    /// Too few draws for halves to have variances and autocorrelations.
    #[error("each chain has {got} draws, at least {needed} are needed")]
    TooFew {
        /// Fewest that there may be.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// NaN or infinity among the draws.
    #[error("draw {draw} of chain {chain} is {value}")]
    NonFinite {
        /// Draw, from 0.
        draw: usize,
        /// Chain, from 0.
        chain: usize,
        /// Its value.
        value: f64,
    },
    /// Nothing moved: variances and correlations have no meaning.
    #[error("all draws are {value}: the chains do not move, or the quantity does not change")]
    Constant {
        /// Their value.
        value: f64,
    },
}
