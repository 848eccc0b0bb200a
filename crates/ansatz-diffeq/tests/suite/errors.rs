//! Bad input and broken fields: typed errors with numbers, and a state that stays as it was.

use ansatz_core::{EvalError, Report, Tolerance};
use ansatz_diffeq::{Adaptive, Options, StepError, StepSize, Tableau, solve, tableau};

type Made = Result<(), EvalError>;

fn attempt(
    field: impl Fn(f64, &Vec<f64>, &mut Vec<f64>) -> Made + Sync,
    times: (f64, f64),
    options: &Options,
) -> Result<Report, StepError> {
    let start = vec![1.0, -2.0];
    let mut x = start.clone();
    let result = solve(&field, times, &mut x, options, &mut ());
    if result.is_err() {
        assert_eq!(x, start, "an error must leave the state");
    }
    result
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
fn decay(_: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Made {
    for (d, x) in dx.iter_mut().zip(x) {
        *d = -x;
    }
    Ok(())
}

#[test]
fn nothing_to_do_is_no_error() {
    let broken = |_: f64, _: &Vec<f64>, _: &mut Vec<f64>| -> Made {
        Err(EvalError::NonFinite { what: "anything" })
    };
    let report = attempt(broken, (0.7, 0.7), &Options::default()).unwrap();
    assert_eq!(report, Report::default());
}

#[test]
fn a_field_that_gives_nan_is_named_with_its_time() {
    let broken = |t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| -> Made {
        decay(t, x, dx)?;
        if t > 0.5 {
            dx[1] = f64::NAN;
        }
        Ok(())
    };
    for options in [
        Options::fixed(&tableau::RK4, 10),
        Options::fixed(&tableau::TSITOURAS, 10),
        Options::default(),
    ] {
        let error = attempt(broken, (0.0, 1.0), &options).unwrap_err();
        assert!(
            matches!(error, StepError::NonFinite { what: "the field", t } if t > 0.5 && t < 0.65),
            "{error}"
        );
    }
    // At once: no shorter step can help.
    let error = attempt(broken, (0.6, 1.0), &Options::default()).unwrap_err();
    assert!(matches!(error, StepError::NonFinite { what: "the field", t } if t == 0.6));
}

#[test]
fn a_field_that_fails_is_the_source() {
    let failing = |t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| -> Made {
        decay(t, x, dx)?;
        if t > 0.5 {
            return Err(EvalError::model(std::fmt::Error));
        }
        Ok(())
    };
    let growing = |_: f64, _: &Vec<f64>, dx: &mut Vec<f64>| -> Made {
        dx.push(0.0);
        Ok(())
    };
    for options in [Options::fixed(&tableau::HEUN2, 4), Options::default()] {
        let error = attempt(failing, (0.0, 1.0), &options).unwrap_err();
        assert!(matches!(error, StepError::Eval { t, source: EvalError::Model(_) } if t > 0.5));
        let error = attempt(growing, (0.0, 1.0), &options).unwrap_err();
        let right = matches!(
            error,
            StepError::Eval {
                source: EvalError::Length {
                    expected: 2,
                    got: 3,
                    ..
                },
                ..
            }
        );
        assert!(right, "{error}");
    }
}

/// x' = x² from 1 is infinite at t = 1.
#[test]
fn a_singular_solution_ends_the_solve() {
    let square = |_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| -> Made {
        dx[0] = x[0] * x[0];
        dx[1] = 0.0;
        Ok(())
    };
    let error = attempt(square, (0.0, 2.0), &Options::tolerance(1e-8, 1e-8)).unwrap_err();
    let t = match error {
        StepError::StepTooSmall { t, h, .. } if h < 1e-13 => t,
        StepError::NonFinite { t, .. } => t,
        other => panic!("{other}"),
    };
    assert!((t - 1.0).abs() < 1e-6, "{t}");
    let error = attempt(square, (0.0, 2.0), &Options::fixed(&tableau::EULER, 40)).unwrap_err();
    assert!(matches!(error, StepError::NonFinite { .. }), "{error}");
}

#[test]
fn the_budget_is_reported() {
    let options = Options {
        max_steps: 5,
        ..Options::tolerance(1e-12, 1e-12)
    };
    let error = attempt(decay, (0.0, 9.0), &options).unwrap_err();
    assert!(
        matches!(error, StepError::TooManySteps { max_steps: 5, t, end } if t < 9.0 && end == 9.0)
    );
}

#[test]
fn options_are_checked() {
    let with = |change: fn(&mut Adaptive)| {
        let mut settings = Adaptive::default();
        change(&mut settings);
        Options {
            step: StepSize::Adaptive(settings),
            ..Options::default()
        }
    };
    let cases: [(&str, Options); 11] = [
        ("steps", Options::fixed(&tableau::RK4, 0)),
        (
            "tableau.error.len()",
            Options {
                tableau: &tableau::RK4,
                ..Options::default()
            },
        ),
        ("atol", with(|a| a.tolerance = Tolerance::new(0.0, 0.0))),
        (
            "atol",
            with(|a| a.tolerance = Tolerance::new(f64::NAN, 1.0)),
        ),
        ("rtol", with(|a| a.tolerance = Tolerance::new(1.0, -1.0))),
        ("safety", with(|a| a.safety = 1.5)),
        ("shrink", with(|a| a.shrink = 1.0)),
        ("grow", with(|a| a.grow = 0.5)),
        ("first", with(|a| a.first = Some(0.0))),
        ("longest", with(|a| a.longest = 0.0)),
        ("gains", with(|a| a.gains.integral = f64::NAN)),
    ];
    for (expected, options) in cases {
        let error = attempt(decay, (0.0, 1.0), &options).unwrap_err();
        assert!(
            matches!(error, StepError::Option { name, .. } if name == expected),
            "{error}"
        );
    }
    for times in [(f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        let error = attempt(decay, times, &Options::default()).unwrap_err();
        assert!(matches!(error, StepError::Option { name, .. } if name.ends_with("time")));
    }
    let mut x = vec![f64::NAN];
    let error = solve(&decay, (0.0, 1.0), &mut x, &Options::default(), &mut ()).unwrap_err();
    assert!(matches!(
        error,
        StepError::NonFinite {
            what: "the initial state",
            ..
        }
    ));
}

#[test]
fn tables_are_checked() {
    static CROOKED: Tableau = Tableau {
        nodes: &[0.0, 0.4],
        ..tableau::MIDPOINT
    };
    static LIGHT: Tableau = Tableau {
        weights: &[0.0, 0.9],
        ..tableau::MIDPOINT
    };
    static EMPTY: Tableau = Tableau {
        weights: &[],
        ..tableau::MIDPOINT
    };
    static SURE: Tableau = Tableau {
        error: &[0.0],
        ..tableau::EULER
    };
    for (table, what) in [
        (&CROOKED, "sum of coefficients"),
        (&LIGHT, "sum of weights"),
    ] {
        let error = attempt(decay, (0.0, 1.0), &Options::fixed(table, 3)).unwrap_err();
        assert!(
            matches!(error, StepError::Tableau { what: w, .. } if w == what),
            "{error}"
        );
    }
    for table in [&EMPTY, &SURE] {
        let error = attempt(decay, (0.0, 1.0), &Options::fixed(table, 3)).unwrap_err();
        assert!(matches!(error, StepError::Option { .. }), "{error}");
    }
}
