//! Adaptive DPM-Solver: section 23.4's table, batches, budgets, errors.

use std::ops::ControlFlow;

use crate::common::vp_truth;
use ansatz_core::{Counted, Event, Key, Report, Tolerance};
use ansatz_diffusion::{
    DpmAdaptive, FlowLinear, Form, OrderPair, PlanError, SampleError, Sampler, VpLinear,
};
use ansatz_testkit::measure::rms;
use ansatz_testkit::model::Mixture;
use ansatz_testkit::tb1;

fn run(options: &DpmAdaptive, x: &mut Vec<f64>) -> Result<Report, SampleError> {
    let schedule = VpLinear::default();
    let model = Counted::new(Mixture::tb1());
    let report = options
        .on(&schedule)?
        .sample(&model, x, Key::new(0), &mut ())?;
    assert_eq!(report.nfe, model.nfe());
    Ok(report)
}

/// Attempts, accepted steps, and rms to its five digits; evaluations are those of the table less one
/// for each rejection.
#[test]
fn reproduces_the_table() {
    let rows = [
        (OrderPair::OneTwo, 0.0078, 0.05, 46, 29, 92, 6.2766e-3),
        (OrderPair::OneTwo, 1e-3, 1e-3, 76, 60, 152, 7.6308e-4),
        (OrderPair::OneTwo, 1e-5, 1e-5, 511, 502, 1022, 1.2170e-5),
        (OrderPair::TwoThree, 0.0078, 0.05, 18, 12, 54, 1.7501e-3),
        (OrderPair::TwoThree, 1e-3, 1e-3, 42, 27, 126, 9.7327e-5),
        (OrderPair::TwoThree, 1e-4, 1e-4, 67, 47, 201, 1.4678e-5),
        (OrderPair::TwoThree, 1e-6, 1e-6, 173, 159, 519, 2.3454e-7),
    ];
    let mut bad = Vec::new();
    for (pair, atol, rtol, attempts, accepted, nfe, expected) in rows {
        let options = DpmAdaptive {
            pair,
            tolerance: Tolerance::new(atol, rtol),
            batch: 16,
            ..DpmAdaptive::default()
        };
        let mut x = tb1::points(16);
        let report = run(&options, &mut x).unwrap();
        let got = rms(&x, vp_truth(16), 2);
        let counts = [
            report.steps + report.rejected,
            report.steps,
            report.nfe + report.rejected,
        ];
        if counts != [attempts, accepted, nfe] || (got / expected - 1.0).abs() > 1e-4 {
            bad.push(format!(
                "{pair:?} {atol}: {counts:?} {got:e}, table {attempts} {accepted} {nfe} {expected:e}"
            ));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The norm is of each sample: one sample alone takes other steps than in company.
#[test]
fn samples_have_their_own_error() {
    let options = |batch| DpmAdaptive {
        batch,
        form: Form::Data,
        ..DpmAdaptive::default()
    };
    let steps = |batch| run(&options(batch), &mut tb1::points(16)).unwrap().steps;
    // One norm over all is smaller than the largest of sixteen.
    assert!(steps(1) < steps(16), "{} {}", steps(1), steps(16));
}

#[test]
fn an_observer_ends_the_run() {
    let schedule = VpLinear::default();
    let mut x = tb1::points(16);
    let mut seen = Vec::new();
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        seen.clone_from(e.state);
        if e.step == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let sampler = DpmAdaptive::default().on(&schedule).unwrap();
    let report = sampler
        .sample(&Mixture::tb1(), &mut x, Key::new(0), &mut observer)
        .unwrap();
    assert!(report.stopped_early && report.steps == 3);
    assert_eq!(x, seen);
}

#[test]
fn errors_are_typed() {
    let defaults = DpmAdaptive::default();
    let rows = [
        (
            "atol",
            DpmAdaptive {
                tolerance: Tolerance::new(-1.0, 0.1),
                ..defaults
            },
        ),
        (
            "rtol",
            DpmAdaptive {
                tolerance: Tolerance::new(0.1, f64::NAN),
                ..defaults
            },
        ),
        (
            "atol + rtol",
            DpmAdaptive {
                tolerance: Tolerance::new(0.0, 0.0),
                ..defaults
            },
        ),
        (
            "safety",
            DpmAdaptive {
                safety: 1.0,
                ..defaults
            },
        ),
        (
            "first_step",
            DpmAdaptive {
                first_step: 0.0,
                ..defaults
            },
        ),
        (
            "batch",
            DpmAdaptive {
                batch: 5,
                ..defaults
            },
        ),
        (
            "batch",
            DpmAdaptive {
                batch: 0,
                ..defaults
            },
        ),
    ];
    for (expected, options) in rows {
        let mut x = tb1::points(16);
        match run(&options, &mut x) {
            Err(SampleError::Plan(PlanError::Option { name, .. })) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(x, tb1::points(16));
    }
    let short = DpmAdaptive {
        max_nfe: 20,
        ..defaults
    };
    let mut x = tb1::points(16);
    match run(&short, &mut x) {
        Err(SampleError::Budget { nfe, max_nfe, t }) => {
            assert!(nfe <= 20 && max_nfe == 20 && t > 1e-3);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(x, tb1::points(16));
    for mut x in [vec![], vec![f64::NAN, 1.0]] {
        assert!(matches!(
            run(&defaults, &mut x),
            Err(SampleError::Length { got: 0, .. } | SampleError::NonFinite { .. })
        ));
    }
    // λ is infinite at the noise end.
    let flow = FlowLinear {
        t_max: 1.0,
        ..FlowLinear::default()
    };
    assert!(matches!(
        defaults.on(&flow).map(|_| ()),
        Err(PlanError::LogSnrNotIncreasing { .. })
    ));
}

/// A model that breaks halfway: the error names the time, and the state is as it was.
#[test]
fn a_broken_model_is_an_error() {
    let schedule = VpLinear::default();
    let model = ansatz_core::denoiser::from_fn(
        ansatz_core::Prediction::Noise,
        |x: &Vec<f64>, at: &ansatz_core::NoiseLevel, out: &mut Vec<f64>| {
            out.clone_from(x);
            if at.t < 0.5 {
                out[0] = f64::NAN;
            }
            Ok(())
        },
    );
    let mut x = vec![0.3, -0.7];
    let e = DpmAdaptive::default()
        .on(&schedule)
        .unwrap()
        .sample(&model, &mut x, Key::new(0), &mut ())
        .unwrap_err();
    assert!(
        matches!(e, SampleError::NonFinite { what: "model output", t, .. } if t < 0.5),
        "{e}"
    );
    assert_eq!(x, [0.3, -0.7]);
}
