//! Functions of single elements between layers.

use std::f64::consts::PI;

use ansatz_autodiff::Array;

use super::Layer;
use crate::Pass;

/// A function of each element.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Activation {
    /// x.
    Identity,
    /// tanh x: smooth, the usual choice for networks that are differentiated in their inputs.
    #[default]
    Tanh,
    /// max(x, 0).
    Relu,
    /// x for x > 0, else c·x.
    LeakyRelu(f64),
    /// x for x > 0, else eˣ − 1.
    Elu,
    /// x/(1 + e⁻ˣ).
    Silu,
    /// x·Φ(x).
    Gelu,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
    /// sin(ω·x), ω = 30 in the first layer of a SIREN.
    Sine(f64),
    /// x + tanh(sin(π(x + 1))): for operator networks (MultiONet).
    TanhSine,
}

impl Activation {
    /// The function of each element.
    #[must_use]
    pub fn at(self, x: Array<'_>) -> Array<'_> {
        match self {
            Self::Identity => x,
            Self::Tanh => x.tanh(),
            Self::Relu => x.relu(),
            Self::LeakyRelu(c) => x.max(x.zeros()) + x.min(x.zeros()) * c,
            Self::Elu => x.max(x.zeros()) + x.min(x.zeros()).expm1(),
            Self::Silu => x.silu(),
            Self::Gelu => x.gelu(),
            Self::Sigmoid => x.sigmoid(),
            Self::Softplus => x.softplus(),
            Self::Sine(omega) => (x * omega).sin(),
            Self::TanhSine => x + ((x + 1.0) * PI).sin().tanh(),
        }
    }
}

impl Layer for Activation {
    fn apply<'g>(&self, _: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.at(x)
    }
}
