//! Vector-Jacobian products of the models, for gradients through sampling.

use ansatz_core::{Denoiser, EvalError, HostState, NoiseLevel, Prediction, VjpDenoiser};

use super::{Analytic, Empirical, Gaussian, Mixture};

/// With `y = c_x·x + c_y·x̂₀(x)`: `x_bar ← c_x·w + c_y·(∂x̂₀/∂x)ᵀ·w`.
fn vjp<S: HostState, M: Denoiser<S> + Analytic>(
    model: &M,
    x: &S,
    at: &NoiseLevel,
    w: &S,
    x_bar: &mut S,
) -> Result<(), EvalError> {
    let (c_x, c_y) = at.convert(Prediction::Data, model.native())?;
    model.posterior_mean_vjp(x.as_slice(), at, w.as_slice(), x_bar.as_mut_slice())?;
    x_bar.lincomb(c_y, &[(c_x, w)]);
    Ok(())
}

macro_rules! differentiable {
    ($($model:ty),*) => {$(
        /// The model has no parameters.
        impl<S: HostState> VjpDenoiser<S> for $model {
            fn vjp(
                &self,
                x: &S,
                at: &NoiseLevel,
                w: &S,
                x_bar: &mut S,
                _: &mut [f64],
            ) -> Result<(), EvalError> {
                vjp(self, x, at, w, x_bar)
            }
        }
    )*};
}

differentiable!(Gaussian, Mixture, Empirical);
