//! Samples handwritten digits from noise with seven solvers at ten model evaluations each.
//!
//! The model is the exact denoiser of 1797 real digits, slightly blurred, so that what one sees is the
//! solver alone: the last row of the picture is where the exact flow ends. Run it with
//! `cargo run --release -p ansatz-diffusion --example sample_digits`.
//!
//! gallery: Handwritten digits in ten evaluations
//! gallery: expect median error of Heun in 1..4
//! gallery: expect median error of DDIM in 0.2..0.5
//! gallery: expect median error of DPM-Solver++(2M) in 0.05..0.3
//! gallery: expect median error of UniPC-2 in 0..0.2
//! gallery: picture sample_digits.png Rows: Heun, DDIM, BDIA, DPM-Solver++(2M), DEIS tAB3, iPNDM, UniPC-2, exact flow

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, State, stream};
use ansatz_diffusion::{
    Bdia, Ddim, Deis, DpmMultistep, Heun, Pndm, Solver, Spacing, TimeGrid, UniPc, VpLinear,
};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::reference::probability_flow;
use ansatz_testkit::{Empirical, measure};
use ansatz_viz::{GridOptions, Range, enlarge, image_grid};

const EVALUATIONS: usize = 10;
const IMAGES: usize = 14;
const ENLARGED: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Empirical::new(&data::digits().images, Digits::DIM)?.smoothed(0.1)?;
    let schedule = VpLinear::default();
    let mut noise = vec![0.0; IMAGES * Digits::DIM];
    noise.fill_normal(Key::new(8), stream::INITIAL);
    let exact = probability_flow(&model, &schedule, 1.0, 1e-3, &noise)?;

    // Heun evaluates the model twice a step.
    let solvers: [(&str, &dyn Solver, usize); 7] = [
        ("Heun", &Heun::default(), 2),
        ("DDIM", &Ddim::default(), 1),
        (
            "BDIA",
            &Bdia {
                gamma: 0.5,
                ..Bdia::default()
            },
            1,
        ),
        ("DPM-Solver++(2M)", &DpmMultistep::default(), 1),
        ("DEIS tAB3", &Deis::default(), 1),
        ("iPNDM", &Pndm::ipndm(), 1),
        ("UniPC-2", &UniPc::default(), 1),
    ];
    let mut rows = Vec::new();
    for (name, solver, per_step) in solvers {
        let grid = TimeGrid::new(&schedule, Spacing::LogSnr, EVALUATIONS / per_step)?;
        let plan = solver.plan(&schedule, &grid)?;
        let mut x = noise.clone();
        let report = plan.sample(&model, &mut x, Key::new(0), &mut ())?;
        println!(
            "median error of {name} = {:.4} at {} evaluations",
            measure::median_error(&x, &exact, Digits::DIM),
            report.nfe
        );
        rows.extend(x);
    }
    rows.extend(exact);
    let options = GridOptions {
        columns: IMAGES,
        zoom: 1,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    let side = ENLARGED * Digits::SIDE;
    let large = enlarge(&rows, Digits::SIDE, Digits::SIDE, ENLARGED)?;
    image_grid(&large, side, side, &options)?.save("target/gallery/sample_digits.png")?;
    println!("wrote target/gallery/sample_digits.png");
    Ok(())
}
