//! Whatever grid and whatever option value: a result, or a typed error. Never a panic, never NaN.

use ansatz_core::{Key, NoiseSchedule, State, Tolerance, stream};
use ansatz_diffusion::diffeq::tableau;
use ansatz_diffusion::{
    Bdia, Betas, Bh, Blocks, Churn, Coefficients, ConsistencyModel, Ddim, Deis, Discrete,
    DpmAdaptive, DpmMultistep, DpmSinglestep, Edict, Edm, EvoDiff, FlowLinear, Form, HalfSteps,
    Heun, LabelSpacing, LowerOrder, OrderPair, PlanError, Pndm, Ramp, Rddm, ResidualTable,
    RhoRungeKutta, SampleError, Sampler, ScaledNoise, SdeDpmMultistep, Solver, Spacing, SubVp,
    TimeGrid, UniPc, UnitTime, Variable, VarianceExploding, VpCosine, VpLinear, WarmUp,
};
use ansatz_testkit::model::Mixture;
use proptest::prelude::*;

fn schedules() -> Vec<Box<dyn NoiseSchedule>> {
    let table = || Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    vec![
        Box::new(VpLinear::default()),
        Box::new(VpCosine::default()),
        Box::new(SubVp::default()),
        Box::new(VarianceExploding::default()),
        Box::new(Edm::default()),
        Box::new(FlowLinear::default()),
        // λ is −∞ at its noise end.
        Box::new(FlowLinear {
            t_max: 1.0,
            ..FlowLinear::default()
        }),
        Box::new(UnitTime(table())),
        Box::new(table()),
        Box::new(ScaledNoise::new(VpLinear::default(), 0.2).unwrap()),
    ]
}

fn start(grid: &TimeGrid) -> Vec<f64> {
    let mut x = vec![0.0; 8];
    x.fill_normal(Key::new(11), stream::INITIAL);
    let sigma = grid.start().sigma;
    for v in x.as_mut_slice() {
        *v *= sigma;
    }
    x
}

/// Runs what a solver makes of a grid. An error of the run may only come from a level where a
/// quantity does not exist or from numbers that left the range of `f64`.
fn check(name: &str, solver: &dyn Solver, schedule: &dyn NoiseSchedule, grid: &TimeGrid) {
    let plan = match solver.plan(schedule, grid) {
        Ok(plan) => plan,
        Err(e) => return assert!(!e.to_string().is_empty(), "{name}"),
    };
    let mut x = start(grid);
    match plan.sample(&Mixture::tb1(), &mut x, Key::new(1), &mut ()) {
        Ok(report) => {
            assert!(x.is_finite(), "{name}: a result that is not finite");
            assert_eq!(report.nfe, plan.nfe(), "{name}");
        }
        Err(e) => assert!(
            matches!(e, SampleError::NonFinite { .. } | SampleError::Eval { .. }),
            "{name}: {e}"
        ),
    }
}

/// Numbers that options do not expect, and some that they do.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => prop::num::f64::ANY,
        3 => -2.0..2.0_f64,
        1 => prop::sample::select(vec![
            0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX,
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any strictly decreasing times inside the range, evenly spread or not, with or without a
    /// noiseless end.
    #[test]
    fn any_grid(
        which in 0..10_usize,
        mut parts in prop::collection::vec(0.0..=1.0_f64, 2..12),
        near in prop::option::of(1e-15..1e-3_f64),
        clean in any::<bool>(),
    ) {
        let schedules = schedules();
        let schedule = &*schedules[which];
        // Some grids have two nodes almost at the same place.
        if let Some(gap) = near {
            parts.push((parts[0] - gap).max(0.0));
        }
        parts.sort_by(|a, b| b.total_cmp(a));
        parts.dedup();
        let (min, max) = (schedule.t_min(), schedule.t_max());
        let mut times: Vec<f64> = parts.iter().map(|p| min + (max - min) * p).collect();
        times.dedup();
        match TimeGrid::from_times(schedule, &times) {
            Ok(grid) => {
                let grid = if clean { grid.with_clean_end() } else { grid };
                for s in crate::laws::solvers() {
                    check(s.name, &*s.solver, schedule, &grid);
                }
                let adaptive = EvoDiff { batch: 4 };
                if let Ok(sampler) = adaptive.on(&grid) {
                    let mut x = start(&grid);
                    if sampler.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ()).is_ok() {
                        prop_assert!(x.is_finite());
                    }
                }
            }
            Err(e) => prop_assert!(
                matches!(
                    e,
                    PlanError::TooFewSteps { .. } | PlanError::LogSnrNotIncreasing { .. }
                ),
                "{}", e
            ),
        }
    }

    /// An ordinary grid of well separated nodes is never refused by a solver with enough steps.
    #[test]
    fn separated_grids_run(
        which in prop::sample::select(vec![0_usize, 1, 2, 3, 4, 5, 7, 8, 9]),
        gaps in prop::collection::vec(0.2..1.0_f64, 5..10),
    ) {
        let schedules = schedules();
        let schedule = &*schedules[which];
        let total: f64 = gaps.iter().sum();
        let (first, last) = (schedule.lambda(schedule.t_max()), schedule.lambda(schedule.t_min()));
        let mut times = vec![schedule.t_max()];
        let mut sum = 0.0;
        for gap in &gaps[..gaps.len() - 1] {
            sum += gap;
            times.push(schedule.t_of_lambda(first + (last - first) * sum / total));
        }
        times.push(schedule.t_min());
        let grid = TimeGrid::from_times(schedule, &times).unwrap();
        for s in crate::laws::solvers() {
            let plan = s.solver.plan(schedule, &grid).unwrap_or_else(|e| panic!("{}: {e}", s.name));
            let mut x = start(&grid);
            let run = plan.sample(&Mixture::tb1(), &mut x, Key::new(1), &mut ());
            prop_assert!(run.is_ok() && x.is_finite(), "{}: {:?}", s.name, run);
        }
    }

    /// Numbers of any kind in every option.
    #[test]
    fn any_option(
        a in number(),
        b in number(),
        c in number(),
        d in number(),
        order in 0..6_usize,
        steps in 1..8_usize,
        pick in 0..24_usize,
        clean in any::<bool>(),
    ) {
        let schedule = VpLinear::default();
        let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, steps).unwrap();
        let grid = if clean { grid.with_clean_end() } else { grid };
        let form = [Form::Data, Form::Noise][pick % 2];
        let lower_order = [LowerOrder::Auto, LowerOrder::Final, LowerOrder::Never][pick % 3];
        let coefficients = [
            Coefficients::Midpoint,
            Coefficients::Taylor,
            Coefficients::Published,
            Coefficients::PublishedTaylor,
        ][pick % 4];
        let multistep = DpmMultistep { order, form, coefficients, lower_order };
        let blocks = [Blocks::Even, Blocks::Ratios(a, b), Blocks::Fast, Blocks::Fixed][pick % 4];
        let variable = [Variable::Time, Variable::Ratio, Variable::LogSnr][pick % 3];
        let warm_up = [WarmUp::LowerOrder, WarmUp::ImprovedEuler, WarmUp::RungeKutta][pick % 3];
        let half_steps = [HalfSteps::Anywhere, HalfSteps::WholeLabels][pick % 2];
        let churn = Churn { amount: a, min: b, max: c, noise: d };
        let single = DpmSinglestep { order, form, coefficients, blocks };
        let solvers: [(&str, &dyn Solver); 12] = [
            ("ddim", &Ddim { eta: a }),
            ("multistep", &multistep),
            ("singlestep", &single),
            ("sde", &SdeDpmMultistep { multistep, eta: a, noise_scale: b }),
            ("unipc", &UniPc { order, form, bh: [Bh::One, Bh::Two][pick % 2], lower_order }),
            ("deis", &Deis { variable, degree: order, lower_order }),
            ("rk", &RhoRungeKutta { tableau: *tableau::ALL[pick % 12] }),
            ("pndm", &Pndm { outputs: order, warm_up, half_steps }),
            ("rddm", &Rddm { eta: a }),
            ("heun", &Heun { churn: Some(churn), ..Heun::default() }),
            ("bdia", &Bdia { gamma: a, ..Bdia::default() }),
            ("edict", &Edict { mixing: a, ..Edict::default() }),
        ];
        for (name, solver) in solvers {
            check(name, solver, &schedule, &grid);
        }
        if let Ok(grid) = single.grid(&schedule, Spacing::LogSnr, steps) {
            check("singlestep on its grid", &single, &schedule, &grid);
        }
        let adaptive = DpmAdaptive {
            pair: [OrderPair::OneTwo, OrderPair::TwoThree][pick % 2],
            form,
            tolerance: Tolerance::new(a, b),
            safety: c,
            first_step: d,
            max_nfe: 60,
            batch: order,
        };
        if let Ok(sampler) = adaptive.on(&schedule) {
            let mut x = start(&grid);
            if sampler.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ()).is_ok() {
                prop_assert!(x.is_finite());
            } else {
                prop_assert_eq!(x, start(&grid));
            }
        }
        let _ = TimeGrid::between(&schedule, Spacing::Power(a), steps, b, c);
        let _ = TimeGrid::between(&schedule, Spacing::Karras(a), steps, 1.0, 0.5);
        let _ = TimeGrid::from_times(&schedule, &[a, b, c, d]);
        let _ = ScaledNoise::new(VpLinear::default(), a);
        let _ = ConsistencyModel::with_constants(Mixture::tb1(), a, b);
        let _ = ResidualTable::from_tables(vec![a, b], vec![c, d]);
        let ramp = [Ramp::Decreased, Ramp::Increased, Ramp::Average][pick % 3];
        if let Ok(table) = ResidualTable::new(ramp, ramp, a, order)
            && let Ok(grid) = table.grid(steps)
        {
            check("rddm on its grid", &Rddm::default(), &schedule, &grid);
        }
        let _ = Discrete::mean_reverting(order, a);
        let _ = Discrete::from_log_alpha(vec![a, b, c]);
        let table = Discrete::new(Betas::Linear(1e-4, 0.02), 10).unwrap();
        let _ = table.clone().truncated(a);
        let _ = TimeGrid::labels(&table, LabelSpacing::Origins(order), steps);
    }
}
