//! Which target has the largest ⟨x, y⟩ + h: the product of two matrices of which only the largest element of
//! each row is kept.
//!
//! Targets are packed in blocks of [`LANES`], element by element, so that one instruction works on several
//! targets; [`TILE`] points share every load of a block. A panel of points passes over a group of blocks that
//! stays in the second cache level before the next group is touched.

use ansatz_core::Scalar;
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::worth_sharing;

/// Targets of a block: two of the widest registers that are common.
const LANES: usize = 8;

/// Points that share the load of a block: with two registers each, all sums stay in registers.
const TILE: usize = 4;

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

impl<T: Scalar> NullaryFnOnce for Panel<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
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
        let groups = packed.targets.chunks(blocks * dim * LANES);
        for (g, (y, h)) in groups
            .zip(packed.heights.chunks(blocks * LANES))
            .enumerate()
        {
            let first = (g * blocks * LANES) as u32;
            let mut row = 0;
            while row + TILE <= cells.len() {
                let x: [&[T]; TILE] = std::array::from_fn(|r| &x[(row + r) * dim..][..dim]);
                let best = (&mut cells[row..][..TILE], &mut values[row..][..TILE]);
                tile(x, y, h, first, best);
                row += TILE;
            }
            while row < cells.len() {
                let best = (&mut cells[row..=row], &mut values[row..=row]);
                tile([&x[row * dim..][..dim]], y, h, first, best);
                row += 1;
            }
        }
    }
}

/// `R` points against a group of blocks; what they had so far is kept unless it is exceeded.
#[inline(always)]
fn tile<T: Scalar, const R: usize>(
    x: [&[T]; R],
    targets: &[f64],
    heights: &[f64],
    first: u32,
    (cells, values): (&mut [u32], &mut [f64]),
) {
    let dim = x[0].len();
    let x = x.map(|row| &row[..dim]);
    // Lane by lane: the largest value, and its block as a number of the same width.
    let mut top = [[f64::NEG_INFINITY; LANES]; R];
    let mut block = [[0.0_f64; LANES]; R];
    let mut number = 0.0;
    let (targets, _) = targets.as_chunks::<LANES>();
    let (heights, _) = heights.as_chunks::<LANES>();
    for (y, h) in targets.chunks_exact(dim).zip(heights) {
        let mut sums = [*h; R];
        for i in 0..dim {
            let y = &y[i];
            for r in 0..R {
                let v = x[r][i].f64();
                for l in 0..LANES {
                    sums[r][l] += v * y[l];
                }
            }
        }
        for r in 0..R {
            for l in 0..LANES {
                let above = sums[r][l] > top[r][l];
                top[r][l] = if above { sums[r][l] } else { top[r][l] };
                block[r][l] = if above { number } else { block[r][l] };
            }
        }
        number += 1.0;
    }
    for r in 0..R {
        let (mut value, mut cell) = (f64::NEG_INFINITY, u32::MAX);
        for l in 0..LANES {
            let index = block[r][l] as u32 * LANES as u32 + l as u32;
            if top[r][l] > value || (top[r][l] >= value && index < cell) {
                (value, cell) = (top[r][l], index);
            }
        }
        if value > values[r] {
            (values[r], cells[r]) = (value, first + cell);
        }
    }
}
