//! Block matrices.

use ansatz_core::{AdjointOp, LinearOp, Scalar};

use crate::LinalgError;
use crate::error::shape;

/// A block matrix; blocks not given are zero, blocks given for one place are added.
///
/// The blocks have one type: a box of a trait object mixes kinds.
///
/// ```
/// use ansatz_linalg::core::{AdjointOp, LinearOp};
/// use ansatz_linalg::operator::{Blocks, Diagonal, Identity};
/// // | D  I |
/// // | I  0 |, a saddle point
/// let mut a: Blocks<Box<dyn AdjointOp<f64>>> = Blocks::new(&[2, 2], &[2, 2]);
/// a.insert::<f64>(0, 0, Box::new(Diagonal::new(vec![2.0, 3.0])?))?;
/// a.insert::<f64>(0, 1, Box::new(Identity(2)))?;
/// a.insert::<f64>(1, 0, Box::new(Identity(2)))?;
/// let mut y = [0.0; 4];
/// a.apply(&[1.0, 1.0, 5.0, 6.0], &mut y, &mut vec![0.0; LinearOp::<f64>::scratch_len(&a)]);
/// assert_eq!(y, [7.0, 9.0, 1.0, 1.0]);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Blocks<A> {
    /// Where each block row and block column starts, and the total.
    rows: Vec<usize>,
    cols: Vec<usize>,
    parts: Vec<(usize, usize, A)>,
}

fn starts(sizes: &[usize]) -> Vec<usize> {
    let mut at = vec![0];
    for size in sizes {
        at.push(at[at.len() - 1] + size);
    }
    at
}

impl<A> Blocks<A> {
    /// The zero matrix with the given heights of block rows and widths of block columns.
    pub fn new(heights: &[usize], widths: &[usize]) -> Self {
        Self {
            rows: starts(heights),
            cols: starts(widths),
            parts: Vec::new(),
        }
    }

    /// Adds a block in block row `i`, block column `j`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for a place outside the matrix or a block of another size.
    pub fn insert<T: Scalar>(&mut self, i: usize, j: usize, block: A) -> Result<(), LinalgError>
    where
        A: LinearOp<T>,
    {
        let outside = |what, count: usize, at: usize| LinalgError::Shape {
            what,
            expected: count,
            got: at,
        };
        let (m, n) = (self.rows.len() - 1, self.cols.len() - 1);
        if i >= m {
            return Err(outside(
                "number of the block row (of those there are)",
                m,
                i,
            ));
        }
        if j >= n {
            return Err(outside(
                "number of the block column (of those there are)",
                n,
                j,
            ));
        }
        shape(
            "rows of the block",
            self.rows[i + 1] - self.rows[i],
            block.rows(),
        )?;
        shape(
            "columns of the block",
            self.cols[j + 1] - self.cols[j],
            block.cols(),
        )?;
        self.parts.push((i, j, block));
        Ok(())
    }
}

fn accumulate<T: Scalar>(
    into: &mut [T],
    scratch: &mut [T],
    product: impl FnOnce(&mut [T], &mut [T]),
) {
    let (part, scratch) = scratch.split_at_mut(into.len());
    product(part, scratch);
    for (y, v) in into.iter_mut().zip(part) {
        *y += *v;
    }
}

impl<T: Scalar, A: LinearOp<T>> LinearOp<T> for Blocks<A> {
    fn rows(&self) -> usize {
        self.rows[self.rows.len() - 1]
    }

    fn cols(&self) -> usize {
        self.cols[self.cols.len() - 1]
    }

    fn scratch_len(&self) -> usize {
        let need = |b: &(usize, usize, A)| b.2.rows().max(b.2.cols()) + b.2.scratch_len();
        self.parts.iter().map(need).max().unwrap_or(0)
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        y.fill(T::zero());
        for (i, j, block) in &self.parts {
            let x = &x[self.cols[*j]..self.cols[j + 1]];
            let y = &mut y[self.rows[*i]..self.rows[i + 1]];
            accumulate(y, scratch, |y, scratch| block.apply(x, y, scratch));
        }
    }
}

impl<T: Scalar, A: AdjointOp<T>> AdjointOp<T> for Blocks<A> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        x.fill(T::zero());
        for (i, j, block) in &self.parts {
            let y = &y[self.rows[*i]..self.rows[i + 1]];
            let x = &mut x[self.cols[*j]..self.cols[j + 1]];
            accumulate(x, scratch, |x, scratch| block.apply_adjoint(y, x, scratch));
        }
    }
}
