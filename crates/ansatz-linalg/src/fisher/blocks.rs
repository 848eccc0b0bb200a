//! F⁻¹ of the block diagonal of F.

use ansatz_core::{EvalError, LinearMap};
use faer::Mat;
use rayon::prelude::*;

use super::compressed::check;
use super::tile::{add_products, eliminate, factor, inverted};
use crate::error::{shape, within};
use crate::{LinalgError, Real};

/// The inverse of the block-diagonal part of F: coordinates are split into consecutive blocks, each treated as a
/// problem of its own.
///
/// It is no block of F⁻¹ but F⁻¹ without the interactions between blocks, which for networks loses little and has much
/// better rank: m gradients span a block of B ≤ m coordinates. Blocks are computed in parallel and stay in the cache.
/// The published default is B = 128 for pruning.
#[derive(Debug, Clone)]
pub struct BlockFisher<T> {
    /// W of each block, row by row, block after block.
    blocks: Vec<T>,
    gradients: usize,
    dimension: usize,
    size: usize,
    damping: f64,
}

impl<T: Real> BlockFisher<T> {
    /// Sets up the inverse of all blocks of `size` coordinates; the last one may be shorter.
    ///
    /// # Errors
    /// Those of [`CompressedFisher::new`](super::CompressedFisher::new), and [`LinalgError::Parameter`] for blocks of
    /// no coordinate.
    pub fn new(gradients: &[Vec<T>], size: usize, damping: f64) -> Result<Self, LinalgError> {
        check(gradients, damping)?;
        within("block", size as f64, 1.0.., "at least 1 coordinate")?;
        let (m, d) = (gradients.len(), gradients[0].len());
        let mut blocks = vec![T::zero(); m * d];
        blocks
            .par_chunks_mut(m * size)
            .enumerate()
            .try_for_each(|(k, block)| {
                let length = block.len() / m;
                for (row, gradient) in block.chunks_exact_mut(length).zip(gradients) {
                    row.copy_from_slice(&gradient[k * size..][..length]);
                }
                let mut s = Mat::zeros(m, m);
                add_products(block, m, &mut Mat::zeros(m, m), &mut s);
                factor(&mut s, damping)?;
                let tile = block.to_vec();
                eliminate(inverted::<T>(&s, damping).as_ref(), &tile, block);
                Ok::<(), LinalgError>(())
            })?;
        Ok(Self {
            blocks,
            gradients: m,
            dimension: d,
            size,
            damping,
        })
    }

    /// Length of the vectors.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// `y ← F⁻¹x`, in one sweep.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; [`LinalgError::Operator`] when x is not finite.
    pub fn apply_inverse(&self, x: &[T], y: &mut [T]) -> Result<(), LinalgError> {
        shape("vector", self.dimension, x.len())?;
        shape("result", self.dimension, y.len())?;
        if !T::all_finite(x) {
            return Err(EvalError::NonFinite { what: "vector" }.into());
        }
        y.par_chunks_mut(self.size)
            .zip(x.par_chunks(self.size))
            .zip(self.blocks.par_chunks(self.gradients * self.size))
            .for_each_init(
                || vec![0.0; self.size],
                |sums, ((y, x), block)| {
                    let sums = &mut sums[..x.len()];
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = x.f64() / self.damping;
                    }
                    for row in block.chunks_exact(x.len()) {
                        let weight: f64 = row.iter().zip(x).map(|(w, x)| w.f64() * x.f64()).sum();
                        for (sum, w) in sums.iter_mut().zip(row) {
                            *sum -= weight * w.f64();
                        }
                    }
                    for (y, sum) in y.iter_mut().zip(&*sums) {
                        *y = T::of(*sum);
                    }
                },
            );
        Ok(())
    }

    /// Element (a, b) of F⁻¹: 0 for coordinates of different blocks.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for an index out of range.
    pub fn element(&self, a: usize, b: usize) -> Result<f64, LinalgError> {
        if a.max(b) >= self.dimension {
            return Err(LinalgError::Shape {
                what: "index of an element, below",
                expected: self.dimension,
                got: a.max(b),
            });
        }
        let start = a / self.size * self.size;
        if b / self.size * self.size != start {
            return Ok(0.0);
        }
        let length = self.size.min(self.dimension - start);
        let block = &self.blocks[start * self.gradients..][..length * self.gradients];
        let rows = block.chunks_exact(length);
        let sum: f64 = rows
            .map(|row| row[a - start].f64() * row[b - start].f64())
            .sum();
        Ok(f64::from(u8::from(a == b)) / self.damping - sum)
    }

    /// The diagonal of F⁻¹.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for another length.
    pub fn diagonal(&self, out: &mut [f64]) -> Result<(), LinalgError> {
        shape("diagonal", self.dimension, out.len())?;
        out.par_chunks_mut(self.size)
            .zip(self.blocks.par_chunks(self.gradients * self.size))
            .for_each(|(out, block)| {
                out.fill(1.0 / self.damping);
                for row in block.chunks_exact(out.len()) {
                    for (o, w) in out.iter_mut().zip(row) {
                        *o -= w.f64() * w.f64();
                    }
                }
            });
        Ok(())
    }
}

impl<T: Real> LinearMap<Vec<T>> for BlockFisher<T> {
    fn apply(&self, x: &Vec<T>, y: &mut Vec<T>) -> Result<(), EvalError> {
        self.apply_inverse(x, y).map_err(EvalError::model)
    }
}
