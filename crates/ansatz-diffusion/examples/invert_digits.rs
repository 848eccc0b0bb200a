//! Carries real digits to noise and back, exactly with BDIA and EDICT, and inexactly with DDIM.
//!
//! An exact inversion undoes every step of the sampler, so that the way back ends at the image it began with, to
//! rounding. Running DDIM the other way round does not: the last row shows what it changed.
//! Run it with `cargo run --release -p ansatz-diffusion --example invert_digits`.
//!
//! gallery: Digits to noise and back
//! gallery: expect largest change with BDIA in 0..1e-12
//! gallery: expect largest change with EDICT in 0..1e-12
//! gallery: expect largest change with DDIM in 0.5..3
//! gallery: picture invert_digits.png Rows: real digits; BDIA's latents, and back; EDICT's latents, and back; DDIM's latents, and back; what DDIM changed

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, Prediction, State};
use ansatz_diffusion::{
    Bdia, Ddim, Edict, ExactInversion, Plan, PlanError, Solver, Spacing, TimeGrid, VpLinear,
};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::{Empirical, measure};
use ansatz_viz::{GridOptions, Range, enlarge, image_grid};

const BLUR: f64 = 0.1;
const STEPS: usize = 50;
const IMAGES: usize = 12;
const ENLARGED: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = data::digits().images;
    let model = Empirical::new(&images, Digits::DIM)?.smoothed(BLUR)?;
    // A typical sample of the model is an image with a little noise on it.
    let mut start = vec![0.0; IMAGES * Digits::DIM];
    start.fill_normal(Key::new(1), 0);
    let clean = images.iter().map(|v| f64::from(*v)).take(start.len());
    start.lincomb(BLUR, &[(1.0, &clean.collect())]);
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, STEPS)?;

    let mut rows = start.clone();
    let exact: [(&str, &dyn ExactInversion); 2] =
        [("BDIA", &Bdia::default()), ("EDICT", &Edict::default())];
    for (name, solver) in exact {
        let encode = solver.encode(&schedule, &grid)?;
        let decode = solver.pair(&schedule, &grid)?;
        let (latent, _) = encode.sample_all(&model, vec![start.clone()], Key::new(0), &mut ())?;
        rows.extend(shown(&latent[0]));
        let (back, _) = decode.sample_all(&model, latent, Key::new(0), &mut ())?;
        println!(
            "largest change with {name} = {:.1e}",
            measure::max_abs_diff(&back[0], &start)
        );
        rows.extend(&back[0]);
    }

    let naive = naive(&grid)?;
    let (mut latent, _) = naive.sample_all(&model, vec![start.clone()], Key::new(0), &mut ())?;
    rows.extend(shown(&latent[0]));
    let mut x = latent.swap_remove(0);
    Ddim::default()
        .plan(&schedule, &grid)?
        .sample(&model, &mut x, Key::new(0), &mut ())?;
    println!(
        "largest change with DDIM = {:.2}",
        measure::max_abs_diff(&x, &start)
    );
    rows.extend(&x);
    rows.extend(x.iter().zip(&start).map(|(a, b)| a - b));

    let options = GridOptions {
        columns: IMAGES,
        zoom: 1,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    let side = ENLARGED * Digits::SIDE;
    let large = enlarge(&rows, Digits::SIDE, Digits::SIDE, ENLARGED)?;
    image_grid(&large, side, side, &options)?.save("target/gallery/invert_digits.png")?;
    println!("wrote target/gallery/invert_digits.png");
    Ok(())
}

/// Noise brought into the range of the picture, root mean square 0.4.
fn shown(latent: &[f64]) -> Vec<f64> {
    let rms = (latent.iter().map(|v| v * v).sum::<f64>() / latent.len() as f64).sqrt();
    println!("root mean square of the latents = {rms:.3}");
    latent.iter().map(|v| 0.4 * v / rms).collect()
}

/// DDIM with the ends swapped: the model is evaluated at the wrong end of each step.
fn naive(grid: &TimeGrid) -> Result<Plan, PlanError> {
    let mut p = Plan::builder();
    let mut x = p.input();
    for pair in grid.levels().windows(2).rev() {
        let (to, from) = (&pair[0], &pair[1]);
        let noise = p.eval(x, from, Prediction::Noise);
        x = p.combine(to.alpha * (x / from.alpha) + (to.sigma - to.alpha * from.rho()) * noise);
    }
    p.finish(&[x])
}
