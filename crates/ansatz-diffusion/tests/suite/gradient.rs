//! Gradients through sampling: against finite differences for every solver, against the exact flow,
//! and the memory that checkpointing promises.

use ansatz_core::{EvalError, Key, Prediction, State};
use ansatz_diffusion::{
    Bdia, Checkpoints, Coefficients, Ddim, DpmMultistep, Edict, ExactInversion, Heun, OBelm, Plan,
    PlanError, SampleError, Solver, Spacing, TimeGrid, VpLinear,
};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{data, measure};

use crate::common::Scaled;

/// Σ sin(j + 1)·x_j + ½x_j², over the first output.
fn loss(x: &[f64]) -> f64 {
    x.iter()
        .enumerate()
        .map(|(j, x)| (j as f64 + 1.0).sin() * x + 0.5 * x * x)
        .sum()
}

#[expect(
    clippy::unnecessary_wraps,
    clippy::ptr_arg,
    reason = "the shape of a loss callback"
)]
fn loss_gradient(output: usize, x: &Vec<f64>, w: &mut Vec<f64>) -> Result<(), EvalError> {
    for (j, (w, x)) in w.iter_mut().zip(x).enumerate() {
        *w = if output == 0 {
            (j as f64 + 1.0).sin() + x
        } else {
            0.0
        };
    }
    Ok(())
}

fn grid(steps: usize) -> TimeGrid {
    TimeGrid::new(&VpLinear::default(), Spacing::LogSnr, steps).unwrap()
}

fn start() -> Vec<f64> {
    vec![0.7, -0.4, -1.1, 0.3, 0.2, 1.6]
}

/// The loss that sampling by `plan` reaches.
fn value(plan: &Plan, model: &Scaled, x: &[f64]) -> f64 {
    let (out, _) = plan
        .sample_all(model, vec![x.to_vec()], Key::new(4), &mut ())
        .unwrap();
    loss(&out[0])
}

fn plans() -> Vec<(&'static str, Plan)> {
    let schedule = VpLinear::default();
    let third = DpmMultistep {
        order: 3,
        coefficients: Coefficients::Taylor,
        ..Default::default()
    };
    let solvers: [(&'static str, Box<dyn Solver>); 8] = [
        ("ddim", Box::new(Ddim::default())),
        ("ddpm", Box::new(Ddim { eta: 1.0 })),
        ("++2m", Box::new(DpmMultistep::default())),
        ("++3m", Box::new(third)),
        ("heun", Box::new(Heun::default())),
        ("bdia", Box::new(Bdia::default())),
        ("o-belm", Box::new(OBelm)),
        ("edict", Box::new(Edict::default())),
    ];
    solvers
        .into_iter()
        .map(|(n, s)| (n, s.plan(&schedule, &grid(13)).unwrap()))
        .collect()
}

/// Central differences in every coordinate of the start and in the parameter.
#[test]
fn every_solver_against_finite_differences() {
    for (name, plan) in plans() {
        for checkpoints in [Checkpoints::All, Checkpoints::Sqrt, Checkpoints::Every(5)] {
            let gradient = plan.gradient(Prediction::Noise, checkpoints).unwrap();
            let model = Scaled::tb1(0.9);
            let got = gradient
                .run(
                    &model,
                    vec![start()],
                    Key::new(4),
                    &mut loss_gradient,
                    &mut (),
                )
                .unwrap();
            let (sample, _) = plan
                .sample_all(&model, vec![start()], Key::new(4), &mut ())
                .unwrap();
            assert!(
                measure::max_abs_diff(&got.outputs[0], &sample[0]) < 1e-12,
                "{name}"
            );
            let h = 1e-5;
            for j in 0..6 {
                let moved = |d: f64| {
                    let mut x = start();
                    x[j] += d;
                    value(&plan, &model, &x)
                };
                let expected = (moved(h) - moved(-h)) / (2.0 * h);
                let error = (got.inputs[0][j] - expected).abs() / expected.abs().max(1.0);
                // Truncation h² times a third derivative of order 10, rounding 1e-16/h.
                assert!(error < 2e-8, "{name} {checkpoints:?}, input {j}: {error:e}");
            }
            let at = |k: f64| value(&plan, &Scaled::tb1(0.9 + k), &start());
            let expected = (at(h) - at(-h)) / (2.0 * h);
            let error = (got.params[0] - expected).abs() / expected.abs().max(1.0);
            assert!(error < 1e-7, "{name} {checkpoints:?}, parameter: {error:e}");
        }
    }
}

/// All ways to get the forward states back give the same gradient.
#[test]
fn exact_inversion_replaces_checkpoints() {
    let schedule = VpLinear::default();
    let solvers: [(&str, &dyn ExactInversion); 3] = [
        ("bdia", &Bdia::default()),
        ("o-belm", &OBelm),
        ("edict", &Edict::default()),
    ];
    for (name, solver) in solvers {
        let plan = solver.generate(&schedule, &grid(30)).unwrap();
        let run = |checkpoints| {
            let plan = plan.gradient(Prediction::Noise, checkpoints).unwrap();
            let model = Scaled::tb1(1.0);
            plan.run(
                &model,
                vec![start()],
                Key::new(0),
                &mut loss_gradient,
                &mut (),
            )
            .unwrap()
        };
        let (kept, inverted) = (run(Checkpoints::All), run(Checkpoints::Invert));
        let difference = measure::max_abs_diff(&kept.inputs[0], &inverted.inputs[0]);
        assert!(difference < 1e-9, "{name}: {difference:e}");
        assert!((kept.params[0] - inverted.params[0]).abs() < 1e-9, "{name}");
    }
}

/// Memory: N states when all are kept, order √N with checkpoints, constant with inversion. Work: one
/// product for each evaluation, and at most one repetition of each.
#[test]
fn memory_and_work_are_known_in_advance() {
    let schedule = VpLinear::default();
    let plan = |steps, checkpoints| {
        let plan = Ddim::default().plan(&schedule, &grid(steps)).unwrap();
        plan.gradient(Prediction::Noise, checkpoints).unwrap()
    };
    for steps in [16, 100, 400] {
        let root = (steps as f64).sqrt() as usize;
        let (all, sqrt) = (
            plan(steps, Checkpoints::All),
            plan(steps, Checkpoints::Sqrt),
        );
        assert_eq!((all.nfe(), all.vjps()), (steps, steps));
        assert!(
            all.slots() >= steps && all.slots() <= steps + 4,
            "{}",
            all.slots()
        );
        assert!(
            sqrt.slots() <= 2 * root + 4,
            "N = {steps}: {} slots",
            sqrt.slots()
        );
        assert!(sqrt.nfe() < 2 * steps && sqrt.vjps() == steps);
        let pair = Bdia::default().generate(&schedule, &grid(steps)).unwrap();
        let inverted = pair
            .gradient(Prediction::Noise, Checkpoints::Invert)
            .unwrap();
        assert!(
            inverted.slots() <= 8,
            "N = {steps}: {} slots",
            inverted.slots()
        );
        assert!(inverted.nfe() <= 2 * steps && inverted.vjps() == steps);
    }
}

/// Conversions of prediction kinds, written into the plan, do not change what it computes.
#[test]
fn plans_for_a_model_compute_the_same() {
    let kinds = [
        Prediction::Noise,
        Prediction::Data,
        Prediction::Score,
        Prediction::Velocity,
        Prediction::Flow,
    ];
    for (name, plan) in plans() {
        for kind in kinds {
            let model = Mixture::tb1().predicting(kind);
            let direct = plan.for_model(kind).unwrap();
            let run = |p: &Plan| {
                let (out, report) = p
                    .sample_all(&model, vec![start()], Key::new(1), &mut ())
                    .unwrap();
                assert_eq!(report.nfe, plan.nfe(), "{name}");
                out
            };
            let difference = measure::max_abs_diff(&run(&plan)[0], &run(&direct)[0]);
            assert!(difference < 1e-10, "{name} {kind:?}: {difference:e}");
        }
    }
    let schedule = VpLinear::default();
    let ddim = Ddim::default().plan(&schedule, &grid(9)).unwrap();
    assert_eq!(
        ddim.for_model(Prediction::Noise)
            .unwrap()
            .operations()
            .len(),
        ddim.operations().len()
    );
}

/// What is wrong is said before anything is computed.
#[test]
fn bad_requests_are_refused() {
    let schedule = VpLinear::default();
    let plan = Ddim::default().plan(&schedule, &grid(9)).unwrap();
    let invert = plan.gradient(Prediction::Noise, Checkpoints::Invert);
    assert!(matches!(invert, Err(PlanError::NotInvertible { .. })));
    let zero = plan.gradient(Prediction::Noise, Checkpoints::Every(0));
    assert!(matches!(
        zero,
        Err(PlanError::Option {
            name: "checkpoints",
            ..
        })
    ));
    let data = plan.gradient(Prediction::Data, Checkpoints::All).unwrap();
    let wrong = data.run(
        &Scaled::tb1(1.0),
        vec![start()],
        Key::new(0),
        &mut loss_gradient,
        &mut (),
    );
    assert!(matches!(
        wrong,
        Err(SampleError::Plan(PlanError::Conversion { .. }))
    ));
    let noise = plan.gradient(Prediction::Noise, Checkpoints::All).unwrap();
    let nan = noise.run(
        &Scaled::tb1(1.0),
        vec![start()],
        Key::new(0),
        &mut |_, _: &Vec<f64>, w: &mut Vec<f64>| {
            w.fill(f64::NAN);
            Ok(())
        },
        &mut (),
    );
    assert!(matches!(nan, Err(SampleError::NonFinite { .. })));
}

/// Real data: the noise whose sample is nearest to a given digit, by gradient descent through the
/// sampler on the exact empirical model. The loss must fall to a hundredth.
#[test]
fn noise_is_found_for_a_digit() {
    let digits = data::digits();
    let model = ansatz_testkit::model::Empirical::new(&digits.images, 64)
        .unwrap()
        .smoothed(0.3)
        .unwrap()
        .predicting(Prediction::Noise);
    let target: Vec<f64> = digits.images[..64].iter().map(|v| f64::from(*v)).collect();
    let plan = DpmMultistep::default()
        .plan(&VpLinear::default(), &grid(12))
        .unwrap();
    let gradient = plan.gradient(Prediction::Noise, Checkpoints::Sqrt).unwrap();
    let mut x = vec![0.0; 64];
    x.fill_normal(Key::new(11), 0);
    let mut losses = Vec::new();
    for _ in 0..60 {
        let mut current = 0.0;
        let g = gradient
            .run(
                &model,
                vec![x.clone()],
                Key::new(0),
                &mut |_, y: &Vec<f64>, w: &mut Vec<f64>| {
                    w.lincomb(0.0, &[(1.0, y), (-1.0, &target)]);
                    current = w.dot(w);
                    Ok(())
                },
                &mut (),
            )
            .unwrap();
        losses.push(current);
        x.lincomb(1.0, &[(-0.7, &g.inputs[0])]);
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < 0.01 * first, "loss {first} to {last}");
}
