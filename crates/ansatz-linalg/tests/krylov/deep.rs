//! The deep conjugate direction method with proposers whose behaviour is known, and the data it is trained on.

use std::f64::consts::PI;

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::{EvalError, Key, LinearMap, OnHost, SearchDirection};
use ansatz_linalg::deep::{
    DataOptions, DeepConjugateDirections, OnFluid, ResidualData, Stagnation,
};
use ansatz_linalg::krylov::{Cg, Method, SolveReport, Stop, System};
use ansatz_linalg::operator::{Cell, Diagonal, Poisson};
use ansatz_linalg::precondition::{FastPoisson, StencilFactor, StencilFactorKind};

use super::common::{Kind, about, grid, norm, rhs};

struct Net<F>(F);

impl<F: FnMut(&[f64], &mut [f64])> SearchDirection<Vec<f64>> for Net<F> {
    fn propose(&mut self, r: &Vec<f64>, d: &mut Vec<f64>) -> Result<(), EvalError> {
        (self.0)(r, d);
        Ok(())
    }
}

fn method(history: usize) -> DeepConjugateDirections {
    DeepConjugateDirections {
        history,
        // Residuals of conjugate gradients rise on the way: that is no reason to give up.
        stagnation: Stagnation {
            window: usize::MAX,
            gain: 0.0,
        },
        ..DeepConjugateDirections::default()
    }
}

fn solve(
    a: &Poisson<f64>,
    net: &mut dyn SearchDirection<Vec<f64>>,
    b: &Vec<f64>,
    method: &dyn Method<Vec<f64>>,
) -> SolveReport {
    let mut x = vec![0.0; b.len()];
    System::new(&OnHost::new(a), b)
        .preconditioned(net)
        .solve(method, &mut x)
        .unwrap()
}

#[test]
fn the_identity_gives_conjugate_gradients() {
    for (kind, smooth, at_four, count) in
        [(Kind::Mixed, false, 150, 241), (Kind::Ball, true, 144, 206)]
    {
        let grid = grid(kind, 32, 3);
        let a = Poisson::<f64>::new(&grid).unwrap();
        let b = rhs(&grid, smooth);
        for history in [1, 2] {
            let mut net = Net(|r: &[f64], d: &mut [f64]| d.copy_from_slice(r));
            let report = solve(&a, &mut net, &b, &method(history));
            about("identity", report.iterations, count);
            let first = report.history.iter().position(|r| *r <= 1e-4).unwrap();
            about("identity, to 1e-4", first, at_four);
            assert_eq!(report.safeguards, 0);
            // One product a step, and those that compute residuals anew.
            assert!(report.products <= report.iterations + report.iterations / 20 + 2);
        }
        // Without memory it is steepest descent, and hopeless.
        let mut net = Net(|r: &[f64], d: &mut [f64]| d.copy_from_slice(r));
        let mut x = vec![0.0; b.len()];
        let end = System::new(&OnHost::new(&a), &b)
            .preconditioned(&mut net)
            .until(Stop {
                max_iterations: 2 * count,
                ..Stop::default()
            })
            .solve(&method(0), &mut x);
        assert!(matches!(end, Err(LinalgError::NotConverged { residual, .. }) if residual > 1e-4));
    }
}

#[test]
fn a_preconditioner_gives_the_preconditioned_method() {
    let grid = grid(Kind::Ball, 32, 3);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let b = rhs(&grid, false);
    for history in [1, 2, 4] {
        let mut net = StencilFactor::new(&a, StencilFactorKind::Incomplete).unwrap();
        let report = solve(&a, &mut net, &b, &method(history));
        about("IC(0)", report.iterations, 85);
        let first = report.history.iter().position(|r| *r <= 1e-4).unwrap();
        about("IC(0), to 1e-4", first, 49);
    }
}

#[test]
fn the_inverse_needs_one_step() {
    let grid = grid(Kind::Mixed, 16, 3);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let b = rhs(&grid, false);
    // Any factor, even a negative one: the line search finds the length.
    let mut inverse = FastPoisson::<f64>::new(&grid);
    let mut net = Net(|r: &[f64], d: &mut [f64]| {
        let mut out = vec![0.0; d.len()];
        inverse.propose(&r.to_vec(), &mut out).unwrap();
        for (d, v) in d.iter_mut().zip(out) {
            *d = -1e-3 * v;
        }
    });
    let report = solve(&a, &mut net, &b, &DeepConjugateDirections::default());
    assert_eq!(report.iterations, 1);
    assert!(report.residual < 1e-10);
}

/// A network that returns NaN, zeros, or noise: every step is made safe, and the solution is found.
#[test]
fn bad_directions_are_made_safe() {
    let grid = grid(Kind::Ball, 16, 2);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let b = rhs(&grid, false);
    let default = DeepConjugateDirections::default();
    let fresh = solve(
        &a,
        &mut Net(|r: &[f64], d: &mut [f64]| d.copy_from_slice(r)),
        &b,
        &Cg::default(),
    );
    for value in [f64::NAN, 0.0, f64::INFINITY] {
        let mut net = Net(|_: &[f64], d: &mut [f64]| d.fill(value));
        let report = solve(&a, &mut net, &b, &default);
        // Each is a step of steepest descent until the method gives up.
        assert!(report.safeguards > 0 && report.residual <= 1e-8);
        assert_eq!(report.fallback_at, Some(20));
        assert!(report.iterations <= 20 + fresh.iterations + 2);
    }
    // The same direction again and again: nothing is gained after the first step.
    let mut net = Net(|_: &[f64], d: &mut [f64]| d.fill(1.0));
    let mut restricted = OnFluid::new(&a, &mut net as &mut dyn SearchDirection<Vec<f64>>);
    let mut x = vec![0.0; b.len()];
    let report = System::new(&OnHost::new(&a), &b)
        .preconditioned(&mut restricted)
        .solve(&default, &mut x)
        .unwrap();
    assert!(report.fallback_at.is_some());
    assert!(report.iterations <= report.fallback_at.unwrap() + fresh.iterations + 2);
    for (x, c) in x.iter().zip(grid.cells()) {
        assert!(*c == Cell::Fluid || *x == 0.0, "nothing in solids");
    }
}

#[test]
fn errors_keep_the_best_iterate() {
    let grid = grid(Kind::Mixed, 8, 2);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let b = rhs(&grid, false);
    let default = DeepConjugateDirections::default();
    // A proposer for another size.
    let other = Poisson::<f64>::new(&super::common::grid(Kind::Mixed, 6, 2)).unwrap();
    let mut small = StencilFactor::new(&other, StencilFactorKind::Incomplete).unwrap();
    let mut x = vec![0.0; 64];
    let end = System::new(&OnHost::new(&a), &b)
        .preconditioned(&mut small)
        .solve(&default, &mut x);
    assert!(matches!(
        end,
        Err(LinalgError::Operator(EvalError::Length {
            expected: 36,
            got: 64,
            ..
        }))
    ));
    // An indefinite operator.
    let indefinite =
        Diagonal::new((0..64).map(|i| if i < 5 { -1.0 } else { 1.0 }).collect()).unwrap();
    let mut x = vec![0.0; 64];
    let e: Vec<f64> = (0..64).map(|i| if i < 5 { 1.0 } else { 0.0 }).collect();
    let end = System::new(&OnHost::new(&indefinite), &e).solve(&default, &mut x);
    assert!(matches!(end, Err(LinalgError::Indefinite { .. })));
    let none = DeepConjugateDirections {
        refresh: 0,
        ..default
    };
    let end = System::new(&OnHost::new(&a), &b).solve(&none, &mut x);
    assert!(matches!(end, Err(LinalgError::Parameter { .. })));
}

/// Ritz values are in the spectrum; residuals have norm 1, no part in solids, and the energy that their weights say.
#[test]
fn training_residuals() {
    let grid = grid(Kind::Mixed, 32, 2);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let op = OnHost::new(&a);
    let like = vec![0.0; 1024];
    let data = ResidualData::new(&op, &like, &DataOptions::default(), Key::new(5)).unwrap();
    let values = data.values();
    // Closed form: walls along x, wall and air along y.
    let least = 2.0 - 2.0 * (PI / 65.0).cos();
    let most = 4.0 - 2.0 * (PI * 31.0 / 32.0).cos() - 2.0 * (PI * 63.0 / 65.0).cos();
    assert!((least - 0.00233555).abs() < 1e-8 && (most - 7.98103).abs() < 1e-5);
    assert!((values[0] / least - 1.0).abs() < 1e-6);
    assert!((values[values.len() - 1] / most - 1.0).abs() < 1e-12);
    assert!(values.len() <= 512);
    // E rᵀAr = Σ w²λ/Σ w² nearly, for as many terms.
    let edge = 0.55 * values.len() as f64;
    let weight = |j: usize| if (j as f64) < edge { 81.0 } else { 1.0 };
    let (mut top, mut bottom) = (0.0, 0.0);
    for (j, v) in values.iter().enumerate() {
        top += weight(j) * v;
        bottom += weight(j);
    }
    let (mut r, mut ar, mut mean) = (like.clone(), like.clone(), 0.0);
    for i in 0..200 {
        data.sample(i, &mut r);
        assert!((norm(&r) - 1.0).abs() < 1e-12);
        op.apply(&r, &mut ar).unwrap();
        mean += r.iter().zip(&ar).map(|(a, b)| a * b).sum::<f64>() / 200.0;
    }
    assert!((mean / (top / bottom) - 1.0).abs() < 0.03, "{mean}");
    let mut again = like.clone();
    data.sample(199, &mut again);
    assert_eq!(again, r);
    // Solids and the constants they cut off have no part.
    let ball = super::common::grid(Kind::Ball, 16, 2);
    let a = Poisson::<f64>::new(&ball).unwrap();
    let op = OnHost::new(&a);
    let data =
        ResidualData::new(&op, &vec![0.0; 256], &DataOptions::default(), Key::new(6)).unwrap();
    let mut r = vec![0.0; 256];
    data.sample(0, &mut r);
    for (r, c) in r.iter().zip(ball.cells()) {
        assert!(*c == Cell::Fluid || r.abs() < 1e-14);
    }
}
