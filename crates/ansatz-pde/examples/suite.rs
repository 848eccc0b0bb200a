//! Benchmarks of physics-informed methods: fifteen equations, references that state their accuracy, a page for each.
//!
//! Pages with pictures go to `target/gallery/suite`. Run it with `cargo run --release -p ansatz-pde --example suite`; with
//! names behind `--` it solves those alone.
//!
//! gallery: Fifteen equations by physics-informed methods
//! gallery: expect largest error over what is asked in 0..1
//! gallery: picture suite.svg Relative error of each, and what its entry asks for

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ansatz_pde::core::Event;
use ansatz_pde::suite::{self, Benchmark};
use ansatz_pde::{ErrorReport, Moment, PdeError, Solution};
use ansatz_viz::{Axis, Chart, HeatOptions, Scale, Series, heat_map};
use indicatif::{ProgressBar, ProgressStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |id: &str| named.is_empty() || named.iter().any(|n| n == id);
    let folder = Path::new("target/gallery/suite");
    std::fs::create_dir_all(folder)?;
    let (mut errors, mut asked, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    for (number, (id, make)) in suite::ALL
        .iter()
        .enumerate()
        .filter(|(_, (id, _))| wanted(id))
    {
        let benchmark = make()?;
        let bar = ProgressBar::no_length();
        bar.set_style(ProgressStyle::with_template("{msg}")?);
        let began = Instant::now();
        let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
            bar.set_message(format!("{id}: step {}, loss {:.1e}", e.step, e.state.loss));
            ControlFlow::Continue(())
        };
        let (solution, error) = benchmark.run::<f64, _>(&mut watch)?;
        let seconds = began.elapsed().as_secs_f64();
        bar.finish_and_clear();
        println!("{id}: {error}, {seconds:.1} s");
        page(folder, &benchmark, &solution, (error, seconds))?;
        let place = (number + 1) as f64;
        errors.push((place, error.relative));
        asked.push((place, benchmark.reached));
        worst = worst.max(error.relative / benchmark.reached);
    }
    println!("largest error over what is asked = {worst:.2}");
    let chart = Chart {
        title: "Relative L2 error".into(),
        x: Axis {
            label: "number in the list".into(),
            ..Axis::default()
        },
        y: Axis {
            label: "error".into(),
            scale: Scale::Log,
            ..Axis::default()
        },
        series: vec![
            Series::line("reached", errors),
            Series::line("asked", asked),
        ],
        ..Chart::default()
    };
    std::fs::write("target/gallery/suite.svg", chart.to_svg()?)?;
    println!(
        "wrote target/gallery/suite.svg and pages in {}",
        folder.display()
    );
    Ok(())
}

/// Points of a picture: all of a domain of two coordinates, the end of one with time beside them.
fn plane(benchmark: &Benchmark, solution: &Solution<f64>) -> Result<Vec<f64>, PdeError> {
    let dims = benchmark.grid.len();
    let counts = [&[160, 160], &vec![2; dims - 2][..]].concat();
    let ends = benchmark.problem.domain().bounds().high;
    let all = solution.grid(&counts)?;
    let last = all.chunks(dims).filter(|x| x[2..] == ends[2..]);
    Ok(last.flatten().copied().collect())
}

/// The page of a problem: what was asked, what was reached, solution and error as pictures.
fn page(
    folder: &Path,
    benchmark: &Benchmark,
    solution: &Solution<f64>,
    (error, seconds): (ErrorReport, f64),
) -> Result<(), Box<dyn Error>> {
    let id = benchmark.id;
    let points = plane(benchmark, solution)?;
    let (values, exact) = (
        benchmark.found(solution, &points)?,
        benchmark.exact(&points)?,
    );
    let mut text =
        format!("<!doctype html><meta charset=\"utf-8\"><title>{id}</title><h1>{id}</h1>\n<pre>\n");
    for equation in benchmark.problem.equations() {
        writeln!(text, "{equation}")?;
    }
    for condition in benchmark.problem.conditions() {
        writeln!(text, "{} at {}", condition.text, condition.place)?;
    }
    writeln!(
        text,
        "\n{error}, {seconds:.1} s; the reference is good to {:.0e}",
        benchmark.reference.accuracy()
    )?;
    writeln!(
        text,
        "{:?}\n{}</pre>",
        benchmark.method.pinn().network,
        solution.report
    )?;
    let width = benchmark.fields.len();
    for (i, name) in benchmark.fields.iter().enumerate() {
        let column =
            |all: &[f64]| -> Vec<f64> { all.iter().skip(i).step_by(width).copied().collect() };
        let (u, e) = (column(&values), column(&exact));
        // Coefficients are the same everywhere.
        if e.iter().all(|v| v.to_bits() == e[0].to_bits()) {
            writeln!(text, "<p>{name}: {:.5}, exact {}</p>", u[0], e[0])?;
            continue;
        }
        let off: Vec<f64> = u.iter().zip(&e).map(|(u, e)| (u - e).abs()).collect();
        for (what, field) in [("", &u), ("-error", &off)] {
            let file = format!("{id}-{name}{what}.png");
            heat_map(field, 160, 160, &HeatOptions::default())?.save(folder.join(&file))?;
            writeln!(
                text,
                "<figure><img src=\"{file}\"><figcaption>{name}{what}</figcaption></figure>"
            )?;
        }
    }
    std::fs::write(folder.join(format!("{id}.html")), text)?;
    Ok(())
}
