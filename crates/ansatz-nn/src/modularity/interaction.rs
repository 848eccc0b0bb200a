//! The graph of all directions of a network's layers.

use super::WeightedEdge;
use crate::interaction::InteractionBasis;
use crate::{NetworkError, Stage};

/// How strength of interaction becomes the weight of an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InteractionWeight {
    /// max(0, log₁₀(E/ε)): how many orders of magnitude above ε.
    Logarithm {
        /// ε, the strength that counts as none.
        epsilon: f64,
    },
    /// E.
    Identity,
    /// √E.
    SquareRoot,
}

/// The graph of all directions of all layers: number of nodes, and edges between directions of adjacent layers. Nodes are
/// numbered layer by layer. `constant` names for each layer the directions that do not vary with the data
/// ([`InteractionBasis::constant_directions`]): they are no part of any community and get no edge; for layers beyond its end
/// there are none.
///
/// # Errors
/// [`NetworkError::Option`] for an ε that is not positive; [`NetworkError::Size`] for edges that do not fit the bases.
pub fn interaction_edges(
    bases: &[InteractionBasis],
    weight: InteractionWeight,
    constant: &[Vec<usize>],
) -> Result<(usize, Vec<WeightedEdge>), NetworkError> {
    if let InteractionWeight::Logarithm { epsilon } = weight
        && !(epsilon.is_finite() && epsilon > 0.0)
    {
        return Err(NetworkError::Option {
            name: "epsilon",
            value: epsilon,
            needed: "positive: the strength that counts as none",
        });
    }
    let still = |layer: usize, i: usize| constant.get(layer).is_some_and(|c| c.contains(&i));
    let mut edges = Vec::new();
    let mut start = 0;
    for (l, basis) in bases.iter().enumerate() {
        let count = basis.values.len();
        let next = bases.get(l + 1).map_or(0, |b| b.values.len());
        let (rows, columns) = (basis.edges.nrows(), basis.edges.ncols());
        if next > 0 && (rows, columns) != (next, count) {
            return Err(NetworkError::Size {
                what: "strengths between two layers",
                expected: next * count,
                got: rows * columns,
            });
        }
        for r in 0..next {
            for c in 0..count {
                let e = basis.edges[(r, c)];
                let w = match weight {
                    InteractionWeight::Logarithm { epsilon } => (e / epsilon).log10().max(0.0),
                    InteractionWeight::Identity => e,
                    InteractionWeight::SquareRoot => e.sqrt(),
                };
                if w > 0.0 && !still(l, c) && !still(l + 1, r) {
                    edges.push((start + c, start + count + r, w));
                }
            }
        }
        start += count;
    }
    Ok((start, edges))
}

impl InteractionBasis {
    /// Directions whose activation is the same for all points, to 1e-10 of its size: what an offset became.
    ///
    /// # Errors
    /// [`NetworkError::Size`] when the stage is another layer's.
    pub fn constant_directions(&self, stage: &Stage) -> Result<Vec<usize>, NetworkError> {
        let d = stage.width;
        if d != self.to.nrows() || d == 0 || !stage.activations.len().is_multiple_of(d) {
            return Err(NetworkError::Size {
                what: "activations of a point",
                expected: self.to.nrows(),
                got: d,
            });
        }
        let along = |row: &[f64], k: usize| -> f64 {
            row.iter()
                .enumerate()
                .map(|(i, f)| f * self.to[(i, k)])
                .sum()
        };
        let constant = |k: &usize| {
            let each = stage.activations.chunks_exact(d).map(|row| along(row, *k));
            let (low, high) = each.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            high - low <= 1e-10 * high.abs().max(low.abs())
        };
        Ok((0..self.values.len()).filter(constant).collect())
    }
}
