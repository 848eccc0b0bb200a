//! Sequential Monte Carlo against closed forms and the Kalman filter.

use ansatz_core::{EvalError, Key, State};
use ansatz_stats::{Mala, Particles, Resampler, WeightError, log_mean_exp};
use ansatz_testkit::laws;

use crate::targets::mean_and_error;

/// From N(0, 1) to N(0, 1)·exp(−½(x − m)²/v): Z = exp(−½m²/(1 + v))·√(v/(1 + v)),
/// mean m/(1 + v).
fn anneal(key: Key, how: Resampler, threshold: f64) -> Particles<Vec<f64>> {
    let (n, steps) = (250, 8);
    let potential = |x: f64| -0.5 * (x - 2.0).powi(2) / 0.25;
    let mut x = vec![0.0; n];
    x.fill_normal(key.fold_in(0), 0);
    let mut particles = Particles::new(x, n).unwrap();
    let mut done = 0.0;
    for k in 1..=steps {
        let tau = (k as f64 / steps as f64).powi(2);
        let increments: Vec<f64> = particles
            .state()
            .iter()
            .map(|x| (tau - done) * potential(*x))
            .collect();
        done = tau;
        particles.reweight(&increments).unwrap();
        particles
            .resample_below(threshold, how, key.fold_in(1), k)
            .unwrap();
        let target =
            |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
                for ((l, s), x) in log.iter_mut().zip(score).zip(x) {
                    *l = -0.5 * x * x + tau * potential(*x);
                    *s = -x - tau * (x - 2.0) / 0.25;
                }
                Ok(())
            };
        let mala = Mala {
            step: 0.3,
            steps: 2,
        };
        let key = key.fold_in(1 + k);
        mala.run(&target, particles.state_mut(), n, key, &mut ())
            .unwrap();
    }
    particles
}

/// Z is unbiased whatever scheme and threshold: the mean of 200 runs within five standard errors.
#[test]
fn annealing_to_a_product_of_gaussians() {
    let exact = 0.5 * 0.2_f64.ln() - 1.6;
    for (how, threshold) in [
        (Resampler::Systematic, 0.8),
        (Resampler::Multinomial, 1.0),
        (Resampler::Stratified, 0.0),
    ] {
        let runs: Vec<Particles<Vec<f64>>> = (0..200)
            .map(|r| anneal(Key::new(17).fold_in(r), how, threshold))
            .collect();
        let ratios: Vec<f64> = runs
            .iter()
            .map(|p| (p.log_normaliser().unwrap() - exact).exp())
            .collect();
        let (mean, error) = mean_and_error(&ratios);
        assert!(
            (mean - 1.0).abs() < 5.0 * error,
            "{how:?}: {mean} ± {error}"
        );
        assert!(
            error < 0.05,
            "{how:?}: the test must be able to fail: {error}"
        );
        let means: Vec<f64> = runs.iter().map(|p| p.mean(|x| x[0]).unwrap()).collect();
        let (mean, error) = mean_and_error(&means);
        // The bias of a ratio of means: at most the posterior's deviation, √0.2, over the particles
        // that are left in the worst step, more than 25.
        assert!(
            (mean - 1.6).abs() < 5.0 * error + 0.45 / 25.0,
            "{how:?}: {mean} ± {error}"
        );
        let resampled = runs.iter().map(Particles::resamplings).max().unwrap();
        let expected = match threshold {
            0.0 => 0..=0,
            1.0 => 8..=8,
            _ => 2..=7,
        };
        assert!(expected.contains(&resampled), "{how:?}: {resampled}");
    }
}

/// xₖ = 0.9·xₖ₋₁ + 0.6·v, yₖ = xₖ + 0.5·e: log likelihood and last filtering mean of the bootstrap filter
/// against the Kalman filter.
#[test]
fn bootstrap_filter_against_the_kalman_filter() {
    let (a, q, r, times) = (0.9, 0.36, 0.25, 30);
    let mut noise = vec![0.0; 2 * times];
    noise.fill_normal(Key::new(100), 0);
    let mut x = noise[0];
    let mut data = Vec::new();
    for k in 0..times {
        x = a * x + 0.6 * noise[k];
        data.push(x + 0.5 * noise[times + k]);
    }

    let (mut m, mut p, mut log_likelihood) = (0.0, 1.0, 0.0);
    for y in &data {
        (m, p) = (a * m, a * a * p + q);
        let s = p + r;
        log_likelihood -= 0.5 * ((std::f64::consts::TAU * s).ln() + (y - m) * (y - m) / s);
        (m, p) = (m + p / s * (y - m), p * r / s);
    }

    let n = 400;
    let filter = |key: Key| {
        let mut x = vec![0.0; n];
        x.fill_normal(key, 0);
        let mut particles = Particles::new(x, n).unwrap();
        let mut v = vec![0.0; n];
        for (k, y) in data.iter().enumerate() {
            particles
                .resample_below(0.5, Resampler::Systematic, key, 1 + 2 * k as u64)
                .unwrap();
            v.fill_normal(key, 2 + 2 * k as u64);
            particles.state_mut().lincomb(a, &[(0.6, &v)]);
            let log = -0.5 * (std::f64::consts::TAU * r).ln();
            let increments: Vec<f64> = particles
                .state()
                .iter()
                .map(|x| log - 0.5 * (y - x) * (y - x) / r)
                .collect();
            particles.reweight(&increments).unwrap();
        }
        let likelihood = (particles.log_normaliser().unwrap() - log_likelihood).exp();
        (likelihood, particles.mean(|x| x[0]).unwrap())
    };
    let (likelihoods, means): (Vec<f64>, Vec<f64>) =
        (0..200).map(|run| filter(Key::new(1000 + run))).unzip();
    let (mean, error) = mean_and_error(&likelihoods);
    assert!(
        (mean - 1.0).abs() < 5.0 * error && error < 0.05,
        "{mean} ± {error}"
    );
    let (mean, error) = mean_and_error(&means);
    // As above, with at least a tenth of the particles left.
    let bias = p.sqrt() / 40.0;
    assert!(
        (mean - m).abs() < 5.0 * error + bias,
        "{mean} ± {error}, Kalman {m}"
    );
}

/// Particles that do not move are copies of their origins; one resampling is traced by ancestors.
#[test]
fn ancestry() {
    let start: Vec<f64> = (0..60).map(|i| 10.0 * f64::from(i)).collect();
    let mut particles = Particles::new(start.clone(), 30).unwrap();
    let mut increments = vec![0.0; 30];
    for k in 0..3 {
        increments.fill_normal(Key::new(k), 0);
        particles.reweight(&increments).unwrap();
        let before = particles.state().clone();
        particles
            .resample(Resampler::Residual, Key::new(9), k)
            .unwrap();
        for (i, a) in particles.ancestors().iter().enumerate() {
            assert_eq!(
                particles.state()[2 * i..2 * i + 2],
                before[2 * a..2 * a + 2]
            );
        }
    }
    let mut seen: Vec<usize> = particles.origins().to_vec();
    for (i, o) in seen.iter().enumerate() {
        assert_eq!(particles.state()[2 * i..2 * i + 2], start[2 * o..2 * o + 2]);
    }
    seen.dedup();
    assert!(seen.len() < 25, "few ancestors are left: {}", seen.len());
}

/// Resampling moves the estimate of Z from weights to the running sum, and changes it by rounding only.
#[test]
fn the_normaliser_outlives_a_resampling() {
    let mut increments = vec![0.0; 100];
    increments.fill_normal(Key::new(0), 0);
    let mut particles = Particles::new(vec![0.0_f32; 300], 100).unwrap();
    particles.reweight(&increments).unwrap();
    let first = particles.log_normaliser().unwrap();
    assert_eq!(first, log_mean_exp(&increments).unwrap());
    particles
        .resample(Resampler::default(), Key::new(1), 0)
        .unwrap();
    assert!((particles.log_normaliser().unwrap() - first).abs() < 1e-15);
    assert!(particles.log_weights().iter().all(|w| *w == 0.0));
    assert!(
        !particles
            .resample_below(1.0, Resampler::default(), Key::new(1), 1)
            .unwrap()
    );
    particles.reweight(&[-3.5; 100]).unwrap();
    assert!((particles.log_normaliser().unwrap() - first + 3.5).abs() < 1e-14);
}

#[test]
fn a_refused_increment_changes_nothing() {
    let mut particles = Particles::new(vec![1.0, 2.0, 3.0], 3).unwrap();
    particles.reweight(&[0.0, f64::NEG_INFINITY, -1.0]).unwrap();
    let before = particles.clone();
    let none = f64::NEG_INFINITY;
    for (increments, error) in [
        (
            vec![0.0, f64::NAN, 0.0],
            WeightError::NotANumber { index: 1 },
        ),
        (
            vec![0.0, 0.0, f64::INFINITY],
            WeightError::Infinite { index: 2 },
        ),
        // What has no weight cannot get any.
        (vec![none, 5.0, none], WeightError::AllZero { count: 3 }),
        (
            vec![0.0],
            WeightError::Length {
                what: "increments",
                expected: 3,
                got: 1,
            },
        ),
    ] {
        assert_eq!(particles.reweight(&increments), Err(error));
        assert_eq!(particles, before);
    }
    // A function that is not finite at a particle without weight.
    let mean = particles.mean(|x| if x[0] == 2.0 { f64::NAN } else { x[0] });
    let w = (-1.0_f64).exp();
    assert!((mean.unwrap() - (1.0 + 3.0 * w) / (1.0 + w)).abs() < 1e-15);
}

#[test]
fn threads_change_nothing() {
    laws::same_for_threads(|| {
        anneal(Key::new(1), Resampler::Systematic, 0.5)
            .state()
            .clone()
    });
}
