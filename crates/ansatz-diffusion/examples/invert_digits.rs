//! Carries real digits to noise and back, exactly with BDIA and EDICT, and inexactly with DDIM.
//!
//! An exact inversion undoes every step of the sampler, so that the way back ends at the image it began with, to
//! rounding. Running DDIM the other way round does not. Run it with
//! `cargo run --release -p ansatz-diffusion --example invert_digits`.
//!
//! gallery: Digits to noise and back
//! gallery: expect largest change with BDIA in 0..1e-12
//! gallery: expect largest change with EDICT in 0..1e-12
//! gallery: expect largest change with DDIM in 0.01..0.1
//! gallery: picture invert_digits.png Rows: real digits, after BDIA, after EDICT, after DDIM

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Denoiser, Key, Prediction, State};
use ansatz_diffusion::{Bdia, Ddim, Edict, ExactInversion, Solver, Spacing, TimeGrid, VpLinear};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::{Empirical, measure};
use ansatz_viz::{GridOptions, Range, image_grid};

const STEPS: usize = 50;
const IMAGES: usize = 12;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = data::digits().images;
    let model = Empirical::new(&images, Digits::DIM)?.smoothed(0.1)?;
    let start: Vec<f64> = images[..IMAGES * Digits::DIM]
        .iter()
        .map(|v| f64::from(*v))
        .collect();
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, STEPS)?;

    let mut rows = start.clone();
    let exact: [(&str, &dyn ExactInversion); 2] =
        [("BDIA", &Bdia::default()), ("EDICT", &Edict::default())];
    for (name, solver) in exact {
        let encode = solver.encode(&schedule, &grid)?;
        let decode = solver.pair(&schedule, &grid)?;
        let (latent, _) = encode.sample_all(&model, vec![start.clone()], Key::new(0), &mut ())?;
        let (back, _) = decode.sample_all(&model, latent, Key::new(0), &mut ())?;
        println!(
            "largest change with {name} = {:.1e}",
            measure::max_abs_diff(&back[0], &start)
        );
        rows.extend(&back[0]);
    }

    // DDIM with the ends swapped: the model is evaluated at the wrong end of each step.
    let mut x = start.clone();
    ddim_backwards(&model, &grid, &mut x)?;
    Ddim::default()
        .plan(&schedule, &grid)?
        .sample(&model, &mut x, Key::new(0), &mut ())?;
    println!(
        "largest change with DDIM = {:.2}",
        measure::max_abs_diff(&x, &start)
    );
    rows.extend(x);

    let options = GridOptions {
        columns: IMAGES,
        zoom: 5,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    image_grid(&rows, Digits::SIDE, Digits::SIDE, &options)?
        .save("target/gallery/invert_digits.png")?;
    println!("wrote target/gallery/invert_digits.png");
    Ok(())
}

/// First-order steps from data to noise, each with the noise predicted at its data end.
fn ddim_backwards(
    model: &Empirical,
    grid: &TimeGrid,
    x: &mut Vec<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut noise = x.zeros_like();
    for pair in grid.levels().windows(2).rev() {
        let (to, from) = (&pair[0], &pair[1]);
        model.eval_as(Prediction::Noise, x, from, &mut noise)?;
        let ratio = to.alpha / from.alpha;
        x.lincomb(ratio, &[(to.sigma - ratio * from.sigma, &noise)]);
    }
    Ok(())
}
