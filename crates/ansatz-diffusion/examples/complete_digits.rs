//! Completes half-seen digits by gradient descent through the sampler.
//!
//! Only the left half of each image is given. The noise is moved until the sample agrees with that
//! half; the sampler, an exact model of real digits, fills in the rest. The gradient is that of the
//! numbers computed, at the memory of a few states. Run it with
//! `cargo run --release -p ansatz-diffusion --example complete_digits`.
//!
//! gallery: Half-seen digits, completed through the sampler
//! gallery: expect misfit left in 0..0.1
//! gallery: expect states kept in 3..15
//! gallery: picture complete_digits.png Rows: real digits, what is given, first samples, after descent

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, Prediction, State, stream};
use ansatz_diffusion::{Checkpoints, DpmMultistep, Solver, Spacing, TimeGrid, VpLinear};
use ansatz_testkit::Empirical;
use ansatz_testkit::data::{self, Digits};
use ansatz_viz::{GridOptions, Range, image_grid};

const IMAGES: usize = 12;
const DESCENT: usize = 80;

/// The given half: columns 0 to 3.
fn seen(element: usize) -> bool {
    element % Digits::SIDE < Digits::SIDE / 2
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = data::digits().images;
    let model = Empirical::new(&images, Digits::DIM)?
        .smoothed(0.3)?
        .predicting(Prediction::Noise);
    let target: Vec<f64> = images[..IMAGES * Digits::DIM]
        .iter()
        .map(|v| f64::from(*v))
        .collect();

    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 16)?;
    let plan = DpmMultistep::default()
        .plan(&schedule, &grid)?
        .gradient(Prediction::Noise, Checkpoints::Sqrt)?;

    let mut noise = vec![0.0; target.len()];
    noise.fill_normal(Key::new(2), stream::INITIAL);
    let (mut first, mut last, mut misfits) = (None, Vec::new(), Vec::new());
    for _ in 0..DESCENT {
        let mut misfit = 0.0;
        let mut loss = |_: usize, x: &Vec<f64>, w: &mut Vec<f64>| {
            for (i, ((w, x), t)) in w.iter_mut().zip(x).zip(&target).enumerate() {
                *w = if seen(i) { x - t } else { 0.0 };
            }
            misfit = w.dot(w);
            Ok(())
        };
        let g = plan.run(&model, vec![noise.clone()], Key::new(0), &mut loss, &mut ())?;
        misfits.push(misfit);
        noise.lincomb(1.0, &[(-0.5, &g.inputs[0])]);
        last.clone_from(&g.outputs[0]);
        first.get_or_insert_with(|| g.outputs[0].clone());
    }
    println!("misfit left = {:.4}", misfits[DESCENT - 1] / misfits[0]);
    println!("states kept = {}", plan.slots());

    let given = target
        .iter()
        .enumerate()
        .map(|(i, t)| if seen(i) { *t } else { 0.0 });
    let mut rows = target.clone();
    rows.extend(given);
    rows.extend(first.unwrap_or_default());
    rows.extend(last);
    let options = GridOptions {
        columns: IMAGES,
        zoom: 5,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    image_grid(&rows, Digits::SIDE, Digits::SIDE, &options)?
        .save("target/gallery/complete_digits.png")?;
    println!("wrote target/gallery/complete_digits.png");
    Ok(())
}
