//! Sums of products in one pass over tiles.
//!
//! An operation on tiles is bound by its reads and writes, not by its arithmetic. A product that
//! only a sum reads, for example, is therefore taken into the sum's loop. Each operation is rounded as if
//! it stood alone, so this changes no bit.

use std::ops::{Add, Mul};

use pulp::Simd;

use super::element::Element;
use crate::op::{Binary, Unary};

/// Most reads of a form.
pub(crate) const READS: usize = 7;

/// scale·((c₀·Π₀ + c₁·Π₁ + c₂·Π₂)·by) + shift with products Π of one to three reads each, where all but Π₀
/// may be missing; `R` names what is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Form<R> {
    pub(crate) terms: Vec<(f64, Vec<R>)>,
    pub(crate) by: Option<R>,
    pub(crate) affine: Affine,
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
        is_one(self.scale) && self.is_unshifted()
    }

    fn is_unshifted(self) -> bool {
        self.shift.to_bits() == (-0.0_f64).to_bits()
    }
}

fn is_one(c: f64) -> bool {
    c.to_bits() == 1.0_f64.to_bits()
}

fn is_sign(c: f64) -> bool {
    is_one(c.abs())
}

/// The factor that does what two do one after the other, to the bit: one of them must be a sign.
fn both(c: f64, d: f64) -> Option<f64> {
    (is_sign(c) || is_sign(d)).then_some(c * d)
}

/// The forms that have loops: factors of three products, and whether the sum has a factor.
macro_rules! loops {
    ($do:ident) => {
        $do! {
            (1, 0, 0, false) (2, 0, 0, false) (3, 0, 0, false)
            (1, 1, 0, false) (2, 1, 0, false) (3, 1, 0, false) (2, 2, 0, false)
            (1, 1, 1, false) (2, 1, 1, false) (2, 2, 1, false)
            (1, 1, 2, false) (2, 1, 2, false) (2, 2, 2, false)
            (1, 0, 0, true) (2, 0, 0, true) (1, 1, 0, true) (2, 1, 0, true) (2, 2, 0, true)
            (1, 1, 1, true) (2, 1, 1, true) (2, 2, 1, true)
        }
    };
}

impl<R: Copy + PartialEq> Form<R> {
    pub(crate) fn binary(f: Binary, a: R, b: R) -> Self {
        let terms = match f {
            Binary::Add => vec![(1.0, vec![a]), (1.0, vec![b])],
            Binary::Sub => vec![(1.0, vec![a]), (-1.0, vec![b])],
            Binary::Mul => vec![(1.0, vec![a, b])],
        };
        Self {
            terms,
            by: None,
            affine: Affine::NONE,
        }
    }

    /// The form of a function that has one.
    pub(crate) fn unary(f: Unary, x: R) -> Option<Self> {
        let (scale, shift) = match f {
            Unary::Neg => (-1.0, -0.0),
            Unary::Scale(c) => (c, -0.0),
            Unary::Shift(c) => (1.0, c),
            _ => return None,
        };
        Some(Self {
            terms: vec![(1.0, vec![x])],
            by: None,
            affine: Affine { scale, shift },
        })
    }

    pub(crate) fn reads(&self) -> impl Iterator<Item = R> {
        let factors = self.terms.iter().flat_map(|(_, factors)| factors.clone());
        factors.chain(self.by)
    }

    /// The factor of the form if that is one product and no more.
    fn as_product(&self) -> Option<f64> {
        match &self.terms[..] {
            [(c, _)] if self.by.is_none() && self.affine.is_unshifted() => {
                both(*c, self.affine.scale)
            }
            _ => None,
        }
    }

    /// The form with another one in the place of `read`, which occurs once, if there is a loop for that.
    pub(crate) fn absorb(&self, read: R, other: &Self) -> Option<Self> {
        let at = self.terms.iter().position(|(_, f)| f.contains(&read))?;
        let mut form = self.clone();
        let (c, factors) = form.terms[at].clone();
        let alone = self.terms.len() == 1 && self.by.is_none();
        if alone && factors.len() == 1 && is_one(c) {
            // A function of the other form.
            form = other.clone();
            form.affine = if other.affine.is_unshifted() {
                let scale = both(other.affine.scale, self.affine.scale)?;
                Affine {
                    scale,
                    ..self.affine
                }
            } else {
                return None;
            };
        } else if let ([_], Some(d)) = (&factors[..], other.as_product()) {
            form.terms[at] = (both(c, d)?, other.terms[0].1.clone());
        } else if let [_] = factors[..] {
            // Sums are associated to the left, and two terms may change places.
            let first = at == 0 || self.terms.len() == 2;
            if !first || !is_sign(c) || other.by.is_some() || !other.affine.is_none() {
                return None;
            }
            form.terms.remove(at);
            let inner = other.terms.iter().map(|(d, f)| (c * d, f.clone()));
            form.terms = inner.chain(form.terms).collect();
        } else if let (Some(d), true) = (
            other.as_product().filter(|d| is_sign(*d)),
            factors.len() == 2 || factors[0] == read,
        ) {
            let theirs = other.terms[0].1.iter().copied();
            let ours = factors.into_iter().filter(|f| *f != read);
            form.terms[at] = (c * d, theirs.chain(ours).collect());
        } else if alone && factors.len() == 2 && other.by.is_none() && other.affine.is_none() {
            form.by = factors.into_iter().find(|f| *f != read);
            form.affine.scale = both(c, self.affine.scale)?;
            form.terms.clone_from(&other.terms);
        } else {
            return None;
        }
        // Products with more factors first.
        if let [(_, a), (_, b), ..] = &form.terms[..]
            && a.len() < b.len()
        {
            form.terms.swap(0, 1);
        }
        form.has_loop().then_some(form)
    }

    fn has_loop(&self) -> bool {
        let Terms {
            counts: [a, b, c],
            by,
            ..
        } = self.terms();
        macro_rules! there {
            ($($form:tt)*) => { [$($form),*].contains(&(a, b, c, by)) };
        }
        self.terms.len() <= 3 && loops!(there)
    }

    /// The form without its reads, which are those of [`Form::reads`].
    pub(crate) fn terms(&self) -> Terms {
        let (mut counts, mut scales) = ([0; 3], [1.0; 3]);
        for (k, (c, factors)) in self.terms.iter().enumerate().take(counts.len()) {
            counts[k] = factors.len();
            scales[k] = *c;
        }
        Terms {
            counts,
            by: self.by.is_some(),
            scales,
            affine: self.affine,
        }
    }
}

/// A [`Form`] without what it reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Terms {
    /// Factors of each product, 0 for one that is missing.
    counts: [usize; 3],
    /// Whether the sum is multiplied by another read.
    by: bool,
    scales: [f64; 3],
    affine: Affine,
}

impl Terms {
    /// Number of arrays it reads.
    pub(crate) fn reads(self) -> usize {
        self.counts.iter().sum::<usize>() + usize::from(self.by)
    }

    /// The loops, one for each form. What is not read is any array as long as the others.
    #[inline(always)]
    pub(crate) fn apply<S: Simd, T: Lanes<S>>(self, simd: S, x: [&[T]; READS], out: &mut [T]) {
        let [a, b, c] = self.counts;
        let plain = self.affine.is_none() && self.scales.iter().all(|c| is_one(*c));
        macro_rules! choose {
            ($(($a:literal, $b:literal, $c:literal, $by:literal))*) => {
                match (a, b, c, self.by) {
                    $(($a, $b, $c, $by) if plain => {
                        self.each::<S, T, $a, $b, $c, $by, true>(simd, x, out);
                    }
                    ($a, $b, $c, $by) => {
                        self.each::<S, T, $a, $b, $c, $by, false>(simd, x, out);
                    })*
                    _ => {}
                }
            };
        }
        loops!(choose);
    }

    #[inline(always)]
    fn each<
        S: Simd,
        T: Lanes<S>,
        const A: usize,
        const B: usize,
        const C: usize,
        const BY: bool,
        const PLAIN: bool,
    >(
        self,
        simd: S,
        x: [&[T]; READS],
        out: &mut [T],
    ) {
        let n = out.len();
        let (vectors, tail) = T::vectors_mut(out);
        let m = vectors.len();
        let c = self.scales.map(T::of);
        let f = [self.affine.scale, self.affine.shift].map(T::of);
        // Vectors first, and what is left over as numbers. No closures: they are not compiled for the
        // machine's vectors.
        macro_rules! all {
            ($k:ident => $value:expr) => {
                [
                    {
                        const $k: usize = 0;
                        $value
                    },
                    {
                        const $k: usize = 1;
                        $value
                    },
                    {
                        const $k: usize = 2;
                        $value
                    },
                    {
                        const $k: usize = 3;
                        $value
                    },
                    {
                        const $k: usize = 4;
                        $value
                    },
                    {
                        const $k: usize = 5;
                        $value
                    },
                    {
                        const $k: usize = 6;
                        $value
                    },
                ]
            };
        }
        macro_rules! lane {
            ($number:expr) => {
                Lane::<S, T> {
                    simd,
                    x: T::splat(simd, $number),
                }
            };
        }
        let (scales, affine) = (
            [lane!(c[0]), lane!(c[1]), lane!(c[2])],
            [lane!(f[0]), lane!(f[1])],
        );
        let whole = all!(K => &T::vectors(&x[K][..n]).0[..m]);
        for i in 0..m {
            let x = all!(K => Lane { simd, x: whole[K][i] });
            vectors[i] = value::<_, A, B, C, BY, PLAIN>(x, scales, affine).x;
        }
        let rest = all!(K => &T::vectors(&x[K][..n]).1[..tail.len()]);
        for i in 0..tail.len() {
            tail[i] = value::<_, A, B, C, BY, PLAIN>(all!(K => rest[K][i]), c, f);
        }
    }
}

/// The form's value for reads `x`, scales `c` and the affine function `f`.
#[inline(always)]
fn value<
    V: Copy + Add<Output = V> + Mul<Output = V>,
    const A: usize,
    const B: usize,
    const C: usize,
    const BY: bool,
    const PLAIN: bool,
>(
    x: [V; READS],
    c: [V; 3],
    f: [V; 2],
) -> V {
    macro_rules! product {
        ($from:expr, $count:expr, $c:expr) => {{
            let mut product = x[$from];
            if $count > 1 {
                product = product * x[$from + 1];
            }
            if $count > 2 {
                product = product * x[$from + 2];
            }
            if PLAIN { product } else { $c * product }
        }};
    }
    let mut sum = product!(0, A, c[0]);
    if B > 0 {
        sum = sum + product!(A, B, c[1]);
    }
    if C > 0 {
        sum = sum + product!(A + B, C, c[2]);
    }
    if BY {
        sum = sum * x[A + B + C];
    }
    if PLAIN { sum } else { f[0] * sum + f[1] }
}

/// A vector with operators.
#[derive(Clone, Copy)]
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
                    x: <T as Lanes<S>>::$function(self.simd, self.x, other.x),
                }
            }
        }
    };
}

operator!(Add, add, total);
operator!(Mul, mul, product);

/// Vectors of a type on a machine.
pub(crate) trait Lanes<S: Simd>: Element {
    type Vector: Copy;

    /// Whole vectors, and what is left over.
    fn vectors(x: &[Self]) -> (&[Self::Vector], &[Self]);
    fn vectors_mut(x: &mut [Self]) -> (&mut [Self::Vector], &mut [Self]);
    fn splat(simd: S, x: Self) -> Self::Vector;
    fn total(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector;
    fn product(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector;
}

macro_rules! lanes {
    ($type:ty, $vector:ident, $vectors:ident, $vectors_mut:ident, $splat:ident,
     $add:ident, $mul:ident) => {
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
            fn product(simd: S, x: Self::Vector, y: Self::Vector) -> Self::Vector {
                simd.$mul(x, y)
            }
        }
    };
}

#[rustfmt::skip]
lanes!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, mul_f32s);
#[rustfmt::skip]
lanes!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, mul_f64s);
