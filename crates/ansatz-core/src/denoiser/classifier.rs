//! Guidance by the gradient of a classifier.

use super::{Denoiser, Scratch};
use crate::{EvalError, NoiseLevel, Prediction, State};

/// `ε̂ = ε − w·σ·∇ log p(c | x)`, in whatever kind the model predicts: w = 0 is the model, w = 1 samples
/// the posterior p(x | c) of an exact classifier.
///
/// Cost: the model and one gradient.
///
/// Reference: P. Dhariwal, A. Nichol, *Diffusion models beat GANs on image synthesis*, 2021,
/// algorithm 2.
pub struct ClassifierGuided<S, D, G> {
    model: D,
    gradient: G,
    scale: f64,
    scratch: Scratch<S>,
}

impl<S, D, G> ClassifierGuided<S, D, G>
where
    S: State,
    D: Denoiser<S>,
    G: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
{
    /// A model, a function `(x, level, out)` that writes ∇ log p(c | x), and the weight w.
    ///
    /// # Errors
    /// [`EvalError::NonFinite`] for a weight that is NaN or infinite.
    pub fn new(model: D, gradient: G, scale: f64) -> Result<Self, EvalError> {
        if !scale.is_finite() {
            return Err(EvalError::NonFinite { what: "scale" });
        }
        Ok(Self {
            model,
            gradient,
            scale,
            scratch: Scratch::default(),
        })
    }
}

impl<S, D, G> Denoiser<S> for ClassifierGuided<S, D, G>
where
    S: State,
    D: Denoiser<S>,
    G: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
{
    fn native(&self) -> Prediction {
        self.model.native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        // The prediction is affine in the score, whose change is w·∇.
        let (_, slope) = if self.native() == Prediction::Score {
            (0.0, 1.0)
        } else {
            let (c_x, c_y) = at.convert(Prediction::Noise, self.native())?;
            (c_x, -at.sigma * c_y)
        };
        self.model.eval_as(self.native(), x, at, out)?;
        self.scratch.with(x, |gradient| {
            (self.gradient)(x, at, gradient)?;
            if gradient.len() != x.len() {
                let (expected, got) = (x.len(), gradient.len());
                return Err(EvalError::Length {
                    what: "gradient of the classifier",
                    expected,
                    got,
                });
            }
            out.lincomb(1.0, &[(self.scale * slope, gradient)]);
            Ok(())
        })
    }
}
