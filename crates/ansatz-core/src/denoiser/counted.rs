//! Counting model evaluations.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Denoiser;
use crate::{EvalError, NoiseLevel, Prediction, State};

/// A model that counts its evaluations (NFE), whoever asks for them.
#[derive(Debug, Default)]
pub struct Counted<D> {
    inner: D,
    nfe: AtomicUsize,
}

impl<D> Counted<D> {
    /// Starts at 0.
    pub fn new(inner: D) -> Self {
        Self {
            inner,
            nfe: AtomicUsize::new(0),
        }
    }

    /// Evaluations so far.
    pub fn nfe(&self) -> usize {
        self.nfe.load(Ordering::Relaxed)
    }
}

impl<S: State, D: Denoiser<S>> Denoiser<S> for Counted<D> {
    fn native(&self) -> Prediction {
        self.inner.native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        self.nfe.fetch_add(1, Ordering::Relaxed);
        self.inner.eval(x, at, out)
    }
}
