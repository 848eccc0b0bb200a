//! A run allocates when it starts and never again: 40 steps allocate as often as 10.

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Key, NoiseLevel, Prediction};
use ansatz_diffusion::{
    Ddim, Deis, DenoisingMcmc, DpmMultistep, DpmSinglestep, Edm, ExactLevels, Heun, NoisyChains,
    Pndm, Rddm, SdeDpmMultistep, Solver, Spacing, TimeGrid, UniPc, VpLinear,
};

#[expect(clippy::unwrap_used, reason = "a test")]
fn allocations(solver: &dyn Solver, steps: usize) -> u64 {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps).unwrap();
    let plan = solver.plan(&schedule, &grid).unwrap();
    let model = from_fn(
        Prediction::Noise,
        |x: &Vec<f32>, at: &NoiseLevel, out: &mut Vec<f32>| {
            for (o, x) in out.iter_mut().zip(x) {
                *o = at.sigma as f32 * x;
            }
            Ok(())
        },
    );
    let mut x = vec![0.5_f32; 4096];
    let info = allocation_counter::measure(|| {
        plan.sample(&model, &mut x, Key::new(0), &mut ()).unwrap();
    });
    info.count_total
}

#[test]
fn a_step_allocates_nothing() {
    let solvers: [(&str, Box<dyn Solver>); 10] = [
        ("ddim", Box::new(Ddim::default())),
        ("ddpm", Box::new(Ddim { eta: 1.0 })),
        ("++2m", Box::new(DpmMultistep::default())),
        ("heun", Box::new(Heun::default())),
        ("++3s", Box::new(DpmSinglestep::default())),
        ("sde ++2m", Box::new(SdeDpmMultistep::default())),
        ("unipc", Box::new(UniPc::default())),
        ("tab3", Box::new(Deis::default())),
        ("f-pndm", Box::new(Pndm::f_pndm())),
        ("rddm", Box::new(Rddm::default())),
    ];
    for (name, solver) in solvers {
        let (short, long) = (allocations(&*solver, 10), allocations(&*solver, 40));
        assert!(short > 0, "{name}: the counter counts");
        assert_eq!(short, long, "{name}");
    }
}

/// Samplers whose steps depend on the states, at two lengths each.
#[test]
fn general_samplers_allocate_nothing_in_a_step() {
    use ansatz_core::{EvalError, Tolerance};
    use ansatz_diffusion::diffeq::{Adaptive, Options, StepSize};
    use ansatz_diffusion::{BridgeSde, PredictorCorrector, ProbabilityFlow, Sampler, ScoreSde};

    let model = from_fn(
        Prediction::Noise,
        |x: &Vec<f32>, at: &NoiseLevel, out: &mut Vec<f32>| {
            for (o, x) in out.iter_mut().zip(x) {
                *o = at.sigma as f32 * x;
            }
            Ok(())
        },
    );
    let count = |run: &mut dyn FnMut(&mut Vec<f32>)| {
        let mut x = vec![0.5_f32; 4096];
        allocation_counter::measure(|| run(&mut x)).count_total
    };
    let corrected = |steps| {
        let transitions = ScoreSde::preserving(steps).transitions().unwrap();
        let sampler = PredictorCorrector::new(transitions, 64);
        count(&mut |x| {
            sampler.sample(&model, x, Key::new(0), &mut ()).unwrap();
        })
    };
    let schedule = VpLinear::default();
    let flow = |longest| {
        let flow = ProbabilityFlow {
            options: Options {
                step: StepSize::Adaptive(Adaptive {
                    tolerance: Tolerance::new(0.1, 0.1),
                    longest,
                    ..Adaptive::default()
                }),
                ..Options::default()
            },
            ..ProbabilityFlow::new(&schedule)
        };
        count(&mut |x| {
            flow.sample(&model, x, Key::new(0), &mut ()).unwrap();
        })
    };
    let still = |_: f64, x: &Vec<f32>, out: &mut Vec<f32>| -> Result<(), EvalError> {
        for (o, x) in out.iter_mut().zip(x) {
            *o = -x;
        }
        Ok(())
    };
    let bridge = |steps| {
        let sde = BridgeSde::new(&still, &still, steps);
        count(&mut |x| {
            sde.sample(x, Key::new(0), &mut ()).unwrap();
        })
    };
    for (name, short, long) in [
        ("predictor-corrector", corrected(30), corrected(90)),
        ("probability flow", flow(0.5), flow(0.05)),
        ("bridge", bridge(10), bridge(40)),
    ] {
        assert!(short > 0, "{name}: the counter counts");
        assert_eq!(short, long, "{name}");
    }
}

#[test]
fn a_step_after_a_map_allocates_nothing() {
    use ansatz_diffusion::stats::transport::BrenierMap;
    use ansatz_diffusion::{DpmOt, Sampler};

    let model = ansatz_testkit::Mixture::tb1();
    let grid = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 7).unwrap();
    let map = BrenierMap::new(&[0.0, 0.0, 1.0, 1.0], 2, &[0.0, 0.0]).unwrap();
    let steps = |per_level| {
        let sampler = DpmOt {
            per_level,
            ..DpmOt::new(map.clone(), &grid)
        };
        let mut x = ansatz_testkit::tb1::points(200);
        allocation_counter::measure(|| {
            sampler
                .sample(&model, &mut x, Key::new(0), &mut ())
                .unwrap();
        })
        .count_total
    };
    // The model's own working memory comes with the first run.
    assert!(steps(1) > 0, "the counter counts");
    assert_eq!(steps(2), steps(9));
}

#[test]
fn a_sweep_of_chains_allocates_nothing() {
    let model = ansatz_testkit::Mixture::tb1();
    let grid = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 15).unwrap();
    let sampler = DenoisingMcmc::new(&grid, 0.01);
    let sweeps = |n| {
        let x = ansatz_testkit::tb1::points(200);
        let mut chains = NoisyChains::new(x, 200, 3).unwrap();
        let posterior = ExactLevels(&model);
        allocation_counter::measure(|| {
            sampler
                .run(&model, &posterior, &mut chains, n, Key::new(0), &mut ())
                .unwrap();
        })
        .count_total
    };
    // The model's own working memory comes with the first run.
    assert!(sweeps(40) > 0, "the counter counts");
    assert_eq!(sweeps(10), sweeps(40));
}
