//! What chains are run on: a log density and its gradient.

use ansatz_core::{DensityDenoiser, EvalError, NoiseLevel, Prediction, State};

/// A distribution known up to a constant, for a batch of chains: equal rows, one after another, as
/// many as `log_density` has elements. Closures qualify.
pub trait Target<S>: Sync {
    /// `log_density[b] ← log p(x_b)` and `score ← ∇ log p(x)`.
    ///
    /// −∞ is a point outside the support. A row must depend on its own chain only.
    ///
    /// # Errors
    /// Whatever the model reports. NaN in a chain that left the domain is no error: its move is
    /// rejected.
    fn eval(&self, x: &S, log_density: &mut [f64], score: &mut S) -> Result<(), EvalError>;
}

impl<S, F> Target<S> for F
where
    F: Fn(&S, &mut [f64], &mut S) -> Result<(), EvalError> + Sync,
{
    fn eval(&self, x: &S, log_density: &mut [f64], score: &mut S) -> Result<(), EvalError> {
        self(x, log_density, score)
    }
}

/// A diffusion model with a density, at one noise level.
#[derive(Debug, Clone, Copy)]
pub struct AtLevel<M> {
    /// The model.
    pub model: M,
    /// The level.
    pub level: NoiseLevel,
}

impl<S: State, M: DensityDenoiser<S>> Target<S> for AtLevel<M> {
    fn eval(&self, x: &S, log_density: &mut [f64], score: &mut S) -> Result<(), EvalError> {
        self.model.log_density(x, &self.level, log_density)?;
        self.model.eval_as(Prediction::Score, x, &self.level, score)
    }
}
