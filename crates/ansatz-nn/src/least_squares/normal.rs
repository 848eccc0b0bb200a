//! JᵀJ and Jᵀr, from rows of J.

use ansatz_core::Scalar;
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// Columns of JᵀJ that one task adds to.
const COLUMNS: usize = 64;

/// The normal equations of p parameters, in double precision.
#[derive(Debug)]
pub(crate) struct Normal {
    p: usize,
    /// Rows of J that are gathered before they are multiplied.
    chunk: usize,
    rows: Vec<f64>,
    /// The lower triangle of JᵀJ, column by column.
    products: Vec<f64>,
    /// Jᵀr.
    pub(crate) slopes: Vec<f64>,
    damped: Mat<f64>,
}

impl Normal {
    pub(crate) fn new(p: usize, chunk: usize) -> Self {
        Self {
            p,
            chunk,
            rows: Vec::with_capacity(chunk * p),
            products: vec![0.0; p * p],
            slopes: vec![0.0; p],
            damped: Mat::zeros(p, p),
        }
    }

    /// Rows of J that are gathered before they are multiplied.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.products.fill(0.0);
        self.slopes.fill(0.0);
    }

    /// Adds a row of J and its residual.
    pub(crate) fn push<T: Scalar>(&mut self, r: f64, row: &[T]) {
        self.rows.extend(row.iter().map(|v| v.f64()));
        for (s, v) in self.slopes.iter_mut().zip(row) {
            *s += r * v.f64();
        }
        if self.rows.len() == self.chunk * self.p {
            self.finish();
        }
    }

    /// Adds the products of the rows that were gathered.
    pub(crate) fn finish(&mut self) {
        let (p, count) = (self.p, self.rows.len() / self.p);
        let rows = MatRef::from_row_major_slice(&self.rows, count, p);
        // Columns of the lower triangle in blocks of their own: the same products for any number of threads.
        let blocks = self.products.par_chunks_mut(COLUMNS * p).enumerate();
        blocks.for_each(|(b, columns)| {
            let (from, width) = (b * COLUMNS, columns.len() / p);
            let block = MatMut::from_column_major_slice_mut(columns, p, width);
            let (corner, below) = block.subrows_mut(from, p - from).split_at_row_mut(width);
            let own = rows.subcols(from, width);
            matmul(
                corner,
                BlockStructure::TriangularLower,
                Accum::Add,
                own.transpose(),
                BlockStructure::Rectangular,
                own,
                BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
            matmul(
                below,
                BlockStructure::Rectangular,
                Accum::Add,
                rows.subcols(from + width, p - from - width).transpose(),
                BlockStructure::Rectangular,
                own,
                BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
        });
        self.rows.clear();
    }

    /// The diagonal of JᵀJ.
    pub(crate) fn diagonal(&self) -> impl Iterator<Item = f64> {
        let p = self.p;
        (0..p).map(move |i| self.products[i * p + i])
    }

    /// δ = −S(S·JᵀJ·S + μI)⁻¹S·Jᵀr for a diagonal S = D^(−½), which solves (JᵀJ + μD)δ = −Jᵀr; `false` if the matrix is
    /// not positive definite.
    pub(crate) fn solve(&mut self, mu: f64, scale: &[f64], step: &mut [f64]) -> bool {
        let p = self.p;
        for j in 0..p {
            for i in j..p {
                self.damped[(i, j)] = self.products[j * p + i] * scale[i] * scale[j];
            }
            self.damped[(j, j)] += mu;
        }
        let Ok(factor) = Llt::new(self.damped.as_ref(), Side::Lower) else {
            return false;
        };
        for ((d, s), c) in step.iter_mut().zip(&self.slopes).zip(scale) {
            *d = -s * c;
        }
        factor.solve_in_place(MatMut::from_column_major_slice_mut(step, p, 1));
        for (d, c) in step.iter_mut().zip(scale) {
            *d *= c;
        }
        step.iter().all(|d| d.is_finite())
    }
}
