//! From nodes to blocks: what runs once, what runs chunk by chunk, and in which order.
//!
//! A node is *split* when its first axis numbers the points of the batch and it can be computed for some
//! points at a time; else it is *whole*. Sums over the batch turn split nodes into whole ones; they are
//! accumulated while the chunks go by. Levels order the work: at level ℓ the whole nodes of the level
//! run, then the chunks with all split nodes of the level.

use std::collections::HashMap;

use crate::Shape;
use crate::graph::{Id, Trace};
use crate::op::{Binary, Lowering, MatMul, Side, Split};

/// Where and when a node is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) split: bool,
    pub(crate) level: usize,
    /// Whether it is a sum over the batch of split nodes of the level before.
    pub(crate) reduced: bool,
}

/// The sites of all nodes.
#[derive(Debug, Clone)]
pub(crate) struct Sites {
    pub(crate) list: Vec<Site>,
    /// Length of the batch; 1 without one.
    pub(crate) batch: usize,
    pub(crate) levels: usize,
    /// Sums over the batch that are only parts of a sum of such sums, and that one: they are accumulated
    /// in one place.
    totals: HashMap<Id, Id>,
}

impl Sites {
    pub(crate) fn new(trace: &Trace) -> Self {
        let batch = trace
            .nodes
            .iter()
            .find_map(|node| match node.primitive.lowering() {
                Lowering::Input { batched: true, .. } => Some(node.shape[0]),
                _ => None,
            })
            .unwrap_or(0);
        let mut uses = vec![0_usize; trace.nodes.len()];
        let read = trace.nodes.iter().flat_map(|n| &n.inputs);
        for id in read.chain(&trace.outputs) {
            uses[*id as usize] += 1;
        }
        let mut totals = HashMap::new();
        let mut list: Vec<Site> = Vec::with_capacity(trace.nodes.len());
        for (id, node) in trace.nodes.iter().enumerate() {
            let part = |i: &Id| list[*i as usize].reduced && uses[*i as usize] == 1;
            let level = |i: &Id| list[*i as usize].level;
            match (node.primitive.lowering(), &node.inputs[..]) {
                (Lowering::Binary(Binary::Add), [a, b])
                    if part(a) && part(b) && level(a) == level(b) =>
                {
                    totals.insert(*a, id as Id);
                    totals.insert(*b, id as Id);
                    list.push(list[*a as usize]);
                }
                _ => list.push(site(trace, &list, id, batch)),
            }
        }
        let levels = list.iter().map(|s| s.level + 1).max().unwrap_or(0);
        Self {
            list,
            batch,
            levels,
            totals,
        }
    }

    /// The sum that a sum over the batch goes into; itself, if into none.
    pub(crate) fn total(&self, mut id: Id) -> Id {
        while let Some(total) = self.totals.get(&id) {
            id = *total;
        }
        id
    }

    pub(crate) fn of(&self, id: Id) -> Site {
        self.list[id as usize]
    }
}

fn site(trace: &Trace, known: &[Site], id: usize, batch: usize) -> Site {
    let node = &trace.nodes[id];
    let input = |i: usize| known[node.inputs[i] as usize];
    let split: Vec<bool> = (0..node.inputs.len()).map(|i| input(i).split).collect();
    let shapes: Vec<&Shape> = node.inputs.iter().map(|i| trace.shape(*i)).collect();
    let level = |of: &dyn Fn(usize) -> usize| (0..split.len()).map(of).max().unwrap_or(0);
    // Split inputs are at hand while their level's chunks go by; whole ones before them.
    let along = level(&|i| input(i).level);
    // After the chunks of a level, its split results and sums are at hand at the next one.
    let after = level(&|i| input(i).level + usize::from(input(i).split));
    let whole = Site {
        split: false,
        level: after,
        reduced: false,
    };
    let as_split = Site {
        split: true,
        level: along,
        reduced: false,
    };
    let as_sum = Site {
        split: false,
        level: along + 1,
        reduced: true,
    };
    let has_batch = node.shape.first() == Some(&batch) && batch > 0;
    if !split.contains(&true) {
        return match node.primitive.lowering() {
            Lowering::Input { batched: true, .. } if has_batch => as_split,
            _ => whole,
        };
    }
    match node.primitive.lowering() {
        Lowering::Unary(_) | Lowering::Binary(_) | Lowering::Compare(_) | Lowering::Select => {
            as_split
        }
        Lowering::Reshape if has_batch => as_split,
        // What is the same for all points does not wait for points.
        Lowering::Link => Site {
            split: split[0],
            level: if split[0] { along } else { input(0).level },
            reduced: false,
        },
        // Copies of each point's own elements.
        Lowering::Broadcast
            if has_batch
                && shapes[0].first() == Some(&batch)
                && shapes[0].rank() == node.shape.rank() =>
        {
            as_split
        }
        Lowering::MatMul(m) => match product(m, &split, &shapes) {
            Some(Product::Rows | Product::Stack) => as_split,
            Some(Product::Contracted) => as_sum,
            None => whole,
        },
        Lowering::Sum(_) | Lowering::Other => {
            let shapes: Vec<Shape> = shapes.into_iter().cloned().collect();
            match node.primitive.split(&shapes, &split) {
                Split::Rows if has_batch => as_split,
                Split::Sum => as_sum,
                _ => whole,
            }
        }
        _ => whole,
    }
}

/// How a matrix product meets the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// The rows of the left factor are the points.
    Rows,
    /// Each point has its own matrices.
    Stack,
    /// The sum goes over the points.
    Contracted,
}

pub(crate) fn product(m: MatMul, split: &[bool], shapes: &[&Shape]) -> Option<Product> {
    match (shapes[0].rank(), split) {
        (2, [true, false]) if m.left == Side::Plain => Some(Product::Rows),
        (2, [true, true]) if (m.left, m.right) == (Side::Transposed, Side::Plain) => {
            Some(Product::Contracted)
        }
        (r, [true, true]) if r > 2 => Some(Product::Stack),
        _ => None,
    }
}
