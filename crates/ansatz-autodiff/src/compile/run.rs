//! Running blocks on memory that is there already.

use ansatz_core::Scalar;

use super::bind::{Bound, Kept, Loc, Source, Step, Target};
use super::element::{Element, Gemm};
use super::tile::{self, TILE, Walk};
use crate::Shape;

/// What all threads read.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, T> {
    pub(crate) inputs: &'a [&'a [T]],
    pub(crate) constants: &'a [Vec<T>],
    pub(crate) globals: &'a [Vec<T>],
}

/// The memory of a block at work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame<T> {
    pub(crate) slots: Vec<Vec<T>>,
    pub(crate) sums: Vec<Vec<T>>,
    /// Rows kept for later levels, of all chunks of the lane.
    pub(crate) kept: Vec<Vec<T>>,
    registers: Vec<Vec<T>>,
    stores: Vec<Vec<T>>,
    wide: Vec<Vec<f64>>,
}

/// Loads that a kernel reads from the stack.
const LOADS: usize = 128;

impl<T: Element> Frame<T> {
    /// Room for the steps of `bound`, with slots for `rows` rows.
    pub(crate) fn new(bound: &Bound, rows: usize, lane_rows: usize) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let mut frame = Self {
            slots: bound.slots.iter().map(|w| zeros(w * rows)).collect(),
            sums: bound.sums.iter().map(|(n, _)| zeros(*n)).collect(),
            kept: bound
                .kept
                .iter()
                .map(|kept| Vec::with_capacity(kept.width * lane_rows))
                .collect(),
            ..Self::default()
        };
        frame.make_room(&bound.steps);
        frame
    }

    pub(crate) fn make_room(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Fused { kernel, .. } => {
                    let tiles = kernel.registers + kernel.loads.len();
                    let size = TILE.max(kernel.width.min(TILE));
                    while self.registers.len() < tiles {
                        self.registers.push(vec![T::zero(); size]);
                    }
                    while self.stores.len() < kernel.stores {
                        self.stores.push(Vec::new());
                    }
                }
                Step::Evaluate { inputs, shape, .. } => {
                    let sizes = inputs
                        .iter()
                        .map(|(_, s)| s.len())
                        .chain(std::iter::once(shape.len()));
                    for (i, n) in sizes.enumerate() {
                        if self.wide.len() <= i {
                            self.wide.push(Vec::new());
                        }
                        if self.wide[i].len() < n {
                            self.wide[i].resize(n, 0.0);
                        }
                    }
                }
                Step::Gemm { .. } | Step::Sum { .. } => {}
            }
        }
    }

    /// Keeps the rows of the chunk.
    pub(crate) fn keep(&mut self, kept: &[Kept], rows: usize) {
        for (rows_kept, k) in self.kept.iter_mut().zip(kept) {
            rows_kept.extend_from_slice(&self.slots[k.slot][..k.width * rows]);
        }
    }

    /// Runs the steps on rows `start..start + rows` of the batch.
    pub(crate) fn run(&mut self, steps: &[Step], shared: Shared<'_, T>, start: usize, rows: usize) {
        for step in steps {
            self.step(step, shared, start, rows);
        }
    }

    fn step(&mut self, step: &Step, shared: Shared<'_, T>, start: usize, rows: usize) {
        match step {
            Step::Fused {
                kernel,
                rows: extent,
                loads,
                stores,
            } => {
                for (taken, slot) in self.stores.iter_mut().zip(stores) {
                    *taken = std::mem::take(&mut self.slots[*slot]);
                }
                // Larger kernels are rare; they pay for a list.
                let mut few: [&[T]; LOADS] = [&[]; LOADS];
                let mut many = Vec::new();
                let views = if loads.len() <= LOADS {
                    &mut few[..loads.len()]
                } else {
                    many.resize(loads.len(), &[][..]);
                    &mut many[..]
                };
                for (view, loc) in views.iter_mut().zip(loads) {
                    *view = read(&self.slots, &shared, *loc, start, rows);
                }
                Walk {
                    kernel,
                    rows: extent.at(rows),
                    loads: views,
                    stores: &mut self.stores,
                    registers: &mut self.registers,
                }
                .run();
                for (taken, slot) in self.stores.iter_mut().zip(stores) {
                    self.slots[*slot] = std::mem::take(taken);
                }
            }
            Step::Gemm {
                sides,
                count,
                m,
                k,
                n,
                a,
                b,
                out,
            } => {
                let (count, m, k) = (count.at(rows), m.at(rows), k.at(rows));
                let mut result = self.take(*out);
                let add = matches!(out, Target::Accumulator(_));
                let a = read(&self.slots, &shared, *a, start, rows);
                let b = read(&self.slots, &shared, *b, start, rows);
                for i in 0..count {
                    let product = Gemm {
                        sides: *sides,
                        m,
                        k,
                        n: *n,
                        add,
                    };
                    let (a, b) = (&a[i * m * k..][..m * k], &b[i * k * n..][..k * n]);
                    T::gemm(product, a, b, &mut result[i * m * n..][..m * n]);
                }
                self.put(*out, result);
            }
            Step::Sum {
                x,
                shape,
                axes,
                out,
                width,
            } => {
                let mut result = self.take(*out);
                let add = matches!(out, Target::Accumulator(_));
                let input = read(&self.slots, &shared, *x, start, rows);
                let first = if x.split {
                    rows
                } else {
                    shape.first().copied().unwrap_or(1)
                };
                let per_row = x.split && axes.first() != Some(&0);
                let kept = if per_row { width * rows } else { *width };
                reduce(input, (first, shape), axes, add, &mut result[..kept]);
                self.put(*out, result);
            }
            Step::Evaluate {
                primitive,
                inputs,
                out,
                shape,
            } => {
                let mut wide = std::mem::take(&mut self.wide);
                for ((loc, _), buffer) in inputs.iter().zip(&mut wide) {
                    let values = read(&self.slots, &shared, *loc, start, rows);
                    for (w, v) in buffer.iter_mut().zip(values) {
                        *w = v.f64();
                    }
                }
                let (ins, rest) = wide.split_at_mut(inputs.len());
                let views: Vec<(&[f64], &Shape)> = ins
                    .iter()
                    .zip(inputs)
                    .map(|(w, (_, s))| (&w[..s.len()], s))
                    .collect();
                let result = &mut rest[0][..shape.len()];
                primitive.evaluate(&views, (result, shape));
                for (o, w) in self.slots[*out].iter_mut().zip(&*result) {
                    *o = T::of(*w);
                }
                self.wide = wide;
            }
        }
    }

    fn take(&mut self, target: Target) -> Vec<T> {
        match target {
            Target::Slot(s) => std::mem::take(&mut self.slots[s]),
            Target::Accumulator(k) => std::mem::take(&mut self.sums[k]),
        }
    }

    fn put(&mut self, target: Target, values: Vec<T>) {
        match target {
            Target::Slot(s) => self.slots[s] = values,
            Target::Accumulator(k) => self.sums[k] = values,
        }
    }
}

/// A value's elements, those of the chunk if it is split.
fn read<'a, T>(
    slots: &'a [Vec<T>],
    shared: &Shared<'a, T>,
    loc: Loc,
    start: usize,
    rows: usize,
) -> &'a [T] {
    let all: &[T] = match loc.source {
        Source::Input(i) => shared.inputs[i],
        Source::Constant(i) => &shared.constants[i],
        Source::Global(i) if shared.globals.is_empty() => &slots[i],
        Source::Global(i) => &shared.globals[i],
        Source::Slot(i) => return &slots[i][..loc.width * if loc.split { rows } else { 1 }],
    };
    if loc.split {
        &all[start * loc.width..(start + rows) * loc.width]
    } else {
        &all[..loc.width]
    }
}

/// Sums of `x` along `axes`; the first axis has `first` rows, the others are those of `shape`.
fn reduce<T: Scalar>(
    x: &[T],
    (first, shape): (usize, &Shape),
    axes: &[usize],
    add: bool,
    out: &mut [T],
) {
    let rank = shape.rank();
    let inner: usize = shape.iter().skip(1).product();
    let over_first = axes.first() == Some(&0);
    if !add {
        out.fill(T::zero());
    }
    if axes.len() == rank {
        out[0] += tile::sum(x);
    } else if !over_first && axes.len() + 1 == rank {
        for (o, row) in out.iter_mut().zip(x.chunks(inner.max(1))) {
            *o += tile::sum(row);
        }
    } else if over_first && axes.len() == 1 {
        for row in x.chunks(inner.max(1)) {
            for (o, v) in out.iter_mut().zip(row) {
                *o += *v;
            }
        }
    } else {
        // Any axes: each element finds its place.
        let mut factors = vec![0; rank];
        let mut step = 1;
        for i in (0..rank).rev() {
            if !axes.contains(&i) {
                factors[i] = step;
                step *= if i == 0 { first } else { shape[i] };
            }
        }
        for (i, v) in x.iter().enumerate() {
            let (mut rest, mut at) = (i, 0);
            for axis in (0..rank).rev() {
                let n = if axis == 0 { first } else { shape[axis] };
                at += rest % n * factors[axis];
                rest /= n;
            }
            out[at] += *v;
        }
    }
}
