//! Incomplete factorisations of general sparse matrices: M = L·D·Lᵀ on the pattern of A, L with ones on its diagonal.
//!
//! - SSOR(ω): L = I + ω·(lower triangle)·diag(A)⁻¹, D = diag(A)/ω, M divided by 2 − ω;
//! - IC(0): row by row, lᵢₖ = (aᵢₖ − Σ_{j<k} lᵢⱼdⱼlₖⱼ)/dₖ on the pattern, dᵢ = aᵢᵢ − Σ lᵢⱼ²dⱼ. A pivot that is not
//!   positive starts the factorisation anew for A + s·diag(A), with s = 10⁻³·2ᵏ, k = 0, 1, …; it always ends, because a
//!   matrix with a dominant diagonal has positive pivots (T. Manteuffel, *An incomplete factorization technique for
//!   positive definite linear systems*, Math. Comp. 34 (1980)).

use ansatz_core::{EvalError, HostState, Scalar, SearchDirection};
use faer::sparse::SparseColMatRef;
use faer::traits::RealField;

use crate::LinalgError;
use crate::error::{shape, within};

/// Which factorisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SparseFactorKind {
    /// Symmetric successive over-relaxation with ω in (0, 2).
    Ssor(f64),
    /// Incomplete Cholesky without fill, shifted where necessary.
    Incomplete,
}

/// Shifts tried before giving up; the last is far beyond any dominance.
const MAX_SHIFTS: i32 = 40;

/// An incomplete factorisation of a sparse symmetric matrix.
#[derive(Debug, Clone)]
pub struct SparseFactor<T> {
    /// Where each row of the strictly lower triangle begins; columns ascending; entries of L.
    starts: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<T>,
    /// 1/d, 0 for empty rows.
    inverse: Vec<T>,
    shift: f64,
}

impl<T: Scalar + RealField> SparseFactor<T> {
    /// Factors a symmetric matrix, of which the upper triangle is read. Empty rows are left alone.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for a matrix that is not square, [`LinalgError::NotFinite`], [`LinalgError::Parameter`]
    /// for ω outside of its range, [`LinalgError::NotPositiveDefinite`] for a diagonal entry that is not positive in a
    /// row that is not empty.
    pub fn new(
        a: SparseColMatRef<'_, usize, T>,
        kind: SparseFactorKind,
    ) -> Result<Self, LinalgError> {
        let n = a.nrows();
        shape("columns of the matrix", n, a.ncols())?;
        if let SparseFactorKind::Ssor(omega) = kind {
            within("ω", omega, f64::MIN_POSITIVE..2.0, "in (0, 2)")?;
        }
        crate::operator::all_finite("matrix", a.val())?;
        // Row i of the lower triangle is column i of the upper.
        let (mut starts, mut columns, mut lower) = (vec![0], Vec::new(), Vec::new());
        let mut diagonal = vec![0.0; n];
        for i in 0..n {
            let range = a.symbolic().col_range(i);
            let mut row: Vec<(usize, f64)> = a.symbolic().row_idx()[range.clone()]
                .iter()
                .zip(&a.val()[range])
                .map(|(k, v)| (*k, v.f64()))
                .collect();
            row.sort_by_key(|e| e.0);
            for (k, v) in row {
                if k == i {
                    diagonal[i] += v;
                } else if k < i {
                    columns.push(k);
                    lower.push(v);
                }
            }
            let filled = starts[i] < columns.len();
            starts.push(columns.len());
            if diagonal[i] < 0.0 || (filled && diagonal[i] == 0.0) {
                return Err(LinalgError::NotPositiveDefinite {
                    what: "diagonal",
                    at: i,
                    value: diagonal[i],
                });
            }
        }
        let mut factor = Self {
            starts,
            columns,
            values: Vec::new(),
            inverse: Vec::new(),
            shift: 0.0,
        };
        let (values, pivots) = match kind {
            SparseFactorKind::Ssor(omega) => {
                let over = |(v, k): (&f64, &usize)| omega * v / diagonal[*k];
                let values = lower.iter().zip(&factor.columns).map(over).collect();
                let scale = omega * (2.0 - omega);
                (values, diagonal.iter().map(|d| d / scale).collect())
            }
            SparseFactorKind::Incomplete => factor.shifted(&lower, &diagonal)?,
        };
        factor.values = values.into_iter().map(T::of).collect();
        let invert = |d: f64| T::of(if d == 0.0 { 0.0 } else { 1.0 / d });
        factor.inverse = pivots.into_iter().map(invert).collect();
        Ok(factor)
    }

    /// The shift s that IC(0) needed, 0 for none.
    pub fn shift(&self) -> f64 {
        self.shift
    }

    fn shifted(
        &mut self,
        lower: &[f64],
        diagonal: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>), LinalgError> {
        let mut failed = (0, 0.0);
        for k in -1..MAX_SHIFTS {
            self.shift = if k < 0 {
                0.0
            } else {
                1e-3 * f64::from(k).exp2()
            };
            match self.incomplete(lower, diagonal) {
                Ok(factor) => return Ok(factor),
                Err(at) => failed = at,
            }
        }
        Err(LinalgError::NotPositiveDefinite {
            what: "incomplete factor, shifted",
            at: failed.0,
            value: failed.1,
        })
    }

    /// IC(0) of A + s·diag(A); on failure the row and its pivot.
    fn incomplete(
        &self,
        lower: &[f64],
        diagonal: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>), (usize, f64)> {
        let (starts, columns) = (&self.starts, &self.columns);
        let mut l = vec![0.0; lower.len()];
        let mut d = vec![0.0; diagonal.len()];
        for i in 0..diagonal.len() {
            let row = starts[i]..starts[i + 1];
            let mut pivot = diagonal[i] * (1.0 + self.shift);
            for at in row.clone() {
                let k = columns[at];
                // What the two rows have in common before column k.
                let (mut p, mut q, mut sum) = (row.start, starts[k], lower[at]);
                while p < at && q < starts[k + 1] {
                    let (a, b) = (columns[p], columns[q]);
                    if a == b {
                        sum -= l[p] * d[a] * l[q];
                    }
                    p += usize::from(a <= b);
                    q += usize::from(b <= a);
                }
                l[at] = sum / d[k];
                pivot -= l[at] * sum;
            }
            let empty = diagonal[i] == 0.0;
            if !empty && (pivot.is_nan() || pivot <= f64::EPSILON * diagonal[i]) {
                return Err((i, pivot));
            }
            d[i] = if empty { 0.0 } else { pivot };
        }
        Ok((l, d))
    }
}

impl<T: Scalar, S: HostState<Scalar = T>> SearchDirection<S> for SparseFactor<T> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        let n = self.inverse.len();
        super::same_length(n, residual, direction)?;
        let (r, z) = (residual.as_slice(), direction.as_mut_slice());
        let row = |i: usize| {
            let range = self.starts[i]..self.starts[i + 1];
            self.columns[range.clone()].iter().zip(&self.values[range])
        };
        for i in 0..n {
            let known: T = row(i).map(|(k, l)| *l * z[*k]).sum();
            z[i] = r[i] - known;
        }
        for (z, inverse) in z.iter_mut().zip(&self.inverse) {
            *z *= *inverse;
        }
        for i in (0..n).rev() {
            let own = z[i];
            for (k, l) in row(i) {
                z[*k] -= *l * own;
            }
        }
        Ok(())
    }
}
