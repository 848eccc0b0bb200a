//! The forward Laplacian.
//!
//! Value, first derivatives dᵢ along directions, and L = Σᵢ of the second derivatives are carried
//! through the program together: L(f(x)) = f'(x)·L(x) + f''(x)·Σᵢ dᵢ(x)²,
//! L(B(a, b)) = B(L(a), b) + B(a, L(b)) + 2 Σᵢ B(dᵢ(a), dᵢ(b)). That is one stream for all second
//! derivatives, where separate jets carry one for each direction.
//!
//! Reference: R. Li et al., *A computational framework for neural network-based variational Monte Carlo
//! with forward Laplacian*, 2024; F. Dangel et al., *Collapsing Taylor mode automatic differentiation*,
//! 2025.

use std::collections::HashMap;

use super::forward::{chosen, linear, product, sum};
use super::{between, check_rule, check_target, folds, forward};
use crate::Array;
use crate::graph::Id;
use crate::op::{Pass, Rule};

/// What [`laplacian`] gives.
#[derive(Debug, Clone)]
pub struct Laplacian<'g> {
    /// The derivative along each direction.
    pub first: Vec<Array<'g>>,
    /// The sum of the second derivatives.
    pub second: Array<'g>,
}

/// Derivatives of `y` along each of `directions` of `x`, and the sum of the second derivatives along
/// them: the Laplacian, if they are the unit vectors.
///
/// # Panics
/// When a direction has another shape than `x`, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
#[must_use]
#[track_caller]
pub fn laplacian<'g>(y: Array<'g>, x: Array<'g>, directions: &[Array<'g>]) -> Laplacian<'g> {
    check_target(x);
    for d in directions {
        assert_eq!(
            d.shape(),
            x.shape(),
            "a direction must have its array's shape"
        );
    }
    let mut known: HashMap<Id, Streams<'g>> = HashMap::new();
    let start = Streams {
        first: directions.iter().map(|d| Some(*d)).collect(),
        second: None,
    };
    known.insert(x.id, start);
    let (graph, current) = (y.graph, y.graph.current());
    for id in between(&[y], &[x]) {
        if id != x.id {
            let _in = graph.within(graph.beside(id, current));
            let streams = through(&known, y, id, directions.len());
            known.insert(id, streams);
        }
    }
    let streams = known.remove(&y.id).unwrap_or_else(|| Streams {
        first: vec![None; directions.len()],
        second: None,
    });
    let or_zero = |d: Option<Array<'g>>| d.unwrap_or_else(|| y.zeros());
    Laplacian {
        first: streams.first.into_iter().map(or_zero).collect(),
        second: or_zero(streams.second),
    }
}

/// Derivatives of a node; `None` is zero.
#[derive(Clone)]
struct Streams<'g> {
    first: Vec<Option<Array<'g>>>,
    second: Option<Array<'g>>,
}

#[track_caller]
fn through<'g>(
    known: &HashMap<Id, Streams<'g>>,
    y: Array<'g>,
    id: Id,
    count: usize,
) -> Streams<'g> {
    let graph = y.graph;
    let node = graph.node(id);
    let args: Vec<Array<'g>> = node
        .inputs
        .iter()
        .map(|i| Array { graph, id: *i })
        .collect();
    let d = |i: usize, k: usize| known.get(&node.inputs[i]).and_then(|s| s.first[k]);
    let l = |i: usize| known.get(&node.inputs[i]).and_then(|s| s.second);
    let each = |f: &dyn Fn(usize) -> Option<Array<'g>>| (0..count).map(f).collect();
    match node.primitive.rule() {
        Rule::Constant => Streams {
            first: vec![None; count],
            second: None,
        },
        Rule::Linear => Streams {
            first: each(&|k| linear(&node, &args, |i| d(i, k))),
            second: linear(&node, &args, l),
        },
        Rule::Bilinear => {
            let p = |a, b| product(&node.primitive, a, b);
            let halves = |a: Option<Array<'g>>, b: Option<Array<'g>>| {
                sum(a.map(|a| p(a, args[1])), b.map(|b| p(args[0], b)))
            };
            let cross = (0..count).fold(None, |total, k| {
                let term = d(0, k).zip(d(1, k)).map(|(a, b)| p(a, b) * 2.0);
                sum(total, term)
            });
            Streams {
                first: each(&|k| halves(d(0, k), d(1, k))),
                second: sum(halves(l(0), l(1)), cross),
            }
        }
        Rule::Scalar => {
            let (x, y) = (args[0], Array { graph, id });
            let slope = node.primitive.derivative(x, y);
            let squares = (0..count).fold(None, |total, k| sum(total, d(0, k).map(Array::square)));
            let curvature = squares.map(|s| {
                let x = if folds(x) { x.variable() } else { x };
                let slope = node.primitive.derivative(x, y);
                let along = [(x, x.ones()), (y, slope)];
                s * forward::tangents(&[slope], &along)[0]
            });
            Streams {
                first: each(&|k| d(0, k).map(|dx| dx * slope)),
                second: sum(l(0).map(|lx| lx * slope), curvature),
            }
        }
        Rule::Chosen => Streams {
            first: each(&|k| chosen(&args, d(1, k), d(2, k))),
            second: chosen(&args, l(1), l(2)),
        },
        Rule::General => {
            let y = Array { graph, id };
            let moves = |x: &Id| known.contains_key(x);
            check_rule(&node, Pass::Forwards, moves);
            let tangent = |t: &[Option<Array<'g>>]| node.primitive.tangent(&args, y, t);
            let all = |f: &dyn Fn(usize) -> Option<Array<'g>>| -> Vec<_> {
                (0..args.len()).map(f).collect()
            };
            let first: Vec<_> = (0..count).map(|k| tangent(&all(&|i| d(i, k)))).collect();
            // D²y[d, d] is the derivative of y' = T(x, y, d) along d with the last argument held; under
            // names of their own, so that T is written in x and y.
            let named: Vec<_> = args.iter().map(|a| a.variable()).collect();
            let out = y.variable();
            let mut curvature = None;
            for k in 0..count {
                let held = all(&|i| d(i, k));
                let Some(rate) = node.primitive.tangent(&named, out, &held) else {
                    continue;
                };
                let moved = (0..args.len()).filter_map(|i| Some((named[i], d(i, k)?)));
                let moved: Vec<_> = moved.chain(first[k].map(|dy| (out, dy))).collect();
                let change = forward::tangents(&[rate], &moved)[0];
                curvature = sum(curvature, Some(change));
            }
            Streams {
                second: sum(tangent(&all(&l)), curvature),
                first,
            }
        }
    }
}
