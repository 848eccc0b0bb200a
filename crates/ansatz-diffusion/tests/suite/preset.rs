//! Presets against diffusers 0.42.1: `tests/fixtures/presets.txt`, written by `fixtures/presets.py`.

use std::collections::BTreeMap;

use ansatz_core::{Denoiser, EvalError, Key, NoiseSchedule, Prediction};
use ansatz_diffusion::preset::{EdmFamily, FlowFamily, LabelFamily, shifted};
use ansatz_diffusion::{Ddim, LabelSpacing, Solver, TimeGrid};
use ansatz_testkit::measure::max_abs_diff;
use ansatz_testkit::{Mixture, tb1};

const EPS32: f64 = f32::EPSILON as f64;

fn fixture() -> BTreeMap<&'static str, Vec<f64>> {
    include_str!("../fixtures/presets.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|line| {
            let (name, values) = line.split_once(": ").unwrap();
            let values = values.split(' ').map(|v| v.parse().unwrap());
            (name, values.collect())
        })
        .collect()
}

/// DDIM on an exact model that predicts `kind`.
fn end(
    schedule: &dyn NoiseSchedule,
    grid: &TimeGrid,
    model: &dyn Denoiser<Vec<f64>>,
    scale: f64,
) -> Vec<f64> {
    let mut x: Vec<f64> = tb1::points(16).iter().map(|v| scale * v).collect();
    let plan = Ddim::default().plan(schedule, grid).unwrap();
    plan.for_model(model.native())
        .unwrap()
        .sample(model, &mut x, Key::new(0), &mut ())
        .unwrap();
    x
}

/// diffusers keeps betas and their products in float32: each of up to 1000 factors 1 − β is off by a
/// rounding of β and one of 1 − β, and each product by another.
#[test]
fn tables_of_alphas() {
    let fixture = fixture();
    for (name, family) in [
        (
            "alphas_cumprod scaled_linear",
            LabelFamily::STABLE_DIFFUSION,
        ),
        ("alphas_cumprod linear", LabelFamily::DDPM),
        ("alphas_cumprod cosine", LabelFamily::IMPROVED_DDPM),
    ] {
        let schedule = family.schedule().unwrap();
        let betas = family.betas.table(1000);
        for (label, want) in [0, 1, 10, 100, 500, 998, 999]
            .into_iter()
            .zip(&fixture[name])
        {
            let got = schedule.level(f64::from(label)).alpha.powi(2);
            let each = betas[..=label as usize]
                .iter()
                .map(|b| 2.0 + 2.0 * b / (1.0 - b));
            let allowed = 0.5 * EPS32 * each.sum::<f64>() * want;
            assert!(
                (got - want).abs() <= allowed,
                "{name} at {label}: {got:e}, {want:e}"
            );
        }
    }
}

/// The same labels, exactly.
#[test]
fn labels() {
    let spacings = [
        ("leading", LabelSpacing::Leading),
        ("trailing", LabelSpacing::Trailing),
        ("linspace", LabelSpacing::LinspaceToZero),
    ];
    let mut seen = 0;
    for (name, want) in fixture() {
        let Some(rest) = name.strip_prefix("labels ") else {
            continue;
        };
        let words: Vec<&str> = rest.split(' ').collect();
        let spacing = spacings.iter().find(|(n, _)| *n == words[0]).unwrap().1;
        let (offset, steps): (f64, usize) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        let labels = spacing.labels(1000, steps).unwrap();
        let got: Vec<f64> = labels.iter().map(|l| l + offset).collect();
        assert_eq!(got, want, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 12);
    let grid = LabelFamily::STABLE_DIFFUSION.grid(10).unwrap();
    let times: Vec<f64> = grid.levels().iter().map(|l| l.t).collect();
    assert_eq!(times[..10], fixture()["labels leading 1 10"]);
    assert_eq!(times[10..], [0.0]);
}

/// Both sides in f64, a hundred roundings of numbers of size 4.
#[test]
fn ddim_for_models_of_noise_velocity_and_data() {
    let fixture = fixture();
    for (name, prediction) in [
        ("epsilon", Prediction::Noise),
        ("v_prediction", Prediction::Velocity),
        ("sample", Prediction::Data),
    ] {
        for steps in [10, 50] {
            let family = LabelFamily {
                prediction,
                ..LabelFamily::STABLE_DIFFUSION
            };
            let model = Mixture::tb1().predicting(prediction);
            let schedule = family.schedule().unwrap();
            let x = end(&schedule, &family.grid(steps).unwrap(), &model, 1.0);
            let difference = max_abs_diff(&x, &fixture[&*format!("ddim {name} {steps}")]);
            assert!(difference < 1e-12, "{name}, {steps} steps: {difference:e}");
        }
    }
}

/// diffusers rounds states and sigmas of flow models to float32: a few roundings a step of numbers of size 4, which the
/// flow enlarges less than tenfold.
#[test]
fn flow_matching_with_shift() {
    let fixture = fixture();
    let families = [
        ("sd3", FlowFamily::STABLE_DIFFUSION_3),
        ("flux", FlowFamily::flux(4096)),
    ];
    for (name, family) in families {
        for steps in [4, 20] {
            let grid = family.grid(steps).unwrap();
            let labels: Vec<f64> = grid.levels()[..steps]
                .iter()
                .map(|l| family.label(l))
                .collect();
            let want = &fixture[&*format!("flow timesteps {name} {steps}")];
            let difference = max_abs_diff(&labels, want);
            assert!(
                difference < 4.0 * EPS32 * 1000.0,
                "{name} labels: {difference:e}"
            );
            let model = Mixture::tb1().predicting(Prediction::Flow);
            let x = end(&family.schedule(), &grid, &model, 1.0);
            let difference = max_abs_diff(&x, &fixture[&*format!("flow end {name} {steps}")]);
            let allowed = 10.0 * 4.0 * EPS32 * steps as f64;
            assert!(
                difference < allowed,
                "{name}, {steps} steps: {difference:e}"
            );
        }
    }
    for tokens in [256, 1024, 4096] {
        let mu = FlowFamily::flux(tokens).shift.ln();
        let want = fixture[&*format!("flow mu {tokens}")][0];
        assert!((mu - want).abs() < EPS32, "{tokens} tokens: {mu}, {want}");
    }
}

/// Factors to the precision of their formulas in f64 (c_noise in float32), sigmas and end points to float32.
#[test]
fn edm_preconditioning() {
    let fixture = fixture();
    let family = EdmFamily::default();
    for (name, sigma) in [("0.002", 0.002), ("0.5", 0.5), ("80", 80.0)] {
        let c = family.factors(sigma);
        let want = &fixture[&*format!("edm factors {name}")];
        for (got, want) in [c.skip, c.out, c.input, c.noise].into_iter().zip(want) {
            assert!(
                (got - want).abs() < 1e-6 * want.abs(),
                "{sigma}: {got}, {want}"
            );
        }
    }
    let grid = family.grid(18).unwrap();
    let sigmas: Vec<f64> = grid.levels().iter().map(|l| l.sigma).collect();
    for (got, want) in sigmas.iter().zip(&fixture["edm sigmas 18"]) {
        assert!((got - want).abs() <= 8.0 * EPS32 * want, "{got}, {want}");
    }
    // The raw network whose preconditioned form is exact, found from what it is told alone.
    let raw = |scaled: &Vec<f64>, noise: f64, out: &mut Vec<f64>| -> Result<(), EvalError> {
        let sigma = (4.0 * noise).exp();
        let c = family.factors(sigma);
        let x: Vec<f64> = scaled.iter().map(|v| v / c.input).collect();
        let at = ansatz_core::NoiseLevel::new(sigma, 1.0, sigma);
        Mixture::tb1().eval_as(Prediction::Data, &x, &at, out)?;
        for (o, x) in out.iter_mut().zip(&x) {
            *o = (*o - c.skip * x) / c.out;
        }
        Ok(())
    };
    let model = family.around(raw);
    let x = end(&family.schedule, &grid, &model, 80.0);
    let difference = max_abs_diff(&x, &fixture["edm end 18"]);
    // Eighteen roundings to float32 of states that begin at 200 and shrink with σ.
    assert!(difference < 1e-4, "{difference:e}");
}

/// An EDM network serves a variance-preserving schedule: the same model, to rounding.
#[test]
fn preconditioning_on_another_schedule() {
    let family = EdmFamily::default();
    let level = LabelFamily::DDPM.schedule().unwrap().level(500.0);
    let model = family.around(|x: &Vec<f64>, noise, out: &mut Vec<f64>| {
        out.iter_mut().zip(x).for_each(|(o, x)| *o = noise * x);
        Ok(())
    });
    let mut got = vec![0.0; 1];
    model.eval(&vec![0.7], &level, &mut got).unwrap();
    let c = family.factors(level.rho());
    let x = 0.7 / level.alpha;
    assert!((got[0] - (c.skip * x + c.out * c.noise * c.input * x)).abs() < 1e-15);
    let clean = ansatz_core::NoiseLevel::clean(0.0);
    let refused = model.eval(&vec![0.7], &clean, &mut got);
    assert!(matches!(refused, Err(EvalError::OutOfRange { .. })));
}

#[test]
fn bad_options_are_errors() {
    assert!(LabelFamily::DDPM.grid(0).is_err());
    assert!(LabelFamily::DDPM.grid(1001).is_err());
    let far = LabelFamily {
        offset: 200,
        ..LabelFamily::STABLE_DIFFUSION
    };
    assert!(far.grid(10).is_err());
    for shift in [0.0, -1.0, f64::NAN] {
        let family = FlowFamily {
            shift,
            ..FlowFamily::STABLE_DIFFUSION_3
        };
        assert!(family.grid(4).is_err());
    }
    assert!(FlowFamily::STABLE_DIFFUSION_3.grid(0).is_err());
    assert_eq!(FlowFamily::STABLE_DIFFUSION_3.grid(1).unwrap().steps(), 1);
    assert!(EdmFamily::default().grid(1).is_err());
    assert!((shifted(0.5, 3.0) - 0.75).abs() < 1e-16);
}
