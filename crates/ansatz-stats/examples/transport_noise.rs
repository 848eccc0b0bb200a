//! Carries normal noise onto 24 points of a mixture, each getting the same share: a power diagram.
//!
//! Cells have the colours of their targets, the squares; all hold the same share of the noise. It also tells what a test of one point
//! against one target costs. Run it with `cargo run --release -p ansatz-stats --example transport_noise`.
//!
//! gallery: Noise carried to points of a mixture
//! gallery: expect worst relative error of a cell in 0..0.01
//! gallery: expect mass of the emptiest cell in 0.04..0.0417
//! gallery: expect divergence of noise in 0.1..1
//! gallery: expect divergence of mapped noise in 0..0.01
//! gallery: picture transport_noise.png Cells of equal mass under N(0, I), and the targets that they are carried to

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::time::Instant;

use ansatz_core::Key;
use ansatz_stats::transport::{BrenierMap, Draws, Heights, Sinkhorn, Source, Spread};
use ansatz_testkit::tb1;
use ansatz_viz::{Picture, viridis};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (targets, n) = (mixture(), 24);
    let points: Vec<f64> = Source::Normal.points(2, 20_000, Spread::Even);
    let nu = vec![1.0 / n as f64; n];
    let fit = Heights::default().fit(&targets, 2, &nu, Draws::Fixed(&points))?;
    println!("worst relative error of a cell = {:.5}", fit.worst_cell);
    let fresh: Vec<f64> = Source::Normal.points(2, 2_000_000, Spread::Random(Key::new(1), 0));
    let masses = fit.map.cell_masses(&fresh)?;
    let least = masses.iter().copied().fold(f64::INFINITY, f64::min);
    println!("mass of the emptiest cell = {least:.5}");

    // Entropic transport tells how far 500 points are from the targets, before and after the map.
    let solver = Sinkhorn {
        epsilon: 0.1,
        ..Sinkhorn::default()
    };
    let noise: Vec<f64> = Source::Normal.points(2, 500, Spread::Even);
    let mut mapped = noise.clone();
    fit.map.map(&noise, &mut mapped)?;
    for (name, x) in [("noise", noise), ("mapped noise", mapped)] {
        let divergence = solver.divergence(&[0.002; 500], &x, &nu, &targets, 2)?;
        println!("divergence of {name} = {divergence:.5}");
    }

    picture(&fit.map)?.save("target/gallery/transport_noise.png")?;
    println!("wrote target/gallery/transport_noise.png");

    for (n, dim, count) in [(1000, 2, 20_000), (2000, 64, 4000), (2000, 784, 1000)] {
        let y: Vec<f64> = Source::Normal.points(dim, n, Spread::Random(Key::new(2), 0));
        let x: Vec<f64> = Source::Normal.points(dim, count, Spread::Random(Key::new(3), 0));
        let map = BrenierMap::new(&y, dim, &vec![0.0; n])?;
        let (mut cells, mut values) = (vec![0; count], vec![0.0; count]);
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            map.assign(&x, &mut cells, &mut values)?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        let each = best * 1e9 / (n * dim * count) as f64;
        println!("{n} targets in {dim} dimensions: {each:.3} ns a point, target and dimension");
    }
    Ok(())
}

/// The plane from -3 to 3, each point in the colour of its cell and each target in the same, darker.
fn picture(map: &BrenierMap) -> Result<Picture, Box<dyn std::error::Error>> {
    const SIZE: usize = 480;
    let at = |k: usize| 6.0 * (k as f64 + 0.5) / SIZE as f64 - 3.0;
    let x: Vec<f64> = (0..SIZE * SIZE)
        .flat_map(|k| [at(k % SIZE), -at(k / SIZE)])
        .collect();
    let (mut cells, mut values) = (vec![0; SIZE * SIZE], vec![0.0; SIZE * SIZE]);
    map.assign(&x, &mut cells, &mut values)?;
    let colour = |cell: usize| viridis((0.618 * cell as f64).fract());
    let mut picture = Picture::filled(SIZE, SIZE, [255; 3]);
    for (pixel, cell) in picture.rgb.chunks_mut(3).zip(&cells) {
        let pale = colour(*cell as usize).map(|c| c / 2 + 127);
        pixel.copy_from_slice(&pale);
    }
    for (cell, y) in map.targets().chunks(2).enumerate() {
        let pixel = |v: f64| ((v + 3.0) / 6.0 * SIZE as f64) as usize;
        let (column, row) = (pixel(y[0]), pixel(-y[1]));
        picture.fill_rect(column - 5, row - 5, 10, 10, [0; 3]);
        picture.fill_rect(column - 4, row - 4, 8, 8, colour(cell));
    }
    Ok(picture)
}

/// 24 points of TB1: 12, 7 and 5 of its components, spread by the Cholesky factors of their covariances.
fn mixture() -> Vec<f64> {
    let mut targets = Vec::new();
    for ((_, mean, covariance), count) in tb1::COMPONENTS.iter().zip([12, 7, 5]) {
        let a = covariance[0][0].sqrt();
        let b = covariance[0][1] / a;
        let c = (covariance[1][1] - b * b).sqrt();
        for z in tb1::points(count).chunks(2) {
            targets.extend([mean[0] + a * z[0], mean[1] + b * z[0] + c * z[1]]);
        }
    }
    targets
}
