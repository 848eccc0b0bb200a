//! From the nodes of a kernel to its operations.
//!
//! Operations are first written on values that are made once. What a sum or product reads from another one
//! that nobody else reads is taken into it ([`Form`]); then values get registers by the spans in which they
//! are needed.

use super::terms::{Form, READS};
use super::tile::{Action, Place, TileOp};

/// What an operation reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An array.
    Load(usize),
    /// The result of an earlier operation.
    Value(usize),
}

/// An operation whose result is the value of its index.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) task: Task,
    /// The array that the result is written to.
    pub(crate) store: Option<usize>,
}

/// What is computed.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// A sum of products.
    Form(Form<Operand>),
    /// Something else of what is read.
    Action(Action, Vec<Operand>),
}

impl Op {
    fn reads(&self) -> Vec<Operand> {
        match &self.task {
            Task::Form(form) => form.reads().collect(),
            Task::Action(_, inputs) => inputs.clone(),
        }
    }
}

/// Operations on tiles, and the number of registers they need.
pub(crate) fn compile(mut ops: Vec<Op>) -> (Vec<TileOp>, usize) {
    let mut uses = vec![0_usize; ops.len()];
    for op in &ops {
        for input in op.reads() {
            if let Operand::Value(v) = input {
                uses[v] += 1;
            }
        }
    }
    let mut gone = vec![false; ops.len()];
    for i in 0..ops.len() {
        while let Some((taken, form)) = merged(&ops, &uses, i) {
            gone[taken] = true;
            ops[i].task = Task::Form(form);
        }
    }
    registers(&ops, &gone)
}

/// The form of operation `i` with that of one of its inputs taken in, and which that is.
fn merged(ops: &[Op], uses: &[usize], i: usize) -> Option<(usize, Form<Operand>)> {
    let Task::Form(form) = &ops[i].task else {
        return None;
    };
    form.reads().find_map(|read| {
        let Operand::Value(v) = read else { return None };
        // Only what nobody else reads.
        let Task::Form(other) = &ops[v].task else {
            return None;
        };
        if uses[v] > 1 || ops[v].store.is_some() {
            return None;
        }
        Some((v, form.absorb(read, other)?))
    })
}

fn registers(ops: &[Op], gone: &[bool]) -> (Vec<TileOp>, usize) {
    let mut last = vec![0; ops.len()];
    let there = || ops.iter().enumerate().filter(|(i, _)| !gone[*i]);
    for (i, op) in there() {
        for input in op.reads() {
            if let Operand::Value(v) = input {
                last[v] = i;
            }
        }
    }
    let (mut free, mut count) = (Vec::new(), 0);
    let mut places = vec![Place::Register(0); ops.len()];
    let mut list = Vec::new();
    for (i, op) in there() {
        let action = match &op.task {
            Task::Form(form) => Action::Terms(form.terms()),
            Task::Action(action, _) => *action,
        };
        let reads = op.reads();
        let mut inputs = [Place::Register(0); READS];
        for (place, input) in inputs.iter_mut().zip(&reads) {
            *place = match input {
                Operand::Load(l) => Place::Load(*l),
                Operand::Value(v) => places[*v],
            };
        }
        // Places without a read are those of the first one, so that every read finds a tile.
        for k in reads.len()..READS {
            inputs[k] = inputs[0];
        }
        places[i] = match op.store {
            Some(store) => Place::Store(store),
            None => Place::Register(free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            })),
        };
        list.push(TileOp {
            action,
            inputs,
            output: places[i],
        });
        let mut ended: Vec<usize> = reads
            .iter()
            .filter_map(|input| match input {
                Operand::Value(v) if last[*v] == i => Some(*v),
                _ => None,
            })
            .collect();
        ended.sort_unstable();
        ended.dedup();
        for v in ended {
            if let Place::Register(r) = places[v] {
                free.push(r);
            }
        }
    }
    (list, count)
}
