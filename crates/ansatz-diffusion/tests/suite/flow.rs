//! The probability flow: maps, densities, divergence estimates, errors (sections 2 and 3).

use std::ops::ControlFlow;

use ansatz_core::denoiser::from_fn;
use ansatz_core::{
    Counted, DivergenceDenoiser, EvalError, Event, Key, NoiseLevel, NoiseSchedule, Prediction,
};
use ansatz_diffusion::flow::{bits_per_dim, normal_log_density};
use ansatz_diffusion::{
    Clock, Edm, ExactTrace, FlowLinear, Hutchinson, PlanError, ProbabilityFlow, SampleError,
    Sampler, SubVp, VarianceExploding, VpCosine, VpLinear,
};
use ansatz_testkit::model::{Gaussian, Mixture};
use ansatz_testkit::{Analytic, laws, measure, tb1};

fn tight(schedule: &dyn NoiseSchedule) -> ProbabilityFlow<'_> {
    ProbabilityFlow::new(schedule).with_tolerance(1e-12, 1e-12)
}

/// End points of TB1 in both clocks, for models of every kind, and the way back.
#[test]
fn samples_are_the_exact_end_points() {
    let schedule = VpLinear::default();
    let start = tb1::points(16);
    for clock in [Clock::Time, Clock::LogSnr] {
        for kind in [Prediction::Data, Prediction::Noise, Prediction::Velocity] {
            let model = Mixture::tb1().predicting(kind);
            let flow = ProbabilityFlow {
                clock,
                ..tight(&schedule)
            };
            let mut x = start.clone();
            flow.sample(&model, &mut x, Key::new(0), &mut ()).unwrap();
            // The table has ten decimals.
            let error = measure::max_abs_diff(&x, &tb1::VP_ENDS.concat());
            assert!(error < 2e-10, "{clock:?} {kind:?}: {error:e}");
            flow.map(&model, &mut x, (flow.data, flow.noise), &mut ())
                .unwrap();
            let error = measure::max_abs_diff(&x, &start);
            assert!(error < 1e-8, "{clock:?} {kind:?} back: {error:e}");
        }
    }
}

/// At the paper's tolerance a black-box solver is off by about 1e-4. Which variable is cheaper
/// depends on the schedule: the time of the paper's process, λ where the time is very uneven.
#[test]
fn cost_and_error_at_the_published_tolerance() {
    let (vp, edm) = (VpLinear::default(), Edm::default());
    let cost = |schedule: &dyn NoiseSchedule, scale: f64, clock| {
        let flow = ProbabilityFlow {
            clock,
            ..ProbabilityFlow::new(schedule)
        };
        let model = Counted::new(Mixture::tb1());
        let mut x: Vec<f64> = tb1::points(16).iter().map(|x| scale * x).collect();
        let report = flow.sample(&model, &mut x, Key::new(0), &mut ()).unwrap();
        assert_eq!(report.nfe, model.nfe());
        let ends = if scale > 1.0 {
            tb1::EDM_ENDS.concat()
        } else {
            tb1::VP_ENDS.concat()
        };
        let error = measure::max_abs_diff(&x[..ends.len()], &ends);
        assert!(error < 5e-4, "{clock:?}: {error:e}");
        report.nfe
    };
    let [a, b] = [Clock::Time, Clock::LogSnr].map(|c| cost(&vp, 1.0, c));
    assert!(a < b && b < 150, "{a} and {b}");
    let [a, b] = [Clock::Time, Clock::LogSnr].map(|c| cost(&edm, 80.0, c));
    assert!(2 * b < a, "{a} and {b}");
}

/// The flow map of a Gaussian in closed form, for every schedule, and its composition.
#[test]
fn flow_maps_of_gaussians() {
    let model = Gaussian::new(&[0.0, 1.0], &[0.25, 2.0]).unwrap();
    let schedules: [&dyn NoiseSchedule; 6] = [
        &VpLinear::default(),
        &VpCosine::default(),
        &SubVp::default(),
        &VarianceExploding::default(),
        &Edm::default(),
        &FlowLinear::default(),
    ];
    for schedule in schedules {
        let flow = tight(schedule);
        let (a, c) = (flow.noise, flow.data);
        let b = schedule.t_of_lambda(0.3 * schedule.lambda(a) + 0.7 * schedule.lambda(c));
        let start: Vec<f64> = tb1::points(4)
            .iter()
            .map(|x| schedule.sigma(a) * x)
            .collect();
        let (mut once, mut exact) = (start.clone(), start.clone());
        flow.map(&model, &mut once, (a, c), &mut ()).unwrap();
        let (from, to) = (schedule.level(a), schedule.level(c));
        model
            .probability_flow(&start, &from, &to, &mut exact)
            .unwrap();
        let error = measure::max_abs_diff(&once, &exact);
        assert!(error < 1e-9, "t_max = {a}: {error:e}");
        let mut twice = start.clone();
        flow.map(&model, &mut twice, (a, b), &mut ()).unwrap();
        flow.map(&model, &mut twice, (b, c), &mut ()).unwrap();
        let error = measure::max_abs_diff(&once, &twice);
        assert!(
            error < 1e-9,
            "composition from {a} by {b} to {c}: {error:e}"
        );
        let mut still = start.clone();
        let report = flow.map(&model, &mut still, (b, b), &mut ()).unwrap();
        assert_eq!((still, report.nfe), (start, 0));
    }
}

/// x_VP/α and x_EDM share a path at equal ρ.
#[test]
fn variance_preserving_and_edm_flows_are_one() {
    let vp = VpLinear::default();
    let (start, end) = (vp.level(vp.t_max), vp.level(vp.t_min));
    let edm = Edm {
        sigma_min: end.rho(),
        sigma_max: start.rho(),
    };
    let model = Mixture::tb1();
    let mut x = tb1::points(16);
    let mut y: Vec<f64> = x.iter().map(|v| v / start.alpha).collect();
    for (schedule, state) in [(&vp as &dyn NoiseSchedule, &mut x), (&edm, &mut y)] {
        let flow = ProbabilityFlow::new(schedule).with_tolerance(1e-13, 1e-13);
        flow.sample(&model, state, Key::new(0), &mut ()).unwrap();
    }
    for v in &mut x {
        *v /= end.alpha;
    }
    let error = measure::max_abs_diff(&x, &y);
    assert!(error < 1e-10, "{error:e}");
}

/// Densities at the first four end points, and the bias of the normal prior (section 3).
#[test]
fn densities() {
    let schedule = VpLinear::default();
    let model = Mixture::tb1().predicting(Prediction::Noise);
    // To more digits than the table has: the density at (rounded) points would be off by 1e-9.
    let mut x = tb1::points(16);
    tight(&schedule)
        .sample(&model, &mut x, Key::new(0), &mut ())
        .unwrap();
    x.truncate(8);
    let expected = [-3.89792497, -2.40569937, -2.66116181, -2.20099551];
    let biased = [-3.90312590, -2.40394649, -2.65957864, -2.20446278];
    let [from, to] = [schedule.t_min, schedule.t_max].map(|t| schedule.level(t));
    let mut truth = [0.0; 4];
    model.log_density(&x, &from, &mut truth).unwrap();
    for clock in [Clock::Time, Clock::LogSnr] {
        let flow = ProbabilityFlow {
            clock,
            ..tight(&schedule)
        };
        let encoded = flow.encode(&model, &x, 4).unwrap();
        let mut end = [0.0; 4];
        model.log_density(&encoded.latent, &to, &mut end).unwrap();
        let log_p = encoded.log_density(&end).unwrap();
        assert!(measure::max_abs_diff(&log_p, &truth) < 1e-9, "{log_p:?}");
        assert!(measure::max_abs_diff(&log_p, &expected) < 6e-9, "{log_p:?}");
        let prior = normal_log_density(&encoded.latent, 4, 1.0).unwrap();
        let log_p = encoded.log_density(&prior).unwrap();
        assert!(measure::max_abs_diff(&log_p, &biased) < 6e-9, "{log_p:?}");
        assert!(encoded.log_density(&[0.0; 3]).is_err());
    }
    // The same from products: exact, and the mean over all sign patterns of one sample.
    let flow = tight(&schedule);
    let exact = flow.encode(&model, &x, 4).unwrap();
    let by_products = ExactTrace::new(model.clone());
    let products = flow.encode(&by_products, &x, 4).unwrap();
    let error = measure::max_abs_diff(&products.log_volume, &exact.log_volume);
    assert!(error < 1e-9, "{error:e}");
}

/// In two dimensions an estimate with signs is off by twice the off-diagonal entry; the four
/// patterns average to the exact divergence.
#[test]
fn hutchinson() {
    let model = Mixture::tb1().predicting(Prediction::Noise);
    let schedule = VpLinear::default();
    let (x, at) = (tb1::SPOT.to_vec(), schedule.level(0.3));
    let mut exact = [0.0];
    model.divergence(&x, &at, &mut exact).unwrap();
    let mut sum = 0.0;
    for probe in [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]] {
        let estimate = Hutchinson::with_probe(model.clone(), probe.to_vec());
        let mut d = [0.0];
        estimate.divergence(&x, &at, &mut d).unwrap();
        assert!((d[0] - exact[0]).abs() > 1e-3, "the off-diagonal entry");
        sum += 0.25 * d[0];
    }
    assert!((sum - exact[0]).abs() < 1e-12);
    // 4096 copies of one point with random signs, through a whole solve: mean within five
    // standard errors of the exact volume.
    let many: Vec<f64> = x.repeat(4096);
    let flow = ProbabilityFlow::new(&schedule).with_tolerance(1e-8, 1e-8);
    let exact = flow.encode(&model, &x, 1).unwrap().log_volume[0];
    for estimate in [
        Hutchinson::rademacher(model.clone(), &many, Key::new(4)),
        Hutchinson::gaussian(model.clone(), &many, Key::new(4)),
    ] {
        let got = flow.encode(&estimate, &many, 4096).unwrap().log_volume;
        let n = got.len() as f64;
        let mean = got.iter().sum::<f64>() / n;
        let variance = got.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let limit = 5.0 * (variance / n).sqrt();
        assert!(
            variance > 1e-6 && (mean - exact).abs() < limit,
            "{mean} {exact} {limit}"
        );
    }
    let short = Hutchinson::rademacher(model, &vec![0.0; 2], Key::new(0));
    let error = flow.encode(&short, &many, 4096).unwrap_err();
    assert!(matches!(
        error,
        SampleError::Eval {
            source: EvalError::Length { .. },
            ..
        }
    ));
}

#[test]
fn bits() {
    let log_p = -3072.0 * 2.5 * std::f64::consts::LN_2;
    assert!((bits_per_dim(log_p, 3072, 7.0) - 9.5).abs() < 1e-12);
}

/// f32 states keep their volumes in f64; threads change no bit.
#[test]
fn precision_and_threads() {
    let schedule = VpLinear::default();
    let model = Mixture::tb1();
    let flow = ProbabilityFlow::new(&schedule);
    let x = tb1::points(20_000);
    let single: Vec<f32> = x.iter().map(|v| *v as f32).collect();
    let a = flow.encode(&model, &x, 20_000).unwrap();
    let b = flow.encode(&model, &single, 20_000).unwrap();
    // Two solves to 1e-5 on one scale of errors each.
    assert!(measure::max_abs_diff(&a.log_volume, &b.log_volume) < 2e-2);
    laws::same_for_threads(|| {
        let mut x = x.clone();
        flow.sample(&model, &mut x, Key::new(0), &mut ()).unwrap();
        x
    });
}

#[test]
fn observers_see_times() {
    let schedule = VpLinear::default();
    let flow = ProbabilityFlow::new(&schedule);
    let mut seen = Vec::new();
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        seen.push(e.level);
        ControlFlow::Continue(())
    };
    let mut x = tb1::points(4);
    flow.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut observer)
        .unwrap();
    assert!(
        seen.windows(2)
            .all(|w| w[0].t > w[1].t && w[0].alpha < w[1].alpha)
    );
    assert_eq!(seen.last().unwrap().t, schedule.t_min);
    let mut first = |e: &Event<'_, Vec<f64>>| match e.step {
        1 => ControlFlow::Break(()),
        _ => panic!("stopped before"),
    };
    let report = flow
        .sample(&Mixture::tb1(), &mut x, Key::new(0), &mut first)
        .unwrap();
    assert!(report.stopped_early && report.steps == 1);
}

#[test]
fn errors() {
    let schedule = VpLinear::default();
    let flow = ProbabilityFlow::new(&schedule);
    let start = tb1::points(4);
    let mut x = start.clone();
    let late = flow.map(&Mixture::tb1(), &mut x, (2.0, 0.5), &mut ());
    assert!(matches!(
        late,
        Err(SampleError::Plan(PlanError::TimeOutOfRange {
            index: 0,
            t: 2.0,
            ..
        }))
    ));
    let clean = FlowLinear {
        t_min: 0.0,
        t_max: 1.0,
    };
    let infinite =
        ProbabilityFlow::new(&clean).sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ());
    assert!(matches!(
        infinite,
        Err(SampleError::Plan(PlanError::Coefficient { step: 0, .. }))
    ));
    let model = from_fn(
        Prediction::Noise,
        |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            out.clone_from(x);
            if at.t < 0.4 {
                out[3] = f64::NAN;
            }
            Ok(())
        },
    );
    let error = flow
        .sample(&model, &mut x, Key::new(0), &mut ())
        .unwrap_err();
    assert!(
        matches!(error, SampleError::NonFinite { what: "model output", step, t }
            if step > 0 && t < 0.4 && t > 0.35),
        "{error}"
    );
    assert_eq!(x, start);
    let lazy = ProbabilityFlow {
        options: ansatz_diffusion::diffeq::Options {
            max_steps: 3,
            ..flow.options
        },
        ..flow
    };
    let error = lazy.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ());
    assert!(matches!(error, Err(SampleError::Solve { .. })));
    for samples in [0, 3, 9] {
        let error = flow.encode(&Mixture::tb1(), &start, samples);
        assert!(matches!(
            error,
            Err(SampleError::Plan(PlanError::Option {
                name: "samples",
                ..
            }))
        ));
    }
    assert!(normal_log_density(&start, 4, 0.0).is_err());
}
