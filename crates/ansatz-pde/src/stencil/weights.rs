//! Weights of finite differences on any nodes.

/// For each order from 0 to `most` of a derivative at `at` the weights of values at `nodes`: rows of as many numbers as there
/// are nodes. They are exact for polynomials of a degree below the number of nodes. Nodes must differ from each other.
///
/// Cost: O(nodes²·most) operations, by a recurrence from few nodes to more.
///
/// ```
/// use ansatz_pde::stencil::weights;
/// let second = &weights(0.0, &[-1.0, 0.0, 1.0], 2)[2];
/// assert_eq!(second[..], [1.0, -2.0, 1.0]);
/// ```
///
/// Reference: B. Fornberg, *Generation of finite difference formulas on arbitrarily spaced grids*, Mathematics of Computation
/// 51, 1988 (equations 3.8 to 3.10).
#[must_use]
pub fn weights(at: f64, nodes: &[f64], most: usize) -> Vec<Vec<f64>> {
    let mut all = vec![vec![0.0; nodes.len()]; most + 1];
    let Some(first) = nodes.first() else {
        return all;
    };
    all[0][0] = 1.0;
    // Products of the distances from the newest node to those before it, now and one node ago.
    let mut before = 1.0;
    let mut offset = first - at;
    for (n, node) in nodes.iter().enumerate().skip(1) {
        let top = most.min(n);
        let mut product = 1.0;
        let last = offset;
        offset = node - at;
        for old in 0..n {
            let gap = node - nodes[old];
            product *= gap;
            if old + 1 == n {
                // The polynomial that is 1 at the newest node and 0 at all others.
                for k in (1..=top).rev() {
                    let slope = k as f64 * all[k - 1][old] - last * all[k][old];
                    all[k][n] = before * slope / product;
                }
                all[0][n] = -before * last * all[0][old] / product;
            }
            for k in (1..=top).rev() {
                all[k][old] = (offset * all[k][old] - k as f64 * all[k - 1][old]) / gap;
            }
            all[0][old] *= offset / gap;
        }
        before = product;
    }
    all
}
