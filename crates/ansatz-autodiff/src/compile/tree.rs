//! Two or three sums and products in one pass over tiles.
//!
//! An operation on tiles is bound by its reads and writes, not by its arithmetic. A product that
//! only a sum reads, for example, is therefore taken into the sum's loop. Each operation is rounded as if
//! it stood alone, so this changes no bit.

use std::ops::{Add, Mul, Sub};

use pulp::Simd;

use super::element::Element;
use crate::op::{Binary, Unary};

/// scale·(left top right) + shift, where either side may be a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tree {
    pub(crate) left: Option<Binary>,
    pub(crate) top: Top,
    pub(crate) right: Option<Binary>,
    pub(crate) affine: Affine,
}

/// What joins the sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    /// Nothing: the left side alone.
    Left,
    Join(Binary),
    /// right − left.
    Reversed,
}

/// scale·x + shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Affine {
    pub(crate) scale: f64,
    pub(crate) shift: f64,
}

impl Affine {
    /// x to the bit: −0 is the zero that changes no sign.
    pub(crate) const NONE: Self = Self {
        scale: 1.0,
        shift: -0.0,
    };

    fn is_none(self) -> bool {
        self.scale.to_bits() == 1.0_f64.to_bits() && self.shift.to_bits() == (-0.0_f64).to_bits()
    }

    /// The function followed by `f`, if the two are one.
    #[expect(clippy::float_cmp, reason = "a factor is a sign or it is not")]
    fn then(self, f: Unary) -> Option<Self> {
        let unshifted = self.shift.to_bits() == (-0.0_f64).to_bits();
        match f {
            Unary::Neg if unshifted => Some(Self {
                scale: -self.scale,
                ..self
            }),
            // Two factors would be rounded once.
            Unary::Scale(c) if unshifted && self.scale.abs() == 1.0 => Some(Self {
                scale: self.scale * c,
                ..self
            }),
            Unary::Shift(c) if unshifted => Some(Self { shift: c, ..self }),
            _ => None,
        }
    }
}

impl Tree {
    const NOTHING: Self = Self {
        left: None,
        top: Top::Left,
        right: None,
        affine: Affine::NONE,
    };

    pub(crate) fn binary(f: Binary) -> Self {
        Self {
            top: Top::Join(f),
            ..Self::NOTHING
        }
    }

    /// The tree of a function that is one.
    pub(crate) fn unary(f: Unary) -> Option<Self> {
        let affine = Affine::NONE.then(f)?;
        Some(Self {
            affine,
            ..Self::NOTHING
        })
    }

    /// The tree followed by `f`.
    pub(crate) fn then(self, f: Unary) -> Option<Self> {
        let affine = self.affine.then(f)?;
        Some(Self { affine, ..self })
    }

    /// Number of arrays it reads.
    pub(crate) fn reads(self) -> usize {
        let side = |pair: Option<Binary>| 1 + usize::from(pair.is_some());
        match self.top {
            Top::Left => side(self.left),
            _ => side(self.left) + side(self.right),
        }
    }

    /// The binary function that it is and no more.
    fn as_pair(self) -> Option<Binary> {
        match (self.left, self.top, self.right) {
            (None, Top::Join(f), None) if self.affine.is_none() => Some(f),
            _ => None,
        }
    }

    /// This tree with another in the place of its first read (`true`) or second one, if there is a loop
    /// for that; and whether the reads change places.
    pub(crate) fn absorb(self, other: Self, first: bool) -> Option<(Self, bool)> {
        let pair = other.as_pair()?;
        if let (Some(_), Top::Join(top), None, true) = (self.left, self.top, self.right, !first) {
            // The pair on the left is there: a product on either side of a sum.
            let products = self.left == Some(Binary::Mul) && pair == Binary::Mul;
            let right = Some(pair);
            return (products && top != Binary::Mul).then_some((Self { right, ..self }, false));
        }
        if self.left.is_some() || self.right.is_some() {
            return None;
        }
        let left = Some(pair);
        match (self.top, first) {
            (Top::Join(_), true) => Some((Self { left, ..self }, false)),
            (Top::Join(Binary::Sub), false) => {
                let top = Top::Reversed;
                Some((Self { left, top, ..self }, true))
            }
            (Top::Join(_), false) => Some((Self { left, ..self }, true)),
            (Top::Left, true) => {
                let top = Top::Join(pair);
                Some((Self { top, ..self }, false))
            }
            _ => None,
        }
    }

    /// The loops, one for each form.
    #[inline(always)]
    pub(crate) fn apply<S: Simd, T: Lanes<S>>(self, simd: S, x: [&[T]; 4], out: &mut [T]) {
        use Binary::{Add, Mul, Sub};
        use Top::{Join, Left, Reversed};
        let n = out.len();
        let plain = self.affine.is_none();
        let (scale, shift) = (T::of(self.affine.scale), T::of(self.affine.shift));
        let (scales, shifts) = (T::splat(simd, scale), T::splat(simd, shift));
        let (vectors, tail) = T::vectors_mut(out);
        let m = vectors.len();
        let [a, b, c, d] = x.map(|x| T::vectors(&x[..n.min(x.len())]));
        let lane = |x: T::Vector| Lane::<S, T> { simd, x };
        // Vectors first, and what is left over as numbers.
        macro_rules! each {
            ($($x:ident),+ => $value:expr) => {{
                $(let whole = &$x.0[..m]; let $x = (whole, $x.1);)+
                if plain {
                    for i in 0..m {
                        $(let $x = lane($x.0[i]);)+
                        vectors[i] = $value.x;
                    }
                } else {
                    for i in 0..m {
                        $(let $x = lane($x.0[i]);)+
                        vectors[i] = ($value * lane(scales) + lane(shifts)).x;
                    }
                }
                for (i, out) in tail.iter_mut().enumerate() {
                    $(let $x = $x.1[i];)+
                    *out = $value * scale + shift;
                }
            }};
        }
        match (self.left, self.top, self.right) {
            (None, Join(Add), _) => each!(a, b => (a + b)),
            (None, Join(Sub), _) => each!(a, b => (a - b)),
            (None, Join(Mul), _) => each!(a, b => (a * b)),
            (Some(Add), Join(Add), None) => each!(a, b, c => ((a + b) + c)),
            (Some(Sub), Join(Add), None) => each!(a, b, c => ((a - b) + c)),
            (Some(Mul), Join(Add), None) => each!(a, b, c => ((a * b) + c)),
            (Some(Add), Join(Sub), None) => each!(a, b, c => ((a + b) - c)),
            (Some(Sub), Join(Sub), None) => each!(a, b, c => ((a - b) - c)),
            (Some(Mul), Join(Sub), None) => each!(a, b, c => ((a * b) - c)),
            (Some(Add), Reversed, _) => each!(a, b, c => (c - (a + b))),
            (Some(Sub), Reversed, _) => each!(a, b, c => (c - (a - b))),
            (Some(Mul), Reversed, _) => each!(a, b, c => (c - (a * b))),
            (Some(Add), Join(Mul), _) => each!(a, b, c => ((a + b) * c)),
            (Some(Sub), Join(Mul), _) => each!(a, b, c => ((a - b) * c)),
            (Some(Mul), Join(Mul), _) => each!(a, b, c => ((a * b) * c)),
            (Some(_), Join(Add), Some(_)) => each!(a, b, c, d => ((a * b) + (c * d))),
            (Some(_), Join(Sub), Some(_)) => each!(a, b, c, d => ((a * b) - (c * d))),
            (_, Left | Reversed, _) => each!(a => a),
        }
    }
}

/// A vector with operators.
struct Lane<S: Simd, T: Lanes<S>> {
    simd: S,
    x: T::Vector,
}

macro_rules! operator {
    ($trait:ident, $method:ident, $function:ident) => {
        impl<S: Simd, T: Lanes<S>> $trait for Lane<S, T> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self {
                    simd: self.simd,
                    x: T::$function(self.simd, self.x, other.x),
                }
            }
        }
    };
}

operator!(Add, add, total);
operator!(Sub, sub, difference);
operator!(Mul, mul, product);

/// Vectors of a type on a machine.
pub(crate) trait Lanes<S: Simd>: Element {
    type Vector: Copy;

    /// Whole vectors, and what is left over.
    fn vectors(x: &[Self]) -> (&[Self::Vector], &[Self]);
    fn vectors_mut(x: &mut [Self]) -> (&mut [Self::Vector], &mut [Self]);
    fn splat(simd: S, x: Self) -> Self::Vector;
    fn total(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    fn difference(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    fn product(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector;
}

macro_rules! lanes {
    ($type:ty, $vector:ident, $vectors:ident, $vectors_mut:ident, $splat:ident,
     $add:ident, $sub:ident, $mul:ident) => {
        impl<S: Simd> Lanes<S> for $type {
            type Vector = S::$vector;

            #[inline(always)]
            fn vectors(x: &[Self]) -> (&[Self::Vector], &[Self]) {
                S::$vectors(x)
            }

            #[inline(always)]
            fn vectors_mut(x: &mut [Self]) -> (&mut [Self::Vector], &mut [Self]) {
                S::$vectors_mut(x)
            }

            #[inline(always)]
            fn splat(simd: S, x: Self) -> Self::Vector {
                simd.$splat(x)
            }

            #[inline(always)]
            fn total(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector {
                simd.$add(x, y)
            }

            #[inline(always)]
            fn difference(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector {
                simd.$sub(x, y)
            }

            #[inline(always)]
            fn product(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector {
                simd.$mul(x, y)
            }
        }
    };
}

#[rustfmt::skip]
lanes!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, sub_f32s, mul_f32s);
#[rustfmt::skip]
lanes!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, sub_f64s, mul_f64s);
