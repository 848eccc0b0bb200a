//! From a trace to a plan: kernels stage by stage.

use std::collections::{HashMap, HashSet};

use ansatz_cuda::DeviceScalar;
use ansatz_cuda::program::{Array, Builder, Fold, Index, Loop, Plan, Precision, Product, Reg};

use super::DeviceError;
use super::fold::store;
use super::form::{Form, Heavy};
use super::stage::Stages;
use super::value::Writer;
use crate::Element;
use crate::graph::{Id, Trace};

/// Named values that one kernel computes at most, and the weight of its body beyond which no further one comes.
const ROOTS: usize = 24;
const OPERATIONS: usize = 300;

/// Sums that one kernel folds at most.
const FOLDS: usize = 8;

/// Where values are.
pub(super) trait Arrays {
    /// The array of a node.
    fn of(&mut self, id: Id) -> Array;

    /// Known whole numbers.
    fn table(&mut self, values: &[u32]) -> Array;
}

/// Arrays of nodes, made when they are asked for.
pub(super) struct Memory<'t, T> {
    pub(super) builder: Builder<T>,
    trace: &'t Trace,
    of: HashMap<Id, Array>,
    tables: HashMap<Vec<u32>, Array>,
}

impl<T: Element + DeviceScalar> Arrays for Memory<'_, T> {
    fn of(&mut self, id: Id) -> Array {
        self.array_of(id)
    }

    fn table(&mut self, values: &[u32]) -> Array {
        if let Some(known) = self.tables.get(values) {
            return *known;
        }
        let array = self.builder.table(values);
        self.tables.insert(values.to_vec(), array);
        array
    }
}

impl<T: Element + DeviceScalar> Memory<'_, T> {
    pub(super) fn array_of(&mut self, id: Id) -> Array {
        if let Some(known) = self.of.get(&id) {
            return *known;
        }
        let node = &self.trace.nodes[id as usize];
        let array = match node.primitive.lowering() {
            crate::op::Lowering::Constant(values) => {
                let values: Vec<T> = values.iter().map(|v| T::of(*v)).collect();
                self.builder.constant(&values)
            }
            _ => self.builder.array(node.shape.len()),
        };
        self.of.insert(id, array);
        array
    }
}

/// What a value goes to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A node's array, if anything reads it.
    Node(Id),
    /// This array.
    Array(Array),
}

/// A loop whose results are chosen once it is known what is read.
pub(super) struct Pending {
    pub(super) task: Loop,
    pub(super) stores: Vec<(Reg, Target, Index)>,
    pub(super) loaded: HashSet<Id>,
}

/// Sums, or largest elements, of arrays of one shape along the same axes.
struct Folds {
    shape: Vec<usize>,
    axes: Vec<usize>,
    fold: Fold,
    nodes: Vec<Id>,
}

enum Work {
    Loop(Pending),
    Product(Product),
}

/// A trace on its way.
pub(super) struct Lowering<'t, T> {
    pub(super) stages: Stages<'t>,
    pub(super) arrays: Memory<'t, T>,
    pub(super) precision: Precision,
    /// Nodes whose arrays are read.
    pub(super) loaded: HashSet<Id>,
}

pub(super) fn lower<T: Element + DeviceScalar>(
    trace: &Trace,
    precision: Precision,
) -> Result<Plan<T>, DeviceError> {
    let stages = Stages::new(trace)?;
    let mut builder = Builder::new();
    let inputs = trace.inputs.iter();
    let of = inputs
        .map(|id| (*id, builder.input(trace.shape(*id).len())))
        .collect();
    let mut lowering = Lowering {
        stages,
        arrays: Memory {
            builder,
            trace,
            of,
            tables: HashMap::new(),
        },
        precision,
        loaded: HashSet::new(),
    };
    let mut work = Vec::new();
    let last = lowering.stages.stage.iter().copied().max().unwrap_or(0);
    let mut light: Vec<Vec<Id>> = vec![Vec::new(); last + 1];
    let mut heavy: Vec<Vec<Id>> = vec![Vec::new(); last + 1];
    for id in 0..trace.nodes.len() as Id {
        let (named, stage) = (
            lowering.stages.named[id as usize],
            lowering.stages.stage[id as usize],
        );
        match lowering.stages.form(id) {
            Form::Heavy(_) => heavy[stage].push(id),
            _ if named => light[stage].push(id),
            _ => {}
        }
    }
    for (light, heavy) in light.iter().zip(&heavy) {
        lowering.stage(light, heavy, &mut work)?;
    }
    lowering.finish(work)
}

impl<T: Element + DeviceScalar> Lowering<'_, T> {
    /// The kernels of a stage.
    fn stage(
        &mut self,
        light: &[Id],
        heavy: &[Id],
        work: &mut Vec<Work>,
    ) -> Result<(), DeviceError> {
        let mut groups: Vec<(usize, Vec<Id>)> = Vec::new();
        for id in light {
            let len = self.stages.trace.shape(*id).len();
            match groups.iter_mut().find(|(n, _)| *n == len) {
                Some((_, list)) => list.push(*id),
                None => groups.push((len, vec![*id])),
            }
        }
        for (_, list) in groups {
            let mut rest = &list[..];
            while !rest.is_empty() {
                let (pending, done) = self.points(rest);
                work.push(Work::Loop(pending));
                rest = &rest[done..];
            }
        }
        // Sums of arrays of one shape along the same axes share a loop.
        let mut folds: Vec<Folds> = Vec::new();
        // Products of equal sizes follow each other, so that they can go together.
        let mut heavy = heavy.to_vec();
        heavy.sort_by_key(|id| {
            let shapes = self
                .stages
                .inputs(*id)
                .iter()
                .map(|i| self.stages.trace.shape(*i));
            match self.stages.form(*id) {
                Form::Heavy(Heavy::MatMul(op)) => {
                    let shapes: Vec<&[usize]> = shapes.map(|s| &s[..]).collect();
                    Some((op.left as u8, op.right as u8, shapes))
                }
                _ => None,
            }
        });
        for id in &heavy {
            let Form::Heavy(kind) = self.stages.form(*id) else {
                continue;
            };
            let mut fold = |axes: &[usize], fold: Fold| {
                let shape = self.stages.trace.shape(self.stages.inputs(*id)[0]).to_vec();
                let found = folds.iter_mut().find(|f| {
                    (&f.shape, &f.axes[..], f.fold) == (&shape, axes, fold) && f.nodes.len() < FOLDS
                });
                match found {
                    Some(folds) => folds.nodes.push(*id),
                    None => folds.push(Folds {
                        shape,
                        axes: axes.to_vec(),
                        fold,
                        nodes: vec![*id],
                    }),
                }
            };
            match kind {
                Heavy::Sum(axes) => fold(axes, Fold::Sum),
                Heavy::Largest(op) => fold(&op.axes, Fold::Largest),
                Heavy::MatMul(op) => work.push(Work::Product(self.matmul(*id, op)?)),
                Heavy::Contract(op) => work.push(Work::Product(self.contract(*id, op)?)),
                Heavy::Correlation(op) => work.push(Work::Product(self.correlation(*id, op)?)),
                Heavy::ScatterAdd(op) => work.push(Work::Loop(self.scatter(*id, op)?)),
                Heavy::ScatterAddAt(op) => work.push(Work::Loop(self.scatter_at(*id, op)?)),
                Heavy::CumulativeSum(op) => work.push(Work::Loop(self.running(*id, *op)?)),
                Heavy::Separable(op) => {
                    work.extend(self.separable(*id, op).into_iter().map(Work::Loop));
                }
            }
        }
        for folds in folds {
            let pending = self.fold(&folds.nodes, &folds.axes, folds.fold);
            work.push(Work::Loop(pending));
        }
        Ok(())
    }

    /// A kernel for the first of some values with as many elements, and how many of them it computes.
    fn points(&mut self, nodes: &[Id]) -> (Pending, usize) {
        let trace = self.stages.trace;
        let mut shape = Vec::new();
        let mut count = 0;
        for id in nodes.iter().take(ROOTS) {
            let Some(finer) = refined(&shape, trace.shape(*id), count == 0) else {
                break;
            };
            shape = finer;
            count += 1;
        }
        let point = Index::flat(&Index::axes(&shape, 0), &shape);
        let mut writer = Writer::new(&self.stages, &mut self.arrays);
        writer.point = point.clone();
        let mut stores = Vec::new();
        for id in &nodes[..count] {
            if !stores.is_empty() && writer.body.weight() > OPERATIONS {
                break;
            }
            writer.own.insert(*id);
            let at = point.unflat(trace.shape(*id));
            let value = writer.value(*id, &at);
            stores.push((value, Target::Node(*id), point.clone()));
        }
        let done = stores.len();
        let pending = Pending {
            task: Loop {
                outer: shape,
                inner: Vec::new(),
                body: writer.body,
                fold: None,
                results: Vec::new(),
            },
            stores,
            loaded: writer.loaded,
        };
        (pending, done)
    }

    fn finish(mut self, work: Vec<Work>) -> Result<Plan<T>, DeviceError> {
        let trace = self.stages.trace;
        let mut outputs = Vec::new();
        let mut copies = Vec::new();
        let mut wanted = std::mem::take(&mut self.loaded);
        for pending in work.iter().filter_map(|w| match w {
            Work::Loop(pending) => Some(pending),
            Work::Product(_) => None,
        }) {
            wanted.extend(&pending.loaded);
        }
        for id in &trace.outputs {
            let base = self.stages.base(*id);
            if self.stages.is_leaf(*id) {
                // What is given or known is copied.
                let array = self.arrays.builder.array(trace.shape(*id).len());
                let shape = trace.shape(*id).to_vec();
                let at = Index::axes(&shape, 0);
                copies.push(self.written(|writer| {
                    let value = writer.value(*id, &at);
                    let stores = vec![(value, Target::Array(array), Index::flat(&at, &shape))];
                    (shape, Vec::new(), None, stores)
                }));
                outputs.push(array);
            } else {
                let source = if self.stages.is_leaf(base) { *id } else { base };
                wanted.insert(source);
                outputs.push(self.arrays.array_of(source));
            }
        }
        for item in work.into_iter().chain(copies.into_iter().map(Work::Loop)) {
            match item {
                Work::Product(product) => self.arrays.builder.add_product(&product)?,
                Work::Loop(Pending {
                    mut task, stores, ..
                }) => {
                    for (value, target, index) in stores {
                        let array = match target {
                            Target::Array(array) => array,
                            Target::Node(id) if wanted.contains(&id) => self.arrays.array_of(id),
                            Target::Node(_) => continue,
                        };
                        task.results.push(store((value, index), array));
                    }
                    if !task.results.is_empty() {
                        self.arrays.builder.add_loop(task)?;
                    }
                }
            }
        }
        Ok(self.arrays.builder.finish(&outputs)?)
    }
}

/// The shape whose axes split into those of both, if there is one.
fn refined(a: &[usize], b: &[usize], first: bool) -> Option<Vec<usize>> {
    if first {
        return Some(b.to_vec());
    }
    let steps = |shape: &[usize]| {
        let mut steps = vec![1];
        for n in shape.iter().rev() {
            steps.push(steps[steps.len() - 1] * n);
        }
        steps
    };
    let mut all = [steps(a), steps(b)].concat();
    all.sort_unstable();
    all.dedup();
    if all[0] == 0 {
        return None;
    }
    let fits = all.windows(2).all(|w| w[1].is_multiple_of(w[0]));
    fits.then(|| all.windows(2).rev().map(|w| w[1] / w[0]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_refined() {
        assert_eq!(refined(&[6, 8], &[48], false), Some(vec![6, 8]));
        assert_eq!(refined(&[6, 8], &[12, 4], false), Some(vec![6, 2, 4]));
        assert_eq!(refined(&[6, 8], &[16, 3], false), None);
        assert_eq!(refined(&[], &[1, 1], false), Some(vec![]));
        assert_eq!(refined(&[], &[2, 3], true), Some(vec![2, 3]));
    }
}
