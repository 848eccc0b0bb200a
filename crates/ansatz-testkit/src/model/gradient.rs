//! Derivatives of the predictions: vector-Jacobian products for gradients through sampling, and the
//! divergence for likelihoods.

use ansatz_core::{
    Denoiser, DensityDenoiser, DivergenceDenoiser, EvalError, HostState, NoiseLevel, Prediction,
    VjpDenoiser,
};

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

/// With `y = c_x·x + c_y·x̂₀(x)`: `c_x·dim + c_y·tr(∂x̂₀/∂x)`, and the trace of the posterior mean's
/// Jacobian is `(dim + σ²·Δ log p)/α`.
fn divergence<S: HostState, M: Denoiser<S> + Analytic>(
    model: &M,
    x: &S,
    at: &NoiseLevel,
    out: &mut [f64],
) -> Result<(), EvalError> {
    let (c_x, c_y) = at.convert(Prediction::Data, model.native())?;
    model.laplacian(x.as_slice(), at, out)?;
    let dim = model.dim() as f64;
    for d in out {
        // Without signal the posterior is the prior, whatever x.
        let trace = if at.alpha == 0.0 {
            0.0 * *d
        } else {
            (dim + at.sigma * at.sigma * *d) / at.alpha
        };
        *d = c_x * dim + c_y * trace;
    }
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

        impl<S: HostState> DivergenceDenoiser<S> for $model {
            fn divergence(
                &self,
                x: &S,
                at: &NoiseLevel,
                out: &mut [f64],
            ) -> Result<(), EvalError> {
                divergence(self, x, at, out)
            }
        }

        impl<S: HostState> DensityDenoiser<S> for $model {
            fn log_density(
                &self,
                x: &S,
                at: &NoiseLevel,
                out: &mut [f64],
            ) -> Result<(), EvalError> {
                Analytic::log_density(self, x.as_slice(), at, out)
            }
        }
    )*};
}

differentiable!(Gaussian, Mixture, Empirical);
