//! The slope of a validation loss in a regularisation parameter: implicit differentiation beside the unrolled solver.
//!
//! Logistic regression with the penalty ½e^θ‖w‖² is fitted by gradient descent; the slope of the loss on held-out points in
//! θ comes from the optimality ∇f(w, θ) = 0, and from the derivative of the loop. Both see the same inexact fit.
//! Run it with `cargo run --release -p ansatz-linalg --example hyperparameter`.
//!
//! gallery: A regularisation parameter by its gradient
//! gallery: expect unrolled error over implicit error in 2..1e9
//! gallery: picture hyperparameter.svg Error of the slope by iterations of the solver

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use ansatz_linalg::core::{Key, stream};
use ansatz_linalg::implicit::{
    Closures, ImplicitOptions, ParametricMap, Point, RootSolver, root_vjp,
};
use ansatz_viz::{Axis, Chart, Scale, Series};

const UNKNOWNS: usize = 100;
const POINTS: usize = 200;
const THETA: f64 = 0.5;

fn product(x: &[f64], w: &[f64]) -> Vec<f64> {
    x.chunks(UNKNOWNS)
        .map(|row| row.iter().zip(w).map(|(x, w)| x * w).sum())
        .collect()
}

fn transposed(x: &[f64], r: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; UNKNOWNS];
    for (row, r) in x.chunks(UNKNOWNS).zip(r) {
        for (out, x) in out.iter_mut().zip(row) {
            *out += r * x;
        }
    }
    out
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// ∇ Σ log(1 + e^(−yᵢxᵢᵀw)) for labels ±1.
fn slope(x: &[f64], y: &[f64], w: &[f64]) -> Vec<f64> {
    let z = product(x, w);
    let r: Vec<f64> = z
        .iter()
        .zip(y)
        .map(|(z, y)| -y * logistic(-y * z))
        .collect();
    transposed(x, &r)
}

fn data(seed: u64) -> (Vec<f64>, Vec<f64>) {
    let key = Key::new(seed);
    let mut x = vec![0.0; POINTS * UNKNOWNS];
    key.fill_normal(stream::INITIAL, &mut x);
    let truth: Vec<f64> = (0..UNKNOWNS).map(|j| 1.0 / (1.0 + j as f64)).collect();
    let z = product(&x, &truth);
    let noise = |i: usize| key.normal(stream::INITIAL + 7, i as u64)[0];
    let y = z
        .iter()
        .enumerate()
        .map(|(i, z)| 1.0_f64.copysign(z + noise(i)));
    (x.clone(), y.collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (x, y) = data(1);
    let (held_x, held_y) = data(2);
    let hessian = |w: &[f64], d: &[f64], weight: f64| -> Vec<f64> {
        let r: Vec<f64> = product(&x, w)
            .iter()
            .zip(product(&x, d))
            .map(|(z, d)| logistic(*z) * logistic(-z) * d)
            .collect();
        let mut out = transposed(&x, &r);
        out.iter_mut()
            .zip(d)
            .for_each(|(out, d)| *out += weight * d);
        out
    };
    let gradient = |w: &[f64], weight: f64| -> Vec<f64> {
        let mut out = slope(&x, &y, w);
        out.iter_mut()
            .zip(w)
            .for_each(|(out, w)| *out += weight * w);
        out
    };
    let map = Closures::gradient(
        UNKNOWNS,
        &[1],
        |at, out| out.copy_from_slice(&gradient(at.x, at.args[0][0].exp())),
        |at, d, out| out.copy_from_slice(&hessian(at.x, d, at.args[0][0].exp())),
        |at, d, out| {
            let scale = at.args[0][0].exp() * d[0][0];
            out.iter_mut()
                .zip(at.x)
                .for_each(|(out, w)| *out = scale * w);
        },
        |at, v, out| {
            let inner: f64 = at.x.iter().zip(v).map(|(x, v)| x * v).sum();
            out[0][0] = at.args[0][0].exp() * inner;
        },
    );
    let options = ImplicitOptions {
        solver: RootSolver::Cg,
        ..ImplicitOptions::default()
    };
    let implicit = |w: &[f64]| -> Result<f64, Box<dyn Error>> {
        let at = Point {
            x: w,
            args: &[&[THETA]],
        };
        let (bars, _) = root_vjp(&map, at, &slope(&held_x, &held_y, w), &options)?;
        Ok(bars[0][0])
    };
    let step = 4e-3;
    let run = |steps: usize| {
        let mut path = vec![vec![0.0; UNKNOWNS]];
        for t in 0..steps {
            let g = gradient(&path[t], THETA.exp());
            path.push(path[t].iter().zip(&g).map(|(w, g)| w - step * g).collect());
        }
        path
    };
    // Reverse mode through the loop: all iterates are kept.
    let unrolled = |path: &[Vec<f64>]| {
        let last = &path[path.len() - 1];
        let mut bar = slope(&held_x, &held_y, last);
        let mut out = 0.0;
        for w in path[..path.len() - 1].iter().rev() {
            let inner: f64 = w.iter().zip(&bar).map(|(w, b)| w * b).sum();
            out -= step * THETA.exp() * inner;
            let back = hessian(w, &bar, THETA.exp());
            bar.iter_mut().zip(&back).for_each(|(b, h)| *b -= step * h);
        }
        out
    };
    let exact = implicit(&run(20_000)[20_000])?;
    println!("slope of the loss in theta = {exact:.8}");
    println!(
        "iterations  error implicit  unrolled   time implicit  unrolled   kept by the unrolled loop"
    );
    let (mut ours, mut theirs, mut ratio) = (Vec::new(), Vec::new(), 0.0);
    for steps in [10, 20, 40, 80, 160, 320] {
        let path = run(steps);
        let timed = |f: &dyn Fn() -> Result<f64, Box<dyn Error>>| -> Result<(f64, Duration), Box<dyn Error>> {
            let began = Instant::now();
            let value = f()?;
            Ok((value, began.elapsed()))
        };
        let (a, time_a) = timed(&|| implicit(&path[steps]))?;
        let (b, time_b) = timed(&|| Ok(unrolled(&path)))?;
        let (a, b) = ((a - exact).abs(), (b - exact).abs());
        let kept = path.len() * UNKNOWNS * size_of::<f64>() / 1024;
        println!("{steps:10}  {a:14.3e}  {b:8.2e}   {time_a:13.2?}  {time_b:8.2?}   {kept} KiB");
        ours.push((steps as f64, a.max(1e-16)));
        theirs.push((steps as f64, b.max(1e-16)));
        if steps == 320 {
            ratio = b / a;
        }
    }
    println!("unrolled error over implicit error = {ratio:.1}");
    let mut out = vec![0.0; UNKNOWNS];
    map.value(
        Point {
            x: &run(320)[320],
            args: &[&[THETA]],
        },
        &mut out,
    )?;
    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Log,
        ..Axis::default()
    };
    let chart = Chart {
        title: "Slope of a validation loss in a regularisation parameter".into(),
        x: axis("iterations of the solver"),
        y: axis("error of the slope"),
        series: vec![
            Series::line("implicit", ours),
            Series::line("unrolled", theirs),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("hyperparameter.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/hyperparameter.svg");
    Ok(())
}
