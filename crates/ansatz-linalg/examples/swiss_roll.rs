//! A rolled sheet made flat: heat-geodesic embedding of noisy points.
//!
//! 400 points of a Swiss roll with noise, and a graph with ten neighbours that makes short-circuits between the turns.
//! Shown are the roll from the side and its embedding by heat distances; colours follow the place along the sheet.
//! Run it with `cargo run --release -p ansatz-linalg --example swiss_roll`.
//!
//! gallery: A Swiss roll, unrolled by heat
//! gallery: expect stress over classical start in 0..1
//! gallery: picture swiss_roll.png The roll from the side
//! gallery: picture swiss_roll_flat.png Its embedding

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::f64::consts::PI;
use std::path::Path;

use ansatz_linalg::core::{Key, stream};
use ansatz_linalg::graph::{Graph, HeatGeodesic, Smacof, Times};
use ansatz_viz::{PointSet, ScatterOptions, scatter};

const POINTS: usize = 400;
const COLOURS: usize = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let key = Key::new(5);
    let mut noise = vec![0.0; 3 * POINTS];
    key.fill_normal(stream::INITIAL, &mut noise);
    let (mut points, mut places) = (Vec::new(), Vec::new());
    for i in 0..POINTS {
        let [u, v] = key.uniform(stream::INITIAL + 1, i as u64);
        let t = 1.5 * PI * (1.0 + 2.0 * u);
        let noise = &noise[3 * i..3 * i + 3];
        points.extend([
            t * t.cos() + 0.4 * noise[0],
            21.0 * v + 0.4 * noise[1],
            t * t.sin() + 0.4 * noise[2],
        ]);
        places.push(u);
    }
    let graph = Graph::alpha_decay(&points, 3, 6, 40.0)?;
    let options = HeatGeodesic {
        times: Times::Single(20.0),
        harnack: 1.0,
        ..HeatGeodesic::default()
    };
    let found = options.distances(&graph)?;
    println!("saturated pairs = {:.4}", found.saturated);
    let flat = Smacof::default().embed(&found.distances, POINTS)?;
    let sweeps = flat.stress.len() - 1;
    println!(
        "stress over classical start = {:.4} after {sweeps} sweeps",
        flat.stress[sweeps] / flat.stress[0]
    );
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    let sets = |place: &dyn Fn(usize) -> [f64; 2]| -> Vec<PointSet> {
        let of = |colour: usize| {
            let here = (0..POINTS).filter(|i| (places[*i] * COLOURS as f64) as usize == colour);
            PointSet {
                points: here.map(place).collect(),
                colour,
            }
        };
        (0..COLOURS).map(of).collect()
    };
    let options = ScatterOptions::default();
    scatter(&sets(&|i| [points[3 * i], points[3 * i + 2]]), &options)?
        .save(folder.join("swiss_roll.png"))?;
    scatter(
        &sets(&|i| [flat.points[2 * i], flat.points[2 * i + 1]]),
        &options,
    )?
    .save(folder.join("swiss_roll_flat.png"))?;
    println!("wrote target/gallery/swiss_roll.png and swiss_roll_flat.png");
    Ok(())
}
