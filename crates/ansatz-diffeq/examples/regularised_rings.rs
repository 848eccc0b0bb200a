//! Trains a neural differential equation to pull two rings apart, with and without the solver's own error estimate
//! in the loss.
//!
//! Both fields classify all points. The regularised one needs a fraction of the evaluations, because its
//! trajectories are ones that the solver crosses in few steps. Run it with
//! `cargo run --release -p ansatz-diffeq --example regularised_rings`.
//!
//! gallery: Dynamics that are easy to solve
//! gallery: expect accuracy plain in 0.99..1
//! gallery: expect accuracy regularised in 0.99..1
//! gallery: expect ratio of evaluations in 0.05..0.5
//! gallery: picture rings_plain.png Trajectories of the plain field, inner ring blue, outer ring orange
//! gallery: picture rings_regularised.png Trajectories of the regularised field

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/neural/rings.rs"]
mod rings;

use std::error::Error;

use ansatz_viz::{PointSet, ScatterOptions, scatter};
use rings::{Rings, Training};

const SEEDS: u64 = 3;
const FRAMES: usize = 201;

fn main() -> Result<(), Box<dyn Error>> {
    let mut totals = Vec::new();
    for (name, training) in [
        ("plain", Training::Plain),
        ("regularised", Training::Error(1.0, 0.1)),
        ("with stiffness", Training::Stiffness(0.1)),
        ("with random ends", Training::RandomEnd(0.5)),
    ] {
        let (mut least, mut total) = (1.0_f64, 0);
        for seed in 0..SEEDS {
            let mut rings = Rings::new(seed);
            rings.train(seed, 250, training)?;
            let (accuracy, nfe) = rings.judge()?;
            least = least.min(accuracy);
            total += nfe;
            if seed == 0 && totals.len() < 2 {
                draw(&rings, name)?;
            }
        }
        println!("accuracy {name} = {least:.3}");
        println!("evaluations {name} = {:.1}", total as f64 / SEEDS as f64);
        totals.push(total as f64);
    }
    println!("ratio of evaluations = {:.2}", totals[1] / totals[0]);
    Ok(())
}

/// The trajectories of both rings in the first two coordinates, as dots in time.
fn draw(rings: &Rings, name: &str) -> Result<(), Box<dyn Error>> {
    let last = (FRAMES - 1) as f64;
    let times: Vec<f64> = (0..FRAMES).map(|i| i as f64 / last).collect();
    let (states, _) = rings.flow(&times)?;
    let ring = |ring: usize| PointSet {
        points: states
            .iter()
            .flat_map(|y| y.chunks(3).skip(ring).step_by(2))
            .map(|y| [y[0], y[1]])
            .collect(),
        colour: ring,
    };
    let options = ScatterOptions {
        size: 400,
        radius: 0.8,
        opacity: 0.5,
        ..ScatterOptions::default()
    };
    let file = format!("target/gallery/rings_{name}.png");
    scatter(&[ring(0), ring(1)], &options)?.save(file)?;
    Ok(())
}
