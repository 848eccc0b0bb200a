//! The loop of all four primitives.

use std::sync::Arc;

use super::Missing;
use crate::op::Kernel;
use crate::{Element, Shape};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Pick(Missing),
    AddUp,
}

/// All four primitives.
#[derive(Debug)]
pub(super) struct ByIndex {
    pub(super) way: Way,
    /// Tables in a row of the batch.
    pub(super) outer: usize,
    /// Indices, in a row of the batch if they are split.
    pub(super) count: usize,
    /// Elements of a table's row.
    pub(super) inner: usize,
    /// Rows of a table.
    pub(super) length: usize,
    pub(super) indices: Option<Arc<[usize]>>,
    /// Whether the points are indices into one table, rather than tables.
    pub(super) points: bool,
}

impl ByIndex {
    /// For arrays whose `rank` axes from `axis` are picked or added.
    pub(super) fn new((x, axis, rank): (&Shape, usize, usize), count: usize, way: Way) -> Self {
        Self {
            way,
            outer: x[..axis].iter().product(),
            count,
            inner: x[axis + rank..].iter().product(),
            length: 0,
            indices: None,
            points: false,
        }
    }
}

impl<T: Element> Kernel<T> for ByIndex {
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        let (outer, count) = if self.points {
            (1, rows * self.count)
        } else {
            (rows * self.outer, self.count)
        };
        let inner = self.inner;
        // Sums over points add to what is there.
        if self.way == Way::AddUp && !self.points {
            out.fill(T::zero());
        }
        for s in 0..outer {
            for j in 0..count {
                let row = match &self.indices {
                    Some(known) => Some(known[j]),
                    None => whole(inputs[1][j], self.length),
                };
                let entry = (s * count + j) * inner;
                let at = row.map(|i| (s * self.length + i) * inner);
                match (self.way, at) {
                    (Way::Pick(_), Some(at)) => {
                        out[entry..entry + inner].copy_from_slice(&inputs[0][at..at + inner]);
                    }
                    (Way::Pick(missing), None) => out[entry..entry + inner].fill(match missing {
                        Missing::Nan => T::nan(),
                        Missing::Zero => T::zero(),
                    }),
                    (Way::AddUp, Some(at)) => {
                        let values = &inputs[0][entry..entry + inner];
                        for (o, v) in out[at..at + inner].iter_mut().zip(values) {
                            *o += *v;
                        }
                    }
                    (Way::AddUp, None) => {}
                }
            }
        }
    }
}

/// The number of a row, if it is one.
fn whole<T: Element>(index: T, length: usize) -> Option<usize> {
    let i = index.f64();
    (i >= 0.0 && i < length as f64 && i.fract() == 0.0).then_some(i as usize)
}
