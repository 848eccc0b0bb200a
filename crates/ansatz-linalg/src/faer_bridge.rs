//! Between the operators here and those of [`faer`], both ways, and faer's sparse Cholesky factorisation.
//!
//! | from | to | by |
//! |---|---|---|
//! | [`LinearOp`], [`AdjointOp`] | [`faer::matrix_free::LinOp`], [`BiLinOp`] | [`ToFaer`] |
//! | [`SearchDirection`] on vectors | [`faer::matrix_free::Precond`] | [`PrecondToFaer`] |
//! | [`faer::matrix_free::LinOp`], [`BiLinOp`] | [`LinearOp`], [`AdjointOp`] | [`FromFaer`] |
//! | a sparse matrix | [`SearchDirection`], the exact inverse | [`SparseCholesky`] |
//!
//! So faer's block conjugate gradients, its partial eigenvalues and singular values
//! ([`faer::matrix_free::eigen`]) run on every operator here, and the [Krylov methods](crate::krylov) here, with
//! their observers and histories, on faer's. The iterative methods of this crate are its own: faer's work on host
//! matrices, without a history.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ansatz_core::{AdjointOp, EvalError, HostState, LinearOp, Scalar, SearchDirection};
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::solvers::SolveCore;
use faer::matrix_free::{BiLinOp, LinOp, Precond};
use faer::sparse::SparseColMatRef;
use faer::sparse::linalg::solvers::Llt;
use faer::traits::RealField;
use faer::{ColMut, ColRef, Conj, MatMut, MatRef, Par, Side};

use crate::LinalgError;
use crate::error::shape;

/// One of our operators for faer. Columns are worked on one after the other, through copies that lie on faer's stack.
///
/// ```
/// use ansatz_linalg::faer_bridge::ToFaer;
/// use ansatz_linalg::operator::{Face::Open, Grid, Poisson};
/// use faer::matrix_free::LinOp;
/// let a = Poisson::<f64>::new(&Grid::new(&[3, 3], &[[Open; 2]; 2])?)?;
/// assert_eq!(LinOp::<f64>::nrows(&ToFaer::new(&a)), 9);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ToFaer<A>(A);

impl<A> ToFaer<A> {
    /// Wraps an operator, or a reference to one.
    pub fn new(op: A) -> Self {
        Self(op)
    }
}

impl<A> fmt::Debug for ToFaer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToFaer").finish_non_exhaustive()
    }
}

fn stack_of<T: Scalar>(op: &impl LinearOp<T>) -> StackReq {
    let part = StackReq::new::<T>;
    StackReq::all_of(&[part(op.rows()), part(op.cols()), part(op.scratch_len())])
}

/// `out ← f(rhs)`, column by column.
fn by_columns<T: Scalar>(
    mut out: MatMut<'_, T>,
    rhs: MatRef<'_, T>,
    scratch: usize,
    stack: &mut MemStack,
    f: impl Fn(&[T], &mut [T], &mut [T]),
) {
    let (mut x, stack) = stack.make_with::<T>(rhs.nrows(), |_| T::zero());
    let (mut y, stack) = stack.make_with::<T>(out.nrows(), |_| T::zero());
    let (mut scratch, _) = stack.make_with::<T>(scratch, |_| T::zero());
    for j in 0..rhs.ncols() {
        for (i, x) in x.iter_mut().enumerate() {
            *x = rhs[(i, j)];
        }
        f(&x, &mut y, &mut scratch);
        for (i, y) in y.iter().enumerate() {
            out[(i, j)] = *y;
        }
    }
}

impl<T: Scalar + RealField, A: LinearOp<T>> LinOp<T> for ToFaer<A> {
    fn apply_scratch(&self, _: usize, _: Par) -> StackReq {
        stack_of(&self.0)
    }

    fn nrows(&self) -> usize {
        self.0.rows()
    }

    fn ncols(&self) -> usize {
        self.0.cols()
    }

    fn apply(&self, out: MatMut<'_, T>, rhs: MatRef<'_, T>, _: Par, stack: &mut MemStack) {
        by_columns(out, rhs, self.0.scratch_len(), stack, |x, y, s| {
            self.0.apply(x, y, s);
        });
    }

    fn conj_apply(&self, out: MatMut<'_, T>, rhs: MatRef<'_, T>, par: Par, stack: &mut MemStack) {
        // Real.
        LinOp::apply(self, out, rhs, par, stack);
    }
}

impl<T: Scalar + RealField, A: AdjointOp<T>> BiLinOp<T> for ToFaer<A> {
    fn transpose_apply_scratch(&self, _: usize, _: Par) -> StackReq {
        stack_of(&self.0)
    }

    fn transpose_apply(
        &self,
        out: MatMut<'_, T>,
        rhs: MatRef<'_, T>,
        _: Par,
        stack: &mut MemStack,
    ) {
        by_columns(out, rhs, self.0.scratch_len(), stack, |y, x, s| {
            self.0.apply_adjoint(y, x, s);
        });
    }

    fn adjoint_apply(
        &self,
        out: MatMut<'_, T>,
        rhs: MatRef<'_, T>,
        par: Par,
        stack: &mut MemStack,
    ) {
        self.transpose_apply(out, rhs, par, stack);
    }
}

/// A preconditioner for faer's methods. What it refuses becomes a column of NaN, which faer's methods report.
pub struct PrecondToFaer<T, D> {
    n: usize,
    inner: Mutex<(D, Vec<T>, Vec<T>)>,
}

impl<T: Scalar, D: SearchDirection<Vec<T>>> PrecondToFaer<T, D> {
    /// A preconditioner for vectors of length `n`.
    pub fn new(n: usize, inner: D) -> Self {
        let zeros = || vec![T::zero(); n];
        Self {
            n,
            inner: Mutex::new((inner, zeros(), zeros())),
        }
    }
}

impl<T, D> fmt::Debug for PrecondToFaer<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrecondToFaer")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

impl<T: Scalar + RealField, D: SearchDirection<Vec<T>> + Send> LinOp<T> for PrecondToFaer<T, D> {
    fn apply_scratch(&self, _: usize, _: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn nrows(&self) -> usize {
        self.n
    }

    fn ncols(&self) -> usize {
        self.n
    }

    fn apply(&self, mut out: MatMut<'_, T>, rhs: MatRef<'_, T>, _: Par, _: &mut MemStack) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (direction, r, z) = &mut *inner;
        for j in 0..rhs.ncols() {
            for (i, r) in r.iter_mut().enumerate() {
                *r = rhs[(i, j)];
            }
            if direction.propose(r, z).is_err() {
                z.fill(T::nan());
            }
            for (i, z) in z.iter().enumerate() {
                out[(i, j)] = *z;
            }
        }
    }

    fn conj_apply(&self, out: MatMut<'_, T>, rhs: MatRef<'_, T>, par: Par, stack: &mut MemStack) {
        LinOp::apply(self, out, rhs, par, stack);
    }
}

impl<T: Scalar + RealField, D: SearchDirection<Vec<T>> + Send> Precond<T> for PrecondToFaer<T, D> {
    fn apply_in_place_scratch(&self, columns: usize, _: Par) -> StackReq {
        faer::linalg::temp_mat_scratch::<T>(self.n, columns)
    }
}

/// One of faer's operators for our methods. Memory for its stack is kept; calls from several threads take turns.
pub struct FromFaer<L> {
    op: L,
    stack: Mutex<MemBuffer>,
}

impl<L> FromFaer<L> {
    /// Wraps an operator of faer.
    pub fn new<T: Scalar + RealField>(op: L) -> Self
    where
        L: LinOp<T>,
    {
        let stack = Mutex::new(MemBuffer::new(op.apply_scratch(1, Par::Seq)));
        Self { op, stack }
    }

    /// Wraps an operator of faer that has its transpose.
    pub fn with_adjoint<T: Scalar + RealField>(op: L) -> Self
    where
        L: BiLinOp<T>,
    {
        let need = op
            .apply_scratch(1, Par::Seq)
            .or(op.transpose_apply_scratch(1, Par::Seq));
        let stack = Mutex::new(MemBuffer::new(need));
        Self { op, stack }
    }
}

impl<L: fmt::Debug> fmt::Debug for FromFaer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFaer")
            .field("op", &self.op)
            .finish_non_exhaustive()
    }
}

impl<T: Scalar + RealField, L: LinOp<T>> LinearOp<T> for FromFaer<L> {
    fn rows(&self) -> usize {
        self.op.nrows()
    }

    fn cols(&self) -> usize {
        self.op.ncols()
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        let mut stack = self.stack.lock().unwrap_or_else(PoisonError::into_inner);
        let (x, y) = (ColRef::from_slice(x), ColMut::from_slice_mut(y));
        let stack = MemStack::new(&mut stack);
        self.op.apply(y.as_mat_mut(), x.as_mat(), Par::Seq, stack);
    }
}

impl<T: Scalar + RealField, L: BiLinOp<T>> AdjointOp<T> for FromFaer<L> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], _: &mut [T]) {
        let mut stack = self.stack.lock().unwrap_or_else(PoisonError::into_inner);
        let (y, x) = (ColRef::from_slice(y), ColMut::from_slice_mut(x));
        let stack = MemStack::new(&mut stack);
        self.op
            .transpose_apply(x.as_mat_mut(), y.as_mat(), Par::Seq, stack);
    }
}

/// The Cholesky factorisation of a sparse positive definite matrix by faer, fill-reducing and supernodal where that
/// pays: the exact inverse, for direct solves or as a preconditioner for matrices nearby.
#[derive(Debug, Clone)]
pub struct SparseCholesky<T> {
    factor: Llt<usize, T>,
    n: usize,
}

impl<T: Scalar + RealField> SparseCholesky<T> {
    /// Factors a matrix, of which the lower triangle is read.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for a matrix that is not square; [`LinalgError::NotFinite`];
    /// [`LinalgError::NotPositiveDefinite`]; [`LinalgError::TooLarge`] where there is no memory for the factor.
    pub fn new(a: SparseColMatRef<'_, usize, T>) -> Result<Self, LinalgError> {
        let n = a.nrows();
        shape("columns of the matrix", n, a.ncols())?;
        crate::operator::all_finite("matrix", a.val())?;
        let factor = a.sp_cholesky(Side::Lower).map_err(|error| match error {
            faer::sparse::linalg::LltError::Numeric(
                faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index },
            ) => LinalgError::NotPositiveDefinite {
                what: "sparse matrix, in the order of its factorisation",
                at: index,
                value: 0.0,
            },
            faer::sparse::linalg::LltError::Generic(_) => LinalgError::TooLarge {
                what: "sparse Cholesky factor",
                needed: usize::MAX,
                limit: isize::MAX as usize,
            },
        })?;
        Ok(Self { factor, n })
    }
}

impl<T: Scalar + RealField, S: HostState<Scalar = T>> SearchDirection<S> for SparseCholesky<T> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        crate::precondition::same_length(self.n, residual, direction)?;
        let z = direction.as_mut_slice();
        z.copy_from_slice(residual.as_slice());
        self.factor
            .solve_in_place_with_conj(Conj::No, ColMut::from_slice_mut(z).as_mat_mut());
        Ok(())
    }
}
