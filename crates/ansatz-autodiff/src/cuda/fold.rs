//! Sums and other folds as loops.

use ansatz_cuda::DeviceScalar;
use ansatz_cuda::program::{Condition, Fold, Function, Index, Loop, Store};

use super::lower::{Lowering, Pending, Target};
use super::value::Writer;
use super::{DeviceError, signed};
use crate::Element;
use crate::graph::Id;
use crate::op::{CumulativeSum, ScatterAdd, ScatterAddAt, Separable};

/// Terms beside results of folds that look at every pair, beyond which they are refused.
const PAIRS: usize = 1 << 28;

impl<T: Element + DeviceScalar> Lowering<'_, T> {
    /// Folds of nodes of one shape along the same axes, in one loop.
    pub(super) fn fold(&mut self, nodes: &[Id], axes: &[usize], fold: Fold) -> Pending {
        let first = self.stages.inputs(nodes[0])[0];
        let shape = self.stages.trace.shape(first).to_vec();
        let kept = |i: &usize| !axes.contains(i);
        let outer: Vec<usize> = (0..shape.len()).filter(kept).map(|i| shape[i]).collect();
        let inner: Vec<usize> = (0..shape.len())
            .filter(|i| !kept(i))
            .map(|i| shape[i])
            .collect();
        let (mut out, mut gone) = (0, outer.len());
        let at: Vec<Index> = (0..shape.len())
            .map(|i| {
                let counter = if kept(&i) { &mut out } else { &mut gone };
                *counter += 1;
                Index::axis(*counter - 1, shape[i])
            })
            .collect();
        let place = Index::flat(&Index::axes(&outer, 0), &outer);
        self.written(|writer| {
            let values = nodes.iter().map(|node| {
                let value = writer.value(writer.stages.inputs(*node)[0], &at);
                (value, Target::Node(*node), place.clone())
            });
            (outer, inner, Some(fold), values.collect())
        })
    }

    /// out[i] = Σ x[j] over the rows j that go to i, which a table lists.
    pub(super) fn scatter(&mut self, node: Id, op: &ScatterAdd) -> Result<Pending, DeviceError> {
        let x = self.stages.inputs(node)[0];
        let mut lists = vec![Vec::new(); op.length];
        for (j, i) in op.indices.iter().enumerate() {
            lists[*i].push(j as u32);
        }
        let most = lists.iter().map(Vec::len).max().unwrap_or(0);
        if most * op.length > PAIRS {
            return Err(DeviceError::Unsupported {
                op: "scatter_add",
                remedy: "spread the indices over more rows, or compile this part with `Program` for the processor",
            });
        }
        let outer = self.stages.trace.shape(node).to_vec();
        let rows = self.stages.trace.shape(x)[op.axis];
        let filled = lists.iter().flat_map(|list| {
            let none = std::iter::repeat_n(u32::MAX, most - list.len());
            list.iter().copied().chain(none)
        });
        let table = self.arrays.builder.table(&filled.collect::<Vec<u32>>());
        let at = Index::axes(&outer, 0);
        let entry = Index::axis(outer.len(), most);
        Ok(self.written(|writer| {
            let place = at[op.axis].times(signed(most)).plus(&entry);
            let read = writer.body.load(table, &place);
            let row = writer.body.row(read, rows);
            let mut from = at.clone();
            from[op.axis] = row.clone();
            let value = writer.value(x, &from);
            let there = vec![Condition::within(&row, 0, signed(rows))];
            let value = writer.body.guarded(there, value, None);
            let stores = vec![(value, Target::Node(node), Index::flat(&at, &outer))];
            (outer, vec![most], Some(Fold::Sum), stores)
        }))
    }

    /// out[i] = Σ x[j] over all j whose index is i.
    pub(super) fn scatter_at(
        &mut self,
        node: Id,
        op: &ScatterAddAt,
    ) -> Result<Pending, DeviceError> {
        let [x, indices] = *self.stages.inputs(node) else {
            return Err(broken("scatter_add_at"));
        };
        let outer = self.stages.trace.shape(node).to_vec();
        let inner = self.stages.trace.shape(indices).to_vec();
        let pairs = inner
            .iter()
            .product::<usize>()
            .saturating_mul(outer.iter().product());
        if pairs > PAIRS {
            return Err(DeviceError::Unsupported {
                op: "scatter_add_at",
                remedy: "use `scatter_add` where indices are known, or compile this part with `Program` for the processor",
            });
        }
        let at = Index::axes(&outer, 0);
        let rows = Index::axes(&inner, outer.len());
        Ok(self.written(|writer| {
            let mut from = at[..op.axis].to_vec();
            from.extend_from_slice(&rows);
            from.extend_from_slice(&at[op.axis + 1..]);
            let (value, index) = (writer.value(x, &from), writer.value(indices, &rows));
            let (here, zero) = (writer.body.position(&at[op.axis]), writer.body.number(0.0));
            let meets = writer.body.call(Function::Equal, &[index, here]);
            let value = writer.body.call(Function::Select, &[meets, value, zero]);
            let stores = vec![(value, Target::Node(node), Index::flat(&at, &outer))];
            (outer, inner, Some(Fold::Sum), stores)
        }))
    }

    /// out[i] = Σ x[j] over j ≤ i.
    pub(super) fn running(&mut self, node: Id, op: CumulativeSum) -> Result<Pending, DeviceError> {
        let x = self.stages.inputs(node)[0];
        let outer = self.stages.trace.shape(node).to_vec();
        let length = outer[op.axis];
        if length > 4096 {
            return Err(DeviceError::Unsupported {
                op: "cumulative_sum",
                remedy: "sum axes of up to 4096 elements, or compile this part with `Program` for the processor",
            });
        }
        let at = Index::axes(&outer, 0);
        let term = Index::axis(outer.len(), length);
        Ok(self.written(|writer| {
            let mut from = at.clone();
            from[op.axis] = term.clone();
            let ahead = if op.reversed {
                term.plus(&at[op.axis].times(-1))
            } else {
                at[op.axis].plus(&term.times(-1))
            };
            let value = writer.value(x, &from);
            let before = vec![Condition::within(&ahead, 0, signed(length))];
            let value = writer.body.guarded(before, value, None);
            let stores = vec![(value, Target::Node(node), Index::flat(&at, &outer))];
            (outer, vec![length], Some(Fold::Sum), stores)
        }))
    }

    /// A sparse matrix along each of the last axes, from the last one on.
    pub(super) fn separable(&mut self, node: Id, op: &Separable) -> Vec<Pending> {
        let x = self.stages.inputs(node)[0];
        let mut shape = self.stages.trace.shape(x).to_vec();
        let matrices = op.rows();
        let first = shape.len() - matrices.len();
        let mut pending = Vec::new();
        let mut source = None;
        for (k, rows) in matrices.iter().enumerate().rev() {
            let axis = first + k;
            let length = shape[axis];
            let before = shape.clone();
            shape[axis] = rows.len();
            let most = rows.iter().map(Vec::len).max().unwrap_or(0);
            let (mut columns, mut weights) = (Vec::new(), Vec::new());
            for row in rows {
                for e in 0..most {
                    let (column, weight) =
                        row.get(e).map_or((u32::MAX, 0.0), |(c, w)| (*c as u32, *w));
                    columns.push(column);
                    weights.push(T::of(weight));
                }
            }
            let (columns, weights) = (
                self.arrays.builder.table(&columns),
                self.arrays.builder.constant(&weights),
            );
            let target = if k == 0 {
                Target::Node(node)
            } else {
                Target::Array(self.arrays.builder.array(shape.iter().product()))
            };
            let outer = shape.clone();
            let at = Index::axes(&outer, 0);
            let entry = at[axis]
                .times(signed(most))
                .plus(&Index::axis(outer.len(), most));
            let from_array = source;
            pending.push(self.written(|writer| {
                let read = writer.body.load(columns, &entry);
                let row = writer.body.row(read, length);
                let mut from = at.clone();
                from[axis] = row.clone();
                let value = match from_array {
                    None => writer.value(x, &from),
                    Some(array) => writer.body.load(array, &Index::flat(&from, &before)),
                };
                let there = vec![Condition::within(&row, 0, signed(length))];
                let value = writer.body.guarded(there, value, None);
                let weight = writer.body.load(weights, &entry);
                let value = writer.body.call(Function::Mul, &[weight, value]);
                let stores = vec![(value, target, Index::flat(&at, &outer))];
                (outer, vec![most], Some(Fold::Sum), stores)
            }));
            source = match target {
                Target::Array(array) => Some(array),
                Target::Node(_) => None,
            };
        }
        pending
    }

    /// A loop that `write` writes: outer and inner lengths, the fold, and values with their places.
    pub(super) fn written(
        &mut self,
        write: impl FnOnce(&mut Writer<'_, '_>) -> Written,
    ) -> Pending {
        let mut writer = Writer::new(&self.stages, &mut self.arrays);
        let (outer, inner, fold, stores) = write(&mut writer);
        Pending {
            task: Loop {
                outer,
                inner,
                body: writer.body,
                fold,
                results: Vec::new(),
            },
            stores,
            loaded: writer.loaded,
        }
    }
}

/// What a loop is made of beside its body.
pub(super) type Written = (
    Vec<usize>,
    Vec<usize>,
    Option<Fold>,
    Vec<(ansatz_cuda::program::Reg, Target, Index)>,
);

/// Inputs that the shape rule would have refused.
pub(super) fn broken(op: &'static str) -> DeviceError {
    DeviceError::Unsupported {
        op,
        remedy: "give it the inputs that its rule for shapes asks for",
    }
}

/// The store of a value.
pub(super) fn store(
    (value, index): (ansatz_cuda::program::Reg, Index),
    array: ansatz_cuda::program::Array,
) -> Store {
    Store {
        value,
        array,
        index,
    }
}
