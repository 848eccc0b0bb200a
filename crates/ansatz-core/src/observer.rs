//! Progress, traces and early stop: the library reports, the caller decides.

use std::ops::ControlFlow;

use crate::NoiseLevel;

/// One finished step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Event<'a, S> {
    /// Steps finished, from 1.
    pub step: usize,
    /// Steps planned; 0 when the method does not know (adaptive step size).
    pub steps: usize,
    /// Model evaluations so far.
    pub nfe: usize,
    /// Where the state now is.
    pub level: NoiseLevel,
    /// The state after the step.
    pub state: &'a S,
    /// The latest estimate of the clean data, when the method has one at hand.
    pub denoised: Option<&'a S>,
}

impl<'a, S> Event<'a, S> {
    /// An event; methods outside this crate make them.
    #[must_use]
    pub fn new(step: usize, steps: usize, nfe: usize, level: NoiseLevel, state: &'a S) -> Self {
        Self {
            step,
            steps,
            nfe,
            level,
            state,
            denoised: None,
        }
    }

    /// The same event with an estimate of the clean data.
    #[must_use]
    pub fn with_denoised(mut self, denoised: Option<&'a S>) -> Self {
        self.denoised = denoised;
        self
    }
}

/// Sees every step, and stops the run by returning [`ControlFlow::Break`].
///
/// `()` observes nothing. A closure observes:
///
/// ```
/// use ansatz_core::{Event, Observer};
/// use std::ops::ControlFlow;
/// let mut trace = Vec::new();
/// let mut observer = |e: &Event<'_, Vec<f64>>| {
///     trace.push(e.state[0]);
///     ControlFlow::Continue(())
/// };
/// fn takes(_: &mut dyn Observer<Vec<f64>>) {}
/// takes(&mut observer);
/// takes(&mut ());
/// ```
pub trait Observer<S> {
    /// Called after each step.
    fn on_step(&mut self, event: &Event<'_, S>) -> ControlFlow<()>;
}

impl<S> Observer<S> for () {
    fn on_step(&mut self, _: &Event<'_, S>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<S, F: FnMut(&Event<'_, S>) -> ControlFlow<()>> Observer<S> for F {
    fn on_step(&mut self, event: &Event<'_, S>) -> ControlFlow<()> {
        self(event)
    }
}

/// What a run cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Model evaluations on one batch.
    pub nfe: usize,
    /// Steps taken.
    pub steps: usize,
    /// Steps rejected by a step-size controller.
    pub rejected: usize,
    /// `true` when an observer ended the run.
    pub stopped_early: bool,
}
