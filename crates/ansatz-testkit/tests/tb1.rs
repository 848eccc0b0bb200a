//! The numbers of test bed TB1: closed forms at spots, Fokker-Planck equation, exact flows.

mod common;

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};
use ansatz_testkit::reference::{ProbabilityFlow, probability_flow};
use ansatz_testkit::{Analytic, Mixture, measure, tb1};
use common::{Edm, VpLinear};

fn log_p(x: &[f64], at: &NoiseLevel) -> f64 {
    let mut out = [0.0];
    Mixture::tb1()
        .log_density(x, at, &mut out)
        .expect("valid arguments");
    out[0]
}

#[test]
fn spot_values_hold_to_1e_10() {
    let model = Mixture::tb1();
    for spot in tb1::SPOTS {
        let at = VpLinear.level(spot.t);
        let (mut score, mut mean, mut laplacian) = ([0.0; 2], [0.0; 2], [0.0]);
        model
            .score(&tb1::SPOT, &at, &mut score)
            .expect("valid arguments");
        model
            .posterior_mean(&tb1::SPOT, &at, &mut mean)
            .expect("valid arguments");
        model
            .laplacian(&tb1::SPOT, &at, &mut laplacian)
            .expect("valid arguments");
        for (what, got, want) in [
            ("alpha", at.alpha, spot.alpha),
            ("sigma", at.sigma, spot.sigma),
            ("lambda", VpLinear.lambda(spot.t), spot.lambda),
            ("log p", log_p(&tb1::SPOT, &at), spot.log_density),
            ("score 0", score[0], spot.score[0]),
            ("score 1", score[1], spot.score[1]),
            ("mean 0", mean[0], spot.posterior_mean[0]),
            ("mean 1", mean[1], spot.posterior_mean[1]),
            ("laplacian", laplacian[0], spot.laplacian),
        ] {
            assert!(
                (got - want).abs() < 1e-11,
                "t = {}: {what} = {got}, not {want}",
                spot.t
            );
        }
    }
}

#[test]
fn points_are_those_of_the_table() {
    let p = tb1::points(16);
    let want = [
        2.632_768_847_7,
        0.0,
        -1.604_391_196_6,
        -1.469_753_760_6,
        0.168_452_742_6,
        1.919_432_117_6,
    ];
    assert!(measure::max_abs_diff(&p[..6], &want) < 1e-10);
}

/// dp/dt + f·(x·∇log p + d) − ½g²(Δlog p + |∇log p|²) = 0 for log p, by differences of order 4
/// in t.
#[test]
fn log_density_solves_the_fokker_planck_equation() {
    let model = Mixture::tb1();
    let mut worst = 0.0_f64;
    for t in [0.02, 0.1, 0.3, 0.5, 0.8, 0.95] {
        for x in tb1::points(16).chunks_exact(2) {
            let at = VpLinear.level(t);
            let (mut score, mut laplacian) = ([0.0; 2], [0.0]);
            model.score(x, &at, &mut score).expect("valid arguments");
            model
                .laplacian(x, &at, &mut laplacian)
                .expect("valid arguments");
            let h = 1e-3 * t;
            let p = |k: f64| log_p(x, &VpLinear.level(t + k * h));
            let rate = (45.0 * (p(1.0) - p(-1.0)) - 9.0 * (p(2.0) - p(-2.0)) + p(3.0) - p(-3.0))
                / (60.0 * h);
            let (f, g2) = (VpLinear.drift(t), VpLinear.diffusion_squared(t));
            let along = x[0] * score[0] + x[1] * score[1];
            let square = score[0] * score[0] + score[1] * score[1];
            let residual = rate - 0.5 * g2 * (laplacian[0] + square) + f * (along + 2.0);
            worst = worst.max(residual.abs());
        }
    }
    println!("worst Fokker-Planck residual {worst:e}");
    assert!(worst < 1e-8, "{worst:e}");
}

#[test]
fn vp_flow_ends_where_the_table_says() {
    for kind in [Prediction::Noise, Prediction::Data] {
        let model = Mixture::tb1().predicting(kind);
        let (from, to) = tb1::VP_TIMES;
        let end = probability_flow(&model, &VpLinear, from, to, &tb1::points(16))
            .expect("valid arguments");
        let worst = measure::max_abs_diff(&end, &tb1::VP_ENDS.concat());
        println!("{kind:?}: worst difference {worst:e}");
        assert!(worst < 0.51e-10, "{worst:e}");
        assert!((end.iter().sum::<f64>() - tb1::VP_ENDS_SUM).abs() < 0.51e-10);
    }
}

#[test]
fn edm_flow_ends_where_the_table_says() {
    let start: Vec<f64> = tb1::points(16).iter().map(|v| 80.0 * v).collect();
    let (from, to) = tb1::EDM_TIMES;
    let end = probability_flow(&Mixture::tb1(), &Edm, from, to, &start).expect("valid arguments");
    let worst = measure::max_abs_diff(&end[..6], &tb1::EDM_ENDS.concat());
    assert!(worst < 0.51e-8, "{worst:e}");
}

/// The two schedules run along the same trajectories of x/α at equal σ/α.
#[test]
fn vp_and_edm_flows_agree_after_scaling() {
    let model = Mixture::tb1();
    let x = tb1::points(16);
    let (a, b) = (VpLinear.level(1.0), VpLinear.level(1e-3));
    let vp = probability_flow(&model, &VpLinear, 1.0, 1e-3, &x).expect("valid arguments");
    let scaled: Vec<f64> = x.iter().map(|v| v / a.alpha).collect();
    let edm = probability_flow(&model, &Edm, a.rho(), b.rho(), &scaled).expect("valid arguments");
    let vp: Vec<f64> = vp.iter().map(|v| v / b.alpha).collect();
    let worst = measure::max_abs_diff(&vp, &edm);
    println!("VP against EDM {worst:e}");
    assert!(worst < 1e-11, "{worst:e}");
}

#[test]
fn default_steps_reach_1e_12() {
    let model = Mixture::tb1();
    let x = tb1::points(64);
    let solve = |steps| {
        ProbabilityFlow { steps }
            .solve(&model, &VpLinear, 1.0, 1e-3, &x)
            .unwrap()
    };
    let truth = solve(400);
    for steps in [24, 32, 48, 64, 96, 128, 192] {
        println!(
            "{steps}: {:e}",
            measure::max_abs_diff(&solve(steps), &truth)
        );
    }
    let default = solve(ProbabilityFlow::default().steps);
    assert!(measure::max_abs_diff(&default, &truth) < 1e-12);
}

#[test]
fn flow_returns_the_way_it_came() {
    let model = Mixture::tb1();
    let x = tb1::points(16);
    let there = probability_flow(&model, &VpLinear, 1.0, 0.1, &x).expect("valid arguments");
    let back = probability_flow(&model, &VpLinear, 0.1, 1.0, &there).expect("valid arguments");
    assert!(measure::max_abs_diff(&x, &back) < 1e-11);
}

#[test]
fn moments_and_kernel_distance_of_512_end_points() {
    let model = Mixture::tb1();
    let (from, to) = tb1::VP_TIMES;
    let x =
        probability_flow(&model, &VpLinear, from, to, &tb1::points(512)).expect("valid arguments");
    let mean = [0, 1].map(|j| x.iter().skip(j).step_by(2).sum::<f64>() / 512.0);
    assert!(
        measure::max_abs_diff(&mean, &tb1::VP_MEAN_512) < 0.51e-8,
        "{mean:?}"
    );
    let at = VpLinear.level(to);
    for (i, row) in tb1::VP_COVARIANCE_512.iter().enumerate() {
        for (j, want) in row.iter().enumerate() {
            let got = x
                .chunks_exact(2)
                .map(|p| (p[i] - mean[i]) * (p[j] - mean[j]))
                .sum::<f64>()
                / 512.0;
            assert!((got - want).abs() < 0.51e-8, "{i}, {j}: {got}");
            // Points and flow are exact, so only the 512-point rule separates the moments.
            assert!((got - model.covariance(&at)[2 * i + j]).abs() < 0.02);
        }
    }
    assert!(measure::max_abs_diff(&mean, &model.mean(&at)) < 0.002);
    let mmd = model
        .mmd_squared(&x, &at, tb1::LENGTHSCALE)
        .expect("valid arguments");
    println!("MMD² {mmd:e}");
    assert!((mmd - tb1::VP_MMD_SQUARED_512).abs() < 0.51e-10, "{mmd:e}");
}
