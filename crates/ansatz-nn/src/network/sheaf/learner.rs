//! Maps and weights of edges as functions of the features at their ends.

use ansatz_autodiff::Array;
use ansatz_autodiff::op::{Range, Side};

use super::{Maps, SheafGraph, SheafOptions};
use crate::{Init, Parameter, Pass, Scope};

/// What of a node's features the maps are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Learner {
    /// All d·channels numbers.
    #[default]
    Full,
    /// Their sums over the stalk: d times fewer parameters.
    Summed,
}

/// Weights of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EdgeWeights {
    /// All 1.
    #[default]
    One,
    /// s(w·[x_v‖x_u])·s(w·[x_u‖x_v]), s the logistic function: the same for both directions.
    Learnt,
}

/// A coordinate that is put on each stalk, with maps that are not learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// 1 at both ends: neighbours become alike, as by the graph Laplacian.
    Low,
    /// 1 at the first end, −1 at the second: neighbours become opposite.
    High,
}

/// The parameters of one sheaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SheafLearner {
    maps: Parameter,
    weights: Option<Parameter>,
}

impl SheafLearner {
    pub(super) fn new(scope: &mut Scope<'_>, options: &SheafOptions) -> Self {
        let inputs = options.channels
            * match options.learner {
                Learner::Full => options.stalk(),
                Learner::Summed => 1,
            };
        let numbers = options.family.numbers(options.learnt);
        Self {
            maps: scope.parameter("maps", &[numbers, 2 * inputs], Init::FanIn),
            weights: match options.weights {
                EdgeWeights::One => None,
                EdgeWeights::Learnt => {
                    Some(scope.parameter("weights", &[1, 2 * inputs], Init::FanIn))
                }
            },
        }
    }

    /// Maps and weights of the features x `[nodes, d, channels]`.
    pub(super) fn sheaf<'g>(
        &self,
        pass: &Pass<'g>,
        (graph, options): (&SheafGraph, &SheafOptions),
        x: Array<'g>,
    ) -> (Maps<'g>, Option<Array<'g>>) {
        let nodes = graph.nodes;
        let features = match options.learner {
            Learner::Full => x.reshape(&[nodes, options.stalk() * options.channels]),
            Learner::Summed => x.sum_axes(&[1]),
        };
        let inputs = features.shape()[1];
        // W·[x_v‖x_u] = W_v·x_v + W_u·x_u: products for nodes, not for edges.
        let at_ends = |p: Parameter| {
            let half = |start: usize| {
                let w = pass[p].narrow(1, start, start + inputs);
                features.matmul_by(w, Side::Plain, Side::Transposed)
            };
            half(0).take(0, &graph.near) + half(inputs).take(0, &graph.far)
        };
        let numbers = options.map_activation.at(at_ends(self.maps));
        let maps = options.family.checked(options.learnt, numbers);
        let weights = self.weights.map(|p| {
            let s = at_ends(p).sigmoid();
            let m = graph.edges;
            (s.narrow(0, 0, m) * s.narrow(0, m, 2 * m)).reshape(&[m])
        });
        (with_fixed(maps, &options.fixed), weights)
    }
}

/// The maps with more coordinates.
fn with_fixed<'g>(maps: Maps<'g>, fixed: &[Fixed]) -> Maps<'g> {
    if fixed.is_empty() {
        return maps;
    }
    let (f, d, k) = (maps.array(), maps.stalk(), fixed.len());
    let ends = f.shape()[0];
    let value = |end: usize, which: Fixed| match which {
        Fixed::High if end >= ends / 2 => -1.0,
        _ => 1.0,
    };
    if let Maps::Diagonal(f) = maps {
        let more = (0..ends).flat_map(|end| fixed.iter().map(move |w| value(end, *w)));
        let more = f.graph().constant(&[ends, k], more.collect());
        return Maps::Diagonal(Array::concatenate(&[f, more], 1));
    }
    let n = d + k;
    let corner = [ends, d, d].map(Range::all);
    let mut more = vec![0.0; ends * n * n];
    for end in 0..ends {
        for (i, which) in fixed.iter().enumerate() {
            more[end * n * n + (d + i) * (n + 1)] = value(end, *which);
        }
    }
    let whole = f.pad(&[ends, n, n], &corner) + f.graph().constant(&[ends, n, n], more);
    match maps {
        Maps::Orthogonal(_) => Maps::Orthogonal(whole),
        _ => Maps::General(whole),
    }
}

impl SheafOptions {
    /// Coordinates of a stalk, fixed ones included.
    #[must_use]
    pub fn stalk(&self) -> usize {
        self.learnt + self.fixed.len()
    }
}
