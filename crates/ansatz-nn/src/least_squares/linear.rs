//! Least squares that are linear, for one layer.

use crate::NetworkError;

/// x that makes ‖A·x − b‖² + μ‖x‖² smallest, A given by its columns one after the other, √μ = `ridge`·√(Σ A²/columns).
///
/// Modified Gram-Schmidt of A on top of √μ·1, which is backward stable for least squares (Å. Björck, *Solving linear least
/// squares problems by Gram-Schmidt orthogonalization*, 1967): the squares of A's condition never appear, as they would in
/// AᵀA. For columns that nearly depend on each other, such as features of a network, 1e-10 is a good ridge. 2·n·p² operations
/// on one thread for n rows and p columns.
///
/// ```
/// // The line through three points.
/// let columns = [1.0, 1.0, 1.0, 0.0, 1.0, 2.0];
/// let x = ansatz_nn::linear_least_squares(&columns, &[1.0, 2.0, 6.0], 0.0)?;
/// assert!((x[0] - 0.5).abs() < 1e-12 && (x[1] - 2.5).abs() < 1e-12);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
///
/// # Errors
/// [`NetworkError::Size`] for columns that are no multiple of b's length, [`NetworkError::Option`] for a ridge below 0, for
/// numbers that are not finite, and without a ridge for columns that depend on each other.
pub fn linear_least_squares(a: &[f64], b: &[f64], ridge: f64) -> Result<Vec<f64>, NetworkError> {
    let n = b.len();
    let p = a.len() / n.max(1);
    if n == 0 || n * p != a.len() {
        return Err(NetworkError::Size {
            what: "numbers in columns as long as the right side",
            expected: n * p.max(1),
            got: a.len(),
        });
    }
    let size = a.iter().map(|v| v * v).sum::<f64>();
    let check = |name, value: f64, fits: bool, needed| {
        let error = NetworkError::Option {
            name,
            value,
            needed,
        };
        if fits { Ok(()) } else { Err(error) }
    };
    check("ridge", ridge, ridge >= 0.0, "a number not below 0")?;
    check("sum of squares", size, size.is_finite(), "a finite number")?;
    let right = b.iter().map(|v| v * v).sum::<f64>();
    check(
        "sum of squares",
        right,
        right.is_finite(),
        "a finite number",
    )?;
    // Below A's column j stands √μ·e_j; of those only the first j + 1 numbers are ever other than 0.
    let root = ridge * (size / p as f64).sqrt();
    let mut q: Vec<Vec<f64>> = a.chunks(n).map(<[f64]>::to_vec).collect();
    for (j, column) in q.iter_mut().enumerate() {
        column.resize(n + j, 0.0);
        column.push(root);
    }
    let mut rest = b.to_vec();
    rest.resize(n + p, 0.0);
    let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
    let (mut r, mut y) = (vec![0.0; p * p], vec![0.0; p]);
    for j in 0..p {
        let (done, later) = q.split_at_mut(j + 1);
        let own = &mut done[j];
        let norm = dot(own, own).sqrt();
        let least = f64::EPSILON * size.sqrt();
        check("length of a column", norm, norm > least, "a ridge above 0")?;
        for v in own.iter_mut() {
            *v /= norm;
        }
        r[j * p + j] = norm;
        let take = |r: f64, from: &mut [f64]| {
            for (v, u) in from.iter_mut().zip(&*own) {
                *v -= r * u;
            }
        };
        for (k, column) in later.iter_mut().enumerate() {
            let s = dot(own, column);
            r[j * p + j + 1 + k] = s;
            take(s, column);
        }
        y[j] = dot(own, &rest);
        take(y[j], &mut rest);
    }
    for j in (0..p).rev() {
        let known = dot(&r[j * p + j + 1..(j + 1) * p], &y[j + 1..]);
        y[j] = (y[j] - known) / r[j * p + j];
    }
    Ok(y)
}
