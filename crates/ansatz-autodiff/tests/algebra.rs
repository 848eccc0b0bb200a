//! Linear algebra, transforms, indices and functions of users: values and derivatives beside JAX's, and the
//! laws of each.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ansatz_autodiff::op::{Side, Triangle, UserFunction};
use ansatz_autodiff::{Array, Element, Graph, Options, Program, gradient, jvp, vjp};

/// The same numbers as in the generator: exact fractions.
fn draws(n: usize, seed: usize, low: f64, high: f64) -> Vec<f64> {
    let part = |i: usize| ((i * i * 7 + i * 37 + seed * 13) % 101) as f64 / 101.0;
    (0..n).map(|i| low + (high - low) * part(i)).collect()
}

fn compiled<T: Element>(g: &Graph, outputs: &[Array<'_>], options: &Options) -> Program<T> {
    Program::compile(&g.finish(outputs), options).unwrap()
}

fn run<T: Element>(program: &Program<T>, sizes: &[usize], inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let narrow: Vec<Vec<T>> = inputs
        .iter()
        .map(|x| x.iter().map(|v| T::of(*v)).collect())
        .collect();
    let inputs: Vec<&[T]> = narrow.iter().map(Vec::as_slice).collect();
    let mut results: Vec<Vec<T>> = sizes.iter().map(|n| vec![T::nan(); *n]).collect();
    let mut views: Vec<&mut [T]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&inputs, &mut views).unwrap();
    let wide = results.iter().map(|r| r.iter().map(|v| v.f64()).collect());
    wide.collect()
}

fn once<T: Element>(g: &Graph, outputs: &[Array<'_>], inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let sizes: Vec<usize> = outputs.iter().map(|o| o.shape().len()).collect();
    run::<T>(&compiled(g, outputs, &Options::default()), &sizes, inputs)
}

/// |a − b| below `tolerance` times the largest |b|, or 1.
#[track_caller]
fn close(name: &str, a: &[f64], b: &[f64], tolerance: f64) -> f64 {
    assert_eq!(a.len(), b.len(), "{name}");
    let scale = b.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale);
    let worst = differences.fold(0.0, |m: f64, d| if d <= m { m } else { d });
    assert!(worst <= tolerance, "{name}: {worst:e}\n{a:?}\n{b:?}");
    worst
}

/// Two symmetric matrices, of which the upper triangles must not be read.
fn spd(x: Array<'_>) -> Array<'_> {
    let identity = x
        .graph()
        .constant(&[3, 3], vec![3.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0]);
    x.reshape(&[2, 3, 3]) + identity
}

fn solve(x: Array<'_>, triangle: Triangle, side: Side) -> Array<'_> {
    let identity = x.graph().constant(&[2, 2], vec![2.0, 0.0, 0.0, 2.0]);
    let m = x.narrow(0, 0, 8).reshape(&[2, 2, 2]) + identity;
    m.solve_triangular(x.narrow(0, 8, 20).reshape(&[2, 2, 3]), triangle, side)
}

fn contracted<'g>(x: Array<'g>, a: &[usize], b: &[usize], labels: &str) -> Array<'g> {
    let (na, n) = (a.iter().product(), x.shape().len());
    let (a, b) = (x.narrow(0, 0, na).reshape(a), x.narrow(0, na, n).reshape(b));
    a.contract(b, labels)
}

type Function = for<'g> fn(Array<'g>) -> Array<'g>;

/// The functions of the generator, by name.
const CASES: &[(&str, Function)] = &[
    ("take", |x| {
        x.powi(3).reshape(&[3, 4]).take(1, &[3, 0, 0, 2, 1])
    }),
    ("take_rows", |x| {
        x.powi(3).reshape(&[3, 4]).take(0, &[2, 0, 0])
    }),
    ("scatter_add", |x| {
        x.powi(3).reshape(&[3, 4]).scatter_add(1, &[2, 0, 2, 1], 3)
    }),
    ("scatter_add_rows", |x| {
        x.powi(3).reshape(&[3, 4]).scatter_add(0, &[3, 0, 3], 4)
    }),
    ("gather", |x| {
        let indices = x.graph().constant(&[2, 2], vec![3.0, 0.0, 0.0, 2.0]);
        x.powi(3).reshape(&[3, 4]).gather(1, indices)
    }),
    ("reverse", |x| {
        x.powi(3).reshape(&[3, 2, 2]).reverse(&[0, 2])
    }),
    ("cumulative_sum", |x| {
        x.powi(3).reshape(&[3, 2, 2]).cumulative_sum(1)
    }),
    ("rfft_even", |x| x.powi(3).reshape(&[2, 6]).rfft(1)),
    ("rfft_odd", |x| x.powi(3).reshape(&[3, 5]).rfft(1)),
    ("rfft_2", |x| x.powi(3).reshape(&[2, 3, 4]).rfft(2)),
    ("rfft_3", |x| x.powi(3).reshape(&[2, 3, 5]).rfft(3)),
    ("irfft_even", |x| x.powi(3).reshape(&[2, 4, 2]).irfft(1, 6)),
    ("irfft_odd", |x| x.powi(3).reshape(&[2, 4, 2]).irfft(1, 7)),
    ("irfft_2", |x| x.powi(3).reshape(&[3, 3, 2]).irfft(2, 4)),
    ("irfft_3", |x| x.powi(3).reshape(&[2, 3, 2, 2]).irfft(3, 3)),
    ("fft", |x| x.powi(3).reshape(&[2, 5, 2]).fft(1)),
    ("ifft", |x| x.powi(3).reshape(&[2, 6, 2]).ifft(1)),
    ("fft_2", |x| x.powi(3).reshape(&[3, 4, 2]).fft(2)),
    ("ifft_3", |x| x.powi(3).reshape(&[2, 2, 3, 2]).ifft(3)),
    ("complex_mul", |x| {
        let (a, b) = (x.narrow(0, 0, 6), x.narrow(0, 6, 12));
        a.reshape(&[3, 2])
            .complex_mul(b.reshape(&[3, 2]).complex_conj())
    }),
    ("mix_modes", |x| {
        let (z, w) = (x.narrow(0, 0, 16), x.narrow(0, 16, 40));
        z.reshape(&[2, 2, 2, 2]).mix_modes(w.reshape(&[2, 3, 2, 2]))
    }),
    ("cholesky", |x| spd(x).cholesky()),
    ("solve_spd", |x| {
        spd(x.narrow(0, 0, 18)).solve_spd(x.narrow(0, 18, 24).reshape(&[2, 3, 1]))
    }),
    ("log_determinant", |x| spd(x).log_determinant()),
    ("solve_lower", |x| solve(x, Triangle::Lower, Side::Plain)),
    ("solve_lower_transposed", |x| {
        solve(x, Triangle::Lower, Side::Transposed)
    }),
    ("solve_upper", |x| solve(x, Triangle::Upper, Side::Plain)),
    ("solve_upper_transposed", |x| {
        solve(x, Triangle::Upper, Side::Transposed)
    }),
    ("tril, triu", |x| {
        let (a, b) = (
            x.powi(3).reshape(&[2, 2, 3]),
            x.square().reshape(&[2, 2, 3]),
        );
        a.tril() + b.triu() * 2.0
    }),
    ("diagonal", |x| x.powi(3).reshape(&[2, 2, 3]).diagonal()),
    ("contract bij,bjk->bki", |x| {
        contracted(x, &[2, 2, 2], &[2, 2, 2], "bij,bjk->bki")
    }),
    ("contract ij,kj->ki", |x| {
        contracted(x, &[2, 3], &[2, 3], "ij,kj->ki")
    }),
    ("contract bij,cj->bci", |x| {
        contracted(x, &[2, 2, 3], &[2, 3], "bij,cj->bci")
    }),
    ("contract cj,bij->bci", |x| {
        contracted(x, &[2, 3], &[2, 2, 3], "cj,bij->bci")
    }),
    ("contract bci,bdi->bcd", |x| {
        contracted(x, &[2, 2, 2], &[2, 3, 2], "bci,bdi->bcd")
    }),
    ("contract bci,bid->cd", |x| {
        contracted(x, &[2, 2, 2], &[2, 2, 3], "bci,bid->cd")
    }),
    ("contract bi,bj->ibj", |x| {
        contracted(x, &[2, 2], &[2, 3], "bi,bj->ibj")
    }),
    ("contract i,j->ij", |x| contracted(x, &[2], &[3], "i,j->ij")),
    ("contract ijk,i->j", |x| {
        contracted(x, &[2, 3, 2], &[2], "ijk,i->j")
    }),
    ("contract ij,ij->", |x| {
        contracted(x, &[2, 3], &[2, 3], "ij,ij->")
    }),
    ("atan2", |x| x.narrow(0, 0, 6).atan2(x.narrow(0, 6, 12))),
    ("pow", |x| (x.narrow(0, 0, 6) + 1.5).pow(x.narrow(0, 6, 12))),
    ("tan", |x| x.tan()),
    ("asin", |x| x.asin()),
    ("acos", |x| x.acos()),
    ("atan", |x| x.atan()),
    ("sinh", |x| x.sinh()),
    ("cosh", |x| x.cosh()),
    ("asinh", |x| x.asinh()),
    ("acosh", |x| (x + 2.5).acosh()),
    ("atanh", |x| x.atanh()),
    ("exp2", |x| x.exp2()),
    ("log2", |x| (x + 1.5).log2()),
    ("log10", |x| (x + 1.5).log10()),
    ("clamp", |x| x.powi(3).clamp(-0.2, 0.3)),
    ("reduce_min", |x| {
        x.powi(3).reshape(&[3, 4]).reduce_min(&[1])
    }),
    ("mean_axes", |x| {
        x.powi(3).reshape(&[3, 2, 2]).mean_axes(&[0, 2])
    }),
    ("variance", |x| {
        x.powi(3).reshape(&[3, 2, 2]).variance(&[0, 2])
    }),
];

/// Values and derivatives to order 3 within 1e-10 of JAX's, relative to the largest of an array.
#[test]
fn values_and_derivatives_beside_jax() {
    let text = include_str!("../fixtures/algebra.txt");
    let lines: Vec<&str> = text.lines().collect();
    let expected: HashMap<&str, &[&str]> = lines
        .chunks_exact(5)
        .map(|c| (c[0].rsplit_once(": ").unwrap().0, c))
        .collect();
    assert_eq!(expected.len(), CASES.len());
    let mut worst = 0.0_f64;
    for (name, f) in CASES {
        let lines = expected[name];
        let n: usize = lines[0].rsplit_once(": ").unwrap().1.parse().unwrap();
        let numbers = |line: &str| -> Vec<f64> {
            line.split_whitespace()
                .map(|v| v.parse().unwrap())
                .collect()
        };
        let g = Graph::new();
        let (x, v) = (g.input(&[n]), g.input(&[n]));
        let y = f(x);
        let w = g.input(&[y.shape().len()]);
        let first = gradient((y.reshape(&w.shape()) * w).sum(), &[x])[0];
        let second = gradient((first * v).sum(), &[x])[0];
        let third = gradient((second * v).sum(), &[x])[0];
        let (x0, v0) = (draws(n, 1, -0.9, 0.9), draws(n, 3, -1.0, 1.0));
        let w0 = draws(y.shape().len(), 2, -1.0, 1.0);
        let outputs = [y, first, second, third];
        let inputs: [&[f64]; 3] = [&x0, &v0, &w0];
        let got = once::<f64>(&g, &outputs, &inputs);
        for (k, values) in got.iter().enumerate() {
            let what = format!("{name}, order {k}");
            worst = worst.max(close(&what, values, &numbers(lines[k + 1]), 1e-10));
        }
        // In single precision to its rounding, which third derivatives enlarge.
        let single = once::<f32>(&g, &outputs, &inputs);
        for (a, b) in single.iter().zip(&got) {
            close(name, a, b, 2e-5);
        }
    }
    assert!(worst > 0.0, "something was compared");
}
