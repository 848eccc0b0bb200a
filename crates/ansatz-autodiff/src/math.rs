//! Elementary functions of whole slices, for `f32` and `f64`.
//!
//! Arguments are reduced to a short interval, where a polynomial takes over; its
//! coefficients come from `fixtures/elementary_tables.py`. The code is without branches or fused
//! multiply-adds: [`pulp`] compiles it once per instruction set, and the bits are the same on each,
//! whatever the length and the position in a slice. The errors are the largest seen, rounded up, in
//! units of the last place of the exact value; the tests hold them.
//!
//! | function | error | notes |
//! |---|---|---|
//! | exp | 1.1 | |
//! | expm1 | 1.6 | |
//! | ln | 1.0 | −∞ at ±0 |
//! | ln1p | 1.5 | |
//! | sin, cos | 1.6 | for every finite angle; beyond 1.6·10⁶ (`f32`) and 2·10⁸ (`f64`) ten times slower |
//! | tanh | 2.6 | |
//! | sigmoid 1/(1 + e⁻ˣ) | 2.5 | relative error on both sides |
//! | softplus ln(1 + eˣ) | 2.0 | |
//! | silu x/(1 + e⁻ˣ) | 3.0 | |
//! | erf | 2.4 | |
//! | gelu x·Φ(x) | 5.0 | relative error in the tail as well, where ½x(1 + erf(x/√2)) has none |
//! | sqrt, recip | 0.5 | |
//! | rsqrt | 1.5 | |
//! | xʸ | 1.2, `f32` 0.6 | the special cases of IEEE 754 |
//!
//! NaN gives NaN, infinities their limits, and arguments outside a domain NaN. Odd functions are odd
//! and even ones even to the bit, signed zeros included. Subnormal arguments and results are
//! computed like others, none is flushed.
//!
//! References: W. J. Cody, W. Waite, *Software manual for the elementary functions*, 1980 (reduction);
//! J.-M. Muller, *Elementary functions*, 3rd ed. 2016 (chapters 3, 5, 11).

mod block;
mod error_function;
mod exponential;
mod logarithm;
mod power;
mod real;
#[rustfmt::skip]
mod table;
#[cfg(test)]
mod tests;
mod trigonometric;

use pulp::Arch;

use block::{Block, Kernel, Run, each};
use exponential::Exponential;
use power::Power;
use trigonometric::{Angle, Turn};

/// `f32` or `f64`, with the functions of this module.
pub(crate) trait Elementary: Angle + Power {}

impl Elementary for f32 {}
impl Elementary for f64 {}

/// A function of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    Exp,
    Expm1,
    Ln,
    Ln1p,
    Sin,
    Cos,
    Tanh,
    Sigmoid,
    Softplus,
    Silu,
    Erf,
    Gelu,
    Sqrt,
    Recip,
    Rsqrt,
}

impl Function {
    /// `out[i]` = f(`x[i]`).
    ///
    /// # Panics
    /// If the lengths differ.
    pub(crate) fn apply<T: Elementary>(self, x: &[T], out: &mut [T]) {
        let x = [x];
        match self {
            Self::Exp => run(Exponential(exponential::Exp), x, out),
            Self::Expm1 => run(Exponential(exponential::Expm1), x, out),
            Self::Ln => run(logarithm::Ln, x, out),
            Self::Ln1p => run(logarithm::Ln1p, x, out),
            Self::Sin => run(Turn { quarters: 0 }, x, out),
            Self::Cos => run(Turn { quarters: 1 }, x, out),
            Self::Tanh => run(Exponential(exponential::Tanh), x, out),
            Self::Sigmoid => run(Exponential(exponential::Sigmoid), x, out),
            Self::Softplus => run(logarithm::Softplus, x, out),
            Self::Silu => run(Exponential(exponential::Silu), x, out),
            Self::Erf => run(error_function::Erf, x, out),
            Self::Gelu => run(error_function::Gelu, x, out),
            Self::Sqrt => run(Sqrt, x, out),
            Self::Recip => run(Recip, x, out),
            Self::Rsqrt => run(Rsqrt, x, out),
        }
    }
}

/// `out[i]` = `x[i]` to the power `y`. The powers 1, 2, −1 and ½ take a few instructions.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn pow_constant<T: Elementary>(x: &[T], y: T, out: &mut [T]) {
    let one = T::one();
    if y == one {
        out.copy_from_slice(x);
    } else if y == one + one {
        run(Square, [x], out);
    } else if y == -one {
        run(Recip, [x], out);
    } else if y + y == one {
        run(PowHalf, [x], out);
    } else {
        run(power::PowConstant(y), [x], out);
    }
}

/// `out[i]` = `x[i]` to the power `y[i]`.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn pow<T: Elementary>(x: &[T], y: &[T], out: &mut [T]) {
    run(power::Pow, [x, y], out);
}

fn run<T: Elementary, K: Kernel<T, N>, const N: usize>(kernel: K, x: [&[T]; N], out: &mut [T]) {
    for x in x {
        assert_eq!(x.len(), out.len(), "math: slices of different length");
    }
    Arch::new().dispatch(Run { kernel, x, out });
}

macro_rules! simple {
    ($($Name:ident: $function:expr;)*) => {
        $(
            struct $Name;

            impl<T: Elementary> Kernel<T, 1> for $Name {
                #[inline(always)]
                fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
                    each(x, out, $function);
                }
            }
        )*
    };
}

simple! {
    Sqrt: T::sqrt;
    Recip: |x: T| T::one() / x;
    Rsqrt: |x: T| T::one() / x.sqrt();
    Square: |x: T| x * x;
    // Where the power and the root differ: −∞ gives ∞, −0 gives +0.
    PowHalf: |x: T| if x == T::neg_infinity() { T::infinity() } else { (x + T::zero()).sqrt() };
}
