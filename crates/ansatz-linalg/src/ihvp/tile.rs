//! Gradients by columns: the pieces of G that stay in the cache while m of them are combined.

use faer::dyn_stack::MemStack;
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::factor::{factor_scratch, factorise};
use crate::{LinalgError, Real};

/// Columns of a tile: products are summed in T over so many, and over tiles in f64.
pub(super) const COLUMNS: usize = 512;

/// Adds the lower triangle of A·Aᵀ to `sum`, for the m×c tile A in row-major order. `product` is scratch.
pub(super) fn add_products<T: Real>(
    tile: &[T],
    m: usize,
    product: &mut Mat<T>,
    sum: &mut Mat<f64>,
) {
    let a = MatRef::from_row_major_slice(tile, m, tile.len() / m);
    matmul(
        product.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Replace,
        a,
        BlockStructure::Rectangular,
        a.transpose(),
        BlockStructure::Rectangular,
        T::one(),
        Par::Seq,
    );
    for j in 0..m {
        for i in j..m {
            sum[(i, j)] += product[(i, j)].f64();
        }
    }
}

/// The lower factor of S/λ + mI, in place of S.
pub(super) fn factor(s: &mut Mat<f64>, damping: f64) -> Result<(), LinalgError> {
    let m = s.nrows();
    let mut scratch = factor_scratch(m);
    factorise(s, damping, m as f64, MemStack::new(&mut scratch))
}

/// λL, rounded to T: what [`eliminate`] divides by.
pub(super) fn scaled<T: Real>(l: &Mat<f64>, damping: f64) -> Mat<T> {
    Mat::from_fn(l.nrows(), l.ncols(), |i, j| T::of(l[(i, j)] * damping))
}

/// `A ← (λL)⁻¹A` for an m×c tile in row-major order.
pub(super) fn eliminate<T: Real>(l: MatRef<'_, T>, tile: &mut [T]) {
    let m = l.nrows();
    let columns = tile.len() / m;
    let a = MatMut::from_row_major_slice_mut(tile, m, columns);
    solve_lower_triangular_in_place(l, a, Par::Seq);
}
