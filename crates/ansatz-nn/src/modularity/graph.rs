//! What Leiden's method works on: a graph that is aggregated again and again, weights to groups, draws in order.

use ansatz_core::Key;

use super::WeightedEdge;

/// Neighbours of each node with weights. What is inside an aggregated node only counts in its strength.
#[derive(Debug, Clone)]
pub(super) struct Network {
    starts: Vec<usize>,
    ends: Vec<(usize, f64)>,
    pub(super) strength: Vec<f64>,
    /// Sum of all strengths, 2m.
    pub(super) total: f64,
    /// Mean weight of an edge of the first graph.
    pub(super) mean: f64,
}

impl Network {
    pub(super) fn new(nodes: usize, edges: &[WeightedEdge]) -> Self {
        let edges: Vec<_> = edges.iter().copied().filter(|e| e.2 > 0.0).collect();
        let mut strength = vec![0.0; nodes];
        for (a, b, w) in &edges {
            strength[*a] += w;
            strength[*b] += w;
        }
        let total: f64 = strength.iter().sum();
        let mean = total / (2.0 * edges.len().max(1) as f64);
        Self::of_edges(edges, strength, (total, mean))
    }

    fn of_edges(edges: Vec<WeightedEdge>, strength: Vec<f64>, (total, mean): (f64, f64)) -> Self {
        let both = edges
            .into_iter()
            .flat_map(|(a, b, w)| [(a, b, w), (b, a, w)]);
        let mut both: Vec<WeightedEdge> = both.collect();
        both.sort_by_key(|e| (e.0, e.1));
        let mut starts = vec![0; strength.len() + 1];
        for e in &both {
            starts[e.0 + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Self {
            starts,
            ends: both.into_iter().map(|e| (e.1, e.2)).collect(),
            strength,
            total,
            mean,
        }
    }

    pub(super) fn edges(&self, v: usize) -> impl Iterator<Item = (usize, f64)> {
        self.ends[self.starts[v]..self.starts[v + 1]]
            .iter()
            .copied()
    }

    pub(super) fn aggregated(&self, part: &[usize], count: usize) -> Self {
        let mut strength = vec![0.0; count];
        let mut sums = std::collections::BTreeMap::new();
        for (v, p) in part.iter().enumerate() {
            strength[*p] += self.strength[v];
            for (u, w) in self.edges(v).filter(|(u, _)| part[*u] > *p) {
                *sums.entry((*p, part[u])).or_insert(0.0) += w;
            }
        }
        let edges = sums.into_iter().map(|((a, b), w)| (a, b, w)).collect();
        Self::of_edges(edges, strength, (self.total, self.mean))
    }
}

/// Weights from one node to the groups of its neighbours.
pub(super) struct Near {
    pub(super) weight: Vec<f64>,
    known: Vec<bool>,
    pub(super) seen: Vec<usize>,
}

impl Near {
    pub(super) fn new(n: usize) -> Self {
        Self {
            weight: vec![0.0; n],
            known: vec![false; n],
            seen: Vec::new(),
        }
    }

    pub(super) fn gather(
        &mut self,
        graph: &Network,
        v: usize,
        group: impl Fn(usize) -> Option<usize>,
    ) {
        for (u, w) in graph.edges(v) {
            let Some(c) = group(u) else { continue };
            if !self.known[c] {
                self.known[c] = true;
                self.seen.push(c);
            }
            self.weight[c] += w;
        }
    }

    pub(super) fn clear(&mut self) {
        for c in self.seen.drain(..) {
            self.weight[c] = 0.0;
            self.known[c] = false;
        }
    }
}

/// Uniform numbers, one after the other.
pub(super) struct Draws {
    key: Key,
    count: u64,
}

/// Stream of the draws.
const STREAM: u64 = 0x1e1d;

impl Draws {
    pub(super) fn new(key: Key) -> Self {
        Self { key, count: 0 }
    }

    pub(super) fn uniform(&mut self) -> f64 {
        self.count += 1;
        self.key.uniform(STREAM, self.count - 1)[0]
    }

    /// Fisher and Yates's shuffle.
    pub(super) fn order(&mut self, mut nodes: Vec<usize>) -> Vec<usize> {
        for i in (1..nodes.len()).rev() {
            let j = (self.uniform() * (i + 1) as f64) as usize;
            nodes.swap(i, j.min(i));
        }
        nodes
    }
}
