//! Lengths of shortest paths: the plain alternative to heat.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::build::Graph;
use crate::LinalgError;
use crate::error::within;

/// A vertex with the length of a way there; the nearest is the greatest, equal lengths by number.
#[derive(PartialEq)]
struct Open(f64, usize);

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}

impl Graph {
    /// Lengths of the shortest paths between all vertices, row by row, where `length(i, j, weight)` with i < j is that of an
    /// edge: the weight itself, or the distance of two points. O(N·E·log N), in parallel over the first vertex.
    ///
    /// With [`classical_scaling`](super::classical_scaling) this is Isomap. On clean samples of a surface it beats
    /// [`HeatGeodesic`](super::HeatGeodesic); one false edge shortens many paths, where heat averages over all of them.
    ///
    /// ```
    /// use ansatz_linalg::graph::Graph;
    /// let ring = Graph::from_edges(4, [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (0, 3, 5.0)])?;
    /// let d = ring.shortest_paths(|_, _, weight| weight)?;
    /// assert_eq!(d[..4], [0.0, 1.0, 2.0, 3.0]);
    /// # Ok::<(), ansatz_linalg::LinalgError>(())
    /// ```
    ///
    /// Sources: E. Dijkstra, *A note on two problems in connexion with graphs*, 1959; J. Tenenbaum, V. de Silva, J. Langford,
    /// *A global geometric framework for nonlinear dimensionality reduction*, 2000.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for a length that is negative or not finite; [`LinalgError::Disconnected`].
    pub fn shortest_paths(
        &self,
        length: impl Fn(usize, usize, f64) -> f64,
    ) -> Result<Vec<f64>, LinalgError> {
        self.connected()?;
        let n = self.vertices();
        let mut edges = Vec::with_capacity(n);
        for i in 0..n {
            let mut list = Vec::with_capacity(self.neighbours(i).len());
            for (j, weight) in self.neighbours(i) {
                let value = length(i.min(*j), i.max(*j), *weight);
                within("length of an edge", value, 0.0.., "at least 0")?;
                list.push((*j, value));
            }
            edges.push(list);
        }
        let mut out = vec![f64::INFINITY; n * n];
        out.par_chunks_mut(n.max(1))
            .enumerate()
            .for_each(|(start, row)| from(start, &edges, row));
        // Both directions of a path add up in another order.
        for i in 0..n {
            for j in 0..i {
                out[i * n + j] = out[j * n + i];
            }
        }
        Ok(out)
    }
}

fn from(start: usize, edges: &[Vec<(usize, f64)>], row: &mut [f64]) {
    let mut open = BinaryHeap::new();
    row[start] = 0.0;
    open.push(Open(0.0, start));
    while let Some(Open(so_far, i)) = open.pop() {
        if so_far > row[i] {
            continue;
        }
        for (j, length) in &edges[i] {
            let there = so_far + length;
            if there < row[*j] {
                row[*j] = there;
                open.push(Open(there, *j));
            }
        }
    }
}
