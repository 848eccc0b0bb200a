//! A mixed diffusion and wave equation of fractional order whose source is measured with half of its size as noise, by an
//! ensemble of networks and Kalman's filter, and by one network.
//!
//! D^½u = u_xx + f on [0, π]×[0, 1], u = t³·sin x. Run it with `cargo run --release -p ansatz-pde --example noisy_source`.
//!
//! gallery: A fractional equation with a noisy source
//! gallery: expect mean square error of the ensemble in 0..0.002
//! gallery: expect mean square error of one network in 0..0.002
//! gallery: picture noisy_source.png The source as measured, as the analysis has it, without noise (space to the right, time upwards)

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::f64::consts::PI;
use std::ops::ControlFlow;
use std::sync::Arc;

use ansatz_pde::core::{Event, Key};
use ansatz_pde::ipinner::{Analysis, Ipinner, Observed, Sensors};
use ansatz_pde::nn::{Layout, Mlp, MlpOptions, Parameters, Schedule};
use ansatz_pde::{Caputo, Model, Residual, Stage, Term, partials, sample};
use ansatz_viz::{HeatOptions, Picture, beside, heat_map};

const PLACES: usize = 24;
const NODES: usize = 24;

fn exact(x: f64, t: f64) -> f64 {
    t.powi(3) * x.sin()
}

fn source(x: f64, t: f64) -> f64 {
    (6.0 / libm::tgamma(3.5) * t.powf(2.5) + t.powi(3)) * x.sin()
}

/// Rows of values at places, in pictures' order.
fn field(values: &[f64]) -> Result<Picture, ansatz_viz::VizError> {
    let turned: Vec<f64> = (0..PLACES * NODES)
        .map(|k| values[(k % PLACES) * NODES + NODES - 1 - k / PLACES])
        .collect();
    let options = HeatOptions {
        zoom: 8,
        ..HeatOptions::default()
    };
    heat_map(&turned, NODES, PLACES, &options)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut layout = Layout::new();
    let widths = [2, 16, 16, 1];
    let net = Mlp::new(
        &mut layout.root().scope("net"),
        &widths,
        &MlpOptions::default(),
    );
    let model: Model = Arc::new(net);
    let caputo = Caputo::uniform(1.0, NODES)?;
    let space: Vec<f64> = (0..PLACES)
        .map(|i| PI * (i as f64 + 0.5) / PLACES as f64)
        .collect();
    let times = caputo.times()[1..].to_vec();
    let each = space
        .iter()
        .flat_map(|x| times.iter().map(|t| source(*x, *t)));
    let clean: Vec<f64> = each.collect();
    let mean = clean.iter().sum::<f64>() / clean.len() as f64;
    let variance = clean.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / clean.len() as f64;
    let noise = 0.5 * variance.sqrt();
    let mut draws = vec![0.0; clean.len()];
    Key::new(7).fill_normal(0, &mut draws);
    let measured: Vec<f64> = clean
        .iter()
        .zip(&draws)
        .map(|(f, z)| f + noise * z)
        .collect();

    let (inner, again, nodes) = (model.clone(), model.clone(), caputo);
    // u = 0 at the start and at both ends.
    let edges = (0..12).flat_map(|i| {
        let s = f64::from(i) / 11.0;
        [[PI * s, 0.0], [0.0, s], [PI, s]].concat()
    });
    let zero = Term::new("edges", 2, edges.collect(), move |pass, x| {
        Ok(again.apply(pass, x))
    });
    let observed = Observed {
        layout,
        terms: vec![(0, zero)],
        sensors: Sensors {
            columns: 1,
            points: space,
            measured: measured.clone(),
            variance: noise * noise,
            values: Arc::new(move |pass, x| {
                let at = nodes.grid(x);
                let u = inner.apply(pass, at);
                let second = partials(u, at, &[vec![2, 0]])?[0].reshape(&[x.shape()[0], NODES + 1]);
                let half = x.graph().constant(&[1], vec![Caputo::fraction(0.5)?]);
                Ok(nodes.derivative(u, half) - second.narrow(1, 1, NODES + 1))
            }),
            weight: 1.0,
        },
    };
    let method = Ipinner {
        generations: 2,
        training: vec![Stage::adam(600, Schedule::Constant(3e-3))],
        iterations: 4,
        ..Ipinner::default()
    };
    let mut show = |e: &Event<'_, Analysis<'_, f64>>| {
        println!(
            "analysis {} moved the data by {:.2e}",
            e.step,
            e.state.moved.sqrt()
        );
        ControlFlow::Continue(())
    };
    let report = method.run::<f64, _>(&observed, Key::new(1), &mut show)?;
    let one = Ipinner {
        members: 2,
        generations: 8,
        iterations: 1,
        ..method
    };
    let one = one.run::<f64, _>(&observed, Key::new(1), &mut ())?;

    let place = |k: usize| [PI * (k / 21) as f64 / 20.0, (k % 21) as f64 / 20.0];
    let grid: Vec<f64> = (0..441).flat_map(place).collect();
    let square = |u: &[f64]| {
        let squares = u
            .iter()
            .zip(grid.chunks(2))
            .map(|(u, p)| (u - exact(p[0], p[1])).powi(2));
        squares.sum::<f64>() / u.len() as f64
    };
    let inner = model.clone();
    let value: Residual = Arc::new(move |pass, x| Ok(inner.apply(pass, x)));
    let means: Vec<f64> = report
        .spread(2, &grid, &value)?
        .iter()
        .map(|s| s[0])
        .collect();
    let alone = |p: &Parameters<f64>| sample(p, 2, &grid, |pass, x| Ok(model.apply(pass, x)));
    let (ours, theirs) = (square(&means), square(&alone(&one.members[0])?));
    println!("mean square error of the ensemble = {ours:.3e}");
    println!("mean square error of one network = {theirs:.3e}");
    println!("ratio to one network = {:.3}", ours / theirs);
    let pictures = [field(&measured)?, field(&report.data)?, field(&clean)?];
    beside(&pictures)?.save("target/gallery/noisy_source.png")?;
    println!("wrote target/gallery/noisy_source.png");
    Ok(())
}
