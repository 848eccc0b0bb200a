//! Tangents.

use std::collections::HashMap;
use std::sync::Arc;

use super::{between, check_derivative, check_rule, check_target, folds, moving};
use crate::Array;
use crate::graph::{Id, Node};
use crate::op::{Binary, Lowering, Pass, Primitive, Rule, Unary};

/// Derivatives of `outputs` when each (x, ẋ) of `directions` moves x along ẋ.
///
/// # Panics
/// When a direction has another shape than its array, or an array to move is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): see [`Array::variable`].
///
/// ```
/// use ansatz_autodiff::{Graph, jvp};
/// let g = Graph::new();
/// let x = g.input(&[3]);
/// let dy = jvp(&[x.sin()], &[(x, x.ones())])[0];
/// assert_eq!(&dy.shape()[..], [3]);
/// ```
#[must_use]
#[track_caller]
pub fn jvp<'g>(outputs: &[Array<'g>], directions: &[(Array<'g>, Array<'g>)]) -> Vec<Array<'g>> {
    for (x, dx) in directions {
        check_target(*x);
        assert_eq!(
            x.shape(),
            dx.shape(),
            "a direction must have its array's shape"
        );
    }
    tangents(outputs, directions)
}

/// [`jvp`] for functions that were written in these very arrays.
#[track_caller]
pub(super) fn tangents<'g>(
    outputs: &[Array<'g>],
    directions: &[(Array<'g>, Array<'g>)],
) -> Vec<Array<'g>> {
    let mut tangents: HashMap<Id, Array<'g>> =
        directions.iter().map(|(x, dx)| (x.id, *dx)).collect();
    let inputs: Vec<Array<'g>> = directions.iter().map(|(x, _)| *x).collect();
    let Some(Array { graph, .. }) = outputs.first() else {
        return Vec::new();
    };
    let (graph, current) = (*graph, graph.current());
    for id in between(outputs, &inputs) {
        if tangents.contains_key(&id) {
            continue;
        }
        let node = graph.node(id);
        let args: Vec<Array<'g>> = node
            .inputs
            .iter()
            .map(|i| Array { graph, id: *i })
            .collect();
        let d = |i: usize| tangents.get(&node.inputs[i]).copied();
        check_rule(&node, Pass::Forwards, |x| tangents.contains_key(x));
        let _in = graph.within(graph.beside(id, current));
        let tangent = match node.primitive.rule() {
            Rule::Constant => None,
            Rule::Linear => linear(&node, &args, d),
            Rule::Bilinear => {
                let left = d(0).map(|da| product(&node.primitive, da, args[1]));
                let right = d(1).map(|db| product(&node.primitive, args[0], db));
                sum(left, right)
            }
            Rule::Scalar => d(0).map(|dx| {
                let y = Array { graph, id };
                dx * node.primitive.derivative(args[0], y)
            }),
            Rule::Chosen => chosen(&args, d(1), d(2)),
            Rule::General => {
                let tangents: Vec<_> = (0..args.len()).map(d).collect();
                let y = Array { graph, id };
                node.primitive.tangent(&args, y, &tangents)
            }
        };
        if let Some(tangent) = tangent {
            check_derivative(&node, tangent, &node.shape);
            tangents.insert(id, tangent);
        }
    }
    let tangent = |y: &Array<'g>| tangents.get(&y.id).copied().unwrap_or_else(|| y.zeros());
    outputs.iter().map(tangent).collect()
}

/// A linear map of what is there, with zeros for what is not; nothing for nothing. Inputs that do not move
/// stay.
pub(super) fn linear<'g>(
    node: &Node,
    args: &[Array<'g>],
    part: impl FnMut(usize) -> Option<Array<'g>>,
) -> Option<Array<'g>> {
    let parts: Vec<Option<Array<'g>>> = moving(node).map(part).collect();
    if parts.iter().all(Option::is_none) {
        return None;
    }
    let moved = parts.iter().zip(args);
    let moved = moved.map(|(part, x)| part.unwrap_or_else(|| x.zeros()));
    let filled: Vec<Array<'g>> = moved.chain(args[parts.len()..].iter().copied()).collect();
    Some(simplified(node, &filled))
}

/// The map of a sum or difference with a zero is not worth a node.
fn simplified<'g>(node: &Node, args: &[Array<'g>]) -> Array<'g> {
    match (node.primitive.lowering(), args) {
        (Lowering::Binary(Binary::Add), [a, b]) => *a + *b,
        (Lowering::Binary(Binary::Sub), [a, b]) => *a - *b,
        (Lowering::Unary(Unary::Neg), [a]) => -*a,
        (Lowering::Unary(Unary::Scale(c)), [a]) => *a * c,
        (Lowering::Broadcast, [a]) => a.broadcast(&node.shape),
        (Lowering::Reshape, [a]) => a.reshape(&node.shape),
        (Lowering::Sum(axes), [a]) => a.sum_axes(axes),
        // What is folded away is not waited for.
        (Lowering::Link, [a, ..]) if folds(*a) => *a,
        _ => args[0].graph.make(node.primitive.clone(), args),
    }
}

/// A bilinear primitive on other factors, by the operators that know how to simplify.
pub(super) fn product<'g>(primitive: &Arc<dyn Primitive>, a: Array<'g>, b: Array<'g>) -> Array<'g> {
    match primitive.lowering() {
        Lowering::Binary(Binary::Mul) => a * b,
        Lowering::MatMul(m) => a.matmul_by(b, m.left, m.right),
        _ => a.graph.make(primitive.clone(), &[a, b]),
    }
}

pub(super) fn sum<'g>(a: Option<Array<'g>>, b: Option<Array<'g>>) -> Option<Array<'g>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

pub(super) fn chosen<'g>(
    args: &[Array<'g>],
    a: Option<Array<'g>>,
    b: Option<Array<'g>>,
) -> Option<Array<'g>> {
    if a.is_none() && b.is_none() {
        return None;
    }
    let or_zero = |x: Option<Array<'g>>| x.unwrap_or_else(|| args[1].zeros());
    Some(args[0].select(or_zero(a), or_zero(b)))
}
