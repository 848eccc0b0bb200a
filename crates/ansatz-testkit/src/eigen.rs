//! Eigenvalues and eigenvectors of small symmetric matrices.

/// Sweeps after which the cyclic Jacobi method stops; it converges quadratically, in 5 to 10.
const MAX_SWEEPS: usize = 50;

/// Diagonalises a symmetric matrix, row-major `[n, n]`.
///
/// Returns the eigenvalues and a row-major matrix whose row `j` is the unit eigenvector of
/// eigenvalue `j`, in no particular order. Relative accuracy is that of `f64` times the norm.
///
/// Cyclic Jacobi rotations (G. Golub, C. Van Loan, *Matrix computations*, 4th edition, section
/// 8.5.3).
pub(crate) fn symmetric(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut axes = vec![0.0; n * n];
    for i in 0..n {
        axes[i * n + i] = 1.0;
    }
    let norm = a.iter().map(|v| v * v).sum::<f64>().sqrt();
    for _ in 0..MAX_SWEEPS {
        let mut off = 0.0_f64;
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                off = off.max(apq.abs());
                if apq.abs() <= f64::MIN_POSITIVE {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                    let (x, y) = (axes[p * n + k], axes[q * n + k]);
                    axes[p * n + k] = c * x - s * y;
                    axes[q * n + k] = s * x + c * y;
                }
                a[p * n + q] = 0.0;
                a[q * n + p] = 0.0;
            }
        }
        if off <= 1e-3 * f64::EPSILON * norm {
            break;
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), axes)
}

#[cfg(test)]
mod tests {
    use super::symmetric;

    #[test]
    fn rebuilds_the_matrix() {
        let n = 5;
        let matrix: Vec<f64> = (0..n * n)
            .map(|k| 1.0 / (1.0 + (k / n + k % n) as f64))
            .collect();
        let (values, axes) = symmetric(&matrix, n);
        // Each row takes part in n − 1 rotations per sweep, of which there are at most 8.
        let tolerance = (8 * n) as f64 * f64::EPSILON;
        for i in 0..n {
            for j in 0..n {
                let rebuilt: f64 = (0..n)
                    .map(|k| values[k] * axes[k * n + i] * axes[k * n + j])
                    .sum();
                assert!((rebuilt - matrix[i * n + j]).abs() < tolerance);
                let product: f64 = (0..n).map(|k| axes[i * n + k] * axes[j * n + k]).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < tolerance);
            }
        }
    }

    #[test]
    fn keeps_a_diagonal() {
        let (values, axes) = symmetric(&[3.0, 0.0, 0.0, 0.0], 2);
        assert_eq!((values, axes), (vec![3.0, 0.0], vec![1.0, 0.0, 0.0, 1.0]));
    }
}
