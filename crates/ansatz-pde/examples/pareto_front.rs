//! The trade between three losses on an eighth of a sphere, DTLZ2, after 10 and after 250 generations of NSGA-III.
//!
//! Run it with `cargo run --release -p ansatz-pde --example pareto_front`.
//!
//! gallery: A front of 91 compromises
//! gallery: expect distance after 10 generations in 0.02..1
//! gallery: expect distance after 250 generations in 0..0.0025
//! gallery: picture pareto_front.png Two of three losses: the first generation, the tenth, the last

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::f64::consts::FRAC_PI_2;

use ansatz_pde::core::Key;
use ansatz_pde::evolution::{InBox, Nsga3, inverted_generational_distance};
use ansatz_viz::{PointSet, ScatterOptions, scatter};

fn sphere(x: &[f64], f: &mut [f64]) {
    let g: f64 = x[2..].iter().map(|x| (x - 0.5).powi(2)).sum();
    let (a, b) = (x[0] * FRAC_PI_2, x[1] * FRAC_PI_2);
    f[0] = (1.0 + g) * a.cos() * b.cos();
    f[1] = (1.0 + g) * a.cos() * b.sin();
    f[2] = (1.0 + g) * a.sin();
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variation = InBox::new(vec![[0.0, 1.0]; 12])?;
    let mut sets = Vec::new();
    for (colour, generations) in [(3, 0), (1, 10), (0, 250)] {
        let nsga = Nsga3 {
            population: 92,
            generations,
            ..Nsga3::default()
        };
        let front = nsga.directions.chunks(3).flat_map(|d| {
            let length = d.iter().map(|v| v * v).sum::<f64>().sqrt();
            d.iter().map(move |v| v / length)
        });
        let front: Vec<f64> = front.collect();
        let start = std::time::Instant::now();
        let found = nsga.minimise(3, &variation, Key::new(0), sphere)?;
        let seconds = start.elapsed().as_secs_f64();
        let distance = inverted_generational_distance(&found.losses, &front, 3)?;
        println!("distance after {generations} generations = {distance:.5}");
        println!("{seconds:.2} s");
        sets.push(PointSet {
            points: found.losses.chunks(3).map(|f| [f[0], f[1]]).collect(),
            colour,
        });
    }
    let options = ScatterOptions {
        size: 420,
        window: Some([[-0.05, 2.0], [-0.05, 2.0]]),
        radius: 3.0,
        ..ScatterOptions::default()
    };
    scatter(&sets, &options)?.save("target/gallery/pareto_front.png")?;
    println!("wrote target/gallery/pareto_front.png");
    Ok(())
}
