//! Whether predicted spreads are right.

use std::f64::consts::{PI, SQRT_2};

use super::Prediction;
use crate::PdeError;
use crate::error::{expect, finite, within};

/// How predictions compare with what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// Mean of −ln p(y), lower is better.
    pub nll: f64,
    /// Mean continuous ranked probability score, in units of y, lower is better; the absolute error of a certain
    /// prediction.
    pub crps: f64,
    /// Parts of the values in central intervals of 50, 80 and 95 %.
    pub coverage: [f64; 3],
    /// Mean widths of these intervals.
    pub width: [f64; 3],
    /// Mean over the levels p = 5, 10, …, 95 % of |p − coverage of p|.
    pub error: f64,
}

/// Half widths of the intervals, in standard deviations of a normal distribution.
const HALF: [f64; 3] = [0.6744897501960817, 1.2815515655446004, 1.959963984540054];
const LEVELS: [f64; 3] = [0.5, 0.8, 0.95];

impl std::fmt::Display for Calibration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "NLL {:.3}, CRPS {:.3e}, calibration error {:.3}",
            self.nll, self.crps, self.error
        )?;
        for ((level, coverage), width) in LEVELS.iter().zip(self.coverage).zip(self.width) {
            writeln!(f, "  {level:.2}: coverage {coverage:.3}, width {width:.3e}")?;
        }
        Ok(())
    }
}

impl Calibration {
    /// Of normal predictions.
    ///
    /// ```
    /// use ansatz_pde::uncertainty::{Calibration, Prediction};
    /// let prediction = Prediction { mean: vec![0.0; 4], std: vec![1.0; 4] };
    /// let report = Calibration::of_normal(&prediction, &[-1.5, -0.5, 0.6, 1.0])?;
    /// assert_eq!(report.coverage, [0.5, 0.75, 1.0]);
    /// # Ok::<(), ansatz_pde::PdeError>(())
    /// ```
    ///
    /// # Errors
    /// [`PdeError::Width`] for no values or other lengths, [`PdeError::NotFinite`], [`PdeError::Option`] for a standard
    /// deviation that is not above 0.
    pub fn of_normal(prediction: &Prediction, y: &[f64]) -> Result<Self, PdeError> {
        let (mean, std) = (&prediction.mean, &prediction.std);
        check(y, mean.len())?;
        expect("standard deviations", mean.len(), std.len())?;
        finite(|| "predicted means".into(), mean)?;
        for s in std {
            within(
                "standard deviation",
                *s,
                f64::MIN_POSITIVE..,
                "a number above 0",
            )?;
        }
        let n = y.len() as f64;
        let z: Vec<f64> = y
            .iter()
            .zip(mean)
            .zip(std)
            .map(|((y, m), s)| (y - m) / s)
            .collect();
        let nll = z
            .iter()
            .zip(std)
            .map(|(z, s)| 0.5 * z * z + s.ln() + 0.5 * (2.0 * PI).ln());
        let crps = y
            .iter()
            .zip(mean)
            .zip(std)
            .map(|((y, m), s)| crps_normal(*m, *s, *y));
        // The level of the least central interval that holds the value.
        let levels: Vec<f64> = z.iter().map(|z| libm::erf(z.abs() / SQRT_2)).collect();
        let spread = std.iter().sum::<f64>() / n;
        Ok(Self {
            nll: nll.sum::<f64>() / n,
            crps: crps.sum::<f64>() / n,
            coverage: LEVELS.map(|p| part(&levels, p)),
            width: HALF.map(|h| 2.0 * h * spread),
            error: calibration_error(&levels),
        })
    }

    /// Of predictions by equally likely fields, `samples[s][i]` at place i: intervals between quantiles, the logarithmic
    /// score of a normal distribution with their mean and variance.
    ///
    /// # Errors
    /// As [`Calibration::of_normal`].
    pub fn of_samples(samples: &[Vec<f64>], y: &[f64]) -> Result<Self, PdeError> {
        let prediction = Prediction::of_fields(samples, 0.0)?;
        let normal = Self::of_normal(&prediction, y)?;
        let (n, count) = (y.len() as f64, samples.len() as f64);
        let (mut levels, mut crps, mut width) = (Vec::new(), 0.0, [0.0; 3]);
        for (i, y) in y.iter().enumerate() {
            let mut values: Vec<f64> = samples.iter().map(|s| s[i]).collect();
            values.sort_by(f64::total_cmp);
            crps += crps_samples(&values, *y) / n;
            let below = values.iter().filter(|v| *v < y).count() as f64;
            let same = values.iter().filter(|v| *v <= y).count() as f64 - below;
            levels.push((2.0 * (below + 0.5 * same) / count - 1.0).abs());
            for (width, p) in width.iter_mut().zip(LEVELS) {
                let ends = [0.5 * (1.0 - p), 0.5 * (1.0 + p)].map(|q| quantile(&values, q));
                *width += (ends[1] - ends[0]) / n;
            }
        }
        Ok(Self {
            nll: normal.nll,
            crps,
            coverage: LEVELS.map(|p| part(&levels, p)),
            width,
            error: calibration_error(&levels),
        })
    }
}

fn check(y: &[f64], predictions: usize) -> Result<(), PdeError> {
    expect("measured values, at least", 1, y.len().min(1))?;
    expect("predictions", y.len(), predictions)?;
    finite(|| "measured values".into(), y)
}

/// The part of values whose interval is not above a level.
fn part(levels: &[f64], p: f64) -> f64 {
    levels.iter().filter(|l| **l <= p).count() as f64 / levels.len() as f64
}

fn calibration_error(levels: &[f64]) -> f64 {
    let off = (1..20).map(|i| {
        let p = f64::from(i) / 20.0;
        (p - part(levels, p)).abs()
    });
    off.sum::<f64>() / 19.0
}

/// The q-quantile of sorted numbers, linear between them.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (k, part) = (at.floor() as usize, at.fract());
    sorted[k] + part * (sorted[(k + 1).min(sorted.len() - 1)] - sorted[k])
}

/// The continuous ranked probability score of N(mean, std²) at y, σ(z(2Φ(z) − 1) + 2φ(z) − 1/√π) with z = (y − mean)/σ.
///
/// ```
/// assert!((ansatz_pde::uncertainty::crps_normal(0.0, 1.0, 0.0) - 0.2336949).abs() < 1e-7);
/// ```
#[must_use]
pub fn crps_normal(mean: f64, std: f64, y: f64) -> f64 {
    let z = (y - mean) / std;
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    std * (z * libm::erf(z / SQRT_2) + 2.0 * density - PI.sqrt().recip())
}

/// The score of equally likely values, mean|v − y| − ½·mean|v − v′|, in any order.
#[must_use]
pub fn crps_samples(values: &[f64], y: f64) -> f64 {
    let n = values.len() as f64;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let near = sorted.iter().map(|v| (v - y).abs()).sum::<f64>() / n;
    // Σᵢⱼ|vᵢ − vⱼ| = 2Σ(2i − n + 1)vᵢ of sorted values.
    let pairs = sorted
        .iter()
        .enumerate()
        .map(|(i, v)| (2.0 * i as f64 - n + 1.0) * v);
    near - pairs.sum::<f64>() / (n * n)
}
