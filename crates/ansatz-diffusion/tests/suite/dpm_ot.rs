//! Section 15: a semi-discrete map with Langevin steps after it.

use ansatz_core::{Denoiser, Event, Key, NoiseLevel, NoiseSchedule, Prediction, State, stream};
use ansatz_diffusion::stats::transport::{BrenierMap, Draws, Heights, Source, Spread};
use ansatz_diffusion::{
    DpmOt, Edm, Ladder, PlanError, SampleError, Sampler, Spacing, Start, TimeGrid, VpLinear, dpm_ot,
};
use ansatz_testkit::reference::probability_flow;
use ansatz_testkit::{Mixture, laws, tb1};
use std::ops::ControlFlow;

const SCHEDULE: Edm = Edm {
    sigma_min: 0.005,
    sigma_max: 80.0,
};

/// `n` points of TB1 with noise of this level: the exact flow of seed-free points.
fn targets(n: usize, sigma: f64) -> Vec<f64> {
    let start: Vec<f64> = tb1::points(n).iter().map(|x| 80.0 * x).collect();
    probability_flow(&Mixture::tb1(), &SCHEDULE, 80.0, sigma, &start).unwrap()
}

fn map(targets: &[f64], source: Source) -> BrenierMap {
    let n = targets.len() / 2;
    let points: Vec<f64> = source.points(2, 50 * n, Spread::Even);
    let nu = vec![1.0 / n as f64; n];
    let fit = Heights::default()
        .fit(targets, 2, &nu, Draws::Fixed(&points))
        .unwrap();
    assert!(fit.worst_cell < 0.2, "{}", fit.worst_cell);
    fit.map
}

fn distance(x: &[f64]) -> f64 {
    let clean = NoiseLevel::clean(0.0);
    Mixture::tb1()
        .mmd_squared(x, &clean, tb1::LENGTHSCALE)
        .unwrap()
}

fn start(n: usize, source: Source) -> Vec<f64> {
    source.points(2, n, Spread::Random(Key::new(31), stream::INITIAL))
}

/// Plain annealed Langevin steps on the same number of levels, from σ = 5.
fn annealed(sampler: &DpmOt, n: usize) -> Vec<f64> {
    let model = Mixture::tb1();
    let count = sampler.levels.len() - 1;
    let end = sampler.levels[count].t;
    let grid = TimeGrid::between(&SCHEDULE, Spacing::LogSnr, count, 5.0, end).unwrap();
    let mut x: Vec<f64> = start(n, Source::Normal).iter().map(|x| 5.0 * x).collect();
    let (mut s, mut z) = (x.zeros_like(), x.zeros_like());
    let mut step = 0;
    for level in grid.levels() {
        let h = sampler.ratio * level.sigma * level.sigma;
        for _ in 0..sampler.per_level {
            model.eval_as(Prediction::Score, &x, level, &mut s).unwrap();
            z.fill_normal(Key::new(32), stream::step(step));
            x.lincomb(1.0, &[(h, &s), ((2.0 * h).sqrt(), &z)]);
            step += 1;
        }
    }
    model
        .eval_as(Prediction::Data, &x, &grid.end(), &mut s)
        .unwrap();
    s
}

/// 2000 samples from 128 latents, in 25 evaluations, by both sources; plain annealing is far off, and so is
/// a start at a level where the latents have too much noise.
#[test]
fn quality_on_tb1() {
    let (model, n) = (Mixture::tb1(), 2000);
    let latents = targets(128, 0.3);
    let grid = TimeGrid::between(&SCHEDULE, Spacing::LogSnr, 7, 0.3, 0.02).unwrap();
    for source in [Source::Normal, Source::Uniform] {
        let sampler = DpmOt {
            per_level: 3,
            ratio: 0.2,
            ..DpmOt::new(map(&latents, source), &grid)
        };
        let mut x = start(n, source);
        let report = sampler
            .sample(&model, &mut x, Key::new(33), &mut ())
            .unwrap();
        assert_eq!((report.nfe, report.steps), (25, 25));
        let late = DpmOt {
            levels: sampler.levels[6..].to_vec(),
            per_level: 12,
            ..sampler.clone()
        };
        let mut y = start(n, source);
        late.sample(&model, &mut y, Key::new(33), &mut ()).unwrap();
        let (mapped, plain, late) = (distance(&x), distance(&annealed(&sampler, n)), distance(&y));
        println!(
            "{source:?}: squared discrepancy {mapped:.6}, annealed {plain:.6}, late {late:.6}"
        );
        // n exact samples have less than 1/n in the mean: the kernel is 1 at distance 0.
        assert!(mapped < 0.004, "{source:?}: {mapped}");
        assert!(plain > 10.0 * mapped, "{source:?}: {plain}, {mapped}");
        assert!(late > 1.4 * mapped, "{source:?}: {late}, {mapped}");
    }
}

/// Two levels of two steps, step by step, with the noise of the key; VP levels scale the state between.
#[test]
fn steps_are_what_they_say() {
    let (model, key) = (Mixture::tb1(), Key::new(4));
    let schedule = VpLinear::default();
    let grid = TimeGrid::between(&schedule, Spacing::LogSnr, 1, 0.1, 0.05).unwrap();
    let level = grid.start();
    let targets = dpm_ot::latents(&tb1::points(8), &level, Key::new(5));
    let mut noise = vec![0.0; 16];
    noise.fill_normal(Key::new(5), stream::INITIAL);
    for ((t, x), e) in targets.iter().zip(tb1::points(8)).zip(&noise) {
        assert_eq!(*t, level.alpha * x + level.sigma * e);
    }
    let sampler = DpmOt {
        per_level: 2,
        ratio: 0.1,
        ..DpmOt::new(map(&targets, Source::Normal), &grid)
    };
    let mut expected = vec![0.0; 20];
    sampler
        .map
        .map(&start(10, Source::Normal), &mut expected)
        .unwrap();
    let (mut s, mut z) = (vec![0.0; 20], vec![0.0; 20]);
    let mut states = Vec::new();
    for (k, level) in grid.levels().iter().enumerate() {
        if k > 0 {
            let scale = level.alpha / grid.start().alpha;
            for x in &mut expected {
                *x *= scale;
            }
        }
        for i in 0..2 {
            model
                .eval_as(Prediction::Score, &expected, level, &mut s)
                .unwrap();
            z.fill_normal(key, stream::step(2 * k as u64 + i));
            let h = 0.1 * level.sigma.powi(2);
            for (x, (s, z)) in expected.iter_mut().zip(s.iter().zip(&z)) {
                *x += h * s + (2.0 * h).sqrt() * z;
            }
            states.push(expected.clone());
        }
    }
    model
        .eval_as(Prediction::Score, &expected, &grid.end(), &mut s)
        .unwrap();
    let (alpha, sigma) = (grid.end().alpha, grid.end().sigma);
    let data: Vec<f64> = expected
        .iter()
        .zip(&s)
        .map(|(x, s)| (x + sigma * sigma * s) / alpha)
        .collect();
    states.push(data);
    let mut seen = 0;
    let mut observer = |e: &Event<'_, Vec<f64>>| {
        seen += 1;
        assert_eq!((e.step, e.steps, e.nfe), (seen, 5, seen));
        let worst = ansatz_testkit::measure::max_abs_diff(e.state, &states[seen - 1]);
        assert!(worst < 1e-12, "step {seen}: {worst:e}");
        ControlFlow::Continue(())
    };
    let mut x = start(10, Source::Normal);
    sampler.sample(&model, &mut x, key, &mut observer).unwrap();
    let mut stopped = start(10, Source::Normal);
    let mut second = |e: &Event<'_, Vec<f64>>| {
        if e.step == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let report = sampler
        .sample(&model, &mut stopped, key, &mut second)
        .unwrap();
    assert!(report.stopped_early && report.nfe == 2);
    assert!(ansatz_testkit::measure::max_abs_diff(&stopped, &states[1]) < 1e-12);
    laws::same_for_threads(|| {
        let mut x = start(20_000, Source::Normal);
        sampler.sample(&model, &mut x, key, &mut ()).unwrap();
        x
    });
}

/// The published levels: 232 from 50 to 0.01, latents ten before the end, steps from two before it.
#[test]
fn the_published_ladder() {
    let ladder = Ladder::default();
    let ratio = (0.01_f64 / 50.0).powf(1.0 / 231.0);
    let near = |level: &NoiseLevel, sigma: f64| {
        assert!((level.sigma / sigma - 1.0).abs() < 1e-12 && level.alpha == 1.0);
    };
    near(&ladder.latents(10).unwrap(), 0.01 * ratio.powi(-9));
    let right = ladder.levels(10, Start::Latents).unwrap();
    let published = ladder.levels(10, Start::Published).unwrap();
    assert_eq!((right.len(), published.len()), (10, 2));
    near(&right[0], 0.01 * ratio.powi(-9));
    near(&published[0], 0.01 / ratio);
    near(&published[1], 0.01);
    for (ladder, back) in [
        (ladder, 0),
        (ladder, 233),
        (Ladder { count: 1, ..ladder }, 1),
        (
            Ladder {
                sigma_min: 60.0,
                ..ladder
            },
            5,
        ),
    ] {
        assert!(matches!(
            ladder.latents(back),
            Err(PlanError::Option { .. })
        ));
    }
}

#[test]
fn what_is_refused() {
    let model = Mixture::tb1();
    let grid = TimeGrid::between(&SCHEDULE, Spacing::LogSnr, 3, 0.3, 0.02).unwrap();
    let map = BrenierMap::new(&[0.0, 0.0, 1.0, 1.0], 2, &[0.0, 0.0]).unwrap();
    let good = DpmOt::new(map, &grid);
    let refused = |sampler: &DpmOt, x: &[f64]| {
        let mut y = x.to_vec();
        let error = sampler
            .sample(&model, &mut y, Key::new(0), &mut ())
            .unwrap_err();
        assert!(x.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        error
    };
    let x = [0.1, 0.2];
    for ratio in [0.0, 2.0, f64::NAN] {
        let error = refused(
            &DpmOt {
                ratio,
                ..good.clone()
            },
            &x,
        );
        assert!(matches!(
            error,
            SampleError::Plan(PlanError::Option { name: "ratio", .. })
        ));
    }
    let level = |sigma| NoiseLevel::new(sigma, 1.0, sigma);
    for levels in [
        vec![],
        vec![level(0.1), level(0.1)],
        vec![level(0.1), level(0.0)],
        vec![level(f64::NAN)],
    ] {
        let error = refused(
            &DpmOt {
                levels,
                ..good.clone()
            },
            &x,
        );
        assert!(matches!(error, SampleError::Plan(PlanError::Option { .. })));
    }
    assert!(matches!(
        refused(&good, &x[..1]),
        SampleError::Length { .. }
    ));
    assert!(matches!(refused(&good, &[]), SampleError::Length { .. }));
    assert!(matches!(
        refused(&good, &[f64::NAN, 0.0]),
        SampleError::NonFinite { .. }
    ));
    let nan = ansatz_core::denoiser::from_fn(
        Prediction::Data,
        |_: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>| {
            out.fill(f64::NAN);
            Ok(())
        },
    );
    let mut y = x.to_vec();
    let error = good.sample(&nan, &mut y, Key::new(0), &mut ()).unwrap_err();
    assert!(matches!(error, SampleError::NonFinite { step: 0, .. }));
    assert_eq!(y, x);
    assert_eq!(SCHEDULE.t_max(), 80.0);
}
