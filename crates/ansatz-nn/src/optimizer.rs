//! Methods that go downhill by gradients of batches.
//!
//! A [`Rule`] says how one step changes the flat vector of parameters, and which buffers as long as that vector it
//! keeps; [`Optimizer`] owns the buffers and the count of steps, so that every rule is saved and resumed alike.

mod adam;
mod lbfgs;
mod line_search;
mod m_fac;
mod schedule;
mod sgd;

use std::borrow::Cow;
use std::fmt::Debug;

use ansatz_core::Scalar;

pub use adam::{Adam, Decay};
pub use lbfgs::{Descent, Iterate, Lbfgs, Stop};
pub use line_search::StrongWolfe;
pub use m_fac::{MFac, MFacOptions, Zeros};
pub use schedule::Schedule;
pub use sgd::{Lookahead, Sgd};

use crate::NetworkError;

/// A rule for one step. How it prints with [`Debug`] is written to checkpoints, so that a training is not resumed by
/// another rule.
pub trait Rule<T>: Debug {
    /// Whether its options are in their ranges.
    ///
    /// # Errors
    /// [`NetworkError::Option`].
    fn check(&self) -> Result<(), NetworkError> {
        Ok(())
    }

    /// Names of the buffers that it keeps, each as long as the parameters, all zeros at the start.
    fn buffers(&self) -> Vec<Cow<'static, str>>;

    /// Drops what it may have derived from buffers: they were replaced.
    fn forget(&mut self) {}

    /// Changes the parameters; `step` counts from 1.
    ///
    /// # Errors
    /// When there is no step to take; the parameters are then as they were.
    fn step(
        &mut self,
        step: u64,
        rate: f64,
        gradient: &[T],
        parameters: &mut [T],
        buffers: &mut [Vec<T>],
    ) -> Result<(), NetworkError>;
}

/// A rule at work.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer<T, R> {
    /// The rule.
    pub rule: R,
    steps: u64,
    buffers: Vec<Vec<T>>,
}

impl<T: Scalar, R: Rule<T>> Optimizer<T, R> {
    /// A rule for `n` parameters.
    #[must_use]
    pub fn new(mut rule: R, n: usize) -> Self {
        rule.forget();
        let buffers = rule.buffers().iter().map(|_| vec![T::zero(); n]).collect();
        Self {
            rule,
            steps: 0,
            buffers,
        }
    }

    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with a learning rate.
    ///
    /// # Errors
    /// Those of the rule; nothing is changed then.
    ///
    /// # Panics
    /// When the gradient or the parameters have another length than the optimiser was made for.
    pub fn step(
        &mut self,
        rate: f64,
        gradient: &[T],
        parameters: &mut [T],
    ) -> Result<(), NetworkError> {
        assert_eq!(
            gradient.len(),
            parameters.len(),
            "a slope for each parameter"
        );
        if let Some(buffer) = self.buffers.first() {
            assert_eq!(buffer.len(), parameters.len(), "the optimiser's parameters");
        }
        let (step, buffers) = (self.steps + 1, &mut self.buffers);
        self.rule.step(step, rate, gradient, parameters, buffers)?;
        self.steps = step;
        Ok(())
    }

    /// Names and values of the buffers, to be saved.
    pub fn buffers(&self) -> impl Iterator<Item = (Cow<'static, str>, &[T])> {
        let names = self.rule.buffers().into_iter();
        names.zip(self.buffers.iter().map(|b| &b[..]))
    }

    /// Goes on from buffers that were saved: `None` when one is missing or has another length.
    #[must_use]
    pub fn resumed<'a>(
        mut self,
        steps: u64,
        saved: impl Fn(&str) -> Option<&'a [T]>,
    ) -> Option<Self> {
        for (name, buffer) in self.rule.buffers().iter().zip(&mut self.buffers) {
            let values = saved(name)?;
            if values.len() != buffer.len() {
                return None;
            }
            buffer.copy_from_slice(values);
        }
        self.rule.forget();
        self.steps = steps;
        Some(self)
    }
}

/// Refuses an option outside its range.
pub(crate) fn within(
    name: &'static str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    needed: &'static str,
) -> Result<(), NetworkError> {
    if value.is_finite() && range.contains(&value) {
        Ok(())
    } else {
        Err(NetworkError::Option {
            name,
            value,
            needed,
        })
    }
}
