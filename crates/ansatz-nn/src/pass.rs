//! A network's evaluation in a graph.

use std::cell::RefCell;
use std::ops::Index;

use ansatz_autodiff::{Array, Graph};

use crate::{Layout, Parameter};

/// What an evaluation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Dropout drops, normalisations over the batch take the batch's statistics and update their averages.
    Train,
    /// Nothing is random, and averages are used.
    #[default]
    Evaluate,
}

/// The parameters of a network as arrays of a graph, and what its layers ask for beside them. `pass[p]` is the
/// array of the parameter `p`.
#[derive(Debug)]
pub struct Pass<'g> {
    arrays: Vec<Array<'g>>,
    mode: Mode,
    /// Points of the batch.
    batch: Option<usize>,
    graph: &'g Graph,
    uniforms: RefCell<Vec<Array<'g>>>,
    updates: RefCell<Vec<(Parameter, Array<'g>)>>,
}

impl<'g> Pass<'g> {
    /// Adds an input to the graph for each parameter, in the layout's order. `batch` is the number of points of
    /// batched inputs, if there are any.
    #[must_use]
    pub fn new(graph: &'g Graph, layout: &Layout, (mode, batch): (Mode, Option<usize>)) -> Self {
        let entries = layout.entries().iter();
        Self {
            arrays: entries.map(|e| graph.input(&e.shape)).collect(),
            mode,
            batch,
            graph,
            uniforms: RefCell::default(),
            updates: RefCell::default(),
        }
    }

    /// What the evaluation is for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// All parameters, in the layout's order.
    #[must_use]
    pub fn arrays(&self) -> &[Array<'g>] {
        &self.arrays
    }

    /// Numbers drawn uniformly from [0, 1), anew for each run: an input that whoever runs the program fills. It
    /// is batched if its first axis is as long as the batch.
    pub fn uniform(&self, shape: &[usize]) -> Array<'g> {
        let array = if self.batch.is_some() && shape.first().copied() == self.batch {
            self.graph.batch(shape)
        } else {
            self.graph.input(shape)
        };
        self.uniforms.borrow_mut().push(array);
        array
    }

    /// The inputs that [`Pass::uniform`] added.
    #[must_use]
    pub fn uniforms(&self) -> Vec<Array<'g>> {
        self.uniforms.borrow().clone()
    }

    /// The value that a buffer shall have after the run.
    pub fn update(&self, buffer: Parameter, value: Array<'g>) {
        self.updates.borrow_mut().push((buffer, value));
    }

    /// What [`Pass::update`] asked for.
    #[must_use]
    pub fn updates(&self) -> Vec<(Parameter, Array<'g>)> {
        self.updates.borrow().clone()
    }
}

impl<'g> Index<Parameter> for Pass<'g> {
    type Output = Array<'g>;

    fn index(&self, parameter: Parameter) -> &Array<'g> {
        &self.arrays[parameter.0]
    }
}
