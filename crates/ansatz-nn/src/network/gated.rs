//! Dense networks with shorter ways for gradients.

use ansatz_autodiff::Array;

use crate::layer::{Dense, Hidden, Layer, MlpOptions, Unit};
use crate::{Pass, Scope};

/// A first layer, blocks x + W₂·a(W₁·a(x) + b₁) + b₂ of equal width, and a last layer.
///
/// Reference: K. He et al., *Identity mappings in deep residual networks*, 2016 (full pre-activation, without
/// normalisation).
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualMlp {
    first: Dense,
    /// What stands before a layer, and the layer.
    blocks: Vec<[(Unit, Dense); 2]>,
    last: (Unit, Dense),
}

impl ResidualMlp {
    /// A network with this many blocks of this width.
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        (width, blocks): (usize, usize),
        options: &MlpOptions,
    ) -> Self {
        let first = Dense::of(&mut scope.scope("first"), (inputs, width), options);
        let mut behind = |name: String, outputs| {
            let mut branch = scope.scope(name);
            let unit = Unit::of(&mut branch, options);
            (unit, Dense::of(&mut branch, (width, outputs), options))
        };
        let blocks = (0..blocks).map(|b| [0, 1].map(|i| behind(format!("blocks.{b}.{i}"), width)));
        Self {
            first,
            blocks: blocks.collect(),
            last: behind("last".into(), outputs),
        }
    }
}

impl Layer for ResidualMlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let after = |(unit, dense): &(Unit, Dense), x| dense.apply(pass, unit.apply(pass, x));
        let mut x = self.first.apply(pass, x);
        for [inner, outer] in &self.blocks {
            x = x + after(outer, after(inner, x));
        }
        after(&self.last, x)
    }
}

/// Layers that are mixed with two encodings of the input, h ← (1 − z)·u + z·v with z = a(W·h + b), u = a(U·x + c) and
/// v = a(V·x + d).
///
/// Reference: S. Wang, Y. Teng, P. Perdikaris, *Understanding and mitigating gradient flow pathologies in
/// physics-informed neural networks*, 2021 (eqs. 44 to 46).
#[derive(Debug, Clone, PartialEq)]
pub struct ModifiedMlp {
    encoders: (Hidden, Hidden),
    layers: Vec<Hidden>,
    last: Dense,
}

impl ModifiedMlp {
    /// A network with this many layers of this width.
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        (width, layers): (usize, usize),
        options: &MlpOptions,
    ) -> Self {
        let mut hidden =
            |name: &str, from| Hidden::of(&mut scope.scope(name), (from, width), options);
        let encoders = (hidden("u", inputs), hidden("v", inputs));
        let layer = |l| {
            let from = if l == 0 { inputs } else { width };
            hidden(&format!("layers.{l}"), from)
        };
        let layers = (0..layers).map(layer).collect();
        Self {
            encoders,
            layers,
            last: Dense::of(&mut scope.scope("last"), (width, outputs), options),
        }
    }
}

impl Layer for ModifiedMlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let u = self.encoders.0.apply(pass, x);
        let v = self.encoders.1.apply(pass, x);
        let mixed = |h, layer: &Hidden| {
            let z = layer.apply(pass, h);
            u + z * (v - u)
        };
        self.last.apply(pass, self.layers.iter().fold(x, mixed))
    }
}
