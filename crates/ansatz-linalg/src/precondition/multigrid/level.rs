//! One grid: its stencil and its fields, a colour apart.
//!
//! Cell (i, j, k) is red if i + j + k is even. Row r = j + Ny·k holds h = ⌈Nx/2⌉ slots of each colour; slot m is cell
//! i = 2m + p with p = (j + k) mod 2 for red, 1 − p for black. A slot beyond the row holds 0, as cells do that are not
//! fluid: its inverse diagonal is 0.

use ansatz_core::Scalar;
use pulp::Arch;
use rayon::prelude::*;

use super::Boundary;
use super::kernel::{Field, Merge, Relax, Residual, Split, Start};
use super::transfer::Fill;
use crate::operator::{Cell, Face, Grid};

pub(super) const RED: usize = 0;
pub(super) const BLACK: usize = 1;

/// Slots of one colour that a task works on, in whole rows.
const TASK: usize = 1 << 13;

/// Cells below which a level stays on the calling thread.
const PARALLEL_MIN: usize = 1 << 15;

#[derive(Debug, Clone)]
pub(super) struct Level<T> {
    shape: [usize; 3],
    pub(super) dimensions: usize,
    /// Slots of a row.
    pub(super) half: usize,
    diagonal: [Vec<T>; 2],
    inverse: [Vec<T>; 2],
    /// The diagonal of rows where it is one number but for the two end slots, 0 for others.
    uniform: [Vec<T>; 2],
    zeros: Vec<T>,
    pub(super) x: [Vec<T>; 2],
    pub(super) b: [Vec<T>; 2],
    /// The residual on red cells.
    pub(super) red_residual: Vec<T>,
    /// A field in the order of cells, for what goes between levels.
    pub(super) natural: Vec<T>,
    /// Interpolation weights of the outermost fine cells of this grid, axis by axis, low and high.
    pub(super) edge: [[f64; 2]; 3],
    /// How values continue into solids, for interpolation from this grid.
    pub(super) fill: Fill<T>,
}

/// Parity of the red cells of a row.
pub(super) fn red_parity(row: usize, ny: usize) -> usize {
    (row % ny + row / ny) % 2
}

impl<T: Scalar> Level<T> {
    /// Level number `depth` of a hierarchy, 0 the finest.
    pub(super) fn new(grid: &Grid, boundary: Boundary, depth: usize) -> Self {
        let shape = grid.shape();
        let [nx, ny, nz] = shape;
        let (half, rows) = (nx.div_ceil(2), ny * nz);
        let slots = || [vec![T::zero(); half * rows], vec![T::zero(); half * rows]];
        // Cells of size 2^depth; air is half a finest cell outside of the box, or, for the plain rule, half a cell of
        // this grid.
        let size = (depth as f64).exp2();
        let air = match boundary {
            Boundary::Fitted => 2.0 * size / (size + 1.0),
            Boundary::Plain => 1.0,
        };
        let (mut diagonal, mut inverse, mut uniform) = (
            slots(),
            slots(),
            [vec![T::zero(); rows], vec![T::zero(); rows]],
        );
        for c in 0..grid.len() {
            if grid.cells()[c] != Cell::Fluid {
                continue;
            }
            let at = grid.place(c);
            let weight = |n: &(Cell, Option<usize>)| match n {
                (Cell::Solid, _) => 0.0,
                (Cell::Air, None) => air,
                _ => 1.0,
            };
            let d: f64 = grid.neighbours(at).iter().map(weight).sum();
            let colour = (at[0] + at[1] + at[2]) % 2;
            let slot = (at[1] + ny * at[2]) * half + at[0] / 2;
            diagonal[colour][slot] = T::of(d);
            if d > 0.0 {
                inverse[colour][slot] = T::of(1.0 / d);
            }
        }
        for colour in [RED, BLACK] {
            for (u, d) in uniform[colour]
                .iter_mut()
                .zip(diagonal[colour].chunks(half))
            {
                if half > 2 && d[1..half - 1].iter().all(|v| *v == d[1]) {
                    *u = d[1];
                }
            }
        }
        let edge = grid.faces().map(|faces| {
            faces.map(|face| match (boundary, face) {
                (Boundary::Plain, _) => 0.75,
                (Boundary::Fitted, Face::Wall) => 1.0,
                (Boundary::Fitted, Face::Open) => (size + 1.0) / (2.0 * size + 1.0),
            })
        });
        Self {
            shape,
            dimensions: grid.dimensions(),
            half,
            diagonal,
            inverse,
            uniform,
            zeros: vec![T::zero(); half],
            x: slots(),
            b: slots(),
            red_residual: if depth_has_coarser(shape) {
                vec![T::zero(); half * rows]
            } else {
                Vec::new()
            },
            natural: if depth > 0 {
                vec![T::zero(); grid.len()]
            } else {
                Vec::new()
            },
            edge,
            fill: if depth > 0 && boundary == Boundary::Fitted {
                Fill::new(grid)
            } else {
                Fill::default()
            },
        }
    }

    pub(super) fn shape(&self) -> [usize; 3] {
        self.shape
    }

    pub(super) fn cells(&self) -> usize {
        self.shape.iter().product()
    }

    /// Rows that one task takes.
    pub(super) fn rows_per_task(&self) -> usize {
        (TASK / self.half).max(1)
    }

    pub(super) fn is_large(&self) -> bool {
        self.cells() >= PARALLEL_MIN
    }

    fn field(&self, colour: usize) -> Field<'_, T> {
        Field {
            half: self.half,
            ny: self.shape[1],
            nz: self.shape[2],
            colour,
            other: &self.x[1 - colour],
            b: &self.b[colour],
            diagonal: &self.diagonal[colour],
            inverse: &self.inverse[colour],
            uniform: &self.uniform[colour],
            zeros: &self.zeros,
        }
    }

    pub(super) fn inverse(&self, colour: usize) -> &[T] {
        &self.inverse[colour]
    }

    /// Whether the inner slots of a row of red cells all have equations.
    pub(super) fn is_uniform(&self, row: usize) -> bool {
        self.uniform[RED][row] != T::zero()
    }

    /// Runs `on(first row, piece)` for pieces of whole rows of `of`.
    fn by_rows(&self, of: &mut [T], on: impl Fn(usize, &mut [T]) + Sync) {
        let rows = self.rows_per_task();
        if self.is_large() {
            let pieces = of.par_chunks_mut(rows * self.half).enumerate();
            pieces.for_each(|(i, piece)| on(i * rows, piece));
        } else {
            on(0, of);
        }
    }

    /// Solves the equations of one colour for its values.
    pub(super) fn sweep(&mut self, colour: usize) {
        let mut x = std::mem::take(&mut self.x[colour]);
        let field = self.field(colour);
        self.by_rows(&mut x, |first, x| {
            Arch::new().dispatch(Relax { field, x, first });
        });
        self.x[colour] = x;
    }

    /// The first sweep of red cells, black ones being 0.
    pub(super) fn sweep_from_zero(&mut self) {
        let mut x = std::mem::take(&mut self.x[RED]);
        let field = self.field(RED);
        self.by_rows(&mut x, |first, x| {
            Arch::new().dispatch(Start { field, x, first });
        });
        self.x[RED] = x;
    }

    /// The residual on red cells.
    pub(super) fn residual(&mut self) {
        let mut residual = std::mem::take(&mut self.red_residual);
        let (field, x) = (self.field(RED), &self.x[RED]);
        self.by_rows(&mut residual, |first, r| {
            Arch::new().dispatch(Residual { field, x, r, first });
        });
        self.red_residual = residual;
    }

    /// Sets the right-hand side to `scale·b`; returns the largest element of `b`.
    pub(super) fn split_right_hand_side<U: Scalar>(&mut self, b: &[U], scale: f64) -> f64 {
        let [nx, ny, _] = self.shape;
        let rows = self.rows_per_task();
        let [red, black] = &mut self.b;
        let chunk = rows * self.half;
        let on = |i: usize, red: &mut [T], black: &mut [T]| {
            Arch::new().dispatch(Split {
                nx,
                ny,
                half: self.half,
                first: i * rows,
                from: &b[i * rows * nx..],
                to: [red, black],
                scale: U::of(scale),
            })
        };
        if nx * ny * self.shape[2] >= PARALLEL_MIN {
            let pieces = red.par_chunks_mut(chunk).zip(black.par_chunks_mut(chunk));
            pieces
                .enumerate()
                .map(|(i, (r, b))| on(i, r, b))
                .reduce(|| 0.0, f64::max)
        } else {
            let pieces = red.chunks_mut(chunk).zip(black.chunks_mut(chunk));
            pieces
                .enumerate()
                .map(|(i, (r, b))| on(i, r, b))
                .fold(0.0, f64::max)
        }
    }

    /// `out ← scale·x`, in the order of cells.
    pub(super) fn merge_solution<U: Scalar>(&self, out: &mut [U], scale: f64) {
        let [nx, ny, _] = self.shape;
        let rows = self.rows_per_task();
        let on = |(i, to): (usize, &mut [U])| {
            Arch::new().dispatch(Merge {
                nx,
                ny,
                half: self.half,
                first: i * rows,
                from: [
                    &self.x[RED][i * rows * self.half..],
                    &self.x[BLACK][i * rows * self.half..],
                ],
                to,
                scale: U::of(scale),
            });
        };
        if self.is_large() {
            out.par_chunks_mut(rows * nx).enumerate().for_each(on);
        } else {
            out.chunks_mut(rows * nx).enumerate().for_each(on);
        }
    }
}

/// Whether a grid is not the coarsest.
fn depth_has_coarser(shape: [usize; 3]) -> bool {
    shape.iter().any(|n| *n > super::COARSEST)
}
