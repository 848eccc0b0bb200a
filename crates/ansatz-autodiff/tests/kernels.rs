//! Fused kernels beside plain loops, for rows of every length about a tile's and arrays that repeat in every way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use ansatz_autodiff::{Array, Element, Graph};
use common::run;

/// y = ((x − m)·s + b)·(u + c) + d for x [rows, groups, size], m and s a number for each row and group, b and d one for each
/// group, u one for each place of a group, c a number.
fn network<'g>(a: &[Array<'g>], [rows, groups, size]: [usize; 3]) -> Array<'g> {
    let per_row = |a: Array<'g>| a.reshape(&[rows, groups, 1]);
    let per_group = |a: Array<'g>| a.reshape(&[groups, 1]);
    let centred = (a[0].reshape(&[rows, groups, size]) - per_row(a[1])) * per_row(a[2]);
    (centred + per_group(a[3])) * (a[4] + a[5]) + per_group(a[6])
}

fn beside_loops<T: Element>(tolerance: f64) {
    let wave = |n: usize, k: usize| -> Vec<f64> {
        (0..n).map(|i| (0.7 * i as f64 + k as f64).sin()).collect()
    };
    let sizes = [
        1, 2, 7, 16, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 200, 255, 256, 257, 300, 600, 1025,
    ];
    for (rows, groups) in [(1, 1), (3, 1), (3, 4), (18, 2)] {
        for size in sizes {
            for batched in [false, true] {
                let n = groups * size;
                let lengths = [
                    rows * n,
                    rows * groups,
                    rows * groups,
                    groups,
                    size,
                    1,
                    groups,
                ];
                let data: Vec<Vec<f64>> = (0..7).map(|k| wave(lengths[k], k)).collect();
                let g = Graph::new();
                let mut arrays = Vec::new();
                for (k, len) in lengths.iter().enumerate() {
                    arrays.push(match k {
                        0..=2 if batched => g.batch(&[rows, len / rows]),
                        0..=2 => g.input(&[rows, len / rows]),
                        _ => g.input(&[*len]),
                    });
                }
                let y = network(&arrays, [rows, groups, size]);
                let inputs: Vec<&[f64]> = data.iter().map(Vec::as_slice).collect();
                let ours = &run::<T>(&g, &[y], &inputs)[0];
                for (i, ours) in ours.iter().enumerate() {
                    let (row, group, place) = (i / n, i / size % groups, i % size);
                    let d = &data;
                    let own = row * groups + group;
                    let centred = (d[0][i] - d[1][own]) * d[2][own] + d[3][group];
                    let value = centred * (d[4][place] + d[5][0]) + d[6][group];
                    assert!(
                        (ours - value).abs() <= tolerance * (1.0 + value.abs()),
                        "{rows} x {groups} x {size}, batched {batched}, {i}: {ours} and {value}"
                    );
                }
            }
        }
    }
}

#[test]
fn rows_of_every_length() {
    beside_loops::<f64>(1e-14);
    beside_loops::<f32>(4e-6);
}
