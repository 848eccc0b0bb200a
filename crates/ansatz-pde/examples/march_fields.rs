//! A bump carried along by a network that is stepped in time, beside the error of the rule for steps alone.
//!
//! u_t + u_x/4 = 0 on [−2, 2] from exp(−½((x + 1.5)/0.1)²), twenty steps of 0.05 by Crank and Nicolson's rule. Each step is a
//! problem of least squares for the 901 weights of a network of sines. With exact space the rule itself is off by the
//! floor of the chart; the network can only add to it.
//! Run it with `cargo run --release -p ansatz-pde --example march_fields`.
//!
//! gallery: A field in the weights of a network, marched in time
//! gallery: expect error over floor after 5 steps in 0.9..1.1
//! gallery: expect error over floor after 20 steps in 0.9..1.2
//! gallery: picture march_fields.svg Error of the field, and of the rule for steps with exact space

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ansatz_pde::core::Key;
use ansatz_pde::insr::{Condition, Equation, Evolution, EvolutionOptions};
use ansatz_pde::nn::{Layout, Parameters, Siren};
use ansatz_pde::{Model, relative_error};
use ansatz_viz::{Axis, Chart, Scale, Series};

const SPEED: f64 = 0.25;
const WIDTH: f64 = 0.1;
const DT: f64 = 0.05;

fn bump(x: f64) -> f64 {
    (-0.5 * ((x + 1.5) / WIDTH).powi(2)).exp()
}

/// The rule turns a wave by 2·atan(½ck·Δt) in place of ck·Δt; |û|² ∝ exp(−k²w²).
fn floor(steps: u32) -> f64 {
    let (mut off, mut all) = (0.0, 0.0);
    for i in 0..=20_000 {
        let k = f64::from(i) / 20_000.0 * 10.0 / WIDTH;
        let weight = (-k * k * WIDTH * WIDTH).exp();
        let phase = 2.0 * (0.5 * SPEED * k * DT).atan() - SPEED * k * DT;
        off += weight * (2.0 - 2.0 * (f64::from(steps) * phase).cos());
        all += weight;
    }
    f64::sqrt(off / all)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut layout = Layout::new();
    let net = Siren::new(&mut layout.root(), &[1, 20, 20, 20, 1], 30.0);
    let model: Model = Arc::new(net);
    let equation = Equation::new(model.clone(), 1, &[vec![1]], |at| at.field[0] * -SPEED);
    let grid = |_: Key| (0..801).map(|i| f64::from(i) / 200.0 - 2.0).collect();
    let ends = |_: Key| vec![-2.0, 2.0];
    let still = Condition::new("ends", ends, move |pass, x, _| Ok(model.apply(pass, x)));
    let options = EvolutionOptions {
        dt: DT,
        ..EvolutionOptions::default()
    };
    let mut evolution = Evolution::new(&layout, equation, grid, &[still], &options)?;
    let mut parameters = Parameters::new(&layout, Key::new(1));
    let began = Instant::now();
    let start = evolution.start(&mut parameters, |x, u| u[0] = bump(x[0]))?;
    println!(
        "first field: {:.1e}, {:.1?}",
        start.loss.sqrt(),
        began.elapsed()
    );

    let places: Vec<f64> = (0..=2000).map(|i| f64::from(i) / 500.0 - 2.0).collect();
    let (mut errors, mut floors) = (Vec::new(), Vec::new());
    for step in 1..=20 {
        evolution.step(&mut parameters)?;
        let shift = SPEED * evolution.time();
        let exact: Vec<f64> = places.iter().map(|x| bump(x - shift)).collect();
        let error = relative_error(&evolution.field(&parameters, &places)?, &exact)?;
        errors.push((evolution.time(), error));
        floors.push((evolution.time(), floor(step)));
        if step % 5 == 0 {
            println!(
                "error over floor after {step} steps = {:.3}",
                error / floor(step)
            );
        }
    }
    println!("{:.1?}", began.elapsed());

    let chart = Chart {
        title: "A bump carried along".into(),
        x: Axis {
            label: "time".into(),
            ..Axis::default()
        },
        y: Axis {
            label: "relative error".into(),
            scale: Scale::Log,
            ..Axis::default()
        },
        series: vec![
            Series::dots("network", errors),
            Series::line("exact space", floors),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("march_fields.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/march_fields.svg");
    Ok(())
}
