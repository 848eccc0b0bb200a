//! Physics-informed Gaussians: a network whose first layer is sums of Gaussians that move and change their widths.
//!
//! φₖ(x) = Σᵢ wₖᵢ·exp(−½‖Lₖᵢᵀ(x − μₖᵢ)‖²) for k = 1…K, each feature with N Gaussians of its own, and
//! u = W₂·tanh(W₁·φ + b₁) + b₂. L is diag(1/σ), or a rotation times it. Widths are trained as their logarithms, so that none
//! passes zero. Where a solution is steep, Gaussians gather and become narrow; everywhere else few and wide ones do. They
//! are small enough for Levenberg-Marquardt, which fits them to 1e-3 and better where gradients need tens of thousands of
//! steps.
//!
//! Cost of a point: K·N·d exponents; derivatives of all orders by series.
//!
//! Reference: N. Kang, J. Oh, Y. Hong, E. Park, *PIG: physics-informed Gaussians as adaptive parametric mesh
//! representations*, 2025 (eqs. 5 to 8; there widths may pass zero, and boxes are scaled by hand).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;
use ansatz_nn::{Dense, Init, Layer, Parameter, Pass, Scope};

use crate::PdeError;
use crate::error::{expect, within};

/// Sums of Gaussians before a small network.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussians {
    means: Parameter,
    log_widths: Parameter,
    weights: Parameter,
    rotations: Option<Parameter>,
    head: [Dense; 2],
    dims: usize,
    features: usize,
}

/// How Gaussians are turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Orientation {
    /// Along the axes.
    #[default]
    Axes,
    /// By a trained rotation: a direction in the plane, a quaternion in space.
    Turned,
}

/// Options of [`Gaussians`].
#[derive(Debug, Clone, PartialEq)]
pub struct GaussiansOptions {
    /// Number of features K.
    pub features: usize,
    /// Gaussians of a feature, N.
    pub count: usize,
    /// Widths σ at the start.
    pub width: f64,
    /// How they are turned.
    pub orientation: Orientation,
    /// Units of the hidden layer.
    pub hidden: usize,
}

impl Default for GaussiansOptions {
    /// 4 features of 40 Gaussians of width 0.2 along the axes, 16 hidden units.
    fn default() -> Self {
        Self {
            features: 4,
            count: 40,
            width: 0.2,
            orientation: Orientation::Axes,
            hidden: 16,
        }
    }
}

impl Gaussians {
    /// A network of `inputs` coordinates from −1 to 1 ([`Normalised`](crate::Normalised) brings them there) and `outputs`
    /// unknowns.
    ///
    /// # Errors
    /// [`PdeError::Option`] for no feature, no Gaussian, no hidden unit and a width that is not above 0;
    /// [`PdeError::Width`] for turned Gaussians in other than two or three dimensions.
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        options: &GaussiansOptions,
    ) -> Result<Self, PdeError> {
        let GaussiansOptions {
            features,
            count,
            width,
            orientation,
            hidden,
        } = *options;
        for (name, number) in [("features", features), ("count", count), ("hidden", hidden)] {
            within(name, number as f64, 1.0.., "1 or more")?;
        }
        within("width", width, f64::MIN_POSITIVE.., "a number above 0")?;
        let total = features * count;
        let rotations = match (orientation, inputs) {
            (Orientation::Axes, _) => None,
            (Orientation::Turned, 2) => Some(2),
            (Orientation::Turned, 3) => Some(4),
            (Orientation::Turned, _) => {
                expect("coordinates of turned Gaussians (2 or 3)", 2, inputs)?;
                None
            }
        };
        // Any direction is as likely as another.
        let rotations =
            rotations.map(|n| scope.parameter("rotations", &[total, n], Init::Normal(1.0)));
        let bias = || Some(Init::Constant(0.0));
        let dense = |scope: &mut Scope<'_>, name, a, b| {
            Dense::with_init(&mut scope.scope(name), a, b, (Init::Glorot, bias()))
        };
        Ok(Self {
            means: scope.parameter("means", &[total, inputs], Init::Uniform(1.0)),
            log_widths: scope.parameter("log_widths", &[total, inputs], Init::Constant(width.ln())),
            weights: scope.parameter("weights", &[total], Init::Normal(0.01)),
            rotations,
            head: [
                dense(scope, "head.0", features, hidden),
                dense(scope, "head.1", hidden, outputs),
            ],
            dims: inputs,
            features,
        })
    }

    /// Where the Gaussians are, `[K·N, d]`.
    #[must_use]
    pub fn means(&self) -> Parameter {
        self.means
    }

    /// ln σ, `[K·N, d]`.
    #[must_use]
    pub fn log_widths(&self) -> Parameter {
        self.log_widths
    }

    /// φ `[n, K]` at points `[n, d]`.
    fn features<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let (mean, sharp) = (pass[self.means], (-pass[self.log_widths]).exp());
        let total = mean.shape()[0];
        let turned = self.rotations.map(|r| rotation(pass[r], self.dims));
        let mut distance: Option<Array<'g>> = None;
        for j in 0..self.dims {
            let sharp = sharp.narrow(1, j, j + 1);
            // z_j = s_j·R_j·(x − μ), R_j the j-th axis of the Gaussian.
            let z = match &turned {
                None => {
                    let (x, m) = (x.narrow(1, j, j + 1), mean.narrow(1, j, j + 1));
                    let by = sharp.reshape(&[1, total]);
                    x.matmul(by) - (m * sharp).reshape(&[total])
                }
                Some(axes) => {
                    let by = axes[j] * sharp;
                    let shift = (mean * by).sum_axes(&[1]);
                    x.matmul_by(by, Side::Plain, Side::Transposed) - shift
                }
            };
            let square = z.square();
            distance = Some(distance.map_or(square, |d| d + square));
        }
        let distance = distance.unwrap_or_else(|| x.zeros());
        let bumps = (distance * -0.5).exp();
        // Each Gaussian adds to its own feature.
        let (k, n) = (self.features, total / self.features);
        let own: Vec<f64> = (0..total * k)
            .map(|i| f64::from(u8::from(i / k / n == i % k)))
            .collect();
        let own = x.graph().constant(&[total, k], own);
        bumps.matmul(own * pass[self.weights].reshape(&[total, 1]))
    }
}

/// The rows of rotation matrices `[n, d]` from rows of `r` of any length above 0.
fn rotation<'g>(r: Array<'g>, dims: usize) -> Vec<Array<'g>> {
    let n = r.shape()[0];
    let unit = r * r.square().sum_axes(&[1]).rsqrt().reshape(&[n, 1]);
    let c = |i| unit.narrow(1, i, i + 1);
    let rows = |rows: &[Vec<Array<'g>>]| -> Vec<_> {
        rows.iter().map(|row| Array::concatenate(row, 1)).collect()
    };
    if dims == 2 {
        let (a, b) = (c(0), c(1));
        return rows(&[vec![a, b], vec![-b, a]]);
    }
    let (w, x, y, z) = (c(0), c(1), c(2), c(3));
    let twice = |a: Array<'g>| a * 2.0;
    let one = w.ones();
    rows(&[
        vec![
            one - twice(y * y + z * z),
            twice(x * y - w * z),
            twice(x * z + w * y),
        ],
        vec![
            twice(x * y + w * z),
            one - twice(x * x + z * z),
            twice(y * z - w * x),
        ],
        vec![
            twice(x * z - w * y),
            twice(y * z + w * x),
            one - twice(x * x + y * y),
        ],
    ])
}

impl Layer for Gaussians {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let hidden = self.head[0].apply(pass, self.features(pass, x)).tanh();
        self.head[1].apply(pass, hidden)
    }
}
