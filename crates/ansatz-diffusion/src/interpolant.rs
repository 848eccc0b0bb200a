//! Stochastic interpolants: flows and diffusions between any two distributions.
//!
//! A pair (x₀, x₁) and noise z give the path `x_t = a(t)·x₀ + b(t)·x₁ + γ(t)·z`, t from 0 to 1. Its
//! velocity field `b(t, x) = E[ẋ | x]` carries the first distribution to the second, and with the score
//! `s = −E[z | x]/γ` so do the equations `dx = (b ± εs) dt + √(2ε) dW` for any ε ≥ 0. With `v` the mean of
//! the path's rate without noise, `b = v − γγ̇·s`. All quantities are minimisers of
//! `E[½|p|² − p·target]`:
//!
//! | quantity | target | coefficients of x₀, x₁, z |
//! |---|---|---|
//! | [`Target::Velocity`] b | ẋ | ȧ, ḃ, γ̇ |
//! | [`Target::Mean`] v | rate without noise | ȧ, ḃ, 0 |
//! | [`Target::Denoiser`] E[z given x] | z | 0, 0, 1 |
//! | [`Target::Score`] s | −z/γ | 0, 0, −1/γ |
//!
//! One-sided interpolants (x₀ is the noise) and mirrors (x₀ is x₁) are the same with other tables.
//!
//! Cost: one evaluation of b per stage of the equation solver, and of s where ε > 0.
//!
//! Use the equation without noise for likelihoods and few steps; a moderate ε forgives errors of b.
//!
//! Reference: M. Albergo, N. Boffi, E. Vanden-Eijnden, *Stochastic interpolants: a unifying framework for
//! flows and diffusions*, 2023, sections 2 to 4.

mod path;
mod sde;

pub use path::{Coefficients, Gamma, Path};
pub use sde::{BridgeSde, Scheme};

use ansatz_core::{HostState, Scalar, State};

use crate::flow::check_samples;
use crate::{PlanError, SampleError};

/// A path between two distributions.
///
/// ```
/// use ansatz_diffusion::interpolant::{Gamma, Interpolant, Path, Target};
/// let path = Interpolant::TwoSided(Path::Linear, Gamma::Brownian(1.0));
/// let c = path.at(0.25)?;
/// assert_eq!((c.a, c.b, c.gamma), (0.75, 0.25, 0.1875_f64.sqrt()));
/// assert_eq!(c.gamma_product, 0.25); // γγ̇ = ½ − t, finite even where γ̇ is not
/// assert_eq!(path.target(Target::Mean, 0.25)?, [-1.0, 1.0, 0.0]);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Interpolant {
    /// `a·x₀ + b·x₁ + γ·z`.
    TwoSided(Path, Gamma),
    /// `α·z + β·x₁`: the path's a is the noise factor.
    OneSided(Path),
    /// `x₁ + γ·z`, from the data to itself.
    Mirror(Gamma),
}

/// What a network may learn; see the table in [`crate::interpolant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// b, the velocity.
    Velocity,
    /// v, the mean rate of the path without its noise.
    Mean,
    /// E[z | x].
    // Deviation: the reference program learns −E[z | x] under this name; here the name says the sign.
    Denoiser,
    /// s, the score.
    Score,
}

impl Interpolant {
    /// All factors and rates at time `t`.
    ///
    /// # Errors
    /// [`PlanError::Option`] for t outside [0, 1], or a γ that is not real (a Brownian one with a
    /// negative or, on the trigonometric path, too large variance).
    pub fn at(&self, t: f64) -> Result<Coefficients, PlanError> {
        if !(0.0..=1.0).contains(&t) {
            return Err(PlanError::Option {
                name: "t",
                value: t,
                allowed: "0 to 1",
            });
        }
        let c = match self {
            Self::TwoSided(path, gamma) => path.with_noise(t, gamma.at(t)),
            Self::OneSided(path) => path.one_sided(t),
            Self::Mirror(gamma) => Coefficients::mirror(gamma.at(t)),
        };
        match [c.a, c.b, c.gamma].into_iter().find(|v| !v.is_finite()) {
            Some(value) => Err(PlanError::Option {
                name: "gamma",
                value,
                allowed: "a variance from 0, and at most 4 on the trigonometric path",
            }),
            None => Ok(c),
        }
    }

    /// Factors of (x₀, x₁, z) in the target of a regression.
    ///
    /// # Errors
    /// Those of [`Interpolant::at`]; [`PlanError::Option`] where γ = 0 and the target is the score,
    /// or where γ̇ is infinite and it is the velocity.
    ///
    /// ```
    /// use ansatz_diffusion::interpolant::{Gamma, Interpolant, Path, Target};
    /// let path = Interpolant::TwoSided(Path::Linear, Gamma::Brownian(1.0));
    /// assert!(path.target(Target::Score, 0.0).is_err()); // −z/γ with γ = 0
    /// assert_eq!(path.target(Target::Score, 0.5)?, [0.0, 0.0, -2.0]);
    /// # Ok::<(), ansatz_diffusion::PlanError>(())
    /// ```
    pub fn target(&self, target: Target, t: f64) -> Result<[f64; 3], PlanError> {
        let c = self.at(t)?;
        let factors = match target {
            Target::Velocity => [c.a_rate, c.b_rate, c.gamma_rate],
            Target::Mean => [c.a_rate, c.b_rate, 0.0],
            Target::Denoiser => [0.0, 0.0, 1.0],
            Target::Score => [0.0, 0.0, self.score_of_denoiser(t)?],
        };
        if factors.iter().all(|f| f.is_finite()) {
            return Ok(factors);
        }
        Err(PlanError::Option {
            name: "t",
            value: t,
            allowed: "a time at which dγ/dt is finite: keep away from 0 and 1",
        })
    }

    /// The factor −1/γ that turns E[z | x] into the score.
    ///
    /// # Errors
    /// [`PlanError::Option`] where γ = 0, and those of [`Interpolant::at`].
    pub fn score_of_denoiser(&self, t: f64) -> Result<f64, PlanError> {
        let gamma = self.at(t)?.gamma;
        if gamma > 0.0 {
            return Ok(-1.0 / gamma);
        }
        Err(PlanError::Option {
            name: "gamma",
            value: gamma,
            allowed: "a positive number: there is no score without noise; keep t away from 0 and 1",
        })
    }

    /// `x_t` of a pair and noise.
    ///
    /// # Errors
    /// Those of [`Interpolant::at`].
    ///
    /// # Panics
    /// If the states differ in length.
    pub fn point<S: State>(
        &self,
        t: f64,
        [start, end, z]: [&S; 3],
        out: &mut S,
    ) -> Result<(), PlanError> {
        let c = self.at(t)?;
        out.lincomb(0.0, &[(c.a, start), (c.b, end), (c.gamma, z)]);
        Ok(())
    }
}

/// `½|p|² − p·target` of each sample, summed over its elements: the loss whose minimiser is the
/// conditional mean of the target. Its gradient in p is `p − target`.
///
/// For velocity and score, average it over z and −z: the noise of the two cancels where γ̇ or 1/γ is
/// large.
///
/// # Errors
/// [`SampleError::Length`] for unequal lengths, [`PlanError::Option`] when `out` does not divide them.
pub fn loss<S: HostState>(prediction: &S, target: &S, out: &mut [f64]) -> Result<(), SampleError> {
    if prediction.len() != target.len() {
        return Err(SampleError::Length {
            what: "target",
            expected: prediction.len(),
            got: target.len(),
        });
    }
    check_samples(prediction.len(), out.len())?;
    let size = prediction.len() / out.len();
    let rows = prediction
        .as_slice()
        .chunks_exact(size)
        .zip(target.as_slice().chunks_exact(size));
    for (o, (p, y)) in out.iter_mut().zip(rows) {
        *o = p
            .iter()
            .zip(y)
            .map(|(p, y)| p.f64() * (0.5 * p.f64() - y.f64()))
            .sum();
    }
    Ok(())
}
