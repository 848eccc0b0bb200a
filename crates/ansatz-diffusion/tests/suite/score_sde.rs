//! Section 3: the published samplers of the three processes, predictor-corrector, imputation.

use std::ops::ControlFlow;

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Counted, Event, Key, NoiseSchedule, Prediction, State};
use ansatz_diffusion::{
    Ddim, Known, Langevin, LangevinStep, LastStep, PlanError, Predictor, PredictorCorrector,
    Process, ReverseSde, SampleError, Sampler, ScoreSde, Solver, Spacing, SubVp, TimeGrid,
    Transition, VarianceExploding, VpLinear,
};
use ansatz_testkit::model::{Gaussian, Mixture};
use ansatz_testkit::{laws, measure, tb1};

const EM: Predictor = Predictor::EulerMaruyama;
const REVERSE: Predictor = Predictor::ReverseDiffusion;
const ANCESTRAL: Predictor = Predictor::Ancestral;

/// Variance of the samples for data N(0, 0.25): every step is affine.
fn variance(transitions: &[Transition], start: f64) -> f64 {
    let mut v = start;
    for (i, s) in transitions.iter().enumerate() {
        let c = 0.25 * s.from.alpha.powi(2) + s.from.sigma.powi(2);
        v *= (s.keep - s.score / c).powi(2);
        if i + 1 < transitions.len() {
            v += s.std * s.std;
        }
    }
    v
}

/// The variance table, to its eight digits.
#[test]
fn variances_of_gaussian_data() {
    let rows: [(fn(usize) -> ScoreSde, Predictor, [f64; 2]); 7] = [
        (ScoreSde::preserving, EM, [0.25300679, 0.25023275]),
        (ScoreSde::preserving, REVERSE, [0.25615219, 0.25189064]),
        (ScoreSde::preserving, ANCESTRAL, [0.24983083, 0.25125989]),
        (ScoreSde::sub_preserving, EM, [0.25506025, 0.25039838]),
        (ScoreSde::exploding, EM, [0.25302345, 0.25034929]),
        (ScoreSde::exploding, REVERSE, [0.27271608, 0.25206406]),
        (ScoreSde::exploding, ANCESTRAL, [0.22961040, 0.24780287]),
    ];
    for (process, predictor, expected) in rows {
        for (n, e) in [100, 1000].into_iter().zip(expected) {
            let sampler = ScoreSde {
                predictor,
                ..process(n)
            };
            let start = sampler.process.prior_std().powi(2);
            let got = variance(&sampler.transitions().unwrap(), start);
            assert!((got - e).abs() < 1e-8, "{sampler:?}: {got}, table {e}");
        }
    }
    let exact = [0.2500824580, 0.2499725261, 0.2501000170];
    let processes = [
        ScoreSde::preserving(2),
        ScoreSde::sub_preserving(2),
        ScoreSde::exploding(2),
    ];
    for (sampler, e) in processes.iter().zip(exact) {
        let at = sampler.process.schedule().level(sampler.end);
        let got = 0.25 * at.alpha.powi(2) + at.sigma.powi(2);
        assert!((got - e).abs() < 1e-10, "{got}");
    }
}

/// Draw number k of sample j is point j + k + 1.
#[expect(clippy::ptr_arg, reason = "the signature of a noise source")]
fn injected(draw: usize, out: &mut Vec<f64>) {
    let p = tb1::points(16);
    for j in 0..16 {
        let from = (j + draw + 1) % 16;
        out[2 * j..2 * j + 2].copy_from_slice(&p[2 * from..2 * from + 2]);
    }
}

fn assert_row(x: &[f64], first: [f64; 2], sum: f64, what: &str) {
    let got: f64 = x.iter().sum();
    assert!(
        measure::max_abs_diff(&x[..2], &first) < 1e-7 && (got - sum).abs() < 1e-7,
        "{what}: {:?}, sum {got}",
        &x[..2]
    );
}

/// TB1, N = 50, injected noise, mean of the last step.
#[test]
fn parity_with_injected_noise() {
    let rows = [
        (EM, [1.294402404, -0.581959859], 12.38427267),
        (REVERSE, [1.308489933, -0.577347053], 12.60014257),
        (ANCESTRAL, [1.300223131, -0.581504456], 12.46243821),
    ];
    for (predictor, first, sum) in rows {
        let sampler = ScoreSde {
            predictor,
            ..ScoreSde::preserving(50)
        };
        let plan = sampler.plan().unwrap();
        assert_eq!((plan.nfe(), plan.steps(), plan.draws()), (50, 50, 49));
        let mut x = tb1::points(16);
        plan.sample_with(&Mixture::tb1(), &mut x, injected, &mut ())
            .unwrap();
        assert_row(&x, first, sum, &format!("{predictor:?}"));
    }
    let sampler = PredictorCorrector::new(ScoreSde::preserving(50).transitions().unwrap(), 16);
    let model = Counted::new(Mixture::tb1());
    let mut x = tb1::points(16);
    let report = sampler
        .sample_with(&model, &mut x, injected, &mut ())
        .unwrap();
    assert_eq!((report.nfe, model.nfe(), report.steps), (100, 100, 50));
    assert_row(&x, [1.339318894, -0.664378186], 8.23548945, "PC");
}

/// Without correctors the general sampler gives the plan's bits.
#[test]
fn no_corrector_is_the_plan() {
    for (process, last) in [
        (ScoreSde::preserving(30), LastStep::Mean),
        (ScoreSde::sub_preserving(30), LastStep::Noisy),
        (ScoreSde::exploding(30), LastStep::Mean),
    ] {
        let sde = ScoreSde { last, ..process };
        let sampler = PredictorCorrector {
            langevin: Langevin {
                steps: 0,
                ..Langevin::default()
            },
            last,
            ..PredictorCorrector::new(sde.transitions().unwrap(), 16)
        };
        let (mut x, mut y) = (tb1::points(16), tb1::points(16));
        sampler
            .sample(&Mixture::tb1(), &mut x, Key::new(3), &mut ())
            .unwrap();
        sde.plan()
            .unwrap()
            .sample(&Mixture::tb1(), &mut y, Key::new(3), &mut ())
            .unwrap();
        assert!(measure::max_abs_diff(&x, &y) < 1e-12, "{sde:?}");
    }
}

/// On any grid, ancestral sampling with the posterior's variance is DDPM.
#[test]
fn ancestral_sampling_is_ddpm() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 30).unwrap();
    let ancestral = ReverseSde {
        predictor: ANCESTRAL,
        last: LastStep::Noisy,
    };
    let plans = [
        ancestral.plan(&schedule, &grid).unwrap(),
        Ddim { eta: 1.0 }.plan(&schedule, &grid).unwrap(),
    ];
    let [x, y] = plans.map(|p| crate::common::run(&p, &Mixture::tb1(), &tb1::points(16)));
    // Each of 30 steps divides by α, at worst by 7e-3 in the first.
    assert!(measure::max_abs_diff(&x, &y) < 1e-11);
}

/// Variances of Gaussian data converge to the exact one with order 1 on all schedules.
#[test]
fn the_reverse_equation_converges() {
    let schedules: [(&dyn NoiseSchedule, f64); 3] = [
        (&VpLinear::default(), 1.0),
        (&SubVp::default(), 1.0),
        (&VarianceExploding::default(), 2500.0),
    ];
    for (schedule, prior) in schedules {
        for predictor in [EM, REVERSE, ANCESTRAL] {
            let start = schedule.level(schedule.t_max());
            let end = schedule.level(schedule.t_min());
            let of = |l: ansatz_core::NoiseLevel| 0.25 * l.alpha.powi(2) + l.sigma.powi(2);
            let errors = [1000, 2000, 4000].map(|n| {
                let grid = TimeGrid::new(schedule, Spacing::Time, n).unwrap();
                let sde = ReverseSde {
                    predictor,
                    last: LastStep::Mean,
                };
                let steps = sde.transitions(schedule, &grid).unwrap();
                (variance(&steps, of(start)) - of(end)).abs()
            });
            assert!(errors[2] < 2e-3, "{predictor:?} from {prior}: {errors:?}");
            assert!(
                errors[2] < 0.6 * errors[1],
                "{predictor:?} from {prior}: {errors:?}"
            );
        }
    }
}

/// Correctors pull a wrong start towards the marginal, whatever their rule; both rules differ.
#[test]
fn correctors_correct() {
    // One Langevin chain at one level of unit Gaussian data, from a variance of 9.
    let at = VpLinear::default().level(0.5);
    let stay = Transition {
        from: at,
        to: at,
        keep: 1.0,
        score: 0.0,
        std: 0.0,
        damping: 1.0,
    };
    let model = Gaussian::isotropic(1, 0.0, 1.0).unwrap();
    for step in [LangevinStep::Norms, LangevinStep::Annealed] {
        let sampler = PredictorCorrector {
            langevin: Langevin {
                snr: 0.16,
                steps: 300,
                step,
            },
            ..PredictorCorrector::new(vec![stay], 4000)
        };
        let mut x = vec![0.0; 4000];
        x.fill_normal(Key::new(1), 0);
        for v in &mut x {
            *v *= 3.0;
        }
        sampler
            .sample(&model, &mut x, Key::new(2), &mut ())
            .unwrap();
        let variance = x.iter().map(|v| v * v).sum::<f64>() / 4000.0;
        // Stationary variance 1/(1 − h/2) with h = 0.05, and five standard errors of 1.6 %.
        assert!((variance - 1.0).abs() < 0.12, "{step:?}: {variance}");
    }
}

/// Known elements come out as given; independent unknown ones are not touched by it.
#[test]
fn imputation() {
    let model = Gaussian::new(&[0.5, -1.0], &[0.25, 0.5]).unwrap();
    let transitions = ScoreSde::preserving(100).transitions().unwrap();
    let end = transitions.last().unwrap().to;
    let free = PredictorCorrector::new(transitions, 8);
    let known = PredictorCorrector {
        known: Some(Known {
            mask: [1.0, 0.0].repeat(8),
            data: [0.8, f64::NAN].repeat(8),
        }),
        langevin: Langevin {
            step: LangevinStep::Annealed,
            ..Langevin::default()
        },
        ..free.clone()
    };
    let free = PredictorCorrector {
        langevin: known.langevin,
        ..free
    };
    let [x, y] = [&free, &known].map(|sampler| {
        let mut x = tb1::points(8);
        sampler
            .sample(&model, &mut x, Key::new(5), &mut ())
            .unwrap();
        x
    });
    for (free, known) in x.chunks(2).zip(y.chunks(2)) {
        assert!((known[0] - end.alpha * 0.8).abs() < 1e-15);
        assert_eq!(known[1], free[1]);
        assert!((free[0] - known[0]).abs() > 1e-6);
    }
    let short = PredictorCorrector {
        known: Some(Known {
            mask: vec![1.0; 3],
            data: vec![0.0; 16],
        }),
        ..known
    };
    let error = short.sample(&model, &mut tb1::points(8), Key::new(0), &mut ());
    assert!(matches!(
        error,
        Err(SampleError::Length {
            what: "known.mask",
            expected: 16,
            got: 3
        })
    ));
}

#[test]
fn errors() {
    let name = |sampler: ScoreSde| match sampler.transitions().unwrap_err() {
        PlanError::Option { name, .. } => name,
        PlanError::TooFewSteps { .. } => "steps",
        other => panic!("{other}"),
    };
    let good = ScoreSde::preserving(100);
    assert_eq!(name(ScoreSde { steps: 1, ..good }), "steps");
    for end in [0.0, 1.0, 2.0, f64::NAN] {
        assert_eq!(name(ScoreSde { end, ..good }), "end");
    }
    let ancestral = ScoreSde {
        predictor: ANCESTRAL,
        ..ScoreSde::sub_preserving(100)
    };
    assert_eq!(name(ancestral), "predictor (ancestral)");
    let crossed = Process::Exploding(VarianceExploding {
        sigma_min: 50.0,
        ..VarianceExploding::default()
    });
    let process = ScoreSde {
        process: crossed,
        ..good
    };
    assert_eq!(name(process), "sigma_min");
    assert_eq!(name(ScoreSde { steps: 15, ..good }), "beta_max");

    let start = tb1::points(16);
    let mut x = start.clone();
    let transitions = good.transitions().unwrap();
    for snr in [0.0, -0.1, f64::NAN] {
        let sampler = PredictorCorrector {
            langevin: Langevin {
                snr,
                ..Langevin::default()
            },
            ..PredictorCorrector::new(transitions.clone(), 16)
        };
        let error = sampler.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ());
        assert!(matches!(
            error,
            Err(SampleError::Plan(PlanError::Option { name: "snr", .. }))
        ));
    }
    let odd = PredictorCorrector::new(transitions.clone(), 5);
    assert!(
        odd.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())
            .is_err()
    );
    let sampler = PredictorCorrector::new(transitions, 16);
    let broken = from_fn(
        Prediction::Score,
        |_: &Vec<f64>, at: &_, out: &mut Vec<f64>| {
            let at: &ansatz_core::NoiseLevel = at;
            out.fill(if at.t < 0.5 { f64::NAN } else { -1.0 });
            Ok(())
        },
    );
    let error = sampler.sample(&broken, &mut x, Key::new(0), &mut ());
    assert!(matches!(
        error,
        Err(SampleError::NonFinite {
            what: "model output",
            step: 50,
            ..
        })
    ));
    let silent = from_fn(
        Prediction::Score,
        |_: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            out.fill(0.0);
            Ok(())
        },
    );
    let error = sampler
        .sample(&silent, &mut x, Key::new(0), &mut ())
        .unwrap_err();
    assert!(error.to_string().contains("corrector"), "{error}");
    assert_eq!(x, start);
}

#[test]
fn stops_and_threads() {
    let sampler = PredictorCorrector::new(ScoreSde::preserving(30).transitions().unwrap(), 50_001);
    let mut seen = Vec::new();
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        seen.push((e.step, e.steps, e.level.t));
        if e.step == 7 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    let mut x = tb1::points(50_001);
    let report = sampler
        .sample(&Mixture::tb1(), &mut x, Key::new(0), &mut observer)
        .unwrap();
    assert!(report.stopped_early && report.nfe == 14 && seen.len() == 7);
    laws::same_for_threads(|| {
        let mut x = tb1::points(50_001);
        let short = PredictorCorrector {
            transitions: sampler.transitions[..3].to_vec(),
            ..sampler.clone()
        };
        short
            .sample(&Mixture::tb1(), &mut x, Key::new(9), &mut ())
            .unwrap();
        x
    });
}
