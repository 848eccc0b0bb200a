//! Matrix-free linear algebra: operators on slices and maps on states.
//!
//! [`LinearOp`] is for operators that live on the host and compose (Kronecker products, blocks,
//! sums); working memory is the caller's. [`LinearMap`] is for anything that maps a
//! [`State`](crate::State) to a state, on any device; Krylov methods are written on it.
//! [`OnHost`] lifts the first to the second.

use std::sync::{Mutex, PoisonError};

use crate::{EvalError, Scalar, State};

/// A linear operator on host slices, `y = A·x`.
///
/// # Panics
/// `apply` may panic when a slice has the wrong length or `scratch` is shorter than
/// `scratch_len`: callers size them by the methods of this trait.
pub trait LinearOp<T: Scalar>: Sync {
    /// Length of `y`.
    fn rows(&self) -> usize;

    /// Length of `x`.
    fn cols(&self) -> usize;

    /// Elements of working memory that [`LinearOp::apply`] needs.
    fn scratch_len(&self) -> usize {
        0
    }

    /// `y ← A·x`. The contents of `scratch` on entry do not matter.
    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]);
}

/// An operator with its transpose (the adjoint in the real inner product).
pub trait AdjointOp<T: Scalar>: LinearOp<T> {
    /// `x ← Aᵀ·y`, with the scratch of [`LinearOp::apply`].
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]);
}

/// Marks an operator as symmetric and positive definite.
pub trait SpdOp<T: Scalar>: LinearOp<T> {}

/// A reference or a box to an operator is that operator, so that compositions own or borrow their parts.
macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<T: Scalar, A: LinearOp<T> + ?Sized> LinearOp<T> for $pointer {
            fn rows(&self) -> usize {
                (**self).rows()
            }

            fn cols(&self) -> usize {
                (**self).cols()
            }

            fn scratch_len(&self) -> usize {
                (**self).scratch_len()
            }

            fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
                (**self).apply(x, y, scratch);
            }
        }

        impl<T: Scalar, A: AdjointOp<T> + ?Sized> AdjointOp<T> for $pointer {
            fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
                (**self).apply_adjoint(y, x, scratch);
            }
        }

        impl<T: Scalar, A: SpdOp<T> + ?Sized> SpdOp<T> for $pointer {}
    )*};
}

through_pointer!(&A, Box<A>);

/// A linear map between states, on whatever device they live.
pub trait LinearMap<X: State, Y: State = X>: Sync {
    /// `y ← A·x`.
    ///
    /// # Errors
    /// Whatever the map reports, such as a wrong length.
    fn apply(&self, x: &X, y: &mut Y) -> Result<(), EvalError>;
}

/// Closures are maps.
impl<X: State, Y: State, F> LinearMap<X, Y> for F
where
    F: Fn(&X, &mut Y) -> Result<(), EvalError> + Sync,
{
    fn apply(&self, x: &X, y: &mut Y) -> Result<(), EvalError> {
        self(x, y)
    }
}

/// Proposes a search direction for a residual: preconditioners, steepest descent, networks.
pub trait SearchDirection<S: State> {
    /// Writes a direction for `residual`.
    ///
    /// # Errors
    /// Whatever the proposer reports.
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError>;
}

impl<S: State, D: SearchDirection<S> + ?Sized> SearchDirection<S> for &mut D {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        (**self).propose(residual, direction)
    }
}

impl<S: State, D: SearchDirection<S> + ?Sized> SearchDirection<S> for Box<D> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        (**self).propose(residual, direction)
    }
}

/// A [`LinearOp`] as a [`LinearMap`] on vectors, with its working memory.
///
/// Calls from several threads at once take turns at the scratch.
pub struct OnHost<'a, T, A: ?Sized> {
    op: &'a A,
    scratch: Mutex<Vec<T>>,
}

impl<'a, T: Scalar, A: LinearOp<T> + ?Sized> OnHost<'a, T, A> {
    /// Allocates the scratch once.
    pub fn new(op: &'a A) -> Self {
        Self {
            op,
            scratch: Mutex::new(vec![T::zero(); op.scratch_len()]),
        }
    }
}

impl<T: Scalar, A: LinearOp<T> + ?Sized> LinearMap<Vec<T>> for OnHost<'_, T, A> {
    fn apply(&self, x: &Vec<T>, y: &mut Vec<T>) -> Result<(), EvalError> {
        check("input of the operator", self.op.cols(), x.len())?;
        check("output of the operator", self.op.rows(), y.len())?;
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        self.op.apply(x, y, &mut scratch);
        Ok(())
    }
}

fn check(what: &'static str, expected: usize, got: usize) -> Result<(), EvalError> {
    if expected == got {
        Ok(())
    } else {
        Err(EvalError::Length {
            what,
            expected,
            got,
        })
    }
}
