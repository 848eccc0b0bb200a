//! A classifier of nodes by sheaf diffusion.

use ansatz_autodiff::Array;

use super::{Refresh, SheafDiffusion, SheafGraph, SheafOptions};
use crate::layer::{Dense, Dropout, Layer};
use crate::{NetworkError, Pass, Scope};

/// Features `[nodes, inputs]` → a dense layer to stalks → layers of [`SheafDiffusion`] → a dense layer to
/// `[nodes, outputs]`: `first`, `layers.0`, …, `last`. All nodes of the graph are evaluated together.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::sheaf::{SheafGraph, SheafNetwork, SheafOptions};
/// use ansatz_nn::{Layer, Layout, Mode, Pass};
/// let mut layout = Layout::new();
/// let path = SheafGraph::new(4, &[(0, 1), (1, 2), (2, 3)])?;
/// let net = SheafNetwork::new(&mut layout.root(), &path, (7, 3), &SheafOptions::default())?;
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let y = net.apply(&pass, graph.input(&[4, 7]));
/// assert_eq!(&y.shape()[..], [4, 3]);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SheafNetwork {
    graph: SheafGraph,
    options: SheafOptions,
    first: Dense,
    layers: Vec<SheafDiffusion>,
    last: Dense,
}

impl SheafNetwork {
    /// A network on a graph, from this number of features to that of classes.
    ///
    /// # Errors
    /// As [`SheafDiffusion::new`]; [`NetworkError::Option`] without layers, or for a rate of dropout outside [0, 1).
    pub fn new(
        scope: &mut Scope<'_>,
        graph: &SheafGraph,
        (inputs, outputs): (usize, usize),
        options: &SheafOptions,
    ) -> Result<Self, NetworkError> {
        options.check(graph)?;
        let width = options.stalk() * options.channels;
        let first = Dense::new(&mut scope.scope("first"), inputs, width);
        let layer = |i: usize| {
            let learns = i == 0 || options.refresh == Refresh::EachLayer;
            let mut scope = scope.scope(format!("layers.{i}"));
            SheafDiffusion::checked(&mut scope, graph, options, learns)
        };
        let layers = (0..options.layers).map(layer).collect();
        Ok(Self {
            graph: graph.clone(),
            options: options.clone(),
            first,
            layers,
            last: Dense::new(&mut scope.scope("last"), width, outputs),
        })
    }

    /// Its layers.
    #[must_use]
    pub fn layers(&self) -> &[SheafDiffusion] {
        &self.layers
    }
}

impl Layer for SheafNetwork {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let (n, d, f) = (
            self.graph.nodes(),
            self.options.stalk(),
            self.options.channels,
        );
        let (input, between) = self.options.dropout;
        let drop = |rate: f64, x: Array<'g>| Dropout { rate }.apply(pass, x);
        let x = self.first.apply(pass, drop(input, x));
        let x = drop(between, self.options.activation.at(x));
        let mut x = x.reshape(&[n, d, f]);
        let mut laplacian = None;
        for (i, layer) in self.layers.iter().enumerate() {
            // The first layer's features have been dropped from already.
            let seen = if i == 0 { x } else { drop(between, x) };
            if let Some(own) = layer.laplacian(pass, seen) {
                laplacian = Some(own);
            }
            if let Some(laplacian) = &laplacian {
                x = layer.step(pass, laplacian, (x, seen));
            }
        }
        self.last.apply(pass, x.reshape(&[n, d * f]))
    }
}
