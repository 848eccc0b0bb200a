//! Sums over slices, compiled once per instruction set.
//!
//! Partial sums and their order are fixed, and products are not fused, so that the bits are those of the plain loop on
//! every processor.

use pulp::{Arch, NullaryFnOnce};

/// Independent partial sums: enough to hide the latency of an addition in the widest registers.
pub(crate) const LANES: usize = 16;

/// Runs a loop in the widest registers there are.
pub(crate) fn widest<R>(body: impl NullaryFnOnce<Output = R>) -> R {
    Arch::new().dispatch(body)
}

/// The lanes added in pairs.
#[inline(always)]
pub(crate) fn total(mut sums: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

/// Σ x·y over the shorter of both.
#[inline(always)]
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    let ((x, x_rest), (y, y_rest)) = (x[..n].as_chunks::<LANES>(), y[..n].as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (x, y) in x.iter().zip(y) {
        for i in 0..LANES {
            sums[i] += x[i] * y[i];
        }
    }
    for (i, (x, y)) in x_rest.iter().zip(y_rest).enumerate() {
        sums[i] += x * y;
    }
    total(sums)
}

/// Σ x·y and Σ z·y over the shortest.
#[inline(always)]
pub(crate) fn dot_two(x: &[f64], z: &[f64], y: &[f64]) -> (f64, f64) {
    let n = y.len().min(x.len()).min(z.len());
    let ((x, x_rest), (z, z_rest)) = (x[..n].as_chunks::<LANES>(), z[..n].as_chunks::<LANES>());
    let (y, y_rest) = y[..n].as_chunks::<LANES>();
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    for ((x, z), y) in x.iter().zip(z).zip(y) {
        for i in 0..LANES {
            first[i] += x[i] * y[i];
            second[i] += z[i] * y[i];
        }
    }
    for (i, ((x, z), y)) in x_rest.iter().zip(z_rest).zip(y_rest).enumerate() {
        first[i] += x * y;
        second[i] += z * y;
    }
    (total(first), total(second))
}
