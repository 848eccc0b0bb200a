//! Two or three sums and products in one pass over tiles.
//!
//! An operation on tiles is bound by its reads and writes, not by its arithmetic. A product that
//! only a sum reads, for example, is therefore taken into the sum's loop. Each operation is rounded as if
//! it stood alone, so this changes no bit.

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

    /// The loops, one for each form: calls and closures in them would keep them from becoming vector
    /// instructions.
    #[inline(always)]
    pub(crate) fn apply<T: Element>(self, x: [&[T]; 4], out: &mut [T]) {
        use Binary::{Add, Mul, Sub};
        use Top::{Join, Left, Reversed};
        let n = out.len();
        let [a, b, c, d] = x.map(|x| &x[..n]);
        let plain = self.affine.is_none();
        let (scale, shift) = (T::of(self.affine.scale), T::of(self.affine.shift));
        macro_rules! each {
            ($i:ident => $value:expr) => {
                if plain {
                    for $i in 0..n {
                        out[$i] = $value;
                    }
                } else {
                    for $i in 0..n {
                        out[$i] = $value * scale + shift;
                    }
                }
            };
        }
        match (self.left, self.top, self.right) {
            (None, Join(Add), _) => each!(i => a[i] + b[i]),
            (None, Join(Sub), _) => each!(i => a[i] - b[i]),
            (None, Join(Mul), _) => each!(i => a[i] * b[i]),
            (Some(Add), Join(Add), None) => each!(i => (a[i] + b[i]) + c[i]),
            (Some(Sub), Join(Add), None) => each!(i => (a[i] - b[i]) + c[i]),
            (Some(Mul), Join(Add), None) => each!(i => (a[i] * b[i]) + c[i]),
            (Some(Add), Join(Sub), None) => each!(i => (a[i] + b[i]) - c[i]),
            (Some(Sub), Join(Sub), None) => each!(i => (a[i] - b[i]) - c[i]),
            (Some(Mul), Join(Sub), None) => each!(i => (a[i] * b[i]) - c[i]),
            (Some(Add), Reversed, _) => each!(i => c[i] - (a[i] + b[i])),
            (Some(Sub), Reversed, _) => each!(i => c[i] - (a[i] - b[i])),
            (Some(Mul), Reversed, _) => each!(i => c[i] - (a[i] * b[i])),
            (Some(Add), Join(Mul), _) => each!(i => (a[i] + b[i]) * c[i]),
            (Some(Sub), Join(Mul), _) => each!(i => (a[i] - b[i]) * c[i]),
            (Some(Mul), Join(Mul), _) => each!(i => (a[i] * b[i]) * c[i]),
            (Some(_), Join(Add), Some(_)) => each!(i => (a[i] * b[i]) + (c[i] * d[i])),
            (Some(_), Join(Sub), Some(_)) => each!(i => (a[i] * b[i]) - (c[i] * d[i])),
            (_, Left | Reversed, _) => each!(i => a[i]),
        }
    }
}
