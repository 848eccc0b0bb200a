//! Exponential time differencing beside Cole and Hopf's formula: errors by step, the order, and a shock that forms.
//!
//! u_t + u·u_x = νu_xx with period 2π from sin x, ν = 0.05, and on [−1, 1] from −sin πx, ν = 0.01/π. Run it with
//! `cargo run --release -p ansatz-physics --example spectral`.
//!
//! gallery: Reference solutions of Burgers' equation
//! gallery: expect order in 3.8..4.2
//! gallery: expect largest difference of the shock in 0..1e-7
//! gallery: picture spectral.svg Error by step
//! gallery: picture shock.svg A shock forms

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::f64::consts::{PI, TAU};
use std::path::Path;

use ansatz_physics::burgers::{ColeHopf, Wave};
use ansatz_physics::spectral::{Equation, SpectralOptions};
use ansatz_viz::{Axis, Chart, Scale, Series};

fn main() -> Result<(), Box<dyn Error>> {
    let nu = 0.05;
    let exact = ColeHopf::from_wave(nu, Wave::on_current(0.0))?;
    let equation = Equation::burgers(nu)?;
    let (mut errors, mut stated) = (Vec::new(), Vec::new());
    for h in [0.1, 0.05, 0.025, 0.0125, 0.00625] {
        let options = SpectralOptions {
            modes: 512,
            step: h,
            ..SpectralOptions::default()
        };
        let u = equation.solve([0.0, TAU], f64::sin, &[1.0], &options)?;
        let mut most: f64 = 0.0;
        for i in 0..400 {
            let x = TAU * f64::from(i) / 400.0;
            most = most.max((u.value(x, 1.0)? - exact.value(x, 1.0)?).abs());
        }
        errors.push((h, most));
        stated.push((h, ansatz_physics::Reference::accuracy(&u)));
    }
    println!("order = {:.2}", (errors[3].1 / errors[4].1).log2());

    let nu = 0.01 / PI;
    let exact = ColeHopf::new(nu)?;
    let options = SpectralOptions {
        modes: 2048,
        step: 1e-3,
        ..SpectralOptions::default()
    };
    let times = [0.0, 0.25, 0.5, 0.75, 1.0];
    let u = Equation::burgers(nu)?.solve([-1.0, 1.0], |x| -(PI * x).sin(), &times, &options)?;
    let mut most: f64 = 0.0;
    let mut shock = Vec::new();
    for t in times {
        let mut line = Vec::new();
        for i in 0..=400 {
            let x = -1.0 + f64::from(i) / 200.0;
            line.push((x, u.value(x, t)?));
            most = most.max((u.value(x, t)? - exact.value(x, t)?).abs());
        }
        shock.push(Series::line(format!("t = {t}"), line));
    }
    println!("largest difference of the shock = {most:.1e}");

    let axis = |label: &str, scale| Axis {
        label: label.into(),
        scale,
        ..Axis::default()
    };
    let by_step = Chart {
        title: "Burgers' equation, ν = 0.05, t = 1".into(),
        x: axis("step", Scale::Log),
        y: axis("largest error", Scale::Log),
        series: vec![
            Series::line("error", errors),
            Series::line("stated", stated),
        ],
        ..Chart::default()
    };
    let shock = Chart {
        title: "Burgers' equation, ν = 0.01/π".into(),
        x: axis("x", Scale::default()),
        y: axis("u", Scale::default()),
        series: shock,
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    for (name, chart) in [("spectral.svg", by_step), ("shock.svg", shock)] {
        std::fs::write(folder.join(name), chart.to_svg()?)?;
        println!("wrote target/gallery/{name}");
    }
    Ok(())
}
