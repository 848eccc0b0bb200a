//! Search directions for a linear system on a grid, from its residual.
//!
//! [`DirectionNet`] maps the residual of A·x = b, a number for each cell, to a direction d in which to search. It is
//! trained without solutions: the loss is what is left of a residual r of length 1 after the best step along d,
//!
//! ‖r − α·A·d‖², α = rᵀd/dᵀA·d,
//!
//! which does not depend on the length of d ([`direction_loss`]). What is learnt on an empty box of one size serves
//! boxes with solids and other sizes, since all layers are convolutions. [`Parameters::direction`](crate::Parameters::direction)
//! hands a trained network to a solver.
//!
//! Reference: A. Kaneda, O. Akar, J. Chen, V. Kala, D. Hyde, J. Teran, *A deep conjugate direction method for
//! iteratively solving linear systems*, 2023 (sections 4 and 5).

use ansatz_autodiff::{Array, Convolution, Interpolation, Pool, Resampling};

use crate::layer::{Conv, Layer};
use crate::{Init, Pass, Scope};

/// The sizes of a [`DirectionNet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectionOptions {
    /// Axes of the grid, 2 or 3. Default 3.
    pub axes: usize,
    /// Channels. Default 16.
    pub channels: usize,
    /// Pairs of convolutions of full resolution after the first pair. Default 1; 2 for grids of 128 cells a side.
    pub fine: usize,
    /// Blocks of half the resolution. Default 3; 4 for 128 cells.
    pub coarse: usize,
    /// Blocks of full resolution behind them. Default 2; 3 for 128 cells.
    pub last: usize,
}

impl Default for DirectionOptions {
    fn default() -> Self {
        Self {
            axes: 3,
            channels: 16,
            fine: 1,
            coarse: 3,
            last: 2,
        }
    }
}

impl DirectionOptions {
    /// The published network for cubes of 128 cells a side.
    #[must_use]
    pub fn large() -> Self {
        Self {
            fine: 2,
            coarse: 4,
            last: 3,
            ..Self::default()
        }
    }
}

/// The network of the deep conjugate direction method: `[batch, 1, lengths…]` to the same shape, all lengths even. With
/// 3 axes it has 97,457 parameters, 139,025 with [`DirectionOptions::large`].
///
/// ```
/// use ansatz_nn::{DirectionNet, DirectionOptions, Layout};
/// let mut layout = Layout::new();
/// DirectionNet::new(&mut layout.root(), &DirectionOptions::default());
/// assert_eq!(layout.len(), 97_457);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DirectionNet {
    first: Conv,
    fine: Vec<Conv>,
    coarse: Vec<[Conv; 2]>,
    last: Vec<[Conv; 2]>,
    output: Conv,
}

impl DirectionNet {
    /// A network with Glorot's initial weights and biases of 0.
    pub fn new(scope: &mut Scope<'_>, options: &DirectionOptions) -> Self {
        let width = options.channels;
        let conv = |scope: &mut Scope<'_>, channels, side: usize| {
            let same = Convolution {
                padding: vec![(side / 2, side / 2); options.axes],
                ..Convolution::default()
            };
            let init = (Init::Glorot, Some(Init::Constant(0.0)));
            Conv::with_init(scope, channels, &vec![side; options.axes], same, init)
        };
        let blocks = |mut scope: Scope<'_>, count: usize| {
            let each = (0..count).map(|b| {
                let mut block = scope.scope(b);
                [0, 1].map(|i| conv(&mut block.scope(i), (width, width), 3))
            });
            each.collect()
        };
        let first = conv(&mut scope.scope("first"), (1, width), 3);
        let mut branch = scope.scope("fine");
        let fine = (0..2 * (options.fine + 1))
            .map(|i| conv(&mut branch.scope(i), (width, width), 3))
            .collect();
        Self {
            first,
            fine,
            coarse: blocks(scope.scope("coarse"), options.coarse),
            last: blocks(scope.scope("last"), options.last),
            output: conv(&mut scope.scope("output"), (width, 1), 1),
        }
    }
}

fn rise<'g>(pass: &Pass<'g>, layer: &Conv, x: Array<'g>) -> Array<'g> {
    layer.apply(pass, x).relu()
}

/// Two convolutions, the second beside what came in.
fn residual<'g>(pass: &Pass<'g>, blocks: &[[Conv; 2]], x: Array<'g>) -> Array<'g> {
    blocks
        .iter()
        .fold(x, |x, [a, b]| rise(pass, b, rise(pass, a, x)) + x)
}

impl Layer for DirectionNet {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let x = self.first.apply(pass, x);
        let mut fine = self.fine.chunks_exact(2);
        let (mut a, mut b) = (x, x);
        if let Some([one, two]) = fine.next() {
            a = rise(pass, one, x);
            b = rise(pass, two, a);
        }
        for pair in fine {
            let [one, two] = pair else { continue };
            a = rise(pass, one, b) + a;
            b = rise(pass, two, a);
        }
        let lengths = &b.shape()[2..];
        assert!(
            lengths.iter().all(|n| n % 2 == 0),
            "even lengths are needed, not {lengths:?}"
        );
        let axes = lengths.len();
        let halves = Pool {
            window: vec![2; axes],
            ..Pool::default()
        };
        let c = residual(pass, &self.coarse, b.average_pool(&halves));
        let nearest = Resampling {
            interpolation: Interpolation::Nearest,
            ..Resampling::default()
        };
        let u = c.resample(lengths, &nearest) + b;
        self.output.apply(pass, residual(pass, &self.last, u))
    }
}

/// The mean over the batch of ‖r − α·A·d‖², α = rᵀd/dᵀA·d, for residuals `r` `[batch, …]` of length 1, directions `d` and
/// their products `product` with A.
///
/// # Panics
/// When the shapes differ.
#[must_use]
pub fn direction_loss<'g>(r: Array<'g>, d: Array<'g>, product: Array<'g>) -> Array<'g> {
    let shape = r.shape();
    let flat = [shape[0], shape.len() / shape[0]];
    let [r, d, product] = [r, d, product].map(|x| x.reshape(&flat));
    let dot = |a: Array<'g>, b: Array<'g>| (a * b).sum_axes(&[1]).reshape(&[flat[0], 1]);
    let left = r - product * (dot(r, d) / dot(d, product));
    dot(left, left).mean()
}

/// The unscaled Laplacian of an empty box on `x` `[batch, 1, lengths…]`: diagonal·x − Σ of the neighbours' values, 0
/// outside. `diagonal` holds the number of neighbours that are not walls, for each cell: 2 for each axis where all sides
/// are open.
///
/// # Panics
/// When the diagonal has not an element for each cell.
#[must_use]
pub fn box_laplacian(x: Array<'_>, diagonal: Vec<f64>) -> Array<'_> {
    let shape = x.shape();
    let axes = shape.rank() - 2;
    let taps = 3_usize.pow(axes as u32);
    // One step from the middle along one axis.
    let neighbour = |t: usize| (0..axes).any(|a| t.abs_diff(taps / 2) == 3_usize.pow(a as u32));
    let kernel = (0..taps)
        .map(|t| f64::from(u8::from(neighbour(t))))
        .collect();
    let mut sizes = vec![1, 1];
    sizes.extend(vec![3; axes]);
    let kernel = x.graph().constant(&sizes, kernel);
    let same = Convolution {
        padding: vec![(1, 1); axes],
        ..Convolution::default()
    };
    x * x.graph().constant(&shape[1..], diagonal) - x.convolve(kernel, &same)
}
