//! Networks of one coordinate each, multiplied: functions on tensor grids at the cost of their axes.
//!
//! Reference: J. Cho, S. Nam, H. Yang, S.-B. Yun, Y. Hong, E. Park, *Separable physics-informed neural networks*, 2023 (eq. 5).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use crate::layer::{Layer, Mlp, MlpOptions};
use crate::{GridSide, Pass, Scope};

/// u_j(x) = Σᵣ Πₖ fᵏⱼᵣ(xₖ) with a network fᵏ of the coordinate k alone, of rank R outputs for each output j.
///
/// Points `[batch, axes]` go to `[batch, outputs]` as through any layer. On a tensor grid of nₖ coordinates along each axis
/// [`Layer::on_grid`] evaluates the networks Σnₖ times in place of Πnₖ, and adds 2·R operations for each value of the grid;
/// derivatives are products of derivatives of the factors. Use it in three dimensions and more.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{GridSide, Layer, Layout, MlpOptions, Mode, Pass, Separable};
/// let mut layout = Layout::new();
/// let options = MlpOptions::default();
/// let net = Separable::new(&mut layout.root(), (3, 1), 16, &[32, 32], &options);
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let axes = [64, 64, 32].map(|n| graph.input(&[n, 1]));
/// assert_eq!(&net.on_grid(&pass, &GridSide::each(&axes)).shape()[..], [64, 64, 32, 1]);
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

    /// The networks of the columns of one side, multiplied: `[n, outputs·R]`.
    fn factor<'g>(&self, pass: &Pass<'g>, side: &GridSide<'g>) -> Array<'g> {
        let columns = 0..side.values.shape()[1];
        let one =
            |c: usize| self.axes[side.column + c].apply(pass, side.values.narrow(1, c, c + 1));
        let all = columns.map(one).reduce(|a, b| a * b);
        all.unwrap_or_else(|| side.values.zeros())
    }
}

impl Layer for Separable {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let (n, axes, got) = (x.shape()[0], self.axes.len(), x.shape()[1]);
        assert!(axes == got, "points of {got} coordinates for {axes} axes");
        let all = GridSide {
            column: 0,
            values: x,
        };
        self.factor(pass, &all)
            .reshape(&[n, self.outputs, self.rank])
            .sum_axes(&[2])
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        let [first, others @ ..] = sides else {
            return GridSide::points(sides);
        };
        let columns = |side: &GridSide<'g>| side.values.shape()[1];
        let (axes, got) = (self.axes.len(), sides.iter().map(columns).sum::<usize>());
        assert!(axes == got, "a grid of {got} coordinates for {axes} axes");
        let (m, rank) = (self.outputs, self.rank);
        let first = self.factor(pass, first);
        // Products of all other factors are the same for all rows of the first, and then meet it in one product of matrices.
        let mut rest: Option<Array<'g>> = None;
        for side in others {
            let factor = self.factor(pass, side);
            let (n, width) = (factor.shape()[0], m * rank);
            rest = Some(match rest {
                None => factor,
                Some(before) => {
                    let k = before.shape()[0];
                    let all = before.reshape(&[k, 1, width]) * factor.reshape(&[1, n, width]);
                    all.reshape(&[k * n, width])
                }
            });
        }
        let output = |j: usize| {
            let own = |f: Array<'g>| f.narrow(1, j * rank, (j + 1) * rank);
            match rest {
                None => own(first).sum_axes(&[1]),
                Some(rest) => own(first).matmul_by(own(rest), Side::Plain, Side::Transposed),
            }
        };
        let mut shape = GridSide::sizes(sides);
        shape.push(1);
        let outputs: Vec<Array<'g>> = (0..m).map(|j| output(j).reshape(&shape)).collect();
        Array::concatenate(&outputs, sides.len())
    }
}
