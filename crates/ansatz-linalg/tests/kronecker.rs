//! Kronecker algebra against dense matrices and reference values.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "some results are exact")]

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::{AdjointOp, LinearOp};
use ansatz_linalg::operator::{Eigenfactors, Kronecker, KroneckerSum, Sylvester};
use faer::Mat;
use faer::linalg::solvers::Solve;

fn close(a: f64, b: f64, rel: f64) {
    assert!((a - b).abs() <= rel * b.abs().max(1e-300), "{a} {b}");
}

fn apart(i: usize, j: usize) -> f64 {
    i as f64 - j as f64
}

/// The factors of the reference values.
fn factors() -> [Mat<f64>; 3] {
    [
        Mat::from_fn(6, 6, |i, j| (-apart(i, j).abs() / 3.0).exp()),
        Mat::from_fn(5, 5, |i, j| 1.0 / (1.0 + apart(i, j).powi(2) / 4.0)),
        Mat::from_fn(4, 4, |i, j| {
            (0.2 * apart(i, j)).cos() * (-apart(i, j).abs()).exp()
        }),
    ]
}

fn cosines(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i as f64).cos()).collect()
}

fn dense(factors: &[Mat<f64>]) -> Mat<f64> {
    factors.iter().fold(Mat::from_fn(1, 1, |_, _| 1.0), |k, a| {
        Mat::from_fn(k.nrows() * a.nrows(), k.ncols() * a.ncols(), |i, j| {
            k[(i / a.nrows(), j / a.ncols())] * a[(i % a.nrows(), j % a.ncols())]
        })
    })
}

fn times(a: &Mat<f64>, x: &[f64]) -> Vec<f64> {
    (0..a.nrows())
        .map(|i| (0..a.ncols()).map(|j| a[(i, j)] * x[j]).sum())
        .collect()
}

#[test]
fn reference_values() {
    let [a, b, c] = factors();
    let rhs = cosines(30);
    let shifted = Eigenfactors::product(&[a.clone(), b.clone()]).expect("symmetric");
    let x = shifted.solve_positive(0.01, &rhs).expect("definite");
    close(x[0], 3.584592596954346, 1e-11);
    close(x[29], -1.937627630697786, 1e-11);
    let product: f64 = x.iter().zip(&rhs).map(|(x, b)| x * b).sum();
    close(product, 39.10697522471129, 1e-11);
    close(shifted.log_det(0.01).log, -41.73579130646552, 1e-11);
    close(shifted.trace_inverse(0.01), 349.84304594860697, 1e-11);

    let sum = Eigenfactors::sum(&[a.clone(), b.clone()]).expect("symmetric");
    let x = sum.solve(0.0, &rhs).expect("regular");
    close(x[0], 0.9062247837272746, 1e-11);
    close(sum.log_det(0.0).log, 8.183876133877291, 1e-11);

    let three = Kronecker::new(vec![a, b, c]).expect("factors");
    let (mut y, mut scratch) = (vec![0.0; 120], vec![f64::NAN; three.scratch_len()]);
    three.apply(&cosines(120), &mut y, &mut scratch);
    close(y[0], 0.580441832853, 1e-11);
    close(y[119], 0.445338262863, 1e-11);
}

#[test]
fn products_of_rectangles_are_those_of_the_dense_matrix() {
    let shapes = [
        vec![(3, 2)],
        vec![(2, 5), (4, 3)],
        vec![(3, 1), (1, 4), (5, 2), (2, 3)],
    ];
    for shapes in shapes {
        let factors: Vec<Mat<f64>> = shapes
            .iter()
            .enumerate()
            .map(|(d, (m, n))| {
                Mat::from_fn(*m, *n, |i, j| {
                    ((1 + d) as f64 * (i * n + j) as f64 + 0.3).sin()
                })
            })
            .collect();
        let full = dense(&factors);
        let k = Kronecker::new(factors).expect("factors");
        assert_eq!((k.rows(), k.cols()), full.shape());
        let mut scratch = vec![f64::NAN; k.scratch_len()];
        let x = cosines(k.cols());
        let mut y = vec![f64::NAN; k.rows()];
        k.apply(&x, &mut y, &mut scratch);
        for (a, b) in y.iter().zip(times(&full, &x)) {
            assert!((a - b).abs() < 1e-13, "{a} {b}");
        }
        let z = cosines(k.rows());
        let mut back = vec![f64::NAN; k.cols()];
        k.apply_adjoint(&z, &mut back, &mut scratch);
        for (a, b) in back.iter().zip(times(&full.transpose().to_owned(), &z)) {
            assert!((a - b).abs() < 1e-13, "{a} {b}");
        }
    }
}

#[test]
fn large_products_agree_for_any_number_of_threads_and_in_single_precision() {
    let sizes = [150, 90, 40];
    let factor = |n: usize| Mat::from_fn(n, n, |i, j| ((i * 7 + j * 3) as f64).sin() / n as f64);
    let k = Kronecker::new(sizes.map(factor).to_vec()).expect("factors");
    let x = cosines(k.cols());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let (mut y, mut scratch) = (vec![0.0; k.rows()], vec![0.0; k.scratch_len()]);
        pool.expect("a pool")
            .install(|| k.apply(&x, &mut y, &mut scratch));
        y
    };
    let one = run(1);
    for threads in [2, 3] {
        assert!(
            one.iter()
                .zip(run(threads))
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
    }
    // Some entries by the definition.
    for at in [0, 17 * 3600 + 20 * 40 + 5, one.len() - 1] {
        let (i, j, l) = (at / 3600, at / 40 % 90, at % 40);
        let f = k.factors();
        let mut sum = 0.0;
        for p in 0..150 {
            for q in 0..90 {
                for r in 0..40 {
                    sum += f[0][(i, p)] * f[1][(j, q)] * f[2][(l, r)] * x[p * 3600 + q * 40 + r];
                }
            }
        }
        assert!((one[at] - sum).abs() < 1e-12, "{} {sum}", one[at]);
    }
    let narrow = Kronecker::<f32>::new(vec![Mat::from_fn(2, 2, |i, j| (i + j) as f32); 2]);
    let narrow = narrow.expect("factors");
    let mut y = [0.0_f32; 4];
    narrow.apply(&[1.0; 4], &mut y, &mut vec![0.0; narrow.scratch_len()]);
    assert_eq!(y, [1.0, 3.0, 3.0, 9.0]);
}

#[test]
fn solutions_and_determinants_by_lu() {
    // Not symmetric, one of negative determinant with an order that makes the power odd.
    let a = Mat::from_fn(4, 4, |i, j| {
        ((i * i + 3 * j) as f64).sin() + if i == j { 2.0 } else { 0.0 }
    });
    let b = Mat::from_fn(3, 3, |i, j| {
        if i + j == 2 {
            1.0 + i as f64
        } else {
            0.1 * apart(i, j)
        }
    });
    let c = Mat::from_fn(5, 5, |i, j| {
        (apart(i, j) * 0.7).cos() - if i == j { 3.0 } else { 0.0 }
    });
    for factors in [vec![b.clone()], vec![a.clone(), b.clone()], vec![a, b, c]] {
        let full = dense(&factors);
        let k = Kronecker::new(factors).expect("factors");
        let lu = k.factor().expect("square");
        let rhs = cosines(k.rows());
        let x = lu.solve(&rhs).expect("regular");
        for (a, b) in times(&full, &x).iter().zip(&rhs) {
            assert!((a - b).abs() < 1e-11, "{a} {b}");
        }
        let det = full.determinant();
        let ours = lu.log_det();
        assert_eq!(ours.sign, det.signum());
        close(ours.log, det.abs().ln(), 1e-11);
    }
}

#[test]
fn two_products_and_pencils() {
    let [a, b, _] = factors();
    let indefinite = Mat::from_fn(6, 6, |i, j| {
        (apart(i, j) * 1.3).cos() - 0.2 * (i + j) as f64
    });
    let other = Mat::from_fn(5, 5, |i, j| (0.4 * (i * j) as f64).cos());
    // A⊗B + C⊗D with definite C, D.
    let full = &dense(&[indefinite.clone(), other.clone()]) + &dense(&[a.clone(), b.clone()]);
    let pair = Eigenfactors::product_of_pencils(
        &[indefinite.clone(), other.clone()],
        &[a.clone(), b.clone()],
    );
    let pair = pair.expect("definite metrics");
    let rhs = cosines(30);
    let x = pair.solve(1.0, &rhs).expect("regular");
    for (a, b) in times(&full, &x).iter().zip(&rhs) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    let (det, ours) = (full.determinant(), pair.log_det(1.0));
    assert_eq!(ours.sign, det.signum());
    close(ours.log, det.abs().ln(), 1e-10);
    // Stiffness and mass.
    let sum = Eigenfactors::sum_of_pencils(
        &[indefinite.clone(), other.clone()],
        &[a.clone(), b.clone()],
    );
    let sum = sum.expect("definite metrics");
    let mut full = &dense(&[indefinite, b.clone()]) + &dense(&[a.clone(), other]);
    full = &full + &(dense(&[a, b]) * faer::Scale(0.7));
    let x = sum.solve(0.7, &rhs).expect("regular");
    for (a, b) in times(&full, &x).iter().zip(&rhs) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    // The trace in the metric, by dense solutions.
    let mut trace = 0.0;
    let metric = dense(&[factors()[0].clone(), factors()[1].clone()]);
    let solved = full.partial_piv_lu().solve(&metric);
    for i in 0..30 {
        trace += solved[(i, i)];
    }
    close(sum.trace_inverse(0.7), trace, 1e-9);
}

#[test]
fn sylvester() {
    // A·X + X·Bᵀ = F.
    let [a, b, _] = factors();
    let f = Mat::from_fn(6, 5, |i, j| (2.0 * i as f64 - j as f64).sin());
    let flat: Vec<f64> = (0..30).map(|i| f[(i / 5, i % 5)]).collect();
    let solver = Eigenfactors::sum(&[a.clone(), b.clone()]).expect("symmetric");
    let x = solver.solve(0.0, &flat).expect("regular");
    let x = Mat::from_fn(6, 5, |i, j| x[i * 5 + j]);
    let rest = &a * &x + &x * b.transpose() - &f;
    assert!(rest.norm_max() < 1e-12);
    // And back by the operator.
    let operator = KroneckerSum::new(vec![a, b]).expect("square");
    let mut y = vec![0.0; 30];
    let flat_x: Vec<f64> = (0..30).map(|i| x[(i / 5, i % 5)]).collect();
    operator.apply(&flat_x, &mut y, &mut []);
    assert!(y.iter().zip(&flat).all(|(a, b)| (a - b).abs() < 1e-12));
    operator.apply_adjoint(&flat_x, &mut y, &mut []);
    assert!(y.iter().zip(&flat).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn sylvester_of_any_matrices() {
    let entry = |seed: f64| {
        move |i: usize, j: usize| {
            (seed + 3.1 * i as f64 + 1.7 * (j * j) as f64 + (i * j) as f64).sin()
        }
    };
    // A Jordan block, which has no basis of eigenvectors; a turn; matrices without structure.
    let jordan = Mat::from_fn(4, 4, |i, j| match j.wrapping_sub(i) {
        0 => 2.0,
        1 => 1.0,
        _ => 0.0,
    });
    let turn = faer::mat![[0.0, -3.0], [3.0, 0.0]];
    let one = faer::mat![[-0.7]];
    let (wild, large) = (
        Mat::from_fn(5, 5, entry(0.3)),
        Mat::from_fn(90, 90, entry(1.1)),
    );
    let turned = Mat::from_fn(90, 90, |i, j| {
        large[(j, i)] - if i == j { 20.0 } else { 0.0 }
    });
    for (a, b) in [
        (&jordan, &jordan),
        (&turn, &wild),
        (&wild, &turn),
        (&one, &jordan),
        (&turn, &one),
        (&large, &turned),
    ] {
        let (n, m) = (a.nrows(), b.nrows());
        let flat: Vec<f64> = (0..n * m).map(|k| (0.37 * k as f64).cos()).collect();
        let x = Sylvester::new(a, b).unwrap().solve(&flat).unwrap();
        let operator = KroneckerSum::new(vec![a.clone(), b.clone()]).unwrap();
        let mut y = vec![0.0; n * m];
        operator.apply(&x, &mut y, &mut []);
        let size = x.iter().fold(1.0_f64, |s, x| s.max(x.abs())) * (a.norm_l2() + b.norm_l2());
        for (y, f) in y.iter().zip(&flat) {
            assert!(
                (y - f).abs() < 1e-14 * n.max(m) as f64 * size,
                "{n} {m}: {y} {f}"
            );
        }
        if n * m <= 20 {
            // The whole matrix, factored.
            let full = Mat::from_fn(n * m, n * m, |r, c| {
                let same = |a: usize, b: usize| f64::from(u8::from(a == b));
                a[(r / m, c / m)] * same(r % m, c % m) + b[(r % m, c % m)] * same(r / m, c / m)
            });
            let rhs = Mat::from_fn(n * m, 1, |i, _| flat[i]);
            let expected = full.partial_piv_lu().solve(&rhs);
            for (i, x) in x.iter().enumerate() {
                assert!((x - expected[(i, 0)]).abs() < 1e-12);
            }
        }
    }
    let shared = Sylvester::new(&jordan, &faer::mat![[-2.0]]);
    assert!(matches!(shared, Err(LinalgError::Singular { .. })));
    assert!(matches!(
        Sylvester::new(&Mat::zeros(2, 2), &Mat::zeros(1, 1)),
        Err(LinalgError::Singular { .. })
    ));
    assert!(Sylvester::new(&Mat::zeros(2, 3), &one).is_err());
    assert!(Sylvester::new(&Mat::zeros(0, 0), &one).is_err());
    assert!(Sylvester::new(&faer::mat![[f64::NAN]], &one).is_err());
    let solver = Sylvester::new(&turn, &one).unwrap();
    assert!(matches!(
        solver.solve(&[1.0; 3]),
        Err(LinalgError::Shape { .. })
    ));
    assert!(matches!(
        solver.solve(&[f64::INFINITY, 1.0]),
        Err(LinalgError::NotFinite { .. })
    ));
}

#[test]
fn bad_input_is_refused() {
    let square = Mat::from_fn(2, 2, |i, j| if i == j { 1.0 } else { 0.0 });
    assert!(matches!(
        Kronecker::<f64>::new(vec![]),
        Err(LinalgError::Shape { .. })
    ));
    let empty = Kronecker::<f64>::new(vec![Mat::zeros(0, 2)]);
    assert!(matches!(empty, Err(LinalgError::Shape { .. })));
    let holes = Kronecker::new(vec![Mat::from_fn(2, 2, |i, _| {
        if i == 0 { f64::NAN } else { 1.0 }
    })]);
    assert!(matches!(holes, Err(LinalgError::NotFinite { .. })));
    let tall = Kronecker::new(vec![Mat::from_fn(3, 2, |_, _| 1.0)]).expect("factors");
    assert!(matches!(tall.factor(), Err(LinalgError::Shape { .. })));
    let flat =
        Kronecker::new(vec![square.clone(), Mat::from_fn(2, 2, |_, _| 1.0)]).expect("factors");
    let lu = flat.factor().expect("square");
    assert_eq!(lu.log_det().sign, 0.0);
    assert!(matches!(
        lu.solve(&[1.0; 4]),
        Err(LinalgError::Singular { .. })
    ));
    assert!(matches!(
        lu.solve(&[1.0; 3]),
        Err(LinalgError::Shape {
            expected: 4,
            got: 3,
            ..
        })
    ));
    let skew = Mat::from_fn(2, 2, apart);
    let refused = Eigenfactors::product(std::slice::from_ref(&skew));
    assert!(matches!(refused, Err(LinalgError::Parameter { .. })));
    let whole = Eigenfactors::product(std::slice::from_ref(&square)).expect("symmetric");
    assert!(matches!(
        whole.solve(-1.0, &[1.0; 2]),
        Err(LinalgError::Singular { .. })
    ));
    let least = whole.solve_positive(-3.0, &[1.0; 2]);
    assert!(
        matches!(least, Err(LinalgError::NotPositiveDefinite { value, .. }) if (value + 2.0).abs() < 1e-14)
    );
    assert!(matches!(
        whole.solve(0.0, &[f64::NAN, 1.0]),
        Err(LinalgError::NotFinite { index: 0, .. })
    ));
    let metric = Eigenfactors::product_of_pencils(
        std::slice::from_ref(&square),
        &[Mat::from_fn(2, 2, |i, j| if i == j { -1.0 } else { 0.0 })],
    );
    assert!(matches!(
        metric,
        Err(LinalgError::NotPositiveDefinite { .. })
    ));
}
