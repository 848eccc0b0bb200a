//! What is refused, and that the state is then what it was.

use std::ops::ControlFlow;

use ansatz_core::{EvalError, Event, Key};
use ansatz_stats::{
    Adaptation, ChainError, Hmc, Mala, Particles, Resampler, Ula, WeightError, categorical,
    effective_sample_size, log_mean_exp,
};

use crate::targets::normal;

#[test]
fn weights_that_describe_no_distribution() {
    let none = f64::NEG_INFINITY;
    for (weights, error) in [
        (vec![], WeightError::Empty),
        (vec![none, none], WeightError::AllZero { count: 2 }),
        (vec![0.0, f64::NAN], WeightError::NotANumber { index: 1 }),
        (vec![f64::INFINITY, 0.0], WeightError::Infinite { index: 0 }),
    ] {
        for how in Resampler::ALL {
            let mut ancestors = [7; 3];
            let result = how.resample(&weights, Key::new(0), 0, &mut ancestors);
            assert_eq!(result, Err(error.clone()));
            assert_eq!(ancestors, [7; 3]);
        }
        assert_eq!(categorical(&weights, 0.5), Err(error.clone()));
        assert_eq!(log_mean_exp(&weights), Err(error.clone()));
        assert_eq!(effective_sample_size(&weights), Err(error));
    }
}

#[test]
fn populations_that_are_none() {
    assert_eq!(Particles::new(vec![1.0], 0), Err(WeightError::Empty));
    for (len, count) in [(0, 1), (5, 2), (2, 3)] {
        let error = Particles::new(vec![1.0; len], count).unwrap_err();
        assert!(matches!(error, WeightError::Length { .. }), "{error}");
    }
    let mut particles = Particles::new(vec![1.0; 4], 2).unwrap();
    for fraction in [-0.1, 1.1, f64::NAN] {
        let error = particles.resample_below(fraction, Resampler::default(), Key::new(0), 0);
        assert!(matches!(error, Err(WeightError::Option { .. })));
    }
}

#[test]
fn options_and_states_of_chains() {
    let hmc = Hmc {
        step: 0.1,
        leaps: 2,
        steps: 3,
        ..Hmc::default()
    };
    let key = Key::new(0);
    let refused = |hmc: Hmc, x: Vec<f64>, chains: usize| {
        let mut y = x.clone();
        let error = hmc.run(&normal, &mut y, chains, key, &mut ()).unwrap_err();
        assert!(x.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        error
    };
    for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(
            Hmc {
                step,
                ..hmc.clone()
            },
            vec![0.0],
            1,
        );
        assert!(matches!(error, ChainError::Option { name: "step", .. }));
        let mala = Mala { step, steps: 1 };
        let error = mala.run(&normal, &mut vec![0.0], 1, key, &mut ());
        assert!(matches!(error, Err(ChainError::Option { .. })));
        let ula = Ula { step, steps: 1 };
        let score = |_: &Vec<f64>, _: &mut Vec<f64>| Ok(());
        let error = ula.run(&score, &mut vec![0.0], key, &mut ());
        assert!(matches!(error, Err(ChainError::Option { .. })));
    }
    let error = refused(
        Hmc {
            leaps: 0,
            ..hmc.clone()
        },
        vec![0.0],
        1,
    );
    assert!(matches!(error, ChainError::Option { name: "leaps", .. }));
    for (len, chains) in [(3, 2), (0, 1), (3, 0)] {
        let error = refused(hmc.clone(), vec![0.0; len], chains);
        assert!(matches!(error, ChainError::Chains { .. }), "{error}");
    }
    let error = refused(hmc.clone(), vec![0.0, f64::NAN], 2);
    assert!(matches!(error, ChainError::NonFinite { .. }));
    for adaptation in [
        Adaptation {
            acceptance: 1.0,
            ..Adaptation::default()
        },
        Adaptation {
            gamma: 0.0,
            ..Adaptation::default()
        },
        Adaptation {
            damping: -1.0,
            ..Adaptation::default()
        },
        Adaptation {
            kappa: 0.5,
            ..Adaptation::default()
        },
    ] {
        let error = hmc.warm_up(&normal, &mut vec![0.0], 1, key, &adaptation);
        assert!(matches!(error, Err(ChainError::Option { .. })));
    }
}

/// Chains start inside the support; a failing target keeps its own error as the source.
#[test]
fn targets_that_fail() {
    let hmc = Hmc {
        step: 0.1,
        leaps: 1,
        steps: 3,
        ..Hmc::default()
    };
    let outside = |_: &Vec<f64>, log: &mut [f64], _: &mut Vec<f64>| -> Result<(), EvalError> {
        log.fill(f64::NEG_INFINITY);
        Ok(())
    };
    let error = hmc.run(&outside, &mut vec![1.0], 1, Key::new(0), &mut ());
    assert!(matches!(error, Err(ChainError::NonFinite { step: 0, .. })));

    let calls = std::sync::atomic::AtomicUsize::new(0);
    let third = |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
        if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2 {
            return Err(EvalError::model(std::fmt::Error));
        }
        normal(x, log, score)
    };
    let mut x = vec![1.0];
    let error = hmc
        .run(&third, &mut x, 1, Key::new(0), &mut ())
        .unwrap_err();
    assert!(matches!(error, ChainError::Eval { step: 1, .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(x, [1.0]);

    let nan = |_: &Vec<f64>, out: &mut Vec<f64>| -> Result<(), EvalError> {
        out.fill(f64::NAN);
        Ok(())
    };
    let ula = Ula {
        step: 0.1,
        steps: 1,
    };
    let error = ula.run(&nan, &mut x, Key::new(0), &mut ());
    assert!(matches!(error, Err(ChainError::NonFinite { .. })));
    assert_eq!(x, [1.0]);
}

/// A step that is far too long leads to infinities: such proposals are counted and never taken.
#[test]
fn divergences_are_rejected() {
    let quartic = |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
        for ((l, s), x) in log.iter_mut().zip(score).zip(x) {
            (*l, *s) = (-x.powi(4), -4.0 * x.powi(3));
        }
        Ok(())
    };
    let hmc = Hmc {
        step: 50.0,
        leaps: 20,
        steps: 2,
        ..Hmc::default()
    };
    let mut x = vec![1.0, -0.5, 2.0];
    let report = hmc.run(&quartic, &mut x, 3, Key::new(0), &mut ()).unwrap();
    assert_eq!((report.divergences, report.acceptance), (6, 0.0));
    assert_eq!(x, [1.0, -0.5, 2.0]);
}

#[test]
fn observers_stop_a_run() {
    let mut seen = Vec::new();
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        seen.push((e.step, e.nfe, e.level.t));
        if e.step == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let hmc = Hmc {
        step: 0.5,
        leaps: 2,
        steps: 10,
        ..Hmc::default()
    };
    let mut x = vec![0.0; 4];
    let report = hmc
        .run(&normal, &mut x, 4, Key::new(3), &mut observer)
        .unwrap();
    assert_eq!((report.steps, report.stopped_early), (3, true));
    assert_eq!(seen, [(1, 3, 1.0), (2, 5, 2.0), (3, 7, 3.0)]);
    let mut three = vec![0.0; 4];
    let short = Hmc {
        steps: 3,
        ..hmc.clone()
    };
    short
        .run(&normal, &mut three, 4, Key::new(3), &mut ())
        .unwrap();
    assert_eq!(x, three);
}
