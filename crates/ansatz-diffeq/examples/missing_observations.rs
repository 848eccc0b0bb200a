//! Classifies noisy series by a neural controlled equation, whatever part of the observations is missing.
//!
//! Each series is a sine of one of two frequencies under noise; observations are dropped at random, and a Hermite path
//! through the others drives dz = G(z) dX. One model is trained on series with any part missing and tested on others.
//! Run it with `cargo run --release -p ansatz-diffeq --example missing_observations`.
//!
//! gallery: Series with holes
//! gallery: expect accuracy with 0 % missing in 0.9..1
//! gallery: expect accuracy with 50 % missing in 0.8..1
//! gallery: picture missing_observations.svg A series, what is left of it when 70 % are missing, and the path through that

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/neural/controlled.rs"]
mod controlled;
#[path = "../tests/neural/series.rs"]
mod series;

use std::error::Error;
use std::path::Path;

use ansatz_core::Key;
use ansatz_testkit::net::{Adam, accuracy};
use ansatz_viz::{Axis, Chart, Series};
use controlled::Classifier;
use series::LENGTH;

const RATES: [f64; 4] = [0.0, 0.3, 0.5, 0.7];
const STEPS: usize = LENGTH - 1;

fn main() -> Result<(), Box<dyn Error>> {
    let key = Key::new(0);
    let mut model = Classifier::new(3, 2, key);
    let mut adam = Adam::new(model.params.len(), 3e-3);
    let batches = std::env::args()
        .nth(1)
        .map_or(1000, |a| a.parse().unwrap_or(1000));
    for step in 0..batches {
        let numbers: Vec<usize> = (64 * step..64 * (step + 1)).collect();
        let labels: Vec<usize> = numbers.iter().map(|k| series::label(*k)).collect();
        let path = series::path(&numbers, RATES[step % 4])?;
        let (_, gradient) = model.loss(&path, STEPS, &labels)?;
        adam.rate = 3e-3 * (1.0 - 0.9 * step as f64 / batches as f64);
        adam.step(&mut model.params, &gradient);
    }
    let test: Vec<usize> = (1_000_000..1_001_024).collect();
    let labels: Vec<usize> = test.iter().map(|k| series::label(*k)).collect();
    for missing in RATES {
        let logits = model.logits(&series::path(&test, missing)?, STEPS)?;
        let percent = 100.0 * missing;
        println!(
            "accuracy with {percent} % missing = {:.3}",
            accuracy(&logits, &labels)
        );
    }
    draw(0)
}

/// A series, its observations and the path through them.
fn draw(k: usize) -> Result<(), Box<dyn Error>> {
    let whole = series::series(&[k], 0.0)?;
    let path = series::path(&[k], 0.7)?;
    let left = series::series(&[k], 0.7)?;
    let counts = |i: usize| left.row(i)[2];
    let seen = (0..LENGTH).filter(|i| *i == 0 || counts(*i) > counts(*i - 1));
    let at = |i: usize| (whole.times()[i], whole.row(i)[1]);
    let fine = (0..=400).map(|i| {
        let (t, mut x) = (f64::from(i) / 400.0, [0.0; 3]);
        path.value(t, &mut x);
        (t, x[1])
    });
    let axis = |label: &str| Axis {
        label: label.into(),
        ..Axis::default()
    };
    let chart = Chart {
        title: "30 % of the observations".into(),
        x: axis("time"),
        y: axis("value"),
        series: vec![
            Series::dots("all observations", (0..LENGTH).map(at)),
            Series::dots("left", seen.map(at)),
            Series::line("Hermite path", fine),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("missing_observations.svg"), chart.to_svg()?)?;
    Ok(())
}
