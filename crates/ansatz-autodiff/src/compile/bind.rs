//! From instructions on nodes to steps on memory.
//!
//! Values that live only while a chunk goes by share slots, by the spans in which they are needed.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use super::fuse::{Block, Instruction, root};
use super::plan::{Product, Sites};
use super::stack::{Fate, Stacks};
use super::tile::Kernel;
use crate::Shape;
use crate::graph::{Id, Trace};
use crate::op::{Prepared, Primitive, Side};

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Input(usize),
    Constant(usize),
    /// A whole array, or all rows of a split one from an earlier level.
    Global(usize),
    /// A slot of the block at work.
    Slot(usize),
}

/// A value as a step reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loc {
    pub(crate) source: Source,
    /// Elements of a row if the value is split, else of all.
    pub(crate) width: usize,
    pub(crate) split: bool,
    /// Arrays of the chunk above it in its slot, and how many are meant.
    pub(crate) part: usize,
    pub(crate) parts: usize,
}

/// Where a step writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Slot(usize),
    /// Added to, chunk by chunk.
    Accumulator(usize),
}

/// A length that is known, or a multiple of the number of rows of the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Fixed(usize),
    Rows(usize),
}

impl Extent {
    pub(crate) fn at(self, rows: usize) -> usize {
        match self {
            Self::Fixed(n) => n,
            Self::Rows(times) => times * rows,
        }
    }
}

/// One step of a block.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Fused {
        kernel: Kernel,
        rows: Extent,
        loads: Vec<Loc>,
        /// Slot and part of each result.
        stores: Vec<(usize, usize)>,
    },
    Gemm {
        sides: (Side, Side),
        count: Extent,
        m: Extent,
        k: Extent,
        n: usize,
        a: Loc,
        b: Loc,
        out: Target,
    },
    /// A kernel of a primitive's own.
    Kernel {
        kernel: Prepared,
        rows: Extent,
        inputs: Vec<Loc>,
        out: Target,
        /// Elements of a row of the result, of all of it for a sum.
        width: usize,
    },
    /// An evaluation in double precision, row by row.
    Evaluate {
        primitive: Arc<dyn Primitive>,
        rows: Extent,
        inputs: Vec<(Loc, Shape)>,
        out: Target,
        shape: Shape,
    },
}

/// A block ready to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bound {
    pub(crate) steps: Vec<Step>,
    /// Widths of the slots.
    pub(crate) slots: Vec<usize>,
    /// Values whose rows are kept for later.
    pub(crate) kept: Vec<Kept>,
    /// Accumulators: (length, global).
    pub(crate) sums: Vec<(usize, usize)>,
    /// What the whole steps before must do: packing of arrays for kernels.
    pub(crate) before: Vec<Step>,
}

/// A value whose rows outlive the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) slot: usize,
    pub(crate) part: usize,
    pub(crate) width: usize,
    pub(crate) global: usize,
}

/// Where the values that outlive a block are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Globals {
    pub(crate) of: HashMap<Id, Source>,
    /// Lengths of the global arrays.
    pub(crate) lengths: Vec<usize>,
    pub(crate) constants: Vec<Vec<f64>>,
    /// A value that a step reads before it is there: the compiler's own mistake, for which the program is refused.
    pub(crate) missing: Cell<Option<Id>>,
}

impl Globals {
    fn add(&mut self, id: Id, length: usize) -> usize {
        let index = self.lengths.len();
        self.lengths.push(length);
        self.of.insert(id, Source::Global(index));
        index
    }
}

/// Binds a block of whole nodes: each has an array of its own, until arrays are shared.
pub(crate) fn whole(block: &Block<'_>, globals: &mut Globals) -> Bound {
    let instructions = block.instructions();
    for instruction in &instructions {
        for id in outputs(instruction) {
            let length = block.trace.shape(id).len();
            globals.add(id, length);
        }
    }
    let target = |id: Id| match globals.of.get(&id) {
        Some(Source::Global(i)) => Target::Slot(*i),
        _ => Target::Accumulator(0),
    };
    let steps = instructions
        .iter()
        .map(|i| {
            let find = |id| loc(block, id, globals, None);
            step(block, i, &find, &target, &|_| (0, 1))
        })
        .collect();
    Bound {
        steps,
        ..Bound::default()
    }
}

/// Where split values are: slot and part.
type Places = HashMap<Id, (usize, usize)>;

/// Binds a block of split nodes.
pub(crate) fn chunked(block: &Block<'_>, globals: &mut Globals) -> Bound {
    let instructions = block.instructions();
    let (trace, sites) = (block.trace, block.sites);
    let stacks = Stacks::new(block, &instructions, |id| sites.total(id));
    let mut bound = Bound::default();
    let mut accumulators: HashMap<Id, usize> = HashMap::new();
    // Arrays that lie together live together.
    let together = |id: Id| match stacks.of.get(&id) {
        Some((list, _)) => stacks.lists[*list].clone(),
        None => vec![id],
    };
    let wanted = |id: Id| block.wanted.iter().any(|w| root(trace, *w) == id);
    let stacked = |i: usize| stacks.fates.get(&i) == Some(&Fate::Stacked);
    let read = |i: usize| -> Vec<Id> {
        let ids = inputs(block, &instructions[i]).into_iter();
        ids.flat_map(together).collect()
    };
    let mut last: HashMap<Id, usize> = HashMap::new();
    for i in 0..instructions.len() {
        for id in read(i) {
            last.insert(id, i);
        }
    }
    let mut places = Places::new();
    let mut free: Vec<usize> = Vec::new();
    for (i, instruction) in instructions.iter().enumerate() {
        if stacks.fates.get(&i) == Some(&Fate::Gone) {
            continue;
        }
        let mut made: Vec<Id> = outputs(instruction);
        if stacked(i) {
            made = made.into_iter().flat_map(together).collect();
        }
        for id in &made {
            if sites.of(*id).reduced {
                let total = sites.total(*id);
                let next = bound.sums.len();
                let k = *accumulators.entry(total).or_insert(next);
                accumulators.insert(*id, k);
                if k == next {
                    let length = trace.shape(total).len();
                    bound.sums.push((length, globals.add(total, length)));
                }
            } else if !places.contains_key(id) {
                let list = together(*id);
                let width = width(trace, sites, *id) * list.len();
                let slot = take(&mut bound.slots, &mut free, width);
                let each = list.into_iter().enumerate();
                places.extend(each.map(|(part, id)| (id, (slot, part))));
            }
        }
        let find = |id: Id| loc(block, id, globals, Some(&places));
        let target = |id: Id| match (accumulators.get(&id), places.get(&id)) {
            (None, Some((slot, _))) => Target::Slot(*slot),
            (k, _) => Target::Accumulator(k.copied().unwrap_or(0)),
        };
        let parts = |id: Id| match stacks.of.get(&id) {
            Some((list, _)) if stacked(i) => (0, stacks.lists[*list].len()),
            Some((_, part)) => (*part, 1),
            None => (0, 1),
        };
        let mut step = step(block, instruction, &find, &target, &parts);
        bound.before.extend(packed(&mut step, globals));
        bound.steps.push(step);
        // Slots whose values nobody reads any more.
        let mut ended: Vec<usize> = read(i)
            .into_iter()
            .chain(made)
            .filter_map(|id| Some((id, places.get(&id)?.0)))
            .filter(|(id, _)| {
                let over = |id: &Id| last.get(id).is_none_or(|l| *l <= i) && !wanted(*id);
                together(*id).iter().all(over)
            })
            .map(|(_, slot)| slot)
            .collect();
        ended.sort_unstable();
        ended.dedup();
        for slot in ended {
            places.retain(|_, (s, _)| *s != slot);
            free.push(slot);
        }
    }
    let mut kept: Vec<Id> = places.keys().copied().filter(|id| wanted(*id)).collect();
    kept.sort_unstable();
    for id in kept {
        let (slot, part) = places[&id];
        bound.kept.push(Kept {
            slot,
            part,
            width: width(trace, sites, id),
            global: globals.add(id, trace.shape(id).len()),
        });
    }
    bound
}

/// The step that packs an array for a kernel, which reads the result from now on.
fn packed(step: &mut Step, globals: &mut Globals) -> Option<Step> {
    let Step::Kernel { kernel, inputs, .. } = step else {
        return None;
    };
    let packing = kernel.packing.clone()?;
    let global = globals.lengths.len();
    globals.lengths.push(packing.length);
    let from = &mut inputs[packing.input];
    let packed = Step::Kernel {
        kernel: packing.kernel.clone(),
        rows: Extent::Fixed(1),
        inputs: vec![*from],
        out: Target::Slot(global),
        width: packing.length,
    };
    *from = Loc {
        source: Source::Global(global),
        width: packing.length,
        ..*from
    };
    Some(packed)
}

/// A free slot of at least this width, the narrowest; or a new one.
fn take(slots: &mut Vec<usize>, free: &mut Vec<usize>, width: usize) -> usize {
    let fitting = free.iter().enumerate().filter(|(_, s)| slots[**s] >= width);
    if let Some((k, _)) = fitting.min_by_key(|(_, s)| slots[**s]) {
        return free.swap_remove(k);
    }
    slots.push(width);
    slots.len() - 1
}

fn width(trace: &Trace, sites: &Sites, id: Id) -> usize {
    let shape = trace.shape(id);
    if sites.of(id).split {
        shape[1..].iter().product()
    } else {
        shape.len()
    }
}

fn loc(block: &Block<'_>, id: Id, globals: &Globals, places: Option<&Places>) -> Loc {
    let id = root(block.trace, id);
    // Whole blocks see all rows of what was split before.
    let split = block.sites.of(id).split && places.is_some();
    let width = if split {
        width(block.trace, block.sites, id)
    } else {
        block.trace.shape(id).len()
    };
    let place = places.and_then(|p| p.get(&id));
    let source = match (place, globals.of.get(&id)) {
        (Some((slot, _)), _) => Source::Slot(*slot),
        (None, Some(source)) => *source,
        (None, None) => {
            globals.missing.set(Some(id));
            Source::Slot(0)
        }
    };
    Loc {
        source,
        width,
        split,
        part: place.map_or(0, |(_, part)| *part),
        parts: 1,
    }
}

fn outputs(instruction: &Instruction) -> Vec<Id> {
    match instruction {
        Instruction::Fused { stores, .. } => stores.clone(),
        Instruction::Product { out, .. } | Instruction::Evaluate { out } => vec![*out],
    }
}

pub(crate) fn inputs(block: &Block<'_>, instruction: &Instruction) -> Vec<Id> {
    let ids = match instruction {
        Instruction::Fused { loads, .. } => loads.clone(),
        Instruction::Product { a, b, .. } => vec![*a, *b],
        Instruction::Evaluate { out } => block.trace.nodes[*out as usize].inputs.clone(),
    };
    ids.into_iter().map(|id| root(block.trace, id)).collect()
}

fn step(
    block: &Block<'_>,
    instruction: &Instruction,
    find: &dyn Fn(Id) -> Loc,
    target: &dyn Fn(Id) -> Target,
    // First part of an array in its slot, and the number of parts that are meant.
    parts: &dyn Fn(Id) -> (usize, usize),
) -> Step {
    let (trace, sites) = (block.trace, block.sites);
    let slot = |id: Id| match target(id) {
        Target::Slot(s) | Target::Accumulator(s) => s,
    };
    match instruction {
        Instruction::Fused {
            kernel,
            loads,
            stores,
        } => {
            let split = sites.of(stores[0]).split;
            let rows = trace.shape(stores[0]).len() / kernel.width.max(1);
            Step::Fused {
                kernel: kernel.clone(),
                rows: if split {
                    Extent::Rows(1)
                } else {
                    Extent::Fixed(rows)
                },
                loads: loads
                    .iter()
                    .zip(&kernel.loads)
                    .map(|(id, pattern)| {
                        let loc = find(*id);
                        // A whole array with a row for each point is read from the chunk's rows on.
                        if split && !loc.split && pattern.own() {
                            Loc {
                                split: true,
                                width: loc.width / sites.batch.max(1),
                                ..loc
                            }
                        } else {
                            loc
                        }
                    })
                    .collect(),
                stores: stores.iter().map(|id| (slot(*id), parts(*id).0)).collect(),
            }
        }
        Instruction::Product {
            product: m,
            kind,
            a,
            b,
            out,
        } => {
            let (count, rows, inner, n) = m.sizes(trace.shape(*a), trace.shape(*b));
            let fixed = Extent::Fixed;
            let per_point = |count: usize| match kind {
                // Matrices of one point may be several.
                Some(Product::Stack) => count / sites.batch.max(1),
                _ => count,
            };
            let stacked = |id: Id| {
                let (part, parts) = parts(root(trace, id));
                Loc {
                    part,
                    parts,
                    ..find(id)
                }
            };
            let (a, b) = match kind {
                Some(Product::Rows) => (stacked(*a), find(*b)),
                Some(Product::Contracted) => (stacked(*a), stacked(*b)),
                _ => (find(*a), find(*b)),
            };
            let points = Extent::Rows(a.parts);
            let (count, rows, inner) = match kind {
                Some(Product::Rows) => (fixed(1), points, fixed(inner)),
                Some(Product::Contracted) => (fixed(1), fixed(rows), points),
                Some(Product::Stack) if per_point(count) == 1 => {
                    (points, fixed(rows), fixed(inner))
                }
                _ => (fixed(count), fixed(rows), fixed(inner)),
            };
            Step::Gemm {
                sides: (m.left, m.right),
                count,
                m: rows,
                k: inner,
                n,
                a,
                b,
                out: target(*out),
            }
        }
        Instruction::Evaluate { out } => {
            let node = &trace.nodes[*out as usize];
            let locs: Vec<Loc> = node.inputs.iter().map(|i| find(*i)).collect();
            let split: Vec<bool> = locs.iter().map(|l| l.split).collect();
            let one_row = |shape: &Shape, split: bool| match (split, &shape[..]) {
                (true, [_, rest @ ..]) => Shape::new(&[&[1], rest].concat()),
                _ => shape.clone(),
            };
            let shapes: Vec<Shape> = node
                .inputs
                .iter()
                .zip(&split)
                .map(|(i, split)| one_row(trace.shape(*i), *split))
                .collect();
            let site = sites.of(*out);
            let chunked = site.split || site.reduced;
            let shape = one_row(&node.shape, site.split);
            let rows = if chunked {
                Extent::Rows(1)
            } else {
                Extent::Fixed(1)
            };
            let out = target(*out);
            match node.primitive.prepare(&shapes, &shape, &split) {
                Some(kernel) => Step::Kernel {
                    kernel,
                    rows,
                    inputs: locs,
                    out,
                    width: shape.len(),
                },
                None => Step::Evaluate {
                    primitive: node.primitive.clone(),
                    rows,
                    inputs: locs.into_iter().zip(shapes).collect(),
                    out,
                    shape,
                },
            }
        }
    }
}
