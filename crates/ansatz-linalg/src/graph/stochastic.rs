//! Metric scaling pair by pair.

use ansatz_core::Key;

use super::embed::{SmacofReport, StressWeights, classical_scaling, procrustes, stress_of};
use crate::LinalgError;
use crate::error::{finite, shape, within};

/// Metric scaling by stochastic gradient descent: lowers Σ wᵢⱼ(‖xᵢ − xⱼ‖ − dᵢⱼ)² by going through all pairs in random order
/// and moving the two points along their difference by
///
/// ```text
/// ½·min(wη, 1)·(d − ‖xᵢ − xⱼ‖) each,   η = η₀·e^(−λt) from 1/min w to `last`/max w
/// ```
///
/// so that at first each pair is put right at once and later all of them agree. An epoch costs O(N²) for any weights, without
/// the matrix that [`Smacof`](super::Smacof) needs for weights that differ, and finds its way from bad starts; the last digits
/// are SMACOF's business. The order depends on `key` alone. Memory: 4N² bytes more than the distances.
///
/// ```
/// use ansatz_linalg::graph::{StochasticScaling, pairwise_distances};
/// let square = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
/// let d = pairwise_distances(&square, 2)?;
/// let found = StochasticScaling::default().embed_from(&d, &[0.3, 0.1, 0.2, 0.9, 0.4, 0.8, 0.7, 0.5])?;
/// let again = pairwise_distances(&found.points, 2)?;
/// assert!(d.iter().zip(&again).all(|(d, a)| (d - a).abs() < 1e-3));
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
///
/// Source: J. Zheng, S. Pawar, D. Goodman, *Graph drawing by stochastic gradient descent*, 2018, algorithm 1.
#[derive(Debug, Clone, PartialEq)]
pub struct StochasticScaling {
    /// Coordinates. Default 2.
    pub dimension: usize,
    /// Passes over all pairs. Default 60.
    pub epochs: usize,
    /// Step of the last epoch for the largest weight, below 1. Default 0.01.
    pub last: f64,
    /// Default: d⁻², of the paper; pairs with weight 0 are left out.
    pub weights: StressWeights,
    /// Of the order.
    pub key: Key,
}

impl Default for StochasticScaling {
    fn default() -> Self {
        Self {
            dimension: 2,
            epochs: 60,
            last: 0.01,
            weights: StressWeights::Power(2.0),
            key: Key::new(0),
        }
    }
}

impl StochasticScaling {
    /// Embeds an N×N matrix of distances from classical scaling on, and aligns the result with it.
    ///
    /// # Errors
    /// Those of [`classical_scaling`] and of [`StochasticScaling::embed_from`].
    pub fn embed(&self, d: &[f64], n: usize) -> Result<SmacofReport, LinalgError> {
        self.embed_from(d, &classical_scaling(d, n, self.dimension)?)
    }

    /// The same from points of one's own, row by row.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] for negative weights or distances, no
    /// pair with a weight, or `last` outside (0, 1).
    pub fn embed_from(&self, d: &[f64], start: &[f64]) -> Result<SmacofReport, LinalgError> {
        within("dimension", self.dimension as f64, 1.0.., "at least 1")?;
        within("last", self.last, f64::MIN_POSITIVE..1.0, "in (0, 1)")?;
        let (k, n) = (self.dimension, start.len() / self.dimension);
        shape("coordinates", n * k, start.len())?;
        shape("distances", n * n, d.len())?;
        finite("distances", d)?;
        finite("points", start)?;
        let weights = self.weights.of(d, n)?;
        let weight = |i: usize, j: usize| {
            weights
                .as_ref()
                .map_or(1.0, |w| 0.5 * (w[i * n + j] + w[j * n + i]))
        };
        let wanted = |i: usize, j: usize| 0.5 * (d[i * n + j] + d[j * n + i]);
        let mut pairs = Vec::with_capacity(n * n.saturating_sub(1) / 2);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for i in 0..n {
            for j in i + 1..n {
                within("distance", wanted(i, j), 0.0.., "at least 0")?;
                let w = weight(i, j);
                if w > 0.0 {
                    (least, most) = (least.min(w), most.max(w));
                    pairs.push([i as u32, j as u32]);
                }
            }
        }
        within(
            "largest weight of a pair",
            most,
            f64::MIN_POSITIVE..,
            "positive",
        )?;
        let (first, last) = (1.0 / least, self.last / most);
        let decay = (last / first).ln() / self.epochs.saturating_sub(1).max(1) as f64;
        let mut x = start.to_vec();
        let mut stress = vec![stress_of(&x, d, weights.as_deref(), k)];
        for epoch in 0..self.epochs {
            let key = self.key.fold_in(epoch as u64);
            for end in (1..pairs.len()).rev() {
                let [u, _] = key.uniform(0, end as u64);
                pairs.swap(end, ((u * (end + 1) as f64) as usize).min(end));
            }
            let eta = first * (decay * epoch as f64).exp();
            for [i, j] in &pairs {
                let (i, j) = (*i as usize, *j as usize);
                let mu = (weight(i, j) * eta).min(1.0);
                step(&mut x, [i * k, j * k], k, mu, wanted(i, j));
            }
            stress.push(stress_of(&x, d, weights.as_deref(), k));
        }
        finite("points of stochastic scaling", &x)?;
        procrustes(&mut x, start, k)?;
        Ok(SmacofReport { points: x, stress })
    }
}

/// Moves two points along their difference, or along the first axis if there is none.
fn step(x: &mut [f64], [i, j]: [usize; 2], k: usize, mu: f64, wanted: f64) {
    let mut square = 0.0;
    for c in 0..k {
        square += (x[i + c] - x[j + c]).powi(2);
    }
    let here = square.sqrt();
    if here > 0.0 {
        let ratio = 0.5 * mu * (wanted - here) / here;
        for c in 0..k {
            let move_by = ratio * (x[i + c] - x[j + c]);
            x[i + c] += move_by;
            x[j + c] -= move_by;
        }
    } else {
        x[i] += 0.5 * mu * wanted;
        x[j] -= 0.5 * mu * wanted;
    }
}
