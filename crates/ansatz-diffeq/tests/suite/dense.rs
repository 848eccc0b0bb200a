//! Dense output: orders between the steps, smoothness at them, outputs at given times.

use ansatz_diffeq::{
    Control, Dense, Options, RungeKutta, StepError, keep, solve, solve_at, solve_dense, tableau,
};
use ansatz_testkit::measure;

use crate::problems::{LOTKA_VOLTERRA, lotka_volterra, smooth};

/// Largest distance from a much more exact solution, inside the steps.
fn error_inside(kept: &Dense<Vec<f64>>, exact: &Dense<Vec<f64>>) -> f64 {
    let (mut x, mut y) = (exact.states()[0].clone(), exact.states()[0].clone());
    let mut worst = 0.0_f64;
    for pair in kept.times().windows(2) {
        for part in [0.13, 0.4, 0.77] {
            let t = pair[0] + part * (pair[1] - pair[0]);
            kept.at(t, &mut x).unwrap();
            exact.at(t, &mut y).unwrap();
            worst = worst.max(measure::max_abs_diff(&x, &y));
        }
    }
    worst
}

/// The error inside the steps falls with the declared order plus one (the local one), or with that
/// of the method if it is lower.
#[test]
fn orders_between_the_steps() {
    for t in tableau::ALL {
        for p in smooth() {
            let exact = {
                let options = Options::fixed(&tableau::DOP853, 4000);
                solve_dense(&p.field, p.times, &p.start, &options).unwrap()
            };
            let n = match t.order {
                1 | 2 => 400,
                3 | 4 => 160,
                5 => 320,
                _ => 24,
            };
            let [coarse, fine] = [n, 2 * n].map(|n| {
                let kept = solve_dense(&p.field, p.times, &p.start, &Options::fixed(t, n)).unwrap();
                assert_eq!(kept.times().len(), n + 1);
                error_inside(&kept, &exact)
            });
            let slope = (coarse / fine).log2();
            let order = t.order.min(t.dense_order() + 1);
            let margin = if order > 5 { 0.6 } else { 0.3 };
            let least = f64::from(order) - margin;
            assert!(
                slope > least,
                "{} on {}: slope {slope}, {coarse:e} {fine:e}",
                t.name,
                p.name
            );
        }
    }
}

/// Published polynomials: Tsitouras's weights b(θ) and those of DOPRI5, on a field whose stages are
/// known, are what `at` computes; both end at the state after the step.
#[test]
fn weights_are_the_published_ones() {
    // With f(t) = t^k the slopes are c^k, and y(θ) = Σ b(θ) c^k is θ^{k+1}/(k+1) up to order 4.
    for (t, order) in [
        (&tableau::TSITOURAS, 4),
        (&tableau::DORMAND_PRINCE, 4),
        (&tableau::DOP853, 7),
        (&tableau::RK4, 3),
    ] {
        for k in 0..order {
            let power = |t: f64, _: &[f64; 1], dx: &mut [f64; 1]| {
                dx[0] = t.powi(k);
                Ok(())
            };
            let one = solve_dense(&power, (0.0, 1.0), &[0.0], &Options::fixed(t, 1)).unwrap();
            for theta in [0.0, 0.2, 0.5, 0.9, 1.0] {
                let mut x = [f64::NAN];
                one.at(theta, &mut x).unwrap();
                let exact = f64::powi(theta, k + 1) / f64::from(k + 1);
                // The weights of DOP853 are up to 800, and have 16 digits.
                assert!((x[0] - exact).abs() < 2e-12, "{} {k} {theta}", t.name);
            }
        }
    }
}

#[test]
fn outputs_at_times() {
    let times = [0.0, 0.5, 5.0, 5.25, 10.0];
    for back in [false, true] {
        let (times, start) = if back {
            let mut back = times;
            back.reverse();
            (back, LOTKA_VOLTERRA[1].to_vec())
        } else {
            (times, vec![1.0, 1.0])
        };
        let mut out = vec![vec![0.0; 2]; 5];
        let options = Options::tolerance(1e-11, 1e-11);
        let report = solve_at(&lotka_volterra, &times, &start, &options, &mut out).unwrap();
        assert_eq!(out[0], start);
        assert!(measure::max_abs_diff(&out[2], &LOTKA_VOLTERRA[0]) < 1e-7);
        // As many steps as without outputs.
        let mut x = start.clone();
        let ends = (times[0], times[4]);
        let plain = solve(&lotka_volterra, ends, &mut x, &options, &mut ()).unwrap();
        assert_eq!(
            (report.steps, report.rejected),
            (plain.steps, plain.rejected)
        );
        assert_eq!(out[4], x);
        // Equal steps end at the times.
        let mut fixed = vec![vec![0.0; 2]; 5];
        let options = Options::fixed(&tableau::DORMAND_PRINCE, 300);
        let report = solve_at(&lotka_volterra, &times, &start, &options, &mut fixed).unwrap();
        assert_eq!(report.steps, 4 * 300);
        for (a, b) in out.iter().zip(&fixed) {
            assert!(measure::max_abs_diff(a, b) < 1e-7);
        }
    }
}

#[test]
fn bad_times_and_outputs() {
    let run = |times: &[f64], outputs: usize, width: usize| {
        let mut out = vec![vec![0.0; width]; outputs];
        let start = vec![1.0, 1.0];
        solve_at(
            &lotka_volterra,
            times,
            &start,
            &Options::default(),
            &mut out,
        )
    };
    assert!(matches!(
        run(&[0.0, 2.0, 1.0, 3.0], 4, 2).unwrap_err(),
        StepError::Times { index: 2, value, before } if value == 1.0 && before == 2.0
    ));
    assert!(matches!(
        run(&[0.0, 1.0, 1.0], 3, 2).unwrap_err(),
        StepError::Times { index: 2, .. }
    ));
    assert!(matches!(
        run(&[0.0, f64::NAN, 1.0], 3, 2).unwrap_err(),
        StepError::Times { index: 1, .. }
    ));
    assert!(matches!(
        run(&[0.0, 1.0], 3, 2).unwrap_err(),
        StepError::Count {
            expected: 2,
            got: 3,
            ..
        }
    ));
    assert!(matches!(
        run(&[0.0, 1.0], 2, 1).unwrap_err(),
        StepError::Count {
            expected: 2,
            got: 1,
            ..
        }
    ));
    assert_eq!(run(&[], 0, 0).unwrap().nfe, 0);
    assert_eq!(run(&[3.0], 1, 2).unwrap().nfe, 0);
    // An interval of length zero gives the state at its start.
    let mut out = vec![vec![0.0; 2]; 2];
    let start = vec![1.0, 2.0];
    let options = Options::default();
    solve_at(&lotka_volterra, &[1.0, 1.0], &start, &options, &mut out).unwrap();
    assert_eq!(out, [start.clone(), start]);
}

#[test]
fn a_kept_solution_knows_its_interval() {
    let kept = solve_dense(
        &lotka_volterra,
        (2.0, 1.0),
        &vec![1.0, 1.0],
        &Options::default(),
    );
    let kept = kept.unwrap();
    let mut x = vec![0.0; 2];
    for t in [0.999, 2.001, f64::NAN] {
        let error = kept.at(t, &mut x).unwrap_err();
        assert!(
            matches!(error, StepError::Option { name: "t", .. }),
            "{error}"
        );
    }
    for (t, state) in kept.times().iter().zip(kept.states()) {
        kept.at(*t, &mut x).unwrap();
        assert!(measure::max_abs_diff(&x, state) < 1e-15);
    }
}

/// The steps end where the problem jumps, and the error stays that of a smooth problem.
#[test]
fn jumps() {
    let pushed = |t: f64, _: &[f64; 1], dx: &mut [f64; 1]| {
        dx[0] = if t < 0.3 { 1.0 } else { -2.0 };
        Ok(())
    };
    let start = [0.0];
    let mut method = RungeKutta::new(&tableau::TSITOURAS, &pushed, &start);
    let kept = keep(&mut method, &[0.0, 0.3, 1.0], &start, &Control::default()).unwrap();
    // The stage at the end of the first leg still sees the field after the jump; that it is met
    // exactly is what keeps the rest exact.
    assert!(kept.times().contains(&0.3));
    let n = kept.times().len();
    let (states, times) = (&kept.states()[n - 2..], &kept.times()[n - 2..]);
    let last = (states[1][0] - states[0][0]) / (times[1] - times[0]);
    assert!((last + 2.0).abs() < 1e-12);
}
