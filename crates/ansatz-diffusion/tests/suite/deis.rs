//! DEIS: coefficients, the reference tables, identities with other families, and error cases.

use crate::common::{check_budgets, check_convergence, exact, run};
use ansatz_core::{NoiseSchedule, Prediction};
use ansatz_diffusion::diffeq::{Tableau, tableau};
use ansatz_diffusion::{
    Betas, Coefficients, Ddim, Deis, Discrete, DpmMultistep, Edm, Form, LabelSpacing, LowerOrder,
    PlanError, RhoRungeKutta, Solver, Spacing, TimeGrid, Variable, VpLinear,
};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{measure::rms, tb1};

fn ab(variable: Variable, degree: usize) -> Deis {
    Deis {
        variable,
        degree,
        lower_order: LowerOrder::Never,
    }
}

fn rk(tableau: Tableau) -> RhoRungeKutta {
    RhoRungeKutta { tableau }
}

fn quadratic(steps: usize) -> (VpLinear, TimeGrid) {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, steps).unwrap();
    (schedule, grid)
}

/// The 10-step √t grid, 12 decimals printed.
#[test]
fn coefficients_match_the_reference() {
    let (schedule, grid) = quadratic(10);
    let rows: [(Variable, usize, usize, f64, &[f64]); 6] = [
        (
            Variable::Time,
            0,
            0,
            5.333_456_701_873,
            &[-4.333_955_950_456],
        ),
        (
            Variable::Time,
            1,
            3,
            1.761_396_811_335,
            &[-1.131_471_990_172, 0.312_159_327_574],
        ),
        (
            Variable::Time,
            2,
            3,
            1.761_396_811_335,
            &[-1.357_926_828_238, 0.739_412_917_555, -0.200_798_751_915],
        ),
        (
            Variable::Time,
            3,
            3,
            1.761_396_811_335,
            &[
                -1.538_733_385_331,
                1.223_673_953_540,
                -0.632_819_670_265,
                0.128_566_439_459,
            ],
        ),
        (
            Variable::Time,
            3,
            9,
            f64::NAN,
            &[
                -0.080_069_779_110,
                0.033_571_258_360,
                -0.010_532_601_885,
                0.001_419_456_527,
            ],
        ),
        (
            Variable::Ratio,
            3,
            9,
            f64::NAN,
            &[
                -0.081_036_007_568,
                0.034_299_659_668,
                -0.010_019_072_263,
                0.001_143_754_055,
            ],
        ),
    ];
    for (variable, degree, step, keep, weights) in rows {
        let got = &ab(variable, degree).coefficients(&schedule, &grid).unwrap()[step];
        assert_eq!(got.weights.len(), weights.len());
        assert!(keep.is_nan() || (got.keep - keep).abs() < 1e-9);
        for (g, w) in got.weights.iter().zip(weights) {
            assert!(
                (g - w).abs() < 1e-9,
                "{variable:?} {degree} step {step}: {g} against {w}"
            );
        }
    }
}

/// A constant is integrated the same by every polynomial.
#[test]
fn weights_sum_to_the_first_order_weight() {
    let (schedule, grid) = quadratic(10);
    let first = ab(Variable::Time, 0)
        .coefficients(&schedule, &grid)
        .unwrap();
    for variable in [Variable::Time, Variable::Ratio, Variable::LogSnr] {
        for degree in 1..=3 {
            let steps = ab(variable, degree).coefficients(&schedule, &grid).unwrap();
            for (step, one) in steps.iter().zip(&first) {
                let sum: f64 = step.weights.iter().sum();
                assert!(
                    (sum - one.weights[0]).abs() < 1e-13,
                    "{variable:?} {degree}"
                );
            }
        }
    }
}

#[test]
fn end_points_on_the_quadratic_grid() {
    let (schedule, grid) = quadratic(10);
    let rows: [(&dyn Solver, [f64; 2]); 3] = [
        (&ab(Variable::Time, 3), [2.468_009_527, -0.137_827_269]),
        (&ab(Variable::Ratio, 2), [2.399_364_621, -0.151_027_425]),
        (&rk(tableau::KUTTA3), [2.488_194_741, -0.137_645_567]),
    ];
    for (solver, expected) in rows {
        let plan = solver.plan(&schedule, &grid).unwrap();
        let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
        for (g, e) in y.iter().zip(expected) {
            assert!((g - e).abs() < 1e-9, "{g} against {e}");
        }
    }
}

#[test]
fn convergence_of_adams_bashforth() {
    let first = [1.208229e-1, 3.049498e-2, 7.638827e-3];
    let [t, r, l] = [Variable::Time, Variable::Ratio, Variable::LogSnr];
    check_convergence(&[
        ("tAB0", &ab(t, 0), first, 1.00),
        ("rhoAB0", &ab(r, 0), first, 1.00),
        (
            "tAB1",
            &ab(t, 1),
            [3.349326e-2, 2.507440e-3, 1.638776e-4],
            1.99,
        ),
        (
            "tAB2",
            &ab(t, 2),
            [1.073022e-2, 2.335490e-4, 3.877065e-6],
            2.98,
        ),
        (
            "tAB3",
            &ab(t, 3),
            [5.784373e-3, 6.560182e-5, 3.884671e-7],
            3.90,
        ),
        (
            "rhoAB1",
            &ab(r, 1),
            [5.273430e-2, 4.245489e-3, 2.853480e-4],
            1.98,
        ),
        (
            "rhoAB2",
            &ab(r, 2),
            [3.432401e-2, 9.941710e-4, 1.824252e-5],
            2.96,
        ),
        (
            "rhoAB3",
            &ab(r, 3),
            [2.694327e-2, 3.125895e-4, 1.598965e-6],
            3.91,
        ),
        (
            "lambdaAB3",
            &ab(l, 3),
            [2.310046e-3, 1.070804e-5, 8.469014e-8],
            3.93,
        ),
    ]);
}

#[test]
fn convergence_of_runge_kutta() {
    check_convergence(&[
        (
            "Euler",
            &rk(tableau::EULER),
            [1.208229e-1, 3.049498e-2, 7.638827e-3],
            1.00,
        ),
        (
            "Heun2",
            &rk(tableau::HEUN2),
            [3.388240e-2, 1.881594e-3, 1.145192e-4],
            2.01,
        ),
        (
            "Kutta3",
            &rk(tableau::KUTTA3),
            [1.501056e-3, 2.332056e-5, 3.648992e-7],
            3.00,
        ),
        (
            "Heun3",
            &rk(tableau::HEUN3),
            [1.008887e-3, 1.602932e-5, 2.477217e-7],
            3.00,
        ),
        (
            "Ralston3",
            &rk(tableau::RALSTON3),
            [1.757690e-3, 2.818577e-5, 4.407235e-7],
            3.00,
        ),
        (
            "SSP3",
            &rk(tableau::SSP3),
            [3.592169e-3, 5.251454e-5, 8.077940e-7],
            3.00,
        ),
        (
            "vdH3",
            &rk(tableau::HOUWEN3),
            [2.079984e-3, 3.373497e-5, 5.286291e-7],
            3.00,
        ),
        // The same solution, with a stage more for the error estimate that a plan leaves out.
        (
            "Bogacki-Shampine",
            &rk(tableau::BOGACKI_SHAMPINE),
            [1.757690e-3, 2.818577e-5, 4.407235e-7],
            3.00,
        ),
        (
            "RK4",
            &rk(tableau::RK4),
            [4.706971e-4, 1.752697e-6, 6.732403e-9],
            4.00,
        ),
    ]);
}

#[test]
fn levels_at_small_budgets() {
    let [t, r] = [Variable::Time, Variable::Ratio];
    check_budgets(&[
        (
            "tAB1",
            &ab(t, 1),
            [
                [0.31145, 0.11740, 0.038664],
                [0.20718, 0.081565, 0.024752],
                [0.16635, 0.055603, 0.016792],
            ],
        ),
        (
            "tAB2",
            &ab(t, 2),
            [
                [0.21652, 0.063601, 0.015238],
                [0.19026, 0.073939, 0.011790],
                [0.11768, 0.026469, 0.0050300],
            ],
        ),
        (
            "tAB3",
            &ab(t, 3),
            [
                [0.19318, 0.041050, 0.0086973],
                [0.23129, 0.081612, 0.010314],
                [0.10883, 0.016382, 0.0020347],
            ],
        ),
        (
            "rhoAB2",
            &ab(r, 2),
            [
                [0.40439, 0.14968, 0.039058],
                [0.25077, 0.079452, 0.014172],
                [0.22276, 0.066686, 0.015267],
            ],
        ),
        (
            "rhoAB3",
            &ab(r, 3),
            [
                [0.40380, 0.14286, 0.031325],
                [0.24537, 0.076367, 0.011245],
                [0.22216, 0.062602, 0.011792],
            ],
        ),
    ]);
}

/// Degree 0 is DDIM; λAB is multistep DPM-Solver in the noise with exact integrals.
#[test]
fn identities_with_other_families() {
    let (schedule, grid) = quadratic(12);
    let dpm = |order| DpmMultistep {
        order,
        form: Form::Noise,
        coefficients: Coefficients::Taylor,
        lower_order: LowerOrder::Never,
    };
    let pairs: [(&dyn Solver, &dyn Solver); 4] = [
        (&ab(Variable::Time, 0), &Ddim { eta: 0.0 }),
        (&ab(Variable::Ratio, 0), &Ddim { eta: 0.0 }),
        (&ab(Variable::LogSnr, 1), &dpm(2)),
        (&ab(Variable::LogSnr, 2), &dpm(3)),
    ];
    let x = tb1::points(16);
    for (i, (a, b)) in pairs.into_iter().enumerate() {
        let [y, z] = [a, b].map(|s| run(&s.plan(&schedule, &grid).unwrap(), &Mixture::tb1(), &x));
        let worst = ansatz_testkit::measure::max_abs_diff(&y, &z);
        // Twelve steps of a contracting flow on numbers of size 3.
        assert!(worst < 1e-14 * 3.0, "pair {i}: {worst:e}");
    }
}

/// With σ = t and α = 1 time is the ratio; the reference of AB3 on the Karras grid (three digits).
#[test]
fn on_the_edm_schedule() {
    let schedule = Edm::default();
    let x: Vec<f64> = tb1::points(16).iter().map(|x| 80.0 * x).collect();
    let truth = exact(&schedule, &x);
    let table = [1.31e-1, 2.44e-2, 2.87e-3, 2.38e-4, 1.67e-5, 1.10e-6];
    for (levels, e) in [11, 21, 41, 81, 161, 321].into_iter().zip(table) {
        let grid = TimeGrid::new(&schedule, Spacing::KARRAS, levels - 1).unwrap();
        let [y, z] = [Variable::Time, Variable::Ratio].map(|v| {
            let plan = ab(v, 3).plan(&schedule, &grid).unwrap();
            run(&plan, &Mixture::tb1(), &x)
        });
        let got = rms(&z, &truth, 2);
        let half = 0.5 * 10_f64.powf(f64::log10(e).floor() - 2.0);
        assert!(
            (got - e).abs() < 1.01 * half,
            "N={levels}: {got:e}, table {e:e}"
        );
        // The coefficients agree to 1e-13; 80 of initial noise passes through them.
        assert!(ansatz_testkit::measure::max_abs_diff(&y, &z) < 1e-10);
    }
}

/// Section 22: λAB on labels, down to the level of label 0. Tolerance 1e-7.
#[test]
fn parity_with_diffusers() {
    let schedule = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    let rows = [
        (
            2,
            10,
            [
                2.257168356,
                -0.133109677,
                -0.582035559,
                -1.291317926,
                2.829227441,
            ],
        ),
        (
            2,
            20,
            [
                2.530529121,
                -0.133140398,
                -0.736593858,
                -1.387499009,
                3.018986961,
            ],
        ),
        (
            3,
            20,
            [
                2.529461196,
                -0.160739292,
                -0.764888479,
                -1.395937527,
                2.975726672,
            ],
        ),
    ];
    for (order, steps, expected) in rows {
        let labels = TimeGrid::labels(&schedule, LabelSpacing::Linspace, steps).unwrap();
        let mut times: Vec<f64> = labels.levels().iter().map(|l| l.t).collect();
        times[steps] = 0.0;
        let grid = TimeGrid::from_times(&schedule, &times).unwrap();
        let solver = Deis {
            variable: Variable::LogSnr,
            degree: order - 1,
            lower_order: if steps < 15 {
                LowerOrder::Final
            } else {
                LowerOrder::Never
            },
        };
        let model = Mixture::tb1().predicting(Prediction::Noise);
        let y = run(
            &solver.plan(&schedule, &grid).unwrap(),
            &model,
            &tb1::points(16),
        );
        let sum: f64 = y.iter().sum();
        for (g, e) in [y[0], y[1], y[2], y[3], sum].into_iter().zip(expected) {
            assert!(
                (g - e).abs() < 1e-7,
                "order {order} N={steps}: {g}, table {e}"
            );
        }
    }
}

/// The quadratic grid crowds labels at the data end: by hand for ten labels and eight steps.
#[test]
fn whole_labels_are_distinct() {
    let schedule = Discrete::new(Betas::Linear(1e-3, 0.2), 10).unwrap();
    let times = |steps| -> Vec<f64> {
        let grid = TimeGrid::whole_labels(&schedule, Spacing::QUADRATIC, steps).unwrap();
        grid.levels().iter().map(|l| l.t).collect()
    };
    // 9(1 − i/4)² = 9, 5.06, 2.25, 0.56, 0: label 0 twice, so that label 1 joins.
    assert_eq!(times(4), [9.0, 5.0, 2.0, 1.0, 0.0]);
    // 9(1 − i/6)² = 9, 6.25, 4, 2.25, 1, 0.25, 0: 3 joins.
    assert_eq!(times(6), [9.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    assert_eq!(times(9).len(), 10);
    assert!(matches!(
        TimeGrid::whole_labels(&schedule, Spacing::QUADRATIC, 10),
        Err(PlanError::Option { name: "steps", .. })
    ));
    assert!(TimeGrid::whole_labels(&schedule, Spacing::Time, 0).is_err());
}

/// Linear multistep of EDM programs to zero noise (f32 tables in the peer, hence 1e-4).
#[test]
fn linear_multistep_agrees_with_diffusers() {
    let schedule = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    let times: Vec<f64> = (0..20)
        .map(|i| 999.0 * (19.0 - f64::from(i)) / 19.0)
        .collect();
    let grid = TimeGrid::from_times(&schedule, &times)
        .unwrap()
        .with_clean_end();
    let plan = ab(Variable::Ratio, 3).plan(&schedule, &grid).unwrap();
    let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
    assert!(
        (y[0] - 2.482948).abs() < 1e-4 && (y[1] + 0.136073).abs() < 1e-4,
        "{:?}",
        &y[..2]
    );
}

#[test]
fn errors_are_typed() {
    let (schedule, grid) = quadratic(3);
    let degree = ab(Variable::Time, 4).plan(&schedule, &grid).unwrap_err();
    assert!(matches!(degree, PlanError::Option { name: "degree", .. }));
    let few = ab(Variable::Time, 3).plan(&schedule, &grid).unwrap_err();
    assert!(matches!(
        few,
        PlanError::TooFewSteps {
            needed: 4,
            got: 3,
            ..
        }
    ));
    let broken = Tableau {
        weights: &[0.5, 0.4],
        ..tableau::HEUN2
    };
    let outside = Tableau {
        nodes: &[0.0, 1.5],
        coefficients: &[&[], &[1.5]],
        ..tableau::HEUN2
    };
    let ragged = Tableau {
        coefficients: &[&[], &[]],
        ..tableau::HEUN2
    };
    let short = Tableau {
        coefficients: &[&[]],
        ..tableau::HEUN2
    };
    for tableau in [broken, outside, ragged, short] {
        let e = rk(tableau).plan(&schedule, &grid).unwrap_err();
        assert!(matches!(e, PlanError::Option { .. }), "{e}");
    }
    assert!(schedule.t_min() > 0.0);
}

/// To noiseless data: Ratio keeps its order, the others take the first-order step.
#[test]
fn a_clean_end_gives_finite_results() {
    let (schedule, grid) = quadratic(10);
    let grid = grid.with_clean_end();
    let solvers: [&dyn Solver; 5] = [
        &ab(Variable::Time, 3),
        &ab(Variable::Ratio, 3),
        &ab(Variable::LogSnr, 3),
        &rk(tableau::KUTTA3),
        &rk(tableau::HOUWEN3),
    ];
    for solver in solvers {
        let plan = solver.plan(&schedule, &grid).unwrap();
        let y = run(&plan, &Mixture::tb1(), &tb1::points(16));
        assert!((y[0] - tb1::VP_ENDS[0][0]).abs() < 0.2, "{}", y[0]);
    }
}
