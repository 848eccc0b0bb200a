//! Functions with corners, whose second derivatives are zero wherever they exist.

use std::collections::HashSet;

use super::{between, moving};
use crate::Array;
use crate::graph::Id;
use crate::op::{Lowering, Unary};

/// The name of a function with corners on the way from `x` to `y`, if there is one: `abs`, `sign`, or a choice between two
/// numbers by comparing them (`relu`, `max`, `min`, `clamp`). Derivatives of order 2 and more through it leave out what
/// happens at the corner: they say nothing about the function.
///
/// ```
/// use ansatz_autodiff::{Graph, corner};
/// let g = Graph::new();
/// let x = g.batch(&[8, 2]);
/// assert_eq!(corner(x.tanh().relu().sum(), x), Some("select"));
/// assert_eq!(corner(x.tanh().sum(), x), None);
/// // What is only compared has no corner.
/// let inside = x.abs().less(x.ones());
/// assert_eq!(corner(inside.select(x.cos(), x.sin()), x), None);
/// ```
#[must_use]
pub fn corner(y: Array<'_>, x: Array<'_>) -> Option<&'static str> {
    // Backwards along what derivatives pass, so that what is only compared does not count.
    let reached: HashSet<Id> = between(&[y], &[x]).into_iter().collect();
    let mut seen = HashSet::from([y.id]);
    let mut stack = vec![y.id];
    while let Some(id) = stack.pop() {
        if id == x.id || !reached.contains(&id) {
            continue;
        }
        let node = y.graph.node(id);
        let sharp = match node.primitive.lowering() {
            Lowering::Unary(Unary::Abs | Unary::Sign) => true,
            // One of the two numbers that are compared is chosen.
            Lowering::Select => {
                let compared = y.graph.node(node.inputs[0]);
                let choices = &node.inputs[1..];
                matches!(compared.primitive.lowering(), Lowering::Compare(_))
                    && compared.inputs.iter().all(|i| choices.contains(i))
            }
            _ => false,
        };
        if sharp {
            return Some(node.primitive.name());
        }
        let inputs = &node.inputs[moving(&node)];
        stack.extend(
            inputs
                .iter()
                .filter(|i| reached.contains(i) && seen.insert(**i)),
        );
    }
    None
}
