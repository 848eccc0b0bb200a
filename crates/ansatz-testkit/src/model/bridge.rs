//! A stochastic interpolant between two Gaussian mixtures.

use ansatz_core::EvalError;

use super::Mixture;
use crate::ModelError;

/// Where an interpolant `x = a·x₀ + b·x₁ + γ·z` stands, and how it moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Factor of x₀.
    pub a: f64,
    /// Factor of x₁.
    pub b: f64,
    /// γ².
    pub gamma_squared: f64,
    /// da/dt.
    pub a_rate: f64,
    /// db/dt.
    pub b_rate: f64,
    /// γ·dγ/dt, finite also where dγ/dt is not.
    pub gamma_product: f64,
}

/// `x = a·x₀ + b·x₁ + γ·z` with independent x₀, x₁ from Gaussian mixtures and standard normal z.
///
/// The marginal is the mixture over pairs with means `m = a·mᵢ + b·μⱼ` and covariances
/// `C = a²Aᵢ + b²Sⱼ + γ²I`; the velocity is `E[ẋ | x] = Σ π(ṁ + ½ĊC⁻¹(x − m))`. Rows of `x` are samples.
/// Cost: K₀·K₁ Cholesky factorisations per row; meant for small dimensions.
///
/// ```
/// use ansatz_testkit::{Bridge, Mix, Mixture};
/// let one = |mean, variance| (vec![1.0], vec![mean], vec![variance]);
/// let bridge = Bridge::new(one(0.0, 1.0), one(2.0, 1.0))?;
/// // Halfway along the straight line without noise.
/// let mix = Mix { a: 0.5, b: 0.5, gamma_squared: 0.0, a_rate: -1.0, b_rate: 1.0, gamma_product: 0.0 };
/// let mut velocity = [f64::NAN];
/// bridge.velocity(&[1.0], &mix, &mut velocity)?;
/// assert_eq!(velocity, [2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bridge {
    dim: usize,
    start: Parts,
    end: Parts,
}

/// Weights `[K]`, means `[K, dim]` and covariances `[K, dim, dim]` of a mixture.
type Parts = (Vec<f64>, Vec<f64>, Vec<f64>);

/// What is known at one row.
struct Local {
    log_density: f64,
    velocity: Vec<f64>,
    score: Vec<f64>,
    divergence: f64,
}

impl Bridge {
    /// Between two mixtures, each given by weights, means and covariances as for [`Mixture::new`].
    ///
    /// # Errors
    /// Those of [`Mixture::new`], and [`ModelError::Length`] for different dimensions.
    pub fn new(start: Parts, end: Parts) -> Result<Self, ModelError> {
        for parts in [&start, &end] {
            Mixture::new(&parts.0, &parts.1, &parts.2)?;
        }
        let (dim, other) = (start.1.len() / start.0.len(), end.1.len() / end.0.len());
        if dim != other {
            return Err(ModelError::Length {
                what: "dimension of the end",
                expected: dim,
                got: other,
            });
        }
        Ok(Self { dim, start, end })
    }

    /// From two components, (−1, ½) and (0.8, −0.7), to [`Mixture::tb1`].
    #[must_use]
    pub fn tb1() -> Self {
        let parts = &crate::tb1::COMPONENTS;
        Self {
            dim: 2,
            start: (
                vec![0.6, 0.4],
                vec![-1.0, 0.5, 0.8, -0.7],
                vec![0.4, 0.0, 0.0, 0.3, 0.2, 0.05, 0.05, 0.3],
            ),
            end: (
                parts.iter().map(|p| p.0).collect(),
                parts.iter().flat_map(|p| p.1).collect(),
                parts.iter().flat_map(|p| p.2.concat()).collect(),
            ),
        }
    }

    /// E[ẋ | x]; `out` is `[batch, dim]`.
    ///
    /// # Errors
    /// [`EvalError::Length`] for lengths that do not fit, [`EvalError::OutOfRange`] where the
    /// marginal has no density.
    pub fn velocity(&self, x: &[f64], mix: &Mix, out: &mut [f64]) -> Result<(), EvalError> {
        self.rows(x, mix, self.dim, out, |local, out| {
            out.copy_from_slice(&local.velocity);
        })
    }

    /// ∇ log p(x); `out` is `[batch, dim]`.
    ///
    /// # Errors
    /// As [`Bridge::velocity`].
    pub fn score(&self, x: &[f64], mix: &Mix, out: &mut [f64]) -> Result<(), EvalError> {
        self.rows(x, mix, self.dim, out, |local, out| {
            out.copy_from_slice(&local.score);
        })
    }

    /// Divergence of the velocity; `out` is `[batch]`.
    ///
    /// # Errors
    /// As [`Bridge::velocity`].
    pub fn divergence(&self, x: &[f64], mix: &Mix, out: &mut [f64]) -> Result<(), EvalError> {
        self.rows(x, mix, 1, out, |local, out| out[0] = local.divergence)
    }

    /// log p(x); `out` is `[batch]`.
    ///
    /// # Errors
    /// As [`Bridge::velocity`].
    pub fn log_density(&self, x: &[f64], mix: &Mix, out: &mut [f64]) -> Result<(), EvalError> {
        self.rows(x, mix, 1, out, |local, out| out[0] = local.log_density)
    }

    fn rows(
        &self,
        x: &[f64],
        mix: &Mix,
        width: usize,
        out: &mut [f64],
        keep: impl Fn(&Local, &mut [f64]),
    ) -> Result<(), EvalError> {
        let rows = x.len() / self.dim;
        for (what, expected, got) in [
            ("x (whole rows)", rows * self.dim, x.len()),
            ("out", rows * width, out.len()),
        ] {
            if expected != got {
                return Err(EvalError::Length {
                    what,
                    expected,
                    got,
                });
            }
        }
        for (x, out) in x.chunks_exact(self.dim).zip(out.chunks_exact_mut(width)) {
            keep(&self.at(x, mix)?, out);
        }
        Ok(())
    }

    fn at(&self, x: &[f64], mix: &Mix) -> Result<Local, EvalError> {
        let d = self.dim;
        // Per pair: log weight and density, C⁻¹r, velocity, half the trace of ĊC⁻¹.
        let mut pairs = Vec::new();
        for (i, weight) in self.start.0.iter().enumerate() {
            for (j, other) in self.end.0.iter().enumerate() {
                let mean = |p: f64, q: f64| -> Vec<f64> {
                    let ends = self.start.1[i * d..].iter().zip(&self.end.1[j * d..]);
                    ends.take(d).map(|(m, n)| p * m + q * n).collect()
                };
                let covariance = |p: f64, q: f64, r: f64| -> Vec<f64> {
                    let ends = self.start.2[i * d * d..]
                        .iter()
                        .zip(&self.end.2[j * d * d..]);
                    let diagonal = |k: usize| if k.is_multiple_of(d + 1) { r } else { 0.0 };
                    ends.take(d * d)
                        .enumerate()
                        .map(|(k, (s, t))| p * s + q * t + diagonal(k))
                        .collect()
                };
                let c = covariance(mix.a * mix.a, mix.b * mix.b, mix.gamma_squared);
                let (inverse, log_det) = invert(&c, d)?;
                let half_rate =
                    covariance(mix.a * mix.a_rate, mix.b * mix.b_rate, mix.gamma_product);
                let r: Vec<f64> = x
                    .iter()
                    .zip(mean(mix.a, mix.b))
                    .map(|(x, m)| x - m)
                    .collect();
                let q = apply(&inverse, &r);
                let mut velocity = mean(mix.a_rate, mix.b_rate);
                for (v, w) in velocity.iter_mut().zip(apply(&half_rate, &q)) {
                    *v += w;
                }
                // Both are symmetric, so the trace of the product is the sum of products.
                let trace: f64 = half_rate.iter().zip(&inverse).map(|(a, b)| a * b).sum();
                let square: f64 = r.iter().zip(&q).map(|(r, q)| r * q).sum();
                let log_norm = d as f64 * std::f64::consts::TAU.ln() + log_det;
                let log = (weight * other).ln() - 0.5 * (square + log_norm);
                pairs.push((log, q, velocity, trace));
            }
        }
        let largest = pairs.iter().fold(f64::NEG_INFINITY, |m, p| m.max(p.0));
        let sum: f64 = pairs.iter().map(|p| (p.0 - largest).exp()).sum();
        let log_density = largest + sum.ln();
        let mut local = Local {
            log_density,
            velocity: vec![0.0; d],
            score: vec![0.0; d],
            divergence: 0.0,
        };
        for (log, q, velocity, _) in &pairs {
            let share = (log - log_density).exp();
            for k in 0..d {
                local.velocity[k] += share * velocity[k];
                local.score[k] -= share * q[k];
            }
        }
        for (log, q, velocity, trace) in &pairs {
            let share = (log - log_density).exp();
            // The share moves by itself times the difference of the scores.
            let moved: f64 = (0..d).map(|k| velocity[k] * (-q[k] - local.score[k])).sum();
            local.divergence += share * (trace + moved);
        }
        Ok(local)
    }
}

fn apply(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(x.len())
        .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
        .collect()
}

/// Inverse and log determinant of a symmetric positive definite matrix, by Cholesky.
fn invert(matrix: &[f64], d: usize) -> Result<(Vec<f64>, f64), EvalError> {
    let mut l = vec![0.0; d * d];
    let mut log_det = 0.0;
    for i in 0..d {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i * d + k] * l[j * d + k]).sum();
            let rest = matrix[i * d + j] - sum;
            if i == j {
                // NaN fails the comparison, too.
                let positive = rest > 0.0;
                if !positive {
                    return Err(EvalError::OutOfRange {
                        what: "pivot of the covariance (a distribution without density)",
                        value: rest,
                        min: f64::MIN_POSITIVE,
                        max: f64::INFINITY,
                    });
                }
                l[i * d + i] = rest.sqrt();
                log_det += rest.ln();
            } else {
                l[i * d + j] = rest / l[j * d + j];
            }
        }
    }
    let mut inverse = vec![0.0; d * d];
    for column in 0..d {
        let mut y = vec![0.0; d];
        for i in 0..d {
            let sum: f64 = (0..i).map(|k| l[i * d + k] * y[k]).sum();
            y[i] = (f64::from(u8::from(i == column)) - sum) / l[i * d + i];
        }
        for i in (0..d).rev() {
            let sum: f64 = (i + 1..d).map(|k| l[k * d + i] * y[k]).sum();
            y[i] = (y[i] - sum) / l[i * d + i];
            inverse[i * d + column] = y[i];
        }
    }
    Ok((inverse, log_det))
}
