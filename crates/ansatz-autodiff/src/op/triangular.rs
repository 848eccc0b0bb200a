//! Triangular systems, and the masks that make triangles.
//!
//! [`TriangularSolve`] gives X = L⁻¹B or L⁻ᵀB for each pair of matrices in the last two axes. With
//! op(L)·X = B, derivatives are Ẋ = op(L)⁻¹(Ḃ − op(L̇)X), B̄ = op(L)⁻ᵀX̄ and L̄ = −B̄Xᵀ, or −XB̄ᵀ for op(L) = Lᵀ,
//! of which only the triangle counts, as no other element is read.
//!
//! Cost: n²·m multiplications for n×n systems with m columns.
//!
//! Reference: M. Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
//! differentiation*, 2008, sections 2.2.3 and 2.3.

use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::traits::RealField;
use faer::{MatMut, MatRef, Par};

use super::{Kernel, Prepared, Primitive, Rule, Side, Split};
use crate::array::settled;
use crate::{Array, AutodiffError, Element, Shape};

/// Which triangle of a matrix is read; the diagonal belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// Elements on and below the diagonal.
    Lower,
    /// Elements on and above the diagonal.
    Upper,
}

/// L⁻¹B, or L⁻ᵀB, for each pair of matrices in the last two axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriangularSolve {
    /// Where L is.
    pub triangle: Triangle,
    /// Whether the system is that of L or of Lᵀ.
    pub side: Side,
}

impl Array<'_> {
    /// The solution X of L·X = B, this array being L (or of Lᵀ·X = B, by `side`), for each pair of matrices
    /// in the last two axes. Only the given triangle of L is read. The right-hand system X·L = B is
    /// Lᵀ·Xᵀ = Bᵀ. A zero on the diagonal gives infinities or NaN.
    ///
    /// ```
    /// use ansatz_autodiff::op::{Side, Triangle};
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let (l, b) = (g.input(&[2, 2]), g.input(&[2, 1]));
    /// let x = l.solve_triangular(b, Triangle::Lower, Side::Plain);
    /// let program = Program::<f64>::compile(&g.finish(&[x]), &Options::default())?;
    /// let mut out = [0.0; 2];
    /// program.run(&[&[2.0, f64::NAN, 1.0, 4.0], &[2.0, 9.0]], &mut [&mut out])?;
    /// assert_eq!(out, [1.0, 2.0]);
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// When L is not square, B has not as many rows, or the outer axes differ;
    /// [`Array::try_solve_triangular`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn solve_triangular(self, b: Self, triangle: Triangle, side: Side) -> Self {
        settled(self.try_solve_triangular(b, triangle, side))
    }

    /// [`Array::solve_triangular`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_solve_triangular(
        self,
        b: Self,
        triangle: Triangle,
        side: Side,
    ) -> Result<Self, AutodiffError> {
        self.try_make(TriangularSolve { triangle, side }, &[self, b])
    }

    /// The lower triangle of each matrix in the last two axes, the diagonal included, zeros above.
    ///
    /// # Panics
    /// For less than two axes.
    #[must_use]
    #[track_caller]
    pub fn tril(self) -> Self {
        self.mask(|i, j| i >= j)
    }

    /// The upper triangle of each matrix in the last two axes, the diagonal included, zeros below.
    ///
    /// # Panics
    /// For less than two axes.
    #[must_use]
    #[track_caller]
    pub fn triu(self) -> Self {
        self.mask(|i, j| i <= j)
    }

    /// Elements of the last two axes where `keep(row, column)`, zeros elsewhere, whatever was there.
    #[track_caller]
    pub(super) fn mask(self, keep: impl Fn(usize, usize) -> bool) -> Self {
        let shape = self.shape();
        let [.., r, c] = shape[..] else {
            panic!("a matrix has two axes, not those of {shape}");
        };
        let mask = (0..r * c).map(|k| f64::from(u8::from(keep(k / c, k % c))));
        let mask = self.graph().constant(&[r, c], mask.collect());
        mask.broadcast(&shape).select(self, self.zeros())
    }

    /// The diagonals of the matrices in the last two axes, which become one.
    ///
    /// # Panics
    /// For less than two axes.
    #[must_use]
    #[track_caller]
    pub fn diagonal(self) -> Self {
        let shape = self.shape();
        let [ref outer @ .., r, c] = shape[..] else {
            panic!("a matrix has two axes, not those of {shape}");
        };
        let mut flat = outer.to_vec();
        flat.push(r * c);
        let along: Vec<usize> = (0..r.min(c)).map(|i| i * (c + 1)).collect();
        self.reshape(&flat).take(outer.len(), &along)
    }

    /// The transposes of the matrices in the last two axes.
    ///
    /// # Panics
    /// For less than two axes.
    #[must_use]
    #[track_caller]
    pub fn matrix_transpose(self) -> Self {
        let rank = self.shape().rank();
        assert!(rank >= 2, "a matrix has two axes, not those of {self:?}");
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.transpose(&order)
    }
}

impl TriangularSolve {
    fn triangle_of(self, x: Array<'_>) -> Array<'_> {
        match self.triangle {
            Triangle::Lower => x.tril(),
            Triangle::Upper => x.triu(),
        }
    }
}

/// Split where every point has matrices of its own.
pub(super) fn stacked(inputs: &[Shape], split: &[bool]) -> Split {
    if inputs[0].rank() > 2 && split.iter().all(|s| *s) {
        Split::Rows
    } else {
        Split::Whole
    }
}

/// The side of a square matrix in the last two axes.
pub(super) fn square(x: &Shape) -> Result<usize, String> {
    match x[..] {
        [.., r, c] if r == c => Ok(r),
        _ => Err("square matrices in the last two axes are needed".into()),
    }
}

impl Primitive for TriangularSolve {
    fn name(&self) -> &'static str {
        "triangular_solve"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.triangle as u64, self.side as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [l, b] = inputs else {
            return Err("two inputs are needed".into());
        };
        let n = square(l)?;
        let outer = l.rank() - 2;
        if b.rank() == l.rank() && b[..outer] == l[..outer] && b[outer] == n {
            Ok(b.clone())
        } else {
            Err(format!("the right-hand side has not {n} rows for each"))
        }
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let moved =
            tangents[0].map(|dl| self.triangle_of(dl).matmul_by(out, self.side, Side::Plain));
        let change = match (tangents[1], moved) {
            (Some(db), Some(m)) => db - m,
            (None, Some(m)) => -m,
            (db, None) => db?,
        };
        Some(inputs[0].make(*self, &[inputs[0], change]))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        let side = self.side.other();
        let b_bar = inputs[0].make(Self { side, ..*self }, &[inputs[0], bar]);
        if i == 1 {
            return b_bar;
        }
        let (x, y) = match self.side {
            Side::Plain => (b_bar, out),
            Side::Transposed => (out, b_bar),
        };
        -self.triangle_of(x.matmul_by(y, Side::Plain, Side::Transposed))
    }

    fn split(&self, inputs: &[Shape], split: &[bool]) -> Split {
        stacked(inputs, split)
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let [ref outer @ .., n, m] = inputs[1][..] else {
            return None;
        };
        Some(Prepared::new(Solve {
            how: *self,
            count: outer.iter().product(),
            n,
            m,
        }))
    }

    fn flops(&self, inputs: &[&Shape], out: &Shape) -> u64 {
        (inputs[0].last().copied().unwrap_or(0) * out.len()) as u64
    }
}

#[derive(Debug)]
struct Solve {
    how: TriangularSolve,
    /// Systems in a row of the batch.
    count: usize,
    n: usize,
    m: usize,
}

impl<T: Element + RealField> Kernel<T> for Solve {
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        let (n, m) = (self.n, self.m);
        out.copy_from_slice(inputs[1]);
        for s in 0..rows * self.count {
            let l = MatRef::from_row_major_slice(&inputs[0][s * n * n..][..n * n], n, n);
            let x = MatMut::from_row_major_slice_mut(&mut out[s * n * m..][..n * m], n, m);
            match (self.how.triangle, self.how.side) {
                (Triangle::Lower, Side::Plain) => {
                    solve_lower_triangular_in_place(l, x, Par::Seq);
                }
                (Triangle::Upper, Side::Plain) => {
                    solve_upper_triangular_in_place(l, x, Par::Seq);
                }
                (Triangle::Lower, Side::Transposed) => {
                    solve_upper_triangular_in_place(l.transpose(), x, Par::Seq);
                }
                (Triangle::Upper, Side::Transposed) => {
                    solve_lower_triangular_in_place(l.transpose(), x, Par::Seq);
                }
            }
        }
    }
}
