//! The Cauchy-Schwarz divergence, and the information bottleneck that it gives.
//!
//! Densities are estimated by Gaussian kernels κ(a, b) = exp(−‖a − b‖²/2σ²), so that divergences are sums over pairs of
//! points, differentiable like any array. Nothing is assumed of the distributions. For N points the cost is O(N²·d).
//!
//! All are ≥ 0 but for rounding. A kernel much narrower than the distances makes a sum underflow and its logarithm
//! −∞: take a larger σ (of standardised data, σ = 1); training stops at such a loss with an error.
//!
//! Reference: S. Yu, X. Yu, S. Løkse, R. Jenssen, J. C. Príncipe, *Cauchy-Schwarz divergence information bottleneck for
//! regression*, 2024 (eqs. 6, 12, 13).

use ansatz_autodiff::Array;

/// What divides the sums of a conditional divergence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denominator {
    /// (Σᵢ κ)²: the mathematics of the paper.
    #[default]
    SquareOfSum,
    /// Σᵢ κ²: what the published code does.
    SumOfSquares,
}

/// κ for each pair of rows: a `[n, d]` and b `[m, d]` give `[n, m]`.
///
/// # Panics
/// When the arrays are no matrices with equally many columns.
#[must_use]
#[track_caller]
pub fn gaussian_kernel<'g>(a: Array<'g>, b: Array<'g>, sigma: f64) -> Array<'g> {
    let (n, m) = (a.shape(), b.shape());
    assert!(
        n.rank() == 2 && m.rank() == 2 && n[1] == m[1],
        "points of the shapes {n} and {m} have no distances"
    );
    let difference = a.reshape(&[n[0], 1, n[1]]) - b.reshape(&[1, m[0], m[1]]);
    (difference.square().sum_axes(&[2]) * (-0.5 / (sigma * sigma))).exp()
}

/// D(p; q) = −ln (∫pq)²/(∫p²·∫q²) of the distributions that points a `[n, d]` and b `[m, d]` are drawn from.
///
/// # Panics
/// When the arrays are no matrices with equally many columns.
#[must_use]
#[track_caller]
pub fn cauchy_schwarz_divergence<'g>(a: Array<'g>, b: Array<'g>, sigma: f64) -> Array<'g> {
    let mean = |x, y| gaussian_kernel(x, y, sigma).mean().ln();
    mean(a, a) + mean(b, b) - mean(a, b) * 2.0
}

/// The mutual information of pairs by the same divergence between their joint distribution and the product of its margins,
/// from the kernels of either side, `[n, n]` each.
///
/// # Panics
/// When the shapes differ.
#[must_use]
#[track_caller]
pub fn cauchy_schwarz_information<'g>(k: Array<'g>, q: Array<'g>) -> Array<'g> {
    let rows = k.mean_axes(&[1]) * q.mean_axes(&[1]);
    (k * q).mean().ln() + (k.mean() * q.mean()).ln() - rows.mean().ln() * 2.0
}

/// The divergence of the conditional distributions of y and ŷ given x, from kernels `[n, n]` of x, of y, of ŷ, and between ŷ
/// (rows) and y: the loss of a regression that assumes no distribution of its errors.
///
/// # Panics
/// When the shapes differ.
#[must_use]
#[track_caller]
pub fn conditional_divergence<'g>(
    k: Array<'g>,
    [own, predicted, between]: [Array<'g>; 3],
    denominator: Denominator,
) -> Array<'g> {
    let weights = match denominator {
        Denominator::SquareOfSum => k.sum_axes(&[1]).square(),
        Denominator::SumOfSquares => k.square().sum_axes(&[1]),
    };
    let term = |l: Array<'g>| ((k * l).sum_axes(&[1]) / weights).sum().ln();
    term(own) + term(predicted) - term(between) * 2.0
}

/// The bottleneck's loss: [`conditional_divergence`] of targets y and predictions ŷ given inputs x, plus β times the
/// information of x and of what the network keeps of it, t; all are `[n, d]`, the kernels of width σ.
///
/// ```
/// use ansatz_nn::{Data, Denominator, Layer, Layout, Mlp, MlpOptions, Objective, bottleneck_loss};
/// let mut layout = Layout::new();
/// let mut root = layout.root();
/// let encoder = Mlp::new(&mut root.scope("encoder"), &[8, 64, 4], &MlpOptions::default());
/// let decoder = Mlp::new(&mut root.scope("decoder"), &[4, 64, 1], &MlpOptions::default());
/// let data = [Data::Whole(vec![128, 8]), Data::Whole(vec![128, 1])];
/// let objective = Objective::<f64>::compile(&layout, &data, |pass, d| {
///     let t = encoder.apply(pass, d[0]);
///     let predicted = decoder.apply(pass, t);
///     bottleneck_loss([d[0], t, d[1], predicted], 1e-3, (1.0, Denominator::SquareOfSum))
/// })?;
/// assert!(objective.program().flops() > 0);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
///
/// # Panics
/// When the arrays are no matrices with equally many rows.
#[must_use]
#[track_caller]
pub fn bottleneck_loss(
    [x, t, y, predicted]: [Array<'_>; 4],
    beta: f64,
    (sigma, denominator): (f64, Denominator),
) -> Array<'_> {
    let kernel = |a, b| gaussian_kernel(a, b, sigma);
    let k = kernel(x, x);
    let parts = [
        kernel(y, y),
        kernel(predicted, predicted),
        kernel(predicted, y),
    ];
    let fit = conditional_divergence(k, parts, denominator);
    fit + cauchy_schwarz_information(k, kernel(t, t)) * beta
}
