//! Sequential Monte Carlo against closed forms and the Kalman filter.

use ansatz_core::{EvalError, Key, State};
use ansatz_stats::{Criterion, Mala, Particles, Resampler, WeightError, log_mean_exp};
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

/// The conditional size of a step from N(0, 1) with exponent −½(x − m)²/v in closed form: with E over the
/// particles, (E v)²/E v², both Gaussian integrals.
#[test]
fn temperatures_in_closed_form() {
    let n = 200_000;
    let mut x = vec![0.0; n];
    x.fill_normal(Key::new(61), 0);
    let (m, v) = (2.0_f64, 0.25);
    let exponents: Vec<f64> = x.iter().map(|x| -0.5 * (x - m).powi(2) / v).collect();
    let particles = Particles::new(x, n).unwrap();
    for fraction in [0.9, 0.5, 0.2] {
        let conditional = particles
            .next_temperature(&exponents, 0.0, fraction, Criterion::Conditional)
            .unwrap();
        let effective = particles
            .next_temperature(&exponents, 0.0, fraction, Criterion::Effective)
            .unwrap();
        assert!((conditional - effective).abs() < 1e-12, "equal weights");
        // E exp(−½a(x − m)²) = exp(−½am²/(1 + a))/√(1 + a) for x ~ N(0, 1).
        let log = |a: f64| -0.5 * a * m * m / (1.0 + a) - 0.5 * (1.0 + a).ln();
        let a = conditional / v;
        let size = (2.0 * log(a) - log(2.0 * a)).exp();
        // The relative error of a ratio of means of n particles worth `fraction` of them.
        assert!((size / fraction - 1.0).abs() < 0.03, "{fraction}: {size}");
    }
}

/// Annealing by temperatures of its own choice: few steps, and log Z within five standard errors of 100 runs.
#[test]
fn adaptive_annealing() {
    let exact = 0.5 * 0.2_f64.ln() - 1.6;
    let potential = |x: f64| -0.5 * (x - 2.0).powi(2) / 0.25;
    let run = |key: Key, criterion: Criterion| {
        let n = 500;
        let mut x = vec![0.0; n];
        x.fill_normal(key, 0);
        let mut particles = Particles::new(x, n).unwrap();
        let (mut tau, mut steps) = (0.0, 0);
        while tau < 1.0 {
            steps += 1;
            let u: Vec<f64> = particles.state().iter().map(|x| potential(*x)).collect();
            let next = particles.next_temperature(&u, tau, 0.7, criterion).unwrap();
            assert!(next > tau);
            let increments: Vec<f64> = u.iter().map(|u| (next - tau) * u).collect();
            particles.reweight(&increments).unwrap();
            tau = next;
            let below = if criterion == Criterion::Effective {
                1.0
            } else {
                0.5
            };
            particles
                .resample_below(below, Resampler::Systematic, key, 10 + steps)
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
                steps: 3,
            };
            mala.run(
                &target,
                particles.state_mut(),
                n,
                key.fold_in(steps),
                &mut (),
            )
            .unwrap();
        }
        (steps, (particles.log_normaliser().unwrap() - exact).exp())
    };
    for criterion in [Criterion::Conditional, Criterion::Effective] {
        let runs: Vec<(u64, f64)> = (0..100)
            .map(|r| run(Key::new(62).fold_in(r), criterion))
            .collect();
        let ratios: Vec<f64> = runs.iter().map(|r| r.1).collect();
        let (mean, error) = mean_and_error(&ratios);
        assert!(
            (mean - 1.0).abs() < 5.0 * error && error < 0.03,
            "{criterion:?}: {mean} ± {error}"
        );
        assert!(
            runs.iter().all(|r| (3..12).contains(&r.0)),
            "{criterion:?}: {:?}",
            runs[0]
        );
    }
}

#[test]
fn temperatures_that_are_refused() {
    let mut particles = Particles::new(vec![0.0; 4], 4).unwrap();
    let u = [-1.0, -2.0, f64::NEG_INFINITY, 0.0];
    let next = |p: &Particles<Vec<f64>>, u: &[f64], from, fraction| {
        p.next_temperature(u, from, fraction, Criterion::Effective)
    };
    for (from, fraction) in [
        (1.0, 0.5),
        (-0.1, 0.5),
        (f64::NAN, 0.5),
        (0.0, 0.0),
        (0.0, 1.0),
    ] {
        let error = next(&particles, &u, from, fraction);
        assert!(
            matches!(error, Err(WeightError::Option { .. })),
            "{from} {fraction}"
        );
    }
    assert!(matches!(
        next(&particles, &u[..3], 0.0, 0.5),
        Err(WeightError::Length { .. })
    ));
    assert!(matches!(
        next(&particles, &[f64::NAN; 4], 0.0, 0.5),
        Err(WeightError::NotANumber { .. })
    ));
    assert!(matches!(
        next(&particles, &[f64::NEG_INFINITY; 4], 0.0, 0.5),
        Err(WeightError::AllZero { .. })
    ));
    assert_eq!(next(&particles, &[3.0; 4], 0.2, 0.9), Ok(1.0));
    // A step of any length kills one of four: the temperature still moves on.
    let tau = next(&particles, &u, 0.5, 0.9).unwrap();
    assert!(tau > 0.5 && tau < 0.5 + 1e-9);
    particles.reweight(&[0.0, -50.0, -50.0, -50.0]).unwrap();
    assert!(matches!(
        next(&particles, &u, 0.0, 0.5),
        Err(WeightError::Option { .. })
    ));
}
