//! Convolutions on graphs.
//!
//! Reference: T. N. Kipf, M. Welling, *Semi-supervised classification with graph convolutional networks*, 2017 (eq. 2).

use ansatz_autodiff::Array;

use crate::layer::{Dense, Layer};
use crate::{NetworkError, Pass, Scope};

/// D^{−½}·(A + I)·D^{−½}·X·Wᵀ + b on features X `[nodes, in]` of a graph that is known when the layer is made; D is the degree with
/// the node itself.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{GraphConv, Layer, Layout, Mode, Pass};
/// let mut layout = Layout::new();
/// let triangle = [(0, 1), (1, 2), (2, 0)];
/// let layer = GraphConv::new(&mut layout.root(), (4, 2), 3, &triangle)?;
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let y = layer.apply(&pass, graph.input(&[3, 4]));
/// assert_eq!(&y.shape()[..], [3, 2]);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GraphConv {
    dense: Dense,
    nodes: usize,
    /// Ends of the edges in both directions, each node's edge to itself included, and their weights.
    from: Vec<usize>,
    to: Vec<usize>,
    weights: Vec<f64>,
}

impl GraphConv {
    /// A layer on a graph of `nodes` nodes with undirected edges.
    ///
    /// # Errors
    /// [`NetworkError::Edge`] for a node that is not there, an edge of a node to itself, and an edge that is there twice.
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        nodes: usize,
        edges: &[(usize, usize)],
    ) -> Result<Self, NetworkError> {
        check_edges(nodes, edges)?;
        let mut degree = vec![1.0_f64; nodes];
        for &(a, b) in edges {
            degree[a] += 1.0;
            degree[b] += 1.0;
        }
        let both = edges.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        let (from, to): (Vec<usize>, Vec<usize>) = both.chain((0..nodes).map(|i| (i, i))).unzip();
        let weight = |(a, b): (&usize, &usize)| (degree[*a] * degree[*b]).sqrt().recip();
        let weights = from.iter().zip(&to).map(weight).collect();
        Ok(Self {
            dense: Dense::new(scope, inputs, outputs),
            nodes,
            from,
            to,
            weights,
        })
    }
}

/// Whether these are the undirected edges of a simple graph.
pub(crate) fn check_edges(nodes: usize, edges: &[(usize, usize)]) -> Result<(), NetworkError> {
    let mut seen = std::collections::HashSet::new();
    for (index, &(a, b)) in edges.iter().enumerate() {
        let problem = if a >= nodes || b >= nodes {
            "one of its ends is no node"
        } else if a == b {
            "it joins a node to itself"
        } else if !seen.insert((a.min(b), a.max(b))) {
            "it is there twice"
        } else {
            continue;
        };
        return Err(NetworkError::Edge {
            index,
            ends: (a, b),
            nodes,
            problem,
        });
    }
    Ok(())
}

impl Layer for GraphConv {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let weights = x
            .graph()
            .constant(&[self.weights.len(), 1], self.weights.clone());
        let along = x.take(0, &self.from) * weights;
        self.dense
            .apply(pass, along.scatter_add(0, &self.to, self.nodes))
    }
}
