//! Derivatives, as more nodes of the same graph.
//!
//! | function | gives | cost beside the function |
//! |---|---|---|
//! | [`gradient`], [`vjp`] | products with the transposed Jacobian | about 2 to 4 times |
//! | [`jvp`] | a derivative along a direction | about 1 to 2 times |
//! | [`jet`] | Taylor coefficients along a line, to any order K | about K²/2 times the scalar functions, K times the rest |
//! | [`laplacian`] | first derivatives along directions and the sum of the second ones | as many streams as directions, and one |
//! | [`diagonal`] | first and second derivatives along each direction | two streams a direction |
//! | [`jacobian`], [`point_jacobians`] | all derivatives, for each point of a batch | a [`vjp`] a row or a [`jvp`] a column |
//! | [`hessian_product`] | H·v | about 2 gradients |
//! | [`hessian`], [`point_hessians`] | all second derivatives | a [`hessian_product`] a column |
//! | [`gauss_newton_product`] | JᵀHJ·v of a loss of results | about 2 gradients |
//!
//! All results are arrays like any other: differentiate them again. [`Graph::checkpoint`](crate::Graph::checkpoint) marks
//! parts whose values cotangents compute again.

mod checkpoint;
mod corner;
mod directions;
mod forward;
mod gauss_newton;
mod jacobian;
mod jet;
mod laplacian;
mod reverse;

pub use corner::corner;
pub use directions::{Diagonal, diagonal, units};
pub use forward::jvp;
pub use gauss_newton::gauss_newton_product;
pub use jacobian::{Sweep, hessian, jacobian, point_hessians, point_jacobians};
pub use jet::jet;
pub use laplacian::{Laplacian, laplacian};
pub use reverse::{gradient, hessian_product, vjp};

use std::collections::HashSet;
use std::ops::Range;

use crate::graph::{Id, Node};
use crate::op::{Lowering, Pass, Rule};
use crate::{Array, Shape};

/// Ids of what `outputs` depend on, down to (and with) `inputs`, in order; only those between.
fn between(outputs: &[Array<'_>], inputs: &[Array<'_>]) -> Vec<Id> {
    let Some(first) = outputs.first() else {
        return Vec::new();
    };
    let nodes = first.graph.nodes.borrow();
    let stops: HashSet<Id> = inputs.iter().map(|a| a.id).collect();
    let lowest = stops.iter().min().copied().unwrap_or(Id::MAX);
    let mut seen = HashSet::new();
    let mut stack: Vec<Id> = outputs.iter().map(|a| a.id).collect();
    while let Some(id) = stack.pop() {
        if id >= lowest && seen.insert(id) && !stops.contains(&id) {
            stack.extend(&nodes.list[id as usize].inputs);
        }
    }
    let mut order: Vec<Id> = seen.into_iter().collect();
    order.sort_unstable();
    // Of these, the ones that an input reaches.
    let mut reached = HashSet::new();
    order.retain(|id| {
        let node = &nodes.list[*id as usize];
        let inputs = &node.inputs[moving(node)];
        let on = stops.contains(id) || inputs.iter().any(|i| reached.contains(i));
        if on {
            reached.insert(*id);
        }
        on
    });
    order
}

/// The inputs along which derivatives pass.
fn moving(node: &Node) -> Range<usize> {
    match (node.primitive.rule(), node.primitive.lowering()) {
        (Rule::Constant, _) => 0..0,
        (Rule::Chosen, _) => 1..node.inputs.len(),
        (_, Lowering::Link) => 0..1,
        _ => 0..node.inputs.len(),
    }
}

/// Whether what is made of an array may be written without it: (x·2)·3 is x·6, and e^(copies of x) copies
/// of e^x.
fn folds(x: Array<'_>) -> bool {
    use crate::op::Unary;
    matches!(
        x.graph.node(x.id).primitive.lowering(),
        Lowering::Unary(Unary::Neg | Unary::Scale(_)) | Lowering::Broadcast | Lowering::Constant(_)
    )
}

/// Refuses to differentiate with respect to what may be folded away.
#[track_caller]
fn check_target(x: Array<'_>) {
    assert!(
        !folds(x),
        "{x:?} is a {}, past which expressions are simplified: differentiate with respect to \
         Array::variable() of it, and write the function of that",
        x.graph.node(x.id).primitive.name()
    );
}

/// Refuses to differentiate what has no rule for it.
#[track_caller]
fn check_rule(node: &Node, pass: Pass, moves: impl Fn(&Id) -> bool) {
    if node.primitive.rule() == Rule::General {
        let moves: Vec<bool> = node.inputs.iter().map(moves).collect();
        if let Some(problem) = node.primitive.missing(pass, &moves) {
            panic!("{problem}");
        }
    }
}

/// Refuses what a rule gives in another shape than its array's.
#[track_caller]
fn check_derivative(node: &Node, derivative: Array<'_>, shape: &Shape) {
    let got = derivative.shape();
    assert!(
        got == *shape,
        "a derivative of {} has the shape {got}, {shape} is needed",
        node.primitive.name()
    );
}
