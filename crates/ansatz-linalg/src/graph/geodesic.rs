//! Distances from heat.

use rayon::prelude::*;

use super::build::{Graph, LaplacianKind, distance};
use super::heat::{HeatKernel, HeatMethod};
use crate::LinalgError;
use crate::error::{finite, shape, within};

/// Added to heat before its logarithm.
const FLOOR: f64 = 1e-16;

/// For how long heat flows.
#[derive(Debug, Clone, PartialEq)]
pub enum Times {
    /// One τ.
    Single(f64),
    /// Means of the distances for several τ, with weights 1 − τ/Στ.
    Several(Vec<f64>),
    /// The τ at the knee of the entropy −ΣH·log H among these many between 0.05 and 50: before it heat has seen little of
    /// the graph, after it only its coarsest form.
    Knee(usize),
}

/// How distances come from heat:
///
/// ```text
/// d²ᵢⱼ = −4τ·log Hᵢⱼ + σ·4τ·log ½(Hᵢᵢ + Hⱼⱼ),   dᵢᵢ = 0
/// ```
///
/// σ = 0 is Varadhan's formula; σ > 0 corrects for the volume that heat fills (Harnack's inequality). On a graph Hᵢⱼ falls
/// like τ^hops/hops! for small τ and meets the floor 1e-16: far distances then all are √(4τ·36.8). The result tells the
/// fraction of such pairs; a larger τ helps.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatGeodesic {
    /// Default: normalised.
    pub laplacian: LaplacianKind,
    /// Default: eigenvectors.
    pub method: HeatMethod,
    /// Default: 20.
    pub times: Times,
    /// σ from 0 to 1.5. Default 0.
    pub harnack: f64,
    /// ρ of [`triplet_distances`]. Default 0.
    pub denoise: f64,
}

impl Default for HeatGeodesic {
    fn default() -> Self {
        Self {
            laplacian: LaplacianKind::Normalised,
            method: HeatMethod::Eigen,
            times: Times::Single(20.0),
            harnack: 0.0,
            denoise: 0.0,
        }
    }
}

/// Distances between all vertices.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GeodesicDistances {
    /// d, row by row.
    pub distances: Vec<f64>,
    /// H of the last τ, row by row.
    pub heat: Vec<f64>,
    /// The times used.
    pub times: Vec<f64>,
    /// Fraction of pairs whose heat is below ten times the floor, for the worst τ: their distances tell nothing.
    pub saturated: f64,
}

impl HeatGeodesic {
    /// Distances on a connected graph. O(N²) for each τ beyond the heat.
    ///
    /// # Errors
    /// [`LinalgError::Disconnected`]; [`LinalgError::Parameter`] for τ ≤ 0, σ outside [0, 1.5], ρ outside [0, 1],
    /// fewer than three or more than 10,000 times for a knee; those of [`HeatKernel`].
    pub fn distances(&self, graph: &Graph) -> Result<GeodesicDistances, LinalgError> {
        within("harnack", self.harnack, 0.0..=1.5, "from 0 to 1.5")?;
        within("denoise", self.denoise, 0.0..=1.0, "from 0 to 1")?;
        graph.connected()?;
        let kernel = HeatKernel::new(graph, self.laplacian, self.method)?;
        let times = match &self.times {
            Times::Single(tau) => vec![*tau],
            Times::Several(times) => times.clone(),
            Times::Knee(count) => vec![knee_time(&kernel, *count)?],
        };
        within("number of times", times.len() as f64, 1.0.., "at least 1")?;
        let n = kernel.vertices();
        let total: f64 = times.iter().sum();
        let mut distances = vec![0.0; n * n];
        let (mut heat, mut saturated, mut weights) = (Vec::new(), 0.0_f64, 0.0);
        for tau in &times {
            heat = kernel.at(*tau)?;
            let weight = if times.len() == 1 {
                1.0
            } else {
                1.0 - tau / total
            };
            weights += weight;
            saturated = saturated.max(self.add(*tau, weight, &heat, &mut distances));
        }
        for d in &mut distances {
            *d /= weights;
        }
        if self.denoise > 0.0 {
            distances = triplet_distances(&distances, n, self.denoise)?;
        }
        Ok(GeodesicDistances {
            distances,
            heat,
            times,
            saturated,
        })
    }

    /// Adds `weight`·d for one τ; gives the saturated fraction.
    fn add(&self, tau: f64, weight: f64, heat: &[f64], distances: &mut [f64]) -> f64 {
        let n = heat.len().isqrt();
        let low: usize = distances
            .par_chunks_mut(n)
            .enumerate()
            .map(|(i, row)| {
                let mut low = 0;
                for (j, d) in row.iter_mut().enumerate() {
                    if i == j {
                        continue;
                    }
                    // The mean with the mirror entry: exactly symmetric, whatever the method.
                    let h = (0.5 * (heat[i * n + j] + heat[j * n + i])).max(0.0);
                    low += usize::from(h < 10.0 * FLOOR);
                    let volume = 0.5 * (heat[i * n + i] + heat[j * n + j]);
                    let square = -(h + FLOOR).ln() + self.harnack * volume.max(FLOOR).ln();
                    *d += weight * (4.0 * tau * square).max(0.0).sqrt();
                }
                low
            })
            .sum();
        low as f64 / (n * (n - 1)).max(1) as f64
    }
}

/// The τ at the knee of the entropy (Kneedle, concave, sensitivity ½).
fn knee_time(kernel: &HeatKernel, count: usize) -> Result<f64, LinalgError> {
    within(
        "times for a knee",
        count as f64,
        3.0..=1e4,
        "from 3 to 10000",
    )?;
    let (first, last) = (0.05, 50.0);
    let time = |i: usize| first + (last - first) * i as f64 / (count - 1) as f64;
    let mut entropies = Vec::with_capacity(count);
    for i in 0..count {
        let heat = kernel.at(time(i))?;
        let terms = heat
            .iter()
            .map(|h| h.max(0.0))
            .map(|h| -h * (h + 1e-10).ln());
        entropies.push(terms.sum::<f64>());
    }
    Ok(time(knee(&entropies)))
}

/// Where a rising concave curve at equal distances turns most.
///
/// Source: V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, *Finding a "kneedle" in a haystack*, 2011.
fn knee(values: &[f64]) -> usize {
    let n = values.len();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let span = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    let above: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(i, v)| (v - low) / span.max(f64::MIN_POSITIVE) - i as f64 / (n - 1) as f64)
        .collect();
    let drop = 0.5 / (n - 1) as f64;
    let mut best = 0;
    for (i, a) in above.iter().enumerate() {
        if *a > above[best] {
            best = i;
        } else if best > 0 && *a < above[best] - drop {
            break; // a knee is certain once the curve has fallen by this much
        }
    }
    best
}

/// Euclidean distances between points given row by row.
///
/// # Errors
/// [`LinalgError::Shape`] when the coordinates do not make whole points; [`LinalgError::NotFinite`].
pub fn pairwise_distances(points: &[f64], dimension: usize) -> Result<Vec<f64>, LinalgError> {
    within("dimension", dimension as f64, 1.0.., "at least 1")?;
    let n = points.len() / dimension;
    shape("coordinates", n * dimension, points.len())?;
    finite("points", points)?;
    let mut out = vec![0.0; n * n];
    let point = |i: usize| &points[i * dimension..(i + 1) * dimension];
    out.par_chunks_mut(n.max(1))
        .enumerate()
        .for_each(|(i, row)| {
            for (j, d) in row.iter_mut().enumerate() {
                *d = distance(point(i), point(j));
            }
        });
    Ok(out)
}

/// (1 − ρ)·D + ρ·(distances between the rows of D): two points are near if they see all others alike. O(N³).
///
/// # Errors
/// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] for ρ outside [0, 1].
pub fn triplet_distances(d: &[f64], n: usize, rho: f64) -> Result<Vec<f64>, LinalgError> {
    within("rho", rho, 0.0..=1.0, "from 0 to 1")?;
    shape("distances", n * n, d.len())?;
    let mut out = pairwise_distances(d, n)?;
    for (out, d) in out.iter_mut().zip(d) {
        *out = (1.0 - rho) * d + rho * *out;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn knee_of_a_saturating_curve() {
        // y = x/(x + 0.1) on [0, 1]: y′ equals the mean slope where (x + 0.1)² = 0.11, x = 0.2317.
        let values: Vec<f64> = (0..=1000)
            .map(|i| f64::from(i) / 1000.0)
            .map(|x| x / (x + 0.1))
            .collect();
        assert_eq!(super::knee(&values), 232);
    }
}
