//! Gradients by columns: the pieces of G that stay in the cache while m of them are combined.

use faer::dyn_stack::MemStack;
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::linalg::triangular_inverse::invert_lower_triangular;
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
    triangular_matmul(
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
        let sum = sum.col_as_slice_mut(j);
        for (sum, p) in sum[j..].iter_mut().zip(&product.col_as_slice(j)[j..]) {
            *sum += p.f64();
        }
    }
}

/// The lower factor of S/λ + mI, in place of S.
pub(super) fn factor(s: &mut Mat<f64>, damping: f64) -> Result<(), LinalgError> {
    let m = s.nrows();
    let mut scratch = factor_scratch(m);
    factorise(s, damping, m as f64, MemStack::new(&mut scratch))
}

/// (λL)⁻¹, rounded to T: products with it are faster than solves.
pub(super) fn inverted<T: Real>(l: &Mat<f64>, damping: f64) -> Mat<T> {
    let mut inverse = Mat::zeros(l.nrows(), l.ncols());
    invert_lower_triangular(inverse.as_mut(), l.as_ref(), Par::Seq);
    Mat::from_fn(l.nrows(), l.ncols(), |i, j| {
        T::of(inverse[(i, j)] / damping)
    })
}

/// `out ← (λL)⁻¹A` for an m×c tile A in row-major order.
pub(super) fn eliminate<T: Real>(inverse: MatRef<'_, T>, tile: &[T], out: &mut [T]) {
    let m = inverse.nrows();
    let columns = tile.len() / m;
    triangular_matmul(
        MatMut::from_row_major_slice_mut(out, m, columns),
        BlockStructure::Rectangular,
        Accum::Replace,
        inverse,
        BlockStructure::TriangularLower,
        MatRef::from_row_major_slice(tile, m, columns),
        BlockStructure::Rectangular,
        T::one(),
        Par::Seq,
    );
}
