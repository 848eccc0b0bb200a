//! A mixture of normal distributions with full covariances.

use ansatz_core::{Denoiser, EvalError, HostState, NoiseLevel, Prediction};

use super::kernel::{self, Kernel, Posterior};
use crate::error::{finite, length, non_negative};
use crate::scratch::split;
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
pub(super) struct Component {
    pub(super) weight: f64,
    pub(super) mean: Vec<f64>,
    /// `[dim, dim]`, row-major.
    pub(super) covariance: Vec<f64>,
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

    pub(super) fn components(&self) -> &[Component] {
        &self.components
    }

    /// Responsibilities γ `[K]`, `q` and `m` `[K, dim]`, and log p, of one row.
    fn components_at(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        [gamma, q, m]: [&mut [f64]; 3],
    ) -> f64 {
        let dim = self.dim;
        let mut top = f64::NEG_INFINITY;
        for (k, component) in self.components.iter().enumerate() {
            let part = &constants[k * (dim + 1)..][..=dim];
            let (q, m) = (&mut q[k * dim..][..dim], &mut m[k * dim..][..dim]);
            q.fill(0.0);
            m.copy_from_slice(&component.mean);
            let mut square = 0.0;
            for j in 0..dim {
                let axis = &component.axes[j * dim..][..dim];
                let mut y = 0.0;
                for i in 0..dim {
                    y += axis[i] * (x[i] - at.alpha * component.mean[i]);
                }
                let z = y * part[j];
                square += y * z;
                let shrunk = at.alpha * component.values[j] * z;
                for i in 0..dim {
                    q[i] += axis[i] * z;
                    m[i] += axis[i] * shrunk;
                }
            }
            gamma[k] = part[dim] - 0.5 * square;
            top = top.max(gamma[k]);
        }
        let mut sum = 0.0;
        for g in &mut *gamma {
            *g = (*g - top).exp();
            sum += *g;
        }
        for g in gamma {
            *g /= sum;
        }
        top + sum.ln()
    }

    fn pieces<'a>(&self, scratch: &'a mut [f64]) -> [&'a mut [f64]; 3] {
        let count = self.components.len();
        split(scratch, [count, count * self.dim, count * self.dim])
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

impl<S: HostState> Denoiser<S> for Mixture {
    fn native(&self) -> Prediction {
        self.kind
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        kernel::eval(self, self.kind, x, at, out)
    }
}

impl Kernel for Mixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn work(&self) -> usize {
        self.components.len() * (30 + 8 * self.dim * self.dim)
    }

    /// Per component: 1/c per eigenvalue, then the log of weight times normalising factor.
    fn constants_len(&self) -> usize {
        self.components.len() * (self.dim + 1)
    }

    fn prepare(&self, at: &NoiseLevel, constants: &mut [f64]) -> Result<(), EvalError> {
        for (part, component) in constants
            .chunks_exact_mut(self.dim + 1)
            .zip(&self.components)
        {
            let mut log_norm = component.weight.ln();
            for (inverse, value) in part.iter_mut().zip(&component.values) {
                let c = at.alpha * at.alpha * value + at.sigma * at.sigma;
                if c <= 0.0 {
                    return Err(kernel::degenerate(at));
                }
                *inverse = 1.0 / c;
                log_norm -= 0.5 * (std::f64::consts::TAU * c).ln();
            }
            part[self.dim] = log_norm;
        }
        Ok(())
    }

    fn scratch_len(&self, _: usize) -> usize {
        self.components.len() * (1 + 2 * self.dim)
    }

    fn posterior(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        out: Posterior<'_>,
        scratch: &mut [f64],
    ) {
        let dim = self.dim;
        let [gamma, q, m] = self.pieces(scratch);
        for (i, log_p) in out.log_density.iter_mut().enumerate() {
            let row = i * dim..(i + 1) * dim;
            *log_p = self.components_at(
                at,
                constants,
                &x[row.clone()],
                [&mut *gamma, &mut *q, &mut *m],
            );
            for (j, (data, score)) in out.data[row.clone()]
                .iter_mut()
                .zip(&mut out.score[row])
                .enumerate()
            {
                *data = average(gamma, m, dim, j);
                *score = -average(gamma, q, dim, j);
            }
        }
    }

    fn vjp(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        w: &[f64],
        out: &mut [f64],
        scratch: &mut [f64],
    ) {
        let dim = self.dim;
        let [gamma, q, m] = self.pieces(scratch);
        self.components_at(at, constants, x, [&mut *gamma, &mut *q, &mut *m]);
        out.fill(0.0);
        // Deviations from the mean of the components replace q and m.
        for j in 0..dim {
            let (mean_q, mean_m) = (average(gamma, q, dim, j), average(gamma, m, dim, j));
            for k in 0..gamma.len() {
                q[k * dim + j] -= mean_q;
                m[k * dim + j] -= mean_m;
            }
        }
        for (k, component) in self.components.iter().enumerate() {
            let part = &constants[k * (dim + 1)..][..dim];
            let along: f64 = (0..dim).map(|j| q[k * dim + j] * w[j]).sum();
            for j in 0..dim {
                out[j] -= gamma[k] * m[k * dim + j] * along;
            }
            for j in 0..dim {
                let axis = &component.axes[j * dim..][..dim];
                let y: f64 = axis.iter().zip(w).map(|(a, w)| a * w).sum();
                let z = gamma[k] * at.alpha * component.values[j] * part[j] * y;
                for i in 0..dim {
                    out[i] += axis[i] * z;
                }
            }
        }
    }

    fn laplacian(&self, at: &NoiseLevel, constants: &[f64], x: &[f64], scratch: &mut [f64]) -> f64 {
        let dim = self.dim;
        let [gamma, q, m] = self.pieces(scratch);
        self.components_at(at, constants, x, [&mut *gamma, &mut *q, m]);
        let mut sum = 0.0;
        for j in 0..dim {
            let mean = average(gamma, q, dim, j);
            for (k, g) in gamma.iter().enumerate() {
                let spread = q[k * dim + j] - mean;
                sum += g * (spread * spread - constants[k * (dim + 1) + j]);
            }
        }
        sum
    }
}

/// Σ γₖ·vₖⱼ
fn average(gamma: &[f64], v: &[f64], dim: usize, j: usize) -> f64 {
    gamma
        .iter()
        .enumerate()
        .map(|(k, g)| g * v[k * dim + j])
        .sum()
}
