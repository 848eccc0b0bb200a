//! Coordinates from distances.

use faer::{Mat, MatRef, Side};
use rayon::prelude::*;

use super::build::distance;
use crate::LinalgError;
use crate::error::{finite, shape, within};

fn eigenvalues_failed(_: faer::linalg::evd::EvdError) -> LinalgError {
    LinalgError::Breakdown {
        iteration: 0,
        what: "eigenvalues of a matrix of distances",
        value: f64::NAN,
    }
}

/// Classical scaling: N points of `dimension` coordinates, row by row, from an N×N matrix of distances. Exact for Euclidean
/// distances, up to rotation; axes by falling variance, the largest coordinate of each positive. O(N³).
///
/// Source: W. Torgerson, *Multidimensional scaling: I. theory and method*, 1952.
///
/// # Errors
/// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] unless 1 ≤ dimension ≤ N.
pub fn classical_scaling(d: &[f64], n: usize, dimension: usize) -> Result<Vec<f64>, LinalgError> {
    check(d, n, dimension)?;
    // B = −½·J·D²·J: rows and columns lose their means.
    let means: Vec<f64> = d
        .chunks_exact(n)
        .map(|row| row.iter().map(|d| d * d).sum::<f64>() / n as f64)
        .collect();
    let all = means.iter().sum::<f64>() / n as f64;
    let b = Mat::from_fn(n, n, |i, j| {
        -0.5 * (d[i * n + j].powi(2) - means[i] - means[j] + all)
    });
    let eigen = b
        .self_adjoint_eigen(Side::Lower)
        .map_err(eigenvalues_failed)?;
    let mut out = vec![0.0; n * dimension];
    for k in 0..dimension {
        let column = n - 1 - k;
        let size = eigen.S()[column].max(0.0).sqrt();
        let vector = |i: usize| eigen.U()[(i, column)];
        let top = (0..n).fold(0.0_f64, |t, i| {
            if vector(i).abs() > t.abs() {
                vector(i)
            } else {
                t
            }
        });
        for i in 0..n {
            out[i * dimension + k] = size * vector(i) * 1.0_f64.copysign(top);
        }
    }
    Ok(out)
}

fn check(d: &[f64], n: usize, dimension: usize) -> Result<(), LinalgError> {
    shape("distances", n * n, d.len())?;
    finite("distances", d)?;
    within(
        "dimension",
        dimension as f64,
        1.0..=n as f64,
        "from 1 to the number of points",
    )
}

/// Moves `points` onto `target` (both row by row) by rotation, reflection and translation, as near as possible.
///
/// Source: P. Schönemann, *A generalized solution of the orthogonal Procrustes problem*, 1966.
///
/// # Errors
/// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Breakdown`] from the singular values.
pub fn procrustes(points: &mut [f64], target: &[f64], dimension: usize) -> Result<(), LinalgError> {
    within("dimension", dimension as f64, 1.0.., "at least 1")?;
    let n = target.len() / dimension;
    shape("coordinates", n * dimension, target.len())?;
    shape("coordinates", target.len(), points.len())?;
    finite("points", points)?;
    finite("target", target)?;
    let mean = |x: &[f64]| -> Vec<f64> {
        let column = |k: usize| x.iter().skip(k).step_by(dimension).sum::<f64>() / n as f64;
        (0..dimension).map(column).collect()
    };
    let (from, to) = (mean(points), mean(target));
    let x = Mat::from_fn(n, dimension, |i, k| points[i * dimension + k] - from[k]);
    let y = Mat::from_fn(n, dimension, |i, k| target[i * dimension + k] - to[k]);
    let svd = (x.transpose() * &y)
        .svd()
        .map_err(|_| LinalgError::Breakdown {
            iteration: 0,
            what: "singular values of two point sets",
            value: f64::NAN,
        })?;
    let moved = &x * (svd.U() * svd.V().transpose());
    for i in 0..n {
        for k in 0..dimension {
            points[i * dimension + k] = moved[(i, k)] + to[k];
        }
    }
    Ok(())
}

/// What a pair counts in the stress.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum StressWeights {
    /// 1.
    #[default]
    Uniform,
    /// d^(−p): near pairs count more.
    Power(f64),
    /// Numbers of one's own, N×N, such as heat + 1e-5.
    Given(Vec<f64>),
}

impl StressWeights {
    /// The matrix, `None` for all equal.
    pub(super) fn of(&self, d: &[f64], n: usize) -> Result<Option<Vec<f64>>, LinalgError> {
        let inverse = |p: f64| {
            d.iter()
                .map(move |d| if *d > 0.0 { d.powf(-p) } else { 0.0 })
        };
        let weights: Vec<f64> = match self {
            Self::Uniform => return Ok(None),
            Self::Power(p) => inverse(*p).collect(),
            Self::Given(w) => w.clone(),
        };
        shape("weights", n * n, weights.len())?;
        for w in &weights {
            within("weight of a pair", *w, 0.0.., "at least 0")?;
        }
        Ok(Some(weights))
    }
}

/// Σ_{i<j} wᵢⱼ(‖xᵢ − xⱼ‖ − dᵢⱼ)², row sums in parallel, added in order.
pub(super) fn stress_of(x: &[f64], d: &[f64], weights: Option<&[f64]>, k: usize) -> f64 {
    let n = x.len() / k;
    let rows: Vec<f64> = (0..n)
        .into_par_iter()
        .map(|i| {
            let pair = |j: usize| {
                let here = distance(&x[i * k..(i + 1) * k], &x[j * k..(j + 1) * k]);
                let wanted = 0.5 * (d[i * n + j] + d[j * n + i]);
                let weight = weights.map_or(1.0, |w| 0.5 * (w[i * n + j] + w[j * n + i]));
                weight * (here - wanted).powi(2)
            };
            (i + 1..n).map(pair).sum()
        })
        .collect();
    rows.iter().sum()
}

/// Metric scaling by majorisation: lowers Σ wᵢⱼ(‖xᵢ − xⱼ‖ − dᵢⱼ)² from classical scaling on, in sweeps of O(N²) that never
/// raise it (weights other than uniform: O(N³) once), and aligns the result with the start.
///
/// Source: J. de Leeuw, *Applications of convex analysis to multidimensional scaling*, 1977.
#[derive(Debug, Clone, PartialEq)]
pub struct Smacof {
    /// Coordinates. Default 2.
    pub dimension: usize,
    /// Most sweeps. Default 3000.
    pub sweeps: usize,
    /// Ends when a sweep lowers the stress by less than this part. Default 1e-6.
    pub rtol: f64,
    /// Default: uniform.
    pub weights: StressWeights,
}

impl Default for Smacof {
    fn default() -> Self {
        Self {
            dimension: 2,
            sweeps: 3000,
            rtol: 1e-6,
            weights: StressWeights::Uniform,
        }
    }
}

/// What majorisation or stochastic descent did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SmacofReport {
    /// Points, row by row.
    pub points: Vec<f64>,
    /// Σ_{i<j} wᵢⱼ(‖xᵢ − xⱼ‖ − dᵢⱼ)² at the start and after every sweep or epoch.
    pub stress: Vec<f64>,
}

impl Smacof {
    /// Embeds an N×N matrix of distances.
    ///
    /// # Errors
    /// Those of [`classical_scaling`]; [`LinalgError::Parameter`] for negative weights.
    pub fn embed(&self, d: &[f64], n: usize) -> Result<SmacofReport, LinalgError> {
        let start = classical_scaling(d, n, self.dimension)?;
        let weights = self.weights.of(d, n)?;
        let inverse = weights.as_ref().map(|w| inverse_of(w, n)).transpose()?;
        let weight = |i: usize, j: usize| {
            weights
                .as_ref()
                .map_or(1.0, |w| 0.5 * (w[i * n + j] + w[j * n + i]))
        };
        let k = self.dimension;
        let mut x = start.clone();
        let mut turned = vec![0.0; n * k];
        let mut stress = Vec::new();
        for sweep in 0..=self.sweeps {
            // B(X)·X row by row, and twice the stress of its pairs.
            let point = |i: usize| &x[i * k..(i + 1) * k];
            let parts: Vec<f64> = turned
                .par_chunks_mut(k)
                .enumerate()
                .map(|(i, row)| {
                    row.fill(0.0);
                    let mut part = 0.0;
                    for j in (0..n).filter(|j| *j != i) {
                        let here = distance(point(i), point(j));
                        let wanted = 0.5 * (d[i * n + j] + d[j * n + i]);
                        let w = weight(i, j);
                        part += w * (here - wanted).powi(2);
                        let ratio = if here > 0.0 { w * wanted / here } else { 0.0 };
                        for (c, row) in row.iter_mut().enumerate() {
                            *row += ratio * (x[i * k + c] - x[j * k + c]);
                        }
                    }
                    part
                })
                .collect();
            let now = 0.5 * parts.iter().sum::<f64>();
            let done = stress
                .last()
                .is_some_and(|before: &f64| before - now <= self.rtol * before);
            stress.push(now);
            if done || sweep == self.sweeps {
                break;
            }
            match &inverse {
                None => x
                    .iter_mut()
                    .zip(&turned)
                    .for_each(|(x, t)| *x = t / n as f64),
                Some(inverse) => {
                    let moved = inverse * MatRef::from_row_major_slice(&turned, n, k);
                    for i in 0..n {
                        for c in 0..k {
                            x[i * k + c] = moved[(i, c)];
                        }
                    }
                }
            }
        }
        procrustes(&mut x, &start, k)?;
        Ok(SmacofReport { points: x, stress })
    }
}

/// The pseudo-inverse of the Laplacian of the weights: (V + 11ᵀ/n)⁻¹ − 11ᵀ/n.
fn inverse_of(w: &[f64], n: usize) -> Result<Mat<f64>, LinalgError> {
    let pair = |i: usize, j: usize| 0.5 * (w[i * n + j] + w[j * n + i]);
    let v = Mat::from_fn(n, n, |i, j| {
        if i == j {
            (0..n).filter(|k| *k != i).map(|k| pair(i, k)).sum()
        } else {
            -pair(i, j)
        }
    });
    let eigen = v
        .self_adjoint_eigen(Side::Lower)
        .map_err(eigenvalues_failed)?;
    let cut = 1e-13 * eigen.S()[n - 1];
    let scaled = Mat::from_fn(n, n, |i, k| {
        let value = eigen.S()[k];
        if value > cut {
            eigen.U()[(i, k)] / value
        } else {
            0.0
        }
    });
    Ok(&scaled * eigen.U().transpose())
}
