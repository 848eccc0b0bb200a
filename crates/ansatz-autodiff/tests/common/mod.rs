//! What the tests share.
#![allow(dead_code, reason = "no test needs all of it")]

use ansatz_autodiff::{Array, Element, Graph, Options, Program};

/// The program of `outputs`.
pub(crate) fn compiled<T: Element>(
    g: &Graph,
    outputs: &[Array<'_>],
    options: &Options,
) -> Program<T> {
    Program::compile(&g.finish(outputs), options).unwrap()
}

/// `outputs` for these inputs.
pub(crate) fn run<T: Element>(
    g: &Graph,
    outputs: &[Array<'_>],
    inputs: &[&[f64]],
) -> Vec<Vec<f64>> {
    run_with::<T>(g, outputs, inputs, &Options::default())
}

pub(crate) fn run_with<T: Element>(
    g: &Graph,
    outputs: &[Array<'_>],
    inputs: &[&[f64]],
    options: &Options,
) -> Vec<Vec<f64>> {
    let sizes: Vec<usize> = outputs.iter().map(|o| o.shape().len()).collect();
    run_program(&compiled::<T>(g, outputs, options), &sizes, inputs)
}

/// The outputs, of `sizes`, of a program.
pub(crate) fn run_program<T: Element>(
    program: &Program<T>,
    sizes: &[usize],
    inputs: &[&[f64]],
) -> Vec<Vec<f64>> {
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

/// |a − b| ≤ tolerance·(1 + |b|) for each element.
#[track_caller]
pub(crate) fn close(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let near = (a - b).abs() <= tolerance * (1.0 + b.abs());
        assert!(near, "{what}, {i}: {a} and {b}");
    }
}

/// A relative error of 1e-10 for each element, of 1e-12 of the largest where one is small by cancellation.
#[track_caller]
pub(crate) fn agree(what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let allowed = 1e-10 * b.abs() + 1e-12 * largest;
        let near = (a - b).abs() <= allowed;
        assert!(near, "{what} {i}: {a}, expected {b}");
    }
}
