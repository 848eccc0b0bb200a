//! Small dense matrices, row by row: products, a Cholesky factor, eigenvalues of symmetric ones by Jacobi's rotations.

use rayon::prelude::*;

use super::KalmanError;

/// A·B for A of rows of `inner` numbers.
pub(super) fn product(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
    let columns = b.len() / inner;
    let mut out = vec![0.0; a.len() / inner * columns];
    let rows = out.par_chunks_mut(columns).zip(a.par_chunks(inner));
    rows.for_each(|(out, a)| {
        for (a, b) in a.iter().zip(b.chunks(columns)) {
            out.iter_mut().zip(b).for_each(|(o, b)| *o += a * b);
        }
    });
    out
}

/// A·Aᵀ for A of rows of `width` numbers.
pub(super) fn gram(a: &[f64], width: usize) -> Vec<f64> {
    let rows = a.chunks(width);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    rows.clone()
        .flat_map(|x| rows.clone().map(move |y| dot(x, y)))
        .collect()
}

/// L of S = LLᵀ.
pub(super) struct Factor {
    l: Vec<f64>,
    n: usize,
}

impl Factor {
    pub(super) fn of(s: &[f64], n: usize, what: &'static str) -> Result<Self, KalmanError> {
        let bad = |index, pivot| KalmanError::NotPositiveDefinite { what, index, pivot };
        let mut l = s.to_vec();
        for i in 0..n {
            for j in 0..i {
                let (a, b) = (s[i * n + j], s[j * n + i]);
                if (a - b).abs() > 1e-10 * (a.abs() + b.abs()) {
                    return Err(bad(i, a - b));
                }
            }
        }
        for i in 0..n {
            for j in 0..=i {
                let (x, y) = (&l[i * n..i * n + j], &l[j * n..j * n + j]);
                let sum = l[i * n + j] - x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                if i > j {
                    l[i * n + j] = sum / l[j * n + j];
                } else if sum > 0.0 {
                    l[i * n + i] = sum.sqrt();
                } else {
                    return Err(bad(i, sum));
                }
            }
        }
        Ok(Self { l, n })
    }

    /// x ← L⁻¹x.
    pub(super) fn forward(&self, x: &mut [f64]) {
        for i in 0..self.n {
            let row = &self.l[i * self.n..=i * self.n + i];
            let sum: f64 = row.iter().zip(&x[..i]).map(|(l, x)| l * x).sum();
            x[i] = (x[i] - sum) / row[i];
        }
    }

    /// x ← S⁻¹x.
    pub(super) fn solve(&self, x: &mut [f64]) {
        self.forward(x);
        for i in (0..self.n).rev() {
            let row = &self.l[i * self.n..=i * self.n + i];
            x[i] /= row[i];
            let value = x[i];
            x[..i]
                .iter_mut()
                .zip(row)
                .for_each(|(x, l)| *x -= value * l);
        }
    }

    /// x ← Lx.
    pub(super) fn times(&self, x: &mut [f64]) {
        for i in (0..self.n).rev() {
            let row = &self.l[i * self.n..=i * self.n + i];
            x[i] = row.iter().zip(&*x).map(|(l, x)| l * x).sum();
        }
    }
}

/// Eigenvalues of a symmetric matrix, and its eigenvectors as columns.
///
/// Cyclic Jacobi: each rotation removes one element off the diagonal; sweeps end when what is left is below rounding.
/// G. Golub, C. Van Loan, *Matrix computations*, 4th edition, 2013, algorithm 8.5.2.
pub(super) fn eigen(mut s: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut e = vec![0.0; n * n];
    for i in 0..n {
        e[i * n + i] = 1.0;
    }
    let size: f64 = s.iter().map(|v| v * v).sum();
    // Convergence is quadratic: seven sweeps do for any size met here.
    for _ in 0..30 {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| s[i * n + j] * s[i * n + j])
            .sum();
        if off <= 1e-32 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = s[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let tau = (s[q * n + q] - s[p * n + p]) / (2.0 * apq);
                let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let c = t.hypot(1.0).recip();
                let sine = t * c;
                for k in 0..n {
                    rotate(&mut s, (k * n + p, k * n + q), (c, sine));
                }
                for k in 0..n {
                    rotate(&mut s, (p * n + k, q * n + k), (c, sine));
                    rotate(&mut e, (k * n + p, k * n + q), (c, sine));
                }
            }
        }
    }
    ((0..n).map(|i| s[i * n + i]).collect(), e)
}

fn rotate(x: &mut [f64], (i, j): (usize, usize), (c, s): (f64, f64)) {
    let (a, b) = (x[i], x[j]);
    x[i] = c * a - s * b;
    x[j] = s * a + c * b;
}
