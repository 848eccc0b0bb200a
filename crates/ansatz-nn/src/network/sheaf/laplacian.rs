//! The sheaf Laplacian, applied and never formed.

use ansatz_autodiff::Array;
use ansatz_autodiff::op::{Comparison, Side};

use super::{Maps, SheafGraph};

/// What a Laplacian is divided by. D is the block diagonal of L, D_v = Σ_{e∋v} a_e·F_{v◁e}ᵀF_{v◁e}.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalisation {
    /// L itself.
    Plain,
    /// D^(−½)·L·D^(−½), spectrum in [0, 2]. A direction that no edge sees (an isolated node) has eigenvalue 0.
    Symmetric,
    /// (D + 1)^(−½)·L·(D + 1)^(−½), spectrum in [0, 2): smooth in the maps wherever they are, and what the method's
    /// authors compute.
    #[default]
    Augmented,
}

/// L = δᵀ·A·δ of a graph with given maps, A the edges' weights, normalised: an operator on arrays `[nodes, d, channels]`.
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program};
/// use ansatz_nn::sheaf::{Maps, Normalisation, SheafGraph, SheafLaplacian};
/// // One edge between two nodes, the same map at both ends.
/// let pair = SheafGraph::new(2, &[(0, 1)])?;
/// let g = Graph::new();
/// let maps = Maps::Diagonal(g.constant(&[2, 1], vec![3.0, 3.0]));
/// let laplacian = SheafLaplacian::new(&pair, maps, None, Normalisation::Plain);
/// let y = laplacian.apply(g.input(&[2, 1, 1]));
/// let mut out = [0.0; 2];
/// Program::<f64>::compile(&g.finish(&[y]), &Options::default())?.run(&[&[1.0, 0.0]], &mut [&mut out])?;
/// assert_eq!(out, [9.0, -9.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SheafLaplacian<'g> {
    graph: SheafGraph,
    maps: Maps<'g>,
    weights: Option<Array<'g>>,
    scale: Scale<'g>,
}

/// The inverse root of the blocks of D.
#[derive(Debug, Clone, Copy)]
enum Scale<'g> {
    One,
    /// `[nodes, d or 1, 1]`.
    Numbers(Array<'g>),
    /// `[nodes, d, d]`.
    Blocks(Array<'g>),
}

impl<'g> SheafLaplacian<'g> {
    /// The operator of maps, with positive weights of the edges `[edges]` if they have any.
    ///
    /// # Panics
    /// When there is not a map for each end of each edge, or a weight for each edge.
    #[must_use]
    #[track_caller]
    pub fn new(
        graph: &SheafGraph,
        maps: Maps<'g>,
        weights: Option<Array<'g>>,
        normalisation: Normalisation,
    ) -> Self {
        let ends = 2 * graph.edges;
        let shape = maps.array().shape();
        assert!(
            shape.first() == Some(&ends),
            "{} edges have {ends} maps, not those of {shape}",
            graph.edges
        );
        let weights = weights.map(|w| w.reshape(&[graph.edges, 1, 1]));
        let mut of = Self {
            graph: graph.clone(),
            maps,
            weights,
            scale: Scale::One,
        };
        if normalisation != Normalisation::Plain {
            of.scale = of.root(normalisation);
        }
        of
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &SheafGraph {
        &self.graph
    }

    /// The maps.
    #[must_use]
    pub fn maps(&self) -> Maps<'g> {
        self.maps
    }

    /// Sums of what stands at the ends of edges `[2·edges, …]` over the edges of each node.
    fn gathered(&self, ends: Array<'g>) -> Array<'g> {
        ends.scatter_add(0, &self.graph.near, self.graph.nodes)
    }

    /// An array of edges at both of their ends.
    fn both(edges: Array<'g>) -> Array<'g> {
        Array::concatenate(&[edges, edges], 0)
    }

    fn root(&self, normalisation: Normalisation) -> Scale<'g> {
        let ends = 2 * self.graph.edges;
        let more = f64::from(u8::from(normalisation == Normalisation::Augmented));
        let weighted = |x: Array<'g>| match self.weights {
            Some(w) => x * Self::both(w),
            None => x,
        };
        // 0 where the degree is.
        let numbers = |degree: Array<'g>| {
            let degree = degree + more;
            let none = degree.compare(degree.zeros(), Comparison::LessOrEqual);
            let safe = none.select(degree.ones(), degree);
            Scale::Numbers(none.select(degree.zeros(), safe.rsqrt()))
        };
        match self.maps {
            Maps::Diagonal(f) => {
                let d = self.maps.stalk();
                numbers(self.gathered(weighted(f.square().reshape(&[ends, d, 1]))))
            }
            Maps::Orthogonal(f) => {
                let one = f.graph().number(1.0).broadcast(&[ends, 1, 1]);
                numbers(self.gathered(weighted(one)))
            }
            Maps::General(f) => {
                let d = self.maps.stalk();
                let squares = f.matmul_by(f, Side::Transposed, Side::Plain);
                let one = (0..d * d).map(|k| more * f64::from(u8::from(k / d == k % d)));
                let one = f.graph().constant(&[d, d], one.collect());
                Scale::Blocks((self.gathered(weighted(squares)) + one).inverse_root())
            }
        }
    }

    fn scaled(&self, x: Array<'g>) -> Array<'g> {
        match self.scale {
            Scale::One => x,
            Scale::Numbers(s) => x * s,
            Scale::Blocks(s) => s.matmul(x),
        }
    }

    /// δ·x: what each edge's ends disagree in, `[edges, d, channels]` for x `[nodes, d, channels]`.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[must_use]
    #[track_caller]
    pub fn coboundary(&self, x: Array<'g>) -> Array<'g> {
        let m = self.graph.edges;
        let ends = x.take(0, &self.graph.near);
        let moved = match self.maps {
            Maps::Diagonal(f) => ends * f.reshape(&[2 * m, self.maps.stalk(), 1]),
            Maps::Orthogonal(f) | Maps::General(f) => f.matmul(ends),
        };
        moved.narrow(0, 0, m) - moved.narrow(0, m, 2 * m)
    }

    /// The operator on x `[nodes, d, channels]`.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[must_use]
    #[track_caller]
    pub fn apply(&self, x: Array<'g>) -> Array<'g> {
        let mut along = self.coboundary(self.scaled(x));
        if let Some(weights) = self.weights {
            along = along * weights;
        }
        let ends = Array::concatenate(&[along, -along], 0);
        let back = match self.maps {
            Maps::Diagonal(f) => ends * f.reshape(&[2 * self.graph.edges, self.maps.stalk(), 1]),
            Maps::Orthogonal(f) | Maps::General(f) => {
                f.matmul_by(ends, Side::Transposed, Side::Plain)
            }
        };
        self.scaled(self.gathered(back))
    }
}
