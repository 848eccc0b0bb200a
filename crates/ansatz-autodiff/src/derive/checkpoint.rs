//! Checkpoints: parts of a program that reverse mode computes again rather than keep.
//!
//! Cotangents need the values on the way to the result, so all of them are kept until they are used: memory
//! grows with the length of a chain. A region's interior is forgotten and made again from what it reads
//! when its cotangents arrive, for the price of one more evaluation. A chain of n equal steps cut into √n
//! regions keeps about 2·√n steps; regions in regions, to depth d, keep about d·n^(1/d).
//!
//! A region is a mark on nodes. Nodes that derivatives forwards make of a region's nodes belong to it as well, and
//! what a cotangent makes of it is a region of its own, so derivatives of derivatives are checkpointed, too. A
//! copy of a region begins with links: the same arrays under names of their own, never taken for those that they are
//! equal to, and not there before the cotangents of what is read of the region are.
//!
//! Reference: A. Griewank, A. Walther, *Algorithm 799: revolve*, ACM Transactions on Mathematical Software 26, 2000;
//! T. Chen, B. Xu, C. Zhang, C. Guestrin, *Training deep nets with sublinear memory cost*, 2016.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::graph::{Id, Node, Region};
use crate::op::{Later, Link, Lowering};
use crate::{Array, Graph};

impl Graph {
    /// What `function` writes, checkpointed: derivatives backwards compute its interior again, from what it reads
    /// outside, rather than keep it.
    ///
    /// Values and derivatives are the same as without, in every mode and to any order. Forward modes cost the same.
    /// [`vjp`](crate::vjp), [`gradient`](crate::gradient) and what is made of them evaluate the region once more for each
    /// call that goes through it; in memory stay what it reads and what is read of it from outside. Regions may lie in
    /// regions.
    ///
    /// `inputs` are handed over under names of their own. What `function` captures is read as well, and anything
    /// computed may be captured; but what is made of captured inputs of the program alone (weights) is kept.
    ///
    /// Reference: A. Griewank, A. Walther, *Evaluating derivatives*, 2nd edition, 2008, chapter 12.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program, gradient};
    /// let g = Graph::new();
    /// let (x, w) = (g.input(&[64, 8]), g.input(&[8, 8]));
    /// let mut y = x;
    /// for _ in 0..10 {
    ///     // Ten blocks of ten layers: of each block the result is kept, and one interior at a time.
    ///     y = g.checkpoint([y], |[y]| (0..10).fold(y, |y, _| y.matmul(w).tanh()));
    /// }
    /// let slope = gradient(y.sum(), &[w])[0];
    /// let program = Program::<f32>::compile(&g.finish(&[slope]), &Options::default())?;
    /// # assert_eq!(&slope.shape()[..], [8, 8]);
    /// # let mut out = [0.0; 64];
    /// # program.run(&[&[0.1; 512], &[0.1; 64]], &mut [&mut out])?;
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    pub fn checkpoint<'g, const N: usize, R>(
        &'g self,
        inputs: [Array<'g>; N],
        function: impl FnOnce([Array<'g>; N]) -> R,
    ) -> R {
        let region = self.region(self.current());
        let _in = self.within(region);
        function(inputs.map(|x| x.make(Link, &[x])))
    }

    /// Where derivatives forwards of a node are written: in its region, unless `current` is in that.
    pub(super) fn beside(&self, id: Id, current: Region) -> Region {
        let nodes = self.nodes.borrow();
        let region = nodes.list[id as usize].region;
        if nodes.holds(region, current) {
            current
        } else {
            region
        }
    }

    /// What a region waits for to be computed again: the cotangents that are there when the first node `id` of it is needed,
    /// of nodes of the region `original`; and all that this node reads outside, so that no part begins before the
    /// others can.
    fn before<'g>(
        &'g self,
        (region, id): (Region, Id),
        (original, bars): (Region, &HashMap<Id, Array<'g>>),
    ) -> Vec<Id> {
        let nodes = self.nodes.borrow();
        let inside = |region, id: Id| nodes.holds(region, nodes.list[id as usize].region);
        let known = bars.iter().filter(|(id, _)| inside(original, **id));
        let mut before: BTreeSet<Id> = known.map(|(_, bar)| bar.id).collect();
        let (mut seen, mut stack) = (HashSet::new(), vec![id]);
        while let Some(id) = stack.pop() {
            if !inside(region, id) {
                before.insert(id);
            } else if seen.insert(id) {
                let node = &nodes.list[id as usize];
                stack.extend(&node.inputs[..read(node)]);
            }
        }
        // Copies of an array are there when it is, inputs and constants always.
        let source = |mut id: Id| {
            while nodes.list[id as usize].primitive.lowering() == Lowering::Broadcast {
                id = nodes.list[id as usize].inputs[0];
            }
            id
        };
        let before: BTreeSet<Id> = before.into_iter().map(source).collect();
        let made = |id: &Id| !is_leaf(&nodes.list[*id as usize]);
        before.into_iter().filter(made).collect()
    }

    /// The outermost of the regions that a node is in and `current` is not.
    fn entered(&self, id: Id, current: Region) -> Option<Region> {
        let nodes = self.nodes.borrow();
        let mut region = nodes.list[id as usize].region;
        let mut outermost = None;
        while !nodes.holds(region, current) {
            outermost = Some(region);
            region = nodes.around(region);
        }
        outermost
    }
}

fn is_leaf(node: &Node) -> bool {
    let lowering = node.primitive.lowering();
    matches!(lowering, Lowering::Input { .. } | Lowering::Constant(_))
}

/// How many of its inputs a node reads, rather than wait for them.
fn read(node: &Node) -> usize {
    match node.primitive.lowering() {
        Lowering::Link => 1,
        _ => node.inputs.len(),
    }
}

/// The regions that one sweep of cotangents has computed again.
pub(super) struct Again<'g> {
    graph: &'g Graph,
    regions: HashMap<Region, Copied>,
}

/// A region that is written again.
struct Copied {
    /// The new region of each that lies in it.
    regions: HashMap<Region, Region>,
    /// What must be there before.
    after: Vec<Id>,
    nodes: HashMap<Id, Id>,
}

impl<'g> Again<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        Self {
            graph,
            regions: HashMap::new(),
        }
    }

    /// The node by which `id` is differentiated, and the region of what is made of it. `bars` are the cotangents so far.
    pub(super) fn place(&mut self, id: Id, bars: &HashMap<Id, Array<'g>>) -> (Id, Region) {
        let (graph, mut at, mut current) = (self.graph, id, self.graph.current());
        // The regions around the node and around its copies are alike.
        let mut around = graph.nodes.borrow().list[id as usize].region;
        let mut depths = Vec::new();
        while !graph.nodes.borrow().holds(around, current) {
            depths.push(around);
            around = graph.nodes.borrow().around(around);
        }
        while let Some(region) = graph.entered(at, current) {
            let original = depths.pop().unwrap_or(region);
            let copied = match self.regions.entry(region) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(Copied {
                    regions: HashMap::from([(region, graph.region(current))]),
                    after: graph.before((region, at), (original, bars)),
                    nodes: HashMap::new(),
                }),
            };
            current = copied.regions[&region];
            let copy = copied.node(graph, region, at);
            // What reads weights alone is kept.
            if copy == at {
                break;
            }
            at = copy;
        }
        (at, current)
    }
}

impl Copied {
    /// The copy of a node of `region`.
    fn node(&mut self, graph: &Graph, region: Region, id: Id) -> Id {
        let mut missing: BTreeSet<Id> = BTreeSet::new();
        let mut stack = vec![id];
        {
            let nodes = graph.nodes.borrow();
            while let Some(id) = stack.pop() {
                let node = &nodes.list[id as usize];
                let lowering = node.primitive.lowering();
                // Copies of an array outside are made again as well, so that rules see what they are.
                let inside = nodes.holds(region, node.region) || lowering == Lowering::Broadcast;
                if inside && !self.nodes.contains_key(&id) && missing.insert(id) {
                    stack.extend(&node.inputs[..read(node)]);
                }
            }
        }
        for id in missing {
            let copy = self.copy(graph, region, id);
            self.nodes.insert(id, copy);
        }
        self.nodes[&id]
    }

    fn copy(&mut self, graph: &Graph, region: Region, id: Id) -> Id {
        let node = graph.node(id);
        let outside = !graph.nodes.borrow().holds(region, node.region);
        let here = self.region(graph, if outside { region } else { node.region });
        let _in = graph.within(here);
        if node.primitive.lowering() == Lowering::Link {
            let source = node.inputs[0];
            let source = self.nodes.get(&source).copied().unwrap_or(source);
            return self.link(graph, source);
        }
        let inputs: Vec<Id> = node.inputs.iter().map(|i| self.input(graph, *i)).collect();
        graph.push(node.primitive, inputs, node.shape)
    }

    /// What the copy of a node reads for `id`.
    fn input(&mut self, graph: &Graph, id: Id) -> Id {
        if let Some(copy) = self.nodes.get(&id) {
            return *copy;
        }
        let node = graph.node(id);
        let copy = if is_leaf(&node) {
            id
        } else {
            self.link(graph, id)
        };
        self.nodes.insert(id, copy);
        copy
    }

    fn link(&self, graph: &Graph, source: Id) -> Id {
        let shape = graph.node(source).shape;
        let mut inputs = vec![source];
        inputs.extend(&self.after);
        graph.push(Arc::new(Later), inputs, shape)
    }

    fn region(&mut self, graph: &Graph, old: Region) -> Region {
        if let Some(new) = self.regions.get(&old) {
            return *new;
        }
        let around = graph.nodes.borrow().around(old);
        let around = self.region(graph, around);
        let new = graph.region(around);
        self.regions.insert(old, new);
        new
    }
}
