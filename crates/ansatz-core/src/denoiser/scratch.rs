//! Working memory for combinators that are called through `&self`.

use std::sync::{Mutex, PoisonError};

use crate::State;

/// A pool of states that combinators borrow during one evaluation.
///
/// `eval` takes `&self`, so a combinator that needs a second model output keeps it here. The pool
/// grows to the number of evaluations that run at once and then allocates no more. The lock is
/// held for a push or a pop only.
#[derive(Debug)]
pub struct Scratch<S>(Mutex<Vec<S>>);

impl<S> Default for Scratch<S> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<S: State> Scratch<S> {
    /// Runs `f` with a state of the shape of `like` and unspecified contents.
    pub fn with<R>(&self, like: &S, f: impl FnOnce(&mut S) -> R) -> R {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A state of another shape belongs to an earlier use of the model: let it go.
        pool.retain(|s| s.same_shape(like));
        let kept = pool.pop();
        drop(pool);
        let mut state = kept.unwrap_or_else(|| like.zeros_like());
        let result = f(&mut state);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(state);
        result
    }
}
