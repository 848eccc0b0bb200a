//! Second derivatives along directions, each on its own.

use super::jet;
use crate::Array;

/// First and second derivatives along directions; [`diagonal`] gives them.
#[derive(Debug, Clone)]
pub struct Diagonal<'g> {
    /// The derivative along each direction.
    pub first: Vec<Array<'g>>,
    /// The second derivative along each direction.
    pub second: Vec<Array<'g>>,
}

/// The unit vectors of the last axis of `x`, each in the shape of `x`: for a batch of points, the directions in which
/// all points move along one coordinate.
///
/// # Panics
/// When `x` is a number, without axes.
#[must_use]
#[track_caller]
pub fn units(x: Array<'_>) -> Vec<Array<'_>> {
    let shape = x.shape();
    assert!(shape.rank() > 0, "unit vectors need an axis");
    let n = shape[shape.rank() - 1];
    (0..n)
        .map(|i| {
            let mut e = vec![0.0; n];
            e[i] = 1.0;
            x.graph.constant(&[n], e).broadcast(&shape)
        })
        .collect()
}

/// Derivatives of `y` along each of `directions` of `x`, and the second derivatives: with [`units`], the gradient and the
/// diagonal of the Hessian of each point.
///
/// Each direction is a Taylor series of order 2 of its own, so D directions cost 2·D streams beside the function; their
/// sum alone costs D + 1 ([`laplacian`](super::laplacian)).
///
/// Reference: A. Griewank, A. Walther, *Evaluating derivatives*, 2nd edition, 2008, section 13.2.
///
/// # Panics
/// When a direction has another shape than `x`, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program, diagonal, units};
/// let g = Graph::new();
/// let x = g.batch(&[1, 2]);
/// let y = (x * x * x).sum_axes(&[1]); // x₀³ + x₁³
/// let second = diagonal(y, x, &units(x)).second;
/// let program = Program::<f64>::compile(&g.finish(&second), &Options::default())?;
/// let (mut a, mut b) = ([0.0], [0.0]);
/// program.run(&[&[1.0, 2.0]], &mut [&mut a, &mut b])?;
/// assert_eq!((a, b), ([6.0], [12.0]));
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[must_use]
#[track_caller]
pub fn diagonal<'g>(y: Array<'g>, x: Array<'g>, directions: &[Array<'g>]) -> Diagonal<'g> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for d in directions {
        let series = jet(&[y], &[(x, &[*d])], 2).remove(0);
        first.push(series[1]);
        second.push(series[2] * 2.0);
    }
    Diagonal { first, second }
}
