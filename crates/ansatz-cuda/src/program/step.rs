//! The steps of a program: loops over bodies, and products.

use super::body::{Array, Body, Op, Reg};
use super::index::{Condition, Index, signed};
use crate::CudaError;
use crate::error::{demand_range, elements};

/// How values along the inner axes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Their sum, in an order that depends on the loop alone.
    Sum,
    /// The largest one, NaN if there is one; −∞ of none.
    Largest,
}

/// Where a loop writes a value: one place for each point of its outer axes.
#[derive(Debug, Clone)]
pub struct Store {
    /// The value.
    pub value: Reg,
    /// The array.
    pub array: Array,
    /// The place, a sum of multiples of outer counters that no two points share.
    pub index: Index,
}

/// A body at each point of a box.
///
/// Axes are numbered through: the outer ones from 0, then the inner ones, over which values are folded.
#[derive(Debug, Clone)]
pub struct Loop {
    /// Lengths of the axes whose points are independent.
    pub outer: Vec<usize>,
    /// Lengths of the axes that disappear; none without a fold.
    pub inner: Vec<usize>,
    /// What is done at each point.
    pub body: Body,
    /// How values along the inner axes become one.
    pub fold: Option<Fold>,
    /// What is written.
    pub results: Vec<Store>,
}

/// How exact products are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// In the element type.
    #[default]
    Full,
    /// Factors of `f32` rounded to 11 bits, sums in `f32`; `f64` stays in full.
    Tf32,
    /// Factors of `f32` rounded to 8 bits, sums in `f32`; `f64` stays in full.
    Bf16,
}

/// A factor of a product: an element for each point of its axes, or 0.
#[derive(Debug, Clone)]
pub struct Factor {
    /// The array.
    pub array: Array,
    /// Which element.
    pub index: Index,
    /// It is 0 unless all of these hold.
    pub when: Vec<Condition>,
}

/// out[b, i, j] = Σₖ left[b, i, k]·right[b, j, k], each letter a list of axes.
///
/// Axes are numbered through in the order batch, rows, columns, inner. Matrix products, contractions and convolutions are
/// of this form, with other indices.
#[derive(Debug, Clone)]
pub struct Product {
    /// Lengths of the axes that both factors and the result have.
    pub batch: Vec<usize>,
    /// Lengths of the axes of the left factor and the result.
    pub rows: Vec<usize>,
    /// Lengths of the axes of the right factor and the result.
    pub columns: Vec<usize>,
    /// Lengths of the axes that are summed over.
    pub inner: Vec<usize>,
    /// A function of batch, rows and inner counters.
    pub left: Factor,
    /// A function of batch, columns and inner counters.
    pub right: Factor,
    /// Where the result goes.
    pub out: (Array, Index),
    /// How exact it is.
    pub precision: Precision,
}

/// What is known of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) len: usize,
    /// Whole numbers.
    pub(super) table: bool,
    /// Whether steps may write it.
    pub(super) writable: bool,
}

/// Refuses a program that has a mistake.
pub(super) fn demand(holds: bool, what: &'static str) -> Result<(), CudaError> {
    if holds {
        Ok(())
    } else {
        Err(CudaError::Unsound { what })
    }
}

fn known(arrays: &[Known], array: Array) -> Result<Known, CudaError> {
    let what = "it has an array of another program";
    arrays
        .get(array.place())
        .copied()
        .ok_or(CudaError::Unsound { what })
}

/// Demands that an index knows the lengths of the axes and tables that it reads, on which its interval stands.
fn check_index(
    index: &Index,
    axes: &[usize],
    table: &dyn Fn(Reg) -> Option<usize>,
) -> Result<(), CudaError> {
    let (mut fine, mut rows) = (index.magnitude() < 1 << 62, true);
    index.counters(&mut |axis, length| {
        fine &= axes.get(axis).is_some_and(|n| signed(*n) <= length);
    });
    index.registers(&mut |r, length| {
        rows &= table(r).is_some_and(|n| signed(n) <= length);
    });
    demand(
        fine,
        "an index reads an axis that is not there, or longer than it says",
    )?;
    demand(
        rows,
        "an index reads a row that is not there, or of a longer table than it says",
    )
}

/// Demands that a result lies in its array and that no two points share a place.
fn check_store(
    arrays: &[Known],
    (array, index): (Array, &Index),
    outer: &[usize],
) -> Result<(), CudaError> {
    let known = known(arrays, array)?;
    check_index(index, outer, &|_| None)?;
    demand(
        known.writable && !known.table,
        "inputs, constants and tables are not written",
    )?;
    if elements(outer) == 0 {
        return Ok(());
    }
    let (low, high) = index.range();
    if low < 0 || high >= signed(known.len) {
        return Err(CudaError::OutOfRange {
            what: "the place of a result",
            value: usize::try_from(high).unwrap_or(0),
            min: 0,
            max: known.len.saturating_sub(1),
        });
    }
    demand(
        index.is_injective(outer),
        "points share the place of a result",
    )
}

impl Loop {
    /// Demands that registers come in order, that numbers are numbers, and that results have places of their own.
    pub(super) fn check(&self, arrays: &[Known]) -> Result<(), CudaError> {
        let limit = i32::MAX as usize;
        demand_range("the points of a loop", elements(&self.outer), 0, limit)?;
        demand_range(
            "the inner points of a loop",
            elements(&self.inner),
            0,
            limit,
        )?;
        demand_range("the results of a loop", self.results.len(), 1, 32)?;
        if self.fold.is_none() {
            demand(self.inner.is_empty(), "a loop has inner axes and no fold")?;
        }
        let axes = [&self.outer[..], &self.inner].concat();
        let ops = self.body.ops();
        let is_number = |r: Reg| match ops.get(r.place()) {
            Some(Op::Load { array, .. }) => known(arrays, *array).map(|k| !k.table),
            Some(Op::Row(..)) | None => Ok(false),
            Some(_) => Ok(true),
        };
        for (i, op) in ops.iter().enumerate() {
            let mut order = true;
            op.reads(&mut |r| order &= r.place() < i);
            demand(order, "an operation takes a register that comes later")?;
            let table = |r: Reg| match ops.get(r.place()) {
                Some(Op::Row(_, length)) => Some(*length),
                _ => None,
            };
            let mut checked = Ok(());
            op.indices(&mut |index| {
                if checked.is_ok() {
                    checked = check_index(index, &axes, &table);
                }
            });
            checked?;
            let mut numbers = true;
            match op {
                Op::Load {
                    array, otherwise, ..
                } => {
                    let table = known(arrays, *array)?.table;
                    if let Some(r) = otherwise {
                        numbers &= !table && is_number(*r)?;
                    }
                }
                Op::Power(r, _) => numbers &= is_number(*r)?,
                Op::Row(r, length) => {
                    numbers &= !matches!(ops[r.place()], Op::Row(..));
                    demand_range("the length of a table", *length, 0, limit)?;
                }
                Op::Call(_, list) => {
                    for r in list {
                        numbers &= is_number(*r)?;
                    }
                }
                Op::Number(_) | Op::Position(_) | Op::Holds(_) => {}
            }
            demand(numbers, "an operation takes what is no number")?;
        }
        let mut written: Vec<Array> = Vec::new();
        for store in &self.results {
            demand(is_number(store.value)?, "a result is no number")?;
            check_store(arrays, (store.array, &store.index), &self.outer)?;
            let twice = written.contains(&store.array)
                || self.loads().any(|(array, _)| array == store.array);
            demand(!twice, "a loop uses an array twice, once to write it")?;
            written.push(store.array);
        }
        Ok(())
    }

    /// Arrays and places that are read.
    pub(super) fn loads(&self) -> impl Iterator<Item = (Array, &Index)> {
        self.body.ops().iter().filter_map(|op| match op {
            Op::Load { array, index, .. } => Some((*array, index)),
            _ => None,
        })
    }

    /// Arrays that the results need, each once.
    pub(super) fn reads(&self) -> Vec<Array> {
        let alive = self.body.alive(self.results.iter().map(|s| s.value));
        let mut list = Vec::new();
        for (op, _) in self.body.ops().iter().zip(alive).filter(|(_, on)| *on) {
            if let Op::Load { array, .. } = op
                && !list.contains(array)
            {
                list.push(*array);
            }
        }
        list
    }
}

/// A product that a library of matrix products can do: sizes, and distances from one element, row and matrix to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gemm {
    pub(crate) count: usize,
    /// Rows, columns, terms.
    pub(crate) sizes: [usize; 3],
    /// Whether elements of a row of the left factor lie behind each other, and its rows (or columns, where not) this far
    /// apart; the same for the right one, [terms, columns].
    pub(crate) sides: [(bool, usize); 2],
    /// Distance of rows of the result.
    pub(crate) pitch: usize,
    /// First elements, and distances of matrices, of left, right and result.
    pub(crate) starts: [usize; 3],
    pub(crate) strides: [usize; 3],
}

/// The distance between points of a group of axes when they are numbered through; 0 for one point.
fn group_stride(index: &Index, lengths: &[usize], first: usize) -> Option<i64> {
    let mut whole: Option<i64> = None;
    let mut inside = 1_i64;
    for (i, n) in lengths.iter().enumerate().rev() {
        let stride = index.stride(first + i)?;
        if *n != 1 {
            let unit = whole.unwrap_or(stride);
            if stride != unit * inside {
                return None;
            }
            whole = Some(unit);
        }
        inside *= signed(*n);
    }
    Some(whole.unwrap_or(0))
}

impl Product {
    /// Batch, rows, columns, inner: the number of the first axis, and lengths.
    pub(super) fn groups(&self) -> [(usize, &[usize]); 4] {
        let mut first = 0;
        [&self.batch, &self.rows, &self.columns, &self.inner].map(|lengths| {
            let at = first;
            first += lengths.len();
            (at, &lengths[..])
        })
    }

    /// All axes of the result.
    pub(super) fn outer(&self) -> Vec<usize> {
        [&self.batch[..], &self.rows, &self.columns].concat()
    }

    /// Demands that factors are arrays of numbers that read their own axes, and that results have places of their own.
    pub(super) fn check(&self, arrays: &[Known]) -> Result<(), CudaError> {
        let limit = i32::MAX as usize;
        for (what, lengths) in [
            ("the matrices of a product", &self.batch),
            ("the rows of a product", &self.rows),
            ("the columns of a product", &self.columns),
            ("the terms of a product", &self.inner),
        ] {
            demand_range(what, elements(lengths), 0, limit)?;
        }
        let [batch, rows, columns, _] = self.groups();
        let blocks =
            [(batch, 1), (rows, 16), (columns, 16)].map(|(g, n)| elements(g.1).div_ceil(n));
        demand_range("the tiles of a product", elements(&blocks), 0, limit)?;
        let axes = [&self.outer()[..], &self.inner].concat();
        for (factor, others) in [(&self.left, columns), (&self.right, rows)] {
            demand(!known(arrays, factor.array)?.table, "a factor is a table")?;
            let mut fine = true;
            let when = factor.when.iter().map(Condition::index);
            for index in std::iter::once(&factor.index).chain(when) {
                check_index(index, &axes, &|_| None)?;
                index.counters(&mut |a, _| {
                    fine &= !(others.0..others.0 + others.1.len()).contains(&a);
                });
            }
            demand(fine, "a factor reads axes that it has not")?;
            let same = factor.array == self.out.0;
            demand(!same, "a product writes one of its factors")?;
        }
        check_store(arrays, (self.out.0, &self.out.1), &self.outer())
    }

    /// The same as plain matrix products, if it is some.
    pub(super) fn as_gemm(&self, arrays: &[Known]) -> Option<Gemm> {
        let [batch, rows, columns, inner] = self.groups();
        let plain = |f: &Factor| f.when.iter().all(Condition::always);
        if !plain(&self.left) || !plain(&self.right) {
            return None;
        }
        let stride = |index: &Index, (first, lengths): (usize, &[usize])| {
            group_stride(index, lengths, first).and_then(|s| usize::try_from(s).ok())
        };
        let [count, m, n, k] = [batch, rows, columns, inner].map(|g| elements(g.1));
        let inside = |f: &Factor| {
            let (low, high) = f.index.range();
            let len = arrays.get(f.array.place()).map_or(0, |a| signed(a.len));
            low >= 0 && high < len
        };
        if count * m * n * k == 0 || !inside(&self.left) || !inside(&self.right) {
            return None;
        }
        // Elements along `near` behind each other, rows along `far` at least their length apart.
        let side = |far: (usize, usize), near: (usize, usize)| {
            let pitch = if far.0 == 1 { near.0 } else { far.1 };
            ((near.0 == 1 || near.1 == 1) && pitch >= near.0).then_some(pitch)
        };
        let matrix = |row: (usize, usize), column: (usize, usize)| {
            let plain = side(row, column).map(|pitch| (true, pitch));
            plain.or_else(|| side(column, row).map(|pitch| (false, pitch)))
        };
        let (a, b, c) = (&self.left.index, &self.right.index, &self.out.1);
        let left = matrix((m, stride(a, rows)?), (k, stride(a, inner)?))?;
        let right = matrix((k, stride(b, inner)?), (n, stride(b, columns)?))?;
        let pitch = side((m, stride(c, rows)?), (n, stride(c, columns)?))?;
        let limit = i32::MAX as usize;
        if [m, n, k, count, left.1, right.1, pitch]
            .iter()
            .any(|v| *v > limit)
        {
            return None;
        }
        Some(Gemm {
            count,
            sizes: [m, n, k],
            sides: [left, right],
            pitch,
            starts: [a, b, c].map(|i| i.start().max(0) as usize),
            strides: [stride(a, batch)?, stride(b, batch)?, stride(c, batch)?],
        })
    }
}
