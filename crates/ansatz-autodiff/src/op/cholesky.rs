//! Cholesky factors, and what is solved with them.
//!
//! [`Cholesky`] gives the lower L with A = L·Lᵀ for each symmetric positive definite matrix in the last two
//! axes, of which only the lower triangle is read. With Φ(X) the lower triangle of X and half of its
//! diagonal, L̇ = L·Φ(L⁻¹ȦL⁻ᵀ), and backwards S = L⁻ᵀΦ(LᵀL̄)L⁻¹ gives Ā. As a function of the lower triangle,
//! the slope of A is Φ(S + Sᵀ): pass (A + Aᵀ)/2 for a symmetric one.
//!
//! Cost: n³/3 operations for an n×n matrix, some ten times as many for its derivative.
//!
//! References: I. Murray, *Differentiation of the Cholesky decomposition*, 2016, equations 8 and 10;
//! M. Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
//! differentiation*, 2008.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::traits::RealField;
use faer::{Accum, MatMut, Par};

use super::triangular::{square, stacked};
use super::{Kernel, Prepared, Primitive, Rule, Side, Split, Triangle};
use crate::array::settled;
use crate::{Array, AutodiffError, Element, Shape};

/// The lower factor L of A = L·Lᵀ for each matrix in the last two axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cholesky;

impl Array<'_> {
    /// The lower triangular L with A = L·Lᵀ for each symmetric positive definite matrix A in the last two
    /// axes, zeros above the diagonal. Only the lower triangle of A is read, and only it gets a slope; pass
    /// (A + Aᵀ)/2 for a symmetric one. For a matrix that is not positive definite, or not to rounding, the
    /// factor's lower triangle is NaN.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let l = g.input(&[2, 2]).cholesky();
    /// let program = Program::<f64>::compile(&g.finish(&[l]), &Options::default())?;
    /// let mut out = [0.0; 4];
    /// program.run(&[&[4.0, 2.0, 2.0, 10.0]], &mut [&mut out])?;
    /// assert_eq!(out, [2.0, 0.0, 1.0, 3.0]);
    /// program.run(&[&[1.0, 2.0, 2.0, 1.0]], &mut [&mut out])?;
    /// assert!(out[0].is_nan());
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// When the last two axes are not those of square matrices;
    /// [`Array::try_cholesky`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn cholesky(self) -> Self {
        settled(self.try_cholesky())
    }

    /// [`Array::cholesky`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_cholesky(self) -> Result<Self, AutodiffError> {
        self.try_make(Cholesky, &[self])
    }

    /// A⁻¹B for symmetric positive definite matrices A (this array) in the last two axes, by
    /// [`Array::cholesky`]: what holds there holds here.
    ///
    /// # Panics
    /// When A is not square, B has not as many rows, or the outer axes differ;
    /// [`Array::try_solve_spd`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn solve_spd(self, b: Self) -> Self {
        settled(self.try_solve_spd(b))
    }

    /// [`Array::solve_spd`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_solve_spd(self, b: Self) -> Result<Self, AutodiffError> {
        let l = self.try_cholesky()?;
        let half = l.try_solve_triangular(b, Triangle::Lower, Side::Plain)?;
        l.try_solve_triangular(half, Triangle::Lower, Side::Transposed)
    }

    /// ln det A of symmetric positive definite matrices in the last two axes, which disappear:
    /// 2·Σ ln Lᵢᵢ.
    ///
    /// # Panics
    /// When the last two axes are not those of square matrices.
    #[must_use]
    #[track_caller]
    pub fn log_determinant(self) -> Self {
        let logarithms = self.cholesky().diagonal().ln();
        logarithms.sum_axes(&[logarithms.shape().rank() - 1]) * 2.0
    }
}

/// Φ: the lower triangle, half of the diagonal.
fn half_lower(x: Array<'_>) -> Array<'_> {
    x.mask(|i, j| i > j) + x.mask(|i, j| i == j) * 0.5
}

impl Primitive for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [a] = inputs else {
            return Err("one input is needed".into());
        };
        square(a)?;
        Ok(a.clone())
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        _: &[Array<'g>],
        l: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let half = half_lower(tangents[0]?);
        let da = half + half.matrix_transpose();
        let left = l.solve_triangular(da, Triangle::Lower, Side::Plain);
        let both = l.solve_triangular(left.matrix_transpose(), Triangle::Lower, Side::Plain);
        // L⁻¹ȦL⁻ᵀ is symmetric: its transpose serves as well.
        Some(l.matmul(half_lower(both)))
    }

    fn cotangent<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>], l: Array<'g>) -> Array<'g> {
        let p = half_lower(l.matmul_by(bar.tril(), Side::Transposed, Side::Plain));
        let left = l.solve_triangular(p, Triangle::Lower, Side::Transposed);
        let s = l.solve_triangular(left.matrix_transpose(), Triangle::Lower, Side::Transposed);
        half_lower(s + s.matrix_transpose())
    }

    fn split(&self, inputs: &[Shape], split: &[bool]) -> Split {
        stacked(inputs, split)
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let [ref outer @ .., n, _] = inputs[0][..] else {
            return None;
        };
        let count = outer.iter().product();
        Some(Prepared::new(Factor { count, n }))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let n = inputs[0].last().copied().unwrap_or(0);
        (inputs[0].len() * n / 3) as u64
    }
}

#[derive(Debug)]
struct Factor {
    /// Matrices in a row of the batch.
    count: usize,
    n: usize,
}

impl<T: Element + RealField> Kernel<T> for Factor {
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        let n = self.n;
        for s in 0..rows * self.count {
            let (a, l) = (&inputs[0][s * n * n..], &mut out[s * n * n..][..n * n]);
            for i in 0..n {
                let row = &mut l[i * n..][..n];
                row[..=i].copy_from_slice(&a[i * n..=i * n + i]);
                row[i + 1..].fill(T::zero());
            }
            if !factor(MatMut::from_row_major_slice_mut(l, n, n)) {
                for i in 0..n {
                    l[i * n..=i * n + i].fill(T::nan());
                }
            }
        }
    }
}

/// Largest matrix that is factored element by element.
const BLOCK: usize = 16;

/// Replaces the lower triangle by its factor, halves first; `false` where it has none.
fn factor<T: Element + RealField>(a: MatMut<'_, T>) -> bool {
    let n = a.nrows();
    if n <= BLOCK {
        return factor_block(a);
    }
    let half = n / 2;
    let (mut corner, _, mut below, mut rest) = a.split_at_mut(half, half);
    if !factor(corner.rb_mut()) {
        return false;
    }
    // B ← B·L⁻ᵀ, and C ← C − B·Bᵀ in the lower triangle.
    let transposed = below.rb_mut().transpose_mut();
    solve_lower_triangular_in_place(corner.rb(), transposed, Par::Seq);
    matmul(
        rest.rb_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        below.rb(),
        BlockStructure::Rectangular,
        below.rb().transpose(),
        BlockStructure::Rectangular,
        -T::one(),
        Par::Seq,
    );
    factor(rest)
}

fn factor_block<T: Element + RealField>(mut a: MatMut<'_, T>) -> bool {
    for j in 0..a.nrows() {
        for i in j..a.nrows() {
            let mut v = a[(i, j)];
            for k in 0..j {
                v -= a[(i, k)] * a[(j, k)];
            }
            if i > j {
                v /= a[(j, j)];
            } else if v > T::zero() && v < T::infinity() {
                v = T::sqrt(v);
            } else {
                return false;
            }
            a[(i, j)] = v;
        }
    }
    true
}
