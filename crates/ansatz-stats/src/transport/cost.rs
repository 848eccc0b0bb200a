//! What moving from one point to another costs.

use super::{finite, length, rows};
use crate::TransportError;

/// Costs between n sources and m targets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cost<'a> {
    /// A matrix `[n, m]`, row-major.
    Matrix(&'a [f64]),
    /// `|xᵢ − yⱼ|²` of points, `[n, dim]` and `[m, dim]`: computed where it is needed, never stored.
    SquaredDistance {
        /// The sources.
        x: &'a [f64],
        /// The targets.
        y: &'a [f64],
        /// Elements of a point.
        dim: usize,
    },
}

impl Cost<'_> {
    pub(super) fn check(&self, n: usize, m: usize) -> Result<(), TransportError> {
        match *self {
            Self::Matrix(values) => {
                length("the cost matrix", n * m, values.len())?;
                finite("the cost matrix", values)
            }
            Self::SquaredDistance { x, y, dim } => {
                for (what, points, count) in [("x", x, n), ("y", y, m)] {
                    rows(what, points.len(), dim)?;
                    length(what, count * dim, points.len())?;
                    finite(what, points)?;
                }
                Ok(())
            }
        }
    }
}

/// Rows of costs, laid out so that they are computed along memory.
#[derive(Debug, Clone)]
pub(super) enum Rows<'a> {
    Borrowed(&'a [f64]),
    Owned(Vec<f64>),
    Points {
        /// `[n, dim]`
        x: &'a [f64],
        /// `[dim, m]`
        y: Vec<f64>,
        dim: usize,
    },
}

fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut out = vec![0.0; values.len()];
    for i in 0..rows {
        for j in 0..columns {
            out[j * rows + i] = values[i * columns + j];
        }
    }
    out
}

impl<'a> Rows<'a> {
    /// From sources to targets.
    pub(super) fn forth(cost: Cost<'a>, m: usize) -> Self {
        match cost {
            Cost::Matrix(values) => Self::Borrowed(values),
            Cost::SquaredDistance { x, y, dim } => Self::Points {
                x,
                y: transposed(y, m, dim),
                dim,
            },
        }
    }

    /// From targets to sources.
    pub(super) fn back(cost: Cost<'a>, n: usize, m: usize) -> Self {
        match cost {
            Cost::Matrix(values) => Self::Owned(transposed(values, n, m)),
            Cost::SquaredDistance { x, y, dim } => Self::Points {
                x: y,
                y: transposed(x, n, dim),
                dim,
            },
        }
    }

    /// Elements `first..` of row `i`, of `columns` elements.
    #[inline(always)]
    pub(super) fn fill(&self, i: usize, columns: usize, first: usize, out: &mut [f64]) {
        let from_matrix = |values: &[f64], out: &mut [f64]| {
            let start = i * columns + first;
            out.copy_from_slice(&values[start..start + out.len()]);
        };
        match self {
            Self::Borrowed(values) => from_matrix(values, out),
            Self::Owned(values) => from_matrix(values, out),
            Self::Points { x, y, dim } => {
                out.fill(0.0);
                for (x, y) in x[i * dim..][..*dim].iter().zip(y.chunks_exact(columns)) {
                    let y = &y[first..][..out.len()];
                    for (o, y) in out.iter_mut().zip(y) {
                        let d = x - y;
                        *o += d * d;
                    }
                }
            }
        }
    }

    /// The largest cost of row `i`.
    pub(super) fn largest(&self, i: usize, columns: usize) -> f64 {
        let mut buffer = [0.0; BLOCK];
        let mut largest = f64::NEG_INFINITY;
        for first in (0..columns).step_by(BLOCK) {
            let block = &mut buffer[..BLOCK.min(columns - first)];
            self.fill(i, columns, first, block);
            largest = block.iter().fold(largest, |a, b| a.max(*b));
        }
        largest
    }

    /// The work that a row takes, in multiplications.
    pub(super) fn work(&self, columns: usize) -> usize {
        // An exponential is worth some 20.
        let cost = match self {
            Self::Points { dim, .. } => *dim,
            _ => 1,
        };
        columns * (cost + 20)
    }
}

/// Costs that are on the stack at one time.
pub(super) const BLOCK: usize = 256;
