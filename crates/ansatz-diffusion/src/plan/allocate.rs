//! Memory for a plan: values to slots, by liveness.

use ansatz_core::{Combination, NoiseLevel};

use super::{Instruction, Mark, Operation, Plan, Slot, Value};

/// Slots in use and slots that may be taken again.
#[derive(Default)]
struct Pool {
    free: Vec<Slot>,
    made: u32,
}

impl Pool {
    fn take(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.made += 1;
            Slot(self.made - 1)
        })
    }
}

/// Time after which nothing reads a value: operations and marks share one clock, where operation `i`
/// runs at time `i` and a mark after `i` operations at the beginning of time `i`.
fn last_uses(operations: &[Operation], marks: &[Mark], outputs: &[Value]) -> Vec<usize> {
    let mut last: Vec<usize> = (0..operations.len()).collect();
    let mut touch = |v: Value, time: usize| {
        let entry = &mut last[v.0 as usize];
        *entry = (*entry).max(time);
    };
    for (time, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Eval { x, .. } | Operation::Cotangent { x, .. } => touch(*x, time),
            Operation::Vjp { x, w, .. } => [*x, *w].into_iter().for_each(|v| touch(v, time)),
            Operation::Combine { terms } => terms.iter().for_each(|(_, v)| touch(*v, time)),
            Operation::Input { .. } | Operation::Normal { .. } => {}
        }
    }
    for mark in marks {
        for v in mark.states.iter().chain(&mark.denoised) {
            touch(*v, mark.after);
        }
    }
    for v in outputs {
        touch(*v, usize::MAX);
    }
    last
}

/// Completes a plan.
pub(super) fn plan(
    operations: Vec<Operation>,
    marks: Vec<Mark>,
    levels: Vec<NoiseLevel>,
    inputs: usize,
    outputs: Vec<Value>,
) -> Plan {
    let last = last_uses(&operations, &marks, &outputs);
    let mut pool = Pool::default();
    let mut slot_of: Vec<Option<Slot>> = vec![None; operations.len()];
    let mut instructions = Vec::with_capacity(operations.len() + marks.len());
    // Inputs come first in memory, whatever their place among the operations.
    for (i, operation) in operations.iter().enumerate() {
        if matches!(operation, Operation::Input { .. }) {
            slot_of[i] = Some(pool.take());
        }
    }
    // Values in the order in which they die: at their last use, or after an operation that nobody
    // reads.
    let death = |v: &Value| last[v.0 as usize].max(v.0 as usize + 1);
    let mut deaths: Vec<Value> = (0..operations.len() as u32).map(Value).collect();
    deaths.sort_by_key(death);
    let mut deaths = deaths.into_iter().peekable();
    // Those of them that still hold memory.
    let mut dying: Vec<Value> = Vec::new();
    let slot = |slot_of: &[Option<Slot>], v: Value| slot_of[v.0 as usize].unwrap_or(Slot(0));
    let mut marks_left = marks.iter().peekable();
    for time in 0..=operations.len() {
        while let Some(mark) = marks_left.next_if(|m| m.after == time) {
            instructions.push(Instruction::Step {
                level: mark.level,
                states: mark.states.iter().map(|v| slot(&slot_of, *v)).collect(),
                denoised: mark.denoised.map(|v| slot(&slot_of, v)),
            });
        }
        let Some(operation) = operations.get(time) else {
            break;
        };
        // Values read for the last time before or at this operation give their memory back; a
        // combination may write over one that it reads itself. (Its slot is then the new value's.)
        dying.extend(std::iter::from_fn(|| deaths.next_if(|v| death(v) <= time)));
        match operation {
            Operation::Input { .. } => continue,
            Operation::Eval { x, level, want } => {
                let (x, level, want) = (slot(&slot_of, *x), *level, *want);
                let out = beside(&mut slot_of, &mut pool, &dying, &[x]);
                instructions.push(Instruction::Eval {
                    x,
                    level,
                    want,
                    out,
                });
                slot_of[time] = Some(out);
            }
            Operation::Vjp {
                x,
                level,
                w,
                weight,
                ..
            } => {
                let (x, w) = (slot(&slot_of, *x), slot(&slot_of, *w));
                let (level, weight) = (*level, *weight);
                let out = beside(&mut slot_of, &mut pool, &dying, &[x, w]);
                instructions.push(Instruction::Vjp {
                    x,
                    level,
                    w,
                    weight,
                    out,
                });
                slot_of[time] = Some(out);
            }
            Operation::Cotangent { output, x } => {
                let (output, x) = (*output, slot(&slot_of, *x));
                let out = beside(&mut slot_of, &mut pool, &dying, &[x]);
                instructions.push(Instruction::Cotangent { output, x, out });
                slot_of[time] = Some(out);
            }
            Operation::Combine { terms } => {
                let in_place = terms.iter().position(|(_, v)| dying.contains(v));
                let mut sum: Vec<(f64, usize)> = terms
                    .iter()
                    .map(|(c, v)| (*c, slot(&slot_of, *v).0 as usize))
                    .collect();
                let overwritten = in_place.map(|k| {
                    slot_of[terms[k].1.0 as usize] = None;
                    sum.remove(k)
                });
                release(&mut slot_of, &mut pool, &dying);
                let (beta, dst) = match overwritten {
                    Some((beta, dst)) => (beta, Slot(dst as u32)),
                    None => (0.0, pool.take()),
                };
                let line = Combination {
                    dst: dst.0 as usize,
                    beta,
                    terms: sum,
                };
                match &mut instructions[..] {
                    [.., Instruction::Combine(lines)] => lines.push(line),
                    // A step that ends in between is only looked at: the line may come before it, to
                    // share a sweep over memory, unless it writes over what is shown.
                    [
                        ..,
                        Instruction::Combine(lines),
                        Instruction::Step {
                            states, denoised, ..
                        },
                    ] if !states.contains(&dst) && *denoised != Some(dst) => lines.push(line),
                    _ => instructions.push(Instruction::Combine(vec![line])),
                }
                slot_of[time] = Some(dst);
            }
            Operation::Normal { draw, stream } => {
                let (draw, stream) = (*draw, *stream);
                let out = beside(&mut slot_of, &mut pool, &dying, &[]);
                instructions.push(Instruction::Normal { out, draw, stream });
                slot_of[time] = Some(out);
            }
        }
        dying.retain(|v| slot_of[v.0 as usize].is_some());
    }
    let output_slots = outputs.iter().map(|v| slot(&slot_of, *v)).collect();
    Plan {
        operations,
        marks,
        levels,
        inputs,
        outputs,
        instructions,
        output_slots,
        slots: pool.made as usize,
    }
}

/// A slot for the result of an outside function, which must not write over what it reads: `read`
/// stays taken, if only until the next operation.
fn beside(slot_of: &mut [Option<Slot>], pool: &mut Pool, dying: &[Value], read: &[Slot]) -> Slot {
    let free: Vec<_> = dying
        .iter()
        .copied()
        .filter(|v| slot_of[v.0 as usize].is_some_and(|s| !read.contains(&s)))
        .collect();
    release(slot_of, pool, &free);
    pool.take()
}

fn release(slot_of: &mut [Option<Slot>], pool: &mut Pool, values: &[Value]) {
    for v in values {
        if let Some(s) = slot_of[v.0 as usize].take() {
            pool.free.push(s);
        }
    }
}
