//! The continuous adjoint on problem G8: a Gaussian in eight dimensions whose flow, and so the gradient
//! of any loss through it, is known in closed form.

use ansatz_core::{Key, NoiseSchedule, Prediction};
use ansatz_diffusion::diffeq::{Tableau, tableau};
use ansatz_diffusion::{
    AdjointDpm, Betas, Checkpoints, Discrete, Gradient, GradientPlan, PlanError, RhoRungeKutta,
    Solver, TimeGrid,
};
use ansatz_testkit::model::Mixture;

use crate::common::Scaled;

/// G8 with its noise scaled by κ.
fn g8(kappa: f64) -> Scaled {
    let mean: Vec<f64> = (0..8).map(|i| 0.5 * f64::from(i).cos()).collect();
    let covariance: Vec<f64> = (0..64)
        .map(|k| (-0.5 * f64::from((k / 8_i32 - k % 8).abs())).exp())
        .collect();
    Scaled::new(Mixture::new(&[1.0], &mean, &covariance).unwrap(), kappa)
}

fn schedule() -> Discrete {
    Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap()
}

/// The official grid: ρ interpolated linearly at equally spaced labels 999 … 0.
fn grid(steps: usize) -> TimeGrid {
    let schedule = schedule();
    let rho = |label: usize| schedule.at_label(label).unwrap().rho();
    let levels = (0..=steps).map(|i| {
        let label = 999.0 * (1.0 - i as f64 / steps as f64);
        let (low, part) = (label.floor() as usize, label.fract());
        let r = rho(low) + part * (rho((low + 1).min(999)) - rho(low));
        schedule.level(schedule.t_of_lambda(-r.ln()))
    });
    TimeGrid::from_levels(levels.collect()).unwrap()
}

fn start() -> Vec<f64> {
    (0..8).map(|i| f64::from(2 * i + 1).sin()).collect()
}

/// x/α at the data end: the reference measures samples and loss there.
fn scaled(x: &[f64]) -> Vec<f64> {
    let alpha = schedule().level(0.0).alpha;
    x.iter().map(|v| v / alpha).collect()
}

/// ½|A y − b|², A averaging pairs, b_k = sin(k + 1); and its gradient.
fn loss(x: &[f64], mut gradient: Option<&mut [f64]>) -> f64 {
    (0..4)
        .map(|k| {
            let r = 0.5 * (x[2 * k] + x[2 * k + 1]) - (k as f64 + 1.0).sin();
            if let Some(g) = &mut gradient {
                g[2 * k] = 0.5 * r;
                g[2 * k + 1] = 0.5 * r;
            }
            0.5 * r * r
        })
        .sum()
}

fn run(plan: &GradientPlan, kappa: f64) -> Gradient<Vec<f64>> {
    let gradient = |_: usize, x: &Vec<f64>, w: &mut Vec<f64>| {
        loss(&scaled(x), Some(w));
        *w = scaled(w);
        Ok(())
    };
    plan.run(
        &g8(kappa),
        vec![start()],
        Key::new(0),
        &mut { gradient },
        &mut (),
    )
    .unwrap()
}

/// |a − b|/|b|
fn relative(a: &[f64], b: &[f64]) -> f64 {
    let square = |f: &dyn Fn(usize) -> f64| (0..8).map(|i| f(i).powi(2)).sum::<f64>();
    (square(&|i| a[i] - b[i]) / square(&|i| b[i])).sqrt()
}

const X0: [f64; 8] = [
    1.2473118601,
    0.4678988790,
    -0.6999828997,
    -0.0657150758,
    -0.0408367272,
    -0.3760379374,
    0.8387287616,
    1.0139649579,
];
const GRADIENT: [f64; 8] = [
    -0.1201245822,
    -0.2543359596,
    -0.7433415359,
    -0.7415432025,
    -0.3027843239,
    0.0245761288,
    0.8664777363,
    0.9707885545,
];

/// The published table of errors: samples and gradients by Euler, midpoint and RK4.
#[test]
fn errors_of_the_continuous_adjoint() {
    assert!((loss(&X0, None) - 2.312542380413888).abs() < 1e-9);
    let tables: [(Tableau, Option<[f64; 4]>, [f64; 4]); 3] = [
        (
            tableau::EULER,
            Some([7.13e-2, 3.65e-2, 1.85e-2, 9.33e-3]),
            [0.936, 0.627, 0.355, 0.187],
        ),
        (tableau::MIDPOINT, None, [0.564, 9.79e-2, 2.13e-2, 5.03e-3]),
        (
            tableau::RK4,
            Some([3.07e-5, 1.92e-6, 1.20e-7, 7.48e-9]),
            [6.68e-5, 4.11e-6, 2.54e-7, 1.58e-8],
        ),
    ];
    let mut bad = Vec::new();
    for (tableau, samples, gradients) in tables {
        for (k, steps) in [20, 40, 80, 160].into_iter().enumerate() {
            let plan = AdjointDpm { tableau }
                .gradient(&schedule(), &grid(steps), Prediction::Noise)
                .unwrap();
            let got = run(&plan, 1.0);
            let mut check = |what: &str, error: f64, expected: f64| {
                if (error / expected - 1.0).abs() > 0.02 {
                    bad.push(format!(
                        "{} N={steps} {what}: {error:e}, table {expected:e}",
                        tableau.name
                    ));
                }
            };
            check(
                "gradient",
                relative(&got.inputs[0], &GRADIENT),
                gradients[k],
            );
            if let Some(samples) = samples {
                check(
                    "sample",
                    relative(&scaled(&got.outputs[0]), &X0),
                    samples[k],
                );
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// On a linear model RK4's continuous adjoint is the gradient of RK4, and Euler's is not that of Euler.
#[test]
fn continuous_and_discrete_gradients() {
    for (tableau, same) in [(tableau::RK4, true), (tableau::EULER, false)] {
        let (schedule, grid) = (schedule(), grid(40));
        let continuous = AdjointDpm { tableau }
            .gradient(&schedule, &grid, Prediction::Noise)
            .unwrap();
        let discrete = RhoRungeKutta { tableau }
            .plan(&schedule, &grid)
            .unwrap()
            .gradient(Prediction::Noise, Checkpoints::Sqrt)
            .unwrap();
        let (c, d) = (run(&continuous, 1.0), run(&discrete, 1.0));
        let gap = relative(&c.inputs[0], &d.inputs[0]);
        if same {
            // Equal in exact arithmetic; y is integrated back, which the linear model does not notice.
            assert!(gap < 1e-12, "{}: {gap:e}", tableau.name);
        } else {
            assert!((gap - 0.61).abs() < 0.02, "{}: {gap}", tableau.name);
        }
    }
}

/// ∂L/∂κ by the adjoint against central differences of the same sampler.
#[test]
fn parameter_gradient() {
    let (schedule, grid) = (schedule(), grid(160));
    let plan = AdjointDpm::default()
        .gradient(&schedule, &grid, Prediction::Noise)
        .unwrap();
    let value = |kappa: f64| loss(&scaled(&run(&plan, kappa).outputs[0]), None);
    let h = 1e-5;
    let expected = (value(1.0 + h) - value(1.0 - h)) / (2.0 * h);
    let got = run(&plan, 1.0).params[0];
    assert!(
        (got / expected - 1.0).abs() < 1e-6,
        "{got} against {expected}"
    );
}

/// Memory does not grow with the steps; a noiseless end is refused.
#[test]
fn memory_and_errors() {
    let plan = |steps| AdjointDpm::default().gradient(&schedule(), &grid(steps), Prediction::Noise);
    assert_eq!(plan(10).unwrap().slots(), plan(200).unwrap().slots());
    let clean = grid(10).with_clean_end();
    let error = AdjointDpm::default().gradient(&schedule(), &clean, Prediction::Noise);
    assert!(matches!(error, Err(PlanError::Option { .. })), "{error:?}");
}
