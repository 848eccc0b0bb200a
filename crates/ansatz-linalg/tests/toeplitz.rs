//! Toeplitz and circulant matrices against dense ones and reference values.

#![expect(clippy::float_cmp, reason = "some results are exact")]

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::{AdjointOp, LinearOp, SearchDirection};
use ansatz_linalg::operator::{
    Circulant, CirculantPreconditioner, Levinson, TauPreconditioner, Toeplitz,
};
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

fn close(a: f64, b: f64, rel: f64) {
    assert!((a - b).abs() <= rel * b.abs(), "{a} {b}");
}

fn symmetric(column: &[f64]) -> Mat<f64> {
    let n = column.len();
    Mat::from_fn(n, n, |i, j| column[i.abs_diff(j)])
}

fn decay(n: usize, power: f64) -> Vec<f64> {
    (0..n).map(|k| (1.0 + k as f64).powf(-power)).collect()
}

#[test]
fn reference_values() {
    for (n, first, sum, log) in [
        (
            64,
            0.3308316092144287,
            14.814530516025519,
            41.92460325403012,
        ),
        (
            512,
            0.3208063582032332,
            104.95065745608733,
            335.018565821042,
        ),
    ] {
        let mut t = decay(n, 1.5);
        t[0] = 2.0;
        let factored = Levinson::new(&t).expect("definite");
        let x = factored.solve(&vec![1.0; n]).expect("finite");
        close(x[0], first, 1e-10);
        close(x.iter().sum(), sum, 1e-10);
        close(factored.log_det(), log, 1e-10);
    }
}

#[test]
fn products_are_those_of_the_dense_matrix() {
    for (m, n) in [(1, 1), (1, 5), (7, 1), (6, 6), (9, 20), (33, 14)] {
        let column: Vec<f64> = (0..m).map(|i| (i as f64 + 0.5).sin()).collect();
        let mut row: Vec<f64> = (0..n).map(|j| (2.0 * j as f64).cos()).collect();
        row[0] = column[0];
        let a = Toeplitz::new(&column, &row).expect("a matrix");
        let entry = |i: usize, j: usize| if i >= j { column[i - j] } else { row[j - i] };
        let mut scratch = vec![f64::NAN; a.scratch_len()];
        let x: Vec<f64> = (0..n).map(|j| (j as f64).cos()).collect();
        let mut y = vec![f64::NAN; m];
        a.apply(&x, &mut y, &mut scratch);
        for i in 0..m {
            let sum: f64 = (0..n).map(|j| entry(i, j) * x[j]).sum();
            assert!((y[i] - sum).abs() < 1e-13);
        }
        let z: Vec<f64> = (0..m).map(|i| (i as f64).cos()).collect();
        let mut back = vec![f64::NAN; n];
        a.apply_adjoint(&z, &mut back, &mut scratch);
        for j in 0..n {
            let sum: f64 = (0..m).map(|i| entry(i, j) * z[i]).sum();
            assert!((back[j] - sum).abs() < 1e-13);
        }
    }
}

#[test]
fn refinement_makes_up_for_the_recursion() {
    // A smooth kernel with a little on the diagonal: condition about 10⁸. Both solutions are within condition·eps.
    let n = 300;
    let t: Vec<f64> = (0..n)
        .map(|k| {
            let d = k as f64 / 20.0;
            (-d * d).exp() * (3.0 * d).cos() + if k == 0 { 1e-6 } else { 0.0 }
        })
        .collect();
    let full = symmetric(&t);
    let rhs: Vec<f64> = (0..n).map(|i| (0.3 * i as f64).sin()).collect();
    let x = Levinson::new(&t)
        .expect("definite")
        .solve(&rhs)
        .expect("finite");
    let b = Mat::from_fn(n, 1, |i, _| rhs[i]);
    let dense = full.llt(Side::Lower).expect("definite").solve(&b);
    let size = dense.norm_l2();
    let error = (0..n)
        .map(|i| (x[i] - dense[(i, 0)]).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!(error < 2e-8 * size, "{}", error / size);
}

#[test]
fn inverse_column_determinant_and_diagonal_sums() {
    let n = 45;
    let t: Vec<f64> = (0..n)
        .map(|k| (-0.2 * k as f64).exp() * (0.9 * k as f64).cos())
        .collect();
    let full = symmetric(&t);
    let inverse = full
        .llt(Side::Lower)
        .expect("definite")
        .solve(Mat::<f64>::identity(n, n));
    let factored = Levinson::new(&t).expect("definite");
    for i in 0..n {
        assert!((factored.inverse_column()[i] - inverse[(i, 0)]).abs() < 1e-11);
    }
    let mut sums = vec![0.0; n];
    factored.inverse_diagonal_sums(&mut sums);
    for l in 0..n {
        let sum: f64 = (0..n - l).map(|i| inverse[(i, i + l)]).sum();
        assert!((sums[l] - sum).abs() < 1e-10, "{l}: {} {sum}", sums[l]);
        // The slope of the logarithm of the determinant.
        let h = 1e-6;
        let at = |step: f64| {
            let mut t = t.clone();
            t[l] += step;
            Levinson::new(&t).expect("definite").log_det()
        };
        let slope = (at(h) - at(-h)) / (2.0 * h);
        let factor = if l == 0 { 1.0 } else { 2.0 };
        assert!((factor * sums[l] - slope).abs() < 1e-6 * (1.0 + slope.abs()));
    }
}

#[test]
fn circulants() {
    for n in [1, 2, 5, 8] {
        let column: Vec<f64> = (0..n)
            .map(|i| (i as f64 + 1.0).sin() + if i == 0 { 2.0 } else { 0.0 })
            .collect();
        let full = Mat::from_fn(n, n, |i, j| column[(i + n - j) % n]);
        let c = Circulant::new(&column).expect("a matrix");
        let det = full.determinant();
        assert_eq!(c.log_det().sign, det.signum());
        assert!((c.log_det().log - det.abs().ln()).abs() < 1e-12);
        let rhs: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
        let x = c.solve(&rhs).expect("regular");
        let (mut y, mut scratch) = (vec![0.0; n], vec![0.0; c.scratch_len()]);
        c.apply(&x, &mut y, &mut scratch);
        for i in 0..n {
            assert!((y[i] - rhs[i]).abs() < 1e-13);
            let sum: f64 = (0..n).map(|j| full[(i, j)] * x[j]).sum();
            assert!((sum - rhs[i]).abs() < 1e-13);
        }
        c.apply_adjoint(&rhs, &mut y, &mut scratch);
        for j in 0..n {
            let sum: f64 = (0..n).map(|i| full[(i, j)] * rhs[i]).sum();
            assert!((y[j] - sum).abs() < 1e-13);
        }
    }
    // T. Chan's is the nearest circulant: each of its elements is the mean of a wrapped diagonal.
    let t = decay(6, 1.0);
    let chan = Circulant::chan(&t).expect("a matrix");
    let mut column = vec![0.0; 6];
    let unit = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    chan.apply(&unit, &mut column, &mut vec![0.0; chan.scratch_len()]);
    let full = symmetric(&t);
    for j in 0..6 {
        let mean: f64 = (0..6).map(|i| full[((i + j) % 6, i)]).sum::<f64>() / 6.0;
        assert!((column[j] - mean).abs() < 1e-15);
    }
}

/// Steps of preconditioned conjugate gradients to a residual of 1e-10.
fn steps(t: &[f64], mut preconditioner: Option<CirculantPreconditioner>) -> usize {
    let n = t.len();
    let a = Toeplitz::symmetric(t).expect("a matrix");
    let mut scratch = vec![0.0; a.scratch_len()];
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let mut r: Vec<f64> = (0..n)
        .map(|k| (0.01 * k as f64).cos() + if k % 7 == 0 { 1.0 } else { 0.0 })
        .collect();
    let goal = 1e-10 * dot(&r, &r).sqrt();
    let (mut z, mut p, mut q) = (r.clone(), vec![0.0; n], vec![0.0; n]);
    let mut last = f64::INFINITY;
    for step in 0.. {
        if dot(&r, &r).sqrt() <= goal {
            return step;
        }
        match &mut preconditioner {
            Some(m) => m.propose(&r, &mut z).expect("lengths"),
            None => z.copy_from_slice(&r),
        }
        let now = dot(&r, &z);
        for (p, z) in p.iter_mut().zip(&z) {
            *p = z + now / last * *p;
        }
        last = now;
        a.apply(&p, &mut q, &mut scratch);
        let alpha = now / dot(&p, &q);
        for (r, q) in r.iter_mut().zip(&q) {
            *r -= alpha * q;
        }
    }
    unreachable!()
}

#[test]
fn circulants_precondition_conjugate_gradients() {
    let gaussian = |n: usize| -> Vec<f64> {
        (0..n)
            .map(|k| (-((k * k) as f64) / 32.0).exp() + if k == 0 { 1e-3 } else { 0.0 })
            .collect()
    };
    for (t, expected) in [
        (decay(256, 1.1), [35, 8, 8]),
        (decay(1024, 1.1), [41, 9, 9]),
        (decay(4096, 1.1), [46, 9, 8]),
        (gaussian(256), [378, 15, 39]),
        (gaussian(1024), [886, 15, 22]),
    ] {
        let strang = CirculantPreconditioner::new(&Circulant::strang(&t).expect("a matrix"));
        let chan = CirculantPreconditioner::new(&Circulant::chan(&t).expect("a matrix"));
        let counts = [
            steps(&t, None),
            steps(&t, Some(strang.expect("definite"))),
            steps(&t, Some(chan.expect("definite"))),
        ];
        for (count, expected) in counts.iter().zip(expected) {
            let allowed = 2.0_f64.max(0.03 * f64::from(expected));
            let apart = (*count as f64 - f64::from(expected)).abs();
            assert!(apart <= allowed, "{} {counts:?} {expected}", t.len());
        }
    }
}

#[test]
fn bad_input_is_refused() {
    assert!(matches!(
        Toeplitz::symmetric(&[]),
        Err(LinalgError::Shape { .. })
    ));
    assert!(matches!(
        Toeplitz::new(&[1.0], &[2.0]),
        Err(LinalgError::Parameter { .. })
    ));
    assert!(matches!(Levinson::new(&[]), Err(LinalgError::Shape { .. })));
    assert!(matches!(
        Levinson::new(&[1.0, f64::NAN]),
        Err(LinalgError::NotFinite { index: 1, .. })
    ));
    // 1 2 / 2 1 is indefinite; the second pivot is −3.
    assert!(matches!(
        Levinson::new(&[1.0, 2.0]),
        Err(LinalgError::NotPositiveDefinite { at: 1, value, .. }) if value == -3.0
    ));
    assert!(matches!(
        Levinson::new(&[0.0]),
        Err(LinalgError::NotPositiveDefinite { at: 0, .. })
    ));
    let t = Levinson::new(&[2.0, 1.0]).expect("definite");
    assert!(matches!(
        t.solve(&[1.0]),
        Err(LinalgError::Shape {
            expected: 2,
            got: 1,
            ..
        })
    ));
    let shift = Circulant::new(&[1.0, 1.0]).expect("a matrix");
    assert!(matches!(
        shift.solve(&[1.0, 0.0]),
        Err(LinalgError::Singular { .. })
    ));
    assert!(CirculantPreconditioner::new(&shift).is_err());
    // Strang's circulant of this matrix is not definite, T. Chan's is.
    let t = [1.0, 0.6, 0.0, 0.0];
    assert!(Levinson::new(&t).is_ok());
    let strang = Circulant::strang(&t).expect("a matrix");
    assert!(CirculantPreconditioner::new(&strang).is_err());
    assert!(
        CirculantPreconditioner::for_toeplitz(&t)
            .expect("finite")
            .is_some()
    );
    assert!(
        CirculantPreconditioner::for_toeplitz(&[0.0, 1.0])
            .expect("finite")
            .is_none()
    );
    assert!(matches!(
        TauPreconditioner::new(4, |theta| theta - 1.0),
        Err(LinalgError::NotPositiveDefinite { at: 0, .. })
    ));
}
