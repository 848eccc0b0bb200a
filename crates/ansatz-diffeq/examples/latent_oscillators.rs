//! Fills in and continues damped oscillations from ten noisy observations with a latent equation.
//!
//! All observations lie in the first half of the time. An encoder turns the straight lines between them into a
//! distribution of z(0), a neural equation carries it on, and the whole is trained on the evidence bound with
//! gradients through the solve. The lines themselves are the comparison. Run it with
//! `cargo run --release -p ansatz-diffeq --example latent_oscillators`.
//!
//! gallery: Oscillations continued
//! gallery: expect error between observations in 0..0.09
//! gallery: expect error after the last observation in 0..0.12
//! gallery: expect error of straight lines between observations in 0.05..0.2
//! gallery: expect error of the last value after it in 0.4..1
//! gallery: picture latent_oscillators.svg An oscillation, what was seen of it, and what the model makes of that

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/neural/oscillators.rs"]
mod oscillators;

use std::error::Error;
use std::path::Path;

use ansatz_core::Key;
use ansatz_viz::{Axis, Chart, Series};
use oscillators::{Model, Oscillation, errors, oscillation, straight_lines, times};

fn main() -> Result<(), Box<dyn Error>> {
    let mut model = Model::new(Key::new(0));
    model.train(800)?;
    let test: Vec<Oscillation> = (1_000_000..1_000_256).map(oscillation).collect();
    let curves = model.curves(&test)?;
    let [inside, after] = errors(&test, &curves);
    println!("error between observations = {inside:.4}");
    println!("error after the last observation = {after:.4}");
    let [inside, after] = errors(&test, &straight_lines(&test));
    println!("error of straight lines between observations = {inside:.4}");
    println!("error of the last value after it = {after:.4}");

    let times = times();
    let seen = test[0].seen.iter().map(|(i, x)| (times[*i], *x));
    let curve = curves.iter().map(|row| row[0]);
    let truth = test[0].curve.iter().copied();
    let axis = |label: &str| Axis {
        label: label.into(),
        ..Axis::default()
    };
    let chart = Chart {
        title: "A damped oscillation".into(),
        x: axis("time"),
        y: axis("value"),
        series: vec![
            Series::dots("observed", seen),
            Series::line("model", times.iter().copied().zip(curve)),
            Series::line("truth", times.iter().copied().zip(truth)),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("latent_oscillators.svg"), chart.to_svg()?)?;
    Ok(())
}
