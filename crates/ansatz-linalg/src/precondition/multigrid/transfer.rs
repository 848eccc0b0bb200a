//! Between grids: coarse cells, restriction, interpolation.

use ansatz_core::Scalar;
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::level::{Level, RED, red_parity};
use crate::LinalgError;
use crate::operator::{Cell, Grid};

/// The grid of cells of twice the size: fluid if a child is, else air if a child is, else solid.
pub(super) fn coarsen(fine: &Grid) -> Result<Grid, LinalgError> {
    let shape = fine.shape();
    let [nx, ny, nz] = shape;
    let halves = shape.map(|n| n.div_ceil(2));
    let dimensions = fine.dimensions();
    let coarse = Grid::new(&halves[..dimensions], &fine.faces()[..dimensions])?;
    if fine.fluid_cells() == fine.len() {
        return Ok(coarse);
    }
    Ok(coarse.with_cells(|[i, j, k]| {
        let mut kind = Cell::Solid;
        for child in 0..8 {
            let [i, j, k] = [2 * i + child % 2, 2 * j + child / 2 % 2, 2 * k + child / 4];
            if i < nx && j < ny && k < nz {
                match (fine.cells()[i + nx * (j + ny * k)], kind) {
                    (Cell::Fluid, _) => return Cell::Fluid,
                    (Cell::Air, _) => kind = Cell::Air,
                    _ => {}
                }
            }
        }
        kind
    }))
}

/// Values in solid cells beside fluid ones, as means of the fluid cells around: interpolation from this grid then does
/// not pull the solution to 0 at solids. The transpose goes with restriction.
#[derive(Debug, Clone)]
pub(super) struct Fill<T> {
    /// Solid cell, where its fluid cells begin, the weight of each.
    cells: Vec<(usize, usize, T)>,
    around: Vec<usize>,
}

impl<T> Default for Fill<T> {
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            around: Vec::new(),
        }
    }
}

impl<T: Scalar> Fill<T> {
    pub(super) fn new(grid: &Grid) -> Self {
        let mut fill = Self::default();
        if grid.cells().iter().all(|c| *c != Cell::Solid) {
            return fill;
        }
        let shape = grid.shape();
        for c in (0..grid.len()).filter(|c| grid.cells()[*c] == Cell::Solid) {
            let at = grid.place(c);
            let start = fill.around.len();
            for step in 0..27 {
                let place: [Option<usize>; 3] = std::array::from_fn(|axis| {
                    let to = (at[axis] + step / 3_usize.pow(axis as u32) % 3).checked_sub(1)?;
                    (to < shape[axis]).then_some(to)
                });
                if let [Some(i), Some(j), Some(k)] = place {
                    let n = i + shape[0] * (j + shape[1] * k);
                    if grid.cells()[n] == Cell::Fluid {
                        fill.around.push(n);
                    }
                }
            }
            let count = fill.around.len() - start;
            if count > 0 {
                fill.cells.push((c, start, T::of(1.0 / count as f64)));
            }
        }
        fill
    }

    fn each(&self) -> impl Iterator<Item = (usize, &[usize], T)> {
        let ends = self.cells.iter().skip(1).map(|c| c.1);
        let ends = ends.chain([self.around.len()]);
        self.cells
            .iter()
            .zip(ends)
            .map(|((c, start, w), end)| (*c, &self.around[*start..end], *w))
    }

    fn extend(&self, field: &mut [T]) {
        for (c, around, weight) in self.each() {
            field[c] = around.iter().map(|n| field[*n]).sum::<T>() * weight;
        }
    }

    fn fold(&self, field: &mut [T]) {
        for (c, around, weight) in self.each() {
            let share = field[c] * weight;
            for n in around {
                field[*n] += share;
            }
            field[c] = T::zero();
        }
    }
}

/// The fine lines that a coarse line takes from, with weights: 2I − 1, 2I, 2I + 1, 2I + 2.
fn finer<T: Scalar>(coarse: usize, n: usize, edge: [f64; 2]) -> [Option<(usize, T)>; 4] {
    std::array::from_fn(|t| {
        let i = (2 * coarse + t).checked_sub(1).filter(|i| *i < n)?;
        let outer = t == 0 || t == 3;
        let weight = if n == 1 {
            1.0
        } else if outer {
            0.25
        } else if i == 0 {
            edge[0]
        } else if i == n - 1 && i % 2 == 1 {
            edge[1]
        } else {
            0.75
        };
        Some((i, T::of(weight)))
    })
}

/// The coarse lines that a fine line takes from, with the same weights.
fn coarser<T: Scalar>(fine: usize, n: usize, edge: [f64; 2]) -> [Option<(usize, T)>; 2] {
    let own = fine / 2;
    let beside = if fine.is_multiple_of(2) {
        own.checked_sub(1)
    } else {
        Some(own + 1)
    };
    [Some(own), beside].map(|line| {
        let line = line.filter(|l| *l < n.div_ceil(2))?;
        let weight = finer::<T>(line, n, edge).into_iter().flatten();
        weight
            .filter(|(i, _)| *i == fine)
            .map(|(_, w)| (line, w))
            .next()
    })
}

/// Slots that one pass over rows works on: partial sums stay in the first cache level.
const BLOCK: usize = 256;

/// b ← R·r on the coarse grid, from the red residual.
pub(super) fn restrict<T: Scalar>(fine: &Level<T>, coarse: &mut Level<T>) {
    let [cx, cy, _] = coarse.shape();
    let mut natural = std::mem::take(&mut coarse.natural);
    let rows = coarse.rows_per_task();
    let on = |(i, out): (usize, &mut [T])| {
        for (r, out) in out.chunks_exact_mut(cx).enumerate() {
            let r = i * rows + r;
            let (fine, place) = (fine, [r % cy, r / cy]);
            Arch::new().dispatch(RestrictRow { fine, place, out });
        }
    };
    if fine.is_large() {
        natural.par_chunks_mut(rows * cx).enumerate().for_each(on);
    } else {
        natural.chunks_mut(rows * cx).enumerate().for_each(on);
    }
    coarse.fill.fold(&mut natural);
    coarse.split_right_hand_side(&natural, 1.0);
    coarse.natural = natural;
}

struct RestrictRow<'a, T> {
    fine: &'a Level<T>,
    /// J and K.
    place: [usize; 2],
    out: &'a mut [T],
}

impl<T: Scalar> NullaryFnOnce for RestrictRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { fine, place, out } = self;
        let [nx, ny, nz] = fine.shape();
        let half = fine.half;
        // R = 4/2ᵈ·Pᵀ.
        let factor = T::of(4.0 / f64::from(1_u32 << fine.dimensions));
        let (y, z) = (
            finer::<T>(place[0], ny, fine.edge[1]),
            finer::<T>(place[1], nz, fine.edge[2]),
        );
        let [low, high] = fine.edge[0].map(T::of);
        let [quarter, most] = [0.25, 0.75].map(T::of);
        for start in (0..out.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(out.len());
            // Sums over rows, of rows whose red cells are even and odd, with one slot more on either side.
            let mut sums = [[T::zero(); BLOCK + 2]; 2];
            let from = start.saturating_sub(1);
            let to = (end + 1).min(half);
            let shift = from + 1 - start;
            for (k, wz) in z.iter().flatten() {
                for (j, wy) in y.iter().flatten() {
                    let r = j + ny * k;
                    let row = &fine.red_residual[r * half..][from..to];
                    let weight = *wy * *wz;
                    let sums = &mut sums[red_parity(r, ny)][shift..][..row.len()];
                    for (s, v) in sums.iter_mut().zip(row) {
                        *s += weight * *v;
                    }
                }
            }
            let [even, odd] = &sums;
            let out = &mut out[start..end];
            let n = out.len();
            let (even, even_next) = (&even[1..=n], &even[2..n + 2]);
            let (odd, odd_last) = (&odd[1..=n], &odd[..n]);
            for (i, out) in out.iter_mut().enumerate() {
                *out = factor
                    * ((most * even[i] + quarter * even_next[i])
                        + (quarter * odd_last[i] + most * odd[i]));
            }
            // The outermost cells of the row have weights of their own.
            if start == 0 {
                out[0] += factor * (low - most) * even[0];
            }
            if end == nx.div_ceil(2) && nx.is_multiple_of(2) {
                out[n - 1] += factor * (high - most) * odd[n - 1];
            }
        }
    }
}

/// x ← x + P·e on the red cells of the fine grid.
pub(super) fn prolong<T: Scalar>(coarse: &mut Level<T>, fine: &mut Level<T>) {
    let mut natural = std::mem::take(&mut coarse.natural);
    coarse.merge_solution(&mut natural, 1.0);
    coarse.fill.extend(&mut natural);
    let mut x = std::mem::take(&mut fine.x[RED]);
    let (half, rows) = (fine.half, fine.rows_per_task());
    let (shape, level): (_, &Level<T>) = (coarse.shape(), fine);
    let on = |(i, x): (usize, &mut [T])| {
        for (r, x) in x.chunks_exact_mut(half).enumerate() {
            Arch::new().dispatch(ProlongRow {
                level,
                coarse: &natural,
                shape,
                row: i * rows + r,
                x,
            });
        }
    };
    if fine.is_large() {
        x.par_chunks_mut(rows * half).enumerate().for_each(on);
    } else {
        x.chunks_mut(rows * half).enumerate().for_each(on);
    }
    fine.x[RED] = x;
    coarse.natural = natural;
}

struct ProlongRow<'a, T> {
    level: &'a Level<T>,
    coarse: &'a [T],
    shape: [usize; 3],
    row: usize,
    x: &'a mut [T],
}

impl<T: Scalar> NullaryFnOnce for ProlongRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            level,
            coarse,
            shape: [cx, cy, _],
            row,
            x,
        } = self;
        let [nx, ny, nz] = level.shape();
        let (y, z) = (
            coarser::<T>(row % ny, ny, level.edge[1]),
            coarser::<T>(row / ny, nz, level.edge[2]),
        );
        let [low, high] = level.edge[0].map(T::of);
        let [quarter, most] = [0.25, 0.75].map(T::of);
        let parity = red_parity(row, ny);
        for start in (0..x.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(x.len());
            let mut sums = [T::zero(); BLOCK + 2];
            let from = start.saturating_sub(1);
            let to = (end + 1).min(cx);
            let shift = from + 1 - start;
            for (k, wz) in z.iter().flatten() {
                for (j, wy) in y.iter().flatten() {
                    let line = &coarse[(j + cy * k) * cx..][from..to];
                    let weight = *wy * *wz;
                    for (s, v) in sums[shift..].iter_mut().zip(line) {
                        *s += weight * *v;
                    }
                }
            }
            let x = &mut x[start..end];
            let n = x.len();
            let own = &sums[1..=n];
            let beside = if parity == 0 {
                &sums[..n]
            } else {
                &sums[2..n + 2]
            };
            for m in 0..n {
                x[m] += most * own[m] + quarter * beside[m];
            }
            let (first, last) = (start == 0, end == level.half);
            if first && parity == 0 {
                x[0] += (low - most) * own[0];
            }
            if last && parity == 1 && nx.is_multiple_of(2) {
                x[n - 1] += (high - most) * own[n - 1];
            }
            // Cells without an equation stay 0.
            let inverse = &level.inverse(RED)[row * level.half..][start..end];
            if !level.is_uniform(row) {
                for (x, inverse) in x.iter_mut().zip(inverse) {
                    if *inverse == T::zero() {
                        *x = T::zero();
                    }
                }
                continue;
            }
            for m in [first.then_some(0), last.then_some(n - 1)]
                .into_iter()
                .flatten()
            {
                if inverse[m] == T::zero() {
                    x[m] = T::zero();
                }
            }
        }
    }
}
