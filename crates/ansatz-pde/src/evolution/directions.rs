//! Directions spread evenly over a simplex, and how far a front is from where it should be.

use crate::PdeError;
use crate::error::{expect, within};

/// Points with coordinates that are multiples of 1/`divisions` and sum to 1, rows of `losses` numbers: C(p+m−1, m−1) of
/// them.
///
/// Reference: I. Das, J. Dennis, *Normal-boundary intersection*, 1998.
///
/// ```
/// assert_eq!(ansatz_pde::evolution::das_dennis(3, 12)?.len(), 3 * 91);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// [`PdeError::Option`] for less than one loss or division.
pub fn das_dennis(losses: usize, divisions: usize) -> Result<Vec<f64>, PdeError> {
    within("losses", losses as f64, 1.0.., "1 or more")?;
    within("divisions", divisions as f64, 1.0.., "1 or more")?;
    let mut found = Vec::new();
    let mut parts = vec![0; losses];
    parts[losses - 1] = divisions;
    loop {
        found.extend(parts.iter().map(|p| *p as f64 / divisions as f64));
        // The next composition in lexicographic order: one more before the last part that has something behind it.
        let Some(last) = parts.iter().rposition(|p| *p > 0).filter(|i| *i > 0) else {
            return Ok(found);
        };
        let rest = parts[last] - 1;
        parts[last] = 0;
        parts[last - 1] += 1;
        parts[losses - 1] = rest;
    }
}

/// Mean over `reference`, points of the true front, of the distance to the nearest of `found`: rows of `losses` numbers.
///
/// Reference: C. Coello Coello, M. Reyes Sierra, *A study of the parallelization of a coevolutionary multi-objective
/// evolutionary algorithm*, 2004.
///
/// # Errors
/// [`PdeError::Width`] for incomplete rows or no point.
pub fn inverted_generational_distance(
    found: &[f64],
    reference: &[f64],
    losses: usize,
) -> Result<f64, PdeError> {
    for points in [found, reference] {
        let whole = (points.len() / losses.max(1)).max(1) * losses;
        expect("losses of points", whole, points.len())?;
    }
    let square =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
    let nearest = |r: &[f64]| {
        let distances = found.chunks(losses).map(|f| square(r, f));
        distances.fold(f64::INFINITY, f64::min).sqrt()
    };
    let points = reference.chunks(losses);
    let count = points.len() as f64;
    Ok(points.map(nearest).sum::<f64>() / count)
}
