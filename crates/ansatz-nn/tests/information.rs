//! Cauchy-Schwarz divergences beside numbers of NumPy and the closed form of Gaussians.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_autodiff::{Array, Graph, Options, Program, gradient};
use ansatz_nn::{
    Denominator, bottleneck_loss, cauchy_schwarz_divergence, cauchy_schwarz_information,
    conditional_divergence, gaussian_kernel,
};

fn run(g: &Graph, outputs: &[Array<'_>]) -> Vec<f64> {
    let program = Program::<f64>::compile(&g.finish(outputs), &Options::default()).unwrap();
    let mut out: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
    let mut views: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
    program.run(&[], &mut views).unwrap();
    out.concat()
}

fn points() -> [Vec<f64>; 3] {
    let x = (0..30).flat_map(|i| {
        let i = f64::from(i);
        [(0.5 * i).sin(), (0.3 * i * i).cos()]
    });
    let x: Vec<f64> = x.collect();
    let y: Vec<f64> = x.chunks(2).map(|p| p[0] + 0.5 * p[1] * p[1]).collect();
    let near = y
        .iter()
        .enumerate()
        .map(|(i, y)| y + 0.1 * (i as f64).cos());
    let near = near.collect();
    [x, y, near]
}

#[test]
fn in_numbers() {
    let g = Graph::new();
    let [x, y, near] = points();
    let (x, y, near) = (
        g.constant(&[30, 2], x),
        g.constant(&[30, 1], y),
        g.constant(&[30, 1], near),
    );
    let kernel = |a, b| gaussian_kernel(a, b, 1.0);
    let parts = [kernel(y, y), kernel(near, near), kernel(near, y)];
    let same = [kernel(y, y); 3];
    let found = run(
        &g,
        &[
            cauchy_schwarz_divergence(y, near, 1.0),
            cauchy_schwarz_information(kernel(x, x), kernel(y, y)),
            conditional_divergence(kernel(x, x), parts, Denominator::SquareOfSum),
            conditional_divergence(kernel(x, x), parts, Denominator::SumOfSquares),
            conditional_divergence(kernel(x, x), same, Denominator::SquareOfSum),
            bottleneck_loss([x, x, y, near], 0.5, (1.0, Denominator::SquareOfSum)),
            cauchy_schwarz_information(kernel(x, x), kernel(x, x)),
        ],
    );
    let known = [
        8.361_457_548_449e-4,
        0.124_899_436_992,
        3.509_815_292_419_56e-4,
        6.890_042_933_288e-4,
        0.0,
    ];
    for (a, b) in found.iter().zip(known) {
        assert!((a - b).abs() < 1e-12, "{a} and {b}");
    }
    assert!((found[5] - (found[2] + 0.5 * found[6])).abs() < 1e-14);
}

/// The normal quantile by bisection.
fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-10.0, 10.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle / 2.0_f64.sqrt()) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[test]
fn gaussians() {
    let n = 2000;
    let normal = (0..n).map(|i| quantile((f64::from(i) + 0.5) / f64::from(n)));
    let a: Vec<f64> = normal.collect();
    let b = a.iter().map(|z| 1.0 + 2.0 * z).collect();
    let g = Graph::new();
    let (a, b) = (g.constant(&[2000, 1], a), g.constant(&[2000, 1], b));
    let found = run(&g, &[cauchy_schwarz_divergence(a, b, 0.3)])[0];
    // The closed form with variances + σ²/2 is 0.409845; the quantiles' tails end early.
    assert!((found - 0.409_814).abs() < 1e-6, "{found}");
}

#[test]
fn gradients_are_those_of_differences() {
    let [x, y, near] = points();
    let g = Graph::new();
    let (x, y) = (g.constant(&[30, 2], x), g.constant(&[30, 1], y));
    let z = g.input(&[30, 1]);
    let loss = bottleneck_loss([x, z, y, z], 0.3, (0.7, Denominator::SquareOfSum));
    let trace = g.finish(&[loss, gradient(loss, &[z])[0]]);
    let program = Program::<f64>::compile(&trace, &Options::default()).unwrap();
    let at = |near: &[f64]| {
        let (mut value, mut slope) = ([0.0], [0.0; 30]);
        program.run(&[near], &mut [&mut value, &mut slope]).unwrap();
        (value[0], slope)
    };
    let slope = at(&near).1;
    for k in 0..30 {
        let moved = |h: f64| {
            let mut p = near.clone();
            p[k] += h;
            at(&p).0
        };
        let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!(
            (difference - slope[k]).abs() < 1e-8,
            "{k}: {difference} and {}",
            slope[k]
        );
    }
}
