//! Communities of a weighted graph: groups with more weight inside than chance would put there.
//!
//! The quality of a partition is the modularity Q = 1/(2m)·Σᵢⱼ (Aᵢⱼ − γ·kᵢ·kⱼ/(2m))·δ(cᵢ, cⱼ) for weights A, strengths k = A·1, 2m = Σk
//! and a resolution γ: larger ones give smaller communities. [`Leiden`] raises it by moving nodes, then splits each
//! community into parts that are connected well, and goes on with these parts as nodes. Unlike Louvain's method it never
//! returns a community that falls into pieces. One pass costs O(edges); a few are needed.
//!
//! For networks: [`interaction_edges`] makes the graph of all directions of all layers from their
//! [`InteractionBasis`](crate::InteractionBasis), and the quality of its best partition says how modular the network is.
//!
//! References: M. E. J. Newman, M. Girvan, *Finding and evaluating community structure in networks*, 2004 (eq. 5);
//! J. Reichardt, S. Bornholdt, *Statistical mechanics of community detection*, 2006 (γ); V. A. Traag, L. Waltman, N. J. van
//! Eck, *From Louvain to Leiden: guaranteeing well-connected communities*, 2019 (algorithms A.1 and A.2).

mod graph;
mod interaction;

use std::collections::VecDeque;

use ansatz_core::Key;

use crate::NetworkError;
use crate::network::check_edges;
use graph::{Draws, Near, Network};
pub use interaction::{InteractionWeight, interaction_edges};

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
