//! Flow in a square cavity under a moving lid at Re = 100, by a network of 921 parameters.
//!
//! The velocity jumps at the upper corners. The unknown is a stream function, so that the flow has no sources, in a form that
//! meets all conditions and holds the flow near a scraped corner; the Reynolds number rises in levels of Levenberg-Marquardt steps.
//! The reference is of second order in its stream function, extrapolated.
//! Run it with `cargo run --release -p ansatz-pde --example cavity`.
//!
//! gallery: The lid-driven cavity by a stream function
//! gallery: expect relative error in 0..2e-3
//! gallery: picture cavity.png Speed: the lid at the top moves to the right
//! gallery: picture cavity_lines.svg Velocities on the centre lines, and those of the reference

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use ansatz_pde::core::Event;
use ansatz_pde::{Moment, suite};
use ansatz_viz::{Axis, Chart, HeatOptions, Series, heat_map};
use indicatif::{ProgressBar, ProgressStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let benchmark = suite::get("cavity")?;
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{msg}")?);
    let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
        bar.set_message(format!("step {}, loss {:.1e}", e.step, e.state.loss));
        ControlFlow::Continue(())
    };
    let began = Instant::now();
    let solution = benchmark.train::<f64, _>(&mut watch)?;
    bar.finish_and_clear();
    print!("{}", solution.report);
    println!("trained in {:.1} s", began.elapsed().as_secs_f64());
    let error = benchmark.error(&solution)?;
    println!("relative error = {:.2e}", error.relative);
    println!("largest error {:.2e}", error.largest);

    let size = 160;
    let last = (size - 1) as f64;
    let place = |k: usize| [(k % size) as f64 / last, 1.0 - (k / size) as f64 / last];
    let points: Vec<f64> = (0..size * size).flat_map(place).collect();
    let velocity = benchmark.found(&solution, &points)?;
    let speed: Vec<f64> = velocity.chunks(2).map(|v| v[0].hypot(v[1])).collect();
    std::fs::create_dir_all("target/gallery")?;
    let picture = heat_map(&speed, size, size, &HeatOptions::default())?;
    picture.save("target/gallery/cavity.png")?;

    // u along x = ½ and v along y = ½.
    let places: Vec<f64> = (0..=60).map(|i| f64::from(i) / 60.0).collect();
    let mut series = Vec::new();
    for (component, name) in ["u over y", "v over x"].into_iter().enumerate() {
        let place = |s: &f64| if component == 0 { [0.5, *s] } else { [*s, 0.5] };
        let points: Vec<f64> = places.iter().flat_map(place).collect();
        let found = benchmark.found(&solution, &points)?;
        let exact = benchmark.exact(&points)?;
        for (whose, values) in [("network", found), ("reference", exact)] {
            let line = places.iter().zip(values.chunks(2));
            let line = line.map(|(s, v)| (*s, v[component]));
            series.push(Series::line(format!("{name}, {whose}"), line));
        }
    }
    let axis = |label: &str| Axis {
        label: label.into(),
        ..Axis::default()
    };
    let chart = Chart {
        title: "Velocities on the centre lines".into(),
        x: axis("place"),
        y: axis("velocity"),
        series,
        ..Chart::default()
    };
    std::fs::write("target/gallery/cavity_lines.svg", chart.to_svg()?)?;
    println!("wrote target/gallery/cavity.png and cavity_lines.svg");
    Ok(())
}
