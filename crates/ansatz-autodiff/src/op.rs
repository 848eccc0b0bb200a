//! Primitives: what array programs are made of.
//!
//! A primitive says what shape it gives, how it is evaluated, and how it is differentiated. Derivatives
//! are written as array programs again, so they can be differentiated to any order. One statement
//! serves all modes:
//!
//! | [`Rule`] | what the primitive states | follows |
//! |---|---|---|
//! | `Linear` | its transpose | tangents and Taylor coefficients by itself, cotangents by the transpose |
//! | `Bilinear` | both transposes | product rules; Cauchy products for Taylor coefficients |
//! | `Scalar` | f'(x), as an expression of x and y | chain rules; k·yₖ = Σ j·xⱼ·f'ₖ₋ⱼ for Taylor coefficients |
//! | `Chosen` | nothing | derivatives pass along the branch taken |
//! | `General` | tangent and cotangent, as programs | everything else: higher orders differentiate the tangent |
//! | `Constant` | nothing | zero |
//!
//! Reference: A. Griewank, A. Walther, *Evaluating derivatives*, 2nd edition, 2008, chapter 13.

mod choice;
mod cholesky;
mod contract;
pub(crate) mod convolution;
mod fourier;
mod function;
pub(crate) mod gather;
mod kernel;
mod leaf;
mod link;
mod matmul;
mod movement;
mod pair;
pub(crate) mod pool;
mod resample;
mod scalar;
mod scan;
mod separable;
mod strided;
mod sum;
mod symmetric;
mod triangular;

use std::any::Any;
use std::fmt::Debug;

pub use choice::{Compare, Comparison, Select};
pub use cholesky::Cholesky;
pub use contract::Contract;
pub use convolution::{Convolution, ConvolutionTransposed, Correlation};
pub(crate) use convolution::{Lanes, Map, Product};
pub use fourier::{Direction, Fourier};
pub use function::UserFunction;
pub use gather::{Gather, ScatterAdd, ScatterAddAt, Take};
pub use kernel::{Kernel, Prepared};
pub use leaf::{Constant, Input};
pub use link::StopGradient;
pub(crate) use link::{Later, Link};
pub use matmul::{MatMul, Side};
pub use movement::{Broadcast, Concatenate, Pad, Range, Reshape, Slice, Transpose};
pub use pair::Pair;
pub use pool::{Divisor, Largest, Pool};
pub use resample::{Grid, Interpolation, Resampling};
pub use scalar::{Binary, Unary};
pub use scan::CumulativeSum;
pub use separable::Separable;
pub use sum::{ReduceMax, Sum};
pub use symmetric::{InverseRoot, Lyapunov};
pub use triangular::{Triangle, TriangularSolve};

use crate::{Array, Shape};

/// How a primitive is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Linear in all inputs together; [`Primitive::transpose`] is needed.
    Linear,
    /// Linear in each of two inputs; [`Primitive::transpose`] is needed.
    Bilinear,
    /// A function of each element of one input; [`Primitive::derivative`] is needed.
    Scalar,
    /// The first input chooses between the second and the third.
    Chosen,
    /// The derivative is zero wherever it exists.
    Constant,
    /// Any function of its inputs; [`Primitive::tangent`] and [`Primitive::cotangent`] are needed.
    General,
}

/// The direction in which derivatives go through a primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// From tangents of the inputs to that of the result.
    Forwards,
    /// From the cotangent of the result to those of the inputs.
    Backwards,
}

/// How a primitive meets a batch: a first axis of some inputs that numbers independent points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// It needs all points at once.
    Whole,
    /// Row i of the result needs row i of the split inputs, and all of the others.
    Rows,
    /// The result is the sum of what each row of the split inputs gives.
    Sum,
}

/// What the compiler knows how to make fast.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Lowering<'a> {
    /// A program's input.
    Input {
        /// Which one.
        index: usize,
        /// Whether the first axis may be split.
        batched: bool,
    },
    /// Known elements.
    Constant(&'a [f64]),
    /// A function of each element.
    Unary(Unary),
    /// A function of each two elements of arrays of the same shape.
    Binary(Binary),
    /// A comparison of each two elements.
    Compare(Comparison),
    /// One of two elements.
    Select,
    /// Copies along new or stretched axes.
    Broadcast,
    /// The same elements in another shape.
    Reshape,
    /// The same elements as the first input, which alone moves them; not before the others are there.
    Link,
    /// Sums along axes.
    Sum(&'a [usize]),
    /// A matrix product, with either factor transposed.
    MatMul(MatMul),
    /// Nothing in particular: [`Primitive::evaluate`] does it.
    Other,
}

/// An operation on arrays.
pub trait Primitive: Any + Debug + Send + Sync {
    /// Its name in printed programs.
    fn name(&self) -> &'static str;

    /// Its parameters as numbers: two primitives of one type with the same parameters do the same.
    /// `None` if that cannot be said; such a primitive is never shared.
    fn parameters(&self) -> Option<Vec<u64>>;

    /// Shape of the result.
    ///
    /// # Errors
    /// What is wrong with the inputs' shapes.
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String>;

    /// How it is differentiated.
    fn rule(&self) -> Rule;

    /// For [`Rule::Scalar`]: f'(x), given x and y = f(x).
    fn derivative<'g>(&self, x: Array<'g>, y: Array<'g>) -> Array<'g> {
        let _ = x;
        y
    }

    /// For linear and bilinear primitives: the cotangent of input `i` from that of the result.
    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let _ = (i, inputs);
        bar
    }

    /// For [`Rule::General`]: the tangent of the result `out` from those of the inputs (`None` is zero), as
    /// an array program that is linear in them. `None` if it is zero.
    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let _ = (inputs, out, tangents);
        None
    }

    /// For [`Rule::General`]: the cotangent of input `i` from that of the result `out`.
    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        let _ = (i, bar, out);
        inputs[i].zeros()
    }

    /// For [`Rule::General`]: what is missing to differentiate it in this direction when the inputs that `moves` says
    /// move. Differentiation panics with this text, at the line that asks for the derivative.
    fn missing(&self, pass: Pass, moves: &[bool]) -> Option<String> {
        let _ = (pass, moves);
        None
    }

    /// What the compiler may make of it.
    fn lowering(&self) -> Lowering<'_> {
        Lowering::Other
    }

    /// How it meets a batch; `split[i]` says whether the first axis of input i numbers the points. Asked
    /// only if one of them is split.
    fn split(&self, inputs: &[Shape], split: &[bool]) -> Split {
        let _ = (inputs, split);
        Split::Whole
    }

    /// Kernels for these shapes. Split inputs, and the result of [`Split::Rows`], have a first axis of
    /// length 1 here: the shape of one row. `None` leaves it to [`Primitive::evaluate`].
    fn prepare(&self, inputs: &[Shape], out: &Shape, split: &[bool]) -> Option<Prepared> {
        let _ = (inputs, out, split);
        None
    }

    /// Writes the result, row by row, in double precision. A primitive gives this or
    /// [`Primitive::prepare`], on which this falls back.
    ///
    /// # Panics
    /// When the primitive gives neither.
    fn evaluate(&self, inputs: &[(&[f64], &Shape)], out: (&mut [f64], &Shape)) {
        kernel::evaluate(self, inputs, out);
    }

    /// Floating-point operations.
    fn flops(&self, inputs: &[&Shape], out: &Shape) -> u64 {
        let _ = inputs;
        out.len() as u64
    }
}
