//! Functions of two numbers beside sums and products: powers and angles.

use super::{Kernel, Prepared, Primitive, Rule, Split};
use crate::{Array, Element, Shape};

/// A function of each two elements of arrays of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pair {
    /// aᵇ for a > 0.
    Pow,
    /// The angle of the point (b, a), in [−π, π].
    Atan2,
}

impl Array<'_> {
    /// xʸ, element by element, for x > 0.
    ///
    /// # Panics
    /// When shapes do not broadcast.
    #[must_use]
    #[track_caller]
    pub fn pow(self, exponent: Self) -> Self {
        let (x, y) = self.stretched(exponent);
        match y.as_number() {
            Some(c) => x.powf(c),
            None => x.make(Pair::Pow, &[x, y]),
        }
    }

    /// The angle of the point (x, y), this array being y, in [−π, π].
    ///
    /// # Panics
    /// When shapes do not broadcast.
    #[must_use]
    #[track_caller]
    pub fn atan2(self, x: Self) -> Self {
        let (y, x) = self.stretched(x);
        y.make(Pair::Atan2, &[y, x])
    }
}

impl Pair {
    /// ∂y/∂a or ∂y/∂b.
    fn slope<'g>(self, i: usize, inputs: &[Array<'g>], y: Array<'g>) -> Array<'g> {
        let (a, b) = (inputs[0], inputs[1]);
        match (self, i) {
            (Self::Pow, 0) => b * a.pow(b - 1.0),
            (Self::Pow, _) => y * a.ln(),
            (Self::Atan2, 0) => b / (a * a + b * b),
            (Self::Atan2, _) => -(a / (a * a + b * b)),
        }
    }
}

impl Primitive for Pair {
    fn name(&self) -> &'static str {
        match self {
            Self::Pow => "pow",
            Self::Atan2 => "atan2",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![*self as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        super::Binary::Add.shape(inputs)
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let parts = (0..2).filter_map(|i| Some(tangents[i]? * self.slope(i, inputs, out)));
        parts.reduce(|a, b| a + b)
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        bar * self.slope(i, inputs, out)
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        if split.iter().all(|s| *s) {
            Split::Rows
        } else {
            Split::Whole
        }
    }

    fn prepare(&self, _: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        Some(Prepared::new(*self))
    }
}

impl<T: Element> Kernel<T> for Pair {
    fn run(&self, _: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        match self {
            Self::Pow => T::power(inputs[0], inputs[1], out),
            Self::Atan2 => {
                for ((o, y), x) in out.iter_mut().zip(inputs[0]).zip(inputs[1]) {
                    *o = T::of(libm::atan2(y.f64(), x.f64()));
                }
            }
        }
    }
}
