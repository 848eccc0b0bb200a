//! Counts and solutions of Krylov methods against closed forms, and what they do when they cannot go on.

use std::cell::Cell as Shared;
use std::ops::ControlFlow;

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::{AdjointOp, EvalError, Key, LinearOp, OnHost, SearchDirection, State};
use ansatz_linalg::krylov::{
    BiCgStab, Cg, DeflatedCg, Fgmres, Gmres, Lsmr, LsmrEnd, Method, Minres, Stop, System, Workspace,
};
use ansatz_linalg::operator::{Dense, Diagonal, Poisson};
use faer::Mat;

use super::common::{Kind, about, close, grid, norm, u11};

fn until(rtol: f64) -> Stop {
    Stop {
        rtol,
        ..Stop::default()
    }
}

/// tridiag(−1, d, −1).
fn tridiagonal(d: f64) -> impl Fn(&Vec<f64>, &mut Vec<f64>) -> Result<(), EvalError> + Sync {
    move |x, y| {
        let at = |i: usize| x.get(i).copied().unwrap_or(0.0);
        for i in 0..x.len() {
            y[i] = d * x[i] - at(i + 1) - at(i.wrapping_sub(1));
        }
        Ok(())
    }
}

/// −Δu + p·u_x + q·u_y on n×n interior points, central differences times h².
fn convection(
    n: usize,
    p: f64,
    q: f64,
) -> impl Fn(&Vec<f64>, &mut Vec<f64>) -> Result<(), EvalError> + Sync {
    let h = 1.0 / (n + 1) as f64;
    move |u, y| {
        for i in 0..n {
            for j in 0..n {
                let at = |i: usize, j: usize| if i < n && j < n { u[i * n + j] } else { 0.0 };
                let (left, right) = (at(i.wrapping_sub(1), j), at(i + 1, j));
                let (low, high) = (at(i, j.wrapping_sub(1)), at(i, j + 1));
                y[i * n + j] = 4.0 * u[i * n + j] - left - right - low - high
                    + h / 2.0 * (p * (right - left) + q * (high - low));
            }
        }
        Ok(())
    }
}

#[test]
fn cg_on_the_laplacian() {
    let a = Poisson::<f64>::new(&grid(Kind::Dirichlet, 32, 2)).unwrap();
    let b = vec![(1.0 / 33.0_f64).powi(2); 1024];
    let mut x = vec![0.0; 1024];
    let report = System::new(&OnHost::new(&a), &b)
        .until(until(1e-10))
        .solve(&Cg::default(), &mut x)
        .unwrap();
    about("CG", report.iterations, 66);
    let largest = x.iter().fold(0.0_f64, |m, v| m.max(*v));
    close("largest value", largest, 0.0735034434, 1e-8);
    assert!(report.residual <= 1e-10);
    assert_eq!(report.history.len(), report.iterations + 1);
    assert!((report.history[0] - 1.0).abs() < 1e-15);
}

/// The count is the number of distinct eigenvalues in the right-hand side.
#[test]
fn minres_on_an_indefinite_matrix() {
    let a = tridiagonal(1.5);
    let n = 200;
    let ramp: Vec<f64> = (0..n).map(|i| (i + 1) as f64 / n as f64).collect();
    for (b, count, length) in [(vec![1.0; n], 100, 35.53648569), (ramp, 200, 33.78876805)] {
        let mut x = vec![0.0; n];
        let report = System::new(&a, &b)
            .until(until(1e-10))
            .solve(&Minres, &mut x)
            .unwrap();
        about("MINRES", report.iterations, count);
        close("norm", norm(&x), length, 1e-8);
        assert!(report.residual <= 1e-10);
        // Conjugate gradients say why they do not apply, and keep a finite iterate.
        let mut x = vec![0.0; n];
        let error = System::new(&a, &b).solve(&Cg::default(), &mut x);
        assert!(matches!(
            error,
            Err(LinalgError::Indefinite { curvature, .. }) if curvature <= 0.0
        ));
        assert!(x.iter().all(|v| v.is_finite()));
    }
}

/// With a preconditioner the residual reported is that of the system, not of the preconditioned one.
#[test]
fn minres_with_a_preconditioner() {
    let n = 120;
    let d: Vec<f64> = (0..n)
        .map(|i| if i % 3 == 0 { -1.0 } else { 1.0 } * (1 + i) as f64)
        .collect();
    let near: Vec<f64> = d
        .iter()
        .enumerate()
        .map(|(i, d)| 1.0 / (d.abs() * (1.0 + 0.1 * u11(i as u64))))
        .collect();
    let a = Diagonal::new(d.clone()).unwrap();
    let b = vec![1.0; n];
    let mut x = vec![0.0; n];
    let mut m = Jacobi(near);
    let report = System::new(&OnHost::new(&a), &b)
        .preconditioned(&mut m)
        .solve(&Minres, &mut x)
        .unwrap();
    // Eigenvalues in two clusters: far fewer steps than the 120 of the plain method.
    assert!(report.iterations < 30, "{}", report.iterations);
    for (x, d) in x.iter().zip(&d) {
        assert!((x * d - 1.0).abs() < 1e-7);
    }
    let last = report.history[report.iterations];
    assert!(last <= 1e-8 && report.residual <= 1e-8);
}

struct Jacobi(Vec<f64>);

impl SearchDirection<Vec<f64>> for Jacobi {
    fn propose(&mut self, r: &Vec<f64>, z: &mut Vec<f64>) -> Result<(), EvalError> {
        for ((z, r), d) in z.iter_mut().zip(r).zip(&self.0) {
            *z = r * d;
        }
        Ok(())
    }
}

#[test]
fn gmres_on_convection_and_diffusion() {
    let n = 32;
    let b = vec![(1.0 / 33.0_f64).powi(2); n * n];
    for (p, q, count, largest) in [
        (20.0, 10.0, 89, 0.0361557359),
        (200.0, 100.0, 85, 0.0087946507),
    ] {
        let a = convection(n, p, q);
        let mut x = vec![0.0; n * n];
        let whole = Gmres { restart: 200 };
        let report = System::new(&a, &b).solve(&whole, &mut x).unwrap();
        about("GMRES", report.iterations, count);
        let top = x.iter().fold(0.0_f64, |m, v| m.max(*v));
        close("largest value", top, largest, 1e-7);
        let solution = x;
        // The others find the same solution.
        let methods: [&dyn Method<Vec<f64>>; 3] =
            [&Gmres::default(), &Fgmres::default(), &BiCgStab];
        for method in methods {
            let mut x = vec![0.0; n * n];
            let report = System::new(&a, &b)
                .until(until(1e-10))
                .solve(method, &mut x)
                .unwrap();
            assert!(report.residual <= 1e-10);
            let error: Vec<f64> = x.iter().zip(&solution).map(|(a, b)| a - b).collect();
            assert!(norm(&error) < 1e-6 * norm(&solution));
        }
    }
}

/// Ten steps of Richardson's iteration and an error of a hundredth that changes from step to step.
#[test]
fn flexible_methods_take_a_preconditioner_that_changes() {
    struct Inner<'a>(&'a Poisson<f64>, usize, Vec<f64>);
    impl SearchDirection<Vec<f64>> for Inner<'_> {
        fn propose(&mut self, r: &Vec<f64>, z: &mut Vec<f64>) -> Result<(), EvalError> {
            self.1 += 1;
            z.fill(0.0);
            for _ in 0..10 {
                self.0.apply(z, &mut self.2, &mut []);
                for ((z, az), r) in z.iter_mut().zip(&self.2).zip(r) {
                    *z += (r - az) / 8.0;
                }
            }
            let size = 0.01 * norm(z);
            self.2.fill_normal(Key::new(1), self.1 as u64);
            let noise = norm(&self.2);
            z.lincomb(1.0, &[(size / noise, &self.2)]);
            Ok(())
        }
    }
    let a = Poisson::<f64>::new(&grid(Kind::Mixed, 24, 2)).unwrap();
    let b: Vec<f64> = (0..576).map(u11).collect();
    let solve = |method: &dyn Method<Vec<f64>>, inner: bool| {
        let (mut m, mut x) = (Inner(&a, 0, vec![0.0; 576]), vec![0.0; 576]);
        let op = OnHost::new(&a);
        let mut system = System::new(&op, &b).until(until(1e-10));
        if inner {
            system = system.preconditioned(&mut m);
        }
        let report = system.solve(method, &mut x).unwrap();
        (report.iterations, x)
    };
    let (plain, x) = solve(&Cg::default(), false);
    for method in [&Cg::flexible() as &dyn Method<_>, &Fgmres::default()] {
        let (count, y) = solve(method, true);
        assert!(4 * count < 3 * plain, "{count} of {plain}");
        let error: Vec<f64> = x.iter().zip(&y).map(|(a, b)| a - b).collect();
        assert!(norm(&error) < 1e-7 * norm(&x));
    }
}

/// A spectrum of [1, 2] with four small eigenvalues: deflating them leaves the count of [1, 2].
#[test]
fn deflation_takes_out_small_eigenvalues() {
    let n = 300;
    let d: Vec<f64> = (0..n)
        .map(|i| {
            if i < 4 {
                1e-4 * (i + 1) as f64
            } else {
                1.0 + i as f64 / n as f64
            }
        })
        .collect();
    let a = Diagonal::new(d.clone()).unwrap();
    let op = OnHost::new(&a);
    let b: Vec<f64> = (0..n as u64).map(u11).collect();
    let unit = |k: usize| {
        let mut w = vec![0.0; n];
        w[k] = 1.0;
        w
    };
    let deflated = DeflatedCg::new(&op, (0..4).map(unit).collect()).unwrap();
    let (mut x, mut y) = (vec![0.0; n], vec![0.0; n]);
    let plain = System::new(&op, &b).solve(&Cg::default(), &mut x).unwrap();
    let fewer = System::new(&op, &b).solve(&deflated, &mut y).unwrap();
    // κ = 2: the error falls by 5.8 a step.
    assert!(fewer.iterations <= 13 && plain.iterations > fewer.iterations + 4);
    for ((y, b), d) in y.iter().zip(&b).zip(&d) {
        assert!((y * d - b).abs() < 1e-7);
    }
    let twice = DeflatedCg::new(&op, vec![unit(0), unit(0)]);
    assert!(matches!(
        twice,
        Err(LinalgError::NotPositiveDefinite { .. })
    ));
}

/// Against the normal equations by faer.
#[test]
fn lsmr_on_a_tall_matrix() {
    let (m, n) = (60, 20);
    let matrix = Mat::from_fn(m, n, |i, j| u11((i * n + j) as u64));
    let b: Vec<f64> = (0..m).map(|i| (i as f64).cos()).collect();
    let a = Dense::new(matrix.clone()).unwrap();
    let forward = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
        a.apply(x, y, &mut []);
        Ok(())
    };
    let backward = |y: &Vec<f64>, x: &mut Vec<f64>| -> Result<(), EvalError> {
        a.apply_adjoint(y, x, &mut []);
        Ok(())
    };
    for damp in [0.0, 0.7] {
        let mut gram = matrix.transpose() * &matrix;
        for j in 0..n {
            gram[(j, j)] += damp * damp;
        }
        let right = matrix.transpose() * Mat::from_fn(m, 1, |i, _| b[i]);
        let exact =
            faer::linalg::solvers::Solve::solve(&gram.llt(faer::Side::Lower).unwrap(), &right);
        let mut x = vec![0.3; n];
        let lsmr = Lsmr {
            damp,
            atol: 1e-13,
            btol: 0.0,
            ..Lsmr::default()
        };
        let report = lsmr.solve(&forward, &backward, &b, &mut x).unwrap();
        assert_eq!(report.end, LsmrEnd::LeastSquares);
        for (j, x) in x.iter().enumerate() {
            assert!((x - exact[(j, 0)]).abs() < 1e-11);
        }
        for pair in report.history.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-12), "‖Aᵀr‖ falls");
        }
    }
    // A consistent system ends as a solution.
    let mut b = vec![0.0; m];
    a.apply(&vec![1.0; n], &mut b, &mut []);
    let mut x = vec![0.0; n];
    let report = Lsmr::default()
        .solve(&forward, &backward, &b, &mut x)
        .unwrap();
    assert_eq!(report.end, LsmrEnd::Solution);
    assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-8));
}

/// Deflation, restarts and stabilisation on one symmetric problem, from a guess.
#[test]
fn every_method_starts_from_the_guess() {
    let a = Poisson::<f64>::new(&grid(Kind::Ball, 12, 3)).unwrap();
    let op = OnHost::new(&a);
    let mut exact: Vec<f64> = (0..1728).map(u11).collect();
    a.restrict(&mut exact);
    let mut b = vec![0.0; 1728];
    a.apply(&exact, &mut b, &mut []);
    let deflated = DeflatedCg::new(&op, vec![b.clone()]).unwrap();
    let methods: [(&str, &dyn Method<Vec<f64>>); 7] = [
        ("CG", &Cg::default()),
        ("flexible CG", &Cg::flexible()),
        ("deflated CG", &deflated),
        ("MINRES", &Minres),
        ("GMRES", &Gmres::default()),
        ("FGMRES", &Fgmres::default()),
        ("BiCGStab", &BiCgStab),
    ];
    let mut workspace = Workspace::default();
    for (name, method) in methods {
        let solve = |x: &mut Vec<f64>, rtol, workspace: &mut Workspace<Vec<f64>>| {
            let system = System::new(&op, &b).until(until(rtol)).reusing(workspace);
            system.solve(method, x).unwrap()
        };
        let mut x = vec![0.0; 1728];
        let whole = solve(&mut x, 1e-10, &mut workspace);
        assert!(whole.residual <= 1e-10, "{name}");
        let error: Vec<f64> = x.iter().zip(&exact).map(|(a, b)| a - b).collect();
        assert!(norm(&error) < 1e-7 * norm(&exact), "{name}");
        // The solution is a guess that needs nothing.
        let again = solve(&mut x, 1e-9, &mut workspace);
        assert_eq!(again.iterations, 0, "{name}");
        // Half the way, then the rest, costs less than everything again.
        let mut x = vec![0.0; 1728];
        solve(&mut x, 1e-5, &mut workspace);
        let rest = solve(&mut x, 1e-10, &mut workspace);
        assert!(rest.iterations < whole.iterations, "{name}");
    }
}

#[test]
fn bad_input_changes_nothing() {
    let a = tridiagonal(2.0);
    let good = vec![1.0; 8];
    let x = vec![0.25; 8];
    let solve = |b: &Vec<f64>, x: &mut Vec<f64>, stop: Stop| {
        System::new(&a, b).until(stop).solve(&Cg::default(), x)
    };
    let mut y = x.clone();
    let mut nan = good.clone();
    nan[3] = f64::NAN;
    assert!(matches!(
        solve(&nan, &mut y, Stop::default()),
        Err(LinalgError::NotFinite { .. })
    ));
    let negative = until(-1.0);
    assert!(matches!(
        solve(&good, &mut y, negative),
        Err(LinalgError::Parameter { .. })
    ));
    let mut short = vec![0.25; 7];
    assert!(matches!(
        solve(&good, &mut short, Stop::default()),
        Err(LinalgError::Shape { .. })
    ));
    assert!(matches!(
        solve(&vec![], &mut vec![], Stop::default()),
        Err(LinalgError::Shape { .. })
    ));
    assert_eq!(x, y);
    assert_eq!(short, [0.25; 7]);
    // The right-hand side 0 has the solution 0, without a step or a product.
    let report = solve(&vec![0.0; 8], &mut y, Stop::default()).unwrap();
    assert_eq!((report.iterations, report.products), (0, 0));
    assert_eq!(y, [0.0; 8]);
}

/// An operator that begins to return NaN: the iterate from before stays.
#[test]
fn breakdown_keeps_the_best_iterate() {
    use std::sync::atomic::Ordering::Relaxed;
    let n = 64;
    let inner = tridiagonal(2.0);
    let left = std::sync::atomic::AtomicUsize::new(0);
    let a = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
        inner(x, y)?;
        if left.fetch_sub(1, Relaxed) == 0 {
            y[5] = f64::NAN;
            left.store(0, Relaxed);
        }
        Ok(())
    };
    let b = vec![1.0; n];
    let methods: [&dyn Method<Vec<f64>>; 5] = [
        &Cg::default(),
        &Minres,
        &Gmres { restart: 5 },
        &Fgmres { restart: 5 },
        &BiCgStab,
    ];
    for method in methods {
        left.store(9, std::sync::atomic::Ordering::Relaxed);
        let mut x = vec![0.0; n];
        let error = System::new(&a, &b).solve(method, &mut x);
        assert!(
            matches!(error, Err(LinalgError::Breakdown { .. })),
            "{error:?}"
        );
        assert!(x.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn an_observer_sees_and_stops() {
    let a = tridiagonal(2.0);
    let b = vec![1.0; 100];
    let mut x = vec![0.0; 100];
    let seen = Shared::new(0);
    let mut watch = |i: &ansatz_linalg::krylov::Iteration<'_, Vec<f64>>| {
        seen.set(i.step);
        assert!(i.solution.is_some());
        if i.step == 7 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let report = System::new(&a, &b)
        .observed(&mut watch)
        .solve(&Cg::default(), &mut x)
        .unwrap();
    assert!(report.stopped_early);
    assert_eq!((report.iterations, seen.get()), (7, 7));
    let few = Stop {
        max_iterations: 3,
        ..Stop::default()
    };
    let mut x = vec![0.0; 100];
    let error = System::new(&a, &b).until(few).solve(&Cg::default(), &mut x);
    assert!(matches!(
        error,
        Err(LinalgError::NotConverged { iterations: 3, .. })
    ));
    assert!(norm(&x) > 0.0);
}

/// f32 states: tolerances above their rounding are reached in the true residual.
#[test]
fn single_precision() {
    let a = Poisson::<f32>::new(&grid(Kind::Dirichlet, 16, 2)).unwrap();
    let b = vec![1.0_f32; 256];
    let mut x = vec![0.0_f32; 256];
    let report = System::new(&OnHost::new(&a), &b)
        .until(until(1e-5))
        .solve(&Cg::default(), &mut x)
        .unwrap();
    assert!(report.residual <= 1e-5);
}

/// The same bits for one, two and three threads, and no allocation in a step.
#[test]
fn threads_and_allocations() {
    let a = Poisson::<f64>::new(&grid(Kind::Mixed, 40, 3)).unwrap();
    let b: Vec<f64> = (0..64000).map(u11).collect();
    let methods: [&dyn Method<Vec<f64>>; 4] =
        [&Cg::default(), &Minres, &Gmres { restart: 6 }, &BiCgStab];
    let few = |n| Stop {
        rtol: 0.0,
        atol: 0.0,
        max_iterations: n,
    };
    for method in methods {
        let solve = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut x = vec![0.0; 64000];
                let op = OnHost::new(&a);
                let end = System::new(&op, &b).until(few(12)).solve(method, &mut x);
                assert!(matches!(end, Err(LinalgError::NotConverged { .. })));
                x.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            })
        };
        let one = solve(1);
        assert_eq!(one, solve(2));
        assert_eq!(one, solve(3));
    }
    let small = Poisson::<f64>::new(&grid(Kind::Mixed, 12, 2)).unwrap();
    let op = OnHost::new(&small);
    let b: Vec<f64> = (0..144).map(u11).collect();
    for method in methods {
        let count = |n| {
            let mut x = vec![0.0; 144];
            allocation_counter::measure(|| {
                System::new(&op, &b)
                    .until(few(n))
                    .solve(method, &mut x)
                    .unwrap_err();
            })
            .count_total
        };
        assert_eq!(count(7), count(19));
    }
}
