//! The log-ODE method: one step per window of a path.
//!
//! Over a window the solution of dz = Σᵢ Fᵢ(z) dXⁱ is that of z' = Σ_w L^w F_w(z) after unit time, with L the
//! log-signature and F_w iterated derivatives, up to what the depth leaves out. For linear fields Fᵢ(z) = Aᵢz this is
//! z ← exp(Σ_w L^w A_{w_k}…A_{w₁})·z, the first letter acting first. For learned fields the sum itself is
//! learned: an equation driven by the running sum of the log-signatures.

use super::{Signature, Tensor, lyndon_count};
use crate::path::{Path, PathError, Series};

/// The series of log-signatures over windows of the given length, on times 0, 1, 2, …
///
/// Window j goes from t₀ + j·length to t₀ + (j + 1)·length, the last to the last time; their ends that are
/// no observations lie on the straight line between two. Row 0 is x(t₀) followed by zeros, each further row adds the
/// Lyndon coefficients of a window. Channels: [`lyndon_count`].
///
/// Deviation: signatory's and torchcde's first window function multiplied by the length of the window; a
/// log-signature is that of the path whatever time it takes.
///
/// # Errors
/// [`PathError::Missing`] for series with holes; [`PathError::Option`] for a length that is not positive or a
/// depth out of range.
pub fn windows(series: &Series, length: f64, depth: usize) -> Result<Series, PathError> {
    if !(length > 0.0 && length.is_finite()) {
        return Err(PathError::Option {
            name: "length",
            value: length,
            allowed: "finite and positive",
        });
    }
    let path = Path::linear(series)?;
    let (start, end) = path.span();
    let (samples, channels) = (series.samples(), series.channels());
    let mut signatures = vec![Signature::new(channels, depth)?; samples];
    let size = lyndon_count(channels, depth);
    // A window shorter than rounding is none.
    let count = (((end - start) / length) * (1.0 - 4.0 * f64::EPSILON))
        .ceil()
        .max(1.0) as usize;

    let width = samples * size;
    let mut values = vec![0.0; (count + 1) * width];
    for (s, row) in values[..width].chunks_mut(size).enumerate() {
        row[..channels].copy_from_slice(&series.row(0)[s * channels..][..channels]);
    }
    let mut here = series.row(0).to_vec();
    let mut next = here.clone();
    let mut piece = vec![0.0; channels];
    let mut knot = 1;
    for j in 0..count {
        let until = if j + 1 == count {
            end
        } else {
            start + (j + 1) as f64 * length
        };
        signatures.iter_mut().for_each(Signature::reset);
        loop {
            let at = series.times()[knot].min(until);
            path.value_in(knot - 1, at, &mut next);
            for (s, signature) in signatures.iter_mut().enumerate() {
                for (k, d) in piece.iter_mut().enumerate() {
                    *d = next[s * channels + k] - here[s * channels + k];
                }
                signature.extend(&piece);
            }
            std::mem::swap(&mut here, &mut next);
            if series.times()[knot] <= at && knot + 1 < series.times().len() {
                knot += 1;
            }
            if at >= until {
                break;
            }
        }
        let (before, after) = values.split_at_mut((j + 1) * width);
        let before = &before[j * width..];
        for (s, signature) in signatures.iter().enumerate() {
            let log = signature.log().lyndon();
            for (k, l) in log.iter().enumerate() {
                after[s * size + k] = before[s * size + k] + l;
            }
        }
    }
    let times = (0..=count).map(|j| j as f64).collect();
    Series::new(times, values, samples, size)
}

/// `z ← exp(Σ_w L^w A_{w_k}…A_{w₁})·z`: one window of dz = Σᵢ Aᵢz dXⁱ. `matrices` is `[channels, d, d]`, row-major.
///
/// The error of a window falls with the depth as that of the logarithm of the flow. Cost: O(cᴺd³), and an exponential
/// by its series on parts of norm at most 1.
///
/// # Errors
/// [`PathError::Length`] when `matrices` does not hold `channels` squares of the length of `z`.
pub fn linear_flow(log: &Tensor, matrices: &[f64], z: &mut [f64]) -> Result<(), PathError> {
    let (c, d) = (log.channels(), z.len());
    if matrices.len() != c * d * d {
        return Err(PathError::Length {
            expected: c * d * d,
            got: matrices.len(),
        });
    }
    // Horner over words from their ends: M = Σ_i (… + Σ_j M_{ij})·A_i with M_w the sum over words that begin with w.
    let sum = words_from(log, matrices, d, &mut Vec::with_capacity(log.depth()));
    let norm = sum
        .chunks(d)
        .map(|row| row.iter().map(|x| x.abs()).sum::<f64>())
        // Unlike `max`, this keeps NaN.
        .fold(0.0, |m: f64, x| if x > m || x.is_nan() { x } else { m });
    // Beyond this the exponential leaves the numbers in one direction or another.
    if norm > 1e4 || norm.is_nan() {
        return Err(PathError::Option {
            name: "norm of the generator",
            value: norm,
            allowed: "at most 1e4: take shorter windows",
        });
    }
    let parts = norm.ceil().max(1.0);
    let mut term = z.to_vec();
    let mut next = vec![0.0; d];
    for _ in 0..parts as usize {
        term.copy_from_slice(z);
        // 1/22! < 1e-21.
        for k in 1..=22 {
            let scale = 1.0 / (parts * f64::from(k));
            for (n, row) in next.iter_mut().zip(sum.chunks(d)) {
                *n = scale * row.iter().zip(&term).map(|(a, t)| a * t).sum::<f64>();
            }
            z.iter_mut().zip(&next).for_each(|(z, n)| *z += n);
            std::mem::swap(&mut term, &mut next);
        }
    }
    Ok(())
}

/// Σ over words w = (prefix)v of L^w A_{v_k}…A_{v₁}, the last letter on the left.
fn words_from(log: &Tensor, matrices: &[f64], d: usize, prefix: &mut Vec<usize>) -> Vec<f64> {
    let mut sum = vec![0.0; d * d];
    for i in 0..log.channels() {
        prefix.push(i);
        let mut inner = if prefix.len() < log.depth() {
            words_from(log, matrices, d, prefix)
        } else {
            vec![0.0; d * d]
        };
        let own = log.coefficient(prefix);
        (0..d).for_each(|k| inner[k * d + k] += own);
        prefix.pop();
        let a = &matrices[i * d * d..][..d * d];
        for (row, out) in inner.chunks(d).zip(sum.chunks_mut(d)) {
            for (x, a) in row.iter().zip(a.chunks(d)) {
                out.iter_mut().zip(a).for_each(|(o, a)| *o += x * a);
            }
        }
    }
    sum
}
