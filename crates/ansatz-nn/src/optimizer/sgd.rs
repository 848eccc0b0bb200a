//! Stochastic gradient descent with momentum.
//!
//! Reference: I. Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013.

use std::borrow::Cow;

use ansatz_core::Scalar;

use super::{Rule, within};
use crate::NetworkError;

/// v ← μ·v + (g + decay·θ), θ ← θ − rate·v, or with Nesterov's look ahead θ ← θ − rate·(g + decay·θ + μ·v): the
/// conventions of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// μ in [0, 1).
    pub momentum: f64,
    /// Whether to look ahead.
    pub lookahead: Lookahead,
    /// Factor of the penalty ½‖θ‖².
    pub weight_decay: f64,
}

/// Where momentum takes its gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lookahead {
    /// Polyak's heavy ball.
    #[default]
    None,
    /// Nesterov's.
    Nesterov,
}

impl Default for Sgd {
    /// Plain descent.
    fn default() -> Self {
        Self {
            momentum: 0.0,
            lookahead: Lookahead::None,
            weight_decay: 0.0,
        }
    }
}

impl<T: Scalar> Rule<T> for Sgd {
    fn check(&self) -> Result<(), NetworkError> {
        within("momentum", self.momentum, 0.0..1.0, "0 <= momentum < 1")?;
        within(
            "weight_decay",
            self.weight_decay,
            0.0..,
            "a number not below 0",
        )
    }

    fn buffers(&self) -> Vec<Cow<'static, str>> {
        vec!["velocity".into()]
    }

    fn step(
        &mut self,
        _: u64,
        rate: f64,
        gradient: &[T],
        parameters: &mut [T],
        buffers: &mut [Vec<T>],
    ) -> Result<(), NetworkError> {
        let [velocity] = buffers else {
            return Ok(());
        };
        let (mu, rate, decay) = (T::of(self.momentum), T::of(rate), T::of(self.weight_decay));
        for ((p, g), v) in parameters.iter_mut().zip(gradient).zip(velocity) {
            let g = *g + decay * *p;
            *v = mu * *v + g;
            let along = match self.lookahead {
                Lookahead::None => *v,
                Lookahead::Nesterov => g + mu * *v,
            };
            *p -= rate * along;
        }
        Ok(())
    }
}
