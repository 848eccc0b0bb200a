//! Fused chains of elementwise operations, a tile at a time.
//!
//! A kernel walks over a block of rows in tiles that stay in the first cache level. Its operations read
//! tiles of arrays in place and keep what lies between them in registers of one tile each, so an array
//! is read once and written once however many operations there are.

use ansatz_core::Scalar;
use pulp::{Arch, NullaryFnOnce};

use super::element::{self, Element};
use crate::op::{Binary, Comparison, Unary};

/// Elements of a tile.
pub(crate) const TILE: usize = 512;

/// How an array is read along the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// An element each.
    Full,
    /// The same row for all rows.
    Row,
    /// One number for each row.
    Column,
    /// One number.
    Scalar,
}

/// Where an operation reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A register.
    Register(usize),
    /// An array that is read.
    Load(usize),
    /// An array that is written.
    Store(usize),
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    Unary(Unary),
    Binary(Binary),
    Compare(Comparison),
    Select,
    /// A copy.
    Copy,
}

/// An operation on tiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TileOp {
    pub(crate) action: Action,
    pub(crate) inputs: [Place; 3],
    pub(crate) output: Place,
}

/// A fused kernel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kernel {
    pub(crate) ops: Vec<TileOp>,
    pub(crate) loads: Vec<Pattern>,
    pub(crate) stores: usize,
    pub(crate) registers: usize,
    /// Elements of a row.
    pub(crate) width: usize,
}

/// A walk of a kernel over a block.
pub(crate) struct Walk<'a, 'b, T> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) rows: usize,
    /// Arrays that are read, from the block's first row on.
    pub(crate) loads: &'a [&'b [T]],
    pub(crate) stores: &'a mut [Vec<T>],
    /// Registers, and behind them a tile for each load.
    pub(crate) registers: &'a mut [Vec<T>],
}

impl<T: Element> Walk<'_, '_, T> {
    pub(crate) fn run(self) {
        Arch::new().dispatch(self);
    }
}

/// A piece of the block.
#[derive(Clone, Copy)]
struct Piece {
    row: usize,
    rows: usize,
    /// First column; 0 unless the piece is part of one row.
    column: usize,
    len: usize,
}

impl<T: Element> NullaryFnOnce for Walk<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let width = self.kernel.width;
        let uniform = |p: &Pattern| matches!(p, Pattern::Full | Pattern::Scalar);
        if self.kernel.loads.iter().all(uniform) {
            // Rows do not matter: one long row.
            self.along_rows(1, self.rows * width);
        } else if width > TILE / 2 {
            self.along_rows(self.rows, width);
        } else {
            let many = (TILE / width.max(1)).max(1);
            self.fill(many);
            let mut row = 0;
            while row < self.rows {
                let rows = many.min(self.rows - row);
                self.piece(Piece {
                    row,
                    rows,
                    column: 0,
                    len: rows * width,
                });
                row += rows;
            }
        }
    }
}

impl<T: Element> Walk<'_, '_, T> {
    #[inline(always)]
    fn along_rows(&mut self, rows: usize, width: usize) {
        self.fill(1);
        for row in 0..rows {
            let mut column = 0;
            while column < width {
                let len = TILE.min(width - column);
                self.piece(Piece {
                    row,
                    rows: 1,
                    column,
                    len,
                });
                column += len;
            }
        }
    }

    /// Tiles that are the same everywhere: numbers, and rows repeated `many` times.
    #[inline(always)]
    fn fill(&mut self, many: usize) {
        let (width, base) = (self.kernel.width, self.kernel.registers);
        for (i, pattern) in self.kernel.loads.iter().enumerate() {
            let tile = &mut self.registers[base + i];
            match pattern {
                Pattern::Scalar => tile.fill(self.loads[i][0]),
                Pattern::Row if many > 1 || width <= TILE => {
                    for row in tile.chunks_exact_mut(width.max(1)).take(many) {
                        row.copy_from_slice(self.loads[i]);
                    }
                }
                _ => {}
            }
        }
    }

    #[inline(always)]
    fn piece(&mut self, piece: Piece) {
        let (width, base) = (self.kernel.width, self.kernel.registers);
        for (i, pattern) in self.kernel.loads.iter().enumerate() {
            if *pattern == Pattern::Column {
                let tile = &mut self.registers[base + i];
                let part = if piece.rows == 1 { piece.len } else { width };
                for (r, row) in tile.chunks_mut(part).take(piece.rows).enumerate() {
                    row.fill(self.loads[i][piece.row + r]);
                }
            }
        }
        let from = piece.row * width + piece.column;
        for op in &self.kernel.ops {
            let mut out = match op.output {
                Place::Register(r) => std::mem::take(&mut self.registers[r]),
                Place::Store(s) => std::mem::take(&mut self.stores[s]),
                Place::Load(_) => continue,
            };
            let start = match op.output {
                Place::Store(_) => from,
                _ => 0,
            };
            self.operate(op, piece, &mut out[start..start + piece.len]);
            match op.output {
                Place::Register(r) => self.registers[r] = out,
                Place::Store(s) => self.stores[s] = out,
                Place::Load(_) => {}
            }
        }
    }

    #[inline(always)]
    fn operate(&self, op: &TileOp, piece: Piece, out: &mut [T]) {
        let from = piece.row * self.kernel.width + piece.column;
        let read = |place: Place| -> &[T] {
            match place {
                Place::Register(r) => &self.registers[r][..piece.len],
                Place::Store(s) => &self.stores[s][from..from + piece.len],
                Place::Load(l) => match self.kernel.loads[l] {
                    Pattern::Full => &self.loads[l][from..from + piece.len],
                    Pattern::Row if self.kernel.width > TILE => {
                        &self.loads[l][piece.column..piece.column + piece.len]
                    }
                    Pattern::Row => {
                        let tile = &self.registers[self.kernel.registers + l];
                        &tile[piece.column..piece.column + piece.len]
                    }
                    _ => &self.registers[self.kernel.registers + l][..piece.len],
                },
            }
        };
        let [a, b, c] = op.inputs;
        match op.action {
            Action::Unary(f) => T::unary(f, read(a), out),
            Action::Binary(f) => element::binary(f, read(a), read(b), out),
            Action::Compare(f) => element::compare(f, read(a), read(b), out),
            Action::Select => element::select(read(a), read(b), read(c), out),
            Action::Copy => out.copy_from_slice(read(a)),
        }
    }
}

/// Sums of blocks, in a fixed order.
pub(crate) fn sum<T: Scalar>(x: &[T]) -> T {
    const LANES: usize = 16;
    let mut lanes = [T::zero(); LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += *v;
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane += *v;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for k in 0..width {
            let other = lanes[k + width];
            lanes[k] += other;
        }
        width /= 2;
    }
    lanes[0]
}
