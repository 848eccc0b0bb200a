//! Partial derivatives of the unknowns, as the fewest series.
//!
//! A set of multi-indices is asked for at once. Along one coordinate all orders come from one Taylor series
//! ([`jet`]); mixed derivatives are series of the coefficients of series, so that ∂⁴/∂x²∂y² costs 3·3 streams where a
//! combination of four directional derivatives costs 17. Equal parts are computed once.
//!
//! Cost for derivatives of order k along one coordinate: k + 1 passes through the linear layers, O(k²) operations for
//! each elementwise function.
//!
//! Reference: A. Griewank, J. Utke, A. Walther, *Evaluating higher derivative tensors by forward propagation of
//! univariate Taylor series*, 2000; M. Raissi, P. Perdikaris, G. Karniadakis, *Physics-informed neural networks*, 2019.

use ansatz_autodiff::{Array, jet, units};

use crate::PdeError;

/// Highest order of a derivative.
pub const MOST: usize = 8;

/// Derivatives of `y` `[n, m]` in the columns of `x` `[n, d]`, for each multi-index of `orders` an array like `y`: rows
/// of `y` depend on their own rows of `x` alone.
///
/// ```
/// use ansatz_pde::autodiff::{Graph, Options, Program};
/// use ansatz_pde::partials;
/// let g = Graph::new();
/// let x = g.batch(&[1, 2]);
/// let (a, b) = (x.narrow(1, 0, 1), x.narrow(1, 1, 2));
/// let found = partials((a * b).sin(), x, &[vec![1, 1], vec![0, 2]])?;
/// let program = Program::<f64>::compile(&g.finish(&found), &Options::default())?;
/// let (mut ab, mut bb) = ([0.0], [0.0]);
/// program.run(&[&[0.5, 2.0]], &mut [&mut ab, &mut bb])?;
/// let (s, c) = 1.0_f64.sin_cos();
/// assert!((ab[0] - (c - s)).abs() < 1e-15 && (bb[0] + 0.25 * s).abs() < 1e-15);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// [`PdeError::Order`] above [`MOST`], [`PdeError::Width`] for a multi-index of another length than d,
/// [`PdeError::Kink`] for a derivative of order 2 or more through a function with corners, which would be 0 without
/// being so.
///
/// # Panics
/// When `x` is no array that can be moved: take [`Array::variable`].
pub fn partials<'g>(
    y: Array<'g>,
    x: Array<'g>,
    orders: &[Vec<usize>],
) -> Result<Vec<Array<'g>>, PdeError> {
    let dims = x.shape().last().copied().unwrap_or(0);
    for index in orders {
        if index.len() != dims {
            return Err(PdeError::Width {
                what: "orders of a derivative, one for each coordinate",
                expected: dims,
                got: index.len(),
            });
        }
        let order = index.iter().sum();
        if order > MOST {
            return Err(PdeError::Order { order, most: MOST });
        }
        if order > 1
            && let Some(function) = ansatz_autodiff::corner(y, x)
        {
            return Err(PdeError::Kink { function, order });
        }
    }
    let directions = units(x);
    // What is known so far, by the orders along the coordinates that were treated.
    let mut known: Vec<(Vec<usize>, Array<'g>)> = vec![(Vec::new(), y)];
    for (axis, direction) in directions.iter().enumerate() {
        let mut next = Vec::new();
        for (prefix, value) in known {
            let wanted = orders.iter().filter(|index| index[..axis] == prefix[..]);
            let mut wanted: Vec<usize> = wanted.map(|index| index[axis]).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let Some(most) = wanted.last().copied() else {
                continue;
            };
            let series = jet(&[value], &[(x, &[*direction])], most).remove(0);
            for k in wanted {
                let mut index = prefix.clone();
                index.push(k);
                let factorial: usize = (1..=k).product();
                let value = series[k];
                let value = if k < 2 {
                    value
                } else {
                    value * factorial as f64
                };
                next.push((index, value));
            }
        }
        known = next;
    }
    let find = |index: &Vec<usize>| known.iter().find(|(i, _)| i == index).map(|(_, a)| *a);
    Ok(orders.iter().filter_map(find).collect())
}
