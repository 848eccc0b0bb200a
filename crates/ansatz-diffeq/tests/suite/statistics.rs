//! What samples say about their law.

pub(crate) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

pub(crate) fn variance(x: &[f64]) -> f64 {
    let m = mean(x);
    x.iter().map(|x| (x - m).powi(2)).sum::<f64>() / x.len() as f64
}

pub(crate) fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let (a, b) = (mean(x), mean(y));
    let both = x.iter().zip(y).map(|(x, y)| (x - a) * (y - b));
    both.sum::<f64>() / x.len() as f64 / (variance(x) * variance(y)).sqrt()
}

/// Largest distance between the distribution of samples and the standard normal one (Kolmogorov and Smirnov).
pub(crate) fn kolmogorov_distance(x: &[f64]) -> f64 {
    let mut x = x.to_vec();
    x.sort_by(f64::total_cmp);
    let n = x.len() as f64;
    x.iter()
        .enumerate()
        .map(|(i, x)| {
            let p = normal_below(*x);
            (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs())
        })
        .fold(0.0, f64::max)
}

/// Φ(x), by the series of the error function or its continued fraction.
pub(crate) fn normal_below(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    if x.abs() < 5.0 {
        let (mut term, mut sum) = (x, x);
        for k in 1..200 {
            term *= x * x / f64::from(2 * k + 1);
            sum += term;
        }
        return 0.5 + density * sum;
    }
    let tail = (1..60)
        .rev()
        .fold(x.abs(), |tail, k| x.abs() + f64::from(k) / tail);
    let above = density / tail;
    if x > 0.0 { 1.0 - above } else { above }
}

#[test]
fn normal_distribution_function() {
    for (x, p) in [
        (0.0, 0.5),
        (1.0, 0.841_344_746_068_542_9),
        (-2.5, 0.006_209_665_325_776_132),
        (4.9, 0.999_999_520_816_723),
        (-6.0, 9.865_876_450_376_946e-10),
    ] {
        assert!((normal_below(x) - p).abs() < 1e-14, "{x}");
    }
}
