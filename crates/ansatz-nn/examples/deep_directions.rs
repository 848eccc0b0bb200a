//! Trains a network to propose search directions for pressure problems on a 32×32 grid, and solves with them.
//!
//! The network sees random residuals of an empty box and no solutions (25 epochs of 200 steps, two to five minutes on
//! two cores). It is then used for the box and for a box with a solid disc, which it has never seen, beside conjugate
//! gradients without and with preconditioners. Iterations are few; each costs an evaluation of the network.
//! `cargo run --release -p ansatz-nn --example deep_directions`
//!
//! gallery: Deep conjugate directions
//! gallery: expect loss in 0..0.03
//! gallery: expect most iterations beside those of conjugate gradients in 0..0.4
//! gallery: expect least price of forgetting the last directions in 1.9..100
//! gallery: expect most iterations to 1e-8 in 0..110
//! gallery: picture deep_directions.svg Residuals in a box with a solid disc

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::f64::consts::PI;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ansatz_linalg::LinalgError;
use ansatz_linalg::deep::{DataOptions, DeepConjugateDirections, OnFluid, ResidualData};
use ansatz_linalg::krylov::{Cg, Method, SolveReport, Stop, System};
use ansatz_linalg::operator::{Cell, Face, Grid, Poisson};
use ansatz_linalg::precondition::{Multigrid, MultigridOptions, StencilFactor, StencilFactorKind};
use ansatz_nn::core::{Event, Key, OnHost, SearchDirection};
use ansatz_nn::{
    Adam, Data, DirectionNet, DirectionOptions, Layer, Layout, Objective, Parameters, Progress,
    Schedule, Training, TrainingOptions, box_laplacian, direction_loss,
};
use ansatz_viz::{Axis, Chart, Scale, Series};

const SIDE: usize = 32;
const CELLS: usize = SIDE * SIDE;
const SAMPLES: u64 = 2000;
const BATCH: usize = 10;
const EPOCHS: u64 = 25;

/// A box that is open at the far end of its slower axis, with a solid disc or without.
fn grid(disc: bool) -> Result<Grid, LinalgError> {
    let grid = Grid::new(&[SIDE; 2], &[[Face::Wall; 2], [Face::Wall, Face::Open]])?;
    Ok(grid.with_cells(|[i, j, _]| {
        let at = |i: usize| (i as f64 + 0.5) / SIDE as f64;
        let far = (at(i) - 0.5).powi(2) + (at(j) - 0.4).powi(2);
        if disc && far < 0.04 {
            Cell::Solid
        } else {
            Cell::Fluid
        }
    }))
}

/// Right-hand sides: white noise, and a smooth one with a jump.
fn right_side(grid: &Grid, smooth: bool) -> Vec<f64> {
    let cell = |c: usize| {
        if grid.cells()[c] == Cell::Solid {
            return 0.0;
        }
        let at = |i: usize| (i as f64 + 0.5) / SIDE as f64;
        let (x, y) = (at(c % SIDE), at(c / SIDE));
        if smooth {
            (2.0 * PI * x).sin() * (3.0 * PI * y).sin() + f64::from(u8::from(y < 0.2))
        } else {
            2.0 * Key::new(0).uniform(0, c as u64)[0] - 1.0
        }
    };
    (0..CELLS).map(cell).collect()
}

fn train(
    net: &DirectionNet,
    layout: &Layout,
) -> Result<Parameters<f32>, Box<dyn std::error::Error>> {
    let a = Poisson::<f64>::new(&grid(false)?)?;
    let data = ResidualData::new(
        &OnHost::new(&a),
        &vec![0.0; CELLS],
        &DataOptions::default(),
        Key::new(7),
    )?;
    let shape = Data::Batch(vec![BATCH, 1, SIDE, SIDE]);
    let mut objective = Objective::<f32>::compile(layout, &[shape], |pass, data| {
        let d = net.apply(pass, data[0]);
        let product = box_laplacian(d, a.diagonal().to_vec());
        direction_loss(data[0], d, product)
    })?;
    println!(
        "{} parameters, Ritz values {:.6}..{:.5}",
        layout.len(),
        data.values()[0],
        data.values().last().unwrap_or(&0.0),
    );
    let rule = Adam {
        epsilon: 1e-7,
        ..Adam::default()
    };
    let mut training = Training::new(Parameters::new(layout, Key::new(1)), rule, Key::new(2));
    let steps = EPOCHS * SAMPLES / BATCH as u64;
    let options = TrainingOptions {
        steps,
        rate: Schedule::Constant(1e-3),
        ..TrainingOptions::default()
    };
    let mut residual = vec![0.0; CELLS];
    let batch = |key: Key, out: &mut [Vec<f32>]| {
        for (k, image) in out[0].chunks_exact_mut(CELLS).enumerate() {
            let index = key.uniform(0, k as u64)[0] * SAMPLES as f64;
            data.sample(index as u64, &mut residual);
            for (pixel, r) in image.iter_mut().zip(&residual) {
                *pixel = *r as f32;
            }
        }
    };
    let mut loss = 0.0;
    let mut epoch = Vec::new();
    let mut observer = |event: &Event<'_, Progress<'_, f32>>| {
        epoch.push(event.state.loss);
        if epoch.len() as u64 * BATCH as u64 == SAMPLES {
            loss = epoch.iter().sum::<f64>() / epoch.len() as f64;
            epoch.clear();
        }
        if event.step.is_multiple_of(50) && std::io::stderr().is_terminal() {
            let done = 40 * event.step as u64 / steps;
            let bar = "#".repeat(done as usize);
            let mut err = std::io::stderr();
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(err, "\r[{bar:40}] {}/{steps}, loss {loss:.4} ", event.step);
        }
        ControlFlow::Continue(())
    };
    let start = Instant::now();
    training.run(&mut objective, &options, batch, &mut observer)?;
    println!("\ntraining: {:.0} s", start.elapsed().as_secs_f64());
    println!("loss: {loss:.4}");
    Ok(training.parameters)
}

fn solve(
    a: &Poisson<f64>,
    b: &Vec<f64>,
    method: &dyn Method<Vec<f64>>,
    helper: Option<&mut dyn SearchDirection<Vec<f64>>>,
    rtol: f64,
) -> Result<(SolveReport, f64), LinalgError> {
    let op = OnHost::new(a);
    let mut system = System::new(&op, b).until(Stop {
        rtol,
        max_iterations: 2000,
        ..Stop::default()
    });
    if let Some(helper) = helper {
        system = system.preconditioned(helper);
    }
    let start = Instant::now();
    let report = system.solve(method, &mut vec![0.0; b.len()])?;
    Ok((report, start.elapsed().as_secs_f64()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut layout = Layout::new();
    let options = DirectionOptions {
        axes: 2,
        ..DirectionOptions::default()
    };
    let net = DirectionNet::new(&mut layout.root(), &options);
    let parameters = train(&net, &layout)?;
    let mut proposer = parameters.direction(&[SIDE, SIDE], |pass, x| net.apply(pass, x))?;

    println!("iterations and milliseconds to 1e-4");
    let (mut share, mut forgetting, mut long) = (0.0_f64, f64::MAX, 0);
    let mut histories = Vec::new();
    for (name, disc, smooth) in [
        ("box, noise", false, false),
        ("box, smooth", false, true),
        ("disc, noise", true, false),
        ("disc, smooth", true, true),
    ] {
        let grid = grid(disc)?;
        let a = Poisson::<f64>::new(&grid)?;
        let b = right_side(&grid, smooth);
        let with_history = |history| DeepConjugateDirections {
            history,
            ..DeepConjugateDirections::default()
        };
        let mut incomplete = StencilFactor::new(&a, StencilFactorKind::Modified(0.97))?;
        let mut multigrid = Multigrid::<f64>::new(&grid, &MultigridOptions::default())?;
        let (plain, plain_time) = solve(&a, &b, &Cg::default(), None, 1e-4)?;
        let (modified, modified_time) = solve(&a, &b, &Cg::default(), Some(&mut incomplete), 1e-4)?;
        let (grids, grids_time) = solve(&a, &b, &Cg::default(), Some(&mut multigrid), 1e-4)?;
        let mut deep = |history, rtol| {
            let mut on_fluid = OnFluid::new(&a, &mut proposer);
            solve(&a, &b, &with_history(history), Some(&mut on_fluid), rtol)
        };
        let (two, two_time) = deep(2, 1e-4)?;
        let (none, _) = deep(0, 1e-4)?;
        let (exact, _) = deep(2, 1e-8)?;
        println!(
            "{name:12}  CG {} ({:.1})  MIC(0) {} ({:.1})  multigrid {} ({:.1})  network, h = 2: {} ({:.0}), \
             h = 0: {}, h = 2 to 1e-8: {}",
            plain.iterations,
            1e3 * plain_time,
            modified.iterations,
            1e3 * modified_time,
            grids.iterations,
            1e3 * grids_time,
            two.iterations,
            1e3 * two_time,
            none.iterations,
            exact.iterations,
        );
        share = share.max(two.iterations as f64 / plain.iterations as f64);
        forgetting = forgetting.min(none.iterations as f64 / two.iterations as f64);
        long = long.max(exact.iterations);
        histories = vec![
            ("conjugate gradients", plain.history),
            ("MIC(0)", modified.history),
            ("multigrid", grids.history),
            ("network, h = 2", two.history),
            ("network, h = 0", none.history),
        ];
    }
    println!("most iterations beside those of conjugate gradients: {share:.2}");
    println!("least price of forgetting the last directions: {forgetting:.2}");
    println!("most iterations to 1e-8: {long}");
    price()?;
    picture(histories)
}

/// One evaluation of the published network on 64³ cells beside a whole solve by multigrid.
fn price() -> Result<(), Box<dyn std::error::Error>> {
    const LARGE: usize = 64;
    let mut layout = Layout::new();
    let net = DirectionNet::new(&mut layout.root(), &DirectionOptions::default());
    let parameters = Parameters::<f32>::new(&layout, Key::new(3));
    let mut proposer = parameters.direction(&[LARGE; 3], |pass, x| net.apply(pass, x))?;
    let (residual, mut direction) = (vec![1.0; LARGE.pow(3)], vec![0.0; LARGE.pow(3)]);
    proposer.propose(&residual, &mut direction)?;
    let start = Instant::now();
    proposer.propose(&residual, &mut direction)?;
    let evaluation = start.elapsed().as_secs_f64();
    let wall = [Face::Wall; 2];
    let grid = Grid::new(&[LARGE; 3], &[wall, wall, [Face::Wall, Face::Open]])?;
    let a = Poisson::<f64>::new(&grid)?;
    let mut multigrid = Multigrid::<f64>::new(&grid, &MultigridOptions::default())?;
    let (report, seconds) = solve(&a, &residual, &Cg::default(), Some(&mut multigrid), 1e-8)?;
    println!(
        "64³ cells: one evaluation of the network {:.0} ms, a solve by multigrid to 1e-8 {:.0} ms in {} iterations",
        1e3 * evaluation,
        1e3 * seconds,
        report.iterations
    );
    Ok(())
}

fn picture(histories: Vec<(&str, Vec<f64>)>) -> Result<(), Box<dyn std::error::Error>> {
    let axis = |label: &str, scale| Axis {
        label: label.into(),
        scale,
        ..Axis::default()
    };
    let line = |(name, history): (&str, Vec<f64>)| {
        let points = history.iter().enumerate().map(|(k, r)| (k as f64, *r));
        Series::line(name, points.collect::<Vec<_>>())
    };
    let chart = Chart {
        title: "A box with a solid disc that the network has not seen".into(),
        x: axis("iterations", Scale::Linear),
        y: axis("relative residual", Scale::Log),
        series: histories.into_iter().map(line).collect(),
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("deep_directions.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/deep_directions.svg");
    Ok(())
}
