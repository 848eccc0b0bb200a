//! The laws that every solver keeps. A new solver is one line in [`solvers`].

use std::ops::ControlFlow;

use ansatz_core::denoiser::from_fn;
use ansatz_core::{
    Counted, Denoiser, EvalError, Event, Key, NoiseLevel, Prediction, State, stream,
};
use ansatz_diffusion::diffeq::tableau;
use ansatz_diffusion::{
    Bdia, Bh, Churn, Coefficients, Consistency, Ddim, Deis, DenoiseToZero, DpmMultistep,
    DpmSinglestep, Edict, Form, Heun, LowerOrder, OBelm, Plan, PlanError, Pndm, Predictor, Rddm,
    ReverseSde, ReversibleHeun, RhoRungeKutta, SampleError, SdeDpmMultistep, Solver, Spacing,
    TimeGrid, UniPc, Variable, VpLinear,
};
use ansatz_testkit::measure;
use ansatz_testkit::model::{Gaussian, Mixture};

/// What a solver promises.
pub(crate) struct Promise {
    pub(crate) name: &'static str,
    pub(crate) solver: Box<dyn Solver>,
    /// Order of a deterministic solver on a smooth problem; `None` for stochastic ones.
    order: Option<f64>,
    /// Evaluations in `steps` steps.
    nfe: fn(usize) -> usize,
}

fn promise(
    name: &'static str,
    solver: impl Solver + 'static,
    order: impl Into<Option<f64>>,
    nfe: fn(usize) -> usize,
) -> Promise {
    Promise {
        name,
        solver: Box::new(solver),
        order: order.into(),
        nfe,
    }
}

fn multistep(order: usize, form: Form, coefficients: Coefficients) -> DpmMultistep {
    DpmMultistep {
        order,
        form,
        coefficients,
        lower_order: LowerOrder::Never,
    }
}

fn deis(variable: Variable, degree: usize) -> Deis {
    Deis {
        variable,
        degree,
        ..Deis::default()
    }
}

fn unipc(order: usize, bh: Bh) -> UniPc {
    UniPc {
        order,
        bh,
        lower_order: LowerOrder::Never,
        ..UniPc::default()
    }
}

fn reverse(predictor: Predictor) -> ReverseSde {
    ReverseSde {
        predictor,
        ..ReverseSde::default()
    }
}

/// Every solver of the crate.
pub(crate) fn solvers() -> Vec<Promise> {
    let singlestep_2 = DpmSinglestep {
        order: 2,
        form: Form::Noise,
        ..DpmSinglestep::default()
    };
    let churn = Churn {
        amount: 10.0,
        min: 0.05,
        max: 50.0,
        noise: 1.003,
    };
    vec![
        promise("ddim", Ddim::default(), 1.0, |n| n),
        promise("ddim eta 0.5", Ddim { eta: 0.5 }, None, |n| n),
        promise("ddpm", Ddim { eta: 1.0 }, None, |n| n),
        promise(
            "reverse sde",
            reverse(Predictor::EulerMaruyama),
            None,
            |n| n,
        ),
        promise(
            "reverse diffusion",
            reverse(Predictor::ReverseDiffusion),
            None,
            |n| n,
        ),
        promise("ancestral", reverse(Predictor::Ancestral), None, |n| n),
        promise(
            "++2m",
            multistep(2, Form::Data, Coefficients::Midpoint),
            2.0,
            |n| n,
        ),
        promise(
            "++2m taylor",
            multistep(2, Form::Data, Coefficients::Taylor),
            2.0,
            |n| n,
        ),
        promise(
            "2m noise",
            multistep(2, Form::Noise, Coefficients::Midpoint),
            2.0,
            |n| n,
        ),
        promise(
            "++3m",
            multistep(3, Form::Data, Coefficients::Taylor),
            3.0,
            |n| n,
        ),
        promise(
            "++3m published",
            multistep(3, Form::Data, Coefficients::Published),
            2.0,
            |n| n,
        ),
        promise("++2m lowered", DpmMultistep::default(), None, |n| n),
        promise("euler", Heun::euler(), 1.0, |n| n),
        promise("heun", Heun::default(), 2.0, |n| 2 * n),
        promise(
            "heun churn",
            Heun {
                churn: Some(churn),
                ..Heun::default()
            },
            None,
            |n| 2 * n,
        ),
        promise("bdia", Bdia::default(), 2.0, |n| n),
        promise(
            "bdia 0.5",
            Bdia {
                gamma: 0.5,
                ..Bdia::default()
            },
            1.0,
            |n| n,
        ),
        promise("o-belm", OBelm, 2.0, |n| n),
        promise("reversible heun", ReversibleHeun, 2.0, |n| n + 1),
        promise("edict", Edict::default(), 1.0, |n| 2 * n),
        promise("tab1", deis(Variable::Time, 1), 2.0, |n| n),
        promise("tab3", Deis::default(), 4.0, |n| n),
        promise("rho-ab2", deis(Variable::Ratio, 2), 3.0, |n| n),
        promise("lambda-ab3", deis(Variable::LogSnr, 3), 4.0, |n| n),
        promise("ipndm", Pndm::ipndm(), 2.0, |n| n),
        promise("s-pndm", Pndm::s_pndm(), 2.0, |n| n + 1),
        promise("plms", Pndm::plms(), 2.0, |n| n + 1),
        promise("f-pndm", Pndm::f_pndm(), 2.0, |n| n + 9),
        promise("consistency", Consistency, None, |n| n),
        promise("rddm", Rddm::default(), 1.0, |n| 2 * n),
        promise("rddm eta 1", Rddm { eta: 1.0 }, None, |n| 2 * n),
        promise("rho-rk3", RhoRungeKutta::default(), 3.0, |n| 3 * n),
        promise(
            "rho-rk4",
            RhoRungeKutta {
                tableau: tableau::RK4,
            },
            4.0,
            |n| 4 * n,
        ),
        promise(
            "rho-rk5",
            RhoRungeKutta {
                tableau: tableau::TSITOURAS,
            },
            5.0,
            |n| 6 * n,
        ),
        promise("++3s", DpmSinglestep::default(), 3.0, |n| 3 * n),
        promise("2s", singlestep_2, 2.0, |n| 2 * n),
        promise("unipc-2", unipc(2, Bh::Two), 3.0, |n| n),
        promise("unipc-3", unipc(3, Bh::One), 4.0, |n| n),
        promise("unipc lowered", UniPc::default(), None, |n| n),
        promise("sde ++2m", SdeDpmMultistep::default(), None, |n| n),
        promise(
            "++2m denoised",
            DenoiseToZero(DpmMultistep::default()),
            None,
            |n| n + 1,
        ),
    ]
}

fn plan(solver: &dyn Solver, steps: usize) -> Plan {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps).unwrap();
    solver.plan(&schedule, &grid).unwrap()
}

fn noise(len: usize) -> Vec<f64> {
    let mut x = vec![0.0; len];
    x.fill_normal(Key::new(3), stream::INITIAL);
    x
}

/// The declared order, on Gaussians of several widths (flow in closed form) and on TB1.
///
/// The widths are measured together: a single width is a scalar problem, whose error may change
/// sign between two grids and show any slope.
#[test]
fn order() {
    let schedule = VpLinear::default();
    let gaussian = Gaussian::new(&[0.0, 1.0, -0.5, 0.2], &[0.25, 0.09, 2.0, 1.3]).unwrap();
    let start = ansatz_testkit::tb1::points(16);
    let mut narrow = start.clone();
    let (from, to) = (start_level(&schedule), end_level(&schedule));
    gaussian
        .probability_flow(&start, &from, &to, &mut narrow)
        .unwrap();
    let mixture = crate::common::exact(&schedule, &start);
    for s in solvers() {
        let Some(order) = s.order else { continue };
        let slope = |model: &dyn Denoiser<Vec<f64>>, exact: &[f64]| {
            let errors = [320, 640].map(|n| {
                let mut x = start.clone();
                plan(&*s.solver, n)
                    .sample(model, &mut x, Key::new(0), &mut ())
                    .unwrap();
                measure::rms(&x, exact, 2)
            });
            measure::slopes(&errors)[0]
        };
        let on_tb1 = slope(&Mixture::tb1(), &mixture);
        assert!(
            (on_tb1 - order).abs() < 0.25,
            "{} on TB1: order {on_tb1}, declared {order}",
            s.name
        );
        // A third-order multistep starts with a first-order step. That error has a factor of α² at
        // the noise end, and on the Gaussian, where all else is small, it is what one sees.
        if order < 2.5 {
            let got = slope(&gaussian, &narrow);
            assert!(
                (got - order).abs() < 0.25,
                "{} on a Gaussian: order {got}, declared {order}",
                s.name
            );
        }
    }
}

fn start_level(schedule: &VpLinear) -> NoiseLevel {
    ansatz_core::NoiseSchedule::level(schedule, schedule.t_max)
}

fn end_level(schedule: &VpLinear) -> NoiseLevel {
    ansatz_core::NoiseSchedule::level(schedule, schedule.t_min)
}

/// Calls of the model: as planned, as promised, as reported, as counted.
#[test]
fn evaluation_count() {
    for s in solvers() {
        for steps in [4, 11] {
            let plan = plan(&*s.solver, steps);
            let model = Counted::new(Mixture::tb1());
            let report = plan
                .sample(&model, &mut noise(8), Key::new(0), &mut ())
                .unwrap();
            let counts = [plan.nfe(), report.nfe, model.nfe()];
            assert_eq!(counts, [(s.nfe)(steps); 3], "{} in {steps} steps", s.name);
            assert!(
                report.steps >= steps - 1 && !report.stopped_early,
                "{}: {report:?}",
                s.name
            );
        }
    }
}

/// States in f32 follow states in f64 to their own precision.
#[test]
fn single_precision() {
    for s in solvers() {
        let plan = plan(&*s.solver, 20);
        let mut x = noise(32);
        let mut y: Vec<f32> = x.iter().map(|v| *v as f32).collect();
        plan.sample(&Mixture::tb1(), &mut x, Key::new(1), &mut ())
            .unwrap();
        plan.sample(&Mixture::tb1(), &mut y, Key::new(1), &mut ())
            .unwrap();
        let y: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
        let difference = measure::max_abs_diff(&x, &y);
        // 20 steps of a few roundings each, on values up to 3, with mild amplification.
        assert!(difference < 2e-4, "{}: {difference:e}", s.name);
    }
}

/// The same bits in pools of one, two and three threads, for a state large enough to be split.
#[test]
fn threads() {
    for s in solvers() {
        let plan = plan(&*s.solver, 4);
        ansatz_testkit::laws::same_for_threads(|| {
            let mut x = noise(100_002);
            plan.sample(&Mixture::tb1(), &mut x, Key::new(5), &mut ())
                .unwrap();
            x
        });
    }
}

/// An observer sees every step and can end the run, which then holds what the observer saw.
#[test]
fn early_stop() {
    for s in solvers() {
        let plan = plan(&*s.solver, 12);
        let mut seen = Vec::new();
        let mut observer = |e: &Event<'_, Vec<f64>>| {
            assert_eq!(e.step, seen.len() + 1);
            assert!(e.state.is_finite());
            seen.push(e.state.clone());
            if e.step == 5 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let mut x = noise(8);
        let report = plan
            .sample(&Mixture::tb1(), &mut x, Key::new(2), &mut observer)
            .unwrap();
        assert!(
            report.stopped_early && report.steps == 5,
            "{}: {report:?}",
            s.name
        );
        assert_eq!(Some(&x), seen.last(), "{}", s.name);
    }
}

/// A failing model, a NaN, an infinity, a resized output and bad inputs: typed errors, `x` unchanged.
#[test]
fn failures() {
    type Output<'a> = &'a mut Vec<f64>;
    let failing: [(&str, fn(Output<'_>) -> Result<(), EvalError>); 4] = [
        ("nan", |out| {
            out[3] = f64::NAN;
            Ok(())
        }),
        ("infinity", |out| {
            out[0] = f64::INFINITY;
            Ok(())
        }),
        ("length", |out| {
            out.pop();
            Ok(())
        }),
        ("error", |_| Err(EvalError::model(std::fmt::Error))),
    ];
    for s in solvers() {
        let plan = plan(&*s.solver, 6);
        for (what, spoil) in failing {
            // Good until the middle of the trajectory.
            let model = from_fn(
                Prediction::Data,
                |_: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
                    out.fill(0.5);
                    if at.t < 0.3 { spoil(out) } else { Ok(()) }
                },
            );
            let start = noise(8);
            let mut x = start.clone();
            let error = plan
                .sample(&model, &mut x, Key::new(0), &mut ())
                .unwrap_err();
            let right = match what {
                "length" => matches!(
                    error,
                    SampleError::Eval {
                        source: EvalError::Length {
                            expected: 8,
                            got: 7,
                            ..
                        },
                        ..
                    }
                ),
                "error" => matches!(
                    error,
                    SampleError::Eval {
                        source: EvalError::Model(_),
                        ..
                    }
                ),
                _ => matches!(error, SampleError::NonFinite { step, t, .. }
                    if step > 0 && t < 0.3),
            };
            assert!(right, "{} with {what}: {error}", s.name);
            assert_eq!(x, start, "{} with {what}: the state changed", s.name);
        }
        let model = Mixture::tb1();
        let empty = plan.sample(&model, &mut Vec::<f64>::new(), Key::new(0), &mut ());
        assert!(
            matches!(empty, Err(SampleError::Length { got: 0, .. })),
            "{}",
            s.name
        );
        let nan = plan.sample(&model, &mut vec![f64::NAN, 0.0], Key::new(0), &mut ());
        assert!(
            matches!(
                nan,
                Err(SampleError::NonFinite {
                    what: "initial state",
                    ..
                })
            ),
            "{}",
            s.name
        );
        let odd = plan.sample(&model, &mut vec![0.0; 3], Key::new(0), &mut ());
        assert!(
            matches!(odd, Err(SampleError::Eval { .. })),
            "{}: a model of dimension 2",
            s.name
        );
    }
}

/// Grids that no solver can use never come to be.
#[test]
fn bad_grids() {
    let schedule = VpLinear::default();
    let from = |times: &[f64]| TimeGrid::from_times(&schedule, times).unwrap_err();
    assert!(
        matches!(from(&[0.5, 0.7]), PlanError::GridNotDecreasing { index: 0, t, next } if t < next)
    );
    assert!(matches!(
        from(&[0.5, 0.5]),
        PlanError::GridNotDecreasing { .. }
    ));
    assert!(matches!(
        from(&[0.5, f64::NAN]),
        PlanError::TimeOutOfRange { index: 1, .. }
    ));
    assert!(matches!(
        from(&[0.5, 0.0]),
        PlanError::TimeOutOfRange { .. }
    ));
    assert!(matches!(
        from(&[2.0, 0.5]),
        PlanError::TimeOutOfRange { index: 0, .. }
    ));
    assert!(matches!(
        from(&[0.5]),
        PlanError::TooFewSteps {
            needed: 1,
            got: 0,
            ..
        }
    ));
    assert!(matches!(from(&[]), PlanError::TooFewSteps { .. }));
    for spacing in [
        Spacing::Time,
        Spacing::Power(0.0),
        Spacing::Power(f64::NAN),
        Spacing::Karras(-7.0),
    ] {
        let steps = if spacing == Spacing::Time { 0 } else { 4 };
        assert!(
            TimeGrid::new(&schedule, spacing, steps).is_err(),
            "{spacing:?}"
        );
    }
    let message = from(&[0.5, 0.7]).to_string();
    assert_eq!(
        message,
        "time grid must be strictly decreasing: t[0] = 0.5, t[1] = 0.7"
    );
    for s in solvers() {
        let one = TimeGrid::new(&schedule, Spacing::Time, 1).unwrap();
        match s.solver.plan(&schedule, &one) {
            Ok(plan) => assert!(plan.nfe() >= 1),
            Err(e) => assert!(
                matches!(e, PlanError::TooFewSteps { .. }),
                "{}: {e}",
                s.name
            ),
        }
    }
}

/// Answering requests from outside gives the bits of running inside; a lost request comes again.
#[test]
fn pulling() {
    use ansatz_diffusion::Progress;
    let model = Mixture::tb1();
    for s in solvers() {
        let plan = plan(&*s.solver, 6);
        let mut pushed = noise(8);
        plan.sample(&model, &mut pushed, Key::new(0), &mut ())
            .unwrap();
        let mut run = plan.start(noise(8), Key::new(0)).unwrap();
        let mut dropped = false;
        loop {
            match run.advance().unwrap() {
                Progress::Eval(request) => {
                    if !dropped {
                        dropped = true;
                        continue;
                    }
                    let want = request.want();
                    let mut y = request.x().zeros_like();
                    model
                        .eval_as(want, request.x(), &request.level(), &mut y)
                        .unwrap();
                    request.answer(want, &y).unwrap();
                }
                Progress::Step(_) => {}
                Progress::Done => break,
            }
        }
        let (states, report) = run.finish();
        assert_eq!(states[0], pushed, "{}", s.name);
        assert_eq!(report.nfe, plan.nfe(), "{}", s.name);
    }
}
