//! Noisy sines with holes: which of two frequencies is it?

use ansatz_diffeq::path::{Fill, Path, PathError, Series};

/// Observations of a series, at equal times from 0 to 1.
pub(crate) const LENGTH: usize = 41;

/// Uniform in [0, 1): u(k, i, s) of the generator.
fn uniform(k: usize, i: usize, s: usize) -> f64 {
    let [k, i, s] = [k, i, s].map(|x| x as f64);
    let x = (12.9898 * (k + 1.0) + 78.233 * (i + 1.0) + 37.719 * s).sin() * 43758.5453;
    x - x.floor()
}

/// Class of series `k`.
pub(crate) fn label(k: usize) -> usize {
    k % 2
}

fn time(i: usize) -> f64 {
    i as f64 / (LENGTH - 1) as f64
}

/// Observation `i` of series `k`.
fn value(k: usize, i: usize) -> f64 {
    let frequency = [2.0, 3.0][label(k)];
    let phase = frequency * time(i) + uniform(k, 0, 1);
    let noise = uniform(k, i, 3) + uniform(k, i, 4) + uniform(k, i, 5) - 1.5;
    (0.7 + 0.6 * uniform(k, 0, 2)) * (std::f64::consts::TAU * phase).sin() + 0.6 * noise
}

/// The series with the given numbers, without a part `missing` of their observations (never the first and
/// the last): channels time, value, share of observations so far.
pub(crate) fn series(numbers: &[usize], missing: f64) -> Result<Series, PathError> {
    let seen = |k, i| i == 0 || i == LENGTH - 1 || uniform(k, i, 6) > missing;
    let rows = (0..LENGTH).flat_map(|i| numbers.iter().map(move |k| (*k, i)));
    let values = rows.map(|(k, i)| if seen(k, i) { value(k, i) } else { f64::NAN });
    let times: Vec<f64> = (0..LENGTH).map(time).collect();
    let filled = Series::new(times.clone(), values.collect(), numbers.len(), 1)?
        .with_counts()
        .fill(Fill::default())?
        .with_time();
    let scaled = (0..LENGTH).flat_map(|i| filled.row(i).chunks(3));
    let scaled = scaled.flat_map(|c| [c[0], c[1], c[2] / LENGTH as f64]);
    Series::new(times, scaled.collect(), numbers.len(), 3)
}

/// The control of these series.
pub(crate) fn path(numbers: &[usize], missing: f64) -> Result<Path, PathError> {
    Path::hermite(&series(numbers, missing)?)
}
