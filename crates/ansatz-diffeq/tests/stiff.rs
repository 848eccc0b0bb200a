//! The bridge to diffsol against independent references.
#![cfg(feature = "diffsol")]
use std::ops::ControlFlow;

use ansatz_diffeq::core::{EvalError, Event, JvpField, LinearMap, VectorField};
use ansatz_diffeq::stiff::{self, Differences, Equation, Linear, Method, Options};
use ansatz_diffeq::{StepError, solve};
use ansatz_testkit::measure::max_abs_diff;
use ansatz_testkit::ode::{BrusselatorGrid, HeatGrid, LotkaVolterra, Robertson, VanDerPol};

const METHODS: [Method; 3] = [Method::Bdf, Method::TrBdf2, Method::Esdirk34];

/// BDF with rtol 1e-6 and atol 1e-10 is within 1e-4 relative of the states at t = 0.4, 40 and 4·10⁵,
/// with the exact Jacobian and with differences, in dense and sparse matrices.
#[test]
fn robertson_is_solved_to_1e_4() {
    let problem = Robertson::problem();
    let differences = Differences(|t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| problem.eval(t, x, dx));
    let states = Robertson::states();
    let times: Vec<f64> = std::iter::once(0.0)
        .chain(states.iter().map(|s| s.0))
        .collect();
    for linear in [Linear::Dense, Linear::Sparse] {
        for equation in [Equation::from(&problem), Equation::from(&differences)] {
            let options = Options {
                linear,
                ..Options::tolerance(1e-10, 1e-6)
            };
            let mut out = vec![vec![0.0; 3]; 4];
            let report = stiff::solve_at(equation, &times, &problem.start, &options, &mut out);
            assert!(report.unwrap().steps < 1000);
            for (got, (t, exact)) in out[1..].iter().zip(&states) {
                for (g, e) in got.iter().zip(exact) {
                    assert!((g / e - 1.0).abs() < 1e-4, "t = {t}: {got:?} {exact:?}");
                }
            }
        }
    }
}

/// The one-step methods too, and all follow their tolerance: a ten-thousandth of it gives less than a tenth of the error.
#[test]
fn errors_follow_the_tolerance() {
    let (robertson, oscillator) = (
        Robertson::problem().boxed(),
        VanDerPol::stiff_problem().boxed(),
    );
    for problem in [robertson, oscillator] {
        for method in METHODS {
            let error = |tol: f64| {
                let options = Options {
                    method,
                    ..Options::tolerance(1e-4 * tol, tol)
                };
                let mut x = problem.start.clone();
                stiff::solve(&problem, problem.times, &mut x, &options, &mut ()).unwrap();
                let scaled = x.iter().zip(&problem.end).map(|(x, e)| (x / e - 1.0).abs());
                scaled.fold(0.0, f64::max)
            };
            let (loose, tight) = (error(1e-4), error(1e-8));
            assert!(
                tight < 1e-4 && tight < 0.1 * loose,
                "{} by {method:?}: {loose:e} {tight:e}",
                problem.name
            );
        }
    }
}

/// Grids of hundreds of unknowns with sparse matrices: heat in closed form, the Brusselator's reference.
#[test]
fn grids_with_sparse_matrices() {
    let grid = HeatGrid {
        side: 20,
        diffusivity: 1.0,
    };
    let heat = grid.from_modes(0.05).boxed();
    for (problem, allowed) in [(heat, 1e-5), (BrusselatorGrid::problem().boxed(), 1e-3)] {
        let options = Options {
            linear: Linear::Sparse,
            ..Options::tolerance(1e-8, 1e-8)
        };
        let mut x = problem.start.clone();
        let report = stiff::solve(&problem, problem.times, &mut x, &options, &mut ()).unwrap();
        let error = problem.distance(&x);
        assert!(error < allowed, "{}: {error:e} {report:?}", problem.name);
    }
}

/// Robertson's third equation replaced by the conservation of mass: M = diag(1, 1, 0). The start breaks
/// the constraint, and is corrected.
struct Conserved;

impl VectorField<Vec<f64>> for Conserved {
    fn eval(&self, t: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        Robertson::problem().eval(t, x, dx)?;
        dx[2] = x[0] + x[1] + x[2] - 1.0;
        Ok(())
    }
}

impl JvpField<Vec<f64>> for Conserved {
    fn jvp(&self, t: f64, x: &Vec<f64>, v: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), EvalError> {
        Robertson::problem().jvp(t, x, v, out)?;
        out[2] = v[0] + v[1] + v[2];
        Ok(())
    }
}

#[test]
fn constraints_of_index_1() {
    let mass = |x: &Vec<f64>, y: &mut Vec<f64>| {
        y.clone_from(x);
        y[2] = 0.0;
        Ok(())
    };
    let equation = Equation {
        field: &Conserved,
        mass: Some(&mass as &dyn LinearMap<Vec<f64>>),
    };
    let exact = &Robertson::states()[1].1;
    for method in METHODS {
        for linear in [Linear::Dense, Linear::Sparse] {
            let options = Options {
                method,
                linear,
                ..Options::tolerance(1e-10, 1e-6)
            };
            let mut out = vec![vec![0.0; 3]; 2];
            stiff::solve_at(equation, &[0.0, 40.0], &[1.0, 0.0, 0.3], &options, &mut out).unwrap();
            assert!(out[0][2].abs() < 1e-8, "{:?}", out[0]);
            for (g, e) in out[1].iter().zip(exact) {
                assert!((g / e - 1.0).abs() < 1e-3, "{method:?}: {:?}", out[1]);
            }
        }
    }
}

/// Back and forth, against the explicit engine; outputs inside steps; an observer that stops.
#[test]
fn directions_outputs_and_observers() {
    let p = LotkaVolterra::problem();
    for method in METHODS {
        let options = Options {
            method,
            ..Options::tolerance(1e-9, 1e-9)
        };
        let mut x = p.end.clone();
        stiff::solve(&p, (10.0, 8.0), &mut x, &options, &mut ()).unwrap();
        let mut y = p.end.clone();
        let tight = ansatz_diffeq::Options::tolerance(1e-12, 1e-12);
        solve(&p, (10.0, 8.0), &mut y, &tight, &mut ()).unwrap();
        assert!(max_abs_diff(&x, &y) < 1e-5, "{method:?}: {x:?} {y:?}");

        let times: Vec<f64> = (0..=20).map(|i| 0.5 * f64::from(i)).collect();
        let (mut implicit, mut explicit) = (vec![vec![0.0; 2]; 21], vec![vec![0.0; 2]; 21]);
        stiff::solve_at(&p, &times, &p.start, &options, &mut implicit).unwrap();
        ansatz_diffeq::solve_at(&p, &times, &p.start, &tight, &mut explicit).unwrap();
        for (a, b) in implicit.iter().zip(&explicit) {
            assert!(max_abs_diff(a, b) < 1e-4, "{method:?}: {a:?} {b:?}");
        }

        let mut seen = Vec::new();
        let mut observer = |e: &Event<'_, Vec<f64>>| {
            seen.push((e.level.t, e.state.clone()));
            if e.step == 5 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let mut x = p.start.clone();
        let report = stiff::solve(&p, p.times, &mut x, &options, &mut observer).unwrap();
        assert!(report.stopped_early && report.steps == 5 && report.nfe > 5);
        assert!(seen.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(Some(&x), seen.last().map(|s| &s.1));
    }
}

/// Every failure is typed, and the state stays.
#[test]
fn bad_input_is_refused() {
    let decay = Differences(|_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
        dx[0] = -x[0];
        Ok(())
    });
    let run = |equation: Equation<'_>, times, options: &Options| {
        let mut x = vec![1.0];
        let result = stiff::solve(equation, times, &mut x, options, &mut ());
        if result.is_err() {
            assert_eq!(x, [1.0]);
        }
        result.map(|r| (r, x[0]))
    };
    let good = Options::default();
    let equation = Equation::from(&decay);
    for bad in [
        Options::tolerance(0.0, 1e-6),
        Options::tolerance(1e-6, f64::NAN),
        Options {
            first: Some(0.0),
            ..good
        },
    ] {
        let error = run(equation, (0.0, 1.0), &bad).unwrap_err();
        assert!(matches!(error, StepError::Option { .. }), "{error}");
    }
    let few = Options {
        max_steps: 3,
        ..good
    };
    let error = run(equation, (0.0, 1.0), &few).unwrap_err();
    assert!(
        matches!(error, StepError::TooManySteps { max_steps: 3, .. }),
        "{error}"
    );
    let error = run(equation, (0.0, f64::INFINITY), &good).unwrap_err();
    assert!(matches!(error, StepError::Option { .. }), "{error}");
    let (report, x) = run(equation, (1.0, 1.0), &good).unwrap();
    assert!(report.nfe == 0 && (x - 1.0).abs() < 1e-15);

    let failing = Differences(|t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
        dx[0] = -x[0];
        if t > 0.5 {
            return Err(EvalError::NonFinite { what: "the pump" });
        }
        Ok(())
    });
    let nan = Differences(|t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
        dx[0] = -x[0] * (0.5 - t).sqrt();
        Ok(())
    });
    let blow_up = Differences(|_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
        dx[0] = x[0] * x[0];
        Ok(())
    });
    let wrong = Differences(|_: f64, _: &Vec<f64>, dx: &mut Vec<f64>| {
        dx.push(0.0);
        Ok(())
    });
    for method in METHODS {
        let options = Options { method, ..good };
        let error = run(Equation::from(&failing), (0.0, 1.0), &options).unwrap_err();
        assert!(
            matches!(error, StepError::Eval { t, .. } if t > 0.5),
            "{error}"
        );
        let error = run(Equation::from(&nan), (0.0, 1.0), &options).unwrap_err();
        assert!(
            matches!(error, StepError::NonFinite { t, .. } if t > 0.5),
            "{error}"
        );
        let error = run(Equation::from(&nan), (0.6, 1.0), &options).unwrap_err();
        assert!(matches!(error, StepError::NonFinite { .. }), "{error}");
        let error = run(Equation::from(&blow_up), (0.0, 2.0), &options).unwrap_err();
        let typed = matches!(
            error,
            StepError::Newton { .. } | StepError::NonFinite { .. } | StepError::TooManySteps { .. }
        );
        assert!(typed, "{error}");
        let error = run(Equation::from(&wrong), (0.0, 1.0), &options).unwrap_err();
        assert!(matches!(error, StepError::Eval { .. }), "{error}");
    }
    let times = [0.0, 1.0, 0.5];
    let mut out = vec![vec![0.0]; 3];
    let error = stiff::solve_at(equation, &times, &[1.0], &good, &mut out).unwrap_err();
    assert!(matches!(error, StepError::Times { .. }), "{error}");
    let error = stiff::solve_at(equation, &times, &[1.0], &good, &mut out[..2]).unwrap_err();
    assert!(matches!(error, StepError::Count { .. }), "{error}");

    // 0 = x² + 1 has no solution.
    let nowhere = Differences(|_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
        dx[0] = x[0] * x[0] + 1.0;
        Ok(())
    });
    let zero = |_: &Vec<f64>, y: &mut Vec<f64>| {
        y.fill(0.0);
        Ok(())
    };
    let impossible = Equation {
        field: &nowhere,
        mass: Some(&zero),
    };
    let error = run(impossible, (0.0, 1.0), &good).unwrap_err();
    assert!(
        matches!(
            error,
            StepError::Inconsistent { .. } | StepError::Newton { .. }
        ),
        "{error}"
    );
}
