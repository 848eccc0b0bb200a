//! Maps that treat each element by itself: projections on boxes, and proximal operators of sums over elements.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, Proximal, check};
use crate::LinalgError;

/// What is done to an element x, with parameters θ and the step η of a [`Descent`](super::Descent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elementwise {
    /// x: the proximal operator of 0.
    Zero,
    /// max(x, 0).
    NonNegative,
    /// min(max(x, 0), 1).
    Hypercube,
    /// min(max(x, θ₁), θ₂).
    Box,
    /// min(max(x, −θ), θ): the ℓ∞ ball.
    Ball,
    /// sign(x)·max(|x| − ηθ, 0): g = θ|y|.
    Lasso,
    /// max(x − ηθ, 0): g = θy on y ≥ 0.
    NonNegativeLasso,
    /// sign(x)·max(|x| − ηθ₁, 0)/(1 + ηθ₁θ₂): g = θ₁(|y| + ½θ₂y²).
    ElasticNet,
    /// x/(1 + ηθ): g = ½θy².
    Ridge,
    /// max(x, 0)/(1 + ηθ).
    NonNegativeRidge,
}

impl Elementwise {
    /// Number of parameters.
    #[must_use]
    pub fn parameters(self) -> usize {
        match self {
            Self::Zero | Self::NonNegative | Self::Hypercube => 0,
            Self::Box | Self::ElasticNet => 2,
            _ => 1,
        }
    }

    /// Value, derivative in x, derivatives in the parameters.
    fn at(self, x: f64, [p, q]: [f64; 2], eta: f64) -> (f64, f64, [f64; 2]) {
        let soft = |t: f64| {
            if x.abs() > t {
                (x - t.copysign(x), 1.0, -x.signum())
            } else {
                (0.0, 0.0, 0.0)
            }
        };
        let clip = |lo: f64, hi: f64| {
            if x < lo {
                (lo, 0.0, [1.0, 0.0])
            } else if x > hi {
                (hi, 0.0, [0.0, 1.0])
            } else {
                (x, 1.0, [0.0; 2])
            }
        };
        let positive = if x > 0.0 { x } else { 0.0 };
        let live = if x > 0.0 { 1.0 } else { 0.0 };
        match self {
            Self::Zero => (x, 1.0, [0.0; 2]),
            Self::NonNegative => (positive, live, [0.0; 2]),
            Self::Hypercube => {
                let (y, d, _) = clip(0.0, 1.0);
                (y, d, [0.0; 2])
            }
            Self::Box => clip(p, q),
            Self::Ball => {
                let (y, d, [lo, hi]) = clip(-p, p);
                (y, d, [hi - lo, 0.0])
            }
            Self::Lasso => {
                let (y, d, dt) = soft(eta * p);
                (y, d, [eta * dt, 0.0])
            }
            Self::NonNegativeLasso if x > eta * p => (x - eta * p, 1.0, [-eta, 0.0]),
            Self::NonNegativeLasso => (0.0, 0.0, [0.0; 2]),
            Self::ElasticNet => {
                let (y, d, dt) = soft(eta * p);
                let shrink = 1.0 / (1.0 + eta * p * q);
                let (y, grow) = (y * shrink, -y * shrink * shrink * eta);
                (y, d * shrink, [eta * dt * shrink + grow * q, grow * p])
            }
            Self::Ridge | Self::NonNegativeRidge => {
                let (x, d) = if self == Self::Ridge {
                    (x, 1.0)
                } else {
                    (positive, live)
                };
                let shrink = 1.0 / (1.0 + eta * p);
                (x * shrink, d * shrink, [-eta * x * shrink * shrink, 0.0])
            }
        }
    }

    fn allows(self, [p, q]: [f64; 2]) -> Result<(), LinalgError> {
        let (value, needed) = match self {
            Self::Box if p > q => (p, "a lower bound, at most the upper one"),
            Self::Box if p == f64::INFINITY => (p, "a lower bound below infinity"),
            Self::Box if q == f64::NEG_INFINITY => (q, "an upper bound above minus infinity"),
            Self::ElasticNet if q < 0.0 || q.is_infinite() => (q, "a finite number, at least 0"),
            Self::ElasticNet if p.is_infinite() => (p, "a finite number, at least 0"),
            _ if self != Self::Box && p < 0.0 => (p, "at least 0"),
            _ => return Ok(()),
        };
        Err(LinalgError::Parameter {
            name: "parameter of an elementwise map",
            value,
            needed,
        })
    }
}

/// Whether elements share parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parameters {
    /// Arguments of length 1.
    #[default]
    Shared,
    /// Arguments of length n.
    Each,
}

/// An [`Elementwise`] map of n elements; its parameters are the arguments. O(n).
///
/// The element of the generalised Jacobian at a kink: 0 where the proximal operators vanish, 1 on the faces of boxes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Separable {
    kind: Elementwise,
    n: usize,
    parameters: Parameters,
    step: f64,
}

impl Separable {
    /// For `n` elements.
    #[must_use]
    pub fn new(kind: Elementwise, n: usize, parameters: Parameters) -> Self {
        Self {
            kind,
            n,
            parameters,
            step: 1.0,
        }
    }
}

impl Proximal for Separable {
    fn scaled(mut self, step: f64) -> Self {
        self.step *= step;
        self
    }
}

impl ParametricMap for Separable {
    fn unknowns(&self) -> usize {
        self.n
    }

    fn arguments(&self) -> Vec<usize> {
        let length = match self.parameters {
            Parameters::Shared => 1,
            Parameters::Each => self.n,
        };
        vec![length; self.kind.parameters()]
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let mut diagonal = Vec::with_capacity(self.n);
        let mut slopes = vec![Vec::with_capacity(self.n); at.args.len()];
        for (i, (x, out)) in at.x.iter().zip(out).enumerate() {
            let mut p = [0.0; 2];
            for (p, arg) in p.iter_mut().zip(at.args) {
                *p = arg[if arg.len() == 1 { 0 } else { i }];
            }
            self.kind.allows(p)?;
            let (y, d, dp) = self.kind.at(*x, p, self.step);
            *out = y;
            diagonal.push(d);
            for (slopes, dp) in slopes.iter_mut().zip(dp) {
                slopes.push(dp);
            }
        }
        Ok(Box::new(Slopes { diagonal, slopes }))
    }
}

struct Slopes {
    diagonal: Vec<f64>,
    /// For each parameter.
    slopes: Vec<Vec<f64>>,
}

impl Derivative for Slopes {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        for ((out, d), w) in out.iter_mut().zip(&self.diagonal).zip(w) {
            *out = d * w;
        }
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.jvp_x(v, out)
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(0.0);
        for (slopes, w) in self.slopes.iter().zip(w) {
            for (i, (out, s)) in out.iter_mut().zip(slopes).enumerate() {
                *out += s * w[if w.len() == 1 { 0 } else { i }];
            }
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        for (slopes, out) in self.slopes.iter().zip(out) {
            out.fill(0.0);
            let shared = out.len() == 1;
            for (i, (s, v)) in slopes.iter().zip(v).enumerate() {
                out[if shared { 0 } else { i }] += s * v;
            }
        }
        Ok(())
    }
}
