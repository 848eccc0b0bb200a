//! Residual denoising diffusion: the equality with DDIM, path independence, tables, errors.

use crate::common::{run, vp_truth};
use ansatz_core::{EvalError, Key, NoiseLevel, NoiseSchedule, Prediction, State};
use ansatz_diffusion::{
    Betas, Ddim, Discrete, LabelSpacing, PlanError, Ramp, Rddm, ResidualPair, ResidualTable,
    Shifted, Solver, Spacing, TimeGrid, VpLinear,
};
use ansatz_testkit::measure::{max_abs_diff, rms};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{Analytic, tb1};

/// The networks of TB1 for I_in = 0: I_res = −I₀, and the noise.
fn pair() -> impl ansatz_core::Denoiser<Vec<f64>> {
    let mixture = Mixture::tb1();
    let residual = move |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
        mixture.posterior_mean(x, at, out)?;
        out.lincomb(-1.0, &[]);
        Ok(())
    };
    let mixture = Mixture::tb1();
    let noise = move |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
        mixture.score(x, at, out)?;
        out.lincomb(-at.sigma, &[]);
        Ok(())
    };
    ResidualPair::new(residual, noise)
}

#[test]
fn without_noise_it_is_ddim() {
    let schedule = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    let grid = TimeGrid::labels(&schedule, LabelSpacing::Trailing, 20).unwrap();
    assert_eq!((grid.levels()[1].t, grid.levels()[19].t), (949.0, 49.0));
    let x = tb1::points(16);
    let plan = Rddm::default().plan(&schedule, &grid).unwrap();
    assert_eq!((plan.nfe(), plan.draws()), (40, 0));
    let got = run(&plan, &pair(), &x);
    let ddim = Ddim::default().plan(&schedule, &grid).unwrap();
    let expected = run(&ddim, &Mixture::tb1(), &x);
    assert!(max_abs_diff(&got, &expected) < 1e-13);
    assert!((got[0] - 2.307_311_875).abs() < 1e-9, "{}", got[0]);
    assert!((got[1] + 0.149_223_615).abs() < 1e-9, "{}", got[1]);
}

/// Three paths from (α, σ) of noise to those of data: together, residual first, noise first.
#[test]
fn the_path_does_not_matter() {
    let schedule = VpLinear::default();
    let (start, end) = (schedule.level(1.0), schedule.level(1e-3));
    let leg = |a: f64, b: f64, n: usize| -> Vec<f64> {
        (1..=n)
            .map(|i| a * (b / a).powf(i as f64 / n as f64))
            .collect()
    };
    let grid = |path: &str, steps: usize| {
        let half = steps / 2;
        let alphas = leg(start.alpha, end.alpha, half);
        let sigmas = leg(start.sigma, end.sigma, half);
        let mut pairs = vec![(start.alpha, start.sigma)];
        if path == "residual first" {
            pairs.extend(alphas.iter().map(|a| (*a, start.sigma)));
            pairs.extend(sigmas.iter().map(|s| (end.alpha, *s)));
        } else {
            pairs.extend(sigmas.iter().map(|s| (start.alpha, *s)));
            pairs.extend(alphas.iter().map(|a| (*a, end.sigma)));
        }
        let level = |(i, (a, s)): (usize, &(f64, f64))| NoiseLevel::new(-(i as f64), *a, *s);
        TimeGrid::from_levels(pairs.iter().enumerate().map(level).collect()).unwrap()
    };
    let rows = [
        ("joint", [3.049e-2, 1.911e-3]),
        ("residual first", [3.043e-2, 1.908e-3]),
        ("noise first", [3.126e-2, 1.958e-3]),
    ];
    let mut bad = Vec::new();
    for (path, table) in rows {
        for (steps, e) in [80, 1280].into_iter().zip(table) {
            let grid = match path {
                "joint" => TimeGrid::new(&schedule, Spacing::LogSnr, steps).unwrap(),
                _ => grid(path, steps),
            };
            let plan = Rddm::default().plan(&schedule, &grid).unwrap();
            let got = rms(&run(&plan, &pair(), &tb1::points(16)), vp_truth(16), 2);
            // Half a unit of the fourth printed digit.
            if (got - e).abs() > 0.51 * 10_f64.powf(f64::log10(e).floor() - 3.0) {
                bad.push(format!("{path} N={steps}: {got:e}, table {e:e}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// With an input image the trajectory is that of I − I_in.
#[test]
fn an_input_image_shifts_everything() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10).unwrap();
    let plan = Rddm { eta: 0.7 }.plan(&schedule, &grid).unwrap();
    assert_eq!(plan.draws(), 10);
    let input: Vec<f64> = [0.5, -0.25].repeat(16);
    let subtract = |x: &[f64]| -> Vec<f64> { x.iter().zip(&input).map(|(x, i)| x - i).collect() };
    let zero = pair();
    let networks = ResidualPair::new(
        |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            use ansatz_core::Denoiser;
            zero.eval_as(Prediction::Data, &subtract(x), at, out)?;
            out.lincomb(-1.0, &[]);
            Ok(())
        },
        |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            use ansatz_core::Denoiser;
            zero.eval_as(Prediction::Noise, &subtract(x), at, out)
        },
    );
    let plain = run(&plan, &zero, &tb1::points(16));
    let start: Vec<f64> = tb1::points(16)
        .iter()
        .zip(&input)
        .map(|(p, i)| p + i)
        .collect();
    let mut shifted = start;
    plan.sample(&networks, &mut shifted, Key::new(0), &mut ())
        .unwrap();
    assert!(max_abs_diff(&subtract(&shifted), &plain) < 1e-13);
}

/// One network for both: what a conversion derives, and the velocity mixed from both.
#[test]
fn one_network_is_enough() {
    use ansatz_core::Denoiser;
    let at = NoiseLevel::new(0.3, 0.6, 0.7);
    let x = tb1::points(16);
    // From the residual: ε = (I_t − I_in − (ᾱ − 1)I_res)/β̄, here with I_in around a data model.
    let input: Vec<f64> = [0.5, -0.25].repeat(16);
    let data = ansatz_core::denoiser::from_fn(
        Prediction::Data,
        |_: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>| {
            out.fill(0.3);
            Ok(())
        },
    );
    let model = Shifted::new(&data, input.clone());
    let y: Vec<f64> = x.iter().zip(&input).map(|(x, i)| x - i).collect();
    let mut noise = y.clone();
    model
        .eval_as(Prediction::Noise, &y, &at, &mut noise)
        .unwrap();
    let alpha_bar = 1.0 - at.alpha;
    for i in 0..x.len() {
        let residual = input[i] - 0.3;
        let expected = (x[i] - input[i] - (alpha_bar - 1.0) * residual) / at.sigma;
        assert!((noise[i] - expected).abs() < 1e-14);
    }
    let pair = pair();
    let mut got = x.clone();
    pair.eval_as(Prediction::Velocity, &x, &at, &mut got)
        .unwrap();
    let mut expected = x.clone();
    Mixture::tb1()
        .predicting(Prediction::Velocity)
        .eval(&x, &at, &mut expected)
        .unwrap();
    assert!(max_abs_diff(&got, &expected) < 1e-14);
}

#[test]
fn tables() {
    for ramp in [Ramp::Decreased, Ramp::Increased, Ramp::Average] {
        let sum: f64 = ramp.table(1000).iter().sum();
        assert!((sum - 1.0).abs() < 1e-13, "{ramp:?}");
    }
    let falling = Ramp::Decreased.table(5);
    assert!(falling.windows(2).all(|w| w[0] > w[1]));
    let table = ResidualTable::new(Ramp::Decreased, Ramp::Increased, 0.01, 1000).unwrap();
    let grid = table.grid(5).unwrap();
    let times: Vec<f64> = grid.levels().iter().map(|l| l.t).collect();
    assert_eq!(times, [999.0, 799.0, 599.0, 399.0, 199.0, -1.0]);
    assert_eq!((grid.start().alpha, grid.start().sigma), (0.0, 0.1));
    assert_eq!((grid.end().alpha, grid.end().sigma), (1.0, 0.0));
    // ᾱ at label 199 of the falling ramp, in closed form: Σ (999 − i) for i ≤ 199, over Σ i.
    let expected = (200.0 * 999.0 - 199.0 * 100.0) / (999.0 * 500.0);
    assert!((1.0 - grid.levels()[4].alpha - expected).abs() < 1e-13);
}

#[test]
fn errors_are_typed() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::Time, 4).unwrap();
    for eta in [-0.1, 1.1, f64::NAN] {
        let e = Rddm { eta }.plan(&schedule, &grid).unwrap_err();
        assert!(matches!(e, PlanError::Option { name: "eta", .. }));
    }
    let table = |a: &[f64], b: &[f64]| ResidualTable::from_tables(a.to_vec(), b.to_vec());
    for (a, b) in [
        (&[0.5, 0.4][..], &[0.1, 0.2][..]),
        (&[0.5, 1.5], &[0.1, 0.2]),
        (&[0.5, f64::NAN], &[0.1, 0.2]),
        (&[0.5, 0.6], &[0.2, 0.1]),
        (&[0.5, 0.6], &[0.2, f64::INFINITY]),
        (&[0.5, 0.6], &[0.2]),
        (&[], &[]),
    ] {
        assert!(
            matches!(table(a, b), Err(PlanError::Option { .. })),
            "{a:?} {b:?}"
        );
    }
    let good = table(&[0.5, 1.0], &[0.1, 0.2]).unwrap();
    assert!(matches!(good.grid(3), Err(PlanError::Option { .. })));
    assert!(matches!(good.grid(0), Err(PlanError::TooFewSteps { .. })));
    // Both visited labels free of noise.
    let clean = table(&[0.0, 1.0], &[0.0, 0.2]).unwrap();
    assert!(clean.grid(2).is_err());
    assert!(ResidualTable::new(Ramp::Average, Ramp::Average, -1.0, 10).is_err());
    // A failing network is an error of the run, whichever it is.
    let broken = ResidualPair::new(
        |_: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>| {
            out.fill(0.0);
            Ok(())
        },
        |_: &Vec<f64>, _: &NoiseLevel, _: &mut Vec<f64>| Err(EvalError::model(std::fmt::Error)),
    );
    let plan = Rddm::default().plan(&schedule, &grid).unwrap();
    assert!(
        plan.sample(&broken, &mut vec![0.1], Key::new(0), &mut ())
            .is_err()
    );
}
