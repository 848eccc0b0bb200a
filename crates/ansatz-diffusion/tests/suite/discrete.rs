//! Discrete schedules against the conventions and numbers of the popular programs.

use crate::common::run;
use ansatz_core::{Key, Prediction};
use ansatz_diffusion::{
    Betas, Coefficients, Ddim, Discrete, DpmMultistep, Form, Heun, LabelSpacing, LowerOrder, Plan,
    Solver, TimeGrid,
};
use ansatz_testkit::model::{Gaussian, Mixture};
use ansatz_testkit::tb1;

fn ddpm() -> Discrete {
    Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap()
}

fn plan(solver: &dyn Solver, spacing: LabelSpacing, steps: usize) -> Plan {
    let schedule = ddpm();
    let grid = TimeGrid::labels(&schedule, spacing, steps).unwrap();
    solver.plan(&schedule, &grid).unwrap()
}

/// Section 22's table, of which diffusers 0.42.1 prints the same to 7e-6. Tolerance 1e-7.
#[test]
fn parity_with_diffusers_schedulers() {
    let two_m = |coefficients, steps| DpmMultistep {
        coefficients,
        lower_order: if steps < 15 {
            LowerOrder::Final
        } else {
            LowerOrder::Never
        },
        ..Default::default()
    };
    let three_m = DpmMultistep {
        order: 3,
        lower_order: LowerOrder::Never,
        ..two_m(Coefficients::Published, 20)
    };
    let rows: [(&str, Plan, [f64; 5]); 7] = [
        (
            "DDIM leading 10",
            plan(&Ddim::default(), LabelSpacing::Leading, 10),
            [
                2.150674775,
                -0.164011864,
                -0.550751851,
                -1.230803335,
                2.553557550,
            ],
        ),
        (
            "DDIM leading 20",
            plan(&Ddim::default(), LabelSpacing::Leading, 20),
            [
                2.312140724,
                -0.150097395,
                -0.629442659,
                -1.298084928,
                2.775183152,
            ],
        ),
        (
            "DDIM trailing 10",
            plan(&Ddim::default(), LabelSpacing::Trailing, 10),
            [
                2.142600425,
                -0.162821574,
                -0.542678208,
                -1.227546652,
                2.566793799,
            ],
        ),
        (
            "++2M midpoint 10",
            plan(
                &two_m(Coefficients::Midpoint, 10),
                LabelSpacing::Linspace,
                10,
            ),
            [
                2.282162421,
                -0.121019095,
                -0.583572695,
                -1.304953994,
                2.916100673,
            ],
        ),
        (
            "++2M midpoint 20",
            plan(
                &two_m(Coefficients::Midpoint, 20),
                LabelSpacing::Linspace,
                20,
            ),
            [
                2.443725250,
                -0.118104351,
                -0.670478219,
                -1.350222201,
                3.034059199,
            ],
        ),
        (
            "++2M heun 20",
            plan(&two_m(Coefficients::Taylor, 20), LabelSpacing::Linspace, 20),
            [
                2.455347246,
                -0.115618177,
                -0.674493159,
                -1.354317427,
                3.053868226,
            ],
        ),
        (
            "++3M 20",
            plan(&three_m, LabelSpacing::Linspace, 20),
            [
                2.440999768,
                -0.124331938,
                -0.669781743,
                -1.332946836,
                2.998231668,
            ],
        ),
    ];
    let model = Mixture::tb1().predicting(Prediction::Noise);
    let x = tb1::points(16);
    let mut bad = Vec::new();
    for (name, plan, expected) in rows {
        let y = run(&plan, &model, &x);
        let sum: f64 = y.iter().sum();
        let got = [y[0], y[1], y[2], y[3], sum];
        if got.iter().zip(expected).any(|(g, e)| (g - e).abs() > 1e-7) {
            bad.push(format!("{name}: {got:?}, table {expected:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// diffusers' Heun scheduler on 20 labels (f32 tables there, hence 1e-4).
#[test]
fn heun_agrees_with_diffusers() {
    let schedule = ddpm();
    // It starts at the last label and spaces 20 labels evenly down to 0, then goes to zero noise.
    let times: Vec<f64> = (0..20)
        .map(|i| 999.0 * (19.0 - f64::from(i)) / 19.0)
        .collect();
    let grid = TimeGrid::from_times(&schedule, &times)
        .unwrap()
        .with_clean_end();
    let plan = Heun::default().plan(&schedule, &grid).unwrap();
    assert_eq!(plan.nfe(), 39);
    // The start is σ_max·P in units of ρ there: x = α·√(ρ²+1)·P = P here.
    let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
    assert!(
        (y[0] - 2.519585).abs() < 1e-4 && (y[1] + 0.138303).abs() < 1e-4,
        "{:?}",
        &y[..2]
    );
}

/// Gaussian data N(0, 1/4): the variance of DDIM(η) in closed recursion (section 4's table, 1e-9).
///
/// The exact model is linear, so the variance is the sum of squared responses to start and draws.
#[test]
fn variance_of_ddim_on_a_gaussian() {
    let rows = [
        (10, [0.1399721299, 0.1347501914, 0.1110643028]),
        (20, [0.1881255490, 0.1812032562, 0.1532444181]),
        (50, [0.2231987155, 0.2177635941, 0.1972451130]),
        (100, [0.2361771118, 0.2325763249, 0.2192635650]),
        (1000, [0.2484975472, 0.2479808079, 0.2461252114]),
    ];
    let model = Gaussian::isotropic(1, 0.0, 0.25).unwrap();
    for (steps, expected) in rows {
        for (eta, e) in [0.0, 0.5, 1.0].into_iter().zip(expected) {
            let plan = plan(&Ddim { eta }, LabelSpacing::Leading, steps);
            // The map is affine in the start and in every draw. One sample for each response: the
            // first starts at 1, sample k + 1 sees draw k alone.
            let mut x = vec![0.0; plan.draws() + 1];
            x[0] = 1.0;
            let unit = |draw: usize, out: &mut Vec<f64>| {
                out.fill(0.0);
                out[draw + 1] = 1.0;
            };
            plan.sample_with(&model, &mut x, unit, &mut ()).unwrap();
            let variance: f64 = x.iter().map(|r| r * r).sum();
            assert!(
                (variance - e).abs() < 1e-9,
                "S={steps} eta={eta}: {variance} against {e}"
            );
        }
    }
}

/// The noise form to the last label's level instead of zero noise.
#[test]
fn two_m_noise_ends_at_the_first_label() {
    let schedule = ddpm();
    let mut times: Vec<f64> = (0..20)
        .map(|i| (999.0 * f64::from(20 - i) / 20.0).round_ties_even())
        .collect();
    times.push(0.0);
    let grid = TimeGrid::from_times(&schedule, &times).unwrap();
    let solver = DpmMultistep {
        form: Form::Noise,
        lower_order: LowerOrder::Never,
        ..Default::default()
    };
    let plan = solver.plan(&schedule, &grid).unwrap();
    let mut x = tb1::points(16);
    plan.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())
        .unwrap();
    let sum: f64 = x.iter().sum();
    assert!(
        (x[0] - 2.618488351).abs() < 1e-7 && (sum - 3.060799423).abs() < 1e-7,
        "{} {sum}",
        x[0]
    );
}
