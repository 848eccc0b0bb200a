//! Matrix sensing against the reference runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::Key;
use ansatz_linalg::lowrank::{Descent, Factors, Form, Full, Gaussian, Measurement};
use faer::Mat;

const N: usize = 20;

/// splitmix64, and from it a number uniform in [−1, 1).
fn u11(x: u64) -> f64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    2.0 * (((z ^ (z >> 31)) >> 11) as f64 * f64::EPSILON / 2.0) - 1.0
}

fn entries(stream: u64, k: usize, scale: f64) -> Vec<f64> {
    let of = |i: usize| 3.0_f64.sqrt() * u11(1_000_000 * stream + i as u64) / 20.0_f64.sqrt();
    (0..N * k).map(|i| scale * of(i)).collect()
}

fn target() -> Vec<f64> {
    let a = Mat::from_fn(N, 2, |i, j| {
        (0.7 * ((i + 1) * (j + 1)) as f64).sin() + if j == 0 { 0.5 } else { -0.2 }
    });
    let u = a.qr().compute_thin_Q();
    (0..N * N)
        .map(|k| {
            let (i, j) = (k / N, k % N);
            u[(i, 0)] * u[(j, 0)] + 0.5 * u[(i, 1)] * u[(j, 1)]
        })
        .collect()
}

const FULL: Full = Full {
    rows: N,
    columns: N,
};

fn asymmetric(y: &[f64], alpha: f64) -> Descent<'_, Full> {
    let factors = Factors::Asymmetric(entries(0, 5, alpha), entries(1, 5, alpha / 3.0));
    Descent::new(&FULL, y, factors, 5, 0.1).unwrap()
}

#[track_caller]
fn about(got: f64, expected: f64, relative: f64) {
    assert!(
        (got / expected - 1.0).abs() < relative,
        "{got:e}, {expected:e} expected"
    );
}

#[test]
fn symmetric_factors_converge_slowly() {
    let y = target();
    assert!((y[0] - 0.110447354321).abs() < 1e-12);
    let start = Factors::Symmetric(entries(0, 5, 0.1));
    let mut descent = Descent::new(&FULL, &y, start, 5, 0.1).unwrap();
    assert!(!descent.step_is_large() && (descent.step_limit() - 0.25).abs() < 1e-3);
    descent.run(16001).unwrap();
    for (t, error) in [
        (1000, 3.632e-5),
        (2000, 1.258e-5),
        (4000, 3.797e-6),
        (8000, 1.051e-6),
        (16000, 2.772e-7),
    ] {
        about(descent.history()[t], error, 5e-4);
    }
    assert!((descent.rate(8000, 16000).unwrap().power + 1.92).abs() < 0.01);
    // As many columns as the rank: linear.
    let start = Factors::Symmetric(entries(0, 2, 0.1));
    let mut exact = Descent::new(&FULL, &y, start, 2, 0.1).unwrap();
    exact.run(501).unwrap();
    assert!(exact.history()[500] < 1e-19);
}

#[test]
fn imbalance_makes_it_linear() {
    let y = target();
    let mut small = asymmetric(&y, 0.1);
    small.run(16001).unwrap();
    for (t, error) in [
        (1000, 3.255e-6),
        (2000, 5.159e-7),
        (4000, 1.696e-8),
        (8000, 2.089e-11),
    ] {
        about(small.history()[t], error, 5e-4);
    }
    about(small.history()[16000], 3.5e-17, 0.02);
    let mut large = asymmetric(&y, 0.2);
    large.run(8001).unwrap();
    for (t, error) in [(1000, 2.578e-7), (2000, 2.982e-10), (4000, 4.381e-16)] {
        about(large.history()[t], error, 5e-4);
    }
    assert!(large.history()[8000] < 2e-27);
    let rates = [
        small.rate(2000, 4000).unwrap().per_step,
        large.rate(2000, 4000).unwrap().per_step,
    ];
    about(rates[0], 1.71e-3, 0.005);
    about(rates[1], 6.72e-3, 0.005);
}

#[test]
fn one_modified_step() {
    let y = target();
    let mut descent = asymmetric(&y, 0.1);
    descent.run(500).unwrap();
    let before = descent.product().to_vec();
    descent.rebalance(0.5).unwrap();
    for (a, b) in before.iter().zip(descent.product()) {
        assert!((a - b).abs() < 1e-14);
    }
    descent.run(501).unwrap();
    for (t, error, relative) in [
        (600, 5.766e-8, 1e-3),
        (800, 2.306e-12, 1e-3),
        (1000, 9.2e-17, 0.02),
    ] {
        about(descent.history()[t], error, relative);
    }
    about(descent.rate(600, 1000).unwrap().per_step, 0.0506, 0.01);
}

#[test]
fn gaussian_measurements() {
    for form in [Form::General, Form::Symmetric] {
        let map = Gaussian {
            rows: 6,
            columns: 6,
            count: 2000,
            form,
            key: Key::new(3),
        };
        let m: Vec<f64> = (0..36_usize)
            .map(|k| ((k / 6 + 1) * (k % 6 + 1)) as f64 / 36.0)
            .collect();
        let mut y = vec![0.0; 2000];
        map.measure(&m, &mut y);
        // Restricted isometry: the adjoint gives the matrix back to 1/√m.
        let mut e = vec![0.0; 36];
        let loss = map.residual(&[0.0; 36], &y, &mut e);
        assert!((loss - y.iter().map(|y| y * y).sum::<f64>()).abs() < 1e-10);
        let norm = m.iter().map(|m| m * m).sum::<f64>();
        assert!((loss / norm - 1.0).abs() < 0.15, "{}", loss / norm);
        let cosine = e.iter().zip(&m).map(|(e, m)| -e * m).sum::<f64>() / norm;
        assert!((cosine - loss / norm).abs() < 1e-10);
        let start = match form {
            Form::General => Factors::asymmetric(Key::new(4), [6, 6], 3, 0.3),
            Form::Symmetric => Factors::symmetric(Key::new(4), 6, 1, 0.3),
        };
        let k = if form == Form::General { 3 } else { 1 };
        let mut descent = Descent::new(&map, &y, start, k, 0.05).unwrap();
        descent.run(150).unwrap();
        if form == Form::General {
            descent.rebalance(1.0).unwrap();
        }
        let loss = descent.run(250).unwrap();
        assert!(loss < 1e-10, "{loss:e}");
    }
}

/// The same bits for one, two and three threads.
#[test]
fn threads() {
    let full = Full {
        rows: 60,
        columns: 50,
    };
    let gaussian = Gaussian {
        rows: 20,
        columns: 15,
        count: 700,
        form: Form::General,
        key: Key::new(5),
    };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let mut out = Vec::new();
            let maps: [&dyn Measurement; 2] = [&full, &gaussian];
            for map in maps {
                let [rows, columns] = map.shape();
                let entry = |k: usize| {
                    let (i, j) = ((k / columns) as f64, (k % columns) as f64);
                    (0.3 * i).sin() * (0.2 * j).cos() / 30.0
                };
                let target: Vec<f64> = (0..rows * columns).map(entry).collect();
                let mut y = vec![0.0; map.count()];
                map.measure(&target, &mut y);
                let start = Factors::asymmetric(Key::new(6), [rows, columns], 4, 0.1);
                let mut descent = Descent::new(map, &y, start, 4, 0.05).unwrap();
                descent.run(20).unwrap();
                descent.rebalance(1.0).unwrap();
                out.push(descent.run(40).unwrap());
                out.push(descent.step_limit());
                out.extend(descent.product());
                out.extend(descent.history());
            }
            out.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

#[test]
fn bad_input() {
    let y = target();
    let none = Factors::Symmetric(Vec::new());
    assert!(matches!(
        Descent::new(&FULL, &y, none, 0, 0.1),
        Err(LinalgError::Parameter { .. })
    ));
    let mut skew = y.clone();
    skew[1] += 0.1;
    let start = Factors::Symmetric(entries(0, 5, 0.1));
    assert!(matches!(
        Descent::new(&FULL, &skew, start.clone(), 5, 0.1),
        Err(LinalgError::Parameter { .. })
    ));
    let mut wild = Descent::new(&FULL, &y, start, 5, 30.0).unwrap();
    assert!(wild.step_is_large());
    assert!(matches!(wild.run(1000), Err(LinalgError::Breakdown { .. })));
    assert!(matches!(
        wild.rebalance(1.0),
        Err(LinalgError::Parameter { .. })
    ));
    let flat = Factors::Asymmetric(vec![0.1; N * 5], vec![0.1; N * 5]);
    let mut flat = Descent::new(&FULL, &y, flat, 5, 0.1).unwrap();
    assert!(matches!(
        flat.rebalance(1.0),
        Err(LinalgError::Singular { .. })
    ));
}
