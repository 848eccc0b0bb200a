//! Caputo's derivative: published errors, orders, limits, and the fast history beside the full one.

use std::f64::consts::PI;

use ansatz_physics::PhysicsError;
use ansatz_physics::caputo::{History, L1, graded};

fn uniform(n: usize) -> Vec<f64> {
    graded(1.0, n, 1.0).expect("a mesh")
}

/// Γ(4)/Γ(4 − α)·t^{3−α}.
fn cube(alpha: f64, t: f64) -> f64 {
    6.0 / libm::tgamma(4.0 - alpha) * t.powf(3.0 - alpha)
}

#[test]
fn errors_of_a_cube() {
    let table = [
        (
            0.5,
            vec![
                -3.832056e-2,
                -1.422885e-2,
                -5.193756e-3,
                -1.875798e-3,
                -6.728563e-4,
            ],
        ),
        (
            0.3,
            vec![-1.360025e-2, -4.529162e-3, -1.477402e-3, -4.751976e-4],
        ),
    ];
    for (alpha, errors) in table {
        let mut before = f64::NAN;
        for (k, expected) in errors.iter().enumerate() {
            let mesh = uniform(10 << k);
            let values: Vec<f64> = mesh.iter().map(|t| t.powi(3)).collect();
            let d = L1::new(alpha, mesh).expect("a formula").derivative(&values);
            let e = d.expect("values")[10 << k] - cube(alpha, 1.0);
            println!("cube, {alpha}, {}: {e:.6e} for {expected:.6e}", 10 << k);
            assert!(
                (e / expected - 1.0).abs() < 3e-6,
                "{alpha} {k}: {e:e} {expected:e}"
            );
            if k == errors.len() - 1 {
                let order = (before / e).log2();
                assert!((order - 2.0 + alpha).abs() < 0.08, "{order}");
            }
            before = e;
        }
    }
}

#[test]
fn fractional_diffusion() {
    let table = [
        (0.5, [1.673033e-2, 6.245829e-3, 2.289498e-3, 8.301289e-4]),
        (0.3, [6.267158e-3, 2.096603e-3, 6.872002e-4, 2.228847e-4]),
    ];
    for (alpha, errors) in table {
        for (k, expected) in errors.into_iter().enumerate() {
            let n = 10 << k;
            let force = |x: f64, t: f64| (cube(alpha, t) + t.powi(3)) * x.sin();
            let formula = L1::new(alpha, uniform(n)).expect("a formula");
            let u = formula.diffuse(PI, 400, force).expect("a solution");
            let gap = |(i, v): (usize, &f64)| (v - (PI * i as f64 / 400.0).sin()).abs();
            let e = u[n].iter().enumerate().map(gap).fold(0.0, f64::max);
            println!("diffusion, {alpha}, {n}: {e:.6e} for {expected:.6e}");
            assert!(
                (e / expected - 1.0).abs() < 1e-5,
                "{alpha} {n}: {e:e} {expected:e}"
            );
        }
    }
}

#[test]
fn relaxation_on_equal_and_graded_steps() {
    // E_{1/2}(−√t) = e^t·erfc(√t).
    let exact = std::f64::consts::E * libm::erfc(1.0);
    assert!((exact - 0.427583576156).abs() < 1e-12);
    let error = |n: usize, r: f64| {
        let formula = L1::new(0.5, graded(1.0, n, r).expect("a mesh")).expect("a formula");
        let u = formula.relax(1.0, 1.0, |_| 0.0).expect("a solution");
        u[n] - exact
    };
    let table = [
        (1.0, [3.765318e-3, 8.947285e-4, 2.184271e-4], 1.0),
        (3.0, [1.832955e-3, 2.294813e-4, 2.883421e-5], 1.5),
    ];
    for (r, errors, order) in table {
        for (n, expected) in [20, 80, 320].into_iter().zip(errors) {
            let e = error(n, r);
            println!("relaxation, grading {r}, {n}: {e:.6e} for {expected:.6e}");
            assert!(
                (e.abs() / expected - 1.0).abs() < 3e-6,
                "{r} {n}: {e:e} {expected:e}"
            );
        }
        let rate = 0.5 * (error(80, r) / error(320, r)).log2();
        assert!((rate - order).abs() < 0.05, "{rate}");
    }
}

#[test]
fn straight_lines_are_exact_and_the_limit_is_euler() {
    let mesh = graded(2.0, 17, 2.5).expect("a mesh");
    let values: Vec<f64> = mesh.iter().map(|t| 3.0 - 2.0 * t).collect();
    let formula = L1::new(0.7, mesh.clone()).expect("a formula");
    let d = formula.derivative(&values).expect("values");
    for (t, d) in mesh.iter().zip(&d).skip(1) {
        // D^α t = t^{1−α}/Γ(2 − α).
        let exact = -2.0 * t.powf(0.3) / libm::tgamma(1.3);
        assert!((d - exact).abs() < 1e-12);
    }
    let formula = L1::new(1.0 - 1e-9, uniform(10)).expect("a formula");
    assert!((formula.weight(7, 6) - 10.0).abs() < 1e-6);
    assert!((0..6).all(|j| formula.weight(7, j).abs() < 1e-6));
    // The wave's range: L1 of order α − 1 on u' = 3t².
    let alpha = 1.5;
    let mesh = uniform(640);
    let slopes: Vec<f64> = mesh.iter().map(|t| 3.0 * t * t).collect();
    let d = L1::new(alpha - 1.0, mesh)
        .expect("a formula")
        .derivative(&slopes);
    let exact = 6.0 / libm::tgamma(4.0 - alpha);
    assert!((d.expect("values")[640] - exact).abs() < 3e-4);
}

#[test]
fn the_fast_history_is_the_full_one() {
    for (alpha, r) in [(0.1, 1.0), (0.5, 1.0), (0.5, 3.0), (0.9, 1.2)] {
        let mesh = graded(3.0, 300, r).expect("a mesh");
        let f = |t: f64| t.sqrt() + (5.0 * t).sin();
        let values: Vec<f64> = mesh.iter().map(|t| f(*t)).collect();
        let full = L1::new(alpha, mesh.clone())
            .expect("a formula")
            .derivative(&values);
        let full = full.expect("values");
        let mut fast = History::new(alpha, mesh[1], 3.0, values[0]).expect("a history");
        for n in 1..mesh.len() {
            let d = fast.push(mesh[n], values[n]).expect("a value");
            assert!(
                (d - full[n]).abs() < 1e-9 * (1.0 + full[n].abs()),
                "{alpha} {r} {n}: {d} {}",
                full[n]
            );
        }
        assert!(fast.len() < 260, "{}", fast.len());
        assert!(fast.push(3.1, 0.0).is_err());
    }
    let mut history = History::new(0.5, 0.1, 1.0, 0.0).expect("a history");
    assert!(history.push(0.05, 1.0).is_err());
    assert!(history.push(0.1, f64::NAN).is_err());
    assert!(history.push(0.1, 1.0).is_ok());
}

#[test]
fn bad_input_is_refused() {
    for alpha in [0.0, 1.0, 1.5, 2.0, -0.5, f64::NAN] {
        assert!(matches!(
            L1::new(alpha, uniform(4)),
            Err(PhysicsError::Parameter { .. })
        ));
        assert!(History::new(alpha, 0.1, 1.0, 0.0).is_err());
    }
    for times in [
        vec![],
        vec![0.0],
        vec![0.0, 1.0, 1.0],
        vec![0.5, 1.0],
        vec![0.0, f64::NAN],
    ] {
        assert!(L1::new(0.5, times).is_err());
    }
    let formula = L1::new(0.5, uniform(4)).expect("a formula");
    assert!(formula.derivative(&[1.0; 3]).is_err());
    assert!(formula.derivative(&[f64::NAN; 5]).is_err());
    assert!(formula.relax(-1.0, 1.0, |_| 0.0).is_err());
    assert!(formula.diffuse(1.0, 1, |_, _| 0.0).is_err());
    assert!(formula.diffuse(1.0, 4, |_, _| f64::NAN).is_err());
    for (end, steps, r) in [
        (0.0, 4, 1.0),
        (1.0, 0, 1.0),
        (1.0, 4, 0.5),
        (1.0, 4, f64::NAN),
    ] {
        assert!(graded(end, steps, r).is_err());
    }
}
