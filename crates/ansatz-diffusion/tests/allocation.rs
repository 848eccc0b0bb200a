//! A run allocates when it starts and never again: 40 steps allocate as often as 10.

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Key, NoiseLevel, Prediction};
use ansatz_diffusion::{
    Ddim, Deis, DpmMultistep, DpmSinglestep, Heun, Pndm, Rddm, SdeDpmMultistep, Solver, Spacing,
    TimeGrid, UniPc, VpLinear,
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
