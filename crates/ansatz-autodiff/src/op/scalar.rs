//! Functions of single elements.
//!
//! A function is one line in each of three matches: its name, its value, its derivative.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};

use super::{Lowering, Primitive, Rule};
use crate::{Array, Shape};

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Unary {
    /// −x.
    Neg,
    /// 1/x.
    Recip,
    /// √x.
    Sqrt,
    /// eˣ.
    Exp,
    /// ln x.
    Ln,
    /// sin x.
    Sin,
    /// cos x.
    Cos,
    /// tanh x.
    Tanh,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
    /// x/(1 + e⁻ˣ).
    Silu,
    /// x·Φ(x) with the normal distribution function Φ.
    Gelu,
    /// eˣ − 1.
    Expm1,
    /// ln(1 + x).
    Ln1p,
    /// 1/√x.
    Rsqrt,
    /// tan x.
    Tan,
    /// arcsin x.
    Asin,
    /// arccos x.
    Acos,
    /// arctan x.
    Atan,
    /// sinh x.
    Sinh,
    /// cosh x.
    Cosh,
    /// arsinh x.
    Asinh,
    /// arcosh x.
    Acosh,
    /// artanh x.
    Atanh,
    /// 2ˣ.
    Exp2,
    /// The logarithm of x to base 2.
    Log2,
    /// The logarithm of x to base 10.
    Log10,
    /// 2/√π ∫₀ˣ e^{−t²} dt.
    Erf,
    /// |x|.
    Abs,
    /// −1, 0 or 1.
    Sign,
    /// c·x for a number c.
    Scale(f64),
    /// x + c for a number c.
    Shift(f64),
    /// xⁿ for a whole number n.
    Powi(i32),
    /// xᶜ for a number c, x > 0.
    Powf(f64),
}

impl Unary {
    /// The value at `x`.
    #[must_use]
    pub fn at(self, x: f64) -> f64 {
        match self {
            Self::Neg => -x,
            Self::Recip => 1.0 / x,
            Self::Sqrt => x.sqrt(),
            Self::Exp => x.exp(),
            Self::Ln => x.ln(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::Gelu => 0.5 * x * libm::erfc(-x * FRAC_1_SQRT_2),
            Self::Expm1 => x.exp_m1(),
            Self::Ln1p => x.ln_1p(),
            Self::Rsqrt => 1.0 / x.sqrt(),
            Self::Erf => libm::erf(x),
            Self::Tan => libm::tan(x),
            Self::Asin => libm::asin(x),
            Self::Acos => libm::acos(x),
            Self::Atan => libm::atan(x),
            Self::Sinh => libm::sinh(x),
            Self::Cosh => libm::cosh(x),
            Self::Asinh => libm::asinh(x),
            Self::Acosh => libm::acosh(x),
            Self::Atanh => libm::atanh(x),
            Self::Exp2 => libm::exp2(x),
            Self::Log2 => libm::log2(x),
            Self::Log10 => libm::log10(x),
            Self::Abs => x.abs(),
            Self::Sign if x > 0.0 => 1.0,
            Self::Sign if x < 0.0 => -1.0,
            Self::Sign => x * 0.0,
            Self::Scale(c) => c * x,
            Self::Shift(c) => x + c,
            Self::Powi(n) => x.powi(n),
            Self::Powf(c) => x.powf(c),
        }
    }

    /// Whether it costs some ten times a multiplication.
    pub(crate) fn is_expensive(self) -> bool {
        use Unary::{Abs, Neg, Powi, Scale, Shift, Sign};
        !matches!(self, Neg | Abs | Sign | Scale(_) | Shift(_) | Powi(-4..=4))
    }
}

impl Primitive for Unary {
    fn name(&self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Recip => "recip",
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Ln => "ln",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Softplus => "softplus",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::Expm1 => "expm1",
            Self::Ln1p => "ln1p",
            Self::Rsqrt => "rsqrt",
            Self::Erf => "erf",
            Self::Tan => "tan",
            Self::Asin => "asin",
            Self::Acos => "acos",
            Self::Atan => "atan",
            Self::Sinh => "sinh",
            Self::Cosh => "cosh",
            Self::Asinh => "asinh",
            Self::Acosh => "acosh",
            Self::Atanh => "atanh",
            Self::Exp2 => "exp2",
            Self::Log2 => "log2",
            Self::Log10 => "log10",
            Self::Abs => "abs",
            Self::Sign => "sign",
            Self::Scale(_) => "scale",
            Self::Shift(_) => "shift",
            Self::Powi(_) => "powi",
            Self::Powf(_) => "powf",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let name = self.name().bytes().fold(0, |h: u64, b| {
            h.wrapping_mul(0x0100_0000_01b3).wrapping_add(b.into())
        });
        let parameter = match self {
            Self::Scale(c) | Self::Shift(c) | Self::Powf(c) => c.to_bits(),
            Self::Powi(n) => *n as u64,
            _ => 0,
        };
        Some(vec![name, parameter])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => Ok(x.clone()),
            _ => Err("one input is needed".into()),
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Neg | Self::Scale(_) => Rule::Linear,
            Self::Sign => Rule::Constant,
            _ => Rule::Scalar,
        }
    }

    fn derivative<'g>(&self, x: Array<'g>, y: Array<'g>) -> Array<'g> {
        match *self {
            Self::Recip => -(y * y),
            Self::Sqrt => y.recip() * 0.5,
            Self::Exp => y,
            Self::Ln => x.recip(),
            Self::Sin => x.cos(),
            Self::Cos => -x.sin(),
            Self::Tanh => (-(y * y)) + 1.0,
            Self::Sigmoid => y * ((-y) + 1.0),
            Self::Softplus => x.sigmoid(),
            Self::Silu => {
                let s = x.sigmoid();
                s + y * ((-s) + 1.0)
            }
            // Φ(x) + x·φ(x).
            Self::Gelu => {
                let phi = (x * x * -0.5).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
                ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5 + x * phi
            }
            Self::Expm1 => y + 1.0,
            Self::Ln1p => (x + 1.0).recip(),
            Self::Rsqrt => y.powi(3) * -0.5,
            Self::Erf => (-(x * x)).exp() * FRAC_2_SQRT_PI,
            Self::Tan => (y * y) + 1.0,
            Self::Asin => ((x + 1.0) * ((-x) + 1.0)).rsqrt(),
            Self::Acos => -((x + 1.0) * ((-x) + 1.0)).rsqrt(),
            Self::Atan => ((x * x) + 1.0).recip(),
            Self::Sinh => x.cosh(),
            Self::Cosh => x.sinh(),
            Self::Asinh => ((x * x) + 1.0).rsqrt(),
            Self::Acosh => ((x + 1.0) * (x - 1.0)).rsqrt(),
            Self::Atanh => ((x + 1.0) * ((-x) + 1.0)).recip(),
            Self::Exp2 => y * LN_2,
            Self::Log2 => x.recip() * LOG2_E,
            Self::Log10 => x.recip() * LOG10_E,
            Self::Abs => x.sign(),
            Self::Shift(_) => x.ones(),
            Self::Neg | Self::Sign | Self::Scale(_) | Self::Powi(0) => x.zeros(),
            Self::Powi(n) => x.powi(n - 1) * f64::from(n),
            Self::Powf(c) => x.powf(c - 1.0) * c,
        }
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>]) -> Array<'g> {
        match self {
            Self::Scale(c) => bar * *c,
            _ => -bar,
        }
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Unary(*self)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        for (o, x) in out.iter_mut().zip(inputs[0].0) {
            *o = self.at(*x);
        }
    }
}

/// Functions of two numbers, element by element on arrays of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binary {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a·b.
    Mul,
}

impl Binary {
    /// The value at (`a`, `b`).
    #[must_use]
    pub fn at(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
        }
    }
}

impl Primitive for Binary {
    fn name(&self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![*self as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [a, b] if a == b => Ok(a.clone()),
            [_, _] => Err("the shapes differ".into()),
            _ => Err("two inputs are needed".into()),
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Mul => Rule::Bilinear,
            _ => Rule::Linear,
        }
    }

    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        match (self, i) {
            (Self::Mul, i) => bar * inputs[1 - i],
            (Self::Sub, 1) => -bar,
            _ => bar,
        }
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Binary(*self)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        for ((o, a), b) in out.iter_mut().zip(inputs[0].0).zip(inputs[1].0) {
            *o = self.at(*a, *b);
        }
    }
}
