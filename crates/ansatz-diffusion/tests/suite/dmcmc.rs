//! Section 16: denoising Markov chains over states and levels.

use ansatz_core::{
    Denoiser, EvalError, Event, Key, NoiseLevel, NoiseSchedule, Prediction, State, stream,
};
use ansatz_diffusion::{
    DenoisingMcmc, Edm, ExactLevels, Harvest, Heun, LevelDraw, LevelPosterior, NoisyChains,
    PlanError, SampleError, Spacing, TimeGrid,
};
use ansatz_stats::{WeightError, log_sum_exp};
use ansatz_testkit::{Mixture, laws, tb1};
use std::ops::ControlFlow;

const SCHEDULE: Edm = Edm {
    sigma_min: 0.005,
    sigma_max: 5.0,
};

/// 20 geometric levels from 0.05 to 5.
fn sampler(step: f64) -> DenoisingMcmc {
    let grid = TimeGrid::between(&SCHEDULE, Spacing::LogSnr, 19, 5.0, 0.05).unwrap();
    DenoisingMcmc::new(&grid, step)
}

/// The table of posterior values, to its six digits.
#[test]
fn exact_posteriors() {
    let (model, levels) = (Mixture::tb1(), sampler(0.02).levels);
    let x = vec![0.5, 0.2, 3.0, -2.0];
    let mut log = vec![0.0; 40];
    ExactLevels(&model)
        .log_posterior(&x, &levels, &mut log)
        .unwrap();
    let probabilities = |b: usize| -> Vec<f64> {
        let row: Vec<f64> = log.iter().skip(b).step_by(2).copied().collect();
        let sum = log_sum_exp(&row).unwrap();
        row.iter().map(|l| (l - sum).exp()).collect()
    };
    let first = probabilities(0);
    for (p, e) in first.iter().zip([0.027740, 0.028406, 0.029485, 0.031230]) {
        assert!((p - e).abs() < 1e-6, "{p}, table {e}");
    }
    for (b, k, e) in [(0, 11, 0.102571), (1, 15, 0.173325)] {
        let p = probabilities(b);
        let top = p.iter().copied().fold(0.0, f64::max);
        assert!(
            (p[k] - e).abs() < 1e-6 && p[k] == top,
            "{}, table {e}",
            p[k]
        );
    }
}

/// Total variation of the histogram of levels from the uniform one, over 1000 sweeps after 500 to forget the start.
fn variation(draw: LevelDraw, samples: usize) -> f64 {
    let model = Mixture::tb1();
    let sampler = DenoisingMcmc {
        draw,
        ..sampler(0.02)
    };
    let mut chains = NoisyChains::new(tb1::points(samples), samples, 0).unwrap();
    let mut counts = [0.0; 20];
    let mut observer = |e: &Event<'_, NoisyChains<f64>>| {
        if e.step > 500 {
            for k in e.state.levels() {
                counts[*k] += 1.0;
            }
        }
        ControlFlow::Continue(())
    };
    let key = Key::new(16);
    let report = sampler
        .run(
            &model,
            &ExactLevels(&model),
            &mut chains,
            1500,
            key,
            &mut observer,
        )
        .unwrap();
    assert_eq!((report.steps, report.nfe), (1500, 1500));
    let total: f64 = counts.iter().sum();
    assert_eq!(total, 1e3 * samples as f64);
    0.5 * counts.iter().map(|c| (c / total - 0.05).abs()).sum::<f64>()
}

/// Levels are equally likely, as they must be, when they are drawn.
#[test]
fn histogram_of_drawn_levels() {
    let got = variation(LevelDraw::Sample, 2000);
    assert!(got < 0.06, "{got}");
}

/// They are not when the most likely is taken.
#[test]
fn histogram_of_most_likely_levels() {
    let got = variation(LevelDraw::MostLikely, 1000);
    assert!(got > 0.3, "{got}");
}

/// One sweep, sample by sample, with the noise of the key.
#[test]
fn a_sweep_is_what_it_says() {
    let (model, sampler, key) = (Mixture::tb1(), sampler(0.07), Key::new(3));
    let posterior = ExactLevels(&model);
    let mut chains = NoisyChains::new(tb1::points(40), 40, 12).unwrap();
    sampler
        .run(&model, &posterior, &mut chains, 4, key, &mut ())
        .unwrap();
    let before = chains.clone();
    let mut distinct = before.levels().to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 3, "several groups: {distinct:?}");
    sampler
        .run(&model, &posterior, &mut chains, 1, key, &mut ())
        .unwrap();
    let mut z = vec![0.0; 80];
    z.fill_normal(key, stream::step(4));
    for b in 0..40 {
        let x = before.x()[2 * b..2 * b + 2].to_vec();
        let mut s = vec![0.0; 2];
        let at = sampler.levels[before.levels()[b]];
        model.eval_as(Prediction::Score, &x, &at, &mut s).unwrap();
        let y: Vec<f64> = (0..2)
            .map(|i| x[i] + 0.035 * s[i] + 0.07_f64.sqrt() * z[2 * b + i])
            .collect();
        for i in 0..2 {
            assert!((chains.x()[2 * b + i] - y[i]).abs() < 1e-13);
        }
        let mut log = vec![0.0; 20];
        posterior
            .log_posterior(&y, &sampler.levels, &mut log)
            .unwrap();
        let sum = log_sum_exp(&log).unwrap();
        let [u, _] = key.uniform(stream::corrector(4), b as u64);
        let mut cumulative = 0.0;
        let level = log
            .iter()
            .position(|l| {
                cumulative += (l - sum).exp();
                u < cumulative
            })
            .unwrap();
        assert_eq!(chains.levels()[b], level);
        let (rows, lowest) = chains.cleanest();
        let (rows_before, lowest_before) = before.cleanest();
        assert_eq!(lowest[b], lowest_before[b].min(level));
        let expected = if level <= lowest_before[b] {
            &chains.x()[2 * b..2 * b + 2]
        } else {
            &rows_before[2 * b..2 * b + 2]
        };
        assert_eq!(&rows[2 * b..2 * b + 2], expected);
    }
    chains.harvest();
    assert_eq!(chains.cleanest(), (chains.x(), chains.levels()));
}

/// Two runs are one long one, also when an observer ended the first; threads change nothing.
#[test]
fn runs_go_on() {
    let (model, sampler) = (Mixture::tb1(), sampler(0.05));
    let start = || NoisyChains::new(tb1::points(300), 300, 5).unwrap();
    let run = |chains: &mut NoisyChains<f64>, sweeps, stop| {
        let mut observer = |e: &Event<'_, NoisyChains<f64>>| {
            if e.step == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let key = Key::new(9);
        let posterior = ExactLevels(&model);
        let report = sampler.run(&model, &posterior, chains, sweeps, key, &mut observer);
        report.unwrap().stopped_early
    };
    let (mut once, mut twice) = (start(), start());
    assert!(!run(&mut once, 12, 99));
    assert!(run(&mut twice, 12, 5));
    assert!(!run(&mut twice, 7, 99));
    assert_eq!(once, twice);
    laws::same_for_threads(|| {
        let mut chains = start();
        run(&mut chains, 5, 99);
        chains.x().to_vec()
    });
}

/// Chains that start in one mode visit all; denoised from where they are, they are samples of the
/// mixture. Those of the lowest level in a window, as published, are not.
#[test]
fn denoised_samples() {
    let model = Mixture::tb1();
    let sampler = sampler(0.05);
    let n = 1000;
    let start: Vec<f64> = [-0.3, -1.1].repeat(n);
    let distance = |x: &[f64]| {
        let clean = NoiseLevel::clean(0.0);
        model.mmd_squared(x, &clean, tb1::LENGTHSCALE).unwrap()
    };
    let mut chains = NoisyChains::new(start.clone(), n, 0).unwrap();
    let (posterior, key) = (ExactLevels(&model), Key::new(5));
    for sweeps in [580, 20] {
        chains.harvest();
        sampler
            .run(&model, &posterior, &mut chains, sweeps, key, &mut ())
            .unwrap();
    }
    let end = SCHEDULE.t_min();
    let plans = sampler
        .plans(&Heun::default(), &SCHEDULE, Spacing::LogSnr, 12, end)
        .unwrap();
    assert_eq!((plans.len(), plans[0].nfe()), (20, 24));
    let denoise = |harvest| {
        let x = sampler.denoise(&model, &chains, harvest, &plans, key);
        distance(&x.unwrap())
    };
    let (present, cleanest) = (denoise(Harvest::Present), denoise(Harvest::Cleanest));
    let far = distance(&start);
    println!("squared discrepancy: start {far}, present {present}, cleanest {cleanest}");
    // n exact samples have less than 1/n in the mean: the kernel is 1 at distance 0.
    assert!(far > 0.2 && present < 3.0 / n as f64, "{far}, {present}");
    assert!(cleanest > 5.0 / n as f64, "{cleanest}");
}

#[test]
fn what_is_refused() {
    let model = Mixture::tb1();
    let good = sampler(0.02);
    let chains = NoisyChains::new(tb1::points(4), 4, 3).unwrap();
    let refused = |sampler: &DenoisingMcmc, posterior: &dyn LevelPosterior<f64>| {
        let mut c = chains.clone();
        let error = sampler
            .run(&model, posterior, &mut c, 2, Key::new(0), &mut ())
            .unwrap_err();
        assert_eq!(c, chains);
        error
    };
    let exact = ExactLevels(&model);
    for step in [0.0, -0.1, f64::NAN] {
        let bad = DenoisingMcmc {
            step,
            ..good.clone()
        };
        let error = refused(&bad, &exact);
        assert!(matches!(
            error,
            SampleError::Plan(PlanError::Option { name: "step", .. })
        ));
    }
    let level = |sigma| NoiseLevel::new(sigma, 1.0, sigma);
    for levels in [
        vec![],
        vec![level(0.0), level(1.0), level(2.0), level(3.0)],
        vec![level(0.1), level(0.3), level(0.3), level(0.4)],
        vec![level(0.1), level(0.2)], // the chains are at level 3
    ] {
        let bad = DenoisingMcmc {
            levels,
            ..good.clone()
        };
        let error = refused(&bad, &exact);
        assert!(matches!(error, SampleError::Plan(PlanError::Option { .. })));
    }
    for draw in [LevelDraw::Sample, LevelDraw::MostLikely] {
        let bad = DenoisingMcmc {
            draw,
            ..good.clone()
        };
        let nan = |_: &Vec<f64>, _: &[NoiseLevel], out: &mut [f64]| -> Result<(), EvalError> {
            out.fill(0.0);
            out[4 * 7 + 2] = f64::NAN;
            Ok(())
        };
        let error = refused(&bad, &nan);
        let SampleError::Weights { sample, source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((sample, source), (2, WeightError::NotANumber { index: 7 }));
        let fails = |_: &Vec<f64>, _: &[NoiseLevel], _: &mut [f64]| -> Result<(), EvalError> {
            Err(EvalError::model(std::fmt::Error))
        };
        assert!(matches!(refused(&bad, &fails), SampleError::Eval { .. }));
    }
    let error = good.denoise(&model, &chains, Harvest::Present, &[], Key::new(0));
    assert!(matches!(error, Err(SampleError::Length { .. })));
    assert!(NoisyChains::new(vec![0.0; 5], 2, 0).is_err());
    let late = good.plans(&Heun::default(), &SCHEDULE, Spacing::LogSnr, 3, 0.1);
    assert!(late.is_err());
}
