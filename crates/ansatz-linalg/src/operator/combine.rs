//! Sums, multiples, products and transposes of operators.

use ansatz_core::{AdjointOp, LinearOp, Scalar, SpdOp};

use crate::LinalgError;
use crate::error::{shape, within};

/// `c·A`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled<A> {
    factor: f64,
    op: A,
}

impl<A> Scaled<A> {
    /// `factor·op`.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for a factor that is not finite.
    pub fn new(factor: f64, op: A) -> Result<Self, LinalgError> {
        within("factor", factor, .., "a finite number")?;
        Ok(Self { factor, op })
    }

    fn scale<T: Scalar>(&self, y: &mut [T]) {
        let c = T::of(self.factor);
        for v in y {
            *v *= c;
        }
    }
}

impl<T: Scalar, A: LinearOp<T>> LinearOp<T> for Scaled<A> {
    fn rows(&self) -> usize {
        self.op.rows()
    }

    fn cols(&self) -> usize {
        self.op.cols()
    }

    fn scratch_len(&self) -> usize {
        self.op.scratch_len()
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        self.op.apply(x, y, scratch);
        self.scale(y);
    }
}

impl<T: Scalar, A: AdjointOp<T>> AdjointOp<T> for Scaled<A> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.op.apply_adjoint(y, x, scratch);
        self.scale(x);
    }
}

/// `A + B`; longer sums nest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum<A, B> {
    first: A,
    second: B,
}

impl<A, B> Sum<A, B> {
    /// `first + second`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for operators of different shape.
    pub fn new<T: Scalar>(first: A, second: B) -> Result<Self, LinalgError>
    where
        A: LinearOp<T>,
        B: LinearOp<T>,
    {
        shape("rows of the second operator", first.rows(), second.rows())?;
        shape(
            "columns of the second operator",
            first.cols(),
            second.cols(),
        )?;
        Ok(Self { first, second })
    }
}

fn add<T: Scalar>(y: &mut [T], more: &[T]) {
    for (y, v) in y.iter_mut().zip(more) {
        *y += *v;
    }
}

impl<T: Scalar, A: LinearOp<T>, B: LinearOp<T>> LinearOp<T> for Sum<A, B> {
    fn rows(&self) -> usize {
        self.first.rows()
    }

    fn cols(&self) -> usize {
        self.first.cols()
    }

    fn scratch_len(&self) -> usize {
        let inner = self.first.scratch_len().max(self.second.scratch_len());
        self.rows().max(self.cols()) + inner
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let (part, scratch) = scratch.split_at_mut(self.rows());
        self.first.apply(x, y, scratch);
        self.second.apply(x, part, scratch);
        add(y, part);
    }
}

impl<T: Scalar, A: AdjointOp<T>, B: AdjointOp<T>> AdjointOp<T> for Sum<A, B> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        let (part, scratch) = scratch.split_at_mut(self.cols());
        self.first.apply_adjoint(y, x, scratch);
        self.second.apply_adjoint(y, part, scratch);
        add(x, part);
    }
}

impl<T: Scalar, A: SpdOp<T>, B: SpdOp<T>> SpdOp<T> for Sum<A, B> {}

/// `A·B`; longer products nest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product<A, B> {
    left: A,
    right: B,
}

impl<A, B> Product<A, B> {
    /// `left·right`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] unless `left` has as many columns as `right` has rows.
    pub fn new<T: Scalar>(left: A, right: B) -> Result<Self, LinalgError>
    where
        A: LinearOp<T>,
        B: LinearOp<T>,
    {
        shape("rows of the right factor", left.cols(), right.rows())?;
        Ok(Self { left, right })
    }
}

impl<T: Scalar, A: LinearOp<T>, B: LinearOp<T>> LinearOp<T> for Product<A, B> {
    fn rows(&self) -> usize {
        self.left.rows()
    }

    fn cols(&self) -> usize {
        self.right.cols()
    }

    fn scratch_len(&self) -> usize {
        self.left.cols() + self.left.scratch_len().max(self.right.scratch_len())
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        let (middle, scratch) = scratch.split_at_mut(self.left.cols());
        self.right.apply(x, middle, scratch);
        self.left.apply(middle, y, scratch);
    }
}

impl<T: Scalar, A: AdjointOp<T>, B: AdjointOp<T>> AdjointOp<T> for Product<A, B> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        let (middle, scratch) = scratch.split_at_mut(self.left.cols());
        self.left.apply_adjoint(y, middle, scratch);
        self.right.apply_adjoint(middle, x, scratch);
    }
}

/// `Aᵀ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transposed<A>(pub A);

impl<T: Scalar, A: AdjointOp<T>> LinearOp<T> for Transposed<A> {
    fn rows(&self) -> usize {
        self.0.cols()
    }

    fn cols(&self) -> usize {
        self.0.rows()
    }

    fn scratch_len(&self) -> usize {
        self.0.scratch_len()
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        self.0.apply_adjoint(x, y, scratch);
    }
}

impl<T: Scalar, A: AdjointOp<T>> AdjointOp<T> for Transposed<A> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.0.apply(y, x, scratch);
    }
}
