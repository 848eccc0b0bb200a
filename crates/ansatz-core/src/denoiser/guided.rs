//! Classifier-free guidance.

use super::{Denoiser, Scratch};
use crate::{EvalError, NoiseLevel, Prediction, State};

/// `y = y_u + w·(y_c − y_u)`: w = 1 is the conditional model, w = 0 the unconditional one.
///
/// Both models are read in the kind that the conditional one predicts; the rule gives the same
/// trajectory in every kind, because all kinds are affine in one another.
///
/// Reference: J. Ho, T. Salimans, *Classifier-free diffusion guidance*, 2022 (whose own weight is
/// w − 1).
pub struct Guided<S, C, U> {
    conditional: C,
    unconditional: U,
    guidance_scale: f64,
    scratch: Scratch<S>,
}

impl<S: State, C: Denoiser<S>, U: Denoiser<S>> Guided<S, C, U> {
    /// Couples two models with weight `guidance_scale`.
    ///
    /// # Errors
    /// [`EvalError::NonFinite`] for a scale that is NaN or infinite.
    pub fn new(conditional: C, unconditional: U, guidance_scale: f64) -> Result<Self, EvalError> {
        if !guidance_scale.is_finite() {
            return Err(EvalError::NonFinite {
                what: "guidance_scale",
            });
        }
        Ok(Self {
            conditional,
            unconditional,
            guidance_scale,
            scratch: Scratch::default(),
        })
    }

    /// The conditional prediction and the guided one, in the kind `want`.
    pub(super) fn eval_both(
        &self,
        want: Prediction,
        x: &S,
        at: &NoiseLevel,
        conditional: &mut S,
        guided: &mut S,
    ) -> Result<(), EvalError> {
        let w = self.guidance_scale;
        self.conditional.eval_as(want, x, at, conditional)?;
        self.unconditional.eval_as(want, x, at, guided)?;
        guided.lincomb(1.0 - w, &[(w, conditional)]);
        Ok(())
    }
}

impl<S: State, C: Denoiser<S>, U: Denoiser<S>> Denoiser<S> for Guided<S, C, U> {
    fn native(&self) -> Prediction {
        self.conditional.native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let w = self.guidance_scale;
        // Not `eval`: what the model leaves in `out` has to fit before it is combined.
        self.conditional.eval_as(self.native(), x, at, out)?;
        self.scratch.with(x, |u| {
            self.unconditional.eval_as(self.native(), x, at, u)?;
            out.lincomb(w, &[(1.0 - w, u)]);
            Ok(())
        })
    }
}
