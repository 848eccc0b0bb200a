//! A Gaussian process of numbers and switches.

use std::f64::consts::TAU;

use ansatz_core::Key;
use ansatz_nn::{Adam, Lbfgs, NetworkError, Optimizer};

use crate::PdeError;
use crate::error::{expect, finite};

/// A factor of the kernel: some columns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// exp(−‖x − x'‖²/e^ℓ) of so many numbers.
    Numbers(usize),
    /// exp(e^κ·mean(1 − |a − a'|)) of so many switches, each 0 or 1.
    Switches(usize),
}

impl Factor {
    fn width(self) -> usize {
        let (Self::Numbers(width) | Self::Switches(width)) = self;
        width
    }

    /// What the kernel asks of two rows: ‖x − x'‖², or the share of equal switches.
    fn compare(self, a: &[f64], b: &[f64]) -> f64 {
        let pairs = a.iter().zip(b);
        match self {
            Self::Numbers(_) => pairs.map(|(a, b)| (a - b) * (a - b)).sum(),
            Self::Switches(n) => pairs.map(|(a, b)| 1.0 - (a - b).abs()).sum::<f64>() / n as f64,
        }
    }

    /// The exponent, and its derivative by the parameter.
    fn exponent(self, compared: f64, parameter: f64) -> [f64; 2] {
        match self {
            Self::Numbers(_) => [-1.0, 1.0].map(|s| s * compared * libm::exp(-parameter)),
            Self::Switches(_) => [compared * libm::exp(parameter); 2],
        }
    }
}

/// A Gaussian process with a product kernel, conditioned on rows and their values; k(z, z) = Π e^(e^κ) over its switches,
/// there is no other amplitude. Noise has variance 1/τ, and 1e-5 is added to each variance, that of predictions too.
///
/// Cost: O(n³) to condition, and as much for an evaluation of the likelihood; O(n²) for a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Surrogate {
    factors: Vec<Factor>,
    /// ℓ or κ of each factor, then log τ.
    parameters: Vec<f64>,
    rows: Vec<f64>,
    values: Vec<f64>,
    /// Cholesky factor of the covariance, row by row.
    l: Vec<f64>,
    /// K⁻¹y.
    alpha: Vec<f64>,
}

/// Added to each variance.
const JITTER: f64 = 1e-5;
/// Shape of τ's prior, a Gamma density of rate 1: noise near 0.01.
const SHAPE: f64 = 100.0;
/// log Γ(100).
const LOG_GAMMA: f64 = 359.134_205_369_575_4;

impl Surrogate {
    /// The process with given parameters: ℓ or κ for each factor, then log τ.
    ///
    /// # Errors
    /// [`PdeError::NoData`] without rows, [`PdeError::Width`], [`PdeError::NotFinite`], and
    /// [`PdeError::NotPositiveDefinite`] when the covariance is not even with 1e-2 added to it.
    pub fn new(
        factors: &[Factor],
        parameters: &[f64],
        rows: &[f64],
        values: &[f64],
    ) -> Result<Self, PdeError> {
        let width: usize = factors.iter().map(|f| f.width()).sum();
        if values.is_empty() {
            return Err(PdeError::NoData {
                what: "a Gaussian process",
            });
        }
        expect(
            "numbers in rows of the process",
            values.len() * width,
            rows.len(),
        )?;
        expect(
            "parameters of the kernel",
            factors.len() + 1,
            parameters.len(),
        )?;
        finite(|| "rows of the process".into(), rows)?;
        finite(|| "values of the process".into(), values)?;
        finite(|| "parameters of the kernel".into(), parameters)?;
        let mut process = Self {
            factors: factors.to_vec(),
            parameters: parameters.to_vec(),
            rows: rows.to_vec(),
            values: values.to_vec(),
            l: Vec::new(),
            alpha: Vec::new(),
        };
        let kernel = process.kernel(&process.rows);
        process.condition(&kernel)?;
        Ok(process)
    }

    /// The process whose parameters have the largest likelihood times prior of τ, from zeros on by L-BFGS; by Adam where
    /// that fails.
    ///
    /// # Errors
    /// As [`Surrogate::new`].
    pub fn fit(factors: &[Factor], rows: &[f64], values: &[f64]) -> Result<Self, PdeError> {
        let start = vec![0.0; factors.len() + 1];
        let mut process = Self::new(factors, &start, rows, values)?;
        let compared = process.compared();
        let mut loss = |parameters: &[f64], slopes: &mut [f64]| -> Result<f64, NetworkError> {
            process.parameters.copy_from_slice(parameters);
            let found = process.gradient(&compared, slopes);
            Ok(found.filter(|l| l.is_finite()).unwrap_or(f64::INFINITY))
        };
        let method = Lbfgs {
            steps: 200,
            gradient: 1e-5,
            change: 1e-9,
            ..Lbfgs::default()
        };
        let mut best = start;
        if method.minimise(&mut loss, &mut best, &mut ()).is_err() {
            let mut slopes = vec![0.0; best.len()];
            let mut optimizer = Optimizer::new(Adam::default(), best.len());
            for _ in 0..5000 {
                if !loss(&best, &mut slopes)?.is_finite() {
                    break;
                }
                optimizer.step(1e-3, &slopes, &mut best)?;
            }
        }
        Self::new(factors, &best, rows, values)
    }

    /// ℓ or κ of each factor, then log τ.
    #[must_use]
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// log p(values), without the prior.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        let n = self.values.len();
        let fit: f64 = self
            .values
            .iter()
            .zip(&self.alpha)
            .map(|(y, a)| y * a)
            .sum();
        let volume: f64 = (0..n).map(|i| self.l[i * n + i].ln()).sum();
        -0.5 * fit - volume - 0.5 * n as f64 * TAU.ln()
    }

    /// Logarithm of τ's prior density.
    #[must_use]
    pub fn log_prior(&self) -> f64 {
        let log = self.log_precision();
        (SHAPE - 1.0) * log - libm::exp(log) - LOG_GAMMA
    }

    /// Means and variances at rows.
    ///
    /// # Errors
    /// [`PdeError::Width`], [`PdeError::NotFinite`].
    pub fn predict(&self, rows: &[f64]) -> Result<Vec<[f64; 2]>, PdeError> {
        let (mut cross, n) = (self.cross(rows)?, self.values.len());
        let width = self.width();
        let each = cross.chunks_mut(n).zip(rows.chunks(width));
        Ok(each
            .map(|(k, row)| {
                let mean = k.iter().zip(&self.alpha).map(|(k, a)| k * a).sum();
                forward(&self.l, n, k);
                let known: f64 = k.iter().map(|v| v * v).sum();
                [mean, (self.covariance(row, row) + JITTER - known).max(0.0)]
            })
            .collect())
    }

    /// One function of the posterior, at rows: a joint draw.
    ///
    /// # Errors
    /// As [`Surrogate::predict`], and [`PdeError::NotPositiveDefinite`].
    pub fn draw(&self, rows: &[f64], key: Key) -> Result<Vec<f64>, PdeError> {
        let (mut cross, n) = (self.cross(rows)?, self.values.len());
        let mut drawn: Vec<f64> = cross
            .chunks(n)
            .map(|k| k.iter().zip(&self.alpha).map(|(k, a)| k * a).sum())
            .collect();
        let m = drawn.len();
        for k in cross.chunks_mut(n) {
            forward(&self.l, n, k);
        }
        let mut posterior = self.kernel(rows);
        for i in 0..m {
            for j in 0..m {
                let known: f64 = dot(&cross[i * n..(i + 1) * n], &cross[j * n..(j + 1) * n]);
                posterior[i * m + j] -= known;
            }
        }
        let l = factor(&posterior, m, JITTER)?;
        let mut z = vec![0.0; m];
        key.fill_normal(0, &mut z);
        for (i, v) in drawn.iter_mut().enumerate() {
            *v += dot(&l[i * m..=i * m + i], &z[..=i]);
        }
        Ok(drawn)
    }

    fn width(&self) -> usize {
        self.factors.iter().map(|f| f.width()).sum()
    }

    fn log_precision(&self) -> f64 {
        self.parameters[self.factors.len()]
    }

    /// Each factor's columns of two rows, with its parameter.
    fn covariance(&self, mut a: &[f64], mut b: &[f64]) -> f64 {
        let mut exponent = 0.0;
        for (factor, parameter) in self.factors.iter().zip(&self.parameters) {
            let (x, y) = (a.split_at(factor.width()), b.split_at(factor.width()));
            let compared = factor.compare(x.0, y.0);
            exponent += factor.exponent(compared, *parameter)[0];
            (a, b) = (x.1, y.1);
        }
        libm::exp(exponent)
    }

    /// Covariances of rows with each other.
    fn kernel(&self, rows: &[f64]) -> Vec<f64> {
        let each = rows.chunks(self.width());
        each.clone()
            .flat_map(|a| each.clone().map(move |b| self.covariance(a, b)))
            .collect()
    }

    /// Covariances of other rows with those of the process.
    fn cross(&self, rows: &[f64]) -> Result<Vec<f64>, PdeError> {
        let width = self.width();
        expect(
            "numbers in rows of the process",
            rows.len() / width * width,
            rows.len(),
        )?;
        finite(|| "rows of the process".into(), rows)?;
        let known = self.rows.chunks(width);
        Ok(rows
            .chunks(width)
            .flat_map(|a| known.clone().map(move |b| self.covariance(a, b)))
            .collect())
    }

    /// What factors ask of each pair of rows.
    fn compared(&self) -> Vec<Vec<f64>> {
        let (mut start, width) = (0, self.width());
        let rows = self.rows.chunks(width);
        let mut all = Vec::new();
        for factor in &self.factors {
            let columns = start..start + factor.width();
            let one =
                |a: &[f64], b: &[f64]| factor.compare(&a[columns.clone()], &b[columns.clone()]);
            let pairs = rows.clone().flat_map(|a| rows.clone().map(move |b| (a, b)));
            all.push(pairs.map(|(a, b)| one(a, b)).collect());
            start = columns.end;
        }
        all
    }

    fn condition(&mut self, kernel: &[f64]) -> Result<(), PdeError> {
        let n = self.values.len();
        let noise = libm::exp(-self.log_precision());
        self.l = factor(kernel, n, noise + JITTER)?;
        self.alpha.clone_from(&self.values);
        forward(&self.l, n, &mut self.alpha);
        backward(&self.l, n, &mut self.alpha);
        Ok(())
    }

    /// −log likelihood − log prior at the parameters, with slopes; none where the covariance is no such.
    fn gradient(&mut self, compared: &[Vec<f64>], slopes: &mut [f64]) -> Option<f64> {
        let n = self.values.len();
        let mut kernel = vec![0.0; n * n];
        for ((factor, compared), parameter) in
            self.factors.iter().zip(compared).zip(&self.parameters)
        {
            let pairs = kernel.iter_mut().zip(compared);
            pairs.for_each(|(k, c)| *k += factor.exponent(*c, *parameter)[0]);
        }
        for k in &mut kernel {
            *k = libm::exp(*k);
        }
        self.condition(&kernel).ok()?;
        // K⁻¹ − ααᵀ.
        let mut w = inverse(&self.l, n);
        for i in 0..n {
            for j in 0..n {
                w[i * n + j] -= self.alpha[i] * self.alpha[j];
            }
        }
        let rest = slopes.iter_mut().zip(&self.factors);
        for ((slope, factor), (compared, parameter)) in
            rest.zip(compared.iter().zip(&self.parameters))
        {
            let terms = w.iter().zip(&kernel).zip(compared);
            let sum: f64 = terms
                .map(|((w, k), c)| w * k * factor.exponent(*c, *parameter)[1])
                .sum();
            *slope = 0.5 * sum;
        }
        let log = self.log_precision();
        let trace: f64 = (0..n).map(|i| w[i * n + i]).sum();
        slopes[self.factors.len()] =
            -0.5 * libm::exp(-log) * trace - (SHAPE - 1.0) + libm::exp(log);
        Some(-self.log_likelihood() - self.log_prior())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// L of K + shift·I = LLᵀ; where there is none, ten times the jitter is added up to three times.
fn factor(kernel: &[f64], n: usize, shift: f64) -> Result<Vec<f64>, PdeError> {
    let mut pivot = 0.0;
    for extra in [0.0, 1e-4, 1e-3, 1e-2] {
        let mut l = kernel.to_vec();
        for i in 0..n {
            l[i * n + i] += shift + extra;
        }
        match cholesky(&mut l, n) {
            Ok(()) => return Ok(l),
            Err(p) => pivot = p,
        }
    }
    Err(PdeError::NotPositiveDefinite {
        what: "the covariance of the process",
        pivot,
        jitter: 1e-2,
    })
}

/// In place, lower triangle; the pivot that is not above 0.
fn cholesky(l: &mut [f64], n: usize) -> Result<(), f64> {
    for i in 0..n {
        let (above, row) = l.split_at_mut(i * n);
        for j in 0..=i {
            let before = if j == i {
                &row[..j]
            } else {
                &above[j * n..j * n + j]
            };
            let sum = row[j] - dot(&row[..j], before);
            if j < i {
                row[j] = sum / above[j * n + j];
            } else if sum > 0.0 && sum.is_finite() {
                row[i] = sum.sqrt();
            } else {
                return Err(sum);
            }
        }
    }
    Ok(())
}

/// x ← L⁻¹x.
fn forward(l: &[f64], n: usize, x: &mut [f64]) {
    for i in 0..n {
        x[i] = (x[i] - dot(&l[i * n..i * n + i], &x[..i])) / l[i * n + i];
    }
}

/// x ← L⁻ᵀx.
fn backward(l: &[f64], n: usize, x: &mut [f64]) {
    for i in (0..n).rev() {
        x[i] /= l[i * n + i];
        let value = x[i];
        let row = l[i * n..i * n + i].iter();
        x[..i]
            .iter_mut()
            .zip(row)
            .for_each(|(x, l)| *x -= value * l);
    }
}

/// (LLᵀ)⁻¹.
fn inverse(l: &[f64], n: usize) -> Vec<f64> {
    // Rows of L⁻ᵀ: row j holds column j of L⁻¹, from its element j on.
    let mut t = vec![0.0; n * n];
    for j in 0..n {
        let row = &mut t[j * n..(j + 1) * n];
        row[j] = l[j * n + j].recip();
        for i in j + 1..n {
            row[i] = -dot(&l[i * n + j..i * n + i], &row[j..i]) / l[i * n + i];
        }
    }
    let mut out = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let value = dot(&t[i * n + i..(i + 1) * n], &t[j * n + i..(j + 1) * n]);
            (out[i * n + j], out[j * n + i]) = (value, value);
        }
    }
    out
}
