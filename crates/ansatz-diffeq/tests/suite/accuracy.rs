//! Published and computed numbers: fixed steps, controlled steps, tolerances, directions, threads.

use ansatz_core::{Event, Report};
use ansatz_diffeq::{Adaptive, Gains, Options, StepSize, Tableau, solve, tableau};
use ansatz_testkit::{laws, measure};
use std::ops::ControlFlow;

use crate::problems::{ARENSTORF, Field, LOTKA_VOLTERRA, arenstorf, lotka_volterra, smooth};

fn adaptive(tableau: &'static Tableau, tol: f64) -> Options {
    Options {
        tableau,
        ..Options::tolerance(tol, tol)
    }
}

fn run(field: Field, start: &[f64], end: f64, options: &Options) -> (Vec<f64>, Report) {
    let mut x = start.to_vec();
    let report = solve(&field, (0.0, end), &mut x, options, &mut ()).unwrap();
    (x, report)
}

/// Largest errors on Lotka-Volterra at t = 5 with 50, 100 and 200 steps, against diffrax 0.7.2, 1 %.
#[test]
fn fixed_steps_agree_with_another_program() {
    let rows: [(&Tableau, [f64; 3]); 7] = [
        (&tableau::EULER, [5.14, 2.07, 0.665]),
        (&tableau::HEUN2, [3.159e-2, 7.944e-3, 1.970e-3]),
        (&tableau::MIDPOINT, [3.913e-2, 1.014e-2, 2.580e-3]),
        (&tableau::RALSTON2, [3.670e-2, 9.411e-3, 2.377e-3]),
        (&tableau::BOGACKI_SHAMPINE, [1.093e-3, 1.770e-4, 2.407e-5]),
        (&tableau::TSITOURAS, [8.29e-6, 1.204e-7, 1.46e-9]),
        (&tableau::DORMAND_PRINCE, [1.176e-5, 1.417e-7, 1.00e-9]),
    ];
    for (t, expected) in rows {
        for (n, e) in [50, 100, 200].into_iter().zip(expected) {
            let fixed = Options::fixed(Box::leak(Box::new(*t)), n);
            let (x, _) = run(lotka_volterra, &[1.0, 1.0], 5.0, &fixed);
            let got = measure::max_abs_diff(&x, &LOTKA_VOLTERRA[0]);
            assert!((got / e - 1.0).abs() < 0.01, "{} {n}: {got:e}", t.name);
        }
    }
}

/// Steps (±3) and errors (factor 1.5) of the I controller, against diffrax 0.7.2.
#[test]
fn controlled_steps_agree_with_another_program() {
    let (orbit, period) = (&ARENSTORF.0[..], ARENSTORF.1);
    let pairs = &LOTKA_VOLTERRA[1][..];
    let one = &[1.0, 1.0][..];
    let rows: [(
        Field,
        &[f64],
        f64,
        &[f64],
        &'static Tableau,
        f64,
        [usize; 2],
        f64,
    ); 12] = [
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::TSITOURAS,
            1e-3,
            [37, 27],
            1.34e-2,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::TSITOURAS,
            1e-5,
            [67, 54],
            9.92e-5,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::TSITOURAS,
            1e-9,
            [338, 308],
            2.75e-9,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::DORMAND_PRINCE,
            1e-5,
            [64, 51],
            4.64e-4,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::DORMAND_PRINCE,
            1e-9,
            [321, 282],
            7.51e-9,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::BOGACKI_SHAMPINE,
            1e-5,
            [324, 282],
            3.04e-4,
        ),
        (
            arenstorf,
            orbit,
            period,
            orbit,
            &tableau::TSITOURAS,
            1e-7,
            [272, 211],
            1.29e-3,
        ),
        (
            arenstorf,
            orbit,
            period,
            orbit,
            &tableau::TSITOURAS,
            1e-11,
            [1358, 1271],
            7.4e-9,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::PRINCE_DORMAND,
            1e-5,
            [41, 29],
            1.54e-5,
        ),
        (
            lotka_volterra,
            one,
            10.0,
            pairs,
            &tableau::PRINCE_DORMAND,
            1e-9,
            [97, 79],
            2.59e-9,
        ),
        (
            arenstorf,
            orbit,
            period,
            orbit,
            &tableau::PRINCE_DORMAND,
            1e-7,
            [123, 87],
            1.5e-4,
        ),
        (
            arenstorf,
            orbit,
            period,
            orbit,
            &tableau::PRINCE_DORMAND,
            1e-11,
            [317, 248],
            3.1e-8,
        ),
    ];
    for (field, start, end, exact, t, tol, [steps, accepted], error) in rows {
        let (x, report) = run(field, start, end, &adaptive(t, tol));
        let got = measure::max_abs_diff(&x, exact);
        let what = format!("{} at {tol:e}: {report:?}, error {got:e}", t.name);
        assert!(report.steps.abs_diff(accepted) <= 3, "{what}");
        let all = report.steps + report.rejected;
        assert!(all.abs_diff(steps) <= 3, "{what}");
        // Some 30 steps are too few for two programs to agree so well.
        let factor = if tol > 1e-4 { 2.0 } else { 1.5 };
        assert!(got < factor * error && got > error / factor, "{what}");
    }
}

/// The error follows the tolerance (times up to 10⁴, by which one problem amplifies): a thousandth of it gives between 1/100 and 1/10 000 of the error.
#[test]
fn errors_are_proportional_to_the_tolerance() {
    for t in tableau::ALL
        .into_iter()
        .filter(|t| (3..8).contains(&t.order) && !t.error.is_empty())
    {
        for gains in [Gains::I, Gains::PI] {
            for p in smooth() {
                let error = |tol: f64| {
                    let step = StepSize::Adaptive(Adaptive {
                        gains,
                        ..Adaptive::new(tol, tol)
                    });
                    let options = Options {
                        step,
                        ..adaptive(t, tol)
                    };
                    let (x, _) = run(p.field, &p.start, p.times.1, &options);
                    measure::max_abs_diff(&x, &p.exact)
                };
                let (loose, tight) = (error(1e-6), error(1e-9));
                let ratio = loose / tight;
                assert!(
                    (1e2..1e4).contains(&ratio) && tight < 1e-5,
                    "{} on {}: {loose:e}, {tight:e}",
                    t.name,
                    p.name
                );
            }
        }
    }
}

/// Evaluations of a controlled solve: one and two to start, then the stages of every attempt.
#[test]
fn evaluation_counts() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    for t in tableau::ALL.into_iter().filter(|t| !t.error.is_empty()) {
        let calls = AtomicUsize::new(0);
        let field = |time: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
            calls.fetch_add(1, Ordering::Relaxed);
            lotka_volterra(time, x, dx)
        };
        let mut x = vec![1.0, 1.0];
        let report = solve(&field, (0.0, 10.0), &mut x, &adaptive(t, 1e-3), &mut ()).unwrap();
        assert_eq!(calls.into_inner(), report.nfe, "{}", t.name);
        assert!(report.rejected > 0, "{}", t.name);
        let attempts = report.steps + report.rejected;
        // The first slope is shared by all attempts at a step, and kept from the step before if the
        // table allows. One more evaluation sizes the first step.
        let firsts = if t.reuses_last() { 1 } else { report.steps };
        let expected = attempts * (t.stages() - 1) + firsts + 1;
        assert_eq!(report.nfe, expected, "{}", t.name);
    }
}

/// Forth and back is the identity to the tolerance, and the observer sees the way.
#[test]
fn time_runs_backwards() {
    for p in smooth() {
        let mut x = p.exact.clone();
        let mut seen = Vec::new();
        let mut observer = |e: &Event<'_, Vec<f64>>| {
            seen.push(e.level.t);
            ControlFlow::Continue(())
        };
        let (a, b) = p.times;
        let options = adaptive(&tableau::TSITOURAS, 1e-10);
        let report = solve(&p.field, (b, a), &mut x, &options, &mut observer).unwrap();
        assert!(measure::max_abs_diff(&x, &p.start) < 1e-8, "{}", p.name);
        assert_eq!((seen.len(), seen.last()), (report.steps, Some(&a)));
        assert!(seen.windows(2).all(|w| w[0] > w[1]));
    }
}

/// An observer that breaks after three steps gets the state of the third.
#[test]
fn early_stop() {
    for options in [
        Options::fixed(&tableau::RK4, 10),
        adaptive(&tableau::DORMAND_PRINCE, 1e-6),
    ] {
        let mut third = None;
        let mut observer = |e: &Event<'_, Vec<f64>>| {
            if e.step == 3 {
                third = Some((e.level.t, e.state.clone()));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let mut x = vec![1.0, 1.0];
        let report = solve(
            &lotka_volterra,
            (0.0, 10.0),
            &mut x,
            &options,
            &mut observer,
        )
        .unwrap();
        assert!(report.stopped_early && report.steps == 3);
        let (t, state) = third.unwrap();
        assert!(t > 0.0 && t < 10.0);
        assert_eq!(x, state);
    }
}

/// f32 follows f64, and the number of threads changes no bit.
#[test]
fn precision_and_threads() {
    let start: Vec<f64> = (0..100_003).map(|i| 0.2 + 1e-5 * f64::from(i)).collect();
    let logistic: Field = |_, x, dx| {
        for (d, x) in dx.iter_mut().zip(x) {
            *d = x * (1.0 - x);
        }
        Ok(())
    };
    let options = adaptive(&tableau::TSITOURAS, 1e-5);
    laws::same_for_threads(|| run(logistic, &start, 2.0, &options).0);
    let (x, _) = run(logistic, &start, 2.0, &options);
    let single = |_: f64, x: &Vec<f32>, dx: &mut Vec<f32>| {
        for (d, x) in dx.iter_mut().zip(x) {
            *d = x * (1.0 - x);
        }
        Ok(())
    };
    let mut y: Vec<f32> = start.iter().map(|v| *v as f32).collect();
    solve(&single, (0.0, 2.0), &mut y, &options, &mut ()).unwrap();
    let y: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
    // Both are within the tolerance of the truth, and f32 rounds some ten steps.
    assert!(measure::max_abs_diff(&x, &y) < 1e-4);
}
