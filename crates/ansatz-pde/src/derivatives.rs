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
use crate::error::expect;

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
    let moves: Vec<_> = units(x).into_iter().map(|unit| (x, unit)).collect();
    along(y, &moves, orders)
}

/// Derivatives of `y` in the sides of a tensor grid, `[nₖ, 1]` each, for each multi-index of `orders` an array like `y`: values of a grid
/// depend on the rows of a side that they stand in alone. `y` may be made by [`Layer::on_grid`](ansatz_nn::Layer::on_grid).
///
/// Cost: that of the series of what depends on one side; for separable networks series of Σnₖ points in one coordinate, and
/// products.
///
/// ```
/// use ansatz_pde::autodiff::Graph;
/// use ansatz_pde::grid_partials;
/// use ansatz_pde::nn::{GridSide, Layer, Layout, MlpOptions, Mode, Pass, Separable};
/// let mut layout = Layout::new();
/// let net = Separable::new(&mut layout.root(), (2, 1), 8, &[16], &MlpOptions::default());
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let sides = [50, 40].map(|n| graph.input(&[n, 1]));
/// let u = net.on_grid(&pass, &GridSide::each(&sides));
/// let second = grid_partials(u, &sides, &[vec![2, 0], vec![0, 2]])?;
/// assert_eq!(&second[1].shape()[..], [50, 40, 1]);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// As [`partials`], with a multi-index as long as there are sides.
///
/// # Panics
/// As [`partials`].
pub fn grid_partials<'g>(
    y: Array<'g>,
    sides: &[Array<'g>],
    orders: &[Vec<usize>],
) -> Result<Vec<Array<'g>>, PdeError> {
    let moves: Vec<_> = sides.iter().map(|side| (*side, side.ones())).collect();
    along(y, &moves, orders)
}

/// Derivatives along lines, each an array that moves and its direction: orders count by line.
fn along<'g>(
    y: Array<'g>,
    moves: &[(Array<'g>, Array<'g>)],
    orders: &[Vec<usize>],
) -> Result<Vec<Array<'g>>, PdeError> {
    for index in orders {
        let what = "orders of a derivative, one for each coordinate";
        expect(what, moves.len(), index.len())?;
        let order = index.iter().sum();
        if order > MOST {
            return Err(PdeError::Order { order, most: MOST });
        }
        let moved = || moves.iter().zip(index).filter(|(_, order)| **order > 0);
        if order > 1
            && let Some(function) = moved().find_map(|((x, _), _)| ansatz_autodiff::corner(y, *x))
        {
            return Err(PdeError::Kink { function, order });
        }
    }
    // What is known so far, by the orders along the lines that were treated.
    let mut known: Vec<(Vec<usize>, Array<'g>)> = vec![(Vec::new(), y)];
    for (axis, (x, direction)) in moves.iter().enumerate() {
        let mut next = Vec::new();
        for (prefix, value) in known {
            let wanted = orders.iter().filter(|index| index[..axis] == prefix[..]);
            let mut wanted: Vec<usize> = wanted.map(|index| index[axis]).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let Some(most) = wanted.last().copied() else {
                continue;
            };
            let series = jet(&[value], &[(*x, &[*direction])], most).remove(0);
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
