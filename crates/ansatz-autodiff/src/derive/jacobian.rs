//! Matrices of derivatives, built of products.
//!
//! A Jacobian of m results by n inputs is m products with its transpose, row by row, or n products with it, column by
//! column. [`Sweep`] says which; what all of them share (the function itself, and derivatives of its parts) is computed
//! once. For more than some hundred rows and columns, ask for products instead.
//!
//! Reference: A. Griewank, A. Walther, *Evaluating derivatives*, 2nd edition, 2008, chapters 3 and 4.

use super::{gradient, jvp, vjp};
use crate::Array;

/// How a Jacobian is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sweep {
    /// By columns, unless there are more than twice as many of them as rows: a product with the transpose costs about
    /// twice one with the matrix.
    #[default]
    Cheaper,
    /// One [`vjp`] for each row.
    Rows,
    /// One [`jvp`] for each column.
    Columns,
}

impl Sweep {
    fn by_rows(self, rows: usize, columns: usize) -> bool {
        match self {
            Self::Cheaper => columns > 2 * rows,
            Self::Rows => true,
            Self::Columns => false,
        }
    }
}

/// ∂y/∂x of all elements, of shape [m, n] for m elements of `y` and n of `x`, row by row.
///
/// Costs m [`vjp`]s or n [`jvp`]s, whichever `sweep` takes.
///
/// # Panics
/// When `y` or `x` has no elements, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program, Sweep, jacobian};
/// let g = Graph::new();
/// let x = g.input(&[2]);
/// let j = jacobian(x * x.sum(), x, Sweep::Cheaper);
/// let program = Program::<f64>::compile(&g.finish(&[j]), &Options::default())?;
/// let mut matrix = [0.0; 4];
/// program.run(&[&[1.0, 2.0]], &mut [&mut matrix])?;
/// assert_eq!(matrix, [4.0, 1.0, 2.0, 5.0]);
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[must_use]
#[track_caller]
pub fn jacobian<'g>(y: Array<'g>, x: Array<'g>, sweep: Sweep) -> Array<'g> {
    let (m, n) = (y.shape().len(), x.shape().len());
    assert!(m * n > 0, "a Jacobian needs elements");
    let rows = sweep.by_rows(m, n);
    let parts = parts(y, x, rows, [m, n], |length, i, like| {
        unit(like, &like.shape(), length, i)
    });
    if rows {
        stacked(&parts, &[1, n], 0)
    } else {
        stacked(&parts, &[m, 1], 1)
    }
}

/// The Jacobian of each point of a batch, of shape [b, m, n]: the first axis of `x` and `y` numbers b points, of which each
/// row of `y` (m elements) depends on its own row of `x` (n elements) alone.
///
/// Costs m [`vjp`]s or n [`jvp`]s of all points together, whichever `sweep` takes. Where rows of `y` depend on other rows
/// of `x` the result is a sum over rows and no Jacobian.
///
/// # Panics
/// When `x` and `y` differ in their first axis, have no elements, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
#[must_use]
#[track_caller]
pub fn point_jacobians<'g>(y: Array<'g>, x: Array<'g>, sweep: Sweep) -> Array<'g> {
    let (outer, inner) = (y.shape(), x.shape());
    let points = outer.first().copied().unwrap_or(0);
    assert!(
        points > 0 && inner.first() == Some(&points),
        "points of {inner} and of their values {outer}"
    );
    let (m, n) = (outer.len() / points, inner.len() / points);
    assert!(m * n > 0, "a Jacobian needs elements");
    let rows = sweep.by_rows(m, n);
    let parts = parts(y, x, rows, [m, n], |length, i, like| {
        let shape = like.shape();
        unit(like, &shape[1..], length, i).broadcast(&shape)
    });
    if rows {
        stacked(&parts, &[points, 1, n], 1)
    } else {
        stacked(&parts, &[points, m, 1], 2)
    }
}

/// Products with each unit vector: rows of the Jacobian, or its columns.
#[track_caller]
fn parts<'g>(
    y: Array<'g>,
    x: Array<'g>,
    rows: bool,
    [m, n]: [usize; 2],
    unit: impl Fn(usize, usize, Array<'g>) -> Array<'g>,
) -> Vec<Array<'g>> {
    let mut parts = Vec::new();
    for i in 0..if rows { m } else { n } {
        parts.push(if rows {
            vjp(&[(y, unit(m, i, y))], &[x])[0]
        } else {
            jvp(&[y], &[(x, unit(n, i, x))])[0]
        });
    }
    parts
}

/// An array of `length` elements, of which the i-th is 1 and the others are 0.
fn unit<'g>(like: Array<'g>, shape: &[usize], length: usize, i: usize) -> Array<'g> {
    let mut e = vec![0.0; length];
    e[i] = 1.0;
    like.graph.constant(shape, e)
}

fn stacked<'g>(parts: &[Array<'g>], shape: &[usize], axis: usize) -> Array<'g> {
    let shaped: Vec<Array<'g>> = parts.iter().map(|p| p.reshape(shape)).collect();
    Array::concatenate(&shaped, axis)
}

/// The Hessian of the number `y` with respect to `x`, of shape [n, n] for n elements of `x`: forward over reverse, n
/// gradients and their tangents.
///
/// # Panics
/// When `y` has more than one element, `x` none, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
#[must_use]
#[track_caller]
pub fn hessian<'g>(y: Array<'g>, x: Array<'g>) -> Array<'g> {
    jacobian(gradient(y, &[x])[0], x, Sweep::Columns)
}

/// The Hessian of each point of a batch, of shape [b, n, n]: the first axis of `x` numbers b points, and the b elements of
/// `y` are numbers of which each depends on its own row of `x` (n elements) alone. Costs n tangents of a [`vjp`].
///
/// # Panics
/// When `y` has not as many elements as `x` has rows, there are none, or `x` is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program, point_hessians};
/// let g = Graph::new();
/// let x = g.batch(&[2, 2]);
/// let y = x.narrow(1, 0, 1).square() * x.narrow(1, 1, 2); // x₀²·x₁
/// let program = Program::<f64>::compile(&g.finish(&[point_hessians(y, x)]), &Options::default())?;
/// let mut h = [0.0; 8];
/// program.run(&[&[1.0, 2.0, 3.0, 4.0]], &mut [&mut h])?;
/// assert_eq!(h, [4.0, 2.0, 2.0, 0.0, 8.0, 6.0, 6.0, 0.0]);
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[must_use]
#[track_caller]
pub fn point_hessians<'g>(y: Array<'g>, x: Array<'g>) -> Array<'g> {
    let (values, points) = (y.shape().len(), x.shape());
    assert_eq!(
        Some(&values),
        points.first(),
        "one value for each of the points {points}"
    );
    let slopes = vjp(&[(y, y.ones())], &[x])[0];
    point_jacobians(slopes, x, Sweep::Columns)
}
