//! Mean, covariance and kernel distance of a mixture, all in closed form.

use ansatz_core::{EvalError, NoiseLevel, Scalar};
use rayon::prelude::*;

use super::{Component, Mixture};
use crate::eigen;

impl Mixture {
    /// Mean of the noisy distribution at `at`, `[dim]`.
    #[must_use]
    pub fn mean(&self, at: &NoiseLevel) -> Vec<f64> {
        let mut mean = vec![0.0; self.dim];
        for c in &self.components {
            for (m, v) in mean.iter_mut().zip(&c.mean) {
                *m += at.alpha * c.weight * v;
            }
        }
        mean
    }

    /// Covariance of the noisy distribution at `at`, `[dim, dim]` row-major.
    #[must_use]
    pub fn covariance(&self, at: &NoiseLevel) -> Vec<f64> {
        let clean = self.mean(&NoiseLevel::clean(at.t));
        let dim = clean.len();
        let mut sum = vec![0.0; dim * dim];
        for c in &self.components {
            for i in 0..dim {
                for j in 0..dim {
                    let spread = (c.mean[i] - clean[i]) * (c.mean[j] - clean[j]);
                    sum[i * dim + j] += c.weight * (c.covariance[i * dim + j] + spread);
                }
            }
        }
        for (k, s) in sum.iter_mut().enumerate() {
            *s *= at.alpha * at.alpha;
            if k % (dim + 1) == 0 {
                *s += at.sigma * at.sigma;
            }
        }
        sum
    }

    /// Squared maximum mean discrepancy between `samples`, `[n, dim]`, and the noisy
    /// distribution at `at`, with the kernel `exp(−|x − y|²/(2ℓ²))`.
    ///
    /// The V-statistic over the samples; both terms with the mixture are integrals in closed
    /// form, so the only randomness is that of the samples. Cost: `n²·dim` operations.
    ///
    /// Reference: A. Gretton et al., *A kernel two-sample test*, 2012, equation 2.
    ///
    /// # Errors
    /// [`EvalError::Length`] when there is no sample or no whole number of rows,
    /// [`EvalError::OutOfRange`] unless `lengthscale` is positive and finite.
    pub fn mmd_squared<T: Scalar>(
        &self,
        samples: &[T],
        at: &NoiseLevel,
        lengthscale: f64,
    ) -> Result<f64, EvalError> {
        let dim = self.dim;
        let rows = samples.len() / dim;
        if rows == 0 || rows * dim != samples.len() {
            return Err(EvalError::Length {
                what: "samples (whole rows)",
                expected: rows.max(1) * dim,
                got: samples.len(),
            });
        }
        if !(lengthscale > 0.0 && lengthscale.is_finite()) {
            return Err(EvalError::OutOfRange {
                what: "lengthscale",
                value: lengthscale,
                min: f64::MIN_POSITIVE,
                max: f64::MAX,
            });
        }
        let x: Vec<f64> = samples.iter().map(|v| v.f64()).collect();
        let noisy: Vec<Smoothed> = self
            .components
            .iter()
            .map(|c| {
                let covariance = marginal(c, at);
                let mean = c.mean.iter().map(|m| at.alpha * m).collect();
                Smoothed::new(c.weight, mean, &covariance, lengthscale)
            })
            .collect();
        // Row sums in parallel, their total in order: the same bits for any number of threads.
        let by_row: Vec<[f64; 2]> = x
            .par_chunks_exact(dim)
            .map(|a| {
                let own = x.chunks_exact(dim).map(|b| {
                    let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
                    (-0.5 * square / (lengthscale * lengthscale)).exp()
                });
                [own.sum(), noisy.iter().map(|s| s.at(a)).sum()]
            })
            .collect();
        let n = rows as f64;
        let own = by_row.iter().map(|r| r[0]).sum::<f64>() / (n * n);
        let cross = by_row.iter().map(|r| r[1]).sum::<f64>() / n;
        let mut exact = 0.0;
        for a in &self.components {
            for b in &self.components {
                let mut covariance = marginal(a, at);
                for (s, t) in covariance.iter_mut().zip(marginal(b, at)) {
                    *s += t;
                }
                let offset: Vec<f64> = (0..dim)
                    .map(|i| at.alpha * (a.mean[i] - b.mean[i]))
                    .collect();
                let pair = Smoothed::new(a.weight * b.weight, offset, &covariance, lengthscale);
                exact += pair.at(&vec![0.0; dim]);
            }
        }
        Ok(own - 2.0 * cross + exact)
    }
}

/// `α²S + σ²I` of a component.
fn marginal(c: &Component, at: &NoiseLevel) -> Vec<f64> {
    let dim = c.mean.len();
    let mut s = c.covariance.clone();
    for (k, v) in s.iter_mut().enumerate() {
        *v *= at.alpha * at.alpha;
        if k % (dim + 1) == 0 {
            *v += at.sigma * at.sigma;
        }
    }
    s
}

/// `weight·E exp(−|x − y|²/(2ℓ²))` over y ~ N(mean, covariance), as a function of x.
struct Smoothed {
    factor: f64,
    mean: Vec<f64>,
    values: Vec<f64>,
    axes: Vec<f64>,
}

impl Smoothed {
    fn new(weight: f64, mean: Vec<f64>, covariance: &[f64], lengthscale: f64) -> Self {
        let (mut values, axes) = eigen::symmetric(covariance, mean.len());
        let mut factor = weight;
        for v in &mut values {
            *v += lengthscale * lengthscale;
            factor *= lengthscale / v.sqrt();
        }
        Self {
            factor,
            mean,
            values,
            axes,
        }
    }

    fn at(&self, x: &[f64]) -> f64 {
        let dim = x.len();
        let mut square = 0.0;
        for (j, value) in self.values.iter().enumerate() {
            let y: f64 = (0..dim)
                .map(|i| self.axes[j * dim + i] * (x[i] - self.mean[i]))
                .sum();
            square += y * y / value;
        }
        self.factor * (-0.5 * square).exp()
    }
}
