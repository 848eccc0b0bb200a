//! Mean-reverting diffusion: the shift identity against the paper's formulas, reference tables.

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Denoiser, Event, Key, NoiseLevel, NoiseSchedule, Prediction};
use ansatz_diffusion::{
    Coefficients, Discrete, DpmMultistep, Form, LowerOrder, MeanReverting, Plan, PlanError,
    SampleError, Sampler, ScaledNoise, SdeDpmMultistep, Shifted, Solver, Spacing,
    StationaryVelocity, TimeGrid, VpLinear,
};
use ansatz_testkit::measure::{max_abs_diff, rms};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{reference, tb1};

const ANCHOR: [f64; 2] = [0.5, -0.25];
const SIGMA: f64 = 0.5;

fn schedule() -> ScaledNoise<VpLinear> {
    ScaledNoise::new(VpLinear::default(), SIGMA).unwrap()
}

fn anchor(points: usize) -> Vec<f64> {
    ANCHOR.repeat(points)
}

fn start() -> Vec<f64> {
    let p = tb1::points(16);
    anchor(16)
        .iter()
        .zip(p)
        .map(|(m, p)| m + SIGMA * p)
        .collect()
}

/// The exact model of TB1 on mean-reverting states x = αx₀ + (1 − α)μ + σε.
fn model(kind: Prediction) -> impl Denoiser<Vec<f64>> {
    let mixture = Mixture::tb1().predicting(kind);
    from_fn(
        kind,
        move |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            let shifted: Vec<f64> = x
                .iter()
                .enumerate()
                .map(|(i, x)| x - (1.0 - at.alpha) * ANCHOR[i % 2])
                .collect();
            mixture.eval(&shifted, at, out)
        },
    )
}

fn multistep(order: usize, form: Form, coefficients: Coefficients) -> DpmMultistep {
    DpmMultistep {
        order,
        form,
        coefficients,
        lower_order: LowerOrder::Never,
    }
}

fn plan(solver: &dyn Solver, steps: usize) -> (TimeGrid, Plan) {
    let schedule = schedule();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps).unwrap();
    let plan = solver.plan(&schedule, &grid).unwrap();
    (grid, plan)
}

fn run(plan: &Plan, model: &dyn Denoiser<Vec<f64>>) -> Vec<f64> {
    let mut x = start();
    MeanReverting {
        plan,
        anchor: &anchor(16),
    }
    .sample(model, &mut x, Key::new(4), &mut ())
    .unwrap();
    x
}

fn truth() -> Vec<f64> {
    let schedule = schedule();
    let shifted = Shifted::new(model(Prediction::Data), anchor(16));
    let y: Vec<f64> = start().iter().zip(anchor(16)).map(|(x, m)| x - m).collect();
    let (from, to) = (schedule.t_max(), schedule.t_min());
    let y = reference::probability_flow(&shifted, &schedule, from, to, &y).unwrap();
    y.iter().zip(anchor(16)).map(|(y, m)| y + m).collect()
}

/// Section 11's table, four digits printed.
#[test]
fn convergence() {
    use Coefficients::{PublishedTaylor as Published, Taylor};
    use Form::{Data, Noise};
    let truth = truth();
    assert!((truth[0] - 2.493_682_96).abs() < 1e-8 && (truth[1] + 0.138_221_04).abs() < 1e-8);
    let rows = [
        (1, Data, Taylor, [1.209e-1, 3.051e-2, 7.643e-3]),
        (2, Data, Taylor, [2.973e-2, 1.621e-3, 9.823e-5]),
        (3, Data, Published, [5.140e-3, 2.954e-4, 1.919e-5]),
        (3, Data, Taylor, [4.537e-3, 6.582e-5, 1.049e-6]),
        (2, Noise, Taylor, [2.279e-2, 1.618e-3, 1.045e-4]),
        (3, Noise, Published, [8.266e-3, 3.795e-4, 2.160e-5]),
        (3, Noise, Taylor, [5.285e-3, 9.259e-5, 1.266e-6]),
    ];
    let mut bad = Vec::new();
    for (order, form, coefficients, table) in rows {
        let solver = multistep(order, form, coefficients);
        for (n, e) in [20, 80, 320].into_iter().zip(table) {
            let got = rms(
                &run(&plan(&solver, n).1, &model(Prediction::Noise)),
                &truth,
                2,
            );
            let half = 0.5 * 10_f64.powf(f64::log10(e).floor() - 3.0);
            if (got - e).abs() > 1.01 * half {
                bad.push(format!(
                    "{form:?} {order} {coefficients:?} N={n}: {got:e}, table {e:e}"
                ));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// One step of the paper's formulas from scalars, orders as the history allows; `m` newest first.
fn published_step(
    sde: bool,
    form: Form,
    [from, to]: [&NoiseLevel; 2],
    (x, mu): (f64, f64),
    m: &[(f64, f64)],
    z: f64,
) -> f64 {
    let (a, s) = (to.alpha / from.alpha, to.sigma / from.sigma);
    let h = to.lambda() - from.lambda();
    let m0 = m[0].1;
    let d10 = |k: usize| (m[k].1 - m[k + 1].1) / ((m[k].0 - m[k + 1].0) / h);
    let (mut d1, mut d2) = (0.0, 0.0);
    if m.len() == 2 {
        d1 = d10(0);
    } else if m.len() == 3 {
        let (r0, r1) = ((m[0].0 - m[1].0) / h, (m[1].0 - m[2].0) / h);
        d1 = d10(0) + r0 / (r0 + r1) * (d10(0) - d10(1));
        d2 = 2.0 * (d10(0) - d10(1)) / (r0 + r1);
    }
    let [p1, p2, p3] = {
        let e = if form == Form::Data { -h } else { h };
        let one = e.exp_m1();
        // ψ₂ = ψ₁/h + 1, ψ₃ = ψ₂/h − ½ with ψ₁ = e⁻ʰ − 1; φ likewise with +h.
        if form == Form::Data {
            let two = one / h + 1.0;
            [one, two, two / h - 0.5]
        } else {
            let two = one / h - 1.0;
            [one, two, two / h - 0.5]
        }
    };
    match (sde, form) {
        (false, Form::Data) => {
            s * x + mu * (1.0 - s + s * from.alpha - to.alpha)
                - to.alpha * (p1 * m0 - p2 * d1 + p3 * d2)
        }
        (false, Form::Noise) => a * x + mu * (1.0 - a) - to.sigma * (p1 * m0 + p2 * d1 + p3 * d2),
        (true, Form::Data) => {
            let e = -(-2.0 * h).exp_m1();
            s * (-h).exp() * x
                + mu * (1.0 - a * (-2.0 * h).exp() - to.alpha * e)
                + to.alpha * (e * m0 + (1.0 - e / (2.0 * h)) * d1)
                + to.sigma * e.sqrt() * z
        }
        (true, Form::Noise) => {
            a * x + mu * (1.0 - a) - 2.0 * to.sigma * (p1 * m0 + p2 * d1)
                + to.sigma * (2.0 * h).exp_m1().sqrt() * z
        }
    }
}

/// The plan around μ is the paper's sampler, ODE and SDE, to 1e-14 of the size of its terms.
#[test]
fn the_shift_identity() {
    for form in [Form::Data, Form::Noise] {
        for (sde, orders) in [(false, 1..=3), (true, 1..=2)] {
            for order in orders {
                let base = multistep(order, form, Coefficients::Taylor);
                let stochastic = SdeDpmMultistep {
                    multistep: base,
                    ..SdeDpmMultistep::default()
                };
                let solver: &dyn Solver = if sde { &stochastic } else { &base };
                let (grid, plan) = plan(solver, 12);
                let kind = match form {
                    Form::Data => Prediction::Data,
                    Form::Noise => Prediction::Noise,
                };
                let model = model(kind);
                let got = run(&plan, &model);
                // The same draws as `run` makes.
                let mut x = start();
                let mut history: Vec<(f64, Vec<f64>)> = Vec::new();
                for (i, (from, to)) in grid.pairs().enumerate() {
                    let mut m = x.clone();
                    model.eval(&x, from, &mut m).unwrap();
                    history.insert(0, (from.lambda(), m));
                    history.truncate(order);
                    let mut z = vec![0.0; x.len()];
                    Key::new(4).fill_normal(ansatz_core::stream::step(i as u64), &mut z);
                    for j in 0..x.len() {
                        let m: Vec<_> = history.iter().map(|(l, m)| (*l, m[j])).collect();
                        let state = (x[j], ANCHOR[j % 2]);
                        x[j] = published_step(sde, form, [from, to], state, &m, z[j]);
                    }
                }
                let worst = max_abs_diff(&got, &x);
                // Rounding of 12 steps; the noise form's first terms are 150 times the result.
                assert!(worst < 2e-13, "{form:?} sde={sde} order {order}: {worst:e}");
            }
        }
    }
}

/// A velocity model in the paper's convention gives the trajectory of a data model.
#[test]
fn velocity_is_data() {
    let data = model(Prediction::Data);
    let noise = model(Prediction::Noise);
    let velocity = from_fn(
        Prediction::Velocity,
        |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            let mut e = x.clone();
            noise.eval(x, at, &mut e)?;
            data.eval(x, at, out)?;
            for (i, (v, e)) in out.iter_mut().zip(e).enumerate() {
                *v = -at.sigma / SIGMA * (*v - ANCHOR[i % 2]) + SIGMA * at.alpha * e;
            }
            Ok(())
        },
    );
    let (_, plan) = plan(&multistep(2, Form::Data, Coefficients::Taylor), 20);
    let expected = run(&plan, &data);
    let around = StationaryVelocity::new(Shifted::new(&velocity, anchor(16)), SIGMA).unwrap();
    let mut y: Vec<f64> = start().iter().zip(anchor(16)).map(|(x, m)| x - m).collect();
    plan.sample(&around, &mut y, Key::new(4), &mut ()).unwrap();
    let got: Vec<f64> = y.iter().zip(anchor(16)).map(|(y, m)| y + m).collect();
    assert!(max_abs_diff(&got, &expected) < 1e-12);
    assert!(StationaryVelocity::new(&velocity, 0.0).is_err());
}

#[test]
fn observers_see_states_around_the_anchor() {
    let (_, plan) = plan(&multistep(2, Form::Data, Coefficients::Taylor), 8);
    let mut last = Vec::new();
    let mut estimate = Vec::new();
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        last.clone_from(e.state);
        if let Some(d) = e.denoised {
            estimate.clone_from(d);
        }
        std::ops::ControlFlow::Continue(())
    };
    let mut x = start();
    let model = model(Prediction::Data);
    let anchor = anchor(16);
    let sampler = MeanReverting {
        plan: &plan,
        anchor: &anchor,
    };
    let report = sampler
        .sample(&model, &mut x, Key::new(0), &mut observer)
        .unwrap();
    assert_eq!(report.nfe, 8);
    assert_eq!(x, last);
    // The estimate of the data is near the data.
    assert!(max_abs_diff(&x, &estimate) < 0.5);
}

#[test]
fn schedules_and_errors() {
    let ir = Discrete::mean_reverting(100, 0.005).unwrap();
    assert_eq!(ir.labels(), 101);
    assert!((ir.alpha(100.0) - 0.005).abs() < 1e-15);
    assert!(ir.alpha(0.0) < 1.0);
    // θ₀ is the first increment: its share of the sum, by hand.
    let c = |i: usize| {
        (((i as f64 / 102.0) + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2)
            .cos()
            .powi(2)
    };
    let theta = |i: usize| 1.0 - c(i + 1) / c(0);
    let sum: f64 = (0..=100).map(theta).sum();
    assert!((ir.log_alpha(0.0) - theta(0) / sum * 0.005_f64.ln()).abs() < 1e-14);
    assert!(Discrete::mean_reverting(100, 1.0).is_err());
    assert!(Discrete::mean_reverting(0, 0.5).is_err());
    for sigma in [0.0, -0.5, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            ScaledNoise::new(VpLinear::default(), sigma),
            Err(PlanError::Option { name: "sigma", .. })
        ));
    }
    let s = schedule();
    for t in [0.001, 0.2, 0.9] {
        assert!((s.t_of_lambda(s.lambda(t)) - t).abs() < 1e-12);
        let finite = (s.sigma(t + 1e-6) - s.sigma(t - 1e-6)) / 2e-6;
        // h²·σ‴/6 of a function that grows like √t.
        assert!((s.sigma_rate(t) / finite - 1.0).abs() < 1e-5);
    }
    let (_, plan) = plan(&multistep(1, Form::Data, Coefficients::Taylor), 4);
    let mut x = start();
    let short = anchor(15);
    let e = MeanReverting {
        plan: &plan,
        anchor: &short,
    }
    .sample(&model(Prediction::Data), &mut x, Key::new(0), &mut ())
    .unwrap_err();
    assert!(matches!(
        e,
        SampleError::Length {
            what: "anchor",
            expected: 32,
            got: 30
        }
    ));
    assert_eq!(x, start());
    let shifted = Shifted::new(model(Prediction::Data), short);
    assert!(plan.sample(&shifted, &mut x, Key::new(0), &mut ()).is_err());
}
