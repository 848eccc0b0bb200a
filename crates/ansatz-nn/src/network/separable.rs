//! Networks of one coordinate each, multiplied: functions on tensor grids at the cost of their axes.
//!
//! Reference: J. Cho, S. Nam, H. Yang, S.-B. Yun, Y. Hong, E. Park, *Separable physics-informed neural networks*, 2023 (eq. 5).

use ansatz_autodiff::Array;

use crate::layer::{Layer, Mlp, MlpOptions};
use crate::{Pass, Scope};

/// u_j(x) = Σᵣ Πₖ fᵏⱼᵣ(xₖ) with a network fᵏ of the coordinate k alone, of rank R outputs for each output j.
///
/// Points `[batch, axes]` go to `[batch, outputs]` as through any layer. On a tensor grid of nₖ coordinates along each axis
/// [`Separable::on_grid`] evaluates the networks Σnₖ times in place of Πnₖ, and adds 2·R operations for each value of the grid;
/// derivatives are products of derivatives of the factors. Use it in three dimensions and more.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{Layout, MlpOptions, Mode, Pass, Separable};
/// let mut layout = Layout::new();
/// let options = MlpOptions::default();
/// let net = Separable::new(&mut layout.root(), (3, 1), 16, &[32, 32], &options);
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let axes = [64, 64, 32].map(|n| graph.input(&[n, 1]));
/// assert_eq!(&net.on_grid(&pass, &axes).shape()[..], [64, 64, 32, 1]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Separable {
    axes: Vec<Mlp>,
    outputs: usize,
    rank: usize,
}

impl Separable {
    /// A network of this rank R, with these hidden widths along each axis.
    ///
    /// # Panics
    /// When the rank is 0.
    #[track_caller]
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        rank: usize,
        hidden: &[usize],
        options: &MlpOptions,
    ) -> Self {
        assert!(rank > 0, "a sum of products needs a product");
        let widths = [&[1], hidden, &[outputs * rank]].concat();
        let axis = |k| Mlp::new(&mut scope.scope(k), &widths, options);
        Self {
            axes: (0..inputs).map(axis).collect(),
            outputs,
            rank,
        }
    }

    /// The network of one axis on its coordinates `[n, 1]`: `[n, outputs·R]`.
    ///
    /// # Panics
    /// When there is no such axis.
    pub fn factor<'g>(&self, pass: &Pass<'g>, axis: usize, x: Array<'g>) -> Array<'g> {
        self.axes[axis].apply(pass, x)
    }

    /// The sum of products of factors `[nₖ, outputs·R]`, one for each axis: `[n₀, n₁, …, outputs]`.
    ///
    /// # Panics
    /// When there are not as many factors as axes, or they have other columns.
    #[track_caller]
    pub fn product<'g>(&self, factors: &[Array<'g>]) -> Array<'g> {
        let (axes, got) = (self.axes.len(), factors.len());
        assert!(axes == got, "{got} factors for {axes} axes");
        let apart = |f: &Array<'g>| f.reshape(&[f.shape()[0], self.outputs, self.rank]);
        let mut all = apart(&factors[0]);
        if axes == 1 {
            return all.sum_axes(&[2]);
        }
        let names = "abcdefghijkl";
        for (k, factor) in factors.iter().enumerate().skip(1) {
            let (before, after) = (&names[..k], &names[..=k]);
            let own = &names[k..=k];
            let sum = if k + 1 == axes { "y" } else { "yz" };
            all = all.contract(apart(factor), &format!("{before}yz,{own}yz->{after}{sum}"));
        }
        all
    }

    /// The network on a tensor grid, from the coordinates `[nₖ, 1]` along each axis: `[n₀, n₁, …, outputs]`.
    ///
    /// # Panics
    /// As [`Separable::product`].
    #[track_caller]
    pub fn on_grid<'g>(&self, pass: &Pass<'g>, axes: &[Array<'g>]) -> Array<'g> {
        let factors = axes.iter().enumerate();
        let factors: Vec<Array<'g>> = factors.map(|(k, x)| self.factor(pass, k, *x)).collect();
        self.product(&factors)
    }
}

impl Layer for Separable {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let n = x.shape()[0];
        let factor = |k| self.factor(pass, k, x.narrow(1, k, k + 1));
        let product = (1..self.axes.len()).fold(factor(0), |all, k| all * factor(k));
        product
            .reshape(&[n, self.outputs, self.rank])
            .sum_axes(&[2])
    }
}
