//! Dropout.

use ansatz_autodiff::Array;

use super::Layer;
use crate::{Mode, Pass};

/// In training each element is 0 with probability `rate`, else divided by 1 − `rate`; otherwise nothing happens.
///
/// Reference: N. Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, 2014.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability of 0, in [0, 1).
    pub rate: f64,
}

impl Layer for Dropout {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        if pass.mode() == Mode::Evaluate || self.rate <= 0.0 {
            return x;
        }
        let draws = pass.uniform(&x.shape());
        let keep = draws.filled(self.rate).less(draws);
        keep.select(x * (1.0 - self.rate).recip(), x.zeros())
    }
}
