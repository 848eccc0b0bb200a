//! From instructions on nodes to steps on memory.
//!
//! Values that live only while a chunk goes by share slots, by the spans in which they are needed.

use std::collections::HashMap;
use std::sync::Arc;

use super::fuse::{Block, Instruction, root};
use super::plan::{Product, Sites};
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
}

/// Where a step writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Slot(usize),
    /// Added to, chunk by chunk.
    Accumulator(usize),
}

/// A length that is known, or the number of rows of the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Fixed(usize),
    Rows,
}

impl Extent {
    pub(crate) fn at(self, rows: usize) -> usize {
        match self {
            Self::Fixed(n) => n,
            Self::Rows => rows,
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
        stores: Vec<usize>,
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
    Sum {
        x: Loc,
        /// Shape of x, a chunk's rows in front if it is split.
        shape: Shape,
        axes: Vec<usize>,
        out: Target,
        width: usize,
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
}

/// A value whose rows outlive the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) slot: usize,
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
}

impl Globals {
    fn add(&mut self, id: Id, length: usize) -> usize {
        let index = self.lengths.len();
        self.lengths.push(length);
        self.of.insert(id, Source::Global(index));
        index
    }
}

/// Binds a block of whole nodes: each has an array of its own.
pub(crate) fn whole(block: &Block<'_>, globals: &mut Globals) -> Bound {
    let instructions = block.instructions();
    for instruction in &instructions {
        for id in outputs(instruction) {
            let length = block.trace.shape(id).len();
            globals.add(id, length);
        }
    }
    let slot = |id: Id| match globals.of.get(&id) {
        Some(Source::Global(i)) => *i,
        _ => usize::MAX,
    };
    let steps = instructions
        .iter()
        .map(|i| {
            step(block, i, &|id| loc(block, id, globals, None), &|id| {
                Target::Slot(slot(id))
            })
        })
        .collect();
    Bound {
        steps,
        ..Bound::default()
    }
}

/// Binds a block of split nodes.
pub(crate) fn chunked(block: &Block<'_>, globals: &mut Globals) -> Bound {
    let instructions = block.instructions();
    let trace = block.trace;
    let mut bound = Bound::default();
    let mut accumulators: HashMap<Id, usize> = HashMap::new();
    // When each value is needed last.
    let mut last: HashMap<Id, usize> = HashMap::new();
    for (i, instruction) in instructions.iter().enumerate() {
        for id in inputs(block, instruction) {
            last.insert(id, i);
        }
    }
    let mut slots: HashMap<Id, usize> = HashMap::new();
    let mut free: Vec<usize> = Vec::new();
    let wanted = |id: Id| block.wanted.iter().any(|w| root(trace, *w) == id);
    let mut kept: Vec<Id> = Vec::new();
    for (i, instruction) in instructions.iter().enumerate() {
        for id in outputs(instruction) {
            if block.sites.of(id).reduced {
                let length = trace.shape(id).len();
                accumulators.insert(id, bound.sums.len());
                bound.sums.push((length, globals.add(id, length)));
                continue;
            }
            let width = width(trace, block.sites, id);
            let best = free
                .iter()
                .enumerate()
                .filter(|(_, s)| bound.slots[**s] >= width)
                .min_by_key(|(_, s)| bound.slots[**s])
                .map(|(k, _)| k);
            let slot = if let Some(k) = best {
                free.swap_remove(k)
            } else {
                bound.slots.push(width);
                bound.slots.len() - 1
            };
            slots.insert(id, slot);
            if wanted(id) {
                kept.push(id);
            }
        }
        let find = |id: Id| loc(block, id, globals, Some(&slots));
        let target = |id: Id| match accumulators.get(&id) {
            Some(k) => Target::Accumulator(*k),
            None => Target::Slot(slots.get(&id).copied().unwrap_or(usize::MAX)),
        };
        bound.steps.push(step(block, instruction, &find, &target));
        let mut ended: Vec<Id> = inputs(block, instruction)
            .into_iter()
            .chain(outputs(instruction))
            .filter(|id| last.get(id).is_none_or(|l| *l <= i) && !wanted(*id))
            .collect();
        ended.sort_unstable();
        ended.dedup();
        for id in ended {
            if let Some(slot) = slots.get(&id)
                && !free.contains(slot)
                && slots_owner(&slots, id, *slot, &last, i)
            {
                free.push(*slot);
            }
        }
    }
    for id in kept {
        bound.kept.push(Kept {
            slot: slots[&id],
            width: width(trace, block.sites, id),
            global: globals.add(id, trace.shape(id).len()),
        });
    }
    bound
}

/// Whether no later value sits in the slot.
fn slots_owner(
    slots: &HashMap<Id, usize>,
    id: Id,
    slot: usize,
    last: &HashMap<Id, usize>,
    now: usize,
) -> bool {
    slots
        .iter()
        .filter(|(other, s)| **other != id && **s == slot)
        .all(|(other, _)| last.get(other).is_none_or(|l| *l <= now))
}

fn width(trace: &Trace, sites: &Sites, id: Id) -> usize {
    let shape = trace.shape(id);
    if sites.of(id).split {
        shape[1..].iter().product()
    } else {
        shape.len()
    }
}

fn loc(block: &Block<'_>, id: Id, globals: &Globals, slots: Option<&HashMap<Id, usize>>) -> Loc {
    let id = root(block.trace, id);
    // Whole blocks see all rows of what was split before.
    let split = block.sites.of(id).split && slots.is_some();
    let width = if split {
        width(block.trace, block.sites, id)
    } else {
        block.trace.shape(id).len()
    };
    let slot = slots.and_then(|s| s.get(&id)).map(|s| Source::Slot(*s));
    let source = slot
        .or_else(|| globals.of.get(&id).copied())
        .unwrap_or(Source::Slot(usize::MAX));
    Loc {
        source,
        width,
        split,
    }
}

fn outputs(instruction: &Instruction) -> Vec<Id> {
    match instruction {
        Instruction::Fused { stores, .. } => stores.clone(),
        Instruction::Product { out, .. }
        | Instruction::Sum { out, .. }
        | Instruction::Evaluate { out } => vec![*out],
    }
}

fn inputs(block: &Block<'_>, instruction: &Instruction) -> Vec<Id> {
    let ids = match instruction {
        Instruction::Fused { loads, .. } => loads.clone(),
        Instruction::Product { a, b, .. } => vec![*a, *b],
        Instruction::Sum { x, .. } => vec![*x],
        Instruction::Evaluate { out } => block.trace.nodes[*out as usize].inputs.clone(),
    };
    ids.into_iter().map(|id| root(block.trace, id)).collect()
}

fn step(
    block: &Block<'_>,
    instruction: &Instruction,
    find: &dyn Fn(Id) -> Loc,
    target: &dyn Fn(Id) -> Target,
) -> Step {
    let (trace, sites) = (block.trace, block.sites);
    let slot = |id: Id| match target(id) {
        Target::Slot(s) => s,
        Target::Accumulator(_) => usize::MAX,
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
                    Extent::Rows
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
                stores: stores.iter().map(|id| slot(*id)).collect(),
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
            let (count, rows, inner) = match kind {
                Some(Product::Rows) => (fixed(1), Extent::Rows, fixed(inner)),
                Some(Product::Contracted) => (fixed(1), fixed(rows), Extent::Rows),
                Some(Product::Stack) if per_point(count) == 1 => {
                    (Extent::Rows, fixed(rows), fixed(inner))
                }
                _ => (fixed(count), fixed(rows), fixed(inner)),
            };
            Step::Gemm {
                sides: (m.left, m.right),
                count,
                m: rows,
                k: inner,
                n,
                a: find(*a),
                b: find(*b),
                out: target(*out),
            }
        }
        Instruction::Sum { x, axes, out } => Step::Sum {
            x: find(*x),
            shape: trace.shape(*x).clone(),
            axes: axes.clone(),
            out: target(*out),
            width: width(trace, sites, *out),
        },
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
                Extent::Rows
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
