//! sin 100x from its second derivative, by Gaussian processes that find the frequency.
//!
//! u″ = −10⁴ sin 100x on (0, 2π) with u = 0 at both ends, 400 points: a problem on which networks fail. Two kernels,
//! mixtures of 30 Student t or Gaussian bumps in the spectrum between 0 and 20 cycles per unit, are trained for 30 000 steps
//! of Adam with cosine decay. Run it with `cargo run --release -p ansatz-linalg --example high_frequency`.
//!
//! gallery: Frequencies found by Gaussian processes: u″ = −10⁴ sin 100x
//! gallery: expect error of Student t in 0..2e-6
//! gallery: expect error of Gaussian in 0..2e-6
//! gallery: expect heaviest frequency of Student t in 99.99..100.01
//! gallery: expect heaviest frequency of Gaussian in 99.99..100.01
//! gallery: picture high_frequency_solution.svg The solution, and what the 400 points see of it
//! gallery: picture high_frequency_error.svg Error by place
//! gallery: picture high_frequency_spectrum.svg The learnt spectrum, with the true frequency at 100

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::f64::consts::TAU;
use std::path::Path;
use std::time::Instant;

use ansatz_linalg::gp::{
    Envelope, Equation, GpSolver, Mixture, Problem, TrainOptions, Weighing, uniform_grid,
};
use ansatz_viz::{Axis, Chart, Scale, Series};

/// Where the error is measured.
const TEST: usize = 300;

fn exact(x: f64) -> f64 {
    (100.0 * x).sin()
}

fn main() -> Result<(), Box<dyn Error>> {
    let grid = uniform_grid(0.0, TAU, 400);
    let problem = Problem::from_functions(
        Equation::poisson(1),
        vec![grid.clone()],
        |x| -1e4 * exact(x[0]),
        |x| exact(x[0]),
    )?;
    let test = uniform_grid(0.0, TAU, TEST);
    let near = uniform_grid(0.0, 0.4, 400);
    let (mut solutions, mut errors, mut spectra) = (Vec::new(), Vec::new(), Vec::new());
    let mut determined = Vec::new();
    for (name, envelope) in [
        ("Student t", Envelope::StudentT),
        ("Gaussian", Envelope::Gaussian),
    ] {
        let kernel = Mixture::spectral(envelope, 30, 20.0)?;
        let mut solver = GpSolver::new(&problem, &kernel, Weighing::default())?;
        let began = Instant::now();
        let record = solver.train(&TrainOptions::default(), &mut ())?;
        let seconds = began.elapsed().as_secs_f64();
        let solution = solver.solution()?;
        let u = solution.on_grid(std::slice::from_ref(&test), &[0])?;
        let gaps: Vec<f64> = u.iter().zip(&test).map(|(u, x)| u - exact(*x)).collect();
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
        let error = norm(&mut gaps.iter().copied()) / norm(&mut test.iter().map(|x| exact(*x)));
        let steps = record.losses.len();
        println!(
            "{name}: loss {:.1} after {steps} steps, {seconds:.1} s, {:.2} ms each",
            record.losses[steps - 1],
            1e3 * seconds / steps as f64
        );
        println!("error of {name} = {error:.2e}");
        let components = solution.spectrum(0)?;
        let heaviest = TAU * components[0].frequency;
        println!("heaviest frequency of {name} = {heaviest:.4}");
        for warning in &record.warnings {
            println!("{warning}");
        }
        solutions.push(Series::line(
            name,
            near.iter()
                .copied()
                .zip(solution.on_grid(std::slice::from_ref(&near), &[0])?),
        ));
        let sizes = gaps.iter().map(|g| g.abs().max(1e-12));
        errors.push(Series::dots(name, test.iter().copied().zip(sizes)));
        let density = |omega: f64| -> f64 {
            let terms = components.iter().map(|c| c.density(omega / TAU));
            terms.sum::<f64>().max(1e-12)
        };
        let omegas = uniform_grid(0.0, 160.0, 1601);
        spectra.push(Series::line(
            name,
            omegas.iter().map(|omega| (*omega, density(*omega))),
        ));
        determined.push(error);
    }
    let seen = grid.iter().take_while(|x| **x <= 0.4);
    solutions.push(Series::dots("points", seen.map(|x| (*x, exact(*x)))));
    let axis = |label: &str, scale: Scale| Axis {
        label: label.into(),
        scale,
        ..Axis::default()
    };
    let charts = [
        (
            "solution",
            "u″ = −10⁴ sin 100x, the first sixteenth",
            "x",
            "u",
            Scale::Linear,
            solutions,
        ),
        (
            "error",
            "Error at 300 other points",
            "x",
            "|error|",
            Scale::Log,
            errors,
        ),
        (
            "spectrum",
            "Learnt spectra",
            "frequency in radians",
            "power",
            Scale::Log,
            spectra,
        ),
    ];
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    for (name, title, x, y, scale, series) in charts {
        let chart = Chart {
            title: title.into(),
            x: axis(x, Scale::Linear),
            y: axis(y, scale),
            series,
            ..Chart::default()
        };
        std::fs::write(
            folder.join(format!("high_frequency_{name}.svg")),
            chart.to_svg()?,
        )?;
    }
    println!("wrote target/gallery/high_frequency_*.svg");
    if determined.iter().any(|e| *e > 2e-6) {
        return Err("an error above 2e-6".into());
    }
    Ok(())
}
