//! Gauss-Newton products.
//!
//! With y = f(p) and a loss ℓ(y), the Hessian of ℓ∘f is JᵀHJ + Σᵢ (∂ℓ/∂yᵢ)·∇²fᵢ, where J = ∂y/∂p and H = ∂²ℓ/∂y². Its first
//! term, the generalised Gauss-Newton matrix, is positive semidefinite wherever ℓ is convex, and equals the Hessian where
//! f is linear or the residual zero. A product with it is a tangent through f, one through ∇ℓ, and a cotangent through f.
//!
//! Reference: N. N. Schraudolph, *Fast curvature matrix-vector products for second-order gradient descent*, Neural
//! Computation 14, 2002, section 3.

use std::collections::HashSet;

use super::{gradient, jvp, vjp};
use crate::Array;

/// JᵀHJ·v in each of the parameters, where J = ∂y/∂p and H is the Hessian of `loss` with respect to `y`; `directions` are
/// pairs (p, v). About the cost of two gradients.
///
/// # Panics
/// When `y` or a parameter is one that expressions are simplified past (a multiple, a broadcast, a constant): take
/// [`Array::variable`] of it. When `loss` has more than one element, when a direction has another shape than its parameter, and when `loss` depends on
/// a parameter otherwise than through `y` (a penalty on weights has a Hessian of its own: add it to the product).
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program, gauss_newton_product};
/// let g = Graph::new();
/// let (p, v) = (g.input(&[]), g.input(&[]));
/// let y = p * p; // J = 2p
/// let loss = (y - 1.0).square(); // H = 2
/// let product = gauss_newton_product(loss, y, &[(p, v)])[0];
/// let program = Program::<f64>::compile(&g.finish(&[product]), &Options::default())?;
/// let mut value = [0.0];
/// program.run(&[&[3.0], &[1.0]], &mut [&mut value])?;
/// assert_eq!(value, [72.0]);
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[must_use]
#[track_caller]
pub fn gauss_newton_product<'g>(
    loss: Array<'g>,
    y: Array<'g>,
    directions: &[(Array<'g>, Array<'g>)],
) -> Vec<Array<'g>> {
    let parameters: Vec<Array<'g>> = directions.iter().map(|(p, _)| *p).collect();
    assert!(
        !passes_by(loss, y, &parameters),
        "the loss depends on a parameter otherwise than through the given results"
    );
    let tangent = jvp(&[y], directions)[0];
    let slope = gradient(loss, &[y]);
    let curved = jvp(&slope, &[(y, tangent)])[0];
    vjp(&[(y, curved)], &parameters)
}

/// Whether `loss` reaches one of `parameters` without `y`.
fn passes_by(loss: Array<'_>, y: Array<'_>, parameters: &[Array<'_>]) -> bool {
    let nodes = loss.graph.nodes.borrow();
    let mut seen = HashSet::from([y.id]);
    let mut stack = vec![loss.id];
    while let Some(id) = stack.pop() {
        if seen.insert(id) {
            if parameters.iter().any(|p| p.id == id) {
                return true;
            }
            stack.extend(&nodes.list[id as usize].inputs);
        }
    }
    false
}
