//! Ensemble Kalman filters against the exact update of normal distributions.

use ansatz_core::Key;
use ansatz_stats::kalman::{
    EnsembleKalman, KalmanError, Localisation, Measured, Noise, Update, gaspari_cohn,
};

const BOTH: [Update; 2] = [Update::Perturbed, Update::Transform];

fn filter(update: Update) -> EnsembleKalman {
    EnsembleKalman {
        update,
        ..EnsembleKalman::default()
    }
}

fn mean(x: &[f64], n: usize) -> Vec<f64> {
    let d = x.len() / n;
    (0..d)
        .map(|k| x.iter().skip(k).step_by(d).sum::<f64>() / n as f64)
        .collect()
}

fn covariance(x: &[f64], n: usize) -> Vec<Vec<f64>> {
    let (d, m) = (x.len() / n, mean(x, n));
    let entry = |i: usize, j: usize| {
        let rows = x.chunks(d).map(|r| (r[i] - m[i]) * (r[j] - m[j]));
        rows.sum::<f64>() / (n - 1) as f64
    };
    (0..d)
        .map(|i| (0..d).map(|j| entry(i, j)).collect())
        .collect()
}

/// Mean 1, variance 2, measured as 3 with variance 1: mean 7/3, variance 2/3.
#[test]
fn one_number() {
    let n = 10_000;
    for update in BOTH {
        let mut x = vec![0.0; n];
        Key::new(4).fill_normal(0, &mut x);
        for x in &mut x {
            *x = 1.0 + 2.0_f64.sqrt() * *x;
        }
        let predicted = x.clone();
        let measured = Measured {
            values: &[3.0],
            noise: Noise::Variances(&[1.0]),
        };
        filter(update)
            .analyse(&mut x, n, &predicted, measured, Key::new(5))
            .unwrap();
        let (mean, variance) = (mean(&x, n)[0], covariance(&x, n)[0][0]);
        println!("{update:?}: mean {mean:.5}, variance {variance:.5}");
        assert!((mean - 7.0 / 3.0).abs() < 4.0 / 100.0, "{mean}");
        assert!((variance - 2.0 / 3.0).abs() < 4.0 / 100.0, "{variance}");
    }
}

/// Solves a small system by elimination with pivots.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|i, j| a[*i][k].abs().total_cmp(&a[*j][k].abs()))
            .unwrap();
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let f = a[i][k] / a[k][k];
            for j in k..n {
                a[i][j] -= f * a[k][j];
            }
            b[i] -= f * b[k];
        }
    }
    for k in (0..n).rev() {
        for j in k + 1..n {
            b[k] -= a[k][j] * b[j];
        }
        b[k] /= a[k][k];
    }
    b
}

/// A linear map of four numbers to `m` measurements with correlated noise.
struct Linear {
    h: Vec<Vec<f64>>,
    r: Vec<f64>,
    y: Vec<f64>,
}

impl Linear {
    fn new(m: usize) -> Self {
        let entry = |i: usize, j: usize| ((1 + i) as f64 * (0.7 + j as f64)).sin();
        let h: Vec<Vec<f64>> = (0..m)
            .map(|i| (0..4).map(|j| entry(i, j)).collect())
            .collect();
        let noise = |i: usize, j: usize| 0.5 * 0.4_f64.powf(i.abs_diff(j) as f64);
        Self {
            h,
            r: (0..m * m).map(|k| noise(k / m, k % m)).collect(),
            y: (0..m).map(|i| (i as f64).cos() + 0.3).collect(),
        }
    }

    fn predict(&self, x: &[f64]) -> Vec<f64> {
        let dot = |h: &[f64], x: &[f64]| h.iter().zip(x).map(|(h, x)| h * x).sum();
        x.chunks(4)
            .flat_map(|x| self.h.iter().map(move |h| dot(h, x)))
            .collect()
    }

    fn measured(&self) -> Measured<'_> {
        Measured {
            values: &self.y,
            noise: Noise::Covariance(&self.r),
        }
    }

    /// Kalman's mean and covariance for a prior.
    fn exact(&self, mean: &[f64], p: &[Vec<f64>]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let m = self.y.len();
        let ph: Vec<Vec<f64>> = p.iter().map(|row| self.predict(row)).collect();
        let hph = |i: usize, j: usize| (0..4).map(|k| self.h[i][k] * ph[k][j]).sum::<f64>();
        let s: Vec<Vec<f64>> = (0..m)
            .map(|i| (0..m).map(|j| hph(i, j) + self.r[i * m + j]).collect())
            .collect();
        let off: Vec<f64> = self
            .y
            .iter()
            .zip(self.predict(mean))
            .map(|(y, p)| y - p)
            .collect();
        let z = solve(s.clone(), off);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let moved = mean.iter().zip(&ph).map(|(m, ph)| m + dot(ph, &z));
        let column = |j: usize| solve(s.clone(), ph[j].clone());
        let columns: Vec<Vec<f64>> = (0..4).map(column).collect();
        let less = |i: usize, j: usize| p[i][j] - dot(&ph[i], &columns[j]);
        let after = (0..4).map(|i| (0..4).map(|j| less(i, j)).collect());
        (moved.collect(), after.collect())
    }
}

/// Correlated members.
fn ensemble(n: usize) -> Vec<f64> {
    let mut x = vec![0.0; 4 * n];
    Key::new(8).fill_normal(1, &mut x);
    for row in x.chunks_mut(4) {
        let z = [row[0], row[1], row[2], row[3]];
        *row.first_mut().unwrap() = 1.0 + z[0];
        row[1] = 0.8 * z[0] + 0.6 * z[1];
        row[2] = -0.5 * z[1] + z[2] - 2.0;
        row[3] = 0.3 * z[0] - 0.3 * z[2] + 0.5 * z[3];
    }
    x
}

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}

/// For the ensemble's own covariance the mean is exact with both updates, and the transform's covariance too; the same
/// with more measurements than members and with fewer.
#[test]
fn several_numbers() {
    for (n, m) in [(40, 3), (12, 12), (9, 30)] {
        let task = Linear::new(m);
        let x = ensemble(n);
        let (exact, spread) = task.exact(&mean(&x, n), &covariance(&x, n));
        for update in BOTH {
            let mut moved = x.clone();
            let predicted = task.predict(&x);
            filter(update)
                .analyse(&mut moved, n, &predicted, task.measured(), Key::new(1))
                .unwrap();
            close(&mean(&moved, n), &exact, 1e-12);
            if update == Update::Transform {
                close(&covariance(&moved, n).concat(), &spread.concat(), 1e-12);
            }
        }
    }
}

/// With many members perturbed measurements have the covariance of theory.
#[test]
fn many_members() {
    let (n, task) = (40_000, Linear::new(2));
    let mut x = ensemble(n);
    // The prior that members were drawn from: LLᵀ of the combinations above.
    let l = [
        [1.0, 0.0, 0.0, 0.0],
        [0.8, 0.6, 0.0, 0.0],
        [0.0, -0.5, 1.0, 0.0],
        [0.3, 0.0, -0.3, 0.5],
    ];
    let entry = |i: usize, j: usize| (0..4).map(|k| l[i][k] * l[j][k]).sum::<f64>();
    let prior: Vec<Vec<f64>> = (0..4)
        .map(|i| (0..4).map(|j| entry(i, j)).collect())
        .collect();
    let (exact, spread) = task.exact(&[1.0, 0.0, -2.0, 0.0], &prior);
    let predicted = task.predict(&x);
    filter(Update::Perturbed)
        .analyse(&mut x, n, &predicted, task.measured(), Key::new(3))
        .unwrap();
    close(&mean(&x, n), &exact, 4.0 / 200.0);
    close(&covariance(&x, n).concat(), &spread.concat(), 4.0 / 200.0);
}

/// Tapers of ones change nothing, though other systems are solved; zeros leave the forecast.
#[test]
fn tapers() {
    let (n, m) = (9, 14);
    let task = Linear::new(m);
    let variances: Vec<f64> = (0..m).map(|i| 0.5 + 0.1 * i as f64).collect();
    let measured = Measured {
        values: &task.y,
        noise: Noise::Variances(&variances),
    };
    let x = ensemble(n);
    let predicted = task.predict(&x);
    for update in BOTH {
        let run = |localisation: Option<Localisation>| {
            let mut moved = x.clone();
            EnsembleKalman {
                update,
                localisation,
                inflation: 1.1,
            }
            .analyse(&mut moved, n, &predicted, measured, Key::new(2))
            .unwrap();
            moved
        };
        let taper = |state: f64| Localisation {
            state: vec![state; 4 * m],
            measurements: vec![1.0; m * m],
        };
        close(&run(Some(taper(1.0))), &run(None), 1e-11);
        let kept = run(Some(taper(0.0)));
        close(&mean(&kept, n), &mean(&x, n), 1e-13);
        let (wide, before) = (covariance(&kept, n), covariance(&x, n));
        close(&[wide[1][1]], &[1.21 * before[1][1]], 1e-12);
    }
}

/// Independent numbers measured one by one: few members see correlations that are none, a taper removes them.
#[test]
fn a_taper_keeps_few_members_from_harm() {
    let (n, d) = (8, 40);
    for update in BOTH {
        let mut errors = [0.0; 2];
        for trial in 0..20 {
            let key = Key::new(trial);
            let (mut truth, mut noise) = (vec![0.0; d], vec![0.0; d]);
            key.fill_normal(0, &mut truth);
            key.fill_normal(1, &mut noise);
            let y: Vec<f64> = truth.iter().zip(&noise).map(|(t, e)| t + 0.5 * e).collect();
            let measured = Measured {
                values: &y,
                noise: Noise::Variances(&vec![0.25; d]),
            };
            let tapers = (0..d * d).map(|k| gaspari_cohn((k / d).abs_diff(k % d) as f64, 0.5));
            let tapers: Vec<f64> = tapers.collect();
            let near = Localisation {
                state: tapers.clone(),
                measurements: tapers,
            };
            for (localisation, error) in [None, Some(near)].into_iter().zip(&mut errors) {
                let mut x = vec![0.0; n * d];
                key.fill_normal(2, &mut x);
                let predicted = x.clone();
                EnsembleKalman {
                    update,
                    localisation,
                    inflation: 1.0,
                }
                .analyse(&mut x, n, &predicted, measured, key)
                .unwrap();
                let off = mean(&x, n);
                *error += off
                    .iter()
                    .zip(&truth)
                    .map(|(a, b)| (a - b).powi(2))
                    .sum::<f64>();
            }
        }
        let [without, with] = errors.map(|e| e / (20.0 * d as f64));
        // The exact posterior has variance 0.2 and the prior 1.
        assert!(with < 0.35 && with < 0.6 * without, "{with} {without}");
    }
    assert_eq!(gaspari_cohn(0.0, 3.0), 1.0);
    assert!((gaspari_cohn(3.0, 3.0) - 5.0 / 24.0).abs() < 1e-15);
    assert!(gaspari_cohn(5.999, 3.0) < 1e-9 && gaspari_cohn(6.0, 3.0) == 0.0);
}

#[test]
fn bits_are_the_same_for_any_number_of_threads() {
    let (n, task) = (300, Linear::new(50));
    for update in BOTH {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let mut x = ensemble(n);
            let predicted = task.predict(&x);
            pool.build().unwrap().install(|| {
                filter(update)
                    .analyse(&mut x, n, &predicted, task.measured(), Key::new(1))
                    .unwrap();
            });
            x
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3), "{update:?}");
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let x = ensemble(6);
    let task = Linear::new(2);
    let predicted = task.predict(&x);
    let refuse = |n: usize, predicted: &[f64], measured: Measured<'_>, filter: EnsembleKalman| {
        let mut moved = x.clone();
        let error = filter
            .analyse(&mut moved, n, predicted, measured, Key::new(0))
            .unwrap_err();
        assert_eq!(moved, x);
        error
    };
    let plain = EnsembleKalman::default;
    let alone = refuse(1, &predicted, task.measured(), plain());
    assert!(matches!(alone, KalmanError::TooFew { members: 1 }));
    let short = refuse(6, &predicted[1..], task.measured(), plain());
    assert!(matches!(short, KalmanError::Length { got: 11, .. }));
    let noise = |noise| Measured {
        values: &task.y,
        noise,
    };
    let negative = refuse(
        6,
        &predicted,
        noise(Noise::Variances(&[1.0, -1.0])),
        plain(),
    );
    assert!(matches!(
        negative,
        KalmanError::NotPositiveDefinite { index: 1, .. }
    ));
    let matrices = [[1.0, 2.0, 2.0, 1.0], [1.0, 0.5, 0.1, 1.0]];
    for matrix in &matrices {
        let error = refuse(6, &predicted, noise(Noise::Covariance(matrix)), plain());
        assert!(matches!(
            error,
            KalmanError::NotPositiveDefinite { index: 1, .. }
        ));
    }
    let mut broken = predicted.clone();
    broken[3] = f64::NAN;
    let error = refuse(6, &broken, task.measured(), plain());
    assert!(matches!(error, KalmanError::NotFinite { index: 3, .. }));
    let narrow = EnsembleKalman {
        inflation: 0.9,
        ..plain()
    };
    let error = refuse(6, &predicted, task.measured(), narrow);
    assert!(matches!(
        error,
        KalmanError::Option {
            name: "inflation",
            ..
        }
    ));
}
