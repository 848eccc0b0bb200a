//! A diffusion model in any parametrisation, and combinators around one.
//!
//! Solvers ask for the kind of prediction that they need ([`Denoiser::eval_as`]); the conversion
//! happens here, once, in one fused pass. Guidance and clipping are models around models, so they
//! work with every solver.

mod classifier;
mod counted;
mod dynamic;
mod from_fn;
mod guided;
mod interval;
mod rescaled;
mod scratch;
mod threshold;

pub use classifier::ClassifierGuided;
pub use counted::Counted;
pub use dynamic::DynamicThreshold;
pub use from_fn::{FromFn, from_fn};
pub use guided::Guided;
pub use interval::OnInterval;
pub use rescaled::Rescaled;
pub use scratch::Scratch;
pub use threshold::Clamped;

use crate::{EvalError, NoiseLevel, Prediction, State};

/// A model `y = f(x, level)` that predicts one kind of quantity.
pub trait Denoiser<S: State>: Sync {
    /// What [`Denoiser::eval`] returns.
    fn native(&self) -> Prediction;

    /// Evaluates the model on `x` at the noise level `at`.
    ///
    /// # Errors
    /// Whatever the model reports.
    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError>;

    /// Evaluates and converts to the kind `want`, in place.
    ///
    /// # Errors
    /// Those of [`Denoiser::eval`] and of [`NoiseLevel::convert`].
    fn eval_as(
        &self,
        want: Prediction,
        x: &S,
        at: &NoiseLevel,
        out: &mut S,
    ) -> Result<(), EvalError> {
        // Before the call: an impossible conversion must not cost a model evaluation.
        let (c_x, c_y) = at.convert(self.native(), want)?;
        self.eval(x, at, out)?;
        if out.len() != x.len() {
            return Err(EvalError::Length {
                what: "model output",
                expected: x.len(),
                got: out.len(),
            });
        }
        if self.native() != want {
            out.lincomb(c_y, &[(c_x, x)]);
        }
        Ok(())
    }
}

impl<S: State, D: Denoiser<S> + ?Sized> Denoiser<S> for &D {
    fn native(&self) -> Prediction {
        (**self).native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        (**self).eval(x, at, out)
    }

    fn eval_as(
        &self,
        want: Prediction,
        x: &S,
        at: &NoiseLevel,
        out: &mut S,
    ) -> Result<(), EvalError> {
        (**self).eval_as(want, x, at, out)
    }
}

/// A model with the products that gradients through sampling need.
pub trait VjpDenoiser<S: State>: Denoiser<S> {
    /// Number of parameters (weights, conditioning) that gradients are taken of.
    fn params(&self) -> usize {
        0
    }

    /// With y the output of [`Denoiser::eval`]: `x_bar ← (∂y/∂x)ᵀ·w` and `p_bar += (∂y/∂p)ᵀ·w`.
    ///
    /// # Errors
    /// Whatever the model reports.
    fn vjp(
        &self,
        x: &S,
        at: &NoiseLevel,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError>;
}

impl<S: State, D: VjpDenoiser<S> + ?Sized> VjpDenoiser<S> for &D {
    fn params(&self) -> usize {
        (**self).params()
    }

    fn vjp(
        &self,
        x: &S,
        at: &NoiseLevel,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        (**self).vjp(x, at, w, x_bar, p_bar)
    }
}

/// A model that knows the divergence of its prediction, which likelihoods need.
///
/// A batch is a state of equal samples one after another; their number is the length of the
/// argument `divergence`.
pub trait DivergenceDenoiser<S: State>: Denoiser<S> {
    /// With y the output of [`Denoiser::eval`]: `divergence[b] ← Σ ∂yᵢ/∂xᵢ` over the elements of
    /// sample b.
    ///
    /// # Errors
    /// Whatever the model reports, such as a number of samples that does not divide the state.
    fn divergence(&self, x: &S, at: &NoiseLevel, divergence: &mut [f64]) -> Result<(), EvalError>;

    /// The prediction in the kind `want` and its divergence.
    ///
    /// # Errors
    /// Those of [`Denoiser::eval_as`] and [`DivergenceDenoiser::divergence`].
    fn eval_divergence_as(
        &self,
        want: Prediction,
        x: &S,
        at: &NoiseLevel,
        out: &mut S,
        divergence: &mut [f64],
    ) -> Result<(), EvalError> {
        let (c_x, c_y) = at.convert(self.native(), want)?;
        self.eval_as(want, x, at, out)?;
        self.divergence(x, at, divergence)?;
        let elements = x.len() as f64 / divergence.len().max(1) as f64;
        for d in divergence {
            *d = c_x * elements + c_y * *d;
        }
        Ok(())
    }
}

impl<S: State, D: DivergenceDenoiser<S> + ?Sized> DivergenceDenoiser<S> for &D {
    fn divergence(&self, x: &S, at: &NoiseLevel, divergence: &mut [f64]) -> Result<(), EvalError> {
        (**self).divergence(x, at, divergence)
    }
}

/// A model that is the gradient of a log density which it knows: energy-based models, closed forms.
pub trait DensityDenoiser<S: State>: DivergenceDenoiser<S> {
    /// `log_density[b] ← log p(x_b)` of sample b at the level `at`, up to a constant that depends on
    /// neither x nor the level.
    ///
    /// # Errors
    /// Whatever the model reports, such as a number of samples that does not divide the state.
    fn log_density(&self, x: &S, at: &NoiseLevel, log_density: &mut [f64])
    -> Result<(), EvalError>;
}

impl<S: State, D: DensityDenoiser<S> + ?Sized> DensityDenoiser<S> for &D {
    fn log_density(
        &self,
        x: &S,
        at: &NoiseLevel,
        log_density: &mut [f64],
    ) -> Result<(), EvalError> {
        (**self).log_density(x, at, log_density)
    }
}

/// Elements of one of `samples` equal samples.
fn sample_len(len: usize, samples: usize) -> Result<usize, EvalError> {
    let size = len / samples.max(1);
    if size > 0 && size * samples == len {
        Ok(size)
    } else {
        Err(EvalError::Length {
            what: "state (a multiple of `samples`)",
            expected: samples * size.max(1),
            got: len,
        })
    }
}
