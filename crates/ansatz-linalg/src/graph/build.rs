//! Graphs from points.

use faer::sparse::{SparseColMat, Triplet};
use rayon::prelude::*;

use crate::LinalgError;
use crate::error::{finite, shape, within};
use crate::operator::Sparse;

/// Entries of the kernel below this are no edges.
const SMALLEST: f64 = 1e-4;

/// Which Laplacian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LaplacianKind {
    /// D − W.
    Combinatorial,
    /// I − D^(−1/2)·W·D^(−1/2), with its spectrum in [0, 2].
    #[default]
    Normalised,
}

/// A weighted undirected graph without loops.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Neighbours and weights of each vertex, ascending.
    edges: Vec<Vec<(usize, f64)>>,
}

impl Graph {
    /// From edges (i, j, weight), each given once.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for a vertex out of range, a loop or an edge given twice; [`LinalgError::Parameter`] for
    /// a weight that is not positive.
    pub fn from_edges(
        vertices: usize,
        edges: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Result<Self, LinalgError> {
        let mut lists = vec![Vec::new(); vertices];
        for (i, j, weight) in edges {
            within("weight of an edge", weight, f64::MIN_POSITIVE.., "positive")?;
            if i >= vertices || j >= vertices || i == j {
                return Err(LinalgError::Shape {
                    what: "vertices (an edge names one that does not exist, or one twice)",
                    expected: vertices,
                    got: i.max(j),
                });
            }
            lists[i].push((j, weight));
            lists[j].push((i, weight));
        }
        for list in &mut lists {
            list.sort_by_key(|(j, _)| *j);
            if let Some(pair) = list.windows(2).find(|w| w[0].0 == w[1].0) {
                return Err(LinalgError::Shape {
                    what: "times an edge is given",
                    expected: 1,
                    got: list.iter().filter(|(j, _)| *j == pair[0].0).count(),
                });
            }
        }
        Ok(Self { edges: lists })
    }

    /// Points (row by row, of `dimension` coordinates) with weights ½(Kᵢⱼ + Kⱼᵢ), Kᵢⱼ = exp(−(‖xᵢ − xⱼ‖/σᵢ)^α), σᵢ the
    /// distance to the k-th neighbour. Weights below 1e-4 are no edges. k from 5 to 15; α = 40 is nearly a neighbourhood of
    /// radius σ.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for fewer than k + 2 points; [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] for
    /// k = 0, α ≤ 0, or points that coincide with k others, which have σ = 0.
    pub fn alpha_decay(
        points: &[f64],
        dimension: usize,
        k: usize,
        alpha: f64,
    ) -> Result<Self, LinalgError> {
        within("alpha", alpha, f64::MIN_POSITIVE.., "positive")?;
        let n = check(points, dimension, k)?;
        let point = |i: usize| &points[i * dimension..(i + 1) * dimension];
        let sigma: Vec<f64> = (0..n)
            .into_par_iter()
            .map(|i| {
                let others = (0..n).filter(|j| *j != i);
                let mut all: Vec<f64> = others.map(|j| distance(point(i), point(j))).collect();
                *all.select_nth_unstable_by(k - 1, f64::total_cmp).1
            })
            .collect();
        for sigma in &sigma {
            within(
                "distance to the k-th neighbour",
                *sigma,
                f64::MIN_POSITIVE..,
                "positive: remove duplicate points, or take a larger k",
            )?;
        }
        let edges = (0..n)
            .into_par_iter()
            .map(|i| {
                let weight = |j: usize| {
                    let d = distance(point(i), point(j));
                    let kernel = |s: f64| (-(d / s).powf(alpha)).exp();
                    0.5 * (kernel(sigma[i]) + kernel(sigma[j]))
                };
                let others = (0..n).filter(|j| *j != i);
                let some = others.map(|j| (j, weight(j)));
                some.filter(|(_, w)| *w >= SMALLEST).collect()
            })
            .collect();
        Ok(Self { edges })
    }

    /// Points with an edge of weight 1 where one is among the k nearest neighbours of the other.
    ///
    /// # Errors
    /// Those of [`Graph::alpha_decay`], without the last.
    pub fn nearest(points: &[f64], dimension: usize, k: usize) -> Result<Self, LinalgError> {
        let n = check(points, dimension, k)?;
        let point = |i: usize| &points[i * dimension..(i + 1) * dimension];
        let lists: Vec<Vec<usize>> = (0..n)
            .into_par_iter()
            .map(|i| {
                let others = (0..n).filter(|j| *j != i);
                let mut all: Vec<(f64, usize)> =
                    others.map(|j| (distance(point(i), point(j)), j)).collect();
                // Equal distances: the first point.
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all[..k].iter().map(|(_, j)| *j).collect()
            })
            .collect();
        let mut edges = vec![Vec::new(); n];
        for (i, list) in lists.iter().enumerate() {
            for j in list {
                edges[i].push((*j, 1.0));
                edges[*j].push((i, 1.0));
            }
        }
        for list in &mut edges {
            list.sort_by_key(|(j, _)| *j);
            list.dedup_by_key(|(j, _)| *j);
        }
        Ok(Self { edges })
    }

    /// Number of vertices.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.edges.len()
    }

    /// Neighbours of a vertex with their weights, ascending.
    ///
    /// # Panics
    /// If there is no such vertex.
    #[must_use]
    pub fn neighbours(&self, vertex: usize) -> &[(usize, f64)] {
        &self.edges[vertex]
    }

    /// The connected component of each vertex, numbered by their first vertices, and how many there are.
    #[must_use]
    pub fn components(&self) -> (Vec<usize>, usize) {
        let mut labels = vec![usize::MAX; self.vertices()];
        let mut count = 0;
        for start in 0..self.vertices() {
            if labels[start] != usize::MAX {
                continue;
            }
            let mut open = vec![start];
            labels[start] = count;
            while let Some(i) = open.pop() {
                for (j, _) in &self.edges[i] {
                    if labels[*j] == usize::MAX {
                        labels[*j] = count;
                        open.push(*j);
                    }
                }
            }
            count += 1;
        }
        (labels, count)
    }

    /// Refuses a graph in several parts.
    ///
    /// # Errors
    /// [`LinalgError::Disconnected`], with the component of each vertex.
    pub fn connected(&self) -> Result<(), LinalgError> {
        match self.components() {
            (_, 0 | 1) => Ok(()),
            (labels, components) => Err(LinalgError::Disconnected { components, labels }),
        }
    }

    /// Weights of all edges at each vertex.
    #[must_use]
    pub fn degrees(&self) -> Vec<f64> {
        let sum = |list: &Vec<(usize, f64)>| list.iter().map(|(_, w)| w).sum();
        self.edges.iter().map(sum).collect()
    }

    /// The Laplacian as an operator. Vertices without edges get a row of zeros.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`]; [`LinalgError::TooLarge`].
    pub fn laplacian(&self, kind: LaplacianKind) -> Result<Sparse<f64>, LinalgError> {
        let n = self.vertices();
        let degrees = self.degrees();
        let mut entries = Vec::new();
        for (i, list) in self.edges.iter().enumerate() {
            let normalised = kind == LaplacianKind::Normalised;
            let diagonal = match kind {
                LaplacianKind::Combinatorial => degrees[i],
                LaplacianKind::Normalised if degrees[i] > 0.0 => 1.0,
                LaplacianKind::Normalised => 0.0,
            };
            entries.push(Triplet::new(i, i, diagonal));
            for (j, w) in list {
                let scale = if normalised {
                    (degrees[i] * degrees[*j]).sqrt()
                } else {
                    1.0
                };
                entries.push(Triplet::new(i, *j, -w / scale));
            }
        }
        let matrix = SparseColMat::try_new_from_triplets(n, n, &entries);
        Sparse::new(matrix.map_err(|_| LinalgError::TooLarge {
            what: "Laplacian",
            needed: entries.len() * size_of::<Triplet<usize, usize, f64>>(),
            limit: isize::MAX as usize,
        })?)
    }
}

pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f64>().sqrt()
}

fn check(points: &[f64], dimension: usize, k: usize) -> Result<usize, LinalgError> {
    within("dimension", dimension as f64, 1.0.., "at least 1")?;
    within("neighbours", k as f64, 1.0.., "at least 1")?;
    let n = points.len() / dimension;
    shape("coordinates", n * dimension, points.len())?;
    finite("points", points)?;
    let least = k.saturating_add(2);
    if n < least {
        return Err(LinalgError::Shape {
            what: "points (at least)",
            expected: least,
            got: n,
        });
    }
    Ok(n)
}
