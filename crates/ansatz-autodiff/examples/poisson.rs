//! A physics-informed network for Poisson's equation: Δu = f on the unit square, u = 0 on its edge.
//!
//! f = −2π²·sin πx·sin πy, whose solution is sin πx·sin πy. The network is multiplied by 16·x(1−x)·y(1−y), so the edge is met
//! exactly; the loss is the mean of (Δu − f)² over 1024 points, by the forward Laplacian, and Adam follows its gradient.
//! Run it with `cargo run --release -p ansatz-autodiff --example poisson`.
//!
//! gallery: Poisson's equation by a physics-informed network
//! gallery: expect relative error in 0..1e-3
//! gallery: picture poisson.png The solution found, on the unit square
//! gallery: picture poisson_error.png Its error

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::f64::consts::PI;

use ansatz_autodiff::core::Key;
use ansatz_autodiff::{Array, Graph, Options, Program, gradient, laplacian, units};
use ansatz_testkit::net::Adam;
use ansatz_viz::{HeatOptions, heat_map};

const POINTS: usize = 1024;
const STEPS: usize = 3000;
/// Points a side of the picture.
const SIDE: usize = 64;
const WIDTHS: [usize; 4] = [2, 32, 32, 1];

/// u(x) with its parameters.
fn solution<'g>(x: Array<'g>, parameters: &[Array<'g>]) -> Array<'g> {
    let layers = parameters.chunks(2).enumerate();
    let network = layers.fold(x, |h, (i, layer)| {
        let z = h.matmul(layer[0]) + layer[1];
        if i + 2 < WIDTHS.len() { z.tanh() } else { z }
    });
    let (s, t) = (x.narrow(1, 0, 1), x.narrow(1, 1, 2));
    network * (s * (s - 1.0)) * (t * (t - 1.0)) * 16.0
}

fn parameters(g: &Graph) -> Vec<Array<'_>> {
    let layers = WIDTHS.windows(2);
    layers
        .flat_map(|w| [g.input(&[w[0], w[1]]), g.input(&[w[1]])])
        .collect()
}

/// The first slices are given, the others are parts of one vector.
fn slices<'a>(first: &[&'a [f64]], mut rest: &'a [f64], lengths: &[usize]) -> Vec<&'a [f64]> {
    let parts = lengths.iter().map(|n| {
        let (part, after) = rest.split_at(*n);
        rest = after;
        part
    });
    first.iter().copied().chain(parts).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let g = Graph::new();
    let (x, f) = (g.batch(&[POINTS, 2]), g.batch(&[POINTS, 1]));
    let p = parameters(&g);
    let lengths: Vec<usize> = p.iter().map(|p| p.shape().len()).collect();
    let residual = laplacian(solution(x, &p), x, &units(x)).second - f;
    let loss = residual.square().mean();
    let mut outputs = vec![loss];
    outputs.extend(gradient(loss, &p));
    let step = Program::<f64>::compile(&g.finish(&outputs), &Options::default())?;

    let mut weights = Vec::new();
    for (l, w) in WIDTHS.windows(2).enumerate() {
        let scale = (2.0 / (w[0] + w[1]) as f64).sqrt();
        let draw = |i: usize| scale * Key::new(1).normal(l as u64, i as u64)[0];
        weights.extend((0..w[0] * w[1]).map(draw));
        weights.extend(vec![0.0; w[1]]);
    }
    let mut slopes = vec![0.0; weights.len()];
    let rate = |i: usize| 0.01 * 0.5_f64.powf(i as f64 / 400.0);
    let mut adam = Adam::new(weights.len(), rate(0));
    for i in 0..STEPS {
        // Fresh points in each step.
        let draw = |k: usize| Key::new(2).uniform(i as u64, k as u64);
        let points: Vec<f64> = (0..POINTS).flat_map(draw).collect();
        let exact = |p: &[f64]| (PI * p[0]).sin() * (PI * p[1]).sin();
        let source: Vec<f64> = points
            .chunks(2)
            .map(|p| -2.0 * PI * PI * exact(p))
            .collect();
        let mut loss = [0.0];
        let mut rest = slopes.as_mut_slice();
        let mut results: Vec<&mut [f64]> = vec![&mut loss];
        for n in &lengths {
            let (part, after) = rest.split_at_mut(*n);
            results.push(part);
            rest = after;
        }
        step.run(
            &slices(&[&points, &source], &weights, &lengths),
            &mut results,
        )?;
        adam.rate = rate(i);
        adam.step(&mut weights, &slopes);
        if i % 500 == 0 {
            println!("step {i}: loss {:.3e}", loss[0]);
        }
    }

    let g = Graph::new();
    let x = g.batch(&[SIDE * SIDE, 2]);
    let trace = g.finish(&[solution(x, &parameters(&g))]);
    let at = |i: usize| (i as f64 + 0.5) / SIDE as f64;
    let grid: Vec<f64> = (0..SIDE * SIDE)
        .flat_map(|i| [at(i % SIDE), at(i / SIDE)])
        .collect();
    let mut u = vec![0.0; SIDE * SIDE];
    let program = Program::<f64>::compile(&trace, &Options::default())?;
    program.run(&slices(&[&grid], &weights, &lengths), &mut [&mut u])?;
    let exact = grid
        .chunks(2)
        .map(|p| (PI * p[0]).sin() * (PI * p[1]).sin());
    let error: Vec<f64> = u.iter().zip(exact.clone()).map(|(u, e)| u - e).collect();
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let relative = norm(&mut error.iter().copied()) / norm(&mut exact.clone());
    println!("relative error = {relative:.2e}");

    let options = HeatOptions::default();
    std::fs::create_dir_all("target/gallery")?;
    for (name, field) in [("poisson", &u), ("poisson_error", &error)] {
        let path = format!("target/gallery/{name}.png");
        heat_map(field, SIDE, SIDE, &options)?.save(&path)?;
        println!("wrote {path}");
    }
    Ok(())
}
