//! Running sums along an axis.

use super::{Kernel, Prepared, Primitive, Rule, Split};
use crate::{Array, Element, Shape};

/// Sums of the elements up to each along an axis, in order; or of those from each on, from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CumulativeSum {
    pub(crate) axis: usize,
    pub(crate) reversed: bool,
}

impl Array<'_> {
    /// `out[.., i, ..] = Σ x[.., j, ..]` over j ≤ i along `axis`. Linear; the transpose sums from the end:
    /// `x.reverse(&[axis]).cumulative_sum(axis).reverse(&[axis])`.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn cumulative_sum(self, axis: usize) -> Self {
        let reversed = false;
        self.make(CumulativeSum { axis, reversed }, &[self])
    }
}

impl Primitive for CumulativeSum {
    fn name(&self) -> &'static str {
        "cumulative_sum"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.axis as u64, self.reversed.into()])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [x] if self.axis < x.rank() => Ok(x.clone()),
            [_] => Err(format!("there is no axis {}", self.axis)),
            _ => Err("one input is needed".into()),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>]) -> Array<'g> {
        let reversed = !self.reversed;
        bar.make(Self { reversed, ..*self }, &[bar])
    }

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        if self.axis > 0 {
            Split::Rows
        } else {
            Split::Whole
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let length = inputs[0][self.axis];
        Some(Prepared::new(Scan {
            outer: inputs[0][..self.axis].iter().product(),
            length,
            inner: inputs[0][self.axis + 1..].iter().product(),
            reversed: self.reversed,
        }))
    }
}

#[derive(Debug)]
struct Scan {
    outer: usize,
    length: usize,
    inner: usize,
    reversed: bool,
}

impl<T: Element> Kernel<T> for Scan {
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        let (n, inner) = (self.length, self.inner);
        for s in 0..rows * self.outer {
            let (x, out) = (&inputs[0][s * n * inner..], &mut out[s * n * inner..]);
            for i in 0..n {
                let (to, from) = if self.reversed {
                    (n - 1 - i, n - i)
                } else {
                    (i, i.wrapping_sub(1))
                };
                for c in 0..inner {
                    let before = if i == 0 {
                        T::zero()
                    } else {
                        out[from * inner + c]
                    };
                    out[to * inner + c] = before + x[to * inner + c];
                }
            }
        }
    }
}
