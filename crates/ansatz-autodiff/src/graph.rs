//! Array programs while they are written: nodes in order, each made once.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::array::settled;
use crate::op::{Constant, Input, Lowering, Primitive};
use crate::{Array, AutodiffError, Shape};

/// Index of a node.
pub(crate) type Id = u32;

/// A checkpointed part of the program; 0 is the program itself.
pub(crate) type Region = u32;

/// One operation and what it is applied to.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) primitive: Arc<dyn Primitive>,
    pub(crate) inputs: Vec<Id>,
    pub(crate) shape: Shape,
    /// The innermost region that it was written in.
    pub(crate) region: Region,
}

/// Two nodes with the same key are the same value.
type Key = (TypeId, Vec<u64>, Vec<Id>, Shape);

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    pub(crate) list: Vec<Node>,
    known: HashMap<Key, Id>,
    pub(crate) inputs: Vec<Id>,
    /// The region around each region but the program.
    around: Vec<Region>,
    /// The region that is being written in.
    current: Region,
}

impl Nodes {
    pub(crate) fn around(&self, region: Region) -> Region {
        self.around[region as usize - 1]
    }

    /// Whether `inner` is a region in `outer`, or that one.
    pub(crate) fn holds(&self, outer: Region, mut inner: Region) -> bool {
        while inner > outer {
            inner = self.around(inner);
        }
        inner == outer
    }
}

/// A program that is being written. Arrays borrow it; equal expressions share a node.
#[derive(Debug, Default)]
pub struct Graph {
    pub(crate) nodes: RefCell<Nodes>,
}

/// Goes back to the region that was written in before.
pub(crate) struct Within<'a>(&'a Graph, Region);

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.0.nodes.borrow_mut().current = self.1;
    }
}

impl Graph {
    /// An empty program.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next input of the program.
    pub fn input(&self, shape: &[usize]) -> Array<'_> {
        self.add_input(shape, false)
    }

    /// The next input, whose first axis numbers independent points: the compiler may split it.
    ///
    /// # Panics
    /// For a shape without axes; [`Graph::try_batch`] gives an error.
    #[track_caller]
    pub fn batch(&self, shape: &[usize]) -> Array<'_> {
        settled(self.try_batch(shape))
    }

    /// [`Graph::batch`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_batch(&self, shape: &[usize]) -> Result<Array<'_>, AutodiffError> {
        if shape.is_empty() {
            let problem = "a batch has a first axis";
            return Err(AutodiffError::operation("batch", problem, &[]));
        }
        Ok(self.add_input(shape, true))
    }

    fn add_input(&self, shape: &[usize], batched: bool) -> Array<'_> {
        let index = self.nodes.borrow().inputs.len();
        let input = Input { index, batched };
        let id = self.push(Arc::new(input), Vec::new(), Shape::new(shape));
        self.nodes.borrow_mut().inputs.push(id);
        Array { graph: self, id }
    }

    /// A number.
    pub fn number(&self, value: f64) -> Array<'_> {
        self.constant(&[], vec![value])
    }

    /// An array of given elements, row by row.
    ///
    /// # Panics
    /// When the number of elements is not that of the shape; [`Graph::try_constant`] gives an error.
    #[track_caller]
    pub fn constant(&self, shape: &[usize], values: Vec<f64>) -> Array<'_> {
        settled(self.try_constant(shape, values))
    }

    /// [`Graph::constant`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_constant(
        &self,
        shape: &[usize],
        values: Vec<f64>,
    ) -> Result<Array<'_>, AutodiffError> {
        let shape = Shape::new(shape);
        if values.len() != shape.len() {
            let problem = format!("{} elements are given", values.len());
            return Err(AutodiffError::operation("constant", problem, &[shape]));
        }
        let id = self.push(Arc::new(Constant::new(values)), Vec::new(), shape);
        Ok(Array { graph: self, id })
    }

    /// Applies a primitive of your own.
    ///
    /// # Panics
    /// When its rule for shapes refuses those of the inputs; [`Graph::try_apply`] gives an error.
    #[track_caller]
    pub fn apply<'g>(&'g self, primitive: impl Primitive, inputs: &[Array<'g>]) -> Array<'g> {
        settled(self.try_apply(primitive, inputs))
    }

    /// [`Graph::apply`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_apply<'g>(
        &'g self,
        primitive: impl Primitive,
        inputs: &[Array<'g>],
    ) -> Result<Array<'g>, AutodiffError> {
        self.try_make(Arc::new(primitive), inputs)
    }

    #[track_caller]
    pub(crate) fn make<'g>(
        &'g self,
        primitive: Arc<dyn Primitive>,
        inputs: &[Array<'g>],
    ) -> Array<'g> {
        settled(self.try_make(primitive, inputs))
    }

    pub(crate) fn try_make<'g>(
        &'g self,
        primitive: Arc<dyn Primitive>,
        inputs: &[Array<'g>],
    ) -> Result<Array<'g>, AutodiffError> {
        let shapes: Vec<Shape> = inputs.iter().map(Array::shape).collect();
        let shape = primitive
            .shape(&shapes)
            .map_err(|problem| AutodiffError::operation(primitive.name(), problem, &shapes))?;
        let ids: Vec<Id> = inputs.iter().map(|a| a.id).collect();
        let id = self.push(primitive, ids, shape);
        Ok(Array { graph: self, id })
    }

    /// The region that is being written in.
    pub(crate) fn current(&self) -> Region {
        self.nodes.borrow().current
    }

    /// A new region in `around`.
    pub(crate) fn region(&self, around: Region) -> Region {
        let mut nodes = self.nodes.borrow_mut();
        nodes.around.push(around);
        nodes.around.len() as Region
    }

    /// Writes in a region while what this gives is held.
    #[must_use]
    pub(crate) fn within(&self, region: Region) -> Within<'_> {
        let before = std::mem::replace(&mut self.nodes.borrow_mut().current, region);
        Within(self, before)
    }

    pub(crate) fn push(&self, primitive: Arc<dyn Primitive>, inputs: Vec<Id>, shape: Shape) -> Id {
        let mut nodes = self.nodes.borrow_mut();
        let key = primitive.parameters().map(|p| {
            (
                primitive.as_ref().type_id(),
                p,
                inputs.clone(),
                shape.clone(),
            )
        });
        if let Some(id) = key.as_ref().and_then(|k| nodes.known.get(k)) {
            return *id;
        }
        let id = nodes.list.len() as Id;
        let region = nodes.current;
        nodes.list.push(Node {
            primitive,
            inputs,
            shape,
            region,
        });
        if let Some(key) = key {
            nodes.known.insert(key, id);
        }
        id
    }

    pub(crate) fn node(&self, id: Id) -> Node {
        self.nodes.borrow().list[id as usize].clone()
    }

    /// Ends the writing: the program that computes `outputs` from all inputs, without what they do not
    /// need.
    #[must_use]
    pub fn finish(&self, outputs: &[Array<'_>]) -> Trace {
        let nodes = self.nodes.borrow();
        let mut used = vec![false; nodes.list.len()];
        for output in outputs {
            used[output.id as usize] = true;
        }
        for id in (0..nodes.list.len()).rev() {
            if used[id] {
                for input in &nodes.list[id].inputs {
                    used[*input as usize] = true;
                }
            }
        }
        for input in &nodes.inputs {
            used[*input as usize] = true;
        }
        let mut renamed = vec![Id::MAX; nodes.list.len()];
        let mut list = Vec::new();
        for (id, node) in nodes.list.iter().enumerate().filter(|(id, _)| used[*id]) {
            renamed[id] = list.len() as Id;
            let inputs = node.inputs.iter().map(|i| renamed[*i as usize]);
            list.push(Node {
                inputs: inputs.collect(),
                ..node.clone()
            });
        }
        let rename = |ids: &[Id]| ids.iter().map(|i| renamed[*i as usize]).collect();
        let outputs: Vec<Id> = outputs.iter().map(|a| a.id).collect();
        Trace {
            nodes: list,
            inputs: rename(&nodes.inputs),
            outputs: rename(&outputs),
        }
    }
}

/// A finished program: what [`Program`](crate::Program) compiles.
#[derive(Debug, Clone)]
pub struct Trace {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<Id>,
    pub(crate) outputs: Vec<Id>,
}

impl Trace {
    /// Floating-point operations of one run, by the primitives' own counts.
    #[must_use]
    pub fn flops(&self) -> u64 {
        let nodes = self.nodes.iter();
        nodes
            .map(|node| {
                let inputs: Vec<&Shape> = node.inputs.iter().map(|i| self.shape(*i)).collect();
                node.primitive.flops(&inputs, &node.shape)
            })
            .sum()
    }

    pub(crate) fn shape(&self, id: Id) -> &Shape {
        &self.nodes[id as usize].shape
    }

    /// Shapes of the inputs.
    pub fn input_shapes(&self) -> impl Iterator<Item = &Shape> {
        self.inputs.iter().map(|i| self.shape(*i))
    }

    /// Shapes of the outputs.
    pub fn output_shapes(&self) -> impl Iterator<Item = &Shape> {
        self.outputs.iter().map(|i| self.shape(*i))
    }
}

impl fmt::Display for Trace {
    /// One line a node: `%3 [64, 32] = tanh %2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            let mut line = format!("%{id} {} = {}", node.shape, node.primitive.name());
            if let Lowering::Input { index, .. } = node.primitive.lowering() {
                write!(line, " {index}")?;
            }
            for input in &node.inputs {
                write!(line, " %{input}")?;
            }
            writeln!(f, "{line}")?;
        }
        let outputs: Vec<String> = self.outputs.iter().map(|i| format!("%{i}")).collect();
        writeln!(f, "return {}", outputs.join(" "))
    }
}
