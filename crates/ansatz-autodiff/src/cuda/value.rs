//! Values at a place, as operations of a kernel: movements become indices, named values loads.

use std::collections::{HashMap, HashSet};

use ansatz_cuda::program::{Array, Body, Condition, Function, Index, Reg};

use super::form::{Form, Move, Point, function};
use super::lower::Arrays;
use super::signed;
use super::stage::Stages;
use crate::graph::Id;
use crate::op::gather::Missing;
use crate::op::pool::Role;
use crate::op::{Largest, Range, Unary};

/// A kernel's body while it is written.
pub(super) struct Writer<'s, 't> {
    pub(super) stages: &'s Stages<'t>,
    pub(super) arrays: &'s mut dyn Arrays,
    pub(super) body: Body,
    /// Named values that are computed here, and the place at which they are.
    pub(super) own: HashSet<Id>,
    pub(super) point: Index,
    /// Named values that are loaded.
    pub(super) loaded: HashSet<Id>,
    /// Whether known numbers must be loads, too.
    pub(super) loads_only: bool,
    known: HashMap<(Id, Vec<Index>), Reg>,
}

impl<'s, 't> Writer<'s, 't> {
    pub(super) fn new(stages: &'s Stages<'t>, arrays: &'s mut dyn Arrays) -> Self {
        Self {
            stages,
            arrays,
            body: Body::new(),
            own: HashSet::new(),
            point: Index::number(-1),
            loaded: HashSet::new(),
            loads_only: false,
            known: HashMap::new(),
        }
    }

    fn shape(&self, id: Id) -> &'t [usize] {
        self.stages.trace.shape(id)
    }

    fn load(&mut self, array: Array, id: Id, at: &[Index]) -> Reg {
        let place = Index::flat(at, self.shape(id));
        self.body.load(array, &place)
    }

    /// Node `id` at coordinates `at`.
    pub(super) fn value(&mut self, id: Id, at: &[Index]) -> Reg {
        let key = (id, at.to_vec());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let register = self.make(id, at);
        self.known.insert(key, register);
        register
    }

    fn make(&mut self, id: Id, at: &[Index]) -> Reg {
        let form = self.stages.form(id);
        if let Form::Constant(values) = form {
            let first = values.first().copied().unwrap_or(0.0);
            let uniform = values.iter().all(|v| v.to_bits() == first.to_bits());
            if uniform && !self.loads_only {
                return self.body.number(first);
            }
        }
        let stays = matches!(form, Form::Input | Form::Constant(_));
        if stays || self.stages.named[id as usize] {
            let here = self.own.contains(&id) && Index::flat(at, self.shape(id)) == self.point;
            if !here {
                let array = self.arrays.of(id);
                self.loaded.insert(id);
                return self.load(array, id, at);
            }
        }
        self.compute(id, at)
    }

    /// Node `id` at coordinates `at` from its inputs.
    pub(super) fn compute(&mut self, id: Id, at: &[Index]) -> Reg {
        let inputs = self.stages.inputs(id);
        match self.stages.form(id) {
            Form::View => {
                let place = Index::flat(at, self.shape(id));
                let at = place.unflat(self.shape(inputs[0]));
                self.value(inputs[0], &at)
            }
            Form::Point(point) => {
                let list: Vec<Reg> = inputs.iter().map(|i| self.value(*i, at)).collect();
                match point {
                    Point::Call(f) => self.body.call(f, &list),
                    Point::Unary(f) => self.unary(f, list[0]),
                }
            }
            Form::Move(movement) => self.moved(movement, inputs, at),
            Form::Windows(op) => self.window(op, inputs, at),
            // Loaded, always.
            Form::Input | Form::Constant(_) | Form::Heavy(_) => {
                let array = self.arrays.of(id);
                self.loaded.insert(id);
                self.load(array, id, at)
            }
        }
    }

    fn unary(&mut self, f: Unary, x: Reg) -> Reg {
        if let Some(call) = function(f) {
            return self.body.call(call, &[x]);
        }
        match f {
            Unary::Scale(c) => {
                let c = self.body.number(c);
                self.body.call(Function::Mul, &[c, x])
            }
            Unary::Shift(c) => {
                let c = self.body.number(c);
                self.body.call(Function::Add, &[x, c])
            }
            Unary::Powf(c) => {
                let c = self.body.number(c);
                self.body.call(Function::Pow, &[x, c])
            }
            Unary::Powi(n) => self.body.power(x, n),
            // All others are calls.
            _ => x,
        }
    }

    fn moved(&mut self, movement: Move<'_>, inputs: &[Id], at: &[Index]) -> Reg {
        let x = inputs[0];
        let shape = self.shape(x);
        match movement {
            Move::Broadcast => {
                let ahead = at.len() - shape.len();
                let from = |(i, n): (&Index, &usize)| match n {
                    1 => Index::number(0),
                    _ => i.clone(),
                };
                let at: Vec<Index> = at[ahead..].iter().zip(shape).map(from).collect();
                self.value(x, &at)
            }
            Move::Transpose(op) => {
                let mut from = vec![Index::number(0); shape.len()];
                for (i, axis) in op.order.iter().enumerate() {
                    from[*axis] = at[i].clone();
                }
                self.value(x, &from)
            }
            Move::Slice(op) => {
                let from =
                    |(i, r): (&Index, &Range)| i.times(signed(r.step)).shift(signed(r.start));
                let from: Vec<Index> = at.iter().zip(&op.ranges).map(from).collect();
                self.value(x, &from)
            }
            Move::Pad(op) => {
                let mut from = Vec::with_capacity(at.len());
                let mut inside = Vec::new();
                for (i, r) in at.iter().zip(&op.ranges) {
                    let i = i.shift(-signed(r.start));
                    inside.push(Condition::every(&i, r.length, r.step));
                    from.push(i.quotient(r.step));
                }
                let value = self.value(x, &from);
                self.body.guarded(inside, value, None)
            }
            Move::Concatenate(op) => {
                // From the last one on: each is chosen before those behind it.
                let mut end = inputs
                    .iter()
                    .map(|i| self.shape(*i)[op.axis])
                    .sum::<usize>();
                let mut chosen = None;
                for x in inputs.iter().rev() {
                    let length = self.shape(*x)[op.axis];
                    let start = end - length;
                    let mut from = at.to_vec();
                    from[op.axis] = at[op.axis].shift(-signed(start));
                    let value = self.value(*x, &from);
                    let inside = Condition::within(&at[op.axis], signed(start), signed(end));
                    end = start;
                    chosen = Some(match chosen {
                        None => value,
                        Some(other) => self.body.guarded(vec![inside], value, Some(other)),
                    });
                }
                chosen.unwrap_or_else(|| self.body.number(0.0))
            }
            Move::Take(op) => {
                let table: Vec<u32> = op.indices.iter().map(|i| *i as u32).collect();
                let table = self.arrays.table(&table);
                let read = self.body.load(table, &at[op.axis]);
                let mut from = at.to_vec();
                from[op.axis] = self.body.row(read, shape[op.axis]);
                self.value(x, &from)
            }
            Move::Gather(op) => {
                let count = self.shape(inputs[1]).len();
                let read = self.value(inputs[1], &at[op.axis..op.axis + count]);
                let row = self.body.row(read, shape[op.axis]);
                let mut from = at[..op.axis].to_vec();
                from.push(row.clone());
                from.extend_from_slice(&at[op.axis + count..]);
                let value = self.value(x, &from);
                let there = vec![Condition::within(&row, 0, signed(shape[op.axis]))];
                let missing = match op.missing {
                    Missing::Nan => Some(self.body.number(f64::NAN)),
                    Missing::Zero => None,
                };
                self.body.guarded(there, value, missing)
            }
        }
    }

    /// The parts of max pooling at a place, tap by tap.
    fn window(&mut self, op: &Largest, inputs: &[Id], at: &[Index]) -> Reg {
        let kernels: Vec<usize> = op.axes.iter().map(|a| a.kernel).collect();
        let taps: usize = kernels.iter().product();
        let zero = self.body.number(0.0);
        let mut best = self.body.number(f64::NEG_INFINITY);
        let mut out = match op.role {
            Role::Tap => self.body.number(-1.0),
            Role::Take => self.body.number(f64::NAN),
            Role::Put => zero,
        };
        for tap in 0..taps {
            let tap_at = Index::number(signed(tap)).unflat(&kernels);
            let mut from = at[..2].to_vec();
            let mut inside = Vec::new();
            for ((axis, i), t) in op.axes.iter().zip(&at[2..]).zip(&tap_at) {
                let by = t.range().0 * signed(axis.dilation) - signed(axis.low);
                if op.role == Role::Put {
                    let i = i.shift(-by);
                    inside.push(Condition::every(&i, axis.output, axis.stride));
                    from.push(i.quotient(axis.stride));
                } else {
                    let i = i.times(signed(axis.stride)).shift(by);
                    inside.push(Condition::within(&i, 0, signed(axis.input)));
                    from.push(i);
                }
            }
            let value = self.value(inputs[0], &from);
            let value = self.body.guarded(inside.clone(), value, None);
            let number = self.body.number(tap as f64);
            match op.role {
                Role::Tap => {
                    let there = self.body.holds(inside);
                    let one = self.body.number(1.0);
                    let larger = self.body.call(Function::Less, &[best, value]);
                    let plain = self.body.call(Function::Equal, &[value, value]);
                    let first = self.body.call(Function::Less, &[out, zero]);
                    let or_first = self.body.call(Function::Select, &[plain, first, one]);
                    let wins = self.body.call(Function::Select, &[larger, one, or_first]);
                    let wins = self.body.call(Function::Select, &[there, wins, zero]);
                    best = self.body.call(Function::Select, &[wins, value, best]);
                    out = self.body.call(Function::Select, &[wins, number, out]);
                }
                Role::Take => {
                    let chosen = self.value(inputs[1], at);
                    let here = self.body.call(Function::Equal, &[chosen, number]);
                    out = self.body.call(Function::Select, &[here, value, out]);
                }
                Role::Put => {
                    let chosen = self.value(inputs[1], &from);
                    let none = self.body.number(-2.0);
                    let chosen = self.body.guarded(inside, chosen, Some(none));
                    let here = self.body.call(Function::Equal, &[chosen, number]);
                    let part = self.body.call(Function::Select, &[here, value, zero]);
                    out = self.body.call(Function::Add, &[out, part]);
                }
            }
        }
        out
    }
}
