//! Weights that wait until the past is solved.

use ansatz_core::Scalar;

use crate::PdeError;
use crate::error::{expect, within};

/// Points in M chunks of equal number, ordered in time: chunk i has the weight wᵢ = exp(−ε·Σⱼ﹤ᵢ lⱼ), lⱼ the mean square
/// residual of chunk j, so that a time is fitted when all before it are. Weights are no functions of the parameters in the
/// gradient.
///
/// Reference: S. Wang, S. Sankaran, P. Perdikaris, *Respecting causality for training physics-informed neural networks*,
/// 2024 (eq. 3.5; published 2022).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Causal {
    /// The column of the points that holds time.
    pub column: usize,
    /// Number of chunks, a divisor of the number of points.
    pub chunks: usize,
    /// ε: the larger, the more strictly the order is kept.
    pub tolerance: f64,
}

impl Causal {
    /// The weight of each chunk for the mean square residual of each.
    ///
    /// ```
    /// let causal = ansatz_pde::Causal { column: 0, chunks: 3, tolerance: 1.0 };
    /// let w = causal.weights(&[1.0, 2.0, 0.5]);
    /// assert_eq!(w, [1.0, (-1.0_f64).exp(), (-3.0_f64).exp()]);
    /// ```
    #[must_use]
    pub fn weights(&self, losses: &[f64]) -> Vec<f64> {
        let mut before = 0.0;
        let weight = |l: &f64| {
            let w = (-self.tolerance * before).exp();
            before += l;
            w
        };
        losses.iter().map(weight).collect()
    }

    pub(super) fn check(&self, points: usize, columns: usize) -> Result<(), PdeError> {
        let column = self.column as f64;
        within(
            "column of time",
            column,
            0.0..columns as f64,
            "a column of the points",
        )?;
        within("tolerance", self.tolerance, 0.0.., "a number not below 0")?;
        within("chunks", self.chunks as f64, 1.0.., "1 or more")?;
        let whole = points / self.chunks * self.chunks;
        expect("points, a multiple of the chunks", whole, points)
    }

    /// Sorts rows by time; whole rows, so that points stay what they are.
    pub(super) fn sort(&self, points: &mut Vec<f64>, columns: usize) {
        let mut rows: Vec<&[f64]> = points.chunks(columns).collect();
        rows.sort_by(|a, b| a[self.column].total_cmp(&b[self.column]));
        *points = rows.concat();
    }

    /// Multiplies ω by the weights for these squared residuals.
    pub(super) fn apply<T: Scalar>(&self, squares: &[f64], omega: &mut [T]) {
        let size = squares.len() / self.chunks;
        let mean = |chunk: &[f64]| chunk.iter().sum::<f64>() / size as f64;
        let losses: Vec<f64> = squares.chunks(size).map(mean).collect();
        let weights = self.weights(&losses);
        for (chunk, w) in omega.chunks_mut(size).zip(weights) {
            for v in chunk {
                *v *= T::of(w);
            }
        }
    }
}
