//! Exact inversion: reference end points, orders, and round trips at machine precision.

use ansatz_core::{Denoiser, HostState, Key, Prediction, State};
use ansatz_diffusion::{
    Alternate, Bdia, Ddim, Edict, ExactInversion, OBelm, Plan, PlanError, ReversibleHeun, Solver,
    Spacing, TimeGrid, VpLinear,
};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{data, measure, tb1};

use crate::common::{run, tb1_rms};

fn all<S: State>(plan: &Plan, model: &dyn Denoiser<S>, inputs: Vec<S>) -> Vec<S> {
    plan.sample_all(model, inputs, Key::new(0), &mut ())
        .unwrap()
        .0
}

fn max_diff<S: HostState>(a: &S, b: &S) -> f64 {
    measure::max_abs_diff(a.as_slice(), b.as_slice())
}

fn grid(spacing: Spacing, steps: usize) -> TimeGrid {
    TimeGrid::new(&VpLinear::default(), spacing, steps).unwrap()
}

/// Noise to data and back: the largest change of the noise.
fn noise_round_trip<S: HostState>(
    solver: &dyn ExactInversion,
    grid: &TimeGrid,
    model: &dyn Denoiser<S>,
    x: &S,
) -> f64 {
    let schedule = VpLinear::default();
    let generate = solver.generate(&schedule, grid).unwrap();
    let back = solver.pair(&schedule, grid).unwrap().inverse().unwrap();
    let data = all(&generate, model, vec![x.clone()]);
    max_diff(&all(&back, model, data)[0], x)
}

/// Data to noise and back: the largest change of the data.
fn data_round_trip<S: HostState>(
    solver: &dyn ExactInversion,
    grid: &TimeGrid,
    model: &dyn Denoiser<S>,
    x: &S,
) -> f64 {
    let schedule = VpLinear::default();
    let encode = solver.encode(&schedule, grid).unwrap();
    let decode = solver.pair(&schedule, grid).unwrap();
    let latent = all(&encode, model, vec![x.clone()]);
    // Inverse plans give inputs in order: for BDIA (z₀, z₁), for EDICT (x, y).
    max_diff(&all(&decode, model, latent)[0], x)
}

fn bdia(gamma: f64) -> Bdia {
    Bdia {
        gamma,
        max_amplification: f64::INFINITY,
    }
}

fn edict(mixing: f64) -> Edict {
    Edict {
        mixing,
        max_amplification: f64::INFINITY,
        ..Edict::default()
    }
}

/// Table 23.2: rms on the log-SNR grid at 20, 80 and 320 steps, and slopes.
#[test]
fn convergence() {
    let rows: [(&str, Box<dyn Solver>, [f64; 3], f64); 4] = [
        (
            "BDIA 0.5",
            Box::new(bdia(0.5)),
            [4.073866e-2, 1.018062e-2, 2.547080e-3],
            1.00,
        ),
        (
            "BDIA 1",
            Box::new(bdia(1.0)),
            [1.595909e-2, 4.611206e-4, 2.877277e-5],
            2.00,
        ),
        (
            "O-BELM",
            Box::new(OBelm),
            [2.971457e-2, 1.873019e-3, 1.170697e-4],
            2.00,
        ),
        (
            "EDICT",
            Box::new(edict(0.93)),
            [1.912499e-1, 3.286812e-2, 8.309863e-3],
            1.00,
        ),
    ];
    let mut bad = Vec::new();
    for (name, solver, expected, order) in rows {
        let error = |n| tb1_rms(&*solver, Spacing::LogSnr, n, 16);
        for (n, e) in [20, 80, 320].into_iter().zip(expected) {
            if (error(n) / e - 1.0).abs() > 1e-4 {
                bad.push(format!("{name} N={n}: {:e}, table {e:e}", error(n)));
            }
        }
        let slope = (error(320) / error(640)).log2();
        if (slope - order).abs() > 0.1 {
            bad.push(format!("{name}: slope {slope}, table {order}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Table 23.3: 512 points on three grids.
#[test]
fn levels_at_small_budgets() {
    let rows: [(&str, Box<dyn Solver>, usize, [[f64; 3]; 3]); 4] = [
        (
            "BDIA 0.5",
            Box::new(bdia(0.5)),
            1,
            [
                [0.22626, 0.092926, 0.045178],
                [0.24027, 0.10262, 0.043161],
                [0.11706, 0.055962, 0.027596],
            ],
        ),
        (
            "BDIA 1",
            Box::new(bdia(1.0)),
            1,
            [
                [0.41662, 0.12151, 0.015912],
                [0.19238, 0.070898, 0.015402],
                [0.16510, 0.021278, 0.0035352],
            ],
        ),
        (
            "O-BELM",
            Box::new(OBelm),
            1,
            [
                [0.36942, 0.12224, 0.033929],
                [0.21240, 0.075552, 0.015506],
                [0.18458, 0.054414, 0.014213],
            ],
        ),
        (
            "EDICT",
            Box::new(edict(0.93)),
            2,
            [
                [f64::NAN, 9.6785, 2.0539],
                [f64::NAN, 10.749, 2.1024],
                [f64::NAN, 19.733, 5.3734],
            ],
        ),
    ];
    let mut bad = Vec::new();
    for (name, solver, calls, grids) in rows {
        for (spacing, expected) in [Spacing::LogSnr, Spacing::Time, Spacing::QUADRATIC]
            .into_iter()
            .zip(grids)
        {
            for (nfe, e) in [5, 10, 20].into_iter().zip(expected) {
                let rms = if e.is_nan() {
                    continue;
                } else {
                    tb1_rms(&*solver, spacing, nfe / calls, 512)
                };
                if (rms / e - 1.0).abs() > 1e-4 {
                    bad.push(format!("{name} {spacing:?} NFE={nfe}: {rms}, table {e}"));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// End points of point 0 in sections 9 and 10.
#[test]
fn end_points() {
    let schedule = VpLinear::default();
    let model = Mixture::tb1();
    let end = |solver: &dyn Solver, spacing, steps| {
        let plan = solver.plan(&schedule, &grid(spacing, steps)).unwrap();
        run(&plan, &model, &tb1::points(16))
    };
    let close = |got: &[f64], x: f64, y: f64| {
        assert!(
            (got[0] - x).abs() < 1e-8 && (got[1] - y).abs() < 1e-8,
            "{got:?} against {x}, {y}"
        );
    };
    let quad = Spacing::QUADRATIC;
    close(
        &end(&bdia(0.5), quad, 10)[..2],
        2.422_259_929,
        -0.150_727_829,
    );
    close(
        &end(&bdia(1.0), quad, 10)[..2],
        2.501_174_398,
        -0.138_135_206,
    );
    close(&end(&OBelm, quad, 10)[..2], 2.416_581_815, -0.148_382_670);
    close(
        &end(&edict(0.93), Spacing::Time, 50)[..2],
        2.423_562_922,
        -0.141_463_780,
    );
    let plain = Edict {
        alternate: Alternate::Never,
        ..edict(0.93)
    };
    let pair = plain.generate(&schedule, &grid(Spacing::Time, 50)).unwrap();
    let states = all(&pair, &model, vec![tb1::points(16)]);
    close(&states[0][..2], 2.426_697_527, -0.150_269_735);
    close(&states[1][..2], 2.408_646_578, -0.124_827_421);
}

/// Theory: BDIA's leading error is (1−γ)/(1+γ) of DDIM's.
#[test]
fn damped_bdia_has_a_known_fraction_of_the_error_of_ddim() {
    let reference = tb1_rms(&Ddim::default(), Spacing::LogSnr, 640, 16);
    for gamma in [0.25, 0.5, 0.75, 0.9] {
        let ratio = tb1_rms(&bdia(gamma), Spacing::LogSnr, 640, 16) / reference;
        let theory = (1.0 - gamma) / (1.0 + gamma);
        assert!(
            (ratio / theory - 1.0).abs() < 0.005,
            "gamma {gamma}: {ratio} against {theory}"
        );
    }
}

/// Section 9's table of round trips, f64, uniform in time.
#[test]
fn bdia_and_o_belm_round_trips() {
    let model = Mixture::tb1();
    let x = tb1::points(16);
    for steps in [10, 20, 50, 100] {
        let grid = grid(Spacing::Time, steps);
        for gamma in [1.0, 0.9, 0.5] {
            let error = noise_round_trip(&bdia(gamma), &grid, &model, &x);
            let bound = if gamma == 1.0 {
                1e-13
            } else {
                1e-13 * bdia(gamma).amplification(steps)
            };
            assert!(
                error < bound,
                "gamma {gamma}, N = {steps}: {error:e}, bound {bound:e}"
            );
        }
        let error = data_round_trip(&bdia(1.0), &grid, &model, &x);
        assert!(error < 1e-13, "data, N = {steps}: {error:e}");
        let error = noise_round_trip(&ReversibleHeun, &grid, &model, &x);
        assert!(error < 1e-10, "reversible Heun, N = {steps}: {error:e}");
        let error = data_round_trip(&ReversibleHeun, &grid, &model, &x);
        assert!(
            error < 1e-10,
            "reversible Heun, data, N = {steps}: {error:e}"
        );
        let error = noise_round_trip(&OBelm, &grid, &model, &x);
        assert!(error < 1e-13, "O-BELM, N = {steps}: {error:e}");
    }
    // The instability that the guard is for: half a state lost at 50 steps, everything at 100.
    let loss = noise_round_trip(&bdia(0.5), &grid(Spacing::Time, 50), &model, &x);
    assert!(loss > 1e-3, "{loss:e}");
}

/// Section 10's round trips.
#[test]
fn edict_round_trips() {
    let model = Mixture::tb1();
    let x = tb1::points(16);
    for mixing in [0.9, 0.93, 0.97, 1.0] {
        for steps in [10, 20, 50] {
            let grid = grid(Spacing::Time, steps);
            let error = noise_round_trip(&edict(mixing), &grid, &model, &x);
            assert!(error < 1e-12, "noise, p = {mixing}, N = {steps}: {error:e}");
            let error = data_round_trip(&edict(mixing), &grid, &model, &x);
            assert!(error < 1e-10, "data, p = {mixing}, N = {steps}: {error:e}");
        }
    }
    let error = noise_round_trip(&edict(0.9), &grid(Spacing::Time, 100), &model, &x);
    assert!(error < 1e-9, "{error:e}");
}

/// States in f32: the bounds of sections 9 and 10 (ten times what was measured there).
#[test]
fn single_precision_round_trips() {
    let model = Mixture::tb1();
    let x: Vec<f32> = tb1::points(16).iter().map(|v| *v as f32).collect();
    let grid = grid(Spacing::Time, 50);
    let rows: [(&str, f64, f64); 4] = [
        (
            "BDIA noise",
            noise_round_trip(&bdia(1.0), &grid, &model, &x),
            2e-6,
        ),
        (
            "EDICT 0.93 noise",
            noise_round_trip(&edict(0.93), &grid, &model, &x),
            1.6e-5,
        ),
        (
            "EDICT 0.93 data",
            data_round_trip(&edict(0.93), &grid, &model, &x),
            6.5e-5,
        ),
        (
            "EDICT 0.97 data",
            data_round_trip(&edict(0.97), &grid, &model, &x),
            3.7e-3,
        ),
    ];
    for (name, error, bound) in rows {
        assert!(error < bound, "{name}: {error:e}, bound {bound:e}");
    }
}

/// Naive inversion of DDIM, for contrast: section 4's numbers.
#[test]
fn swapping_the_ends_of_ddim_does_not_invert_it() {
    let schedule = VpLinear::default();
    let model = Mixture::tb1();
    let forward = |steps| {
        Ddim::default()
            .plan(&schedule, &grid(Spacing::Time, steps))
            .unwrap()
    };
    let data = crate::common::exact(&schedule, &tb1::points(16));
    for (steps, expected) in [(10, 0.3289), (20, 0.1779), (50, 0.07569), (100, 0.03872)] {
        // The same steps with roles swapped: each takes its noise estimate at the data side.
        let mut p = Plan::builder();
        let mut x = p.input();
        let g = grid(Spacing::Time, steps);
        for w in g.levels().windows(2).rev() {
            let e = p.eval(x, &w[1], Prediction::Noise);
            let keep = w[0].alpha / w[1].alpha;
            x = p.combine(keep * x + (w[0].sigma - keep * w[1].sigma) * e);
        }
        let noise = run(&p.finish(&[x]).unwrap(), &model, &data);
        let rms = measure::rms(&run(&forward(steps), &model, &noise), &data, 2);
        assert!((rms / expected - 1.0).abs() < 2e-3, "N = {steps}: {rms}");
        assert!(matches!(
            forward(steps).inverse(),
            Err(PlanError::NotInvertible { .. })
        ));
    }
}

/// Mixing contracts the difference of the pair by exactly p² a step (zero model, constant α).
#[test]
fn mixing_contracts_by_p_squared() {
    let schedule = ansatz_diffusion::Edm::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 7).unwrap();
    let plan = edict(0.93).pair(&schedule, &grid).unwrap();
    let zero = ansatz_core::denoiser::from_fn(
        Prediction::Noise,
        |_: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            out.fill(0.0);
            Ok(())
        },
    );
    let states = all(&plan, &zero, vec![vec![1.0], vec![0.0]]);
    let difference = states[0][0] - states[1][0];
    assert!(
        (difference - 0.93_f64.powi(14)).abs() < 1e-14,
        "{difference}"
    );
}

#[test]
fn bad_options_are_refused() {
    let schedule = VpLinear::default();
    let g = grid(Spacing::Time, 50);
    for gamma in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            bdia(gamma).plan(&schedule, &g),
            Err(PlanError::Option { name: "gamma", .. })
        ));
    }
    for mixing in [0.0, -1.0, 1.5, f64::NAN] {
        assert!(matches!(
            edict(mixing).plan(&schedule, &g),
            Err(PlanError::Option { name: "mixing", .. })
        ));
    }
    let damped = Bdia {
        gamma: 0.5,
        ..Bdia::default()
    };
    assert!(matches!(
        damped.encode(&schedule, &g),
        Err(PlanError::Amplification { .. })
    ));
    assert!(damped.encode(&schedule, &grid(Spacing::Time, 10)).is_ok());
    let ddim = Bdia {
        gamma: 0.0,
        ..Bdia::default()
    };
    assert!(ddim.encode(&schedule, &g).is_err());
    let one = grid(Spacing::Time, 1);
    for error in [bdia(1.0).plan(&schedule, &one), OBelm.plan(&schedule, &one)] {
        assert!(matches!(
            error,
            Err(PlanError::TooFewSteps {
                needed: 2,
                got: 1,
                ..
            })
        ));
    }
}
/// Real digits, exact empirical model: BDIA and EDICT bring every image back.
#[test]
fn digits_survive_the_round_trip() {
    let digits = data::digits();
    let model = ansatz_testkit::model::Empirical::new(&digits.images, 64)
        .unwrap()
        .smoothed(0.1)
        .unwrap();
    let x: Vec<f64> = digits.images[..16 * 64]
        .iter()
        .map(|v| f64::from(*v))
        .collect();
    let grid = grid(Spacing::Time, 50);
    for (name, solver) in [
        ("BDIA", &bdia(1.0) as &dyn ExactInversion),
        ("EDICT", &edict(0.93)),
    ] {
        let error = data_round_trip(solver, &grid, &model, &x);
        assert!(error < 1e-9, "{name}: {error:e}");
    }
}
