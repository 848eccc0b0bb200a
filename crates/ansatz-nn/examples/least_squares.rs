//! One physics-informed network, three methods: Levenberg-Marquardt, L-BFGS and Adam on Poisson's equation.
//!
//! Δu = f on the unit square with u = 0 on its edge, whose solution is sin πx·sin πy, by a network 2-20-20-1 that meets the
//! edge exactly. All methods minimise ½Σr² over the same 400 points; Levenberg-Marquardt reports it at 400 fresh ones too.
//! Run it with `cargo run --release -p ansatz-nn --example least_squares`.
//!
//! gallery: Least squares as such: three ways to train a physics-informed network
//! gallery: expect relative error in 0..1e-5
//! gallery: expect loss of Adam over that of Levenberg-Marquardt in 100..inf
//! gallery: expect fresh over fitted in 1..20
//! gallery: picture least_squares.svg Loss by seconds; lower is better

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::f64::consts::PI;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ansatz_nn::autodiff::{Array, laplacian, units};
use ansatz_nn::core::{Event, Key};
use ansatz_nn::{
    Adam, Data, FitStep, Iterate, Layer, Layout, Lbfgs, LeastSquares, LevenbergMarquardt, Mlp,
    MlpOptions, Objective, Parameters, Pass, Progress, Schedule, Training, TrainingOptions,
};
use ansatz_viz::{Axis, Chart, Scale, Series};

const POINTS: usize = 400;

/// u(x, y) = 16·x(1 − x)·y(1 − y)·net(x, y).
fn solution<'g>(net: &Mlp, pass: &Pass<'g>, points: Array<'g>) -> Array<'g> {
    let (x, y) = (points.narrow(1, 0, 1), points.narrow(1, 1, 2));
    net.apply(pass, points) * (x - x.square()) * (y - y.square()) * 16.0
}

/// sin πx·sin πy.
fn exact(points: Array<'_>) -> Array<'_> {
    let (x, y) = (points.narrow(1, 0, 1), points.narrow(1, 1, 2));
    (x * PI).sin() * (y * PI).sin()
}

fn residual<'g>(net: &Mlp, pass: &Pass<'g>, data: &[Array<'g>]) -> Array<'g> {
    let points = data[0];
    let u = solution(net, pass, points);
    laplacian(u, points, &units(points)).second + exact(points) * (2.0 * PI * PI)
}

fn draw(key: Key) -> Vec<f64> {
    (0..POINTS as u64).flat_map(|i| key.uniform(0, i)).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[2, 20, 20, 1], &MlpOptions::default());
    let start = Parameters::<f64>::new(&layout, Key::new(1));
    let data = [Data::Batch(vec![POINTS, 2])];
    let (points, fresh) = (draw(Key::new(2)), draw(Key::new(3)));

    // Residuals with their Jacobian, point by point.
    let mut residuals = LeastSquares::compile(&layout, &data, |p, d| residual(&net, p, d))?;
    let method = LevenbergMarquardt {
        steps: 150,
        ..LevenbergMarquardt::default()
    };
    let (mut fitted, mut beside) = (Vec::new(), Vec::new());
    let mut best = start.clone();
    let began = Instant::now();
    let mut watch = |e: &Event<'_, FitStep<'_, f64>>| {
        let seconds = began.elapsed().as_secs_f64();
        fitted.push((seconds, e.state.fit.loss));
        beside.extend(e.state.fit.fresh.map(|loss| (seconds, loss)));
        ControlFlow::Continue(())
    };
    let fit = method.fit(
        &mut residuals,
        &mut best,
        &[&points],
        Some(&[&fresh]),
        &mut watch,
    )?;
    let limit = began.elapsed().as_secs_f64();
    println!(
        "Levenberg-Marquardt: {:.1e} after {} steps, {limit:.1} s",
        fit.loss, fit.steps
    );
    println!(
        "fresh over fitted = {:.1}",
        fit.fresh.unwrap_or(f64::NAN) / fit.loss
    );

    // The same loss with its gradient, for as long.
    let mut objective = Objective::compile(&layout, &data, |p, d| {
        residual(&net, p, d).square().sum() * 0.5
    })?;
    let mut newton = Vec::new();
    let mut parameters = start.clone();
    let began = Instant::now();
    let mut watch = |e: &Event<'_, Iterate<'_, f64>>| {
        let seconds = began.elapsed().as_secs_f64();
        newton.push((seconds, e.state.loss));
        within(seconds, limit)
    };
    let method = Lbfgs {
        steps: 100_000,
        ..Lbfgs::default()
    };
    let key = Key::new(0);
    let descent = method.fit(&mut objective, &mut parameters, &[&points], key, &mut watch)?;
    println!("L-BFGS: {:.1e} after {} steps", descent.loss, descent.steps);

    let mut adam = Vec::new();
    let mut training = Training::new(start, Adam::default(), key);
    let options = TrainingOptions {
        steps: 100_000,
        rate: Schedule::Exponential {
            from: 1e-2,
            factor: 0.9995,
        },
        ..TrainingOptions::default()
    };
    let batch = |_, data: &mut [Vec<f64>]| data[0].copy_from_slice(&points);
    let began = Instant::now();
    let mut watch = |e: &Event<'_, Progress<'_, f64>>| {
        let seconds = began.elapsed().as_secs_f64();
        adam.push((seconds, e.state.loss));
        within(seconds, limit)
    };
    training.run(&mut objective, &options, batch, &mut watch)?;
    let last = adam.last().map_or(f64::NAN, |(_, loss)| *loss);
    println!("Adam: {last:.1e} after {} steps", adam.len());
    println!(
        "loss of Adam over that of Levenberg-Marquardt = {:.1e}",
        last / fit.loss
    );

    // How far the fit is from the solution, at the fresh points.
    let mut error = Objective::compile(&layout, &data, |pass, d| {
        let (u, e) = (solution(&net, pass, d[0]), exact(d[0]));
        (u - e).square().sum() / e.square().sum()
    })?;
    let mut unused = vec![0.0; layout.len()];
    let squared = error.gradient(&best, &[&fresh], key, &mut unused)?;
    println!("relative error = {:.1e}", squared.sqrt());

    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Log,
        ..Axis::default()
    };
    let few = |points: Vec<(f64, f64)>| {
        let every = points.len() / 200 + 1;
        points.into_iter().step_by(every)
    };
    let chart = Chart {
        title: "Δu = f on a square, 400 points".into(),
        x: axis("seconds"),
        y: axis("½Σr²"),
        series: vec![
            Series::line("Levenberg-Marquardt", few(fitted)),
            Series::line("the same at fresh points", few(beside)),
            Series::line("L-BFGS", few(newton)),
            Series::line("Adam", few(adam)),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("least_squares.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/least_squares.svg");
    Ok(())
}

/// Goes on while there is time.
fn within(seconds: f64, limit: f64) -> ControlFlow<()> {
    if seconds < limit {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}
