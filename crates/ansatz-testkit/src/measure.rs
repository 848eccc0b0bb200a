//! Distances between results, and orders of convergence.

use ansatz_core::Scalar;

/// `sqrt(mean over rows of |a − b|²)` of two batches `[batch, dim]`: the paired error per sample.
///
/// 0 for an empty batch.
///
/// ```
/// let error = ansatz_testkit::measure::rms(&[0.0, 0.0, 1.0, 1.0], &[3.0, 4.0, 1.0, 1.0], 2);
/// assert!((error - (25.0_f64 / 2.0).sqrt()).abs() < 1e-15);
/// ```
///
/// # Panics
/// When the lengths differ, or are not a multiple of `dim`.
#[track_caller]
#[must_use]
pub fn rms<T: Scalar>(a: &[T], b: &[T], dim: usize) -> f64 {
    assert_eq!(a.len(), b.len(), "rms: batches of different length");
    assert!(
        dim > 0 && a.len().is_multiple_of(dim),
        "rms: {} elements are no rows of {dim}",
        a.len()
    );
    if a.is_empty() {
        return 0.0;
    }
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a.f64() - b.f64()).powi(2))
        .sum();
    (sum / (a.len() / dim) as f64).sqrt()
}

/// The median over rows of |a − b| of two batches `[batch, dim]`: the error of a typical sample, which
/// a few that end elsewhere do not move.
///
/// The mean of the two in the middle for an even number of rows; 0 for an empty batch, and NaN counts
/// as the largest error.
///
/// ```
/// let error = ansatz_testkit::measure::median_error(&[0.0, 0.1, 9.0], &[0.0, 0.0, 0.0], 1);
/// assert_eq!(error, 0.1);
/// ```
///
/// # Panics
/// When the lengths differ, or are not a multiple of `dim`.
#[track_caller]
#[must_use]
pub fn median_error<T: Scalar>(a: &[T], b: &[T], dim: usize) -> f64 {
    assert_eq!(
        a.len(),
        b.len(),
        "median_error: batches of different length"
    );
    assert!(
        dim > 0 && a.len().is_multiple_of(dim),
        "median_error: {} elements are no rows of {dim}",
        a.len()
    );
    let rows = a.chunks_exact(dim).zip(b.chunks_exact(dim));
    let mut errors: Vec<f64> = rows.map(|(a, b)| rms(a, b, dim)).collect();
    errors.sort_by(f64::total_cmp);
    let middle = errors.len() / 2;
    match errors.len() {
        0 => 0.0,
        n if n % 2 == 1 => errors[middle],
        _ => 0.5 * (errors[middle - 1] + errors[middle]),
    }
}

/// Largest `|a − b|` over all elements; NaN when one of them is NaN, 0 for empty slices.
///
/// # Panics
/// When the lengths differ.
#[track_caller]
#[must_use]
pub fn max_abs_diff<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len(), "max_abs_diff: slices of different length");
    a.iter().zip(b).fold(0.0, |worst: f64, (a, b)| {
        let d = (a.f64() - b.f64()).abs();
        if d.is_nan() || worst.is_nan() {
            f64::NAN
        } else {
            worst.max(d)
        }
    })
}

/// log₂ of the ratios of successive errors: the orders seen when each run doubles the steps.
///
/// ```
/// assert_eq!(ansatz_testkit::measure::slopes(&[8.0, 2.0, 0.5]), [2.0, 2.0]);
/// ```
#[must_use]
pub fn slopes(errors: &[f64]) -> Vec<f64> {
    errors.windows(2).map(|e| (e[0] / e[1]).log2()).collect()
}
