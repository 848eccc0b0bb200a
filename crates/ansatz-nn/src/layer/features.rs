//! First layers for functions of few coordinates: frequencies and bumps.
//!
//! References: M. Tancik et al., *Fourier features let networks learn high frequency functions in low dimensional
//! domains*, 2020 (eq. 5); V. Sitzmann et al., *Implicit neural representations with periodic activation functions*,
//! 2020 (section 3.2); N. Kang et al., *PIG: physics-informed Gaussians as adaptive parametric mesh
//! representations*, 2025.

use std::f64::consts::TAU;

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use super::{Activation, Dense, Layer, Mlp};
use crate::{Init, Parameter, Pass, Scope};

/// (cos 2πBx, sin 2πBx) with frequencies B ~ N(0, σ²), `frequencies` `[count, in]`: `[batch, in]` to `[batch, 2·count]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FourierFeatures {
    frequencies: Parameter,
}

/// Whether training changes an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trained {
    /// As drawn.
    #[default]
    Fixed,
    /// Trained with the weights.
    Trained,
}

impl FourierFeatures {
    /// `count` frequencies with standard deviation `sigma`.
    pub fn new(
        scope: &mut Scope<'_>,
        inputs: usize,
        count: usize,
        (sigma, trained): (f64, Trained),
    ) -> Self {
        let (shape, init) = ([count, inputs], Init::Normal(sigma));
        let frequencies = match trained {
            Trained::Fixed => scope.buffer("frequencies", &shape, init),
            Trained::Trained => scope.parameter("frequencies", &shape, init),
        };
        Self { frequencies }
    }
}

impl Layer for FourierFeatures {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let phases = x.matmul_by(pass[self.frequencies] * TAU, Side::Plain, Side::Transposed);
        Array::concatenate(&[phases.cos(), phases.sin()], 1)
    }
}

/// sin(ω·(W·x + b)) layers and a linear one: weights uniform in ±1/in in the first layer and in ±√(6/in)/ω in the
/// others, ω = 30 by default.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{FourierFeatures, Layer, Layout, Mode, Pass, Siren, Trained};
/// let mut layout = Layout::new();
/// let mut root = layout.root();
/// let features = FourierFeatures::new(&mut root.scope("features"), 2, 64, (10.0, Trained::Fixed));
/// let net = Siren::new(&mut root.scope("net"), &[128, 64, 1], 30.0);
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let y = net.apply(&pass, features.apply(&pass, graph.batch(&[256, 2])));
/// assert_eq!(&y.shape()[..], [256, 1]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Siren(Mlp);

impl Siren {
    /// A network with these numbers of units, from the inputs to the outputs.
    pub fn new(scope: &mut Scope<'_>, widths: &[usize], omega: f64) -> Self {
        let layers = widths.windows(2).enumerate().map(|(i, pair)| {
            let n = pair[0] as f64;
            let bound = if i == 0 {
                n.recip()
            } else {
                (6.0 / n).sqrt() / omega
            };
            let bias = Init::Uniform(n.sqrt().recip());
            let init = (Init::Uniform(bound), Some(bias));
            Dense::with_init(&mut scope.scope(i), pair[0], pair[1], init)
        });
        Self(Mlp::of_layers(layers.collect(), Activation::Sine(omega)))
    }
}

impl Layer for Siren {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.0.apply(pass, x)
    }
}

/// exp(−½ Σ_k ((x_k − μ_ik)/σ_ik)²) for each Gaussian i, with trained centres `means` `[count, in]` and widths
/// `log_widths` `[count, in]`: `[batch, in]` to `[batch, count]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianFeatures {
    means: Parameter,
    log_widths: Parameter,
}

impl GaussianFeatures {
    /// `count` Gaussians with centres uniform in the box [−1, 1]ⁿ and this width.
    pub fn new(scope: &mut Scope<'_>, inputs: usize, count: usize, width: f64) -> Self {
        let shape = [count, inputs];
        Self {
            means: scope.parameter("means", &shape, Init::Uniform(1.0)),
            log_widths: scope.parameter("log_widths", &shape, Init::Constant(width.ln())),
        }
    }
}

impl Layer for GaussianFeatures {
    /// The square is multiplied out, so that its terms are matrix products: x²·w − 2x·(μw) + Σμ²w with w = 1/σ².
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let (means, weights) = (pass[self.means], (pass[self.log_widths] * -2.0).exp());
        let product = |a: Array<'g>, b| a.matmul_by(b, Side::Plain, Side::Transposed);
        let distance = product(x.square(), weights) - product(x, means * weights) * 2.0
            + (means.square() * weights).sum_axes(&[1]);
        (distance * -0.5).exp()
    }
}
