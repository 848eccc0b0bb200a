//! The closed forms of the models against differences, brute force and one another.
#![expect(clippy::unwrap_used, reason = "a failing test panics")]

mod common;

use ansatz_core::{Denoiser, EvalError, Key, NoiseLevel, NoiseSchedule, Prediction, State};
use ansatz_testkit::reference::probability_flow;
use ansatz_testkit::{Analytic, Empirical, Gaussian, Mixture, ModelError, data, laws, measure};
use common::VpLinear;

/// A degenerate mixture in R⁴: a line and a plane.
fn line_and_plane() -> Mixture {
    let mut covariances = [0.0; 32];
    covariances[5] = 1.0;
    covariances[16 + 10] = 0.5;
    covariances[16 + 15] = 0.8;
    let means = [2.0, 0.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0];
    Mixture::new(&[0.5, 0.5], &means, &covariances).unwrap()
}

fn gaussian() -> Gaussian {
    Gaussian::new(&[0.3, -1.0, 2.0], &[0.5, 0.0, 2.0]).unwrap()
}

fn empirical() -> Empirical {
    let points = normal(50 * 3);
    Empirical::new(&points, 3).unwrap()
}

fn normal(n: usize) -> Vec<f64> {
    let mut x = vec![0.0; n];
    x.fill_normal(Key::new(11), 0);
    x
}

fn levels() -> Vec<NoiseLevel> {
    [0.01, 0.1, 0.4, 1.0].map(|t| VpLinear.level(t)).into()
}

/// Difference quotient of order 6 with step `h`.
fn difference(h: f64, f: impl Fn(f64) -> f64) -> f64 {
    let d = |k: f64| f(k * h) - f(-k * h);
    (45.0 * d(1.0) - 9.0 * d(2.0) + d(3.0)) / (60.0 * h)
}

/// Score, Jacobian and Laplacian of a model at noisy points against differences.
fn derivatives(model: &impl Analytic) {
    let dim = model.dim();
    for at in levels() {
        // Responsibilities change over distances of σ² over that of the means.
        let h = 0.02 * at.sigma * at.sigma;
        for row in normal(4 * dim).chunks_exact(dim) {
            let moved = |j: usize, s: f64| {
                let mut y = row.to_vec();
                y[j] += s;
                y
            };
            let value = |y: &[f64]| {
                let mut out = [0.0];
                model.log_density(y, &at, &mut out).unwrap();
                out[0]
            };
            let vector = |y: &[f64], k: usize| {
                let mut out = vec![0.0; dim];
                match k {
                    0 => model.score(y, &at, &mut out).unwrap(),
                    _ => model.posterior_mean(y, &at, &mut out).unwrap(),
                }
                out
            };
            let scale = 1.0 / at.sigma;
            let score = vector(row, 0);
            let mut divergence = 0.0;
            for j in 0..dim {
                let got = difference(h, |s| value(&moved(j, s)));
                let error = (got - score[j]).abs();
                assert!(error < 1e-7 * scale, "score {j}: {got} and {}", score[j]);
                divergence += difference(h, |s| vector(&moved(j, s), 0)[j]);
                let mut unit = vec![0.0; dim];
                unit[j] = 1.0;
                let mut column = vec![0.0; dim];
                model
                    .posterior_mean_vjp(row, &at, &unit, &mut column)
                    .unwrap();
                for i in 0..dim {
                    // The Jacobian is symmetric, so its row j is also its column j.
                    let got = difference(h, |s| vector(&moved(j, s), 1)[i]);
                    let error = (got - column[i]).abs();
                    assert!(error < 1e-7 * scale, "{i}, {j}: {got} and {}", column[i]);
                }
            }
            let mut laplacian = [0.0];
            model.laplacian(row, &at, &mut laplacian).unwrap();
            let error = (divergence - laplacian[0]).abs();
            assert!(
                error < 1e-6 * scale * scale,
                "{divergence} and {laplacian:?}"
            );
        }
    }
}

#[test]
fn derivatives_of_the_mixtures_match_differences() {
    derivatives(&Mixture::tb1());
    derivatives(&line_and_plane());
}

#[test]
fn derivatives_of_the_gaussian_match_differences() {
    derivatives(&gaussian());
}

#[test]
fn derivatives_of_the_data_set_match_differences() {
    derivatives(&empirical());
    derivatives(&empirical().smoothed(0.3).unwrap());
}

#[test]
fn every_kind_is_consistent_for_every_model() {
    let x = normal(12);
    for at in levels() {
        for kind in Prediction::ALL {
            laws::denoiser(&gaussian().predicting(kind), &x, &at);
            laws::denoiser(&line_and_plane().predicting(kind), &x, &at);
            laws::denoiser(&empirical().predicting(kind), &x, &at);
            let narrow: Vec<f32> = x.iter().map(|v| *v as f32).collect();
            laws::denoiser(&Mixture::tb1().predicting(kind), &narrow, &at);
        }
    }
}

/// The kinds are mixed from data and score, so all keep their digits at both ends.
#[test]
fn noise_and_data_keep_their_digits_at_the_ends() {
    let model = gaussian();
    let x = normal(3);
    let mut out = vec![0.0; 3];
    let faint = NoiseLevel::new(1.0, 1e-12, 1.0);
    model.posterior_mean(&x, &faint, &mut out).unwrap();
    assert!(measure::max_abs_diff(&out, model.mean()) < 1e-11);
    let clear = NoiseLevel::new(0.0, 1.0, 1e-12);
    let noise = Gaussian::isotropic(3, 0.0, 1.0)
        .unwrap()
        .predicting(Prediction::Noise);
    noise.eval(&x, &clear, &mut out).unwrap();
    for (noise, x) in out.iter().zip(&x) {
        assert!((noise - 1e-12 * x).abs() < 1e-27);
    }
    let silent = NoiseLevel::new(1.0, 0.0, 1.0);
    let mut mean = vec![0.0; 2];
    Mixture::tb1()
        .eval(&vec![0.7, 0.1], &silent, &mut mean)
        .unwrap();
    let want = Mixture::tb1().mean(&NoiseLevel::clean(0.0));
    assert!(measure::max_abs_diff(&mean, &want) < 1e-15);
}

#[test]
fn one_component_is_a_gaussian() {
    let variance = [0.5, 0.0, 2.0];
    let mut covariance = [0.0; 9];
    for (j, v) in variance.iter().enumerate() {
        covariance[4 * j] = *v;
    }
    let a = Mixture::new(&[1.0], &[0.3, -1.0, 2.0], &covariance).unwrap();
    same_model(&a, &gaussian());
}

#[test]
fn a_blurred_data_set_is_a_mixture() {
    let points = normal(20 * 3);
    let covariances: Vec<f64> = (0..20 * 9)
        .map(|k| if k % 9 % 4 == 0 { 0.09 } else { 0.0 })
        .collect();
    let mixture = Mixture::new(&[0.05; 20], &points, &covariances).unwrap();
    let data = Empirical::new(&points, 3).unwrap().smoothed(0.3).unwrap();
    same_model(&mixture, &data);
}

fn same_model(a: &impl Analytic, b: &impl Analytic) {
    let x = normal(3 * 30);
    let w: Vec<f64> = x.iter().rev().copied().collect();
    for at in levels() {
        let all = |m: &dyn Fn(&mut Vec<f64>, &mut Vec<f64>)| {
            let (mut vectors, mut scalars) = (vec![0.0; 90], vec![0.0; 30]);
            m(&mut vectors, &mut scalars);
            [vectors, scalars].concat()
        };
        let pairs = [
            [
                all(&|v, s| {
                    a.score(&x, &at, v).unwrap();
                    a.log_density(&x, &at, s).unwrap();
                }),
                all(&|v, s| {
                    b.score(&x, &at, v).unwrap();
                    b.log_density(&x, &at, s).unwrap();
                }),
            ],
            [
                all(&|v, s| {
                    a.posterior_mean_vjp(&x, &at, &w, v).unwrap();
                    a.laplacian(&x, &at, s).unwrap();
                }),
                all(&|v, s| {
                    b.posterior_mean_vjp(&x, &at, &w, v).unwrap();
                    b.laplacian(&x, &at, s).unwrap();
                }),
            ],
        ];
        for [p, q] in pairs {
            let size = p.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let worst = measure::max_abs_diff(&p, &q);
            assert!(worst <= 1e-12 * size, "{worst:e} of {size:e}");
        }
    }
}

#[test]
fn gaussian_flow_map_is_the_probability_flow() {
    let model = gaussian();
    let x = normal(9);
    let [a, b, c] = [1.0, 0.3, 0.01].map(|t| VpLinear.level(t));
    let (mut exact, mut middle, mut composed) = (vec![0.0; 9], vec![0.0; 9], vec![0.0; 9]);
    model.probability_flow(&x, &a, &c, &mut exact).unwrap();
    let solved = probability_flow(&model, &VpLinear, a.t, c.t, &x).unwrap();
    assert!(measure::max_abs_diff(&exact, &solved) < 1e-12);
    model.probability_flow(&x, &a, &b, &mut middle).unwrap();
    model
        .probability_flow(&middle, &b, &c, &mut composed)
        .unwrap();
    assert!(measure::max_abs_diff(&exact, &composed) < 1e-14);
    model.probability_flow(&x, &a, &a, &mut composed).unwrap();
    assert!(measure::max_abs_diff(&x, &composed) < 1e-15);
}

/// The digits in `f64` by the formula, with no blocks, lanes or running maximum.
#[test]
fn digits_denoiser_matches_brute_force() {
    let digits = data::digits();
    let model = Empirical::new(&digits.images, 64).unwrap();
    let x: Vec<f64> = normal(10 * 64);
    for at in [0.02, 0.3, 1.0].map(|t| VpLinear.level(t)) {
        let start: Vec<f64> = x
            .iter()
            .zip(&digits.images[640..])
            .map(|(z, y)| at.alpha * f64::from(*y) + at.sigma * z)
            .collect();
        let mut got = vec![0.0; 640];
        model.eval(&start, &at, &mut got).unwrap();
        for (row, got) in start.chunks(64).zip(got.chunks(64)) {
            let logits: Vec<f64> = digits
                .images
                .chunks(64)
                .map(|y| {
                    let square: f64 = row
                        .iter()
                        .zip(y)
                        .map(|(x, y)| (x - at.alpha * f64::from(*y)).powi(2))
                        .sum();
                    -0.5 * square / (at.sigma * at.sigma)
                })
                .collect();
            let top = logits.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let total: f64 = logits.iter().map(|l| (l - top).exp()).sum();
            let mut want = vec![0.0; 64];
            for (l, y) in logits.iter().zip(digits.images.chunks(64)) {
                for (w, y) in want.iter_mut().zip(y) {
                    *w += (l - top).exp() / total * f64::from(*y);
                }
            }
            assert!(measure::max_abs_diff(got, &want) < 1e-12);
        }
        let narrow: Vec<f32> = start.iter().map(|v| *v as f32).collect();
        let mut rounded = vec![0.0_f32; 640];
        model.eval(&narrow, &at, &mut rounded).unwrap();
        for (r, g) in rounded.iter().zip(&got) {
            assert!((f64::from(*r) - g).abs() < 1e-3);
        }
    }
}

#[test]
fn models_give_the_same_bits_for_any_number_of_threads() {
    let digits = data::digits();
    let model = Empirical::new(&digits.images, 64).unwrap();
    let at = NoiseLevel::new(0.5, 0.7, 0.7);
    let x = normal(100 * 64);
    laws::same_for_threads(|| {
        let mut out = vec![0.0; x.len()];
        model.eval(&x, &at, &mut out).unwrap();
        let mut vjp = vec![0.0; x.len()];
        model.posterior_mean_vjp(&x, &at, &out, &mut vjp).unwrap();
        [out, vjp].concat()
    });
    let x = normal(2 * 5000);
    laws::same_for_threads(|| {
        let mut out = vec![0.0; x.len()];
        Mixture::tb1().eval(&x, &at, &mut out).unwrap();
        let mmd = Mixture::tb1().mmd_squared(&x[..1000], &at, 0.5).unwrap();
        out.push(mmd);
        out
    });
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let at = NoiseLevel::new(0.5, 0.7, 0.7);
    let mut x = normal(21 * 3);
    let (mut alone, mut together) = (vec![0.0; 3], vec![0.0; 63]);
    x[30] = f64::NAN;
    empirical().eval(&x, &at, &mut together).unwrap();
    for (i, row) in x.chunks(3).enumerate() {
        empirical().eval(&row.to_vec(), &at, &mut alone).unwrap();
        let got = &together[3 * i..][..3];
        if i == 10 {
            assert!(got.iter().all(|v| v.is_nan()));
        } else {
            assert_eq!(got, alone);
        }
    }
}

#[test]
fn broken_parameters_are_named() {
    let mixture = |w: &[f64], s: &[f64]| Mixture::new(w, &[0.0, 0.0, 1.0, 1.0], s);
    let eye = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
    assert!(mixture(&[0.5, 0.5], &eye).is_ok());
    assert!(matches!(
        mixture(&[0.5, 0.5 + 1e-11], &eye),
        Err(ModelError::Weights { .. })
    ));
    assert!(matches!(
        mixture(&[1.5, -0.5], &eye),
        Err(ModelError::Negative { index: 1, .. })
    ));
    let mut s = eye;
    s[5] = 1e-6;
    assert!(matches!(
        mixture(&[0.5, 0.5], &s),
        Err(ModelError::NotSymmetric {
            component: 1,
            row: 0,
            column: 1,
            ..
        })
    ));
    (s[5], s[6]) = (2.0, 2.0);
    assert!(matches!(
        mixture(&[0.5, 0.5], &s),
        Err(ModelError::NegativeEigenvalue { component: 1, value }) if (value + 1.0).abs() < 1e-14
    ));
    s[0] = f64::NAN;
    assert!(matches!(
        mixture(&[0.5, 0.5], &s),
        Err(ModelError::NonFinite { index: 0, .. })
    ));
    assert!(matches!(
        mixture(&[0.5, 0.5], &eye[..7]),
        Err(ModelError::Length {
            expected: 8,
            got: 7,
            ..
        })
    ));
    assert!(matches!(
        Mixture::new(&[], &[], &[]),
        Err(ModelError::Empty { .. })
    ));
    assert!(Gaussian::new(&[0.0], &[-1.0]).is_err());
    assert!(Gaussian::isotropic(0, 0.0, 1.0).is_err());
    assert!(Empirical::new(&[1.0, 2.0, 3.0], 2).is_err());
    assert!(Empirical::new::<f64>(&[], 2).is_err());
    assert!(Empirical::new(&[1.0], 0).is_err());
    assert!(empirical().smoothed(f64::NAN).is_err());
}

#[test]
fn broken_arguments_are_errors() {
    let at = NoiseLevel::new(0.5, 0.8, 0.6);
    let model = Mixture::tb1();
    let mut out = vec![0.0; 4];
    assert!(matches!(
        model.eval(&vec![0.0; 3], &at, &mut out),
        Err(EvalError::Length {
            expected: 2,
            got: 3,
            ..
        })
    ));
    assert!(matches!(
        model.eval(&vec![0.0; 6], &at, &mut out),
        Err(EvalError::Length {
            expected: 6,
            got: 4,
            ..
        })
    ));
    let w = [0.0; 2];
    assert!(
        model
            .posterior_mean_vjp(&[0.0; 4], &at, &w, &mut out)
            .is_err()
    );
    assert!(model.laplacian(&[0.0; 4], &at, &mut out).is_err());
    assert!(model.mmd_squared::<f64>(&[], &at, 0.5).is_err());
    assert!(model.mmd_squared(&[0.0; 3], &at, 0.5).is_err());
    assert!(model.mmd_squared(&[0.0; 4], &at, 0.0).is_err());
    let broken = NoiseLevel::new(0.5, f64::NAN, 0.6);
    assert!(matches!(
        model.eval(&vec![0.0; 4], &broken, &mut out),
        Err(EvalError::NonFinite { .. })
    ));
    // Points and degenerate covariances have no density without noise; TB1 has one.
    let clean = NoiseLevel::clean(0.0);
    assert!(model.eval(&vec![0.0; 4], &clean, &mut out).is_ok());
    assert!(matches!(
        line_and_plane().eval(&vec![0.0; 4], &clean, &mut out),
        Err(EvalError::OutOfRange { .. })
    ));
    let mut out = vec![0.0; 3];
    assert!(empirical().eval(&vec![0.0; 3], &clean, &mut out).is_err());
    assert!(gaussian().eval(&vec![0.0; 3], &clean, &mut out).is_err());
    assert!(
        gaussian()
            .probability_flow(&[0.0; 3], &clean, &at, &mut out)
            .is_err()
    );
    assert!(probability_flow(&empirical(), &VpLinear, 1.0, 0.0, &vec![0.0; 3]).is_err());
}
