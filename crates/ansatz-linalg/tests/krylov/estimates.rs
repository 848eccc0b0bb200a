//! Lanczos and stochastic traces on the Laplacian of a square, whose spectrum is known.

use std::f64::consts::PI;

use ansatz_linalg::core::{Key, LinearMap, OnHost};
use ansatz_linalg::krylov::{Cg, System};
use ansatz_linalg::lanczos::{Lanczos, Reorthogonalise};
use ansatz_linalg::operator::{Diagonal, Poisson};
use ansatz_linalg::{LinalgError, trace};

use super::common::{Kind, close, grid, sgn, u11};

const N: usize = 48;

fn square() -> Poisson<f64> {
    Poisson::new(&grid(Kind::Dirichlet, N, 2)).unwrap()
}

/// Eigenvalues, ascending.
fn exact() -> Vec<f64> {
    let cos = |k: usize| 2.0 * (PI * (k + 1) as f64 / (N + 1) as f64).cos();
    let mut values: Vec<f64> = (0..N * N).map(|c| 4.0 - cos(c % N) - cos(c / N)).collect();
    values.sort_by(f64::total_cmp);
    values
}

#[expect(clippy::ptr_arg, reason = "a state is a vector")]
fn probe(k: usize, z: &mut Vec<f64>) {
    for (i, z) in z.iter_mut().enumerate() {
        *z = sgn(1_000_003 * k as u64 + i as u64);
    }
}

fn steps(steps: usize) -> Lanczos {
    Lanczos {
        steps,
        ..Lanczos::default()
    }
}

#[test]
fn log_determinant_by_quadrature() {
    let a = square();
    let a = OnHost::new(&a);
    let like = vec![0.0; N * N];
    let one = trace::log_det(&a, &like, &probe, 1, &steps(30)).unwrap();
    assert!((one.mean - 2701.094678).abs() < 1e-4, "{}", one.mean);
    assert!(one.standard_error.is_infinite());
    let all = trace::log_det(&a, &like, &probe, 30, &steps(30)).unwrap();
    close("mean of thirty", all.mean, 2716.646, 1e-6);
    assert!((all.standard_error - 10.7).abs() < 0.1);
    let short = trace::log_det(&a, &like, &probe, 30, &steps(10)).unwrap();
    close("ten steps", short.mean, 2721.33, 1e-5);
    // The exact value is within the error; the bias of few steps shows in the same probes.
    let exact: f64 = exact().iter().map(|v| v.ln()).sum();
    close("exact", exact, 2712.433149480328, 1e-12);
    assert!((all.mean - exact).abs() < 2.0 * all.standard_error);
    assert!((short.mean - all.mean - 4.7).abs() < 0.1);
}

#[test]
fn functions_by_quadrature() {
    let a = square();
    let a = OnHost::new(&a);
    let like = vec![0.0; N * N];
    let exact = exact();
    let functions: [(&dyn Fn(f64) -> f64, f64); 3] = [
        (&|t: f64| 1.0 / t, 1460.506461813637),
        (&|t: f64| t.sqrt(), 4420.906281669898),
        (&|t: f64| (-t).exp(), 213.38635964429514),
    ];
    for (f, value) in functions {
        close("exact", exact.iter().map(|v| f(*v)).sum(), value, 1e-12);
        let estimate = trace::lanczos_quadrature(&a, f, &like, &probe, 30, &steps(40)).unwrap();
        let error = (estimate.mean - value).abs();
        assert!(error < 3.0 * estimate.standard_error, "{estimate:?}");
        assert!(estimate.standard_error < 0.05 * value);
    }
    let negative = Diagonal::new(vec![1.0, -1.0, 2.0]).unwrap();
    let error = trace::log_det(&OnHost::new(&negative), &vec![0.0; 3], &probe, 2, &steps(3));
    assert!(matches!(
        error,
        Err(LinalgError::NotPositiveDefinite { .. })
    ));
}

#[test]
fn traces_by_probes() {
    let a = square();
    let op = OnHost::new(&a);
    let like = vec![0.0; N * N];
    let one = trace::hutchinson(&op, &like, &probe, 1).unwrap();
    assert!((one.mean - 9204.0).abs() < 1e-9);
    let all = trace::hutchinson(&op, &like, &probe, 30).unwrap();
    close("mean of thirty", all.mean, 9230.2667, 1e-8);
    // The variance in closed form: 2·Σ of the squares beside the diagonal, 4·47·48 ones.
    let variance = 2.0 * (4 * (N - 1) * N) as f64 / 30.0;
    assert!((all.standard_error / variance.sqrt() - 1.0).abs() < 0.4);
    assert!((all.mean - 9216.0).abs() < 3.0 * all.standard_error);
    // tr A⁻¹·I by solves.
    let identity = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), ansatz_linalg::core::EvalError> {
        y.copy_from_slice(x);
        Ok(())
    };
    let solve =
        |b: &Vec<f64>, x: &mut Vec<f64>| System::new(&op, b).solve(&Cg::default(), x).map(drop);
    let inverse = trace::inverse_product(solve, &identity, &like, &probe, 10).unwrap();
    assert!((inverse.mean - 1460.506461813637).abs() < 3.0 * inverse.standard_error);
}

/// A spectrum 1/k²: sixty products of Hutch++ beat sixty probes of Hutchinson by far.
#[test]
fn hutch_pp_on_a_spectrum_that_decays() {
    let n = 400;
    // A reflection of a diagonal matrix: dense, with known eigenvalues.
    let v: Vec<f64> = (0..n).map(u11).collect();
    let vv: f64 = v.iter().map(|v| v * v).sum();
    let reflect = move |x: &mut Vec<f64>| {
        let c = 2.0 * x.iter().zip(&v).map(|(x, v)| x * v).sum::<f64>() / vv;
        for (x, v) in x.iter_mut().zip(&v) {
            *x -= c * v;
        }
    };
    let a = move |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), ansatz_linalg::core::EvalError> {
        y.copy_from_slice(x);
        reflect(y);
        for (k, y) in y.iter_mut().enumerate() {
            *y /= ((k + 1) * (k + 1)) as f64;
        }
        reflect(y);
        Ok(())
    };
    let exact: f64 = (1..=n).map(|k| 1.0 / (k * k) as f64).sum();
    let like = vec![0.0; n as usize];
    let signs = trace::signs(Key::new(3));
    let plus = trace::hutch_pp(&a, &like, &signs, 60).unwrap();
    let plain = trace::hutchinson(&a, &like, &signs, 60).unwrap();
    assert!((plus.mean - exact).abs() < 4.0 * plus.standard_error);
    assert!((plain.mean - exact).abs() < 4.0 * plain.standard_error);
    assert!(plus.standard_error < 0.1 * plain.standard_error);
    let normals = trace::normals(Key::new(3));
    let normal = trace::hutchinson(&a, &like, &normals, 60).unwrap();
    assert!((normal.mean - exact).abs() < 4.0 * normal.standard_error);
    assert!(trace::hutch_pp(&a, &like, &signs, 2).is_err());
}

/// Outer eigenvalues, orthogonality, and the relation A·Q = Q·T + β·q·eᵀ.
#[test]
fn lanczos_with_and_without_orthogonalisation() {
    let a = square();
    let op = OnHost::new(&a);
    let n = N * N;
    let start: Vec<f64> = (0..n as u64).map(u11).collect();
    let exact = exact();
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut counts = Vec::new();
    for (kind, allowed) in [
        (Reorthogonalise::Full, 1e-14),
        (Reorthogonalise::Selective, 1e-7),
    ] {
        let m = 250;
        let run = Lanczos {
            steps: m,
            reorthogonalise: kind,
        }
        .run(&op, &start)
        .unwrap();
        assert_eq!(run.basis.len(), m);
        let mut worst = 0.0_f64;
        for i in 0..m {
            for j in 0..i {
                worst = worst.max(dot(&run.basis[i], &run.basis[j]).abs());
            }
        }
        assert!(worst < allowed, "{kind:?}: {worst:e}");
        let (values, vectors) = run.matrix.eigen().unwrap();
        // The largest eigenvalue is simple and converged: so is its vector.
        close("largest", values[m - 1], exact[n - 1], 1e-13);
        let mut v = vec![0.0; n];
        run.combine(&vectors[(m - 1) * m..], &mut v);
        let mut av = vec![0.0; n];
        op.apply(&v, &mut av).unwrap();
        let error: f64 = av
            .iter()
            .zip(&v)
            .map(|(a, v)| (a - values[m - 1] * v).powi(2))
            .sum();
        assert!(error.sqrt() < 1e-7);
        // The spectrum is symmetric under x ↔ y: pairs appear once, not twice.
        let close_pairs = values.windows(2).filter(|w| w[1] - w[0] < 1e-10).count();
        assert_eq!(close_pairs, 0, "{kind:?}: no ghosts");
        counts.push(run.reorthogonalised);
    }
    assert!(counts[1] < counts[0] / 3, "{counts:?}");
    // Outliers converge first, and come back where nothing is done about it.
    let outliers = Diagonal::new(
        (0..n)
            .map(|i| {
                if i < 3 {
                    10.0 * (i + 1) as f64
                } else {
                    i as f64 / n as f64
                }
            })
            .collect(),
    )
    .unwrap();
    let top = |reorthogonalise| {
        let run = Lanczos {
            steps: 60,
            reorthogonalise,
        }
        .run(&OnHost::new(&outliers), &start)
        .unwrap();
        let (values, _) = run.matrix.eigen().unwrap();
        assert_eq!(
            run.basis.is_empty(),
            reorthogonalise == Reorthogonalise::None
        );
        values.iter().filter(|v| **v > 5.0).count()
    };
    assert!(top(Reorthogonalise::None) > 3);
    assert_eq!(top(Reorthogonalise::Selective), 3);
    assert_eq!(top(Reorthogonalise::Full), 3);
}

/// Three eigenvalues: the process ends after three steps and says so.
#[test]
fn lanczos_finds_an_invariant_subspace() {
    let a = Diagonal::new((0..30).map(|i| [1.0, 4.0, 9.0][i % 3]).collect()).unwrap();
    for kind in [
        Reorthogonalise::Full,
        Reorthogonalise::Selective,
        Reorthogonalise::None,
    ] {
        let run = Lanczos {
            steps: 10,
            reorthogonalise: kind,
        }
        .run(&OnHost::new(&a), &vec![1.0; 30])
        .unwrap();
        assert!(run.invariant);
        let (values, _) = run.matrix.eigen().unwrap();
        assert_eq!(values.len(), 3);
        for (value, exact) in values.iter().zip([1.0, 4.0, 9.0]) {
            close("eigenvalue", *value, exact, 1e-13);
        }
    }
    let op = OnHost::new(&a);
    assert!(Lanczos::default().run(&op, &vec![0.0; 30]).is_err());
    assert!(steps(0).run(&op, &vec![1.0; 30]).is_err());
}
