//! From the nodes of a block to instructions.
//!
//! Elementwise nodes between two heavy ones (matrix products, sums) form one kernel for each shape. What
//! a later kernel needs is stored if it was costly or is stored anyway, else computed again from what
//! is stored: reads cost more than additions.

use std::collections::{HashMap, HashSet};

use super::chain::{self, Op, Operand, Task};
use super::plan::{Product, Sites, product};
use super::terms::Form;
use super::tile::{Action, Kernel, Pattern};
use crate::graph::{Id, Trace};
use crate::op::{Lowering, MatMul};

/// Arrays that are read for a cheap result rather than the result itself.
const WIDE: usize = 8;

/// What a block computes with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Instruction {
    Fused {
        kernel: Kernel,
        loads: Vec<Id>,
        stores: Vec<Id>,
    },
    Product {
        product: MatMul,
        kind: Option<Product>,
        a: Id,
        b: Id,
        out: Id,
    },
    /// Anything else, by the primitive's own kernel or evaluation; over the batch if the result is reduced.
    Evaluate { out: Id },
}

/// The nodes of a block in the order of their ids, and what else it is made of.
pub(crate) struct Block<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) sites: &'a Sites,
    pub(crate) nodes: Vec<Id>,
    /// Nodes whose values are needed outside.
    pub(crate) wanted: HashSet<Id>,
}

/// A node, or what it is another view of.
pub(crate) fn root(trace: &Trace, mut id: Id) -> Id {
    while matches!(
        trace.nodes[id as usize].primitive.lowering(),
        Lowering::Reshape | Lowering::Link
    ) {
        id = trace.nodes[id as usize].inputs[0];
    }
    id
}

/// How the copies `to` of an array `from` lie in rows and columns; `None` in no simple way.
fn pattern(from: &[usize], to: &[usize], rows: usize, columns: usize) -> Option<Pattern> {
    if to.iter().product::<usize>() != rows * columns || rows * columns == 0 {
        return None;
    }
    let ahead = to.len() - from.len();
    let stretched = |i: usize| i < ahead || from[i - ahead] != to[i];
    // The axes that make up the rows, all copies or all there.
    let (mut axis, mut product) = (0, 1);
    let (mut own, mut copied) = (false, false);
    while product < rows {
        product *= to[axis];
        if to[axis] > 1 {
            own |= !stretched(axis);
            copied |= stretched(axis);
        }
        axis += 1;
    }
    if product != rows || (own && copied) {
        return None;
    }
    // In a row: copies, elements, copies.
    let (mut inner, mut count, mut stage) = (1, 1, 0);
    for i in (axis..to.len()).rev().filter(|i| to[*i] > 1) {
        match (stage, stretched(i)) {
            (0, true) => inner *= to[i],
            (0 | 1, false) => (count, stage) = (count * to[i], 1),
            (1 | 2, true) => stage = 2,
            _ => return None,
        }
    }
    Some(match (own, inner, count) {
        (false, _, 1) => Pattern::Scalar,
        (true, 1, n) if n == columns => Pattern::Full,
        (own, inner, count) => Pattern::Repeat { own, inner, count },
    })
}

/// Whether a node is a function of single elements.
pub(crate) fn light(lowering: &Lowering<'_>) -> bool {
    use Lowering::{Binary, Compare, Select, Unary};
    matches!(lowering, Unary(_) | Binary(_) | Compare(_) | Select)
}

fn costly(lowering: &Lowering<'_>) -> bool {
    matches!(lowering, Lowering::Unary(f) if f.is_expensive())
}

impl Block<'_> {
    fn lowering(&self, id: Id) -> Lowering<'_> {
        self.trace.nodes[id as usize].primitive.lowering()
    }

    fn inputs(&self, id: Id) -> &[Id] {
        &self.trace.nodes[id as usize].inputs
    }

    /// Rows and columns of a node as a kernel sees it.
    fn extent(&self, id: Id) -> (usize, usize) {
        let shape = self.trace.shape(id);
        match (self.sites.of(id).split, shape.first()) {
            (true, Some(rows)) => (*rows, shape[1..].iter().product()),
            (false, Some(rows)) if shape.rank() > 1 => (*rows, shape[1..].iter().product()),
            _ => (1, shape.len()),
        }
    }

    /// Whether a kernel over `consumer`'s shape may compute the input as well.
    fn alike(&self, input: Id, consumer: Id) -> bool {
        let source = root(self.trace, input);
        matches!(self.lowering(source), Lowering::Broadcast)
            || self.extent(source) == self.extent(consumer)
    }

    /// How a kernel over `consumer`'s shape reads `id`, and from where; `None` if it cannot.
    pub(crate) fn view(&self, id: Id, consumer: Id) -> Option<(Id, Pattern)> {
        let at = root(self.trace, id);
        if !matches!(self.lowering(at), Lowering::Broadcast) {
            return Some((at, Pattern::Full));
        }
        let from = self.inputs(at)[0];
        let (rows, columns) = self.extent(consumer);
        let pattern = pattern(self.trace.shape(from), self.trace.shape(at), rows, columns)?;
        Some((root(self.trace, from), pattern))
    }

    /// The instructions, in order.
    pub(crate) fn instructions(&self) -> Vec<Instruction> {
        let here: HashSet<Id> = self.nodes.iter().copied().collect();
        let mut stage: HashMap<Id, usize> = HashMap::new();
        let mut materialised: HashSet<Id> = HashSet::new();
        for id in &self.nodes {
            let lowering = self.lowering(*id);
            let mut at = 0;
            for input in self.inputs(*id) {
                let Some(s) = stage.get(input) else { continue };
                let from_light = light(&self.lowering(root(self.trace, *input)));
                let barrier = match (light(&lowering), &lowering) {
                    // Rows and columns are those of the kernel: another shape is another kernel.
                    (true, _) => !from_light || !self.alike(*input, *id),
                    // A copy of a kernel's result waits for the kernel; views come for free.
                    (_, Lowering::Broadcast) => from_light,
                    _ => false,
                };
                at = at.max(s + usize::from(barrier));
            }
            // A broadcast passes the barrier of what it copies on to its readers.
            if matches!(lowering, Lowering::Broadcast) {
                let source = root(self.trace, self.inputs(*id)[0]);
                if here.contains(&source) && !light(&self.lowering(source)) {
                    at = at.max(stage.get(&source).copied().unwrap_or(0));
                }
            }
            stage.insert(*id, at);
        }
        let stored = self.stored(&here, &stage, &mut materialised);
        let mut list = Vec::new();
        let last = stage.values().copied().max().unwrap_or(0);
        for s in 0..=last {
            self.kernels(s, &stage, &stored, &here, &mut list);
            for id in self.nodes.iter().filter(|id| stage[id] == s) {
                match self.lowering(*id) {
                    Lowering::MatMul(m) => {
                        let inputs = self.inputs(*id);
                        let split: Vec<bool> =
                            inputs.iter().map(|i| self.sites.of(*i).split).collect();
                        let shapes: Vec<_> = inputs.iter().map(|i| self.trace.shape(*i)).collect();
                        list.push(Instruction::Product {
                            product: m,
                            kind: product(m, &split, &shapes),
                            a: inputs[0],
                            b: inputs[1],
                            out: *id,
                        });
                    }
                    Lowering::Broadcast if materialised.contains(id) => {
                        list.push(Instruction::Evaluate { out: *id });
                    }
                    Lowering::Sum(_) | Lowering::Other => {
                        list.push(Instruction::Evaluate { out: *id });
                    }
                    _ => {}
                }
            }
        }
        list
    }

    /// Light nodes that get an array; broadcasts that must be written out go to `materialised`.
    fn stored(
        &self,
        here: &HashSet<Id>,
        stage: &HashMap<Id, usize>,
        materialised: &mut HashSet<Id>,
    ) -> HashSet<Id> {
        let mut stored: HashSet<Id> = HashSet::new();
        let mut need = |mut id: Id| {
            // A copy of a copy needs both.
            loop {
                id = root(self.trace, id);
                if !matches!(self.lowering(id), Lowering::Broadcast) {
                    stored.insert(id);
                    return;
                }
                materialised.insert(id);
                id = self.inputs(id)[0];
            }
        };
        for id in self.wanted.iter().filter(|id| here.contains(id)) {
            need(*id);
        }
        let viewed = |l: &Lowering<'_>| {
            use Lowering::{Broadcast, Link, Reshape};
            matches!(l, Reshape | Link | Broadcast)
        };
        for id in &self.nodes {
            let lowering = self.lowering(*id);
            let waits = lowering == Lowering::Link && self.inputs(*id).len() > 1;
            if waits && self.lowering(root(self.trace, *id)) != Lowering::Broadcast {
                // It is there for later: computed again, it would need what it was made of.
                need(*id);
            }
            if viewed(&lowering) {
                continue;
            }
            for input in self.inputs(*id) {
                if !light(&lowering) {
                    need(*input);
                    continue;
                }
                match self.view(*input, *id) {
                    // A copy in another pattern than rows and columns is written out.
                    None => need(*input),
                    Some((source, pattern)) if pattern != Pattern::Full => need(source),
                    Some((source, _))
                        if !self.alike(*input, *id)
                            || matches!(self.lowering(source), Lowering::Broadcast) =>
                    {
                        need(source);
                    }
                    Some(_) => {}
                }
            }
        }
        self.store_wide(here, stage, &mut stored);
        // Costly results that a later kernel reads, found from the end: what is computed again asks for
        // its own inputs.
        let mut again: Vec<(Id, usize)> = Vec::new();
        for id in &self.nodes {
            if light(&self.lowering(*id)) {
                again.push((*id, stage[id]));
            }
        }
        let mut seen: HashSet<(Id, usize)> = HashSet::new();
        while let Some((id, at)) = again.pop() {
            for input in self.inputs(id) {
                let Some((source, Pattern::Full)) = self.view(*input, id) else {
                    continue;
                };
                let inner = light(&self.lowering(source)) && here.contains(&source);
                if !inner || stage[&source] == at || stored.contains(&source) {
                    continue;
                }
                if costly(&self.lowering(source)) {
                    stored.insert(source);
                } else if seen.insert((source, at)) {
                    again.push((source, at));
                }
            }
        }
        stored
    }

    /// Cheap results that a later kernel would have to read many arrays for, as running sums, are stored: else
    /// each of them would read all summands, and keep them.
    fn store_wide(&self, here: &HashSet<Id>, stage: &HashMap<Id, usize>, stored: &mut HashSet<Id>) {
        let inner = |id: Id| light(&self.lowering(id)) && here.contains(&id);
        let sources = |id: Id| -> Vec<(Id, bool)> {
            let views = self.inputs(id).iter();
            let views = views.filter_map(|input| self.view(*input, id));
            views.map(|(at, p)| (at, p == Pattern::Full)).collect()
        };
        let mut readers: HashMap<Id, usize> = HashMap::new();
        for id in self.nodes.iter().filter(|id| inner(**id)) {
            for (source, _) in sources(*id) {
                let last = readers.entry(source).or_default();
                *last = (*last).max(stage[id]);
            }
        }
        let mut reads: HashMap<Id, Vec<Id>> = HashMap::new();
        for id in self.nodes.iter().filter(|id| inner(**id)) {
            let mut list: Vec<Id> = Vec::new();
            for (source, full) in sources(*id) {
                let again = full && inner(source) && !stored.contains(&source);
                match reads.get(&source) {
                    Some(more) if again && !costly(&self.lowering(source)) => list.extend(more),
                    _ => list.push(source),
                }
            }
            list.sort_unstable();
            list.dedup();
            if list.len() > WIDE && readers.get(id).is_some_and(|last| *last > stage[id]) {
                stored.insert(*id);
            }
            reads.insert(*id, list);
        }
    }

    /// The kernels of a stage, one for each shape.
    fn kernels(
        &self,
        s: usize,
        stage: &HashMap<Id, usize>,
        stored: &HashSet<Id>,
        here: &HashSet<Id>,
        list: &mut Vec<Instruction>,
    ) {
        let mut shapes: Vec<(usize, usize)> = Vec::new();
        let ends: Vec<Id> = self
            .nodes
            .iter()
            .copied()
            .filter(|id| stage[id] == s && stored.contains(id) && light(&self.lowering(*id)))
            .collect();
        for id in &ends {
            if !shapes.contains(&self.extent(*id)) {
                shapes.push(self.extent(*id));
            }
        }
        for shape in shapes {
            let ends: Vec<Id> = ends
                .iter()
                .copied()
                .filter(|id| self.extent(*id) == shape)
                .collect();
            let mut builder = KernelBuilder {
                block: self,
                stage,
                stored,
                here,
                at: s,
                order: Vec::new(),
                placed: HashSet::new(),
                loads: Vec::new(),
            };
            for id in &ends {
                builder.visit(*id);
            }
            list.push(builder.finish(&ends, shape.1));
        }
    }
}

struct KernelBuilder<'a> {
    block: &'a Block<'a>,
    stage: &'a HashMap<Id, usize>,
    stored: &'a HashSet<Id>,
    here: &'a HashSet<Id>,
    at: usize,
    /// Nodes that the kernel computes.
    order: Vec<Id>,
    placed: HashSet<Id>,
    loads: Vec<(Id, Pattern)>,
}

impl KernelBuilder<'_> {
    /// Whether the kernel computes the node, rather than read it.
    fn computes(&self, id: Id) -> bool {
        light(&self.block.lowering(id))
            && self.here.contains(&id)
            && (self.stage[&id] == self.at || !self.stored.contains(&id))
    }

    fn visit(&mut self, id: Id) {
        if !self.placed.insert(id) {
            return;
        }
        for input in self.block.inputs(id).to_vec() {
            // What has no pattern was written out, and is read like any array.
            let view = self.block.view(input, id);
            let (source, pattern) = view.unwrap_or((root(self.block.trace, input), Pattern::Full));
            if pattern == Pattern::Full && self.computes(source) {
                self.visit(source);
            } else if !self.loads.contains(&(source, pattern)) {
                self.loads.push((source, pattern));
            }
        }
        self.order.push(id);
    }

    fn finish(self, ends: &[Id], width: usize) -> Instruction {
        let block = self.block;
        let index: HashMap<Id, usize> = self.order.iter().copied().zip(0..).collect();
        let operand = |input: Id, id: Id| {
            let view = block.view(input, id);
            let (source, pattern) = view.unwrap_or((root(block.trace, input), Pattern::Full));
            if let (Some(value), Pattern::Full) = (index.get(&source), pattern) {
                return Operand::Value(*value);
            }
            let load = self.loads.iter().position(|l| *l == (source, pattern));
            Operand::Load(load.unwrap_or(0))
        };
        let ops = self.order.iter().map(|id| {
            let inputs: Vec<_> = block.inputs(*id).iter().map(|i| operand(*i, *id)).collect();
            let task = match (block.lowering(*id), &inputs[..]) {
                (Lowering::Unary(f), [x]) => {
                    Form::unary(f, *x).map_or(Task::Action(Action::Unary(f), inputs), Task::Form)
                }
                (Lowering::Binary(f), [x, y]) => Task::Form(Form::binary(f, *x, *y)),
                (Lowering::Compare(f), _) => Task::Action(Action::Compare(f), inputs),
                (Lowering::Select, _) => Task::Action(Action::Select, inputs),
                _ => Task::Action(Action::Copy, inputs),
            };
            Op {
                task,
                store: ends.iter().position(|e| e == id),
            }
        });
        let (ops, registers) = chain::compile(ops.collect());
        let (loads, patterns) = self.loads.into_iter().unzip();
        Instruction::Fused {
            kernel: Kernel {
                ops,
                loads: patterns,
                stores: ends.len(),
                registers,
                width,
            },
            loads,
            stores: ends.to_vec(),
        }
    }
}
