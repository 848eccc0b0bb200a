//! The PNDM family, and discrete schedules on continuous time.

use crate::common::{check_budgets, check_convergence, run};
use ansatz_core::{NoiseSchedule, Prediction};
use ansatz_diffusion::{
    Betas, Blocks, Coefficients, Discrete, DpmMultistep, DpmSinglestep, Form, HalfSteps,
    LabelSpacing, LowerOrder, PlanError, Pndm, Solver, Spacing, TimeGrid, UnitTime, VpLinear,
};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::tb1;

fn ddpm() -> Discrete {
    Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap()
}

#[test]
fn convergence() {
    check_convergence(&[
        (
            "iPNDM",
            &Pndm::ipndm(),
            [9.396177e-3, 6.196222e-4, 3.820584e-5],
            2.00,
        ),
        (
            "S-PNDM",
            &Pndm::s_pndm(),
            [1.543791e-2, 1.093166e-3, 7.023378e-5],
            1.99,
        ),
        (
            "F-PNDM",
            &Pndm::f_pndm(),
            [9.422800e-3, 6.199455e-4, 3.822123e-5],
            2.00,
        ),
    ]);
}

#[test]
fn levels_at_small_budgets() {
    check_budgets(&[(
        "iPNDM",
        &Pndm::ipndm(),
        [
            [0.14090, 0.038135, 0.0096687],
            [0.24324, 0.081888, 0.0097841],
            [0.031347, 0.013344, 0.0039219],
        ],
    )]);
}

#[test]
fn ipndm_on_the_quadratic_grid() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 10).unwrap();
    let plan = Pndm::ipndm().plan(&schedule, &grid).unwrap();
    let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
    assert!((y[0] - 2.515_763_662).abs() < 1e-9, "{}", y[0]);
    assert!((y[1] + 0.135_683_610).abs() < 1e-9, "{}", y[1]);
}

/// Section 22, tolerance 1e-7. Programs step once more, from label 0 to the level of label 0; that
/// step changes nothing and its evaluation is not made here: 18 and 10 instead of 19 and 11.
#[test]
fn parity_with_diffusers() {
    let schedule = ddpm();
    let labels = TimeGrid::labels(&schedule, LabelSpacing::Leading, 10).unwrap();
    let times: Vec<f64> = labels.levels()[..10].iter().map(|l| l.t).collect();
    let grid = TimeGrid::from_times(&schedule, &times).unwrap();
    let whole = |solver| Pndm {
        half_steps: HalfSteps::WholeLabels,
        ..solver
    };
    let rows = [
        (
            Pndm::f_pndm(),
            18,
            [
                2.475660614,
                -0.112463223,
                -0.679327577,
                -1.320433285,
                3.059934329,
            ],
        ),
        (
            Pndm::plms(),
            10,
            [
                2.473405115,
                -0.113493817,
                -0.679084663,
                -1.319470035,
                3.054720221,
            ],
        ),
    ];
    let model = Mixture::tb1().predicting(Prediction::Noise);
    for (solver, nfe, expected) in rows {
        let plan = whole(solver).plan(&schedule, &grid).unwrap();
        assert_eq!(plan.nfe(), nfe);
        let y = run(&plan, &model, &tb1::points(16));
        let sum: f64 = y.iter().sum();
        for (g, e) in [y[0], y[1], y[2], y[3], sum].into_iter().zip(expected) {
            assert!((g - e).abs() < 1e-7, "{solver:?}: {g}, table {e}");
        }
    }
}

#[test]
fn errors_are_typed() {
    let schedule = ddpm();
    let times = [901.0, 600.0, 401.0, 200.0, 100.0];
    let grid = TimeGrid::from_times(&schedule, &times).unwrap();
    let whole = Pndm {
        half_steps: HalfSteps::WholeLabels,
        ..Pndm::f_pndm()
    };
    let e = whole.plan(&schedule, &grid).unwrap_err();
    assert!(
        matches!(e, PlanError::Option { value, .. } if value == 750.5),
        "{e}"
    );
    assert!(Pndm::f_pndm().plan(&schedule, &grid).is_ok());
    let short = TimeGrid::from_times(&schedule, &times[..4]).unwrap();
    let e = Pndm::f_pndm().plan(&schedule, &short).unwrap_err();
    assert!(
        matches!(
            e,
            PlanError::TooFewSteps {
                needed: 4,
                got: 3,
                ..
            }
        ),
        "{e}"
    );
    for outputs in [0, 5] {
        let solver = Pndm {
            outputs,
            ..Pndm::ipndm()
        };
        let e = solver.plan(&schedule, &grid).unwrap_err();
        assert!(
            matches!(
                e,
                PlanError::Option {
                    name: "outputs",
                    ..
                }
            ),
            "{e}"
        );
    }
}

/// Section 5's spot values of the table on continuous time, 12 decimals.
#[test]
fn unit_time_interpolates_the_table() {
    let schedule = UnitTime(ddpm());
    let rows = [
        (schedule.log_alpha(0.00155), -0.000_082_982_456),
        (schedule.lambda(0.25), 0.048_208_058_414),
        (schedule.lambda(0.5005), -1.233_592_083_061),
        (schedule.lambda(1.0), -5.058_836_591_651),
        (schedule.t_of_lambda(2.0), 0.038_397_917_988),
        (schedule.t_of_lambda(-4.0), 0.889_062_451_467),
    ];
    for (got, expected) in rows {
        assert!((got - expected).abs() < 1e-11, "{got} against {expected}");
    }
    for t in [0.001, 0.0105, 0.3, 0.77, 1.0] {
        assert!((schedule.t_of_lambda(schedule.lambda(t)) - t).abs() < 1e-12);
    }
}

/// The last labels of a cosine table hold no signal.
#[test]
fn truncation_removes_labels_without_signal() {
    let cosine = Discrete::new(Betas::Cosine, 1000).unwrap();
    let kept = cosine.clone().truncated(-5.1).unwrap();
    assert_eq!(kept.labels(), 996);
    let schedule = UnitTime(kept);
    assert_eq!(schedule.label(1.0), 995.0);
    assert_eq!(ddpm().truncated(-5.1).unwrap().labels(), 1000);
    assert!(matches!(
        cosine.clone().truncated(50.0),
        Err(PlanError::Option { name: "lambda", .. })
    ));
    assert!(cosine.truncated(f64::NAN).is_err());
    for bad in [
        vec![-0.1],
        vec![-0.1, -0.1],
        vec![0.0, -0.1],
        vec![-0.1, f64::NAN],
        vec![-0.1, f64::NEG_INFINITY],
    ] {
        assert!(Discrete::from_log_alpha(bad.clone()).is_err(), "{bad:?}");
    }
}

/// Section 5's end points on TB1 with the table on continuous time, from 1 to 1e-3.
#[test]
fn end_points_on_unit_time() {
    let schedule = UnitTime(ddpm());
    let fast = |order, form| DpmSinglestep {
        order,
        form,
        coefficients: Coefficients::Midpoint,
        blocks: Blocks::Fast,
    };
    let two_m = DpmMultistep {
        lower_order: LowerOrder::Auto,
        ..DpmMultistep::default()
    };
    let singlestep = |solver: DpmSinglestep, spacing, nfe| {
        let grid = solver.grid(&schedule, spacing, nfe).unwrap();
        solver.plan(&schedule, &grid).unwrap()
    };
    let multistep = |spacing| {
        let grid = TimeGrid::new(&schedule, spacing, 10).unwrap();
        two_m.plan(&schedule, &grid).unwrap()
    };
    let rows = [
        (
            singlestep(fast(3, Form::Noise), Spacing::Time, 10),
            [2.290_106_933, -0.114_601_858],
        ),
        (multistep(Spacing::Time), [3.000_081_357, -0.018_571_415]),
        (multistep(Spacing::LogSnr), [2.593_716_460, -0.132_528_066]),
        (
            singlestep(fast(2, Form::Noise), Spacing::QUADRATIC, 11),
            [2.707_908_560, -0.118_494_441],
        ),
    ];
    for (i, (plan, expected)) in rows.into_iter().enumerate() {
        let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
        for (g, e) in y.iter().zip(expected) {
            assert!((g - e).abs() < 1e-8, "row {i}: {g}, table {e}");
        }
    }
}
