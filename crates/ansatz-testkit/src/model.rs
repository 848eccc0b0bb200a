//! Distributions whose noisy versions are known in closed form, as diffusion models.
//!
//! For data `x₀` and a noisy point `x = α·x₀ + σ·ε`, each model gives the log density of `x`, its
//! gradient (the score), the posterior mean `E[x₀ | x]` and its Jacobian without any training, so
//! that a solver, a likelihood or an inverse method can be compared with the truth.
//!
//! - [`Gaussian`]: one normal distribution with independent coordinates; has an exact flow map.
//! - [`Mixture`]: normal distributions with full covariances; multimodal, smooth, low dimension.
//! - [`Empirical`]: the points of a data set; the model that an ideal network would memorise.
//! - [`Bridge`]: a stochastic interpolant between two mixtures, with its velocity and score.
//!
//! Batches are flat: `[batch, dim]` in row-major order. Everything is computed in `f64` from
//! forms without cancellation (`x̂₀ = μ + α·S·C⁻¹·r` with `C = α²S + σ²I`, `r = x − αμ`), so the
//! posterior mean keeps its digits when α → 0 and the noise keeps them when σ → 0; other kinds of
//! prediction are mixed from these two and never converted from one another. An `f32` output is
//! rounded once. Results have the same bits for any number of threads, and calls after the first
//! on a thread allocate nothing.

mod bridge;
mod empirical;
mod gaussian;
mod gradient;
mod kernel;
mod mixture;

use ansatz_core::{EvalError, NoiseLevel, Scalar};

pub use bridge::{Bridge, Mix};
pub use empirical::Empirical;
pub use gaussian::Gaussian;
pub use mixture::Mixture;

/// Closed forms that every model of this module knows, at any noise level.
///
/// `x` is `[batch, dim]`, flat and row-major.
///
/// ```
/// use ansatz_core::NoiseLevel;
/// use ansatz_testkit::{Analytic, Mixture};
/// let model = Mixture::tb1();
/// let mut score = [0.0; 2];
/// model.score(&[0.3, -0.2], &NoiseLevel::new(0.5, 0.28, 0.96), &mut score)?;
/// assert!(score[0] < 0.0 && score[1] > 0.0);
/// # Ok::<(), ansatz_core::EvalError>(())
/// ```
///
/// # Errors
/// All methods return [`EvalError::Length`] when an argument does not hold whole rows, or not as
/// many as `x`, [`EvalError::NonFinite`] for a noise level that is not finite, and
/// [`EvalError::OutOfRange`] where the noisy distribution has no density (σ = 0 and a variance
/// of 0). NaN in a row of `x` gives NaN in the same row of the result.
pub trait Analytic {
    /// Length of one row.
    fn dim(&self) -> usize;

    /// log p(x) at the level `at`; `out` is `[batch]`.
    ///
    /// # Errors
    /// See [`Analytic`].
    fn log_density<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        out: &mut [f64],
    ) -> Result<(), EvalError>;

    /// ∇ log p(x); `out` is `[batch, dim]`.
    ///
    /// # Errors
    /// See [`Analytic`].
    fn score<T: Scalar>(&self, x: &[T], at: &NoiseLevel, out: &mut [T]) -> Result<(), EvalError>;

    /// E[x₀ | x]; `out` is `[batch, dim]`.
    ///
    /// # Errors
    /// See [`Analytic`].
    fn posterior_mean<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        out: &mut [T],
    ) -> Result<(), EvalError>;

    /// `(∂x̂₀/∂x)ᵀ·w` of the posterior mean, row by row; `w` and `out` are `[batch, dim]`.
    ///
    /// The Jacobian is symmetric, `(α/σ²)·Cov[x₀ | x]`, so this is its product with `w` as well.
    ///
    /// # Errors
    /// See [`Analytic`].
    fn posterior_mean_vjp<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        w: &[T],
        out: &mut [T],
    ) -> Result<(), EvalError>;

    /// Δ log p(x), the divergence of the score; `out` is `[batch]`.
    ///
    /// # Errors
    /// See [`Analytic`].
    fn laplacian<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        out: &mut [f64],
    ) -> Result<(), EvalError>;
}
