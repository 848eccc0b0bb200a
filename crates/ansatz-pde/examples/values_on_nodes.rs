//! Burgers' equation without a network: its values at nodes of space and time, by derivatives of five kinds.
//!
//! u_t + u·u_x = 0.05·u_xx on [−1, 1] from −sin πx, to t = 0.5, is written once. Derivatives come from differences of order 2, 4 and
//! 6, from Fourier and Chebyshev polynomials, and from splines around scattered neighbours; the values are found by
//! least squares of all residuals. Errors are against the Cole-Hopf solution.
//!
//! A convolutional network or an operator that gives values on a grid is trained through the same residuals
//! (`OnNodes::residuals`).
//! Run it with `cargo run --release -p ansatz-pde --example values_on_nodes`.
//!
//! gallery: One equation, derivatives of five kinds
//! gallery: expect order of second-order differences in 1.7..2.6
//! gallery: expect order of fourth-order differences in 3.4..5
//! gallery: expect error of spectral derivatives in 0..1e-6
//! gallery: picture values_on_nodes.svg Relative error over the number of nodes
//! gallery: picture values_on_nodes.png Values at scattered nodes, each over what is nearest to it, x down and t across

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::time::Instant;

use ansatz_pde::core::Key;
use ansatz_pde::stencil::{Axis, Scattered, Stencil, Stencils};
use ansatz_pde::{
    BoxDomain, Geometry, OnNodes, PdeError, Points, Problem, Sampler, relative_error,
};
use ansatz_physics::{Reference, burgers::ColeHopf};
use ansatz_viz::{Axis as ChartAxis, Chart, HeatOptions, Scale, Series, heat_map};

const X: [f64; 2] = [-1.0, 1.0];
const T: [f64; 2] = [0.0, 0.5];
const VISCOSITY: f64 = 0.05;

/// Burgers' equation, periodic or with its values at the ends.
fn problem(periodic: bool) -> Result<Problem, PdeError> {
    let problem = Problem::new()
        .coordinate("x", X)
        .time("t", T)
        .unknown("u")
        .constant("nu", VISCOSITY)
        .equation("u_t + u*u_x = nu*u_xx")
        .condition("start", "u = -sin(pi*x)");
    let problem = if periodic {
        problem.periodic("x")
    } else {
        problem.condition("boundary", "u = 0")
    };
    problem.build()
}

/// How nodes of a number along x are made, half as many along t.
type Family = (&'static str, fn(usize) -> Result<Stencils, PdeError>, bool);

fn differences(count: usize, accuracy: usize) -> Result<Stencils, PdeError> {
    let stencil = Stencil::Differences { accuracy };
    Stencils::grid(vec![
        Axis::even(X, count, stencil)?,
        Axis::even(T, count / 2, stencil)?,
    ])
}

/// Points spread over space and time, with some on the edges, where conditions hold.
fn scattered(count: usize) -> Result<Stencils, PdeError> {
    let domain = BoxDomain::rectangle(X, T)?;
    let inside = count * count / 2;
    let drawn = domain.sample_interior(inside, &Sampler::default(), Key::new(0))?;
    // None closer to an edge than half the distance between points.
    let gap = 0.5 / (inside as f64).sqrt();
    let far: Vec<f64> = drawn
        .rows()
        .filter(|x| domain.distance(x) < -gap)
        .flatten()
        .copied()
        .collect();
    let mut points = Points::new(2, far)?;
    let along = |i: usize, n: usize, [a, b]: [f64; 2]| a + (b - a) * i as f64 / n as f64;
    let mut edges = Vec::new();
    for i in 0..=count {
        edges.extend([along(i, count, X), T[0], along(i, count, X), T[1]]);
    }
    for i in 1..count / 2 {
        let t = along(i, count / 2, T);
        edges.extend([X[0], t, X[1], t]);
    }
    points.extend(&Points::new(2, edges)?)?;
    Stencils::scattered(points, Scattered::polyharmonic(2, 4))
}

fn main() -> Result<(), Box<dyn Error>> {
    let exact = ColeHopf::new(VISCOSITY)?;
    let families: [Family; 6] = [
        ("order 2", |n| differences(n, 2), false),
        ("order 4", |n| differences(n, 4), false),
        ("order 6", |n| differences(n, 6), false),
        (
            "Fourier, Chebyshev",
            |n| {
                Stencils::grid(vec![
                    Axis::periodic(X, n, Stencil::Fourier)?,
                    Axis::chebyshev(T, n / 2)?,
                ])
            },
            true,
        ),
        (
            "Chebyshev",
            |n| Stencils::grid(vec![Axis::chebyshev(X, n)?, Axis::chebyshev(T, n / 2)?]),
            false,
        ),
        ("scattered splines", scattered, false),
    ];
    let mut series = Vec::new();
    let mut orders = Vec::new();
    let (mut spectral, mut cloud) = (f64::INFINITY, None);
    for (name, nodes, periodic) in families {
        let problem = problem(periodic)?;
        let mut line = Vec::new();
        for count in [16, 24, 32, 40] {
            let began = Instant::now();
            let on_nodes = OnNodes::new(&problem, nodes(count)?)?;
            let points = on_nodes.stencils().points();
            let start: Vec<f64> = points
                .rows()
                .map(|x| -(std::f64::consts::PI * x[0]).sin())
                .collect();
            let solution = on_nodes.solve(&start, 12)?;
            let mut truth = vec![0.0; points.len()];
            for (x, out) in points.rows().zip(truth.chunks_mut(1)) {
                exact.evaluate(x, out)?;
            }
            let error = relative_error(&solution.values, &truth)?;
            println!(
                "{name}: {} nodes, error {error:.1e}, {} steps, {:.2} s",
                points.len(),
                solution.history.len() - 1,
                began.elapsed().as_secs_f64()
            );
            line.push((points.len() as f64, error));
            if name.contains("Fourier") {
                spectral = spectral.min(error);
            }
            if name.contains("scattered") {
                cloud = Some((points.clone(), solution.values));
            }
        }
        // Nodes are spaced by the root of their number.
        let (first, last) = (line[1], line[3]);
        let order = 2.0 * (first.1 / last.1).ln() / (last.0 / first.0).ln();
        orders.push(order);
        series.push(Series::line(name, line));
    }
    println!("order of second-order differences = {:.2}", orders[0]);
    println!("order of fourth-order differences = {:.2}", orders[1]);
    println!("error of spectral derivatives = {spectral:.1e}");

    let axis = |label: &str| ChartAxis {
        label: label.into(),
        scale: Scale::Log,
        ..ChartAxis::default()
    };
    let chart = Chart {
        title: "Values at nodes of space and time".into(),
        x: axis("nodes"),
        y: axis("relative error"),
        series,
        ..Chart::default()
    };
    std::fs::create_dir_all("target/gallery")?;
    std::fs::write("target/gallery/values_on_nodes.svg", chart.to_svg()?)?;
    println!("wrote target/gallery/values_on_nodes.svg");
    if let Some((points, values)) = cloud {
        let size = 120;
        let at = |i: usize, [a, b]: [f64; 2]| a + (b - a) * (i as f64 + 0.5) / size as f64;
        let nearest = |k: usize| {
            let (x, t) = (at(k / size, X), at(k % size, T));
            // Four times the weight of time, whose interval is a quarter of that of space.
            let far = |p: &[f64]| (p[0] - x).powi(2) + 16.0 * (p[1] - t).powi(2);
            let all = points.rows().zip(&values);
            all.min_by(|a, b| far(a.0).total_cmp(&far(b.0)))
                .map_or(0.0, |(_, u)| *u)
        };
        let field: Vec<f64> = (0..size * size).map(nearest).collect();
        let picture = heat_map(&field, size, size, &HeatOptions::default())?;
        picture.save("target/gallery/values_on_nodes.png")?;
        println!("wrote target/gallery/values_on_nodes.png");
    }
    Ok(())
}
