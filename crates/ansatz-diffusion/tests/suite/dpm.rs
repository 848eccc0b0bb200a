//! Singlestep DPM-Solver, UniPC and stochastic multistep: reference tables, identities, errors.

use crate::common::{check_budgets, check_convergence, exact, run, tb1_rms, vp_truth};
use ansatz_core::NoiseSchedule;
use ansatz_diffusion::{
    Betas, Bh, Blocks, Coefficients, Deis, DenoiseToZero, Discrete, DpmMultistep, DpmSinglestep,
    Edm, Form, Heun, LabelSpacing, LowerOrder, PlanError, SdeDpmMultistep, Solver, Spacing,
    TimeGrid, UniPc, VpLinear,
};
use ansatz_testkit::measure::{max_abs_diff, rms};
use ansatz_testkit::model::{Gaussian, Mixture};
use ansatz_testkit::tb1;

fn single(order: usize, form: Form, coefficients: Coefficients) -> DpmSinglestep {
    DpmSinglestep {
        order,
        form,
        coefficients,
        blocks: Blocks::Even,
    }
}

fn fast(order: usize, form: Form) -> DpmSinglestep {
    DpmSinglestep {
        blocks: Blocks::Fast,
        ..single(order, form, Coefficients::Midpoint)
    }
}

fn unipc(order: usize, form: Form, bh: Bh) -> UniPc {
    UniPc {
        order,
        form,
        bh,
        lower_order: LowerOrder::Never,
    }
}

fn lowered(unipc: UniPc) -> UniPc {
    UniPc {
        lower_order: LowerOrder::Final,
        ..unipc
    }
}

#[test]
fn convergence_of_singlestep() {
    use Coefficients::{Midpoint, Taylor};
    use Form::{Data, Noise};
    check_convergence(&[
        (
            "2S dpmsolver",
            &single(2, Noise, Midpoint),
            [1.633082e-2, 9.394164e-4, 5.755288e-5],
            2.00,
        ),
        (
            "2S taylor",
            &single(2, Noise, Taylor),
            [5.994579e-3, 3.602412e-4, 2.229791e-5],
            2.00,
        ),
        (
            "3S dpmsolver",
            &single(3, Noise, Midpoint),
            [2.823933e-4, 4.218398e-6, 6.865721e-8],
            2.99,
        ),
        (
            "3S taylor",
            &single(3, Noise, Taylor),
            [1.307373e-4, 1.821283e-6, 2.736854e-8],
            3.01,
        ),
        (
            "++2S dpmsolver",
            &single(2, Data, Midpoint),
            [1.376528e-2, 9.400590e-4, 6.014951e-5],
            1.99,
        ),
        (
            "++2S taylor",
            &single(2, Data, Taylor),
            [5.794758e-3, 3.904459e-4, 2.491668e-5],
            1.99,
        ),
        (
            "++3S dpmsolver",
            &single(3, Data, Midpoint),
            [4.354740e-4, 7.935086e-6, 1.253882e-7],
            3.00,
        ),
        (
            "++3S taylor",
            &single(3, Data, Taylor),
            [2.344953e-4, 3.933298e-6, 5.965136e-8],
            3.01,
        ),
    ]);
}

#[test]
fn convergence_of_unipc() {
    use Bh::{One, Two};
    use Form::{Data, Noise};
    check_convergence(&[
        (
            "1 bh1",
            &unipc(1, Data, One),
            [2.049282e-2, 1.180155e-3, 7.161822e-5],
            2.01,
        ),
        (
            "1 bh2",
            &unipc(1, Data, Two),
            [4.238208e-2, 2.837511e-3, 1.790929e-4],
            2.00,
        ),
        (
            "2 bh1",
            &unipc(2, Data, One),
            [1.688209e-2, 2.335877e-4, 3.698466e-6],
            2.99,
        ),
        (
            "2 bh2",
            &unipc(2, Data, Two),
            [7.616109e-3, 1.197856e-4, 1.941172e-6],
            2.99,
        ),
        (
            "3 bh1",
            &unipc(3, Data, One),
            [4.061142e-3, 1.960662e-5, 1.084029e-7],
            3.95,
        ),
        (
            "3 bh2",
            &unipc(3, Data, Two),
            [4.062158e-3, 1.960806e-5, 1.083964e-7],
            3.95,
        ),
        (
            "2 bh2 noise",
            &unipc(2, Noise, Two),
            [6.548252e-3, 1.155369e-4, 1.970537e-6],
            2.97,
        ),
        (
            "3 bh2 noise",
            &unipc(3, Noise, Two),
            [2.190209e-3, 2.161969e-5, 1.304293e-7],
            3.92,
        ),
    ]);
}

#[test]
fn levels_of_unipc_at_small_budgets() {
    check_budgets(&[
        (
            "UniPC-2 bh2",
            &lowered(unipc(2, Form::Data, Bh::Two)),
            [
                [0.13410, 0.060268, 0.0093776],
                [0.30979, 0.10356, 0.046651],
                [0.085406, 0.034735, 0.0055041],
            ],
        ),
        (
            "UniPC-3 bh1",
            &lowered(unipc(3, Form::Data, Bh::One)),
            [
                [0.43865, 0.064803, 0.0048047],
                [0.28268, 0.10906, 0.053075],
                [0.22256, 0.065005, 0.0048579],
            ],
        ),
    ]);
}

#[test]
fn levels_of_fast_singlestep_at_small_budgets() {
    let schedule = VpLinear::default();
    let rows: [(&str, DpmSinglestep, [[f64; 3]; 3]); 4] = [
        (
            "DPM fast 3",
            fast(3, Form::Noise),
            [
                [1.1940, 0.10727, 0.020880],
                [2.4850, 0.12354, 0.15965],
                [4.1369, 0.059116, 0.0062500],
            ],
        ),
        (
            "DPM fast 2",
            fast(2, Form::Noise),
            [
                [1.3570, 0.41171, 0.075383],
                [0.17556, 0.65818, 0.17814],
                [1.0508, 0.16866, 0.031931],
            ],
        ),
        (
            "++ fast 3",
            fast(3, Form::Data),
            [
                [0.47658, 0.033386, 0.015040],
                [0.38844, 0.10107, 0.036661],
                [0.14771, 0.029016, 0.0042204],
            ],
        ),
        (
            "++ fast 2",
            fast(2, Form::Data),
            [
                [0.32872, 0.16954, 0.054920],
                [0.35171, 0.14243, 0.031049],
                [0.21929, 0.077534, 0.023531],
            ],
        ),
    ];
    let x = tb1::points(512);
    let mut bad = Vec::new();
    for (name, solver, grids) in rows {
        for (spacing, expected) in [Spacing::LogSnr, Spacing::Time, Spacing::QUADRATIC]
            .into_iter()
            .zip(grids)
        {
            for (nfe, e) in [5, 10, 20].into_iter().zip(expected) {
                let grid = solver.grid(&schedule, spacing, nfe).unwrap();
                let plan = solver.plan(&schedule, &grid).unwrap();
                assert_eq!(plan.nfe(), nfe);
                let got = rms(&run(&plan, &Mixture::tb1(), &x), vp_truth(512), 2);
                if (got / e - 1.0).abs() > 1e-4 {
                    bad.push(format!(
                        "{name} {spacing:?} NFE={nfe}: rms {got:.7}, table {e}"
                    ));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Section 8's row of UniPC on the Karras grid (three digits printed).
#[test]
fn unipc_on_the_edm_schedule() {
    let schedule = Edm::default();
    let x: Vec<f64> = tb1::points(16).iter().map(|x| 80.0 * x).collect();
    let truth = exact(&schedule, &x);
    let solver = UniPc {
        order: 3,
        lower_order: LowerOrder::Never,
        ..UniPc::default()
    };
    let table = [4.23e-1, 2.06e-2, 9.60e-4, 5.32e-5, 3.49e-6, 2.24e-7];
    for (levels, e) in [11, 21, 41, 81, 161, 321].into_iter().zip(table) {
        let grid = TimeGrid::new(&schedule, Spacing::KARRAS, levels - 1).unwrap();
        let plan = solver.plan(&schedule, &grid).unwrap();
        let got = rms(&run(&plan, &Mixture::tb1(), &x), &truth, 2);
        let half = 0.5 * 10_f64.powf(f64::log10(e).floor() - 2.0);
        assert!(
            (got - e).abs() < 1.01 * half,
            "N={levels}: {got:e}, table {e:e}"
        );
    }
}

/// Third order needs r₂ = 2/3: other ratios drop to second.
#[test]
fn ratios_decide_the_order() {
    let slope = |r1, r2| {
        let solver = DpmSinglestep {
            blocks: Blocks::Ratios(r1, r2),
            ..DpmSinglestep::default()
        };
        let [a, b] = [320, 640].map(|n| tb1_rms(&solver, Spacing::LogSnr, n, 16));
        (a / b).log2()
    };
    assert!((slope(0.4, 0.7) - 2.0).abs() < 0.1);
    assert!((slope(0.2, 2.0 / 3.0) - 3.0).abs() < 0.1);
}

/// diffusers' UniPC, singlestep and Euler schedulers on labels (f32 tables there, hence 1e-4).
#[test]
fn schedulers_of_diffusers_agree() {
    let schedule = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    let labels = TimeGrid::labels(&schedule, LabelSpacing::Linspace, 20).unwrap();
    let fractional: Vec<f64> = (0..20)
        .map(|i| 999.0 * (19.0 - f64::from(i)) / 19.0)
        .collect();
    let sigmas = TimeGrid::from_times(&schedule, &fractional)
        .unwrap()
        .with_clean_end();
    let rows: [(&str, &dyn Solver, &TimeGrid, [f64; 2]); 3] = [
        (
            "UniPC bh2 2",
            &UniPc::default(),
            &labels,
            [2.444886, -0.118524],
        ),
        ("++2S", &fast(2, Form::Data), &labels, [2.369377, -0.132546]),
        ("Euler", &Heun::euler(), &sigmas, [2.303974, -0.150909]),
    ];
    for (name, solver, grid, expected) in rows {
        let plan = solver.plan(&schedule, grid).unwrap();
        assert_eq!(plan.nfe(), 20, "{name}");
        let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
        for (got, e) in y.iter().zip(expected) {
            assert!((got - e).abs() < 1e-4, "{name}: {got}, diffusers {e}");
        }
    }
}

/// |variance − exact| of the stochastic solvers on data N(0, 1/4), to 1e-3 relative.
#[test]
fn variance_of_the_reverse_process_on_a_gaussian() {
    use Coefficients::{Midpoint, Published, Taylor};
    let rows = [
        (
            1,
            Midpoint,
            1.0,
            [8.918e-2, 5.137e-2, 2.769e-2, 1.439e-2],
            None,
        ),
        (
            2,
            Midpoint,
            1.0,
            [1.553e-2, 4.593e-3, 1.183e-3, 2.974e-4],
            Some(1.99),
        ),
        (
            2,
            Taylor,
            1.0,
            [4.437e-2, 1.040e-2, 2.490e-3, 6.092e-4],
            Some(2.03),
        ),
        (
            2,
            Midpoint,
            0.0,
            [6.556e-3, 1.757e-3, 4.454e-4, 1.117e-4],
            Some(2.00),
        ),
        (
            3,
            Published,
            1.0,
            [1.992e-2, 3.726e-3, 8.410e-4, 2.034e-4],
            Some(2.05),
        ),
        (
            3,
            Taylor,
            1.0,
            [1.292e-2, 2.016e-3, 4.240e-4, 1.013e-4],
            Some(2.07),
        ),
    ];
    let model = Gaussian::isotropic(1, 0.0, 0.25).unwrap();
    let schedule = VpLinear::default();
    let variance = |t| 0.25 * schedule.alpha(t).powi(2) + schedule.sigma(t).powi(2);
    let mut bad = Vec::new();
    for (order, coefficients, eta, expected, slope) in rows {
        let solver = SdeDpmMultistep {
            multistep: DpmMultistep {
                order,
                coefficients,
                lower_order: LowerOrder::Never,
                ..DpmMultistep::default()
            },
            eta,
            ..SdeDpmMultistep::default()
        };
        let error = |steps| {
            let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps).unwrap();
            let plan = solver.plan(&schedule, &grid).unwrap();
            // One sample for each response of the affine map: to the start, and to every draw.
            let mut x = vec![0.0; plan.draws() + 1];
            x[0] = variance(schedule.t_max).sqrt();
            let unit = |draw: usize, out: &mut Vec<f64>| {
                out.fill(0.0);
                out[draw + 1] = 1.0;
            };
            plan.sample_with(&model, &mut x, unit, &mut ()).unwrap();
            let got: f64 = x.iter().map(|r| r * r).sum();
            (got - variance(schedule.t_min)).abs()
        };
        for (steps, e) in [20, 40, 80, 160].into_iter().zip(expected) {
            let got = error(steps);
            if (got / e - 1.0).abs() > 1e-3 {
                bad.push(format!(
                    "order {order} {coefficients:?} eta={eta} N={steps}: {got:e}, table {e:e}"
                ));
            }
        }
        if let Some(slope) = slope {
            let measured = (error(160) / error(320)).log2();
            if (measured - slope).abs() > 0.1 {
                bad.push(format!("order {order} {coefficients:?}: slope {measured}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn sde(order: usize, form: Form, coefficients: Coefficients, eta: f64) -> SdeDpmMultistep {
    SdeDpmMultistep {
        multistep: DpmMultistep {
            order,
            form,
            coefficients,
            lower_order: LowerOrder::Never,
        },
        eta,
        noise_scale: 1.0,
    }
}

/// TB1 with injected draws, N = 10 on the log-SNR grid.
#[test]
fn stochastic_runs_reproduce_the_reference() {
    use Coefficients::{Midpoint, Taylor};
    let rows = [
        (1, Midpoint, [0.672526751, -0.447456780], 3.89711756),
        (2, Midpoint, [0.915896609, -0.580821058], 5.05454779),
        (2, Taylor, [1.055824131, -0.667430007], 5.58974554),
    ];
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10).unwrap();
    for (order, coefficients, expected, sum) in rows {
        let plan = sde(order, Form::Data, coefficients, 1.0)
            .plan(&schedule, &grid)
            .unwrap();
        let mut x = tb1::points(16);
        plan.sample_with(
            &Mixture::tb1(),
            &mut x,
            |draw, out: &mut Vec<f64>| crate::common::rotated_points(draw, out),
            &mut (),
        )
        .unwrap();
        let total: f64 = x.iter().sum();
        for (got, e) in [x[0], x[1]].into_iter().zip(expected) {
            assert!((got - e).abs() < 1e-9, "{got} against {e}");
        }
        assert!((total - sum).abs() < 1e-8, "{total} against {sum}");
    }
}

/// First order in the noise form: the formula of the paper, by hand, with a constant model.
#[test]
fn noise_form_of_the_reverse_process() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 1).unwrap();
    let plan = sde(1, Form::Noise, Coefficients::Midpoint, 1.0)
        .plan(&schedule, &grid)
        .unwrap();
    let (from, to) = (grid.start(), grid.end());
    let h = to.lambda() - from.lambda();
    let model = ansatz_core::denoiser::from_fn(
        ansatz_core::Prediction::Noise,
        |_: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            out.fill(0.7);
            Ok(())
        },
    );
    let mut x = vec![1.3];
    let draw = |_: usize, out: &mut Vec<f64>| out.fill(-0.4);
    plan.sample_with(&model, &mut x, draw, &mut ()).unwrap();
    let ratio = to.alpha / from.alpha;
    let expected = ratio * 1.3
        - 2.0 * to.sigma * h.exp_m1() * 0.7
        - 0.4 * to.sigma * (2.0 * h).exp_m1().sqrt();
    // Terms of size α_t/α_s = 150 cancel.
    assert!((x[0] - expected).abs() < 1e-12, "{} {expected}", x[0]);
}

/// η = 0 is the deterministic solver; exact noise and data forms of first order agree.
#[test]
fn identities() {
    use Coefficients::Midpoint;
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 12).unwrap();
    let multistep = |order, form| DpmMultistep {
        order,
        form,
        coefficients: Midpoint,
        lower_order: LowerOrder::Never,
    };
    // Even nodes in λ are even stages.
    let fixed = DpmSinglestep {
        blocks: Blocks::Fixed,
        ..DpmSinglestep::default()
    };
    let fine = TimeGrid::new(&schedule, Spacing::LogSnr, 12).unwrap();
    let coarse = TimeGrid::new(&schedule, Spacing::LogSnr, 4).unwrap();
    let [y, z] = [
        fixed.plan(&schedule, &fine).unwrap(),
        DpmSinglestep::default().plan(&schedule, &coarse).unwrap(),
    ]
    .map(|plan| run(&plan, &Mixture::tb1(), &tb1::points(16)));
    // λ of a node goes through t and back, which keeps 1e-13 of it.
    assert!(max_abs_diff(&y, &z) < 1e-11);
    // One stage only: every block of the singlestep solver is a first-order step.
    let blocks = DpmSinglestep {
        blocks: Blocks::Fast,
        ..DpmSinglestep::default()
    };
    let single = TimeGrid::new(&schedule, Spacing::Time, 1).unwrap();
    let pairs: [(&dyn Solver, &dyn Solver, &TimeGrid); 5] = [
        (
            &sde(2, Form::Data, Midpoint, 0.0),
            &multistep(2, Form::Data),
            &grid,
        ),
        (
            &sde(3, Form::Noise, Midpoint, 0.0),
            &multistep(3, Form::Noise),
            &grid,
        ),
        (&multistep(1, Form::Data), &multistep(1, Form::Noise), &grid),
        (&blocks, &multistep(1, Form::Data), &single),
        (
            &Deis {
                degree: 0,
                ..Deis::default()
            },
            &multistep(1, Form::Noise),
            &grid,
        ),
    ];
    let x = tb1::points(16);
    for (i, (a, b, grid)) in pairs.into_iter().enumerate() {
        let [y, z] = [a, b].map(|s| run(&s.plan(&schedule, grid).unwrap(), &Mixture::tb1(), &x));
        let worst = max_abs_diff(&y, &z);
        // A few ulps of each of 12 steps on numbers of size 3.
        assert!(worst < 3e-14, "pair {i}: {worst:e}");
    }
}

/// The appended evaluation is the posterior mean at the end of the grid.
#[test]
fn denoising_returns_the_posterior_mean() {
    use ansatz_testkit::Analytic;
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 12).unwrap();
    let x = tb1::points(16);
    let plain = DpmMultistep::default().plan(&schedule, &grid).unwrap();
    let denoised = DenoiseToZero(DpmMultistep::default())
        .plan(&schedule, &grid)
        .unwrap();
    assert_eq!(denoised.nfe(), plain.nfe() + 1);
    let y = run(&plain, &Mixture::tb1(), &x);
    let mut mean = y.clone();
    Mixture::tb1()
        .posterior_mean(&y, &grid.end(), &mut mean)
        .unwrap();
    assert_eq!(run(&denoised, &Mixture::tb1(), &x), mean);
    // Where the grid ends clean there is nothing to add.
    let clean = grid.with_clean_end();
    let plan = DenoiseToZero(DpmMultistep::default())
        .plan(&schedule, &clean)
        .unwrap();
    assert_eq!(plan.nfe(), 13);
}

/// Blocks whose last order is above 1 may end at noiseless data.
#[test]
fn a_clean_end_gives_finite_results() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 10)
        .unwrap()
        .with_clean_end();
    let solvers: [&dyn Solver; 7] = [
        &fast(3, Form::Data),
        &fast(3, Form::Noise),
        &DpmSinglestep::default(),
        &unipc(3, Form::Data, Bh::One),
        &unipc(2, Form::Noise, Bh::Two),
        &sde(2, Form::Data, Coefficients::Midpoint, 0.0),
        &sde(2, Form::Noise, Coefficients::Midpoint, 0.0),
    ];
    for (i, solver) in solvers.into_iter().enumerate() {
        let plan = solver.plan(&schedule, &grid).unwrap();
        let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
        assert!(
            (y[0] - tb1::VP_ENDS[0][0]).abs() < 0.3,
            "solver {i}: {}",
            y[0]
        );
    }
}

#[test]
fn errors_are_typed() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::Time, 4).unwrap();
    let ratios = |r1, r2| DpmSinglestep {
        blocks: Blocks::Ratios(r1, r2),
        ..DpmSinglestep::default()
    };
    let fixed = DpmSinglestep {
        blocks: Blocks::Fixed,
        ..DpmSinglestep::default()
    };
    let order = DpmSinglestep {
        order: 4,
        ..DpmSinglestep::default()
    };
    let eta = |eta| SdeDpmMultistep {
        eta,
        ..SdeDpmMultistep::default()
    };
    let scale = SdeDpmMultistep {
        noise_scale: f64::INFINITY,
        ..SdeDpmMultistep::default()
    };
    let rows: [(&str, &dyn Solver); 11] = [
        ("r1", &ratios(0.0, 0.5)),
        ("r1", &ratios(f64::NAN, 0.5)),
        ("r1", &ratios(1.0, 1.0)),
        ("r2", &ratios(0.5, 0.5)),
        ("r2", &ratios(0.5, f64::NAN)),
        ("steps of the grid", &fixed),
        ("order", &order),
        ("order", &unipc(4, Form::Data, Bh::One)),
        ("eta", &eta(-0.1)),
        ("eta", &eta(f64::NAN)),
        ("noise_scale", &scale),
    ];
    for (expected, solver) in rows {
        match solver.plan(&schedule, &grid) {
            Err(PlanError::Option { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(matches!(
        order.grid(&schedule, Spacing::Time, 10),
        Err(PlanError::Option { name: "order", .. })
    ));
    assert!(matches!(
        DpmSinglestep::default().grid(&schedule, Spacing::Time, 2),
        Err(PlanError::TooFewSteps { .. })
    ));
    let short = TimeGrid::new(&schedule, Spacing::Time, 2).unwrap();
    let few = unipc(3, Form::Data, Bh::Two)
        .plan(&schedule, &short)
        .unwrap_err();
    assert!(matches!(
        few,
        PlanError::TooFewSteps {
            needed: 3,
            got: 2,
            ..
        }
    ));
}

/// A grid that starts at pure noise, where λ is −∞: the limit of grids that start just below. The
/// sampler stays second order in its later steps.
#[test]
fn grids_of_flow_models_start_at_pure_noise() {
    use ansatz_core::Prediction;
    use ansatz_diffusion::FlowLinear;
    let model = Mixture::tb1().predicting(Prediction::Flow);
    let end = |start: f64, solver: &dyn Solver| {
        let schedule = FlowLinear {
            t_min: 1e-3,
            t_max: 1.0,
        };
        let times: Vec<f64> = (0..=20)
            .map(|i| start - f64::from(i) * (start - 1e-3) / 20.0)
            .collect();
        let grid = TimeGrid::from_times(&schedule, &times).unwrap();
        run(
            &solver.plan(&schedule, &grid).unwrap(),
            &model,
            &tb1::points(16),
        )
    };
    for order in 1..=3 {
        let solver = DpmMultistep {
            order,
            ..DpmMultistep::default()
        };
        let at = end(1.0, &solver);
        let gap =
            |below: f64| ansatz_testkit::measure::max_abs_diff(&at, &end(1.0 - below, &solver));
        let gaps = [1e-3, 1e-6, 1e-12].map(gap);
        // The weight of the history that is dropped falls like 1/λ, so slowly in 1 − t.
        assert!(
            gaps[0] > gaps[1] && gaps[1] > gaps[2],
            "order {order}: {gaps:?}"
        );
        assert!(
            gaps[2] < if order == 1 { 1e-10 } else { 1e-2 },
            "order {order}: {gaps:?}"
        );
    }
    let ddim = end(1.0, &ansatz_diffusion::Ddim::default());
    let first = end(
        1.0,
        &DpmMultistep {
            order: 1,
            ..DpmMultistep::default()
        },
    );
    assert!(ansatz_testkit::measure::max_abs_diff(&ddim, &first) < 1e-12);
}
