//! Utterances of nine speakers as paths, with a part of the observations missing.

use ansatz_core::Key;
use ansatz_diffeq::path::{Fill, Path, PathError, Series};
use ansatz_testkit::data::{self, Vowels};

/// Observations of the longest utterance.
pub(crate) const LENGTH: usize = 29;
/// Time and coefficients.
pub(crate) const CHANNELS: usize = 1 + Vowels::CHANNELS;

/// Rows of (time, coefficients) on common times, NaN where nothing was seen; what is over keeps its last value.
pub(crate) fn series(
    utterances: &[&data::Series],
    missing: f64,
    key: Key,
) -> Result<Series, PathError> {
    let parts: Vec<data::Series> = (0..)
        .zip(utterances)
        .map(|(i, u)| u.with_missing(Vowels::CHANNELS, missing, key.fold_in(i)))
        .collect();
    let mut values = Vec::with_capacity(LENGTH * parts.len() * Vowels::CHANNELS);
    for i in 0..LENGTH {
        for part in &parts {
            match part.values.chunks(Vowels::CHANNELS).nth(i) {
                Some(row) => values.extend(row.iter().map(|x| f64::from(*x))),
                None => values.extend([f64::NAN; Vowels::CHANNELS]),
            }
        }
    }
    let times = (0..LENGTH).map(|i| 0.1 * i as f64).collect();
    let seen = Series::new(times, values, parts.len(), Vowels::CHANNELS)?;
    Ok(seen.fill(Fill::default())?.with_time())
}

/// The Hermite path through them.
pub(crate) fn path(
    utterances: &[&data::Series],
    missing: f64,
    key: Key,
) -> Result<Path, PathError> {
    Path::hermite(&series(utterances, missing, key)?)
}
