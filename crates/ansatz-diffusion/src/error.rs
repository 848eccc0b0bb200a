//! What planning and running a sampler can fail with.

use ansatz_core::{EvalError, Prediction};
use ansatz_diffeq::StepError;
use ansatz_stats::{TransportError, WeightError};
use thiserror::Error;

/// A plan cannot be made: the grid or an option is wrong. Nothing has been evaluated yet.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The method needs more steps than the grid has.
    #[error("{method} needs at least {needed} steps, the grid has {got}: ask for a longer grid")]
    TooFewSteps {
        /// Name of the method.
        method: &'static str,
        /// Fewest steps it works with.
        needed: usize,
        /// Steps in the grid.
        got: usize,
    },
    /// Two neighbouring times do not fall.
    #[error("time grid must be strictly decreasing: t[{index}] = {t}, t[{}] = {next}", index + 1)]
    GridNotDecreasing {
        /// Index of the first of the two.
        index: usize,
        /// Time there.
        t: f64,
        /// Time after it.
        next: f64,
    },
    /// A time outside the range of the schedule.
    #[error("t[{index}] = {t} lies outside the schedule's range [{min}, {max}]")]
    TimeOutOfRange {
        /// Index in the grid.
        index: usize,
        /// The time given.
        t: f64,
        /// Smallest time of the schedule.
        min: f64,
        /// Largest time of the schedule.
        max: f64,
    },
    /// λ does not grow from one node to the next, so no solver step is defined between them.
    #[error(
        "log-SNR must grow along the grid: lambda[{index}] = {lambda}, lambda[{}] = {next}",
        index + 1
    )]
    LogSnrNotIncreasing {
        /// Index of the first of the two.
        index: usize,
        /// λ there.
        lambda: f64,
        /// λ after it.
        next: f64,
    },
    /// A noise level whose time, α or σ is no number, or negative.
    #[error(
        "{what} of noise level {index} is {value}: check the parameters of the schedule, and that \
         its range lies where they make sense"
    )]
    Level {
        /// Index in the grid, or in the plan.
        index: usize,
        /// `t`, `alpha` or `sigma`.
        what: &'static str,
        /// Its value.
        value: f64,
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
    /// A formula gave a coefficient that is not a number on this grid.
    #[error(
        "a coefficient of step {step} is {value}: the grid reaches a level that this method cannot step from or to"
    )]
    Coefficient {
        /// Step, from 0.
        step: usize,
        /// The coefficient.
        value: f64,
    },
    /// A model of this kind cannot serve the plan.
    #[error(
        "{want:?} cannot be computed from {from:?} at t = {t}: let the grid start and end inside \
         that level, or use a model of another prediction kind"
    )]
    Conversion {
        /// Kind that the model returns.
        from: Prediction,
        /// Kind that the plan needs.
        want: Prediction,
        /// Time of the level.
        t: f64,
    },
    /// A plan of gradients meets a model of another kind than it was made for.
    #[error(
        "the plan is for a model of {expected:?}, this one predicts {got:?}: make it for {got:?}"
    )]
    ModelKind {
        /// Kind that the plan was made for.
        expected: Prediction,
        /// Kind that the model predicts.
        got: Prediction,
    },
    /// A plan that takes no state, and so does not know the shape of any.
    #[error("a plan has at least one input: states take their shape from it")]
    NoInput,
    /// The plan has no exact inverse.
    #[error(
        "operation {operation} of the plan leaves {unknown} unknowns: only coupled and \
         bi-directional solvers (`ExactInversion`) can be inverted exactly"
    )]
    NotInvertible {
        /// Index of the operation, see `Plan::operations`.
        operation: usize,
        /// Values that it would have to give.
        unknown: usize,
    },
    /// An inversion that would amplify rounding errors beyond use.
    #[error(
        "inverting {steps} steps amplifies rounding errors by {amplification:e}, more than \
         {allowed:e}: use fewer steps, a parameter nearer to 1, or raise `max_amplification`"
    )]
    Amplification {
        /// Steps to invert.
        steps: usize,
        /// Predicted growth of a perturbation.
        amplification: f64,
        /// Largest growth that the options allow.
        allowed: f64,
    },
    /// A plan was given or asked for another number of states than it has.
    #[error("the plan has {expected} {what} states, got {got}")]
    Arity {
        /// Which side of the plan.
        what: &'static str,
        /// States that the plan has.
        expected: usize,
        /// States given or asked for.
        got: usize,
    },
}

/// A run failed. The caller's state is as it was before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// A differential equation could not be solved; times are those of the schedule.
    #[error("the differential equation could not be solved after {step} steps")]
    Solve {
        /// Steps finished.
        step: usize,
        /// What the solver reported.
        #[source]
        source: StepError,
    },
    /// The plan itself is unusable.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A state of the wrong length.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which state.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// A state of the right length and another shape: another array shape, or a pair split elsewhere.
    #[error("{what} has another shape than the first initial state")]
    Shape {
        /// Which state.
        what: &'static str,
    },
    /// A run was to be finished while a step was under way, so that no state was whole.
    #[error("step {step} is under way: finish a run at the end of a step or when it is done")]
    Unfinished {
        /// Step, from 0.
        step: usize,
    },
    /// NaN or infinity in a state or a model output.
    #[error(
        "{what} is not finite at step {step}, t = {t}: check the model and its input range there"
    )]
    NonFinite {
        /// Which value.
        what: &'static str,
        /// Step, from 0.
        step: usize,
        /// Time of the evaluation.
        t: f64,
    },
    /// An adaptive sampler spent its evaluations before the end.
    #[error(
        "{nfe} of at most {max_nfe} evaluations were spent at t = {t}: loosen the tolerances or \
         raise `max_nfe`"
    )]
    Budget {
        /// Evaluations made.
        nfe: usize,
        /// Evaluations allowed.
        max_nfe: usize,
        /// Time reached.
        t: f64,
    },
    /// Weights of one sample (a posterior of noise levels) that describe no distribution.
    #[error("the weights of sample {sample} at step {step} describe no distribution")]
    Weights {
        /// Sample, from 0.
        sample: usize,
        /// Step, from 0.
        step: usize,
        /// What is wrong with them.
        #[source]
        source: WeightError,
    },
    /// A transport map could not be applied.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The model failed.
    #[error("model evaluation failed at step {step}, t = {t}")]
    Eval {
        /// Step, from 0.
        step: usize,
        /// Time of the evaluation.
        t: f64,
        /// What it reported.
        #[source]
        source: EvalError,
    },
}

impl SampleError {
    /// Translates what an equation solver reports: `time` maps its variable to a time.
    pub(crate) fn of_solve(error: StepError, step: usize, time: impl Fn(f64) -> f64) -> Self {
        match error {
            StepError::Eval { t, source } => Self::Eval {
                step,
                t: time(t),
                source,
            },
            StepError::NonFinite { what, t } => Self::NonFinite {
                what: if what == "the field" {
                    "model output"
                } else {
                    "state"
                },
                step,
                t: time(t),
            },
            StepError::StepTooSmall { t, h, error } => Self::Solve {
                step,
                source: StepError::StepTooSmall {
                    t: time(t),
                    h,
                    error,
                },
            },
            StepError::TooManySteps { max_steps, t, end } => Self::Solve {
                step,
                source: StepError::TooManySteps {
                    max_steps,
                    t: time(t),
                    end: time(end),
                },
            },
            source => Self::Solve { step, source },
        }
    }
}
