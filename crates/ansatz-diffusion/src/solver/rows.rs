//! What samplers share whose steps depend on the states: evaluating, combining, rows of a batch.

use ansatz_core::{Denoiser, NoiseLevel, Prediction, State};

use crate::{Linear, PlanError, SampleError};

/// Evaluations of one run, counted and checked.
pub(crate) struct Evaluator<'a, S> {
    pub(crate) model: &'a dyn Denoiser<S>,
    pub(crate) want: Prediction,
    pub(crate) nfe: usize,
    pub(crate) step: usize,
}

impl<S: State> Evaluator<'_, S> {
    /// The model on `x` at the level `at`; NaN does not pass.
    pub(crate) fn eval(&mut self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), SampleError> {
        let (step, t) = (self.step, at.t);
        self.model
            .eval_as(self.want, x, at, out)
            .map_err(|source| SampleError::Eval { step, t, source })?;
        self.nfe += 1;
        finite("model output", out, step, t)
    }
}

/// An error unless all elements are numbers.
pub(crate) fn finite(
    what: &'static str,
    x: &impl State,
    step: usize,
    t: f64,
) -> Result<(), SampleError> {
    if x.is_finite() {
        Ok(())
    } else {
        Err(SampleError::NonFinite { what, step, t })
    }
}

/// Length of a row when `x` is `batch` samples; checks the initial state.
pub(crate) fn row_length(x: &impl State, batch: usize, t: f64) -> Result<usize, SampleError> {
    if x.is_empty() {
        return Err(SampleError::Length {
            what: "initial state",
            expected: 1,
            got: 0,
        });
    }
    if batch == 0 || !x.len().is_multiple_of(batch) {
        return Err(SampleError::Plan(PlanError::Option {
            name: "batch",
            value: batch as f64,
            allowed: "a divisor of the number of elements of the state",
        }));
    }
    finite("initial state", x, 0, t)?;
    Ok(x.len() / batch)
}

/// `dst ← sum`, the values of the expression being places in `states`.
pub(crate) fn assign<S: State>(dst: &mut S, sum: &Linear, states: &[&S]) {
    let terms: Vec<(f64, &S)> = sum
        .0
        .iter()
        .map(|(c, v)| (*c, states[v.0 as usize]))
        .collect();
    dst.lincomb(0.0, &terms);
}

/// The largest of some errors, or NaN if one is NaN.
pub(crate) fn worst(errors: &[f64]) -> f64 {
    // Not `max`, which would drop a NaN.
    let larger = |worst, e| if worst >= e { worst } else { e };
    errors.iter().copied().fold(0.0, larger)
}
