//! Bounds of a network on a box of inputs, and training that makes them tight.
//!
//! A box is a centre c and a radius r ≥ 0. An affine map takes it to the box (W·c + b, |W|·r), a monotone function of
//! single elements to that of its ends; the result holds all values of the network on the box. It is sound but for the
//! rounding of the arithmetic, which is not directed.
//!
//! References: S. Gowal et al., *On the effectiveness of interval bound propagation for training verifiably robust
//! models*, 2018 (eqs. 6 to 12, elision of the last layer); Y. Mao, M. N. Müller, M. Fischer, M. Vechev, *Understanding
//! certified training with interval bound propagation*, 2024 (propagation tightness, section 3).

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Comparison;

use crate::layer::{Activation, Conv, Dense, Layer, Mlp, Unit};
use crate::{NetworkError, Pass};

/// All points whose distance from the centre is at most the radius, element by element.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{Activation, Bounded, Interval, Layout, Mlp, MlpOptions, Mode, Pass};
/// let mut layout = Layout::new();
/// let options = MlpOptions { activation: Activation::Relu, ..MlpOptions::default() };
/// let net = Mlp::new(&mut layout.root(), &[2, 16, 3], &options);
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let x = graph.input(&[8, 2]);
/// let bounds = net.bound(&pass, Interval::about(x, x.filled(0.1), Some((0.0, 1.0))))?;
/// assert_eq!(&bounds.low().shape()[..], [8, 3]);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Interval<'g> {
    /// The middle.
    pub centre: Array<'g>,
    /// Half the width, not negative.
    pub radius: Array<'g>,
}

impl<'g> Interval<'g> {
    /// The box between two arrays.
    #[must_use]
    pub fn between(low: Array<'g>, high: Array<'g>) -> Self {
        Self {
            centre: (low + high) * 0.5,
            radius: (high - low) * 0.5,
        }
    }

    /// The box of radius ε about x, cut off at a range that the data have.
    #[must_use]
    pub fn about(x: Array<'g>, epsilon: Array<'g>, range: Option<(f64, f64)>) -> Self {
        let (low, high) = (x - epsilon, x + epsilon);
        match range {
            Some((from, to)) => Self::between(low.clamp(from, to), high.clamp(from, to)),
            None => Self::between(low, high),
        }
    }

    /// The lower end.
    #[must_use]
    pub fn low(&self) -> Array<'g> {
        self.centre - self.radius
    }

    /// The upper end.
    #[must_use]
    pub fn high(&self) -> Array<'g> {
        self.centre + self.radius
    }

    /// The box of sums of elements of two boxes.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            centre: self.centre + other.centre,
            radius: self.radius + other.radius,
        }
    }
}

/// A layer that takes boxes to boxes.
pub trait Bounded: Layer {
    /// A box that holds the layer's values on a box.
    ///
    /// # Errors
    /// [`NetworkError::Activation`] for one that does not rise everywhere.
    ///
    /// # Panics
    /// When the shape does not fit.
    fn bound<'g>(&self, pass: &Pass<'g>, x: Interval<'g>) -> Result<Interval<'g>, NetworkError>;
}

impl Bounded for Dense {
    fn bound<'g>(&self, pass: &Pass<'g>, x: Interval<'g>) -> Result<Interval<'g>, NetworkError> {
        Ok(Interval {
            centre: self.apply(pass, x.centre),
            radius: self.spread(pass, x.radius),
        })
    }
}

impl Bounded for Conv {
    fn bound<'g>(&self, pass: &Pass<'g>, x: Interval<'g>) -> Result<Interval<'g>, NetworkError> {
        Ok(Interval {
            centre: self.apply(pass, x.centre),
            radius: self.spread(pass, x.radius),
        })
    }
}

impl Bounded for Activation {
    fn bound<'g>(&self, _: &Pass<'g>, x: Interval<'g>) -> Result<Interval<'g>, NetworkError> {
        let rises = match self {
            Self::LeakyRelu(c) => *c >= 0.0,
            Self::Identity
            | Self::Tanh
            | Self::Relu
            | Self::Elu
            | Self::Sigmoid
            | Self::Softplus => true,
            _ => false,
        };
        if !rises {
            return Err(NetworkError::Activation {
                activation: *self,
                needed: "bounds are those of a box's ends only where a function rises: take Tanh, Relu, LeakyRelu, Elu, \
                         Sigmoid or Softplus",
            });
        }
        Ok(Interval::between(self.at(x.low()), self.at(x.high())))
    }
}

impl Bounded for Unit {
    fn bound<'g>(&self, pass: &Pass<'g>, x: Interval<'g>) -> Result<Interval<'g>, NetworkError> {
        let scaled = self.slope(pass).map(|slope| Interval {
            centre: x.centre * slope,
            radius: x.radius * slope.abs(),
        });
        self.activation.bound(pass, scaled.unwrap_or(x))
    }
}

impl Bounded for Mlp {
    fn bound<'g>(&self, pass: &Pass<'g>, x: Interval<'g>) -> Result<Interval<'g>, NetworkError> {
        let mut x = x;
        for (i, layer) in self.layers().iter().enumerate() {
            x = layer.bound(pass, x)?;
            if let Some(unit) = self.units().get(i) {
                x = unit.bound(pass, x)?;
            }
        }
        Ok(x)
    }
}

impl Mlp {
    /// For each point and class k, a lower bound of the margin y_label − y_k on a box `[batch, in]`, 0 for the label itself; `labels`
    /// `[batch, classes]` are 1 for the label and 0 else. The difference is taken into the last layer before the
    /// bound (elision): it is never looser than the difference of bounds.
    ///
    /// # Errors
    /// [`NetworkError::Activation`], as [`Bounded::bound`].
    ///
    /// # Panics
    /// When shapes do not fit.
    pub fn margins<'g>(
        &self,
        pass: &Pass<'g>,
        x: Interval<'g>,
        labels: Array<'g>,
    ) -> Result<Array<'g>, NetworkError> {
        let mut x = x;
        for (layer, unit) in self.layers().iter().zip(self.units()) {
            x = unit.bound(pass, layer.bound(pass, x)?)?;
        }
        let Some(last) = self.layers().last() else {
            return Ok(labels.zeros());
        };
        let differences = differences(last.matrix(pass), labels);
        let (batch, n) = (x.centre.shape()[0], x.centre.shape()[1]);
        let along = |x: Array<'g>| x.reshape(&[batch, 1, n]);
        let worst = differences * along(x.centre) - differences.abs() * along(x.radius);
        let margin = worst.sum_axes(&[2]);
        Ok(match last.bias() {
            Some(bias) => {
                let own = (labels * pass[bias]).sum_axes(&[1]).reshape(&[batch, 1]);
                margin + own - pass[bias]
            }
            None => margin,
        })
    }

    /// How much of the width of layer-wise bounds is there in truth, for boxes small enough that no unit changes its side:
    /// |Π Wᵢ|·1 / Π|Wᵢ|·1 for each point of `[batch, in]` and each output, with Wᵢ times the pattern of active units at
    /// the point for rectifiers. With `labels` the outputs are the margins, 1 for the label itself. It is at most 1.
    ///
    /// # Errors
    /// [`NetworkError::Activation`] for activations other than rectifiers and the identity.
    ///
    /// # Panics
    /// When shapes do not fit.
    pub fn tightness<'g>(
        &self,
        pass: &Pass<'g>,
        x: Array<'g>,
        labels: Option<Array<'g>>,
    ) -> Result<Array<'g>, NetworkError> {
        let batch = x.shape()[0];
        let mut x = x;
        let mut products: Option<(Array<'g>, Array<'g>)> = None;
        let count = self.layers().len();
        for (i, layer) in self.layers().iter().enumerate() {
            let unit = self.units().get(i);
            let mut weight = layer.matrix(pass);
            if let Some(slope) = unit.and_then(|unit| unit.slope(pass)) {
                weight = weight * slope;
            }
            let shape = weight.shape();
            let weights = match (labels, i + 1 == count) {
                (Some(labels), true) => differences(weight, labels),
                _ => weight.broadcast(&[batch, shape[0], shape[1]]),
            };
            let (signed, all) = match products {
                Some((signed, all)) => (weights.matmul(signed), weights.abs().matmul(all)),
                None => (weights, weights.abs()),
            };
            x = layer.apply(pass, x);
            products = Some(match self.activation() {
                _ if i + 1 == count => (signed, all),
                Activation::Identity => (signed, all),
                Activation::Relu => {
                    let x = unit
                        .and_then(|unit| unit.slope(pass))
                        .map_or(x, |slope| x * slope);
                    let active = x.zeros().less(x).reshape(&[batch, shape[0], 1]);
                    (signed * active, all * active)
                }
                activation => {
                    return Err(NetworkError::Activation {
                        activation,
                        needed: "the tightness is known for Relu and Identity",
                    });
                }
            });
            if let Some(unit) = unit {
                x = unit.apply(pass, x);
            }
        }
        let Some((signed, all)) = products else {
            return Ok(x.ones());
        };
        let (truth, bound) = (signed.abs().sum_axes(&[2]), all.sum_axes(&[2]));
        let none = bound.compare(bound.zeros(), Comparison::Equal);
        Ok(none.select(bound.ones(), truth / none.select(bound.ones(), bound)))
    }
}

/// W_label − W_k for each point and class: `[batch, classes, n]`.
fn differences<'g>(weight: Array<'g>, labels: Array<'g>) -> Array<'g> {
    let (batch, n) = (labels.shape()[0], weight.shape()[1]);
    labels.matmul(weight).reshape(&[batch, 1, n]) - weight
}

/// The cross-entropy of the worst case that the margins leave: the mean of ln Σ_k exp(−margin_k), margins
/// `[batch, classes]`.
#[must_use]
pub fn robust_loss(margins: Array<'_>) -> Array<'_> {
    (-margins).log_sum_exp(&[1]).mean()
}
