//! A mixture of normal distributions with full covariances.

mod closed_form;
mod moments;

use ansatz_core::{Denoiser, EvalError, HostState, NoiseLevel, Prediction};

use super::kernel;
use crate::error::{finite, length, non_negative};
use crate::{ModelError, eigen};

/// Weights must sum to 1, and covariances be symmetric, within this.
const TOLERANCE: f64 = 1e-12;

/// Data from Σ wₖ N(μₖ, Sₖ).
///
/// With `Cₖ = α²Sₖ + σ²I`, `rₖ = x − αμₖ`, `qₖ = Cₖ⁻¹rₖ` and the responsibilities
/// `γₖ ∝ wₖ N(x; αμₖ, Cₖ)`: score `−Σ γₖqₖ`, posterior mean `x̂₀ = Σ γₖmₖ` with
/// `mₖ = μₖ + αSₖqₖ`, Jacobian `Σ γₖ(αSₖCₖ⁻¹ − (mₖ − x̂₀)(qₖ − q̄)ᵀ)`, and
/// `Δ log p = Σ γₖ(|qₖ − q̄|² − tr Cₖ⁻¹)`. Each `Sₖ` is diagonalised once, so every `Cₖ⁻¹` is a
/// scaling. Cost: about `4·K·dim²` operations per row.
///
/// ```
/// use ansatz_core::NoiseLevel;
/// use ansatz_testkit::{Analytic, Mixture};
/// let model = Mixture::new(&[0.5, 0.5], &[-1.0, 1.0], &[0.01, 0.01])?; // two bumps on a line
/// let mut mean = [0.0_f64];
/// model.posterior_mean(&[0.5], &NoiseLevel::new(0.1, 1.0, 0.1), &mut mean)?;
/// assert!((mean[0] - 0.75).abs() < 1e-12); // halfway between the observation and the right bump
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    dim: usize,
    components: Vec<Component>,
    kind: Prediction,
}

#[derive(Debug, Clone, PartialEq)]
struct Component {
    weight: f64,
    mean: Vec<f64>,
    /// `[dim, dim]`, row-major.
    covariance: Vec<f64>,
    /// Eigenvalues of the covariance.
    values: Vec<f64>,
    /// Row `j` is the eigenvector of eigenvalue `j`.
    axes: Vec<f64>,
}

impl Mixture {
    /// A mixture of K components: `weights` is `[K]`, `means` `[K, dim]`, `covariances`
    /// `[K, dim, dim]`, all flat and row-major. Eigenvalues may be 0.
    ///
    /// # Errors
    /// [`ModelError`] for empty, wrongly sized or non-finite arguments, weights that are negative
    /// or do not sum to 1 within 1e-12, and covariances that are not symmetric or have a negative
    /// eigenvalue.
    pub fn new(weights: &[f64], means: &[f64], covariances: &[f64]) -> Result<Self, ModelError> {
        let count = weights.len();
        if count == 0 {
            return Err(ModelError::Empty { what: "weights" });
        }
        if means.len() < count {
            return Err(ModelError::Empty { what: "means" });
        }
        let dim = means.len() / count;
        length("means", count * dim, means.len())?;
        length("covariances", count * dim * dim, covariances.len())?;
        finite("weights", weights)?;
        finite("means", means)?;
        finite("covariances", covariances)?;
        non_negative("weights", weights)?;
        let sum: f64 = weights.iter().sum();
        if (sum - 1.0).abs() > TOLERANCE {
            return Err(ModelError::Weights { sum });
        }
        let components = covariances
            .chunks_exact(dim * dim)
            .enumerate()
            .map(|(k, s)| {
                let (values, axes) = diagonalise(k, s, dim)?;
                Ok(Component {
                    weight: weights[k],
                    mean: means[k * dim..][..dim].to_vec(),
                    covariance: s.to_vec(),
                    values,
                    axes,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            dim,
            components,
            kind: Prediction::Data,
        })
    }

    /// The test bed of [`crate::tb1`]: three components in the plane.
    #[must_use]
    pub fn tb1() -> Self {
        let components = crate::tb1::COMPONENTS
            .iter()
            .map(|(weight, mean, covariance)| {
                let covariance = covariance.concat();
                let (values, axes) = eigen::symmetric(&covariance, 2);
                Component {
                    weight: *weight,
                    mean: mean.to_vec(),
                    covariance,
                    values,
                    axes,
                }
            })
            .collect();
        Self {
            dim: 2,
            components,
            kind: Prediction::Data,
        }
    }

    /// The same distribution as a model that predicts `kind`; a new model predicts the data.
    #[must_use]
    pub fn predicting(mut self, kind: Prediction) -> Self {
        self.kind = kind;
        self
    }
}

impl<S: HostState> Denoiser<S> for Mixture {
    fn native(&self) -> Prediction {
        self.kind
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        kernel::eval(self, self.kind, x, at, out)
    }
}

fn diagonalise(k: usize, s: &[f64], dim: usize) -> Result<(Vec<f64>, Vec<f64>), ModelError> {
    let scale = s.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for row in 0..dim {
        for column in row + 1..dim {
            let difference = s[row * dim + column] - s[column * dim + row];
            if difference.abs() > TOLERANCE * scale {
                return Err(ModelError::NotSymmetric {
                    component: k,
                    row,
                    column,
                    difference,
                });
            }
        }
    }
    let (mut values, axes) = eigen::symmetric(s, dim);
    for value in &mut values {
        if *value < -TOLERANCE * scale {
            return Err(ModelError::NegativeEigenvalue {
                component: k,
                value: *value,
            });
        }
        // A zero eigenvalue comes out of the rotations as ±1e-17.
        *value = value.max(0.0);
    }
    Ok((values, axes))
}
