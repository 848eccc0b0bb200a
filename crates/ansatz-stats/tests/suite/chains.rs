//! Chains that accept or reject: exactness, acceptance in closed form, the integrator.

use ansatz_core::{Key, NoiseLevel, State, stream};
use ansatz_stats::{Adaptation, AtLevel, Hmc, Mala, Ula, leapfrog};
use ansatz_testkit::{Mixture, laws};

use crate::targets::{mean_and_error, normal, two_bumps, two_bumps_samples};

/// Mean acceptance at stationarity on N(0, 1) in one dimension.
///
/// A trajectory is a matrix M of determinant 1; with λ, 1/λ the eigenvalues of MᵀM,
/// ΔH = ½(λ − 1)(a² − b²/λ) for a, b ~ N(0, 1), and the mean of min(1, exp(−ΔH)) is 2P(ΔH < 0) since the map
/// is reversible and keeps volume: (4/π)·atan(1/√λ).
fn acceptance(step: f64, leaps: usize) -> f64 {
    let c = 1.0 - 0.5 * step * step;
    let one = [[c, step], [-step * (1.0 - 0.25 * step * step), c]];
    let mut m = [[1.0, 0.0], [0.0, 1.0]];
    for _ in 0..leaps {
        m = [0, 1].map(|i| [0, 1].map(|j| one[i][0] * m[0][j] + one[i][1] * m[1][j]));
    }
    let trace: f64 = m.iter().flatten().map(|v| v * v).sum();
    let lambda = 0.5 * (trace + (trace * trace - 4.0).max(0.0).sqrt());
    4.0 / std::f64::consts::PI * (1.0 / lambda.sqrt()).atan()
}

/// Within five standard errors (α lies in [0, 1]: at most ½/√n) of 100 000 stationary chains.
#[test]
fn acceptance_on_a_gaussian() {
    let n = 100_000;
    for (step, leaps) in [(0.5, 1), (1.0, 1), (1.7, 1), (1.2, 3), (0.7, 5), (1.9, 2)] {
        let mut x = vec![0.0; n];
        x.fill_normal(Key::new(1), 0);
        let hmc = Hmc {
            step,
            leaps,
            steps: 1,
            ..Hmc::default()
        };
        let report = hmc.run(&normal, &mut x, n, Key::new(2), &mut ()).unwrap();
        let exact = acceptance(step, leaps);
        let error = (report.acceptance - exact).abs();
        assert!(
            error < 2.5 / (n as f64).sqrt(),
            "{step}, {leaps}: {report:?}, {exact}"
        );
        assert_eq!(report.nfe, 1 + leaps);
    }
}

/// One step of `Mala` is the Metropolis rule with the densities of the proposal written out.
#[test]
fn mala_is_metropolis_with_the_langevin_proposal() {
    let (n, h, key) = (5000, 0.4_f64, Key::new(7));
    let start = two_bumps_samples(n, Key::new(8));
    let mut x = start.clone();
    let mala = Mala { step: h, steps: 1 };
    mala.run(&two_bumps, &mut x, n, key, &mut ()).unwrap();

    let mut z = vec![0.0; n];
    z.fill_normal(key, stream::step(0));
    let eval = |x: f64| {
        let (mut l, mut s) = ([0.0], vec![0.0]);
        two_bumps(&vec![x], &mut l, &mut s).unwrap();
        (l[0], s[0])
    };
    let mut accepted = 0;
    for i in 0..n {
        let (log_x, score_x) = eval(start[i]);
        let y = start[i] + 0.5 * h * score_x + h.sqrt() * z[i];
        let (log_y, score_y) = eval(y);
        let forth = -(y - start[i] - 0.5 * h * score_x).powi(2) / (2.0 * h);
        let back = -(start[i] - y - 0.5 * h * score_y).powi(2) / (2.0 * h);
        let alpha = (log_y + back - log_x - forth).exp().min(1.0);
        let [u, _] = key.uniform(stream::corrector(0), i as u64);
        // Rounding decides nothing here: no u is this close.
        assert!((u - alpha).abs() > 1e-10);
        let expected = if u < alpha { y } else { start[i] };
        assert!((x[i] - expected).abs() < 1e-12, "{i}: {}, {expected}", x[i]);
        accepted += usize::from(u < alpha);
    }
    assert!(accepted > n / 2 && accepted < n);
}

/// Independent stationary chains stay stationary: moments within five standard errors, where the
/// unadjusted steps of the same size are far off.
#[test]
fn chains_keep_their_target() {
    let n = 100_000;
    // Mass right of 0, second and fourth moment of ½N(±1.2, ¼).
    let (m2, v) = (1.44, 0.25);
    let exact = [0.5, m2 + v, m2 * m2 + 6.0 * m2 * v + 3.0 * v * v];
    let check = |x: &[f64]| {
        let f: [fn(f64) -> f64; 3] = [|x| f64::from(x > 0.0), |x| x * x, |x| x.powi(4)];
        let mut worst = 0.0_f64;
        for (f, e) in f.iter().zip(exact) {
            let values: Vec<f64> = x.iter().map(|x| f(*x)).collect();
            let (mean, error) = mean_and_error(&values);
            worst = worst.max((mean - e).abs() / error);
        }
        worst
    };
    let start = two_bumps_samples(n, Key::new(21));
    assert!(check(&start) < 5.0);
    let h = 0.5;
    let mut x = start.clone();
    let mala = Mala { step: h, steps: 15 };
    mala.run(&two_bumps, &mut x, n, Key::new(22), &mut ())
        .unwrap();
    assert!(check(&x) < 5.0, "{}", check(&x));
    let moved = x.iter().zip(&start).filter(|(a, b)| a != b).count();
    assert!(moved > n * 9 / 10);

    let mut x = start.clone();
    let hmc = Hmc {
        step: 0.6,
        leaps: 4,
        steps: 8,
        ..Hmc::default()
    };
    hmc.run(&two_bumps, &mut x, n, Key::new(23), &mut ())
        .unwrap();
    assert!(check(&x) < 5.0, "{}", check(&x));

    let mut x = start.clone();
    let score = |x: &Vec<f64>, out: &mut Vec<f64>| two_bumps(x, &mut vec![0.0; x.len()], out);
    let ula = Ula { step: h, steps: 15 };
    ula.run(&score, &mut x, Key::new(24), &mut ()).unwrap();
    assert!(check(&x) > 50.0, "{}", check(&x));
}

/// In balance, as many chains go from one cell to another as back: the difference of two counts
/// whose sum is m has a standard deviation of at most √m.
#[test]
fn detailed_balance() {
    let n = 400_000;
    let start = two_bumps_samples(n, Key::new(31));
    let cell = |x: f64| ((x + 2.0).floor().clamp(0.0, 3.0)) as usize;
    let methods = [
        Mala {
            step: 0.5,
            steps: 1,
        }
        .as_hmc(),
        Hmc {
            step: 0.7,
            leaps: 3,
            steps: 1,
            ..Hmc::default()
        },
    ];
    for hmc in methods {
        let mut x = start.clone();
        hmc.run(&two_bumps, &mut x, n, Key::new(32), &mut ())
            .unwrap();
        let mut flux = [[0.0_f64; 4]; 4];
        for (a, b) in start.iter().zip(&x) {
            flux[cell(*a)][cell(*b)] += 1.0;
        }
        for (i, j) in [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)] {
            let (forth, back) = (flux[i][j], flux[j][i]);
            assert!(forth > 100.0, "{hmc:?} {i} {j}: {forth}");
            let bound = 5.0 * (forth + back).sqrt();
            assert!(
                (forth - back).abs() < bound,
                "{hmc:?} {i} {j}: {forth}, {back}"
            );
        }
    }
}

/// A batch of trajectories from exact samples: (energy changes, end points, momenta).
fn trajectories(n: usize, step: f64, leaps: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut x = two_bumps_samples(n, Key::new(41));
    let (mut p, mut score, mut log) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    p.fill_normal(Key::new(42), 0);
    two_bumps(&x, &mut log, &mut score).unwrap();
    let energy = |log: &[f64], p: &[f64]| -> Vec<f64> {
        log.iter().zip(p).map(|(l, p)| 0.5 * p * p - l).collect()
    };
    let before = energy(&log, &p);
    leapfrog(
        &two_bumps, &mut x, &mut p, &mut log, &mut score, step, leaps,
    )
    .unwrap();
    let change = energy(&log, &p)
        .iter()
        .zip(before)
        .map(|(a, b)| a - b)
        .collect();
    (change, x, p)
}

#[test]
fn leapfrog_is_of_second_order() {
    let errors: Vec<f64> = [20, 40, 80, 160]
        .iter()
        .map(|leaps| {
            let (change, ..) = trajectories(200, 1.0 / f64::from(*leaps), *leaps as usize);
            (change.iter().map(|d| d * d).sum::<f64>() / 200.0).sqrt()
        })
        .collect();
    laws::order(&errors, 2.0, 0.05);
}

#[test]
fn leapfrog_is_reversible() {
    let n = 200;
    let start = two_bumps_samples(n, Key::new(41));
    let (_, mut x, mut p) = trajectories(n, 0.1, 25);
    let (mut score, mut log) = (vec![0.0; n], vec![0.0; n]);
    two_bumps(&x, &mut log, &mut score).unwrap();
    assert!(ansatz_testkit::measure::max_abs_diff(&start, &x) > 1.0);
    for p in &mut p {
        *p = -*p;
    }
    leapfrog(&two_bumps, &mut x, &mut p, &mut log, &mut score, 0.1, 25).unwrap();
    let worst = ansatz_testkit::measure::max_abs_diff(&start, &x);
    assert!(worst < 1e-12, "{worst:e}");
}

/// Volume is kept, so exp(−ΔH) has mean 1 over stationary starts, for any step.
#[test]
fn the_mean_of_exp_of_the_energy_change_is_one() {
    for (step, leaps) in [(0.5, 1), (0.7, 3), (0.3, 10)] {
        let (change, ..) = trajectories(200_000, step, leaps);
        let values: Vec<f64> = change.iter().map(|d| (-d).exp()).collect();
        let (mean, error) = mean_and_error(&values);
        assert!(
            (mean - 1.0).abs() < 5.0 * error,
            "{step}, {leaps}: {mean} ± {error}"
        );
        assert!(error < 0.02, "{error}");
    }
}

/// Dual averaging against the step whose acceptance in closed form is the one asked for.
#[test]
fn adapted_steps() {
    let n = 1000;
    for (leaps, goal) in [(1, 0.8), (1, 0.574), (3, 0.9)] {
        // The acceptance falls up to ε = 1 for three leaps and up to ε = 2 for one.
        let (mut low, mut high) = (0.01, if leaps == 1 { 2.0 } else { 1.0 });
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if acceptance(middle, leaps) > goal {
                low = middle;
            } else {
                high = middle;
            }
        }
        let mut x = vec![0.0; n];
        x.fill_normal(Key::new(51), 0);
        let hmc = Hmc {
            step: 0.1,
            leaps,
            steps: 400,
            ..Hmc::default()
        };
        let adaptation = Adaptation {
            acceptance: goal,
            windows: None,
            ..Adaptation::default()
        };
        let found = hmc
            .warm_up(&normal, &mut x, n, Key::new(52), &adaptation)
            .unwrap();
        let got = acceptance(found.step, leaps);
        assert!(
            (got - goal).abs() < 0.01,
            "{leaps}: {}, exact {low}: {got}",
            found.step
        );
    }
    let mut x = vec![0.0; n];
    let mala = Mala {
        step: 0.1,
        steps: 400,
    };
    let found = mala.warm_up(&normal, &mut x, n, Key::new(53)).unwrap();
    assert!((acceptance(found.step.sqrt(), 1) - 0.574).abs() < 0.01);
}

/// A diffusion model at a noise level: mean and covariance of TB1 at σ = 0.5 from a point.
#[test]
fn a_diffusion_model_is_a_target() {
    let (model, n) = (Mixture::tb1(), 20_000);
    let target = AtLevel {
        model: &model,
        level: NoiseLevel::new(0.5, 1.0, 0.5),
    };
    let mut x = vec![0.0; 2 * n];
    let hmc = Hmc {
        step: 0.4,
        leaps: 4,
        steps: 60,
        ..Hmc::default()
    };
    let report = hmc.run(&target, &mut x, n, Key::new(61), &mut ()).unwrap();
    assert!(
        report.acceptance > 0.8 && report.divergences == 0,
        "{report:?}"
    );
    let mean = model.mean(&target.level);
    let covariance = model.covariance(&target.level);
    for i in 0..2 {
        let values: Vec<f64> = x.iter().skip(i).step_by(2).copied().collect();
        let (m, error) = mean_and_error(&values);
        assert!((m - mean[i]).abs() < 5.0 * error, "{m}, {mean:?}");
        for j in 0..2 {
            let products: Vec<f64> = x
                .chunks(2)
                .map(|x| (x[i] - mean[i]) * (x[j] - mean[j]))
                .collect();
            let (c, error) = mean_and_error(&products);
            assert!(
                (c - covariance[2 * i + j]).abs() < 5.0 * error,
                "{c}, {covariance:?}"
            );
        }
    }
}

#[test]
fn threads_and_precision() {
    laws::same_for_threads(|| {
        let mut x = two_bumps_samples(20_000, Key::new(71));
        let mala = Mala {
            step: 0.5,
            steps: 4,
        };
        mala.run(&two_bumps, &mut x, 20_000, Key::new(72), &mut ())
            .unwrap();
        x
    });
    // A chain does not see the others of its batch.
    let rows = two_bumps_samples(64, Key::new(73));
    let hmc = Hmc {
        step: 0.5,
        leaps: 3,
        steps: 1,
        ..Hmc::default()
    };
    let (mut few, mut many) = (rows[..16].to_vec(), rows.clone());
    hmc.run(&two_bumps, &mut few, 16, Key::new(74), &mut ())
        .unwrap();
    hmc.run(&two_bumps, &mut many, 64, Key::new(74), &mut ())
        .unwrap();
    assert_eq!(few, many[..16]);
    // f32 states: variance of N(0, 1) in 20 dimensions.
    let model = ansatz_testkit::Gaussian::isotropic(20, 0.0, 1.0).unwrap();
    let target = AtLevel {
        model: &model,
        level: NoiseLevel::new(0.5, 0.8, 0.6),
    };
    let mut x = vec![0.0_f32; 20 * 1000];
    let hmc = Hmc {
        step: 0.3,
        leaps: 4,
        steps: 30,
        ..Hmc::default()
    };
    let report = hmc
        .run(&target, &mut x, 1000, Key::new(75), &mut ())
        .unwrap();
    let variance = x.dot(&x) / 20_000.0;
    assert!(
        (variance - 1.0).abs() < 5.0 * (2.0_f64 / 20_000.0).sqrt(),
        "{variance}"
    );
    assert!(report.acceptance > 0.9);
}
