//! Fused chains of elementwise operations, a tile at a time.
//!
//! A kernel walks over a block of rows in tiles that stay in the cache. Its operations read
//! tiles of arrays in place and keep what lies between them in registers of one tile each, so an array
//! is read once and written once however many operations there are.

use pulp::Simd;

use super::element::{self, Element};
use super::terms::{Lanes, READS, Terms};
use crate::op::{Comparison, Unary};

/// Most bytes of a tile: long enough that the choice of a loop costs little.
const TILE: usize = 4 << 10;

/// Bytes of cache that the tiles of a kernel may take.
const CACHE: usize = 256 << 10;

/// Most elements of a tile.
pub(crate) const fn longest<T>() -> usize {
    TILE / size_of::<T>()
}

/// How an array is read along the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// An element each.
    Full,
    /// One number.
    Scalar,
    /// At column q of a row, element q / inner mod count.
    Repeat {
        /// Whether each row has `count` elements of its own.
        own: bool,
        inner: usize,
        count: usize,
    },
}

impl Pattern {
    /// Whether the array has elements for each row.
    pub(crate) fn own(self) -> bool {
        matches!(self, Self::Full | Self::Repeat { own: true, .. })
    }
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
    Terms(Terms),
    Compare(Comparison),
    Select,
    /// A copy.
    Copy,
}

/// An operation on tiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TileOp {
    pub(crate) action: Action,
    pub(crate) inputs: [Place; READS],
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

impl Kernel {
    /// Elements of a tile: all tiles together stay in the cache.
    fn tile<T>(&self) -> usize {
        let arrays = self.registers + self.loads.len() + self.stores;
        let fitting = CACHE / (arrays * size_of::<T>()).max(1);
        (fitting / 64 * 64).clamp(128, longest::<T>())
    }
}

/// A walk of a kernel over a block.
pub struct Walk<'a, 'b, T> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) rows: usize,
    /// Arrays that are read, from the block's first row on.
    pub(crate) loads: &'a [&'b [T]],
    pub(crate) stores: &'a mut [&'b mut [T]],
    /// Registers, and behind them a tile for each load.
    pub(crate) registers: &'a mut [Vec<T>],
}

impl<T: Element> Walk<'_, '_, T> {
    pub(crate) fn run(self) {
        T::walk(self);
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

impl<T: Element> Walk<'_, '_, T> {
    #[inline(always)]
    pub(crate) fn go<S: Simd>(mut self, simd: S)
    where
        T: Lanes<S>,
    {
        let (width, tile) = (self.kernel.width, self.kernel.tile::<T>());
        let uniform = |p: &Pattern| matches!(p, Pattern::Full | Pattern::Scalar);
        if self.kernel.loads.iter().all(uniform) {
            // Rows do not matter: one long row.
            self.along_rows(simd, (1, self.rows * width), tile);
        } else if width > tile / 2 {
            self.along_rows(simd, (self.rows, width), tile);
        } else {
            let many = (tile / width.max(1)).max(1);
            self.fill(many);
            let mut row = 0;
            while row < self.rows {
                let rows = many.min(self.rows - row);
                let piece = Piece {
                    row,
                    rows,
                    column: 0,
                    len: rows * width,
                };
                self.piece(simd, piece);
                row += rows;
            }
        }
    }

    #[inline(always)]
    fn along_rows<S: Simd>(&mut self, simd: S, (rows, width): (usize, usize), tile: usize)
    where
        T: Lanes<S>,
    {
        self.fill(1);
        for row in 0..rows {
            let mut column = 0;
            while column < width {
                let len = tile.min(width - column);
                let piece = Piece {
                    row,
                    rows: 1,
                    column,
                    len,
                };
                self.piece(simd, piece);
                column += len;
            }
        }
    }

    /// Tiles that are the same everywhere: numbers, and rows that repeat, `many` of them.
    #[inline(always)]
    fn fill(&mut self, many: usize) {
        let (width, base) = (self.kernel.width, self.kernel.registers);
        for (i, pattern) in self.kernel.loads.iter().enumerate() {
            let tile = &mut self.registers[base + i];
            match *pattern {
                Pattern::Scalar => tile.fill(self.loads[i][0]),
                // Rows longer than a tile are filled piece by piece.
                Pattern::Repeat {
                    own: false,
                    inner,
                    count,
                } => {
                    for row in tile.chunks_exact_mut(width.max(1)).take(many) {
                        repeat(self.loads[i], (inner, count), 0, row);
                    }
                }
                _ => {}
            }
        }
    }

    #[inline(always)]
    fn piece<S: Simd>(&mut self, simd: S, piece: Piece)
    where
        T: Lanes<S>,
    {
        let (width, base) = (self.kernel.width, self.kernel.registers);
        for (i, pattern) in self.kernel.loads.iter().enumerate() {
            let Pattern::Repeat { own, inner, count } = *pattern else {
                continue;
            };
            let tile = &mut self.registers[base + i];
            if own {
                let part = if piece.rows == 1 { piece.len } else { width };
                for (r, row) in tile.chunks_mut(part.max(1)).take(piece.rows).enumerate() {
                    let source = &self.loads[i][(piece.row + r) * count..];
                    repeat(source, (inner, count), piece.column, row);
                }
            } else if (piece.column > 0 || piece.len < width) && !in_place(*pattern, width) {
                repeat(
                    self.loads[i],
                    (inner, count),
                    piece.column,
                    &mut tile[..piece.len],
                );
            }
        }
        let from = piece.row * width + piece.column;
        for op in &self.kernel.ops {
            match op.output {
                Place::Register(r) => {
                    let mut out = std::mem::take(&mut self.registers[r]);
                    self.operate(simd, op, piece, &mut out[..piece.len]);
                    self.registers[r] = out;
                }
                Place::Store(s) => {
                    let out = std::mem::take(&mut self.stores[s]);
                    self.operate(simd, op, piece, &mut out[from..from + piece.len]);
                    self.stores[s] = out;
                }
                Place::Load(_) => {}
            }
        }
    }

    #[inline(always)]
    fn operate<S: Simd>(&self, simd: S, op: &TileOp, piece: Piece, out: &mut [T])
    where
        T: Lanes<S>,
    {
        let read = |place| self.read(place, piece);
        let [a, b, c, ..] = op.inputs;
        match op.action {
            Action::Unary(f) => T::unary(f, read(a), out),
            Action::Terms(terms) => {
                let mut x = [read(a); READS];
                for (x, place) in x.iter_mut().zip(&op.inputs).take(terms.reads()).skip(1) {
                    *x = read(*place);
                }
                terms.apply(simd, x, out);
            }
            Action::Compare(f) => element::compare(f, read(a), read(b), out),
            Action::Select => element::select(read(a), read(b), read(c), out),
            Action::Copy => out.copy_from_slice(read(a)),
        }
    }
}

impl<T: Element> Walk<'_, '_, T> {
    #[inline(always)]
    fn read(&self, place: Place, piece: Piece) -> &[T] {
        let from = piece.row * self.kernel.width + piece.column;
        match place {
            Place::Register(r) => &self.registers[r][..piece.len],
            Place::Store(s) => &self.stores[s][from..from + piece.len],
            Place::Load(l) => match self.kernel.loads[l] {
                Pattern::Full => &self.loads[l][from..from + piece.len],
                pattern if piece.rows == 1 && in_place(pattern, self.kernel.width) => {
                    &self.loads[l][piece.column..piece.column + piece.len]
                }
                _ => &self.registers[self.kernel.registers + l][..piece.len],
            },
        }
    }
}

/// Whether a single row of the source is read as it is.
#[inline(always)]
fn in_place(pattern: Pattern, width: usize) -> bool {
    matches!(pattern, Pattern::Repeat { own: false, inner: 1, count } if count == width)
}

/// Element q / inner mod count of the source for columns q from `column` on.
#[inline(always)]
fn repeat<T: Copy>(source: &[T], (inner, count): (usize, usize), column: usize, out: &mut [T]) {
    let mut done = 0;
    while done < out.len() {
        let (q, rest) = ((column + done) / inner, out.len() - done);
        let within = (column + done) % inner;
        if inner == 1 {
            let at = q % count;
            let n = rest.min(count - at);
            out[done..done + n].copy_from_slice(&source[at..at + n]);
            done += n;
        } else {
            let n = rest.min(inner - within);
            out[done..done + n].fill(source[q % count]);
            done += n;
        }
    }
}
