//! Tells nine speakers apart by a neural controlled equation, whatever part of the observations is missing.
//!
//! Utterances of 7 to 29 observations are Hermite paths X that drive dz = G(z) dX; where observations are dropped,
//! the path goes through the others. One model is trained on utterances with any part missing and tested on those
//! of another day. Run it with `cargo run --release -p ansatz-diffeq --example missing_observations`.
//!
//! gallery: Utterances with holes
//! gallery: expect accuracy with 0 % missing in 0.94..1
//! gallery: expect accuracy with 30 % missing in 0.92..1
//! gallery: expect accuracy with 50 % missing in 0.9..1
//! gallery: expect accuracy with 70 % missing in 0.85..1
//! gallery: picture missing_observations.svg First coefficient of an utterance, what is left of it when 70 % are missing, and the path through that

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/neural/controlled.rs"]
mod controlled;
#[path = "../tests/neural/vowels.rs"]
mod vowels;

use std::error::Error;
use std::path::Path;

use ansatz_core::Key;
use ansatz_testkit::data::{self, Vowels};
use ansatz_testkit::net::{Adam, accuracy};
use ansatz_viz::{Axis, Chart, Series};
use controlled::Classifier;
use vowels::{CHANNELS, LENGTH};

const RATES: [f64; 4] = [0.0, 0.3, 0.5, 0.7];
const BATCH: usize = 32;
const BATCHES: usize = 600;
const STEPS: usize = LENGTH - 1;

fn main() -> Result<(), Box<dyn Error>> {
    let (key, data) = (Key::new(0), data::vowels());
    let mut model = Classifier::new(CHANNELS, Vowels::CLASSES, key);
    let mut adam = Adam::new(model.params.len(), 0.0);
    for step in 0..BATCHES {
        let draw = key.fold_in(1 + step as u64);
        let pick = |i: usize| (data.train.len() as f64 * draw.uniform(0, i as u64)[0]) as usize;
        let batch: Vec<_> = (0..BATCH).map(|i| &data.train[pick(i)]).collect();
        let labels: Vec<usize> = batch.iter().map(|u| usize::from(u.label)).collect();
        let path = vowels::path(&batch, RATES[step % 4], draw)?;
        let (_, gradient) = model.loss(&path, STEPS, &labels)?;
        adam.rate = 3e-3 * (1.0 - 0.9 * step as f64 / BATCHES as f64);
        adam.step(&mut model.params, &gradient);
    }
    let test: Vec<_> = data.test.iter().collect();
    let labels: Vec<usize> = test.iter().map(|u| usize::from(u.label)).collect();
    for missing in RATES {
        let path = vowels::path(&test, missing, key.fold_in(0))?;
        let right = accuracy(&model.logits(&path, STEPS)?, &labels);
        let percent = 100.0 * missing;
        println!("accuracy with {percent} % missing = {right:.3}");
    }
    draw(test[0])
}

/// The first coefficient of an utterance, its observations and the path through them.
fn draw(utterance: &data::Series) -> Result<(), Box<dyn Error>> {
    let key = Key::new(3);
    let path = vowels::path(&[utterance], 0.7, key)?;
    let left = utterance.with_missing(Vowels::CHANNELS, 0.7, key.fold_in(0));
    let dots = |u: &data::Series| -> Vec<(f64, f64)> {
        let first = u
            .values
            .chunks(Vowels::CHANNELS)
            .map(|row| f64::from(row[0]));
        let timed = first.enumerate().filter(|(_, x)| x.is_finite());
        timed.map(|(i, x)| (0.1 * i as f64, x)).collect()
    };
    let all = dots(utterance);
    let end = all.len() as f64 - 1.0;
    let fine = (0..=60).map(|i| {
        let (t, mut x) = (0.1 * end * f64::from(i) / 60.0, [0.0; CHANNELS]);
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
        y: axis("first coefficient"),
        series: vec![
            Series::dots("all observations", all),
            Series::dots("left", dots(&left)),
            Series::line("Hermite path", fine),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("missing_observations.svg"), chart.to_svg()?)?;
    Ok(())
}
