//! A dozen solvers with ten model evaluations each, on a mixture whose flow is known exactly.
//!
//! The distance to the exact end points of the same noise (rms) and to the distribution (squared
//! maximum mean discrepancy). A consistency model needs one evaluation for what the others need ten.
//! Run it with `cargo run --release -p ansatz-diffusion --example few_evaluations`.
//!
//! gallery: A dozen solvers with ten evaluations
//! gallery: expect rms of iPNDM in 0.0130..0.0137
//! gallery: expect rms of DEIS tAB3 in 0.0160..0.0168
//! gallery: expect rms of EVODiff in 0.10..0.12
//! gallery: expect squared MMD of consistency, 1 evaluations in 0..1e-5

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Key, NoiseLevel, NoiseSchedule, Prediction};
use ansatz_diffusion::{
    Blocks, Consistency, Ddim, Deis, DpmMultistep, DpmSinglestep, Edm, EvoDiff, Heun, Pndm,
    RhoRungeKutta, Sampler, Solver, Spacing, TimeGrid, UniPc, VpLinear,
};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::reference::{ProbabilityFlow, probability_flow};
use ansatz_testkit::{measure, tb1};

const POINTS: usize = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (model, schedule) = (Mixture::tb1(), VpLinear::default());
    let noise = tb1::points(POINTS);
    let exact = probability_flow(&model, &schedule, 1.0, 1e-3, &noise)?;
    let grid = |steps| TimeGrid::new(&schedule, Spacing::QUADRATIC, steps);
    let end = schedule.level(schedule.t_min);

    let fast = DpmSinglestep {
        blocks: Blocks::Fast,
        ..DpmSinglestep::default()
    };
    // Methods with several evaluations a step get fewer steps.
    let solvers: [(&str, &dyn Solver, usize); 10] = [
        ("DDIM", &Ddim::default(), 10),
        ("Heun", &Heun::default(), 5),
        ("rhoRK Kutta 3", &RhoRungeKutta::default(), 3),
        ("DPM-Solver++(3S) fast", &fast, 10),
        ("DPM-Solver++(2M)", &DpmMultistep::default(), 10),
        ("UniPC-2", &UniPc::default(), 10),
        ("S-PNDM", &Pndm::s_pndm(), 9),
        ("PLMS", &Pndm::plms(), 9),
        ("iPNDM", &Pndm::ipndm(), 10),
        ("DEIS tAB3", &Deis::default(), 10),
    ];
    for (name, solver, steps) in solvers {
        let mut x = noise.clone();
        let plan = solver.plan(&schedule, &grid(steps)?)?;
        let report = plan.sample(&model, &mut x, Key::new(0), &mut ())?;
        assert!(report.nfe <= 10, "{name}: {} evaluations", report.nfe);
        let mmd = model.mmd_squared(&x, &end, tb1::LENGTHSCALE)?;
        println!("rms of {name} = {:.4}", measure::rms(&x, &exact, 2));
        println!("squared MMD of {name} = {mmd:.2e}");
    }

    // EVODiff is made for the schedule of EDM.
    let karras = Edm::default();
    let start: Vec<f64> = noise.iter().map(|x| karras.sigma_max * x).collect();
    let exact = probability_flow(&model, &karras, karras.sigma_max, karras.sigma_min, &start)?;
    let grid_of_edm = TimeGrid::new(&karras, Spacing::LogSnr, 10)?;
    let mut x = start;
    let evodiff = EvoDiff { batch: POINTS };
    evodiff
        .on(&grid_of_edm)?
        .sample(&model, &mut x, Key::new(0), &mut ())?;
    println!("rms of EVODiff = {:.4}", measure::rms(&x, &exact, 2));

    // The consistency function itself: where the exact flow of the mixture ends.
    let flow = ProbabilityFlow { steps: 16 };
    let consistency = from_fn(
        Prediction::Data,
        |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            *out = flow.solve(&model, &schedule, at.t, schedule.t_min, x)?;
            Ok(())
        },
    );
    for steps in [1, 4] {
        let mut x = noise.clone();
        let plan = Consistency.plan(&schedule, &grid(steps)?)?;
        // More than one step redraws the noise at random, and 512 random samples of any distribution
        // are at 1e-3 to 2e-3; the points of the start are spread more evenly than that.
        plan.sample(&consistency, &mut x, Key::new(0), &mut ())?;
        let mmd = model.mmd_squared(&x, &end, tb1::LENGTHSCALE)?;
        println!("squared MMD of consistency, {steps} evaluations = {mmd:.2e}");
    }
    Ok(())
}
