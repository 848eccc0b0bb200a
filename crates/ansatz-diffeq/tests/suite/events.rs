//! Events against closed forms, in every direction, at the start and at the end of steps.

use ansatz_core::EvalError;
use ansatz_diffeq::{
    Action, AtStart, Crossing, Direction, Options, StepError, solve_events, tableau,
};

#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
fn turn(_: f64, x: &[f64; 2], dx: &mut [f64; 2]) -> Result<(), EvalError> {
    *dx = [-x[1], x[0]];
    Ok(())
}

fn tight() -> Options {
    Options {
        tableau: &tableau::DOP853,
        ..Options::tolerance(1e-12, 1e-12)
    }
}

const PI: f64 = std::f64::consts::PI;

/// cos t has its zeros at π/2, 3π/2, …: falling, rising, …
#[test]
fn zeros_of_a_cosine() {
    let x0 = |_: f64, x: &[f64; 2]| x[0];
    for (direction, expected) in [
        (Direction::Any, vec![0.5, 1.5, 2.5, 3.5]),
        (Direction::Falling, vec![0.5, 2.5]),
        (Direction::Rising, vec![1.5, 3.5]),
    ] {
        let noted = Crossing {
            direction,
            action: Action::Note,
            ..Crossing::new(&x0)
        };
        let mut x = [1.0, 0.0];
        let outcome = solve_events(&turn, (0.0, 4.0 * PI), &mut x, &tight(), &[noted]).unwrap();
        assert_eq!(outcome.t, 4.0 * PI);
        assert!(!outcome.report.stopped_early);
        let got: Vec<f64> = outcome.hits.iter().map(|h| h.t / PI).collect();
        assert_eq!(got.len(), expected.len(), "{got:?}");
        for (hit, (got, want)) in outcome.hits.iter().zip(got.iter().zip(&expected)) {
            assert!((got - want).abs() < 1e-10, "{got} {want}");
            assert!(hit.state[0].abs() < 1e-10);
        }
        // Backwards in time the directions change places.
        let mut x = [1.0, 0.0];
        let outcome = solve_events(&turn, (4.0 * PI, 0.0), &mut x, &tight(), &[noted]).unwrap();
        assert_eq!(outcome.hits.len(), expected.len());
    }
}

/// Of two events that stop, the first in time ends the solve, whatever their order in the list.
#[test]
fn the_first_event_wins() {
    let late = |_: f64, x: &[f64; 2]| x[0] - 0.1;
    let soon = |_: f64, x: &[f64; 2]| x[0] - 0.2;
    for events in [
        [Crossing::new(&late), Crossing::new(&soon)],
        [Crossing::new(&soon), Crossing::new(&late)],
    ] {
        let mut x = [1.0, 0.0];
        let loose = Options::tolerance(1e-6, 1e-6);
        let outcome = solve_events(&turn, (0.0, 9.0), &mut x, &loose, &events).unwrap();
        assert!(outcome.report.stopped_early);
        assert_eq!(outcome.hits.len(), 1);
        assert!((outcome.t - 0.2_f64.acos()).abs() < 1e-5);
        assert!((x[0] - 0.2).abs() < 1e-12);
        assert_eq!(outcome.hits[0].state, x);
    }
}

/// A ball that loses a fifth of its speed at every bounce: times of the bounces in closed form.
#[test]
fn a_bouncing_ball() {
    let fall = |_: f64, x: &[f64; 2], dx: &mut [f64; 2]| {
        *dx = [x[1], -10.0];
        Ok(())
    };
    let height = |_: f64, x: &[f64; 2]| x[0];
    let floor = Crossing {
        direction: Direction::Falling,
        at_start: AtStart::Wait,
        ..Crossing::new(&height)
    };
    let (mut x, mut t) = ([0.0, 10.0], 0.0);
    let mut expected = 0.0;
    for bounce in 0..5 {
        expected += 2.0 * 0.8_f64.powi(bounce);
        let outcome = solve_events(&fall, (t, 99.0), &mut x, &tight(), &[floor]).unwrap();
        t = outcome.t;
        assert!((t - expected).abs() < 1e-11, "{t} {expected}");
        x = [0.0, -0.8 * x[1]];
    }
}

#[test]
fn an_event_at_the_start() {
    let height = |_: f64, x: &[f64; 2]| x[1];
    let mut x = [1.0, 0.0];
    let strict = [Crossing::new(&height)];
    let error = solve_events(&turn, (0.0, 9.0), &mut x, &Options::default(), &strict).unwrap_err();
    assert!(
        matches!(error, StepError::EventAtStart { index: 0, t, value } if t == 0.0 && value == 0.0)
    );
    assert_eq!(x, [1.0, 0.0]);
    let waits = [Crossing {
        at_start: AtStart::Wait,
        ..Crossing::new(&height)
    }];
    let outcome = solve_events(&turn, (0.0, 9.0), &mut x, &tight(), &waits).unwrap();
    assert!((outcome.t - PI).abs() < 1e-10);
}

#[test]
fn an_event_that_is_not_a_number() {
    let root = |_: f64, x: &[f64; 2]| (x[0] - 0.5).sqrt();
    let mut x = [1.0, 0.0];
    let events = [Crossing::new(&root)];
    let error = solve_events(&turn, (0.0, 9.0), &mut x, &Options::default(), &events).unwrap_err();
    assert!(
        matches!(error, StepError::NonFinite { what: "the event function", t } if t > 1.0 && t < 2.0)
    );
    assert_eq!(x, [1.0, 0.0]);
    let nan = |_: f64, _: &[f64; 2]| f64::NAN;
    let events = [Crossing::new(&nan)];
    let error = solve_events(&turn, (0.0, 9.0), &mut x, &Options::default(), &events).unwrap_err();
    assert!(matches!(error, StepError::EventAtStart { value, .. } if value.is_nan()));
}

/// Nothing to solve, nothing to find.
#[test]
fn an_interval_of_length_zero() {
    let x0 = |_: f64, x: &[f64; 2]| x[0];
    let mut x = [1.0, 0.0];
    let events = [Crossing::new(&x0)];
    let outcome = solve_events(&turn, (2.0, 2.0), &mut x, &Options::default(), &events).unwrap();
    assert_eq!((outcome.t, outcome.hits.len(), x), (2.0, 0, [1.0, 0.0]));
}
