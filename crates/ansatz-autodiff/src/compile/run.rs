//! Running blocks on memory that is there already.

use super::bind::{Bound, Kept, Loc, Source, Step, Target};
use super::element::{Element, Gemm};
use super::tile::{self, Walk};
use crate::Shape;

/// What all threads read.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, T> {
    pub(crate) inputs: &'a [&'a [T]],
    pub(crate) constants: &'a [Vec<T>],
    pub(crate) globals: &'a [Vec<T>],
}

/// What the chunks of a lane leave behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Results<T> {
    pub(crate) sums: Vec<Vec<T>>,
    /// Rows kept for later levels.
    pub(crate) kept: Vec<Vec<T>>,
}

impl<T: Element> Results<T> {
    pub(crate) fn new(bound: &Bound, lane_rows: usize) -> Self {
        let sums = bound.sums.iter().map(|(n, _)| vec![T::zero(); *n]);
        let kept = bound.kept.iter();
        Self {
            sums: sums.collect(),
            kept: kept
                .map(|kept| Vec::with_capacity(kept.width * lane_rows))
                .collect(),
        }
    }

    pub(crate) fn clear(&mut self) {
        for sum in &mut self.sums {
            sum.fill(T::zero());
        }
        for kept in &mut self.kept {
            kept.clear();
        }
    }
}

/// The memory of a block at work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame<T> {
    pub(crate) slots: Vec<Vec<T>>,
    /// Those of the lane at work.
    pub(crate) results: Results<T>,
    registers: Vec<Vec<T>>,
    stores: Vec<Vec<T>>,
    /// For kernels of primitives.
    scratch: Vec<T>,
    /// For evaluations in double precision: the inputs and the result.
    wide: Vec<Vec<f64>>,
}

/// What steps need beside the values: the most of each.
#[derive(Debug, Default)]
pub(crate) struct Room {
    tiles: usize,
    stores: usize,
    scratch: usize,
    wide: Vec<usize>,
}

impl Room {
    pub(crate) fn of<'a, T: Element>(steps: impl IntoIterator<Item = &'a Step>) -> Self {
        let mut room = Self::default();
        for step in steps {
            match step {
                Step::Fused { kernel, .. } => {
                    room.tiles = room.tiles.max(kernel.registers + kernel.loads.len());
                    room.stores = room.stores.max(kernel.stores);
                }
                Step::Kernel { kernel, .. } => {
                    room.scratch = room.scratch.max(T::kernel(kernel).scratch());
                }
                Step::Evaluate { inputs, shape, .. } => {
                    let shapes = inputs.iter().map(|(_, s)| s).chain([shape]);
                    for (i, n) in shapes.map(Shape::len).enumerate() {
                        room.wide.resize(room.wide.len().max(i + 1), 0);
                        room.wide[i] = room.wide[i].max(n);
                    }
                }
                Step::Gemm { .. } => {}
            }
        }
        room
    }

    pub(crate) fn bytes<T>(&self) -> usize {
        let wide: usize = self.wide.iter().sum();
        (self.tiles * tile::longest::<T>() + self.scratch) * size_of::<T>()
            + wide * size_of::<f64>()
    }
}

/// Arrays that a step reads by a list on the stack.
const LOADS: usize = 128;

/// Arrays that a kernel writes by a list on the stack.
const STORES: usize = 32;

/// A list of `count` entries on the stack; larger ones are rare, they pay for an allocation.
fn list<'a, V: Copy>(
    few: &'a mut [V; LOADS],
    many: &'a mut Vec<V>,
    count: usize,
    empty: V,
) -> &'a mut [V] {
    if count <= LOADS {
        &mut few[..count]
    } else {
        many.resize(count, empty);
        many
    }
}

impl<T: Element> Frame<T> {
    /// Room for the steps of `bound`, with slots for `rows` rows.
    pub(crate) fn new(bound: &Bound, rows: usize) -> Self {
        let slots = bound.slots.iter().map(|w| vec![T::zero(); w * rows]);
        let frame = Self {
            slots: slots.collect(),
            ..Self::default()
        };
        frame.with_room(&Room::of::<T>(&bound.steps))
    }

    /// Room for whole arrays of these lengths, and for the steps.
    pub(crate) fn whole<'a>(lengths: &[usize], steps: impl IntoIterator<Item = &'a Step>) -> Self {
        let frame = Self {
            slots: lengths.iter().map(|n| vec![T::zero(); *n]).collect(),
            ..Self::default()
        };
        frame.with_room(&Room::of::<T>(steps))
    }

    fn with_room(mut self, room: &Room) -> Self {
        self.registers = vec![vec![T::zero(); tile::longest::<T>()]; room.tiles];
        self.stores = vec![Vec::new(); room.stores];
        self.scratch = vec![T::zero(); room.scratch];
        self.wide = room.wide.iter().map(|n| vec![0.0; *n]).collect();
        self
    }

    /// Keeps the rows of the chunk.
    pub(crate) fn keep(&mut self, kept: &[Kept], rows: usize) {
        for (rows_kept, k) in self.results.kept.iter_mut().zip(kept) {
            let len = k.width * rows;
            rows_kept.extend_from_slice(&self.slots[k.slot][k.part * len..][..len]);
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
                // The slots that are written, each once, and in them the parts.
                let fresh = |k: usize| stores[..k].iter().all(|(slot, _)| *slot != stores[k].0);
                let mut written = std::mem::take(&mut self.stores);
                for (k, (slot, _)) in stores.iter().enumerate().filter(|(k, _)| fresh(*k)) {
                    written[k] = std::mem::take(&mut self.slots[*slot]);
                }
                let len = extent.at(rows) * kernel.width;
                let mut few: [&mut [T]; STORES] = std::array::from_fn(|_| &mut [][..]);
                let mut many: Vec<&mut [T]> = Vec::new();
                let outs = if stores.len() <= STORES {
                    &mut few[..stores.len()]
                } else {
                    many.resize_with(stores.len(), || &mut []);
                    &mut many[..]
                };
                // A slot may be much wider than what is written here.
                let parts = stores.iter().map(|(_, part)| part + 1).max().unwrap_or(0);
                for (values, (slot, _)) in written.iter_mut().zip(stores) {
                    let each = values.chunks_mut(len.max(1)).take(parts);
                    for (part, values) in each.enumerate() {
                        if let Some(k) = stores.iter().position(|s| *s == (*slot, part)) {
                            outs[k] = values;
                        }
                    }
                }
                let (mut few, mut many) = ([&[][..]; LOADS], Vec::new());
                let views = list(&mut few, &mut many, loads.len(), &[]);
                for (view, loc) in views.iter_mut().zip(loads) {
                    *view = read(&self.slots, &shared, *loc, start, rows);
                }
                Walk {
                    kernel,
                    rows: extent.at(rows),
                    loads: views,
                    stores: outs,
                    registers: &mut self.registers,
                }
                .run();
                for (k, (slot, _)) in stores.iter().enumerate().filter(|(k, _)| fresh(*k)) {
                    self.slots[*slot] = std::mem::take(&mut written[k]);
                }
                self.stores = written;
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
            Step::Kernel {
                kernel,
                rows: extent,
                inputs,
                out,
                width,
            } => {
                let count = extent.at(rows);
                let mut result = self.take(*out);
                let mut scratch = std::mem::take(&mut self.scratch);
                let (mut few, mut many) = ([&[][..]; LOADS], Vec::new());
                let views = list(&mut few, &mut many, inputs.len(), &[]);
                for (view, loc) in views.iter_mut().zip(inputs) {
                    *view = read(&self.slots, &shared, *loc, start, rows);
                }
                let kernel = T::kernel(kernel);
                let kept = match out {
                    Target::Slot(_) => count * width,
                    Target::Accumulator(_) => *width,
                };
                kernel.run(
                    count,
                    views,
                    &mut result[..kept],
                    &mut scratch[..kernel.scratch()],
                );
                self.scratch = scratch;
                self.put(*out, result);
            }
            Step::Evaluate {
                primitive,
                rows: extent,
                inputs,
                out,
                shape,
            } => {
                let mut result = self.take(*out);
                let mut wide = std::mem::take(&mut self.wide);
                for row in 0..extent.at(rows) {
                    for ((loc, shape), buffer) in inputs.iter().zip(&mut wide) {
                        let values = read(&self.slots, &shared, *loc, start, rows);
                        let from = if loc.split { row * loc.width } else { 0 };
                        for (w, v) in buffer.iter_mut().zip(&values[from..from + shape.len()]) {
                            *w = v.f64();
                        }
                    }
                    let (ins, rest) = wide.split_at_mut(inputs.len());
                    let (mut few, mut many) = ([(&[][..], shape); LOADS], Vec::new());
                    let views = list(&mut few, &mut many, inputs.len(), (&[], shape));
                    for ((view, values), (_, shape)) in views.iter_mut().zip(ins).zip(inputs) {
                        *view = (&values[..shape.len()], shape);
                    }
                    let value = &mut rest[0][..shape.len()];
                    primitive.evaluate(views, (value, shape));
                    match out {
                        Target::Slot(_) => {
                            for (o, v) in result[row * shape.len()..].iter_mut().zip(&*value) {
                                *o = T::of(*v);
                            }
                        }
                        Target::Accumulator(_) => {
                            for (o, v) in result.iter_mut().zip(&*value) {
                                *o += T::of(*v);
                            }
                        }
                    }
                }
                self.wide = wide;
                self.put(*out, result);
            }
        }
    }

    fn take(&mut self, target: Target) -> Vec<T> {
        match target {
            Target::Slot(s) => std::mem::take(&mut self.slots[s]),
            Target::Accumulator(k) => std::mem::take(&mut self.results.sums[k]),
        }
    }

    fn put(&mut self, target: Target, values: Vec<T>) {
        match target {
            Target::Slot(s) => self.slots[s] = values,
            Target::Accumulator(k) => self.results.sums[k] = values,
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
        Source::Slot(i) => {
            let len = loc.width * if loc.split { rows } else { 1 };
            return &slots[i][loc.part * len..][..loc.parts * len];
        }
    };
    if loc.split {
        &all[start * loc.width..(start + rows) * loc.width]
    } else {
        &all[..loc.width]
    }
}
