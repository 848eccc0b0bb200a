//! Residual blocks that are skipped at the start: the network begins as a linear function of its embedding.
//!
//! Reference: S. Wang, B. Li, Y. Chen, P. Perdikaris, *PirateNets: physics-informed deep learning with residual adaptive
//! networks*, 2024 (eqs. 4.2 to 4.8; initial values of the last layer: section 4.3).

use ansatz_autodiff::Array;

use crate::layer::{Dense, Hidden, Layer, MlpOptions};
use crate::{Init, Parameter, Pass, Scope};

/// Blocks over an embedding e `[batch, width]`, with u = φ(U·e + c) and v = φ(V·e + d) of it:
///
/// f = φ(W₁x + b₁), z₁ = f·u + (1 − f)·v, g = φ(W₂z₁ + b₂), z₂ = g·u + (1 − g)·v, h = φ(W₃z₂ + b₃),
/// x ← α·h + (1 − α)·x,
///
/// and a last layer. α is a trained number of each block, 0 at the start: all blocks are skipped then, derivatives are those of
/// the embedding, and the last layer can be fitted to given values by linear least squares
/// ([`linear_least_squares`](crate::linear_least_squares)). The depth comes in as training asks for it.
///
/// Cost: three dense layers for each block and two for the encodings. Use it where deep networks of derivatives train badly;
/// [`FourierFeatures`](crate::FourierFeatures) are the usual embedding.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{FourierFeatures, Layer, Layout, MlpOptions, Mode, Pass, PirateNet, Trained};
/// let mut layout = Layout::new();
/// let mut root = layout.root();
/// let how = (1.0, Trained::Fixed);
/// let embedding = FourierFeatures::new(&mut root.scope("embedding"), 2, 32, how);
/// let net = PirateNet::new(&mut root, (64, 1), 3, &MlpOptions::default());
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let y = net.apply(&pass, embedding.apply(&pass, graph.batch(&[16, 2])));
/// assert_eq!(&y.shape()[..], [16, 1]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PirateNet {
    encoders: [Hidden; 2],
    blocks: Vec<Block>,
    last: Dense,
}

#[derive(Debug, Clone, PartialEq)]
struct Block {
    layers: [Hidden; 3],
    alpha: Parameter,
}

impl PirateNet {
    /// A network on embeddings of this width, with this many blocks. The names of the last layer are `last.weight` and
    /// `last.bias`.
    pub fn new(
        scope: &mut Scope<'_>,
        (width, outputs): (usize, usize),
        blocks: usize,
        options: &MlpOptions,
    ) -> Self {
        let sizes = (width, width);
        let encoders = ["u", "v"].map(|n| Hidden::of(&mut scope.scope(n), sizes, options));
        let block = |b| {
            let mut branch = scope.scope(format!("blocks.{b}"));
            Block {
                layers: [0, 1, 2].map(|i| Hidden::of(&mut branch.scope(i), sizes, options)),
                alpha: branch.parameter("alpha", &[1], Init::Constant(0.0)),
            }
        };
        Self {
            encoders,
            blocks: (0..blocks).map(block).collect(),
            last: Dense::of(&mut scope.scope("last"), (width, outputs), options),
        }
    }

    /// What the last layer sees.
    pub fn features<'g>(&self, pass: &Pass<'g>, embedding: Array<'g>) -> Array<'g> {
        let [u, v] = [0, 1].map(|i| self.encoders[i].apply(pass, embedding));
        let mixed = |f: Array<'g>| v + f * (u - v);
        self.blocks.iter().fold(embedding, |x, block| {
            let [first, second, third] = &block.layers;
            let z = mixed(first.apply(pass, x));
            let z = mixed(second.apply(pass, z));
            x + pass[block.alpha] * (third.apply(pass, z) - x)
        })
    }
}

impl Layer for PirateNet {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.last.apply(pass, self.features(pass, x))
    }
}
