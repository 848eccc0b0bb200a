//! The damped normal equations, from rows of J: over the parameters, or over the residuals where those are fewer.

use ansatz_core::Scalar;
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// Columns of the products that one task adds to.
const COLUMNS: usize = 64;

/// Parameters that one task moves.
const PART: usize = 1024;

/// The damped equations of p parameters and b residuals, in double precision. With S = D^(−½) the step is
/// δ = −S(SJᵀJS + μI)⁻¹SJᵀr = −S·SJᵀ(JSSJᵀ + μI)⁻¹r: the matrix has the lesser of p and b rows.
#[derive(Debug)]
pub(crate) struct Normal {
    p: usize,
    /// Rows of J that are computed together.
    chunk: usize,
    /// Rows of J: those gathered since the last product, or all of them.
    rows: Vec<f64>,
    /// The lower triangle of JᵀJ or of JSSJᵀ, column by column.
    products: Vec<f64>,
    /// Jᵀr.
    pub(crate) slopes: Vec<f64>,
    /// The diagonal of JᵀJ.
    diagonal: Vec<f64>,
    damped: Mat<f64>,
    dual: Option<Dual>,
}

/// What equations over the residuals keep.
#[derive(Debug)]
struct Dual {
    residuals: Vec<f64>,
    /// JS, for the S of the last products; S is empty when they are of another J.
    scaled: Vec<f64>,
    scale: Vec<f64>,
    /// The solution.
    weights: Vec<f64>,
}

impl Normal {
    pub(crate) fn new(p: usize, residuals: usize, chunk: usize) -> Self {
        let size = p.min(residuals);
        let dual = (residuals < p).then(|| Dual {
            residuals: Vec::with_capacity(residuals),
            scaled: vec![0.0; residuals * p],
            scale: Vec::with_capacity(p),
            weights: vec![0.0; residuals],
        });
        let held = if dual.is_some() { residuals } else { chunk };
        Self {
            p,
            chunk,
            rows: Vec::with_capacity(held * p),
            products: vec![0.0; size * size],
            slopes: vec![0.0; p],
            diagonal: vec![0.0; p],
            damped: Mat::zeros(size, size),
            dual,
        }
    }

    /// Rows of J that are computed together.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Number of parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.p
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.products.fill(0.0);
        self.slopes.fill(0.0);
        self.diagonal.fill(0.0);
        if let Some(dual) = &mut self.dual {
            dual.residuals.clear();
            dual.scale.clear();
        }
    }

    /// Adds a row of J and its residual.
    pub(crate) fn push<T: Scalar>(&mut self, r: f64, row: &[T]) {
        self.rows.extend(row.iter().map(|v| v.f64()));
        let sums = self.slopes.iter_mut().zip(&mut self.diagonal);
        for ((s, d), v) in sums.zip(row) {
            *s += r * v.f64();
            *d += v.f64() * v.f64();
        }
        match &mut self.dual {
            Some(dual) => dual.residuals.push(r),
            None if self.rows.len() == self.chunk * self.p => self.finish(),
            None => {}
        }
    }

    /// Adds the products of the rows that were gathered; equations over the residuals wait for S.
    pub(crate) fn finish(&mut self) {
        if self.dual.is_none() {
            let (p, count) = (self.p, self.rows.len() / self.p);
            let rows = MatRef::from_row_major_slice(&self.rows, count, p);
            add_products(rows, &mut self.products);
            self.rows.clear();
        }
    }

    /// The diagonal of JᵀJ.
    pub(crate) fn diagonal(&self) -> impl Iterator<Item = f64> {
        self.diagonal.iter().copied()
    }

    /// δ for a damping μ and the diagonal of S; `false` if the matrix is not positive definite.
    pub(crate) fn solve(&mut self, mu: f64, scale: &[f64], step: &mut [f64]) -> bool {
        let p = self.p;
        let solved = match &mut self.dual {
            None => {
                damp(&mut self.damped, &self.products, mu, scale);
                for ((d, s), c) in step.iter_mut().zip(&self.slopes).zip(scale) {
                    *d = -s * c;
                }
                divide(&self.damped, step)
            }
            Some(dual) => {
                if dual.scale != scale {
                    let rows = dual.scaled.par_chunks_mut(p).zip(self.rows.par_chunks(p));
                    rows.for_each(|(scaled, row)| {
                        for ((s, v), c) in scaled.iter_mut().zip(row).zip(scale) {
                            *s = v * c;
                        }
                    });
                    dual.scale.clear();
                    dual.scale.extend_from_slice(scale);
                    self.products.fill(0.0);
                    let b = dual.residuals.len();
                    let columns = MatRef::from_column_major_slice(&dual.scaled, p, b);
                    add_products(columns, &mut self.products);
                }
                damp(&mut self.damped, &self.products, mu, &[]);
                dual.weights.copy_from_slice(&dual.residuals);
                let solved = divide(&self.damped, &mut dual.weights);
                // Each parameter sums over the residuals in order.
                let parts = step.par_chunks_mut(PART).enumerate();
                parts.for_each(|(k, part)| {
                    part.fill(0.0);
                    for (w, row) in dual.weights.iter().zip(dual.scaled.chunks_exact(p)) {
                        for (d, v) in part.iter_mut().zip(&row[k * PART..]) {
                            *d -= w * v;
                        }
                    }
                });
                solved
            }
        };
        for (d, c) in step.iter_mut().zip(scale) {
            *d *= c;
        }
        solved && step.iter().all(|d| d.is_finite())
    }
}

/// The lower triangle of `scale`·products·`scale` + μI; no scale is one of ones.
fn damp(damped: &mut Mat<f64>, products: &[f64], mu: f64, scale: &[f64]) {
    let n = damped.nrows();
    let of = |i: usize| scale.get(i).copied().unwrap_or(1.0);
    for j in 0..n {
        for i in j..n {
            damped[(i, j)] = products[j * n + i] * of(i) * of(j);
        }
        damped[(j, j)] += mu;
    }
}

/// The solution in place of the right-hand side.
fn divide(matrix: &Mat<f64>, rhs: &mut [f64]) -> bool {
    let Ok(factor) = Llt::new(matrix.as_ref(), Side::Lower) else {
        return false;
    };
    let n = rhs.len();
    factor.solve_in_place(MatMut::from_column_major_slice_mut(rhs, n, 1));
    true
}

/// Adds the lower triangle of mᵀm for the columns of `m`. Blocks of columns are made by one task each: the same bits for any
/// number of threads.
fn add_products(m: MatRef<'_, f64>, products: &mut [f64]) {
    let n = m.ncols();
    let blocks = products.par_chunks_mut(COLUMNS * n).enumerate();
    blocks.for_each(|(b, columns)| {
        let (from, width) = (b * COLUMNS, columns.len() / n);
        let block = MatMut::from_column_major_slice_mut(columns, n, width);
        let (corner, below) = block.subrows_mut(from, n - from).split_at_row_mut(width);
        let own = m.subcols(from, width);
        matmul(
            corner,
            BlockStructure::TriangularLower,
            Accum::Add,
            own.transpose(),
            BlockStructure::Rectangular,
            own,
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
        matmul(
            below,
            BlockStructure::Rectangular,
            Accum::Add,
            m.subcols(from + width, n - from - width).transpose(),
            BlockStructure::Rectangular,
            own,
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
    });
}

#[cfg(test)]
mod tests {
    use ansatz_core::Key;

    use super::Normal;

    /// x of a·x = b by elimination; `a` is positive definite.
    fn eliminate(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
        let n = b.len();
        for i in 0..n {
            for r in i + 1..n {
                let f = a[r][i] / a[i][i];
                for c in i..n {
                    a[r][c] -= f * a[i][c];
                }
                b[r] -= f * b[i];
            }
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|c| a[i][c] * b[c]).sum();
            b[i] = (b[i] - known) / a[i][i];
        }
        b
    }

    /// (JᵀJ + μD)δ = −Jᵀr by elimination, for more residuals, fewer, and as many; two dampings and scales in turn.
    #[test]
    fn steps_are_those_of_the_damped_equations() {
        for (p, b) in [(5, 9), (9, 5), (7, 7), (70, 68), (130, 3)] {
            let mut random = vec![0.0; b * p + b + p];
            Key::new(3).fill_normal(0, &mut random);
            let (rows, rest) = random.split_at(b * p);
            let (r, d) = rest.split_at(b);
            let d: Vec<f64> = d.iter().map(|v| 0.5 + v * v).collect();
            let mut normal = Normal::new(p, b, 4);
            normal.clear();
            for (row, r) in rows.chunks(p).zip(r) {
                normal.push(*r, row);
            }
            normal.finish();
            let mut step = vec![0.0; p];
            for (mu, d) in [(0.3, &d), (2.0, &d), (2.0, &vec![1.0; p])] {
                let scale: Vec<f64> = d.iter().map(|d| d.sqrt().recip()).collect();
                assert!(normal.solve(mu, &scale, &mut step));
                let product = |i: usize, j: usize| -> f64 {
                    let all = rows.chunks(p).map(|row| row[i] * row[j]);
                    all.sum::<f64>() + if i == j { mu * d[i] } else { 0.0 }
                };
                let a = (0..p).map(|i| (0..p).map(|j| product(i, j)).collect());
                let slopes = (0..p).map(|i| {
                    let each = rows.chunks(p).zip(r);
                    -each.map(|(row, r)| row[i] * r).sum::<f64>()
                });
                let expected = eliminate(a.collect(), slopes.collect());
                for (s, e) in step.iter().zip(&expected) {
                    assert!((s - e).abs() < 1e-11, "{p} {b}: {s} {e}");
                }
            }
        }
    }
}
