//! Matrix-free operators: what a matrix does, without its entries.
//!
//! Every operator implements [`LinearOp`] and, where the transpose is as cheap, [`AdjointOp`]; those that are positive
//! definite by construction are marked [`SpdOp`]. Operators compose by value, by reference and through boxes;
//! [`OnHost`](crate::core::OnHost) lifts any of them to the maps on which [Krylov methods](crate::krylov) work.
//!
//! | operator | matrix | cost of a product |
//! |---|---|---|
//! | [`Identity`], [`Diagonal`] | I, diag(d) | n |
//! | [`Dense`] | A, on [`faer`] | 2nm |
//! | [`Sparse`] | compressed columns of faer | 2 nnz |
//! | [`Scaled`], [`Sum`], [`Product`], [`Transposed`] | cA, A + B, AB, Aᵀ | that of the parts |
//! | [`Blocks`] | block matrix with zero blocks | that of the parts |
//! | [`Kronecker`], [`KroneckerSum`] | A⊗B⊗…, A⊗I + I⊗B + … | 2N·Σnᵢ |
//! | [`Toeplitz`], [`Circulant`] | constant along diagonals | O(n log n) |
//! | [`LowRank`] | diag(d) + U·diag(w)·Uᵀ | 4nk |
//! | [`Poisson`] | 5- and 7-point Laplacian on the fluid cells of a [`Grid`] | 7n |

mod block;
mod circulant;
mod combine;
mod dense;
mod eigenfactors;
mod grid;
mod kronecker;
mod levinson;
mod low_rank;
mod poisson;
mod sparse;
mod sylvester;
mod tau;
mod toeplitz;

pub use block::Blocks;
pub use circulant::{Circulant, CirculantPreconditioner};
pub use combine::{Product, Scaled, Sum, Transposed};
pub use dense::Dense;
pub use eigenfactors::Eigenfactors;
pub use grid::{Cell, Face, Grid};
pub(crate) use kronecker::along;
pub use kronecker::{Kronecker, KroneckerLu, KroneckerSum};
pub use levinson::Levinson;
pub use low_rank::{LowRank, LowRankInverse};
pub use poisson::Poisson;
pub(crate) use poisson::rows_beside;
pub use sparse::Sparse;
pub use sylvester::Sylvester;
pub use tau::TauPreconditioner;
pub use toeplitz::Toeplitz;
pub(crate) use toeplitz::embed;

use ansatz_core::{AdjointOp, LinearOp, Scalar, SpdOp};

use crate::LinalgError;

/// The identity of length `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(pub usize);

impl<T: Scalar> LinearOp<T> for Identity {
    fn rows(&self) -> usize {
        self.0
    }

    fn cols(&self) -> usize {
        self.0
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        y.copy_from_slice(x);
    }
}

impl<T: Scalar> AdjointOp<T> for Identity {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], _: &mut [T]) {
        x.copy_from_slice(y);
    }
}

impl<T: Scalar> SpdOp<T> for Identity {}

/// `diag(d)`.
///
/// ```
/// use ansatz_linalg::{core::LinearOp, operator::Diagonal};
/// let a = Diagonal::new(vec![1.0, 2.0])?;
/// let mut y = [0.0; 2];
/// a.apply(&[3.0, 4.0], &mut y, &mut []);
/// assert_eq!(y, [3.0, 8.0]);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Diagonal<T>(Vec<T>);

impl<T: Scalar> Diagonal<T> {
    /// From the diagonal.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`].
    pub fn new(diagonal: Vec<T>) -> Result<Self, LinalgError> {
        all_finite("diagonal", &diagonal)?;
        Ok(Self(diagonal))
    }

    /// The entries.
    pub fn entries(&self) -> &[T] {
        &self.0
    }
}

impl<T: Scalar> LinearOp<T> for Diagonal<T> {
    fn rows(&self) -> usize {
        self.0.len()
    }

    fn cols(&self) -> usize {
        self.0.len()
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        assert_eq!(x.len(), self.0.len(), "length of the input");
        for ((y, x), d) in y.iter_mut().zip(x).zip(&self.0) {
            *y = *d * *x;
        }
    }
}

impl<T: Scalar> AdjointOp<T> for Diagonal<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.apply(y, x, scratch);
    }
}

/// Refuses numbers that are not finite, in either type.
pub(crate) fn all_finite<T: Scalar>(what: &'static str, values: &[T]) -> Result<(), LinalgError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(LinalgError::NotFinite {
            what,
            index,
            value: values[index].f64(),
        }),
    }
}
