//! Sums of weights that are known by their logarithms.
//!
//! With m = max log wᵢ and eᵢ = exp(log wᵢ − m), the mean weight is `exp(m)·Σeᵢ/n` and the effective sample
//! size `(Σeᵢ)²/Σeᵢ²`; no exponential overflows and the largest is 1. A constant added to all
//! log-weights changes neither normalised weights nor the effective sample size.
//!
//! Cost: two passes, nothing allocated. Sums run in order, so the bits are always the same.
//!
//! Use them on log-weights as they come; −∞ is a weight of zero and allowed.
//!
//! Reference: A. Kong, J. Liu, W. Wong, *Sequential imputations and Bayesian missing data problems*,
//! 1994 (effective sample size).

use crate::WeightError;

/// The largest log-weight, once it is known that the weights describe a distribution.
pub(crate) fn largest(log_weights: &[f64]) -> Result<f64, WeightError> {
    if log_weights.is_empty() {
        return Err(WeightError::Empty);
    }
    let mut largest = f64::NEG_INFINITY;
    for (index, w) in log_weights.iter().enumerate() {
        if w.is_nan() {
            return Err(WeightError::NotANumber { index });
        }
        if *w == f64::INFINITY {
            return Err(WeightError::Infinite { index });
        }
        largest = largest.max(*w);
    }
    if largest == f64::NEG_INFINITY {
        return Err(WeightError::AllZero {
            count: log_weights.len(),
        });
    }
    Ok(largest)
}

/// ln Σ exp(log wᵢ).
///
/// # Errors
/// [`WeightError`] for weights that describe no distribution.
///
/// ```
/// let log = ansatz_stats::log_sum_exp(&[-1000.0, -1000.0, f64::NEG_INFINITY])?;
/// assert!((log - (2.0_f64.ln() - 1000.0)).abs() < 1e-12);
/// # Ok::<(), ansatz_stats::WeightError>(())
/// ```
pub fn log_sum_exp(log_weights: &[f64]) -> Result<f64, WeightError> {
    let m = largest(log_weights)?;
    let sum: f64 = log_weights.iter().map(|w| (w - m).exp()).sum();
    Ok(m + sum.ln())
}

/// ln of the mean weight, the estimate of a ratio of normalising constants.
///
/// # Errors
/// [`WeightError`] for weights that describe no distribution.
pub fn log_mean_exp(log_weights: &[f64]) -> Result<f64, WeightError> {
    Ok(log_sum_exp(log_weights)? - (log_weights.len() as f64).ln())
}

/// (Σw)²/Σw², between 1 and the number of weights: how many equal weights are worth as much.
///
/// # Errors
/// [`WeightError`] for weights that describe no distribution.
///
/// ```
/// let ess = ansatz_stats::effective_sample_size(&[5.0, 5.0, f64::NEG_INFINITY])?;
/// assert_eq!(ess, 2.0);
/// # Ok::<(), ansatz_stats::WeightError>(())
/// ```
pub fn effective_sample_size(log_weights: &[f64]) -> Result<f64, WeightError> {
    let m = largest(log_weights)?;
    let (mut sum, mut squares) = (0.0, 0.0);
    for w in log_weights {
        let e = (w - m).exp();
        sum += e;
        squares += e * e;
    }
    Ok(sum * sum / squares)
}
