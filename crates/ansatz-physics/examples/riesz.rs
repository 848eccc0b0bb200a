//! Fractional diffusion by spline collocation: orders, steps, and time beside a dense solution.
//!
//! (−d²/dx²)^{3/4} u = s on (0, 1), u = 0 outside, for a smooth solution x⁴(1 − x)⁴ and for s = 1. Run it with
//! `cargo run --release -p ansatz-physics --example riesz`.
//!
//! gallery: A fractional Laplacian in O(n log n)
//! gallery: expect order of p = 2 in 2.4..2.6
//! gallery: expect order of p = 4 in 4.35..4.65
//! gallery: expect most steps in 1..13
//! gallery: picture riesz.svg Error by number of intervals

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ansatz_physics::riesz::{RieszCollocation, SolveOptions};
use ansatz_viz::{Axis, Chart, Scale, Series};

const ALPHA: f64 = 1.5;

/// s of u = x⁴(1 − x)⁴, from the derivatives of powers.
fn source(x: f64) -> f64 {
    let terms = [(4, 1.0), (5, -4.0), (6, 6.0), (7, -4.0), (8, 1.0)];
    let one = |x: f64| -> f64 {
        let power = |(m, c): &(i32, f64)| {
            let m = f64::from(*m);
            c * libm::tgamma(m + 1.0) / libm::tgamma(m + 1.0 - ALPHA) * x.powf(m - ALPHA)
        };
        terms.iter().map(power).sum()
    };
    (one(x) + one(1.0 - x)) / (2.0 * (0.5 * std::f64::consts::PI * ALPHA).cos())
}

fn main() -> Result<(), Box<dyn Error>> {
    let smooth = |x: f64| (x * (1.0 - x)).powi(4);
    let rough = |x: f64| (x * (1.0 - x)).powf(0.5 * ALPHA) / libm::tgamma(1.0 + ALPHA);
    let mut series = Vec::new();
    let mut most = 0;
    for (name, degree, is_smooth) in [
        ("p = 2", 2, true),
        ("p = 3", 3, true),
        ("p = 4", 4, true),
        ("p = 5", 5, true),
        ("p = 3, s = 1", 3, false),
    ] {
        let mut errors: Vec<(f64, f64)> = Vec::new();
        for n in [16, 32, 64, 128, 256] {
            let problem = RieszCollocation::new(ALPHA, degree, n)?;
            let options = SolveOptions {
                tolerance: 1e-12,
                ..SolveOptions::default()
            };
            let u = if is_smooth {
                problem.solve(source, &options)?
            } else {
                problem.solve(|_| 1.0, &options)?
            };
            most = most.max(u.iterations);
            let exact = |x: f64| if is_smooth { smooth(x) } else { rough(x) };
            let points = || (0..=4000).map(|i| f64::from(i) / 4000.0);
            let gap = points()
                .map(|x| (u.at(x) - exact(x)).abs())
                .fold(0.0, f64::max);
            errors.push((n as f64, gap / exact(0.5)));
        }
        let order = (errors[3].1 / errors[4].1).log2();
        println!("order of {name} = {order:.2}");
        series.push(Series::line(name, errors));
    }
    println!("most steps = {most}");

    let n = 1024;
    let problem = RieszCollocation::new(ALPHA, 3, n)?;
    let time = |solve: &dyn Fn() -> Result<(), Box<dyn Error>>| -> Result<f64, Box<dyn Error>> {
        let began = Instant::now();
        solve()?;
        Ok(began.elapsed().as_secs_f64())
    };
    let fast = time(&|| {
        problem.solve(source, &SolveOptions::default())?;
        Ok(())
    })?;
    let dense = time(&|| {
        problem.solve_dense(source)?;
        Ok(())
    })?;
    println!(
        "{n} intervals: {:.2} ms, with the full matrix {:.0} ms",
        1e3 * fast,
        1e3 * dense
    );

    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Log,
        ..Axis::default()
    };
    let chart = Chart {
        title: "Spline collocation of order α = 1.5".into(),
        x: axis("intervals"),
        y: axis("error relative to the maximum"),
        series,
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("riesz.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/riesz.svg");
    Ok(())
}
