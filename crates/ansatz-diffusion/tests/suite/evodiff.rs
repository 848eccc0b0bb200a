//! EVODiff: parity with the reference run of the authors' formulas, and what it promises.

use std::ops::ControlFlow;

use crate::common::exact;
use ansatz_core::{Counted, Event, Key};
use ansatz_diffusion::{
    Edm, EvoDiff, FlowLinear, PlanError, SampleError, Sampler, Spacing, TimeGrid,
};
use ansatz_testkit::measure::rms;
use ansatz_testkit::model::Mixture;
use ansatz_testkit::tb1;

fn start() -> Vec<f64> {
    tb1::points(16).iter().map(|x| 80.0 * x).collect()
}

fn run(spacing: Spacing, steps: usize) -> Vec<f64> {
    let grid = TimeGrid::new(&Edm::default(), spacing, steps).unwrap();
    let model = Counted::new(Mixture::tb1());
    let mut x = start();
    let report = EvoDiff { batch: 16 }
        .on(&grid)
        .unwrap()
        .sample(&model, &mut x, Key::new(0), &mut ())
        .unwrap();
    assert_eq!(
        (report.nfe, model.nfe(), report.steps),
        (steps, steps, steps)
    );
    x
}

#[test]
fn reproduces_the_reference() {
    let rows: [(Spacing, usize, &[f64]); 3] = [
        (
            Spacing::LogSnr,
            8,
            &[2.636_582_450, 0.025_098_327, -0.900_829_287, -1.410_095_695],
        ),
        (Spacing::LogSnr, 10, &[2.587_548_524, -0.070_387_771]),
        (Spacing::KARRAS, 10, &[3.009_873_807, 0.044_831_853]),
    ];
    for (spacing, steps, expected) in rows {
        let x = run(spacing, steps);
        for (got, e) in x.iter().zip(expected) {
            assert!(
                (got - e).abs() < 1e-7,
                "{spacing:?} N={steps}: {got}, table {e}"
            );
        }
    }
}

/// Three digits printed.
#[test]
fn errors_on_the_log_snr_grid() {
    let truth = exact(&Edm::default(), &start());
    for (steps, e) in [(5, 0.272), (10, 0.0962), (20, 0.0363), (40, 0.0136)] {
        let got = rms(&run(Spacing::LogSnr, steps), &truth, 2);
        let half = 0.5 * 10_f64.powf(f64::log10(e).floor() - 2.0);
        assert!((got - e).abs() < 1.01 * half, "N={steps}: {got}, table {e}");
    }
}

/// Each sample has its own scalars: alone it goes where it goes in company.
#[test]
fn samples_do_not_mix() {
    let grid = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 10).unwrap();
    let together = run(Spacing::LogSnr, 10);
    let mut alone = start()[6..8].to_vec();
    EvoDiff::default()
        .on(&grid)
        .unwrap()
        .sample(&Mixture::tb1(), &mut alone, Key::new(0), &mut ())
        .unwrap();
    assert_eq!(alone, together[6..8]);
}

/// A model that always says the same has D₁ ∝ m₀ and no other direction; zero has none at all.
#[test]
fn degenerate_outputs_are_no_division_by_zero() {
    let grid = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 25)
        .unwrap()
        .with_clean_end();
    for constant in [0.0, 0.4] {
        let model = ansatz_core::denoiser::from_fn(
            ansatz_core::Prediction::Data,
            move |_: &Vec<f64>, _: &ansatz_core::NoiseLevel, out: &mut Vec<f64>| {
                out.fill(constant);
                Ok(())
            },
        );
        let mut x = vec![80.0, -31.0];
        EvoDiff::default()
            .on(&grid)
            .unwrap()
            .sample(&model, &mut x, Key::new(0), &mut ())
            .unwrap();
        assert_eq!(x, [constant; 2]);
    }
}

#[test]
fn early_stop_and_errors() {
    let grid = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 6).unwrap();
    let sampler = EvoDiff { batch: 16 }.on(&grid).unwrap();
    let mut seen = Vec::new();
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        seen.clone_from(e.state);
        if e.step == 4 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let mut x = start();
    let report = sampler
        .sample(&Mixture::tb1(), &mut x, Key::new(0), &mut observer)
        .unwrap();
    assert!(report.stopped_early && report.steps == 4);
    assert_eq!(x, seen);
    for batch in [0, 5] {
        let mut x = start();
        let e = EvoDiff { batch }
            .on(&grid)
            .unwrap()
            .sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())
            .unwrap_err();
        assert!(matches!(
            e,
            SampleError::Plan(PlanError::Option { name: "batch", .. })
        ));
        assert_eq!(x, start());
    }
    let one = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 1).unwrap();
    assert!(matches!(
        EvoDiff::default().on(&one).map(|_| ()),
        Err(PlanError::TooFewSteps { needed: 2, .. })
    ));
    let flow = FlowLinear {
        t_max: 1.0,
        ..FlowLinear::default()
    };
    let pure = TimeGrid::new(&flow, Spacing::Time, 4).unwrap();
    assert!(matches!(
        EvoDiff::default().on(&pure).map(|_| ()),
        Err(PlanError::Coefficient { .. })
    ));
}
