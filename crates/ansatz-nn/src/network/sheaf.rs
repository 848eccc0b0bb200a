//! Neural sheaf diffusion: networks on graphs whose neighbours may well be unlike.
//!
//! A cellular sheaf gives each node v a space of d numbers (its stalk) and each end v of an edge e a matrix F_{v◁e}, the
//! restriction map. The disagreement along an edge is (δx)_e = F_{v◁e}·x_v − F_{u◁e}·x_u, and the sheaf Laplacian
//! L = δᵀδ the operator whose diffusion makes it vanish. With all maps 1 that is the graph Laplacian, which makes
//! neighbours alike; with maps that are learnt from the features, neighbours may end apart: on graphs where edges
//! join unlike nodes (heterophily) diffusion then separates classes instead of mixing them.
//!
//! A layer is X ← (1 + tanh ε)·X − σ(Δ(1 ⊗ W₁)·X·W₂), Δ = D^(−½)·L·D^(−½) the normalised Laplacian of maps that are
//! functions of X; its continuous form dX/dt = −σ(Δ(1 ⊗ W₁)·X·W₂) is [`SheafDiffusion::velocity`]. L is never formed:
//! δ and δᵀ are rows taken and added. Cost O(edges·d²·channels + edges·d³) for general and orthogonal maps,
//! O(edges·d·channels) for diagonal ones.
//!
//! Reference: C. Bodnar, F. Di Giovanni, B. P. Chamberlain, P. Liò, M. M. Bronstein, *Neural sheaf diffusion: a topological
//! perspective on heterophily and oversmoothing in GNNs*, 2022 (definitions 1 to 3, sections 4 and 5).

mod diffusion;
mod laplacian;
mod learner;
mod maps;
mod network;

pub use diffusion::{Refresh, SheafDiffusion, SheafOptions};
pub use laplacian::{Normalisation, SheafLaplacian};
pub use learner::{EdgeWeights, Fixed, Learner};
pub use maps::{Frame, MapFamily, Maps};
pub use network::SheafNetwork;

use std::sync::Arc;

use super::graph::check_edges;
use crate::NetworkError;

/// An undirected graph without loops, and the ends of its edges. Cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheafGraph {
    nodes: usize,
    edges: usize,
    /// For each end of an edge its node: the first ends of all edges, then the second ones.
    near: Arc<[usize]>,
    /// The node at the other end.
    far: Arc<[usize]>,
}

impl SheafGraph {
    /// A graph of `nodes` nodes with these edges. Either order of an edge's ends is the same edge.
    ///
    /// # Errors
    /// [`NetworkError::Edge`] for a node that is not there, an edge of a node to itself, and an edge that is there twice.
    pub fn new(nodes: usize, edges: &[(usize, usize)]) -> Result<Self, NetworkError> {
        check_edges(nodes, edges)?;
        let first = edges.iter().map(|e| e.0);
        let second = edges.iter().map(|e| e.1);
        Ok(Self {
            nodes,
            edges: edges.len(),
            near: first.clone().chain(second.clone()).collect(),
            far: second.chain(first).collect(),
        })
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Number of edges.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.edges
    }
}
