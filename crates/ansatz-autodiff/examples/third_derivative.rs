//! A function, its third derivative, and the gradient of a loss of that: the inverse problem of a wave's speed.
//!
//! u(x) = sin(a·x) has u''' = −a³·cos(a·x). Given u''' at 200 points, Newton's method finds a from a = 1: reverse mode over
//! a Taylor series of order 3, and forward mode over both. Run it with
//! `cargo run --release -p ansatz-autodiff --example third_derivative`.
//!
//! gallery: From a third derivative back to a parameter
//! gallery: expect error of a in 0..1e-12
//! gallery: expect error of the third derivative in 0..1e-12

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_autodiff::{Graph, Options, Program, gradient, hessian, jet};

const POINTS: usize = 200;
const SPEED: f64 = 1.3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let g = Graph::new();
    let (x, data, a) = (g.batch(&[POINTS]), g.batch(&[POINTS]), g.input(&[]));
    let u = (x * a).sin();
    let third = jet(&[u], &[(x, &[x.ones()])], 3).remove(0)[3] * 6.0;
    let loss = (third - data).square().mean();
    let slope = gradient(loss, &[a])[0];
    let curvature = hessian(loss, a);
    let trace = g.finish(&[loss, slope, curvature, third]);
    let program = Program::<f64>::compile(&trace, &Options::default())?;

    let points: Vec<f64> = (0..POINTS).map(|i| i as f64 / POINTS as f64).collect();
    let exact = |x: &f64| -SPEED.powi(3) * (SPEED * x).cos();
    let data: Vec<f64> = points.iter().map(exact).collect();
    let mut speed = 1.0;
    let (mut loss, mut slope, mut curvature, mut third) = ([0.0], [0.0], [0.0], [0.0; POINTS]);
    for step in 0..9 {
        program.run(
            &[&points, &data, &[speed]],
            &mut [&mut loss, &mut slope, &mut curvature, &mut third],
        )?;
        println!("step {step}: a = {speed:.15}, loss {:.3e}", loss[0]);
        speed -= slope[0] / curvature[0];
    }
    let apart = third.iter().zip(&data).map(|(t, d)| (t - d).abs());
    println!("error of a = {:.1e}", (speed - SPEED).abs());
    println!(
        "error of the third derivative = {:.1e}",
        apart.fold(0.0, f64::max)
    );
    Ok(())
}
