//! Dense networks with shorter ways for gradients.

use ansatz_autodiff::Array;

use crate::layer::{Activation, Dense, Layer, MlpOptions};
use crate::{Pass, Scope};

/// A first layer, blocks x + W₂·a(W₁·a(x) + b₁) + b₂ of equal width, and a last layer.
///
/// Reference: K. He et al., *Identity mappings in deep residual networks*, 2016 (full pre-activation, without
/// normalisation).
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualMlp {
    first: Dense,
    blocks: Vec<(Dense, Dense)>,
    last: Dense,
    activation: Activation,
}

fn dense(scope: &mut Scope<'_>, name: &str, sizes: (usize, usize), options: &MlpOptions) -> Dense {
    Dense::of(&mut scope.scope(name), sizes, options)
}

impl ResidualMlp {
    /// A network with this many blocks of this width.
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        (width, blocks): (usize, usize),
        options: &MlpOptions,
    ) -> Self {
        let first = dense(scope, "first", (inputs, width), options);
        let block = |b| {
            let mut branch = scope.scope(format!("blocks.{b}"));
            let sizes = (width, width);
            (
                dense(&mut branch, "0", sizes, options),
                dense(&mut branch, "1", sizes, options),
            )
        };
        let blocks = (0..blocks).map(block).collect();
        Self {
            first,
            blocks,
            last: dense(scope, "last", (width, outputs), options),
            activation: options.activation,
        }
    }
}

impl Layer for ResidualMlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let a = self.activation;
        let mut x = self.first.apply(pass, x);
        for (inner, outer) in &self.blocks {
            x = x + outer.apply(pass, a.at(inner.apply(pass, a.at(x))));
        }
        self.last.apply(pass, a.at(x))
    }
}

/// Layers that are mixed with two encodings of the input, h ← (1 − z)·u + z·v with z = a(W·h + b), u = a(U·x + c) and
/// v = a(V·x + d).
///
/// Reference: S. Wang, Y. Teng, P. Perdikaris, *Understanding and mitigating gradient flow pathologies in
/// physics-informed neural networks*, 2021 (eqs. 44 to 46).
#[derive(Debug, Clone, PartialEq)]
pub struct ModifiedMlp {
    encoders: (Dense, Dense),
    layers: Vec<Dense>,
    last: Dense,
    activation: Activation,
}

impl ModifiedMlp {
    /// A network with this many layers of this width.
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        (width, layers): (usize, usize),
        options: &MlpOptions,
    ) -> Self {
        let encoders = (
            dense(scope, "u", (inputs, width), options),
            dense(scope, "v", (inputs, width), options),
        );
        let layer = |l| {
            let from = if l == 0 { inputs } else { width };
            dense(scope, &format!("layers.{l}"), (from, width), options)
        };
        let layers = (0..layers).map(layer).collect();
        Self {
            encoders,
            layers,
            last: dense(scope, "last", (width, outputs), options),
            activation: options.activation,
        }
    }
}

impl Layer for ModifiedMlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let a = self.activation;
        let u = a.at(self.encoders.0.apply(pass, x));
        let v = a.at(self.encoders.1.apply(pass, x));
        let mixed = |h, layer: &Dense| {
            let z = a.at(layer.apply(pass, h));
            u + z * (v - u)
        };
        self.last.apply(pass, self.layers.iter().fold(x, mixed))
    }
}
