//! Targets with exact samples.

use ansatz_core::{EvalError, Key};

/// ½N(−1.2, 0.25) + ½N(1.2, 0.25), up to a constant, per chain of one element.
pub(crate) fn two_bumps(
    x: &Vec<f64>,
    log: &mut [f64],
    score: &mut Vec<f64>,
) -> Result<(), EvalError> {
    for ((l, s), x) in log.iter_mut().zip(score).zip(x) {
        let [a, b] = [-1.2, 1.2].map(|m| -2.0 * (x - m) * (x - m));
        let top = a.max(b);
        let (ea, eb) = ((a - top).exp(), (b - top).exp());
        *l = top + (ea + eb).ln();
        *s = (-4.0 * (x + 1.2) * ea - 4.0 * (x - 1.2) * eb) / (ea + eb);
    }
    Ok(())
}

/// Independent samples of [`two_bumps`].
pub(crate) fn two_bumps_samples(n: usize, key: Key) -> Vec<f64> {
    let mut x = vec![0.0; n];
    key.fill_normal(0, &mut x);
    for (i, x) in x.iter_mut().enumerate() {
        let [u, _] = key.uniform(1, i as u64);
        *x = 0.5 * *x + if u < 0.5 { -1.2 } else { 1.2 };
    }
    x
}

/// N(0, 1) in every coordinate.
pub(crate) fn normal(x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>) -> Result<(), EvalError> {
    let dim = x.len() / log.len();
    for (l, row) in log.iter_mut().zip(x.chunks(dim)) {
        *l = -0.5 * row.iter().map(|x| x * x).sum::<f64>();
    }
    for (s, x) in score.iter_mut().zip(x) {
        *s = -x;
    }
    Ok(())
}

/// Mean and the standard error of the mean.
pub(crate) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (square / n).sqrt())
}
