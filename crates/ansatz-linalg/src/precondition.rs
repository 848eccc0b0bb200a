//! Preconditioners: approximate inverses that make Krylov methods fast.
//!
//! All are [`SearchDirection`](crate::core::SearchDirection)s: they write M⁻¹r for a residual r, and are symmetric and
//! positive definite for operators that are.
//!
//! | preconditioner | for | set up | one use | steps of CG on n = Nᵈ cells |
//! |---|---|---|---|---|
//! | [`Jacobi`] | any diagonal | n | n | N |
//! | [`StencilFactor`]: SSOR, IC(0), MIC(0) | [`Poisson`](crate::operator::Poisson) | n | 2 passes in order | N, N, √N |
//! | [`SparseFactor`]: SSOR, IC(0) | sparse matrices | nnz | 2 passes in order | as above |
//! | [`FastPoisson`] | boxes without solids, exactly; others nearly | n | n log n | 1 on a box |
//! | [`Multigrid`] | grids with any cells | n | 3 to 6 products | 5 to 10, whatever N |
//!
//! Passes in order cannot be shared among threads; the others are.

mod fast_poisson;
mod jacobi;
mod multigrid;
mod sparse_factor;
mod stencil_factor;

pub use fast_poisson::FastPoisson;
pub use jacobi::Jacobi;
pub use multigrid::{Boundary, Multigrid, MultigridOptions};
pub use sparse_factor::{SparseFactor, SparseFactorKind};
pub use stencil_factor::{StencilFactor, StencilFactorKind};

use ansatz_core::{EvalError, State};

/// Refuses vectors of another length than the preconditioner's.
pub(crate) fn same_length<S: State>(
    n: usize,
    residual: &S,
    direction: &S,
) -> Result<(), EvalError> {
    for (what, got) in [
        ("residual given to the preconditioner", residual.len()),
        ("direction wanted from the preconditioner", direction.len()),
    ] {
        if got != n {
            return Err(EvalError::Length {
                what,
                expected: n,
                got,
            });
        }
    }
    Ok(())
}
