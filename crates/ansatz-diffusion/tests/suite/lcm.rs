//! Consistency sampling: the reference on TB1, exactness on a Gaussian, labels.

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Denoiser, NoiseLevel, Prediction};
use ansatz_diffusion::{
    Betas, Consistency, ConsistencyModel, Discrete, LabelSpacing, PlanError, Solver, TimeGrid,
};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::tb1;

fn ddpm() -> Discrete {
    Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap()
}

#[test]
fn reproduces_the_reference() {
    let schedule = ddpm();
    let grid = TimeGrid::labels(&schedule, LabelSpacing::Origins(50), 4).unwrap();
    let labels: Vec<f64> = grid.levels().iter().map(|l| l.t).collect();
    assert_eq!(labels, [999.0, 759.0, 499.0, 259.0, -1.0]);
    let plan = Consistency.plan(&schedule, &grid).unwrap();
    assert_eq!((plan.nfe(), plan.draws()), (4, 3));
    let model = ConsistencyModel::new(Mixture::tb1().predicting(Prediction::Noise));
    let mut x = tb1::points(16);
    let draws = |draw, out: &mut Vec<f64>| crate::common::rotated_points(draw, out);
    plan.sample_with(&model, &mut x, draws, &mut ()).unwrap();
    assert!((x[0] - 0.891_696_915).abs() < 1e-9, "{}", x[0]);
    assert!((x[1] + 0.597_255_587).abs() < 1e-9, "{}", x[1]);
    let sum: f64 = x.iter().sum();
    assert!((sum - 1.897_215_87).abs() < 1e-8, "{sum}");
}

/// An exact consistency function gives exact samples for any number of steps.
#[test]
fn a_gaussian_keeps_its_variance() {
    let schedule = ddpm();
    let s = 0.7;
    let model = from_fn(
        Prediction::Data,
        move |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            let scale = s / (s * s * at.alpha * at.alpha + at.sigma * at.sigma).sqrt();
            for (o, x) in out.iter_mut().zip(x) {
                *o = scale * x;
            }
            Ok(())
        },
    );
    for steps in [1, 2, 4, 8, 50] {
        let grid = TimeGrid::labels(&schedule, LabelSpacing::Origins(50), steps).unwrap();
        let plan = Consistency.plan(&schedule, &grid).unwrap();
        // Responses to the start, which has the variance of the noisy data, and to every draw.
        let start = grid.start();
        let mut x = vec![0.0; plan.draws() + 1];
        x[0] = start.sigma.hypot(s * start.alpha);
        let unit = |draw: usize, out: &mut Vec<f64>| {
            out.fill(0.0);
            out[draw + 1] = 1.0;
        };
        plan.sample_with(&model, &mut x, unit, &mut ()).unwrap();
        let variance: f64 = x.iter().map(|r| r * r).sum();
        assert!((variance - s * s).abs() < 1e-12, "K={steps}: {variance}");
    }
}

#[test]
fn the_boundary_is_the_identity() {
    let model = ConsistencyModel::new(Mixture::tb1());
    assert_eq!(model.boundary(0.0), (1.0, 0.0));
    let (skip, keep) = model.boundary(999.0);
    // 1 − 0.125/u², u = 9990.
    assert!((keep - 0.999_999_998_7).abs() < 1e-10 && skip < 3e-9);
    let x = vec![0.3, -0.2];
    let mut out = vec![0.0; 2];
    model
        .eval(&x, &NoiseLevel::new(0.0, 0.99, 0.1), &mut out)
        .unwrap();
    assert_eq!(out, x);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(ConsistencyModel::with_constants(Mixture::tb1(), bad, 0.5).is_err());
        assert!(ConsistencyModel::with_constants(Mixture::tb1(), 10.0, bad).is_err());
    }
}

#[test]
fn errors_are_typed() {
    let schedule = ddpm();
    for (origins, steps) in [(50, 51), (0, 1), (1001, 4)] {
        let e = TimeGrid::labels(&schedule, LabelSpacing::Origins(origins), steps).unwrap_err();
        assert!(
            matches!(
                e,
                PlanError::Option {
                    name: "origins",
                    ..
                }
            ),
            "{e}"
        );
    }
    assert!(matches!(
        TimeGrid::from_times(&schedule, &[259.0, 499.0]),
        Err(PlanError::GridNotDecreasing { .. })
    ));
}
