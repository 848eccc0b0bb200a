//! Resampling against closed forms of the mean and variance of counts.

use ansatz_core::Key;
use ansatz_stats::{Resampler, categorical, effective_sample_size, log_mean_exp, log_sum_exp};
use ansatz_testkit::laws;

const ANCESTORS: usize = 10;
const WEIGHTS: [f64; 6] = [0.07, 0.33, 0.0, 0.21, 0.26, 0.13];

fn logs(weights: &[f64]) -> Vec<f64> {
    weights.iter().map(|w| w.ln()).collect()
}

fn counts(ancestors: &[usize], n: usize) -> Vec<f64> {
    let mut c = vec![0.0; n];
    for a in ancestors {
        c[*a] += 1.0;
    }
    c
}

/// Variance of the count of each particle; see the table of the module.
fn variances(how: Resampler) -> Vec<f64> {
    let m = ANCESTORS as f64;
    let rest: f64 = WEIGHTS.iter().map(|w| (m * w).fract()).sum();
    let mut before = 0.0;
    WEIGHTS
        .iter()
        .map(|w| {
            let (from, f) = (before, (m * w).fract());
            before += w;
            match how {
                Resampler::Multinomial => m * w * (1.0 - w),
                Resampler::Residual => f * (1.0 - f / rest),
                Resampler::Systematic => f * (1.0 - f),
                Resampler::Stratified => (0..ANCESTORS)
                    .map(|k| {
                        let (a, b) = (k as f64 / m, (k + 1) as f64 / m);
                        let p = m * (before.min(b) - from.max(a)).max(0.0);
                        p * (1.0 - p)
                    })
                    .sum(),
            }
        })
        .collect()
}

/// Averaged over a grid that integrates the uniform number exactly, counts are m·W to the last bit,
/// and those of systematic resampling have the variance f(1 − f).
#[test]
fn expectation_over_the_exact_uniform_distribution() {
    let sixtyfourths = [5.0, 0.0, 23.0, 1.0, 17.0, 11.0, 7.0];
    let weights: Vec<f64> = sixtyfourths.iter().map(|a| a / 64.0).collect();
    let grid = 64;
    for how in [Resampler::Systematic, Resampler::Stratified] {
        let (mut sum, mut squares) = (vec![0.0; 7], vec![0.0; 7]);
        for k in 0..grid {
            let u = (f64::from(k) + 0.5) / f64::from(grid);
            let mut ancestors = [usize::MAX; 16];
            how.resample_with(&logs(&weights), |_| u, &mut ancestors)
                .unwrap();
            for (i, c) in counts(&ancestors, 7).into_iter().enumerate() {
                sum[i] += c;
                squares[i] += c * c;
            }
        }
        for (i, w) in weights.iter().enumerate() {
            let mean = sum[i] / f64::from(grid);
            assert_eq!(mean, 16.0 * w, "{how:?}, particle {i}");
            let f = (16.0 * w).fract();
            let variance = squares[i] / f64::from(grid) - mean * mean;
            assert!(
                (variance - f * (1.0 - f)).abs() < 1e-12,
                "{how:?}: {variance}"
            );
        }
    }
}

/// Means and variances of 40 000 independent draws within five standard errors of the closed forms,
/// and so the order of the schemes.
#[test]
fn means_and_variances_of_counts() {
    let trials = 40_000;
    let log_weights = logs(&WEIGHTS);
    let mut total = Vec::new();
    for how in Resampler::ALL {
        let key = Key::new(11);
        let mut moments = [[0.0; 2]; 6];
        let mut fourth = [0.0; 6];
        let mut product = 0.0;
        for trial in 0..trials {
            let mut ancestors = [usize::MAX; ANCESTORS];
            how.resample(&log_weights, key, trial, &mut ancestors)
                .unwrap();
            assert!(ancestors.is_sorted());
            let c = counts(&ancestors, 6);
            for i in 0..6 {
                let d = c[i] - ANCESTORS as f64 * WEIGHTS[i];
                moments[i][0] += d;
                moments[i][1] += d * d;
                fourth[i] += d.powi(4);
            }
            product += (c[1] - 3.3) * (c[4] - 2.6);
        }
        let n = trials as f64;
        for (i, v) in variances(how).into_iter().enumerate() {
            let [mean, square] = moments[i].map(|m| m / n);
            assert!(
                mean.abs() <= 5.0 * (v / n).sqrt() + 1e-12,
                "{how:?} {i}: {mean}"
            );
            let error = ((fourth[i] / n - square * square).max(0.0) / n).sqrt();
            assert!(
                (square - v).abs() <= 5.0 * error + 1e-12,
                "{how:?} {i}: variance {square}, closed form {v} ± {error}"
            );
        }
        if how == Resampler::Multinomial {
            // Covariance −m·Wᵢ·Wⱼ; the product of two counts has a standard deviation below 3.
            let expected = -10.0 * 0.33 * 0.26;
            assert!((product / n - expected).abs() < 5.0 * 3.0 / n.sqrt());
        }
        total.push(moments.iter().map(|m| m[1] / n).sum::<f64>());
    }
    let [multinomial, residual, stratified, systematic] = total[..] else {
        unreachable!()
    };
    assert!(
        systematic < stratified && stratified < multinomial,
        "{total:?}"
    );
    assert!(systematic < residual && residual < multinomial, "{total:?}");
}

fn rough(n: usize) -> Vec<f64> {
    let mut x = vec![0.0_f64; n];
    Key::new(5).fill_normal(9, &mut x);
    // Multiples of 1/1024: shifts by whole numbers are exact.
    x.iter().map(|x| (2048.0 * x).round() / 1024.0).collect()
}

#[test]
fn systematic_counts_are_floor_or_ceiling() {
    let log_weights = rough(1000);
    let log_sum = log_sum_exp(&log_weights).unwrap();
    for trial in 0..50 {
        for m in [300, 1000, 2500] {
            let mut ancestors = vec![0; m];
            Resampler::Systematic
                .resample(&log_weights, Key::new(1), trial, &mut ancestors)
                .unwrap();
            let c = counts(&ancestors, 1000);
            for (c, w) in c.into_iter().zip(&log_weights) {
                let expected = m as f64 * (w - log_sum).exp();
                assert!(
                    c >= expected.floor() && c <= expected.ceil(),
                    "{c}, {expected}"
                );
            }
        }
    }
}

/// Residual resampling keeps whole copies for certain.
#[test]
fn residual_keeps_whole_copies() {
    for trial in 0..200 {
        let mut ancestors = [0; ANCESTORS];
        Resampler::Residual
            .resample(&logs(&WEIGHTS), Key::new(2), trial, &mut ancestors)
            .unwrap();
        for (c, w) in counts(&ancestors, 6).into_iter().zip(WEIGHTS) {
            assert!(c >= (10.0 * w).floor());
        }
    }
}

#[test]
fn a_shift_of_the_log_weights_changes_nothing() {
    let log_weights = rough(500);
    for shift in [-30_000.0, 700.0, 50_000.0] {
        let shifted: Vec<f64> = log_weights.iter().map(|w| w + shift).collect();
        for how in Resampler::ALL {
            let draw = |w: &[f64]| {
                let mut a = vec![0; 400];
                how.resample(w, Key::new(3), 1, &mut a).unwrap();
                a
            };
            assert_eq!(draw(&log_weights), draw(&shifted), "{how:?}");
        }
        assert_eq!(
            effective_sample_size(&log_weights).unwrap(),
            effective_sample_size(&shifted).unwrap()
        );
        let change = log_mean_exp(&shifted).unwrap() - log_mean_exp(&log_weights).unwrap();
        assert!((change - shift).abs() <= 4.0 * f64::EPSILON * shift.abs());
    }
}

/// One particle, or one that carries all the weight, is drawn by every scheme, for uniform numbers at
/// both ends of their range.
#[test]
fn extreme_weights_and_uniform_numbers() {
    let last = 1.0 - f64::EPSILON / 2.0;
    for how in Resampler::ALL {
        for u in [0.0, last] {
            for m in [1, 2, 7, 1000] {
                for (weights, only) in [
                    (vec![-800.0], 0),
                    (vec![f64::NEG_INFINITY, 0.0, f64::NEG_INFINITY], 1),
                    (vec![-1e300, -2.0, -900.0], 1),
                ] {
                    let mut a = vec![usize::MAX; m];
                    how.resample_with(&weights, |_| u, &mut a).unwrap();
                    assert!(a.iter().all(|a| *a == only), "{how:?}, {u}: {a:?}");
                }
                // Thirds are not exact: no position may be lost, none filled twice.
                let mut a = vec![usize::MAX; m];
                how.resample_with(&[0.0; 3], |_| u, &mut a).unwrap();
                assert!(a.iter().all(|a| *a < 3) && a.is_sorted(), "{how:?}: {a:?}");
            }
        }
        how.resample(&[0.0], Key::new(0), 0, &mut []).unwrap();
    }
    assert_eq!(categorical(&[0.0, f64::NEG_INFINITY], last).unwrap(), 0);
    assert_eq!(categorical(&[f64::NEG_INFINITY, 0.0], 0.0).unwrap(), 1);
}

#[test]
fn threads_change_nothing() {
    let log_weights = rough(20_000);
    for how in Resampler::ALL {
        laws::same_for_threads(|| {
            let mut a = vec![0; 20_000];
            how.resample(&log_weights, Key::new(8), 2, &mut a).unwrap();
            a.into_iter().map(|a| a as f64).collect()
        });
    }
}

/// Effective sample sizes in closed form: k equal weights give k; weights 1, …, n give
/// `3n(n + 1)/(2(2n + 1))`.
#[test]
fn effective_sample_sizes() {
    let mut weights = vec![f64::NEG_INFINITY; 10];
    weights[3..8].fill(-1e4);
    assert_eq!(effective_sample_size(&weights).unwrap(), 5.0);
    let ramp: Vec<f64> = (1..=100).map(|k| f64::from(k).ln()).collect();
    let got = effective_sample_size(&ramp).unwrap();
    assert!(
        (got - 3.0 * 100.0 * 101.0 / (2.0 * 201.0)).abs() < 1e-11,
        "{got}"
    );
    assert!((log_mean_exp(&ramp).unwrap() - 50.5_f64.ln()).abs() < 1e-14);
}
