//! Which target has the largest ⟨x, y⟩ + h: the product of two matrices of which only the largest element of
//! each row is kept.
//!
//! Targets are packed in blocks of [`LANES`], element by element, so that one instruction works on several
//! targets; [`TILE`] points share every load. (The compiler does not find this by itself.) A panel of points passes over a group of blocks that
//! stays in the second cache level before the next group is touched.

use ansatz_core::Scalar;
use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::worth_sharing;

/// Targets of a block: the widest register there is.
const LANES: usize = 8;

/// Points that share the load of a register of targets: as many sums keep both multipliers of a core busy.
const TILE: usize = 8;

/// Points that one task takes.
const PANEL: usize = 64;

/// Numbers of a group of blocks, 128 KiB.
const GROUP: usize = 1 << 14;

/// Targets and heights as the kernel reads them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Packed {
    dim: usize,
    count: usize,
    /// `[blocks, dim, LANES]`
    targets: Vec<f64>,
    /// `[blocks, LANES]`; −∞ where there is no target.
    heights: Vec<f64>,
}

impl Packed {
    pub(super) fn new(targets: &[f64], dim: usize, heights: &[f64]) -> Self {
        let count = heights.len();
        let blocks = count.div_ceil(LANES);
        let mut packed = vec![0.0; blocks * dim * LANES];
        for (j, y) in targets.chunks_exact(dim).enumerate() {
            let start = j / LANES * dim * LANES + j % LANES;
            for (i, v) in y.iter().enumerate() {
                packed[start + i * LANES] = *v;
            }
        }
        let mut padded = vec![f64::NEG_INFINITY; blocks * LANES];
        padded[..count].copy_from_slice(heights);
        Self {
            dim,
            count,
            targets: packed,
            heights: padded,
        }
    }

    pub(super) fn heights(&self) -> &[f64] {
        &self.heights[..self.count]
    }

    pub(super) fn heights_mut(&mut self) -> &mut [f64] {
        &mut self.heights[..self.count]
    }

    /// The target of each row of `x`, the lowest index of equals, and the maximum.
    pub(super) fn assign<T: Scalar>(&self, x: &[T], cells: &mut [u32], values: &mut [f64]) {
        let panel = |((x, cells), values): ((&[T], &mut [u32]), &mut [f64])| {
            Arch::new().dispatch(Panel {
                packed: self,
                x,
                cells,
                values,
            });
        };
        if worth_sharing(x.len() * self.count) {
            x.par_chunks(PANEL * self.dim)
                .zip(cells.par_chunks_mut(PANEL))
                .zip(values.par_chunks_mut(PANEL))
                .for_each(panel);
        } else {
            x.chunks(PANEL * self.dim)
                .zip(cells.chunks_mut(PANEL))
                .zip(values.chunks_mut(PANEL))
                .for_each(panel);
        }
    }
}

/// At most [`PANEL`] points.
struct Panel<'a, T> {
    packed: &'a Packed,
    x: &'a [T],
    cells: &'a mut [u32],
    values: &'a mut [f64],
}

impl<T: Scalar> WithSimd for Panel<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            packed,
            x,
            cells,
            values,
        } = self;
        let dim = packed.dim;
        let blocks = (GROUP / (dim * LANES)).max(1);
        values.fill(f64::NEG_INFINITY);
        cells.fill(0);
        let last = cells.len().saturating_sub(1);
        let groups = packed.targets.chunks(blocks * dim * LANES);
        for (g, (y, h)) in groups
            .zip(packed.heights.chunks(blocks * LANES))
            .enumerate()
        {
            let first = (g * blocks * LANES) as u32;
            for row in (0..cells.len()).step_by(TILE) {
                // A tile that is not full repeats the last point.
                let x: [&[T]; TILE] =
                    std::array::from_fn(|r| &x[(row + r).min(last) * dim..][..dim]);
                let end = (row + TILE).min(cells.len());
                let best = (&mut cells[row..end], &mut values[row..end]);
                tile(simd, x, y, h, first, best);
            }
        }
    }
}

/// A tile of points against a group of blocks; what they had so far is kept unless it is exceeded.
///
/// A register of targets at a time, as many of them as the processor's registers hold.
#[inline(always)]
fn tile<T: Scalar, S: Simd>(
    simd: S,
    x: [&[T]; TILE],
    targets: &[f64],
    heights: &[f64],
    first: u32,
    (cells, values): (&mut [u32], &mut [f64]),
) {
    let dim = x[0].len();
    let x = x.map(|row| &row[..dim]);
    let width = S::F64_LANES;
    let parts = LANES / width;
    let (targets, _) = S::as_simd_f64s(targets);
    let (heights, _) = S::as_simd_f64s(heights);
    for part in 0..parts {
        let mut index = first + (part * width) as u32;
        for (y, h) in targets
            .chunks_exact(dim * parts)
            .zip(heights.chunks_exact(parts))
        {
            let mut sums = [h[part]; TILE];
            for (i, y) in y[part..].iter().step_by(parts).enumerate() {
                for r in 0..TILE {
                    let product = simd.mul_f64s(simd.splat_f64s(x[r][i].f64()), *y);
                    sums[r] = simd.add_f64s(sums[r], product);
                }
            }
            for ((sums, cell), value) in sums.iter().zip(&mut *cells).zip(&mut *values) {
                // Seldom true: the largest of k numbers in random order changes ln k times.
                if simd.reduce_max_f64s(*sums) >= *value {
                    exceed(cast_slice(std::slice::from_ref(sums)), index, cell, value);
                }
            }
            index += LANES as u32;
        }
    }
}

/// Takes the largest of neighbouring targets if it exceeds what a point has so far, or is as large and before it.
#[inline(never)]
fn exceed(sums: &[f64], first: u32, cell: &mut u32, value: &mut f64) {
    for (index, sum) in (first..).zip(sums) {
        if *sum > *value || (*sum >= *value && index < *cell) {
            (*value, *cell) = (*sum, index);
        }
    }
}
