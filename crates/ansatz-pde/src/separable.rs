//! Derivatives of separable networks on tensor grids.

use ansatz_autodiff::Array;
use ansatz_nn::Separable;

use crate::error::expect;
use crate::{PdeError, partials};

/// Derivatives of a separable network on a tensor grid, for each multi-index of `orders` an array `[n₀, n₁, …, outputs]`:
/// ∂ᵃ Σᵣ Πₖ fᵏ = Σᵣ Πₖ ∂^aₖ fᵏ. `factors` are the networks of the axes as functions of the coordinates `axes`, `[nₖ, 1]` each:
/// [`Separable::factor`] of them, or of what stands between (scaled coordinates, say).
///
/// Cost: Taylor series of Σnₖ points in one coordinate each, and for each multi-index 2·rank operations for a value of the
/// grid.
///
/// ```
/// use ansatz_pde::autodiff::Graph;
/// use ansatz_pde::grid_partials;
/// use ansatz_pde::nn::{Layout, MlpOptions, Mode, Pass, Separable};
/// let mut layout = Layout::new();
/// let net = Separable::new(&mut layout.root(), (2, 1), 8, &[16], &MlpOptions::default());
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let axes = [50, 40].map(|n| graph.input(&[n, 1]));
/// let factors = [0, 1].map(|k| net.factor(&pass, k, axes[k]));
/// let second = grid_partials(&net, &factors, &axes, &[vec![2, 0], vec![0, 2]])?;
/// assert_eq!(&second[1].shape()[..], [50, 40, 1]);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// [`PdeError::Width`] for other numbers of axes or orders than factors, and as [`partials`].
///
/// # Panics
/// As [`Separable::product`] and [`partials`].
pub fn grid_partials<'g>(
    net: &Separable,
    factors: &[Array<'g>],
    axes: &[Array<'g>],
    orders: &[Vec<usize>],
) -> Result<Vec<Array<'g>>, PdeError> {
    expect("axes, one for each factor", factors.len(), axes.len())?;
    for index in orders {
        expect("orders, one for each axis", axes.len(), index.len())?;
    }
    let mut known = Vec::new();
    for (k, (factor, x)) in factors.iter().zip(axes).enumerate() {
        let mut own: Vec<usize> = orders.iter().map(|index| index[k]).collect();
        own.sort_unstable();
        own.dedup();
        let wanted: Vec<Vec<usize>> = own.iter().map(|order| vec![*order]).collect();
        known.push((own, partials(*factor, *x, &wanted)?));
    }
    let product = |index: &Vec<usize>| {
        let factor = |(order, (own, found)): (&usize, &(Vec<usize>, Vec<Array<'g>>))| {
            found[own.partition_point(|o| o < order)]
        };
        let own: Vec<Array<'g>> = index.iter().zip(&known).map(factor).collect();
        net.product(&own)
    };
    Ok(orders.iter().map(product).collect())
}
