//! Attention, Transformer blocks and the Macaron layer.
//!
//! References: A. Vaswani et al., *Attention is all you need*, 2017; Y. Lu et al., *Understanding and improving
//! Transformer from a multi-particle dynamic system point of view*, 2019 (the Macaron layer: half a feed-forward step,
//! attention, half a feed-forward step, as a Strang splitting; `Splitting` of `ansatz-diffeq` is the same for flows of
//! differential equations, with the orders that they reach).

use ansatz_autodiff::Array;

use super::{Activation, Dense, Dropout, Layer, LayerNorm};
use crate::{Pass, Scope};

/// Softmax(Q·Kᵀ/√d)·V for several heads: Q, K and V are `q`, `k`, `v` of the width `width`, and `out` maps the heads'
/// results back.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    query: Dense,
    key: Dense,
    value: Dense,
    out: Dense,
    heads: usize,
}

impl Attention {
    /// Attention of tokens of width `width` to tokens of width `context`.
    ///
    /// # Panics
    /// When the heads do not divide the width.
    #[track_caller]
    pub fn new(scope: &mut Scope<'_>, (width, context): (usize, usize), heads: usize) -> Self {
        assert!(
            heads > 0 && width.is_multiple_of(heads),
            "a width of {width} for {heads} heads"
        );
        let mut dense = |name, inputs| Dense::new(&mut scope.scope(name), inputs, width);
        Self {
            query: dense("q", width),
            key: dense("k", context),
            value: dense("v", context),
            out: dense("out", width),
            heads,
        }
    }

    /// Tokens `[batch, n, width]` that look at `[batch, m, context]`: `[batch, n, width]`.
    pub fn attend<'g>(&self, pass: &Pass<'g>, x: Array<'g>, context: Array<'g>) -> Array<'g> {
        let split = |y: Array<'g>| {
            let shape = y.shape();
            y.reshape(&[shape[0], shape[1], self.heads, shape[2] / self.heads])
        };
        let q = split(self.query.apply(pass, x));
        let k = split(self.key.apply(pass, context));
        let v = split(self.value.apply(pass, context));
        let scale = (q.shape()[3] as f64).sqrt().recip();
        let scores = (q * scale).contract(k, "bnhd,bmhd->bhnm").softmax(&[3]);
        let y = scores.contract(v, "bhnm,bmhd->bnhd");
        self.out.apply(pass, y.reshape(&x.shape()))
    }
}

impl Layer for Attention {
    /// Tokens that look at themselves.
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.attend(pass, x, x)
    }
}

/// Where a block normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// What enters a layer: x + f(norm x).
    #[default]
    Before,
    /// What leaves the sum: norm(x + f(x)).
    After,
}

/// How the steps of a block follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Splitting {
    /// Attention, then the feed-forward step: Lie and Trotter's.
    #[default]
    Transformer,
    /// Half a feed-forward step before and behind, each of half the hidden width: Strang's.
    Macaron,
}

/// Options of a [`TransformerBlock`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransformerOptions {
    /// Heads of the attention.
    pub heads: usize,
    /// Hidden width of the feed-forward steps, of both together in a Macaron layer.
    pub hidden: usize,
    /// In the feed-forward step; the first half-step of a Macaron layer always has rectifiers.
    pub activation: Activation,
    /// Where it normalises.
    pub placement: Placement,
    /// The order of steps.
    pub splitting: Splitting,
    /// Rate of dropout behind each step.
    pub dropout: f64,
}

impl Default for TransformerOptions {
    /// One head, 64 hidden units, GELU, normalisation before, no dropout.
    fn default() -> Self {
        Self {
            heads: 1,
            hidden: 64,
            activation: Activation::Gelu,
            placement: Placement::Before,
            splitting: Splitting::Transformer,
            dropout: 0.0,
        }
    }
}

/// A block of an encoder on tokens `[batch, n, width]`.
///
/// ```
/// use ansatz_nn::{Layout, Splitting, TransformerBlock, TransformerOptions};
/// let mut layout = Layout::new();
/// let options = TransformerOptions {
///     heads: 4,
///     hidden: 128,
///     splitting: Splitting::Macaron,
///     ..TransformerOptions::default()
/// };
/// let block = TransformerBlock::new(&mut layout.root(), 32, options);
/// // As many numbers as the Transformer's block of the same hidden width, but for a normalisation and biases.
/// assert_eq!(layout.len(), 4 * (32 * 32 + 32) + 2 * (2 * 64 * 32 + 64 + 32) + 3 * 64);
/// # let _ = block;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerBlock {
    attention: (LayerNorm, Attention),
    first: Option<Feed>,
    last: Feed,
    options: TransformerOptions,
}

/// A feed-forward step.
#[derive(Debug, Clone, PartialEq)]
struct Feed {
    norm: LayerNorm,
    layers: (Dense, Dense),
    activation: Activation,
    share: f64,
}

impl Feed {
    fn new(
        scope: &mut Scope<'_>,
        (width, hidden): (usize, usize),
        activation: Activation,
        share: f64,
    ) -> Self {
        Self {
            norm: LayerNorm::new(&mut scope.scope("norm"), width),
            layers: (
                Dense::new(&mut scope.scope("0"), width, hidden),
                Dense::new(&mut scope.scope("1"), hidden, width),
            ),
            activation,
            share,
        }
    }
}

impl TransformerBlock {
    /// A block for tokens of this width.
    ///
    /// # Panics
    /// When the heads do not divide the width.
    #[track_caller]
    pub fn new(scope: &mut Scope<'_>, width: usize, options: TransformerOptions) -> Self {
        let macaron = options.splitting == Splitting::Macaron;
        let (hidden, share) = if macaron {
            (options.hidden / 2, 0.5)
        } else {
            (options.hidden, 1.0)
        };
        let first = macaron.then(|| {
            let mut scope = scope.scope("first");
            Feed::new(&mut scope, (width, hidden), Activation::Relu, share)
        });
        let mut branch = scope.scope("attention");
        let attention = (
            LayerNorm::new(&mut branch.scope("norm"), width),
            Attention::new(&mut branch, (width, width), options.heads),
        );
        let mut branch = scope.scope("last");
        let last = Feed::new(&mut branch, (width, hidden), options.activation, share);
        Self {
            attention,
            first,
            last,
            options,
        }
    }

    /// One step: x + share·f(x), normalised before or behind.
    fn step<'g>(
        &self,
        pass: &Pass<'g>,
        x: Array<'g>,
        norm: &LayerNorm,
        (share, f): (f64, impl Fn(Array<'g>) -> Array<'g>),
    ) -> Array<'g> {
        let dropout = Dropout {
            rate: self.options.dropout,
        };
        let step = |x| dropout.apply(pass, f(x)) * share;
        match self.options.placement {
            Placement::Before => x + step(norm.apply(pass, x)),
            Placement::After => norm.apply(pass, x + step(x)),
        }
    }

    fn feed<'g>(&self, pass: &Pass<'g>, x: Array<'g>, feed: &Feed) -> Array<'g> {
        let f = |x| {
            let hidden = feed.activation.at(feed.layers.0.apply(pass, x));
            feed.layers.1.apply(pass, hidden)
        };
        self.step(pass, x, &feed.norm, (feed.share, f))
    }
}

impl Layer for TransformerBlock {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let x = self
            .first
            .iter()
            .fold(x, |x, feed| self.feed(pass, x, feed));
        let (norm, attention) = &self.attention;
        let x = self.step(pass, x, norm, (1.0, |x| attention.apply(pass, x)));
        self.feed(pass, x, &self.last)
    }
}
