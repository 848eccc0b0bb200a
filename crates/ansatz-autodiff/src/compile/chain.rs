//! From the nodes of a kernel to its operations.
//!
//! Operations are first written on values that are made once. What a sum or product reads from another one
//! that nobody else reads is taken into it ([`Tree`](super::tree::Tree)); then values get registers by the spans in which they
//! are needed.

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
    pub(crate) action: Action,
    pub(crate) inputs: Vec<Operand>,
    /// The array that the result is written to.
    pub(crate) store: Option<usize>,
}

/// Operations on tiles, and the number of registers they need.
pub(crate) fn compile(mut ops: Vec<Op>) -> (Vec<TileOp>, usize) {
    let mut uses = vec![0_usize; ops.len()];
    for op in &ops {
        for input in &op.inputs {
            if let Operand::Value(v) = input {
                uses[*v] += 1;
            }
        }
    }
    let mut gone = vec![false; ops.len()];
    for i in 0..ops.len() {
        while let Some((taken, merged)) = merged(&ops, &uses, i) {
            gone[taken] = true;
            ops[i] = merged;
        }
    }
    registers(&ops, &gone)
}

/// Operation `i` with the operation of one of its inputs taken in, and which that is.
fn merged(ops: &[Op], uses: &[usize], i: usize) -> Option<(usize, Op)> {
    let op = &ops[i];
    // Only what nobody else reads.
    let inner = |input: &Operand| match input {
        Operand::Value(v) if uses[*v] == 1 && ops[*v].store.is_none() => match ops[*v].action {
            Action::Tree(tree) => Some((*v, tree)),
            _ => None,
        },
        _ => None,
    };
    if let Action::Unary(f) = op.action {
        let (v, tree) = inner(&op.inputs[0])?;
        let action = Action::Tree(tree.then(f)?);
        let inputs = ops[v].inputs.clone();
        return Some((
            v,
            Op {
                action,
                inputs,
                ..*op
            },
        ));
    }
    let Action::Tree(tree) = op.action else {
        return None;
    };
    (0..tree.reads()).find_map(|k| {
        let (v, other) = inner(&op.inputs[k])?;
        // Beyond the first pair only the last read can be taken in.
        let (first, last) = (k == 0, k + 1 == tree.reads());
        let (tree, swapped) = if first || last {
            tree.absorb(other, first)?
        } else {
            return None;
        };
        let theirs = ops[v].inputs.iter().copied();
        let others = op.inputs.iter().enumerate();
        let ours: Vec<Operand> = others.filter(|(i, _)| *i != k).map(|(_, o)| *o).collect();
        let inputs = if first || swapped {
            theirs.chain(ours).collect()
        } else {
            ours.into_iter().chain(theirs).collect()
        };
        let action = Action::Tree(tree);
        Some((
            v,
            Op {
                action,
                inputs,
                ..*op
            },
        ))
    })
}

fn registers(ops: &[Op], gone: &[bool]) -> (Vec<TileOp>, usize) {
    let mut last = vec![0; ops.len()];
    let there = || ops.iter().enumerate().filter(|(i, _)| !gone[*i]);
    for (i, op) in there() {
        for input in &op.inputs {
            if let Operand::Value(v) = input {
                last[*v] = i;
            }
        }
    }
    let (mut free, mut count) = (Vec::new(), 0);
    let mut places = vec![Place::Register(0); ops.len()];
    let mut list = Vec::new();
    for (i, op) in there() {
        let mut inputs = [Place::Register(0); 4];
        for (place, input) in inputs.iter_mut().zip(&op.inputs) {
            *place = match input {
                Operand::Load(l) => Place::Load(*l),
                Operand::Value(v) => places[*v],
            };
        }
        // Places without a read are those of the first one, so that every read finds a tile.
        for k in op.inputs.len()..4 {
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
            action: op.action,
            inputs,
            output: places[i],
        });
        let mut ended: Vec<usize> = op
            .inputs
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
