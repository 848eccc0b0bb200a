//! Communities of a weighted graph: groups with more weight inside than chance would put there.
//!
//! The quality of a partition is the modularity Q = 1/(2m)·Σᵢⱼ (Aᵢⱼ − γ·kᵢ·kⱼ/(2m))·δ(cᵢ, cⱼ) for weights A, strengths k = A·1, 2m = Σk
//! and a resolution γ: larger ones give smaller communities. [`Leiden`] raises it by moving nodes, then splits each
//! community into parts that are connected well, and goes on with these parts as nodes. Unlike Louvain's method it never
//! returns a community that falls into pieces. One pass costs O(edges); a few are needed.
//!
//! For networks: [`interaction_edges`] makes the graph of all directions of all layers from their
//! [`InteractionBasis`], and the quality of its best partition says how modular the network is.
//!
//! References: M. E. J. Newman, M. Girvan, *Finding and evaluating community structure in networks*, 2004 (eq. 5);
//! J. Reichardt, S. Bornholdt, *Statistical mechanics of community detection*, 2006 (γ); V. A. Traag, L. Waltman, N. J. van
//! Eck, *From Louvain to Leiden: guaranteeing well-connected communities*, 2019 (algorithms A.1 and A.2).

use std::collections::VecDeque;

use ansatz_core::Key;

use crate::interaction::InteractionBasis;
use crate::network::check_edges;
use crate::{NetworkError, Stage};

/// An edge: its ends and its weight.
pub type WeightedEdge = (usize, usize, f64);

/// Leiden's method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leiden {
    /// γ.
    pub resolution: f64,
    /// How freely parts are merged when communities are split: a part that raises the quality by ΔH edges (of mean
    /// weight) is chosen with probability ∝ exp(ΔH/randomness).
    pub randomness: f64,
    /// Most repetitions of the whole from the partition that was found; it ends sooner when nothing changes.
    pub rounds: usize,
    /// Independent runs, of which the best counts.
    pub runs: usize,
}

impl Default for Leiden {
    /// γ = 1, randomness 0.01, at most 50 rounds, 10 runs.
    fn default() -> Self {
        Self {
            resolution: 1.0,
            randomness: 0.01,
            rounds: 50,
            runs: 10,
        }
    }
}

/// A partition and its quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Communities {
    /// The community of each node, numbered in the order of their first nodes.
    pub of: Vec<usize>,
    /// Number of communities.
    pub count: usize,
    /// Q.
    pub quality: f64,
}

impl Leiden {
    /// A partition of high modularity of an undirected graph with these edges and weights; a function of the key.
    ///
    /// ```
    /// use ansatz_core::Key;
    /// use ansatz_nn::Leiden;
    /// // Two triangles and an edge between them.
    /// let pairs = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)];
    /// let edges = pairs.map(|(a, b)| (a, b, 1.0));
    /// let found = Leiden::default().communities(6, &edges, Key::new(0))?;
    /// assert_eq!(found.of, [0, 0, 0, 1, 1, 1]);
    /// assert!((found.quality - (6.0 / 7.0 - 0.5)).abs() < 1e-15);
    /// # Ok::<(), ansatz_nn::NetworkError>(())
    /// ```
    ///
    /// # Errors
    /// As [`modularity`]; [`NetworkError::Option`] for a randomness or a number of runs or rounds that is not positive.
    pub fn communities(
        &self,
        nodes: usize,
        edges: &[WeightedEdge],
        key: Key,
    ) -> Result<Communities, NetworkError> {
        for (name, value) in [
            ("randomness", self.randomness),
            ("rounds", self.rounds as f64),
            ("runs", self.runs as f64),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(NetworkError::Option {
                    name,
                    value,
                    needed: "a positive number",
                });
            }
        }
        let mut best = numbered((0..nodes).collect());
        let mut quality = modularity(nodes, edges, &best, self.resolution)?;
        let graph = Network::new(nodes, edges);
        if graph.strength.iter().sum::<f64>() > 0.0 {
            for run in 0..self.runs {
                let mut draws = Draws::new(key.fold_in(run as u64));
                let mut of: Vec<usize> = (0..nodes).collect();
                for _ in 0..self.rounds {
                    let next = numbered(self.round(&graph, of.clone(), &mut draws));
                    if next == of {
                        break;
                    }
                    of = next;
                }
                let here = modularity(nodes, edges, &of, self.resolution)?;
                if here > quality {
                    (best, quality) = (of, here);
                }
            }
        }
        Ok(Communities {
            count: best.iter().max().map_or(0, |c| c + 1),
            of: best,
            quality,
        })
    }

    /// Moves, splits and aggregates until every community is one node.
    fn round(&self, graph: &Network, of: Vec<usize>, draws: &mut Draws) -> Vec<usize> {
        let mut graph = graph.clone();
        let mut of = numbered(of);
        // The node of the aggregated graph that each node of the first one is in.
        let mut place: Vec<usize> = (0..of.len()).collect();
        loop {
            self.move_nodes(&graph, &mut of, draws);
            of = numbered(of);
            let count = of.iter().max().map_or(0, |c| c + 1);
            if count == graph.strength.len() {
                break;
            }
            let parts = numbered(self.refine(&graph, &of, draws));
            let parts_count = parts.iter().max().map_or(0, |c| c + 1);
            if parts_count == graph.strength.len() {
                break;
            }
            for p in &mut place {
                *p = parts[*p];
            }
            let mut whole = vec![0; parts_count];
            for (part, community) in parts.iter().zip(&of) {
                whole[*part] = *community;
            }
            graph = graph.aggregated(&parts, parts_count);
            of = whole;
        }
        place.into_iter().map(|p| of[p]).collect()
    }

    /// Moves nodes to where they raise the quality most, a community of their own among the places, until none gains.
    fn move_nodes(&self, graph: &Network, of: &mut [usize], draws: &mut Draws) {
        let n = of.len();
        let unit = self.resolution / graph.total;
        let mut strength = vec![0.0; n];
        let mut size = vec![0_usize; n];
        for (v, c) in of.iter().enumerate() {
            strength[*c] += graph.strength[v];
            size[*c] += 1;
        }
        let mut empty: Vec<usize> = (0..n).filter(|c| size[*c] == 0).collect();
        let mut queue: VecDeque<usize> = draws.order((0..n).collect()).into();
        let mut waits = vec![true; n];
        let mut near = Near::new(n);
        while let Some(v) = queue.pop_front() {
            waits[v] = false;
            let (own, k) = (of[v], graph.strength[v]);
            strength[own] -= k;
            size[own] -= 1;
            if size[own] == 0 {
                empty.push(own);
            }
            near.gather(graph, v, |u| Some(of[u]));
            let gain = |c: usize, weight: f64| weight - unit * k * strength[c];
            let (mut best, mut most) = (own, gain(own, near.weight[own]));
            // Rounding is no gain.
            let least = 1e-12 * k.max(1e-300);
            for c in near.seen.iter().copied().chain(empty.last().copied()) {
                let here = gain(c, near.weight[c]);
                if here > most + least {
                    (best, most) = (c, here);
                }
            }
            if size[best] == 0 {
                // Its own, which went there just now, or the last one.
                empty.pop();
            }
            strength[best] += k;
            size[best] += 1;
            near.clear();
            if best != own {
                of[v] = best;
                for (u, _) in graph.edges(v) {
                    if of[u] != best && !waits[u] {
                        waits[u] = true;
                        queue.push_back(u);
                    }
                }
            }
        }
    }

    /// Parts of communities: single nodes that merge, at random by what they gain, with parts that are connected well.
    fn refine(&self, graph: &Network, of: &[usize], draws: &mut Draws) -> Vec<usize> {
        let n = of.len();
        let unit = self.resolution / graph.total;
        let mut whole = vec![0.0; n];
        for (v, c) in of.iter().enumerate() {
            whole[*c] += graph.strength[v];
        }
        let mut part: Vec<usize> = (0..n).collect();
        let mut alone = vec![true; n];
        let mut strength = graph.strength.clone();
        // Weight of the edges from a part to the rest of its community.
        let mut outside: Vec<f64> = (0..n)
            .map(|v| {
                let inner = graph.edges(v).filter(|(u, _)| of[*u] == of[v]);
                inner.map(|(_, w)| w).sum()
            })
            .collect();
        let mut near = Near::new(n);
        let connected = |cut: f64, k: f64, all: f64| cut >= unit * k * (all - k) * (1.0 - 1e-12);
        for v in draws.order((0..n).collect()) {
            let (k, all) = (graph.strength[v], whole[of[v]]);
            if !alone[v] || !connected(outside[v], k, all) {
                continue;
            }
            near.gather(graph, v, |u| (of[u] == of[v]).then_some(part[u]));
            let from_v = outside[v];
            // Staying alone gains nothing.
            let mut places = vec![(v, 0.0)];
            for c in &near.seen {
                let gain = near.weight[*c] - unit * k * strength[*c];
                if gain >= 0.0 && connected(outside[*c], strength[*c], all) {
                    places.push((*c, gain));
                }
            }
            let most = places.iter().fold(0.0_f64, |m, p| m.max(p.1));
            let share = |gain: f64| ((gain - most) / (self.randomness * graph.mean)).exp();
            let mut left = draws.uniform() * places.iter().map(|p| share(p.1)).sum::<f64>();
            let mut chosen = v;
            for (c, gain) in &places {
                chosen = *c;
                left -= share(*gain);
                if left < 0.0 {
                    break;
                }
            }
            if chosen != v {
                outside[chosen] += from_v - 2.0 * near.weight[chosen];
                strength[chosen] += k;
                part[v] = chosen;
                alone[chosen] = false;
                alone[v] = false;
            }
            near.clear();
        }
        part
    }
}

/// Q of a partition, the community of each node.
///
/// # Errors
/// [`NetworkError::Edge`] for edges that a simple graph cannot have and for weights that are negative or not finite;
/// [`NetworkError::Size`] when there is not a community for each node; [`NetworkError::Option`] for a
/// resolution that is negative or not finite.
pub fn modularity(
    nodes: usize,
    edges: &[WeightedEdge],
    communities: &[usize],
    resolution: f64,
) -> Result<f64, NetworkError> {
    let pairs: Vec<(usize, usize)> = edges.iter().map(|(a, b, _)| (*a, *b)).collect();
    check_edges(nodes, &pairs)?;
    if let Some(index) = edges.iter().position(|e| !(e.2.is_finite() && e.2 >= 0.0)) {
        return Err(NetworkError::Edge {
            index,
            ends: pairs[index],
            nodes,
            problem: "its weight is negative or not finite",
        });
    }
    if communities.len() != nodes {
        return Err(NetworkError::Size {
            what: "communities of nodes",
            expected: nodes,
            got: communities.len(),
        });
    }
    if !(resolution.is_finite() && resolution >= 0.0) {
        return Err(NetworkError::Option {
            name: "resolution",
            value: resolution,
            needed: "a number, not negative",
        });
    }
    let of = numbered(communities.to_vec());
    let mut strength = vec![0.0; nodes];
    let (mut inside, mut total) = (0.0, 0.0);
    for (a, b, w) in edges {
        strength[of[*a]] += w;
        strength[of[*b]] += w;
        total += 2.0 * w;
        if of[*a] == of[*b] {
            inside += 2.0 * w;
        }
    }
    if total == 0.0 {
        return Ok(0.0);
    }
    let squares: f64 = strength.iter().map(|k| (k / total).powi(2)).sum();
    Ok(inside / total - resolution * squares)
}

/// The numbers 0, 1, … in the order in which they are met.
fn numbered(mut of: Vec<usize>) -> Vec<usize> {
    let mut names = std::collections::HashMap::new();
    for c in &mut of {
        let next = names.len();
        *c = *names.entry(*c).or_insert(next);
    }
    of
}

/// Neighbours of each node with weights. What is inside an aggregated node only counts in its strength.
#[derive(Debug, Clone)]
struct Network {
    starts: Vec<usize>,
    ends: Vec<(usize, f64)>,
    strength: Vec<f64>,
    /// Sum of all strengths, 2m.
    total: f64,
    /// Mean weight of an edge of the first graph.
    mean: f64,
}

impl Network {
    fn new(nodes: usize, edges: &[WeightedEdge]) -> Self {
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

    fn edges(&self, v: usize) -> impl Iterator<Item = (usize, f64)> {
        self.ends[self.starts[v]..self.starts[v + 1]]
            .iter()
            .copied()
    }

    fn aggregated(&self, part: &[usize], count: usize) -> Self {
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
struct Near {
    weight: Vec<f64>,
    known: Vec<bool>,
    seen: Vec<usize>,
}

impl Near {
    fn new(n: usize) -> Self {
        Self {
            weight: vec![0.0; n],
            known: vec![false; n],
            seen: Vec::new(),
        }
    }

    fn gather(&mut self, graph: &Network, v: usize, group: impl Fn(usize) -> Option<usize>) {
        for (u, w) in graph.edges(v) {
            let Some(c) = group(u) else { continue };
            if !self.known[c] {
                self.known[c] = true;
                self.seen.push(c);
            }
            self.weight[c] += w;
        }
    }

    fn clear(&mut self) {
        for c in self.seen.drain(..) {
            self.weight[c] = 0.0;
            self.known[c] = false;
        }
    }
}

/// Uniform numbers, one after the other.
struct Draws {
    key: Key,
    count: u64,
}

/// Stream of the draws.
const STREAM: u64 = 0x1e1d;

impl Draws {
    fn new(key: Key) -> Self {
        Self { key, count: 0 }
    }

    fn uniform(&mut self) -> f64 {
        self.count += 1;
        self.key.uniform(STREAM, self.count - 1)[0]
    }

    /// Fisher and Yates's shuffle.
    fn order(&mut self, mut nodes: Vec<usize>) -> Vec<usize> {
        for i in (1..nodes.len()).rev() {
            let j = (self.uniform() * (i + 1) as f64) as usize;
            nodes.swap(i, j.min(i));
        }
        nodes
    }
}

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
