//! The functions of one argument: names, values, derivatives, costs.

/// A function of one argument. Square roots are powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Function {
    /// eˣ.
    Exp,
    /// Natural logarithm.
    Ln,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Arcsine.
    Asin,
    /// Arccosine.
    Acos,
    /// Arctangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
    /// Error function, 2/√π ∫₀ˣ exp(−s²) ds.
    Erf,
    /// |x|; its derivative is taken to be the sign.
    Abs,
    /// −1, 0 or 1; its derivative is taken to be 0.
    Sign,
}

/// How a function treats a change of sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parity {
    Even,
    Odd,
    Neither,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Exp,
        Self::Ln,
        Self::Sin,
        Self::Cos,
        Self::Tan,
        Self::Asin,
        Self::Acos,
        Self::Atan,
        Self::Sinh,
        Self::Cosh,
        Self::Tanh,
        Self::Asinh,
        Self::Acosh,
        Self::Atanh,
        Self::Erf,
        Self::Abs,
        Self::Sign,
    ];

    /// As it is written in text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Ln => "ln",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tan => "tan",
            Self::Asin => "asin",
            Self::Acos => "acos",
            Self::Atan => "atan",
            Self::Sinh => "sinh",
            Self::Cosh => "cosh",
            Self::Tanh => "tanh",
            Self::Asinh => "asinh",
            Self::Acosh => "acosh",
            Self::Atanh => "atanh",
            Self::Erf => "erf",
            Self::Abs => "abs",
            Self::Sign => "sign",
        }
    }

    /// The function of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "log" { "ln" } else { name };
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// Its value.
    #[must_use]
    #[inline]
    pub fn at(self, x: f64) -> f64 {
        match self {
            Self::Exp => x.exp(),
            Self::Ln => x.ln(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.tan(),
            Self::Asin => x.asin(),
            Self::Acos => x.acos(),
            Self::Atan => x.atan(),
            Self::Sinh => x.sinh(),
            Self::Cosh => x.cosh(),
            Self::Tanh => x.tanh(),
            Self::Asinh => x.asinh(),
            Self::Acosh => x.acosh(),
            Self::Atanh => x.atanh(),
            Self::Erf => libm::erf(x),
            Self::Abs => x.abs(),
            Self::Sign => {
                if x == 0.0 {
                    x
                } else {
                    x.signum()
                }
            }
        }
    }

    /// Cycles by the cost model of [`Formula::cost`](crate::Formula::cost).
    #[must_use]
    pub fn cost(self) -> u64 {
        match self {
            Self::Abs | Self::Sign => 1,
            _ => 40,
        }
    }

    pub(crate) fn parity(self) -> Parity {
        match self {
            Self::Cos | Self::Cosh | Self::Abs => Parity::Even,
            Self::Sin
            | Self::Tan
            | Self::Asin
            | Self::Atan
            | Self::Sinh
            | Self::Tanh
            | Self::Asinh
            | Self::Atanh
            | Self::Erf
            | Self::Sign => Parity::Odd,
            Self::Exp | Self::Ln | Self::Acos | Self::Acosh => Parity::Neither,
        }
    }
}
