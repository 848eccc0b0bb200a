//! A wave in the plane by a separable network on a tensor grid: 27,648 points at the cost of 96.
//!
//! The Klein-Gordon equation u_tt − Δu + u² = q on [−1, 1]² to t = 10, with u = (x + y)·cos 2t + xy·sin 2t. The network is a sum of
//! products of networks of one coordinate; the equation is asked for on all combinations of coordinates along each axis. The time
//! of a step at as many points one by one stands beside.
//! Run it with `cargo run --release -p ansatz-pde --example tensor_grid`.
//!
//! gallery: A wave in space and time on a tensor grid
//! gallery: expect relative error in 0..1e-2
//! gallery: expect time of a step at points over that on the grid in 2..1e3
//! gallery: picture tensor_grid.png The wave over x and y at eight times, and below its error a hundredfold
//! gallery: picture tensor_grid.svg Time of a step over points of the equation

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use ansatz_pde::core::Event;
use ansatz_pde::nn::Schedule;
use ansatz_pde::suite::{self, Benchmark};
use ansatz_pde::{Moment, PdeError, Pinn, Stage};
use ansatz_viz::{Axis, Chart, HeatOptions, Scale, Series, heat_map};
use indicatif::{ProgressBar, ProgressStyle};

/// The entry's method with other points and stages.
fn pinn(benchmark: &Benchmark, (inside, stages): (Inside, Vec<Stage>)) -> Pinn {
    let mut pinn = benchmark.method.pinn().clone();
    match inside {
        Inside::Grid(sizes) => pinn.grid = Some(sizes.to_vec()),
        Inside::Points(count) => {
            pinn.grid = None;
            pinn.points.inside = count;
        }
    }
    Pinn { stages, ..pinn }
}

/// Where the equation is asked for.
enum Inside {
    Grid([usize; 3]),
    Points(usize),
}

/// Seconds of a step, compiling left out.
fn step(benchmark: &Benchmark, inside: Inside, steps: u64) -> Result<f64, PdeError> {
    let (mut first, mut last) = (None, 0.0);
    let began = Instant::now();
    let mut watch = |_: &Event<'_, Moment<'_, f64>>| {
        last = began.elapsed().as_secs_f64();
        let _ = *first.get_or_insert(last);
        ControlFlow::Continue(())
    };
    let stages = vec![Stage::adam(steps, Schedule::Constant(1e-3))];
    pinn(benchmark, (inside, stages)).solve::<f64, _>(&benchmark.problem, &mut watch)?;
    Ok((last - first.unwrap_or_default()) / (steps - 1) as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let benchmark = suite::get("klein-gordon-plane")?;
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{msg}")?);
    let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
        bar.set_message(format!("step {}, loss {:.1e}", e.step, e.state.loss));
        ControlFlow::Continue(())
    };
    let began = Instant::now();
    let (solution, error) = benchmark.run::<f64, _>(&mut watch)?;
    bar.finish_and_clear();
    print!("{}", solution.report);
    println!("trained in {:.1} s", began.elapsed().as_secs_f64());
    println!("relative error = {:.2e}", error.relative);
    println!("largest error {:.2e}", error.largest);

    let mut series = [Vec::new(), Vec::new()];
    let mut ratio = 0.0;
    for n in [8, 16, 24] {
        let count = 2 * n * n * n;
        let grid = step(&benchmark, Inside::Grid([n, n, 2 * n]), 40)?;
        let each = step(&benchmark, Inside::Points(count), 6)?;
        println!(
            "{count} points: {:.2} ms on a grid, {:.1} ms one by one",
            1e3 * grid,
            1e3 * each
        );
        series[0].push((count as f64, 1e3 * grid));
        series[1].push((count as f64, 1e3 * each));
        ratio = each / grid;
    }
    println!("time of a step at points over that on the grid = {ratio:.1}");

    let (size, times) = (48, 8);
    let end = (size - 1) as f64;
    let place = |k: usize| {
        let (row, column) = (k / (size * times), k % (size * times));
        let t = 10.0 * (column / size) as f64 / (times - 1) as f64;
        [
            2.0 * (column % size) as f64 / end - 1.0,
            1.0 - 2.0 * row as f64 / end,
            t,
        ]
    };
    let places: Vec<f64> = (0..size * size * times).flat_map(place).collect();
    let mut rows = benchmark.found(&solution, &places)?;
    let truth = benchmark.exact(&places)?;
    let off: Vec<f64> = rows
        .iter()
        .zip(&truth)
        .map(|(u, v)| 100.0 * (u - v))
        .collect();
    rows.extend(off);
    std::fs::create_dir_all("target/gallery")?;
    let picture = heat_map(&rows, 2 * size, size * times, &HeatOptions::default())?;
    picture.save("target/gallery/tensor_grid.png")?;
    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Log,
        ..Axis::default()
    };
    let [grid, each] = series;
    let chart = Chart {
        title: "A step of Adam".into(),
        x: axis("points of the equation"),
        y: axis("time, ms"),
        series: vec![
            Series::line("on a tensor grid", grid),
            Series::line("one by one", each),
        ],
        ..Chart::default()
    };
    std::fs::write("target/gallery/tensor_grid.svg", chart.to_svg()?)?;
    println!("wrote target/gallery/tensor_grid.png and tensor_grid.svg");
    Ok(())
}
