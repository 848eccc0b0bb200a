//! Checkpointed parts: the same numbers, less memory, and what that costs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use ansatz_autodiff::{
    Array, Graph, Options, Program, gauss_newton_product, gradient, hessian_product, jet, jvp,
    laplacian, vjp,
};
use common::run;

type Layer = for<'g> fn(Array<'g>, Array<'g>) -> Array<'g>;

/// How a chain of layers is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Not at all.
    None,
    /// Into regions of so many layers.
    Regions(usize),
    /// Into regions of so many regions of so many layers.
    Nested(usize, usize),
}

/// One layer after another, each with the next of the weights.
fn chain<'g>(x: Array<'g>, weights: &[Array<'g>], cut: Cut, layer: Layer) -> Array<'g> {
    let g = x.graph();
    let run = |x: Array<'g>, weights: &[Array<'g>]| weights.iter().fold(x, |x, w| layer(x, *w));
    let regions = |x: Array<'g>, weights: &[Array<'g>], length: usize| {
        let each = weights.chunks(length);
        each.fold(x, |x, part| g.checkpoint([x], |[x]| run(x, part)))
    };
    match cut {
        Cut::None => run(x, weights),
        Cut::Regions(length) => regions(x, weights, length),
        Cut::Nested(outer, inner) => {
            let each = weights.chunks(outer * inner);
            each.fold(x, |x, part| {
                g.checkpoint([x], |[x]| regions(x, part, inner))
            })
        }
    }
}

fn dense<'g>(x: Array<'g>, w: Array<'g>) -> Array<'g> {
    x.matmul(w).tanh()
}

fn residual<'g>(x: Array<'g>, w: Array<'g>) -> Array<'g> {
    x + x.matmul(w).tanh() * 0.5
}

/// A stencil, without a matrix product.
fn stencil<'g>(x: Array<'g>, w: Array<'g>) -> Array<'g> {
    let next = x.take(1, &[1, 2, 0]);
    x + (next.sin() * x - w.sum()) * 0.3
}

/// Derivatives by every mode, to third order, of a chain of six layers on three points.
fn derivatives<'g>(x: Array<'g>, weights: &[Array<'g>], cut: Cut, layer: Layer) -> Vec<Array<'g>> {
    let g = x.graph();
    let y = chain(x, weights, cut, layer);
    let (v, w) = (g.constant(&[3, 3], ramp(9, 0.3)), weights[1]);
    let mut results = vec![y];
    // Nested cotangents, with nested checkpoints of their own.
    let first = gradient(y.square().sum(), &[x, w]);
    let second = vjp(&[(first[0], v), (first[1], v.sin())], &[x, w]);
    let third = vjp(&[(second[0], v), (second[1], v.cos())], &[x, w]);
    results.extend(first.iter().chain(&second).chain(&third));
    // Nested tangents, cotangents of tangents, tangents of cotangents.
    let tangent = jvp(&[y], &[(x, v)])[0];
    let twice = jvp(&[tangent], &[(x, v)])[0];
    let thrice = jvp(&[twice], &[(x, v)])[0];
    results.extend([tangent, twice, thrice]);
    results.extend(gradient(twice.square().sum(), &[x, w]));
    let product = hessian_product(y.square().sum(), x, v);
    results.push(product);
    results.extend(gradient(product.square().sum(), &[x, w]));
    // Series, the Laplacian, and cotangents of both.
    let series = jet(&[y], &[(x, &[v, x.sin()])], 3).remove(0);
    results.extend(&series);
    results.extend(gradient(series[3].square().sum(), &[x, w]));
    let laplacian = laplacian(y, x, &[v, v.cos()]).second;
    results.push(laplacian);
    results.extend(gradient(laplacian.square().sum(), &[x, w]));
    results.extend(jet(&first, &[(x, &[v])], 2).concat());
    results.extend(gauss_newton_product(y.square().sum(), y, &[(w, v)]));
    results
}

fn ramp(n: usize, scale: f64) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * scale + 0.2).sin()).collect()
}

#[test]
fn every_mode_gives_the_same() {
    let cuts = [
        Cut::Regions(2),
        Cut::Regions(6),
        Cut::Nested(2, 1),
        Cut::Nested(2, 2),
    ];
    for batched in [false, true] {
        for (name, layer) in [
            ("dense", dense as Layer),
            ("residual", residual),
            ("stencil", stencil),
        ] {
            let g = Graph::new();
            let x = if batched {
                g.batch(&[3, 3])
            } else {
                g.input(&[3, 3])
            };
            let weights: Vec<Array<'_>> = (0..6).map(|_| g.input(&[3, 3])).collect();
            let values: Vec<Vec<f64>> = (0..7).map(|i| ramp(9, 0.7 + f64::from(i))).collect();
            let values: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
            let plain = derivatives(x, &weights, Cut::None, layer);
            let plain = run::<f64>(&g, &plain, &values);
            for cut in cuts {
                let cut_up = derivatives(x, &weights, cut, layer);
                let got = run::<f64>(&g, &cut_up, &values);
                for (k, (a, b)) in got.iter().zip(&plain).enumerate() {
                    common::close(&format!("{name}, {cut:?}, {k}"), a, b, 1e-13);
                }
            }
        }
    }
}

/// Arrays in memory (of 256×16 numbers) and operations of derivatives of a chain in all its weights.
fn cost(
    cut: Cut,
    layers: usize,
    layer: Layer,
    slopes: for<'g> fn(Array<'g>, Array<'g>, &[Array<'g>]) -> Vec<Array<'g>>,
) -> (f64, f64) {
    let g = Graph::new();
    let x = g.input(&[256, 16]);
    let weights: Vec<Array<'_>> = (0..layers).map(|_| g.input(&[16, 16])).collect();
    let y = chain(x, &weights, cut, layer);
    let slopes = slopes(y, x, &weights);
    let program: Program<f64> = common::compiled(&g, &slopes, &Options::default());
    let arrays = program.bytes() as f64 / f64::from(256 * 16 * 8);
    (arrays, program.flops() as f64)
}

fn first<'g>(y: Array<'g>, _: Array<'g>, weights: &[Array<'g>]) -> Vec<Array<'g>> {
    gradient(y.square().sum(), weights)
}

/// Reverse over reverse.
fn second<'g>(y: Array<'g>, x: Array<'g>, weights: &[Array<'g>]) -> Vec<Array<'g>> {
    let squares = first(y, x, weights).into_iter().map(|s| s.square().sum());
    gradient(squares.reduce(|a, b| a + b).unwrap(), weights)
}

/// Reverse over a series.
fn series<'g>(y: Array<'g>, x: Array<'g>, weights: &[Array<'g>]) -> Vec<Array<'g>> {
    let line = x.graph().constant(&[256, 16], ramp(256 * 16, 0.3));
    let series = jet(&[y], &[(x, &[line])], 2).remove(0);
    gradient(series[2].square().sum(), weights)
}

/// 64 layers keep 64 arrays; 8 regions of 8 keep 8 results and one interior, for a third more operations; regions in
/// regions keep less for two thirds more. So do derivatives of derivatives.
#[test]
fn memory_falls() {
    let deep = |cut, layer, slopes| cost(cut, 64, layer, slopes);
    for layer in [dense as Layer, residual] {
        let (plain, work) = deep(Cut::None, layer, first);
        let (cut, more) = deep(Cut::Regions(8), layer, first);
        let (nested, most) = deep(Cut::Nested(4, 4), layer, first);
        assert!(plain > 64.0 && cut < 0.33 * plain, "{plain} {cut}");
        assert!(nested < 0.85 * cut, "{cut} {nested}");
        assert!(
            more < 1.36 * work && most < 1.6 * work,
            "{work} {more} {most}"
        );
        for slopes in [second, series] {
            let (plain, work) = deep(Cut::None, layer, slopes);
            let (cut, more) = deep(Cut::Regions(8), layer, slopes);
            let (nested, most) = deep(Cut::Nested(4, 4), layer, slopes);
            assert!(cut < 0.33 * plain && nested < 0.85 * cut, "{plain} {cut}");
            assert!(
                more < 1.7 * work && most < 2.4 * work,
                "{work} {more} {most}"
            );
        }
    }
}

/// Memory grows as the root of the depth.
#[test]
fn memory_grows_slowly() {
    let at = |layers: usize, length| cost(Cut::Regions(length), layers, dense, first).0;
    let (small, large) = (at(16, 4), at(256, 16));
    // Gradients of the weights take a sixteenth each.
    let own = |layers: f64| layers / 16.0;
    let ratio = (large - own(256.0)) / (small - own(16.0));
    assert!(ratio < 4.5, "{small} {large}");
}

/// Chunks of a batch hold less, and so do whole batches that are kept for a sum over the points.
#[test]
fn batches_hold_less() {
    let bytes = |cut: Cut, whole: bool| {
        let g = Graph::new();
        let x = g.batch(&[1024, 8]);
        let weights: Vec<Array<'_>> = (0..36).map(|_| g.input(&[8, 8])).collect();
        let y = chain(x, &weights, cut, dense);
        let mut loss = y.square().mean();
        if whole {
            loss = loss.sqrt();
        }
        let slopes = gradient(loss, &weights);
        let options = Options {
            chunk: Some(64),
            ..Options::default()
        };
        common::compiled::<f64>(&g, &slopes, &options).bytes()
    };
    for whole in [false, true] {
        let (plain, cut) = (bytes(Cut::None, whole), bytes(Cut::Regions(6), whole));
        assert!(2 * cut < plain, "{plain} {cut}");
    }
}

/// What is captured, named twice, not used or constant; results of any form.
#[test]
fn regions_of_any_form() {
    let g = Graph::new();
    let (x, w) = (g.input(&[3]), g.input(&[]));
    let outer = (x * w).exp();
    let (a, b) = g.checkpoint([x, x, x.ones()], |[p, q, one]| {
        let inner = (p * q + outer).tanh();
        (inner * one, g.checkpoint([], |[]| inner.sin() * w))
    });
    let plain = (x * x + outer).tanh();
    let other = plain.sin() * w;
    let mut results = Vec::new();
    for y in [(a * b).sum(), (plain * other).sum()] {
        let first = gradient(y, &[x, w]);
        let second = gradient(first[0].square().sum() + first[1], &[x, w]);
        results.extend([vec![y], first, second].concat());
    }
    let out = run::<f64>(&g, &results, &[&[0.3, -0.4, 0.9], &[0.7]]);
    for k in 0..5 {
        common::close("regions", &out[k], &out[k + 5], 1e-14);
    }
}

/// Derivatives that are taken inside of a region, and in an array of its interior.
#[test]
fn derivatives_inside() {
    fn slope(x: Array<'_>) -> Array<'_> {
        x.sin() * x
    }
    let g = Graph::new();
    let x = g.input(&[4]);
    let inside = g.checkpoint([x], |[x]| {
        let v = g.checkpoint([x], |[x]| slope(x));
        gradient(v.sum(), &[x])[0] + v
    });
    let v = slope(x);
    let plain = gradient(v.sum(), &[x])[0] + v;
    let mut results = Vec::new();
    for y in [inside, plain] {
        let first = gradient(y.square().sum(), &[x])[0];
        results.extend([y, first, jvp(&[first], &[(x, x.cos())])[0]]);
    }
    let out = run::<f64>(&g, &results, &[&[0.3, -0.4, 0.9, 2.0]]);
    for k in 0..3 {
        common::close("inside", &out[k], &out[k + 3], 1e-14);
    }
}
