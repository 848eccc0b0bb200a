//! Cotangents.

use std::collections::{HashMap, HashSet};

use super::checkpoint::Again;
use super::{between, check_derivative, check_rule, check_target, forward, moving};
use crate::Array;
use crate::graph::{Id, Node};
use crate::op::{Pass, Rule};

/// Σ (∂y/∂x)ᵀ·ȳ over all (y, ȳ) of `outputs`, for each x of `inputs`.
///
/// # Panics
/// When a cotangent has another shape than its array, or an input is an array that expressions are
/// simplified past (a multiple, a broadcast, a constant): see [`Array::variable`].
#[must_use]
#[track_caller]
pub fn vjp<'g>(outputs: &[(Array<'g>, Array<'g>)], inputs: &[Array<'g>]) -> Vec<Array<'g>> {
    for x in inputs {
        check_target(*x);
    }
    let mut bars: HashMap<Id, Array<'g>> = HashMap::new();
    let add = |bars: &mut HashMap<Id, Array<'g>>, id: Id, bar: Array<'g>| {
        let sum = bars.get(&id).map_or(bar, |known| *known + bar);
        bars.insert(id, sum);
    };
    for (y, bar) in outputs {
        assert_eq!(
            y.shape(),
            bar.shape(),
            "a cotangent must have its array's shape"
        );
        add(&mut bars, y.id, *bar);
    }
    let Some((Array { graph, .. }, _)) = outputs.first() else {
        return inputs.iter().map(|x| x.zeros()).collect();
    };
    let graph = *graph;
    let array = |id: Id| Array { graph, id };
    let ends: Vec<Array<'g>> = outputs.iter().map(|(y, _)| *y).collect();
    let order = between(&ends, inputs);
    let on: HashSet<Id> = order.iter().copied().collect();
    let mut again = Again::new(graph);
    for id in order.iter().rev() {
        let (Some(bar), false) = (bars.get(id).copied(), inputs.iter().any(|x| x.id == *id)) else {
            continue;
        };
        let node = graph.node(*id);
        // In a checkpointed region, rules are applied to what is computed again.
        let (at, region) = again.place(*id, &bars);
        let args: Vec<Array<'g>> = graph.node(at).inputs.iter().map(|i| array(*i)).collect();
        check_rule(&node, Pass::Backwards, |x| on.contains(x));
        let _in = graph.within(region);
        // What an array takes from one node is one sum: x·x gives 2·x.
        let mut parts: Vec<(Id, Array<'g>)> = Vec::new();
        for i in moving(&node).filter(|i| on.contains(&node.inputs[*i])) {
            let part = part(&node, i, bar, &args, array(at));
            check_derivative(&node, part, &args[i].shape());
            match parts.iter_mut().find(|(id, _)| *id == node.inputs[i]) {
                Some((_, sum)) => *sum = *sum + part,
                None => parts.push((node.inputs[i], part)),
            }
        }
        for (id, part) in parts {
            add(&mut bars, id, part);
        }
    }
    let bar = |x: &Array<'g>| bars.get(&x.id).copied().unwrap_or_else(|| x.zeros());
    inputs.iter().map(bar).collect()
}

/// What the cotangent `bar` of a node gives to that of its input `i`.
fn part<'g>(node: &Node, i: usize, bar: Array<'g>, args: &[Array<'g>], y: Array<'g>) -> Array<'g> {
    match node.primitive.rule() {
        Rule::Constant => args[i].zeros(),
        Rule::Scalar => bar * node.primitive.derivative(args[i], y),
        Rule::General => node.primitive.cotangent(i, bar, args, y),
        Rule::Linear | Rule::Bilinear | Rule::Chosen => node.primitive.transpose(i, bar, args),
    }
}

/// The gradient of a number with respect to each of `inputs`.
///
/// # Panics
/// When `y` has more than one element, or an input is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program, gradient};
/// let g = Graph::new();
/// let x = g.input(&[2]);
/// let y = (x * x * x).sum();
/// let dy = gradient(y, &[x])[0];
/// let program = Program::<f64>::compile(&g.finish(&[y, dy]), &Options::default())?;
/// let (mut value, mut slope) = ([0.0], [0.0; 2]);
/// program.run(&[&[1.0, 2.0]], &mut [&mut value, &mut slope])?;
/// assert_eq!((value, slope), ([9.0], [3.0, 12.0]));
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[must_use]
#[track_caller]
pub fn gradient<'g>(y: Array<'g>, inputs: &[Array<'g>]) -> Vec<Array<'g>> {
    assert_eq!(y.shape().len(), 1, "the gradient of a number");
    vjp(&[(y, y.ones())], inputs)
}

/// H·v, H being the Hessian of the number `y` with respect to `x`: forward over reverse.
///
/// # Panics
/// When `y` has more than one element, `v` another shape than `x`, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
#[must_use]
#[track_caller]
pub fn hessian_product<'g>(y: Array<'g>, x: Array<'g>, v: Array<'g>) -> Array<'g> {
    let slope = gradient(y, &[x]);
    forward::jvp(&slope, &[(x, v)])[0]
}
