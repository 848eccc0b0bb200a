//! Adam and `AdamW`.
//!
//! References: D. P. Kingma, J. Ba, *Adam: a method for stochastic optimization*, 2015 (Algorithm 1); I. Loshchilov,
//! F. Hutter, *Decoupled weight decay regularization*, 2019 (Algorithm 2).

use std::borrow::Cow;

use ansatz_core::Scalar;

use super::{Rule, within};
use crate::NetworkError;

/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − rate·m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// β₁ and β₂.
    pub betas: (f64, f64),
    /// ε.
    pub epsilon: f64,
    /// What pulls parameters to zero.
    pub decay: Decay,
}

/// Decay of weights.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Decay {
    /// None.
    #[default]
    None,
    /// The gradient of λ·½‖θ‖² is added to the gradient.
    Penalty(f64),
    /// `AdamW`: θ ← (1 − rate·λ)θ before the step.
    Decoupled(f64),
}

impl Default for Adam {
    /// β = (0.9, 0.999), ε = 1e-8, no decay.
    fn default() -> Self {
        Self {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            decay: Decay::None,
        }
    }
}

impl<T: Scalar> Rule<T> for Adam {
    fn check(&self) -> Result<(), NetworkError> {
        within("β₁", self.betas.0, 0.0..1.0, "0 <= β₁ < 1")?;
        within("β₂", self.betas.1, 0.0..1.0, "0 <= β₂ < 1")?;
        within("ε", self.epsilon, 0.0.., "a number not below 0")?;
        match self.decay {
            Decay::None => Ok(()),
            Decay::Penalty(c) | Decay::Decoupled(c) => {
                within("decay", c, 0.0.., "a number not below 0")
            }
        }
    }

    fn buffers(&self) -> Vec<Cow<'static, str>> {
        vec!["first_moment".into(), "second_moment".into()]
    }

    fn step(
        &mut self,
        step: u64,
        rate: f64,
        gradient: &[T],
        parameters: &mut [T],
        buffers: &mut [Vec<T>],
    ) -> Result<(), NetworkError> {
        let [first, second] = buffers else {
            return Ok(());
        };
        let (penalty, shrink) = match self.decay {
            Decay::None => (0.0, 1.0),
            Decay::Penalty(c) => (c, 1.0),
            Decay::Decoupled(c) => (0.0, 1.0 - rate * c),
        };
        let (b, c) = self.betas;
        let bias = |beta: f64| 1.0 - beta.powf(step as f64);
        let along = T::of(rate / bias(b));
        let root = T::of(bias(c).sqrt().recip());
        let (penalty, shrink, epsilon) = (T::of(penalty), T::of(shrink), T::of(self.epsilon));
        let (b, rest_b, c, rest_c) = (T::of(b), T::of(1.0 - b), T::of(c), T::of(1.0 - c));
        let moments = first.iter_mut().zip(second);
        for ((p, g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = *g + penalty * *p;
            *m = b * *m + rest_b * g;
            *v = c * *v + rest_c * g * g;
            *p = shrink * *p - along * *m / (v.sqrt() * root + epsilon);
        }
        Ok(())
    }
}
