//! Incomplete factorisations of the Poisson stencil, which need one number a cell.
//!
//! The graph of the stencil's lower triangle has no triangles, so that a factor restricted to its pattern keeps the
//! entries of A, and
//!
//! ```text
//! M = (D + L)·D⁻¹·(D + Lᵀ)
//! ```
//!
//! with L the strictly lower triangle in the order of cells and D a diagonal of pivots:
//!
//! - SSOR(ω): D = diag(A)/ω, M divided by 2 − ω;
//! - IC(0): dᵢ = aᵢᵢ − Σ_{m<i} aᵢₘ²/dₘ, so that M has the entries of A on its pattern;
//! - MIC(0): the entries that are dropped are taken from the pivot, times τ: dᵢ −= τ·Σ_{m<i} aᵢₘ(Σ_{k>m,k≠i} aₘₖ)/dₘ.
//!   Row sums of M are those of A for τ = 1, which lowers the condition from 1/h² to 1/h. A pivot under a quarter of
//!   aᵢᵢ is reset to aᵢᵢ.
//!
//! Sources: J. Meijerink, H. van der Vorst, *An iterative solution method for linear systems of which the coefficient
//! matrix is a symmetric M-matrix*, Math. Comp. 31 (1977); I. Gustafsson, *A class of first order factorization
//! methods*, BIT 18 (1978); R. Bridson, *Fluid simulation for computer graphics*, 2008 (τ and the reset).

use ansatz_core::{EvalError, HostState, Scalar, SearchDirection};

use crate::LinalgError;
use crate::error::within;
use crate::operator::{Poisson, rows_beside};

/// Which pivots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StencilFactorKind {
    /// Symmetric successive over-relaxation with ω in (0, 2); 1 is symmetric Gauss-Seidel.
    Ssor(f64),
    /// Incomplete Cholesky without fill.
    Incomplete,
    /// Modified incomplete Cholesky without fill, with τ in [0, 1]; 0.97 serves well.
    Modified(f64),
}

/// An incomplete factorisation of a [`Poisson`] operator.
#[derive(Debug, Clone)]
pub struct StencilFactor<T> {
    shape: [usize; 3],
    /// 1/dᵢ, 0 where there is no equation.
    inverse: Vec<T>,
    scale: T,
    zeros: Vec<T>,
}

impl<T: Scalar> StencilFactor<T> {
    /// The factorisation.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for ω or τ outside of its range.
    pub fn new(a: &Poisson<T>, kind: StencilFactorKind) -> Result<Self, LinalgError> {
        let tau = match kind {
            StencilFactorKind::Ssor(omega) => {
                within("ω", omega, f64::MIN_POSITIVE..2.0, "in (0, 2)")?;
                None
            }
            StencilFactorKind::Incomplete => Some(0.0),
            StencilFactorKind::Modified(tau) => {
                within("τ", tau, 0.0..=1.0, "in [0, 1]")?;
                Some(tau)
            }
        };
        let shape = a.grid().shape();
        let [nx, ny, _] = shape;
        let strides = [1, nx, nx * ny];
        let diagonal = a.diagonal();
        let mut pivots = vec![0.0; diagonal.len()];
        for c in 0..pivots.len() {
            let d = diagonal[c].f64();
            if d == 0.0 {
                continue;
            }
            let Some(tau) = tau else {
                pivots[c] = d;
                continue;
            };
            let at = a.grid().place(c);
            let mut pivot = d;
            for axis in (0..3).filter(|axis| at[*axis] > 0) {
                let m = c - strides[axis];
                if pivots[m] == 0.0 {
                    continue;
                }
                // Fluid cells above m, the one at c left out.
                let place = a.grid().place(m);
                let above = (0..3).filter(|up| {
                    place[*up] + 1 < shape[*up] && diagonal[m + strides[*up]] != T::zero()
                });
                pivot -= (1.0 + tau * (above.count() as f64 - 1.0)) / pivots[m];
            }
            pivots[c] = if pivot < 0.25 * d { d } else { pivot };
        }
        let (factor, scale) = match kind {
            StencilFactorKind::Ssor(omega) => (omega, 2.0 - omega),
            _ => (1.0, 1.0),
        };
        let invert = |d: &f64| if *d == 0.0 { 0.0 } else { factor / d };
        Ok(Self {
            shape,
            inverse: pivots.iter().map(|d| T::of(invert(d))).collect(),
            scale: T::of(scale),
            zeros: vec![T::zero(); nx],
        })
    }
}

impl<T: Scalar, S: HostState<Scalar = T>> SearchDirection<S> for StencilFactor<T> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        super::same_length(self.inverse.len(), residual, direction)?;
        let [nx, ny, nz] = self.shape;
        let (r, z) = (residual.as_slice(), direction.as_mut_slice());
        // (D + L)u = r. Rows from below are added first, all at once; then the recurrence along the row.
        for row in 0..ny * nz {
            let (done, rest) = z.split_at_mut(row * nx);
            let z = &mut rest[..nx];
            let [south, _, below, _] = rows_beside(row, ny, nz);
            let of = |n: Option<usize>| n.map_or(&self.zeros[..], |n| &done[n * nx..][..nx]);
            let (south, below) = (of(south), of(below));
            let (r, inverse) = (&r[row * nx..][..nx], &self.inverse[row * nx..][..nx]);
            for i in 0..nx {
                z[i] = (r[i] + (south[i] + below[i])) * inverse[i];
            }
            let mut last = T::zero();
            for (z, inverse) in z.iter_mut().zip(inverse) {
                last = *z + last * *inverse;
                *z = last;
            }
        }
        // (D + Lᵀ)z = Du.
        for row in (0..ny * nz).rev() {
            let (start, done) = z.split_at_mut((row + 1) * nx);
            let z = &mut start[row * nx..];
            let [_, north, _, above] = rows_beside(row, ny, nz);
            let of =
                |n: Option<usize>| n.map_or(&self.zeros[..], |n| &done[(n - row - 1) * nx..][..nx]);
            let (north, above) = (of(north), of(above));
            let inverse = &self.inverse[row * nx..][..nx];
            for i in 0..nx {
                z[i] += (north[i] + above[i]) * inverse[i];
            }
            let mut last = T::zero();
            for (z, inverse) in z.iter_mut().zip(inverse).rev() {
                last = *z + last * *inverse;
                *z = last;
            }
        }
        if self.scale != T::one() {
            for z in z {
                *z *= self.scale;
            }
        }
        Ok(())
    }
}
