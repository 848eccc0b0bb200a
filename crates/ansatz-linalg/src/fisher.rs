//! Products with the inverse of an empirical Fisher matrix, without forming either.
//!
//! Of m gradients g₁…gₘ with d elements, rows of G, the damped empirical Fisher matrix is
//!
//! F = λI + (1/m)·Σ gᵢgᵢᵀ.
//!
//! By the matrix inversion lemma F⁻¹ = λ⁻¹I − λ⁻²Gᵀ(S/λ + mI)⁻¹G with S = GGᵀ, an m×m matrix, and with the Cholesky
//! factor L of S/λ + mI, F⁻¹ = λ⁻¹I − WᵀW for W = L⁻¹G/λ. The vectors of the published recursion by Sherman and
//! Morrison, vᵢ = F⁻¹ᵢ₋₁gᵢ with qᵢ = m + gᵢᵀvᵢ, are vᵢ = Lᵢᵢ·Wᵢ, qᵢ = Lᵢᵢ²: computed this way they are products of
//! matrices, which run at the speed of the processor rather than of its memory.
//!
//! | type | for | setting up | product | memory |
//! |---|---|---|---|---|
//! | [`FisherWindow`] | gradients that come and go: optimisers | – | 2 sweeps of dm, m² | dm + 2m² |
//! | [`CompressedFisher`] | many products, single elements, the diagonal: pruning | dm² | 2 sweeps of dm | dm, in place |
//! | [`BlockFisher`] | the same for the block diagonal of F, in parallel | dm² | 1 sweep of dm | dm |
//! | [`PagedFisher`] | gradients larger than the memory | dm², 2 passes over a file | 2 passes | m² and a page |
//!
//! [`FisherFactor`] is the m×m part, for those who keep the gradients themselves; [`Surgeon`] removes weights by the
//! second-order model of the loss.
//!
//! Reference: E. Frantar, E. Kurtic, D. Alistarh, *M-FAC: Efficient matrix-free approximations of second-order
//! information*, 2021, sections 3.1 and 3.2.

mod blocks;
mod compressed;
mod factor;
mod paged;
mod surgeon;
mod tile;
mod window;

pub use blocks::BlockFisher;
pub use compressed::CompressedFisher;
pub use factor::{Coefficients, Divisor, FactorOptions, FisherFactor, Refresh};
pub use paged::{FileRows, PagedFisher, RowStore};
pub use surgeon::{Compensation, InverseFisher, Removal, Surgeon, densities};
pub use window::FisherWindow;

use crate::LinalgError;
use crate::error::within;

/// Refuses a damping that is no positive number.
fn damping_in_range(damping: f64) -> Result<(), LinalgError> {
    within("damping", damping, f64::MIN_POSITIVE.., "a positive number")
}
