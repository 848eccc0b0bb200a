//! The two types that programs run in: their arithmetic on tiles and their matrix products.

use ansatz_core::Scalar;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};

use super::tile::Walk;
use crate::math::{self, Function};
use crate::op::{Comparison, Kernel, Lanes, Map, Prepared, Product, Side, Unary};

/// `f32` or `f64`.
pub trait Element: Scalar + sealed::Element {}

impl Element for f32 {}
impl Element for f64 {}

pub(crate) mod sealed {
    use super::{Gemm, Walk};
    use crate::op::{Kernel, Map, Prepared, Product, Unary};

    /// What the executor needs of a type.
    pub trait Element: Sized + Copy + Send + Sync {
        /// Walks over a block with the vectors of the machine.
        fn walk(walk: Walk<'_, '_, Self>);

        /// `out ← f(x)`.
        fn unary(f: Unary, x: &[Self], out: &mut [Self]);

        /// The kernel for the type.
        fn kernel(prepared: &Prepared) -> &dyn Kernel<Self>;

        /// `out ← xʸ`.
        fn power(x: &[Self], y: &[Self], out: &mut [Self]);

        /// A matrix product.
        fn gemm(product: Gemm, a: &[Self], b: &[Self], out: &mut [Self]);

        /// A matrix product with a left factor that is not written out.
        fn sliding<const V: usize>(product: Product<'_, Self, V>);

        /// A transform of tiles.
        fn tiles(map: Map<'_, Self>);

        /// Numbers in a vector of this machine.
        fn lanes() -> usize;
    }
}

/// Sizes of a matrix product m×k by k×n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gemm {
    pub(crate) sides: (Side, Side),
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
    /// Whether to add to what is there.
    pub(crate) add: bool,
}

macro_rules! element {
    ($type:ty, $kernel:ident) => {
        impl sealed::Element for $type {
            fn walk(walk: Walk<'_, '_, Self>) {
                struct Go<'a, 'b>(Walk<'a, 'b, $type>);

                impl WithSimd for Go<'_, '_> {
                    type Output = ();

                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) {
                        self.0.go(simd);
                    }
                }

                Arch::new().dispatch(Go(walk));
            }

            #[inline(always)]
            fn unary(f: Unary, x: &[Self], out: &mut [Self]) {
                let out = &mut out[..x.len()];
                macro_rules! each {
                    ($v:ident => $value:expr) => {
                        for (o, $v) in out.iter_mut().zip(x) {
                            let $v = *$v;
                            *o = $value;
                        }
                    };
                }
                if let Some(function) = vectorised(f) {
                    return function.apply(x, out);
                }
                match f {
                    Unary::Neg => each!(v => -v),
                    Unary::Abs => each!(v => v.abs()),
                    Unary::Scale(c) => {
                        let c = c as $type;
                        each!(v => c * v);
                    }
                    Unary::Shift(c) => {
                        let c = c as $type;
                        each!(v => v + c);
                    }
                    Unary::Powf(c) => math::pow_constant(x, c as $type, out),
                    other => each!(v => other.at(f64::from(v)) as $type),
                }
            }

            fn kernel(prepared: &Prepared) -> &dyn Kernel<Self> {
                &*prepared.$kernel
            }

            fn power(x: &[Self], y: &[Self], out: &mut [Self]) {
                math::pow(x, y, out);
            }

            fn gemm(p: Gemm, a: &[Self], b: &[Self], out: &mut [Self]) {
                let matrix = |x, (side, r, c): (Side, usize, usize)| match side {
                    Side::Plain => MatRef::from_row_major_slice(x, r, c),
                    Side::Transposed => MatRef::from_row_major_slice(x, c, r).transpose(),
                };
                let left = matrix(a, (p.sides.0, p.m, p.k));
                let right = matrix(b, (p.sides.1, p.k, p.n));
                let accum = if p.add { Accum::Add } else { Accum::Replace };
                let out = MatMut::from_row_major_slice_mut(out, p.m, p.n);
                matmul(out, accum, left, right, 1.0, Par::Seq);
            }

            fn sliding<const V: usize>(product: Product<'_, Self, V>) {
                Arch::new().dispatch(product);
            }

            fn tiles(map: Map<'_, Self>) {
                Arch::new().dispatch(map);
            }

            fn lanes() -> usize {
                Arch::new().dispatch(Lanes::<$type>::default())
            }
        }
    };
}

element!(f32, single);
element!(f64, double);

/// The function of [`math`] that does the same.
fn vectorised(f: Unary) -> Option<Function> {
    Some(match f {
        Unary::Recip => Function::Recip,
        Unary::Sqrt => Function::Sqrt,
        Unary::Exp => Function::Exp,
        Unary::Ln => Function::Ln,
        Unary::Sin => Function::Sin,
        Unary::Cos => Function::Cos,
        Unary::Tanh => Function::Tanh,
        Unary::Sigmoid => Function::Sigmoid,
        Unary::Softplus => Function::Softplus,
        Unary::Erf => Function::Erf,
        Unary::Silu => Function::Silu,
        Unary::Gelu => Function::Gelu,
        Unary::Expm1 => Function::Expm1,
        Unary::Ln1p => Function::Ln1p,
        Unary::Rsqrt => Function::Rsqrt,
        _ => return None,
    })
}

#[inline(always)]
pub(crate) fn compare<T: Scalar>(f: Comparison, a: &[T], b: &[T], out: &mut [T]) {
    let n = out.len();
    let (a, b) = (&a[..n], &b[..n]);
    let one = |holds: bool| if holds { T::one() } else { T::zero() };
    match f {
        Comparison::Less => {
            for i in 0..n {
                out[i] = one(a[i] < b[i]);
            }
        }
        Comparison::LessOrEqual => {
            for i in 0..n {
                out[i] = one(a[i] <= b[i]);
            }
        }
        Comparison::Equal => {
            for i in 0..n {
                out[i] = one(a[i] == b[i]);
            }
        }
    }
}

#[inline(always)]
pub(crate) fn select<T: Scalar>(c: &[T], a: &[T], b: &[T], out: &mut [T]) {
    let n = out.len();
    let (c, a, b) = (&c[..n], &a[..n], &b[..n]);
    for i in 0..n {
        out[i] = if c[i] == T::zero() { b[i] } else { a[i] };
    }
}
