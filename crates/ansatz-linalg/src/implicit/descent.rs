//! One step of a first-order method as a map: proximal, projected, block and mirror descent.
//!
//! ```text
//! T(x, θ_f, θ_g) = P(m(x) − η⊙∇f(x, θ_f), θ_g)
//! ```
//!
//! with m the identity or the gradient of a mirror function, P a proximal operator, Euclidean or Bregman projection. The
//! solution does not depend on η, nor does its derivative; η near 1/‖∇²f‖ conditions the solve best.

use ansatz_core::EvalError;

use super::{Compose, Derivative, GroupKind, Grouped, ParametricMap, Point, Proximal, check};
use crate::LinalgError;
use crate::error::{shape, within};

/// The map m from points to dual points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mirror {
    /// m(x) = x.
    #[default]
    Identity,
    /// m(x) = log x, the gradient of Σ x(log x − 1); x must be positive.
    Log,
}

/// A step of descent; the arguments are those of the gradient, then those of the projection.
#[derive(Debug, Clone, PartialEq)]
pub struct Descent<G, P>(Compose<P, Step<G>>);

impl<G: ParametricMap, P: Proximal> Descent<G, P> {
    /// Proximal gradient descent for f + g, or projected gradient descent for f on a set: `prox` is of g itself, this
    /// scales it by the step.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for lengths that do not fit, [`LinalgError::Parameter`] for a step that is not positive.
    pub fn proximal(gradient: G, prox: P, step: f64) -> Result<Self, LinalgError> {
        Self::make(gradient, prox.scaled(step), Mirror::Identity, vec![step])
    }
}

impl<G: ParametricMap> Descent<G, Grouped> {
    /// Mirror descent with the Kullback-Leibler divergence on simplexes of `width` entries:
    /// T = softmax(log x − η∇f), scaled by the last argument, the sum of each group.
    ///
    /// # Errors
    /// Those of [`Descent::proximal`].
    pub fn mirror(gradient: G, width: usize, step: f64) -> Result<Self, LinalgError> {
        let count = gradient.unknowns() / width.max(1);
        let softmax = Grouped::new(GroupKind::EntropicSimplex, width, count)?;
        Self::make(gradient, softmax, Mirror::Log, vec![step])
    }
}

impl<G: ParametricMap, P: ParametricMap> Descent<G, P> {
    /// Block proximal gradient descent: a step for each unknown (equal within a block), and `prox` already scaled, such
    /// as a [`Stack`](super::Stack) of scaled operators.
    ///
    /// # Errors
    /// Those of [`Descent::proximal`].
    pub fn with_steps(gradient: G, prox: P, steps: Vec<f64>) -> Result<Self, LinalgError> {
        shape("steps", gradient.unknowns(), steps.len())?;
        Self::make(gradient, prox, Mirror::Identity, steps)
    }

    fn make(
        gradient: G,
        projection: P,
        mirror: Mirror,
        steps: Vec<f64>,
    ) -> Result<Self, LinalgError> {
        let n = gradient.unknowns();
        shape("outputs of the gradient", n, gradient.outputs())?;
        shape("unknowns of the projection", n, projection.unknowns())?;
        shape("outputs of the projection", n, projection.outputs())?;
        for step in &steps {
            within("step", *step, f64::MIN_POSITIVE.., "positive")?;
        }
        Ok(Self(Compose {
            outer: projection,
            inner: Step {
                gradient,
                mirror,
                steps,
            },
        }))
    }
}

impl<G: ParametricMap, P: ParametricMap> ParametricMap for Descent<G, P> {
    fn unknowns(&self) -> usize {
        self.0.unknowns()
    }

    fn arguments(&self) -> Vec<usize> {
        self.0.arguments()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        self.0.linearise(at, out)
    }
}

/// m(x) − η⊙∇f(x, θ), before the projection.
#[derive(Debug, Clone, PartialEq)]
struct Step<G> {
    gradient: G,
    mirror: Mirror,
    /// One, or one for each unknown.
    steps: Vec<f64>,
}

impl<G: ParametricMap> ParametricMap for Step<G> {
    fn unknowns(&self) -> usize {
        self.gradient.unknowns()
    }

    fn arguments(&self) -> Vec<usize> {
        self.gradient.arguments()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let n = at.x.len();
        if self.mirror == Mirror::Log {
            for x in at.x {
                within(
                    "an unknown of mirror descent",
                    *x,
                    f64::MIN_POSITIVE..,
                    "positive",
                )?;
            }
        }
        let gradient = self.gradient.linearise(at, out)?;
        let steps: Vec<f64> = self.steps.iter().copied().cycle().take(n).collect();
        let mut slope = vec![1.0; n];
        for (i, (out, x)) in out.iter_mut().zip(at.x).enumerate() {
            let mirrored = match self.mirror {
                Mirror::Identity => *x,
                Mirror::Log => {
                    slope[i] = 1.0 / x;
                    x.ln()
                }
            };
            *out = mirrored - steps[i] * *out;
        }
        Ok(Box::new(AtPoint {
            gradient,
            slope,
            steps,
        }))
    }
}

struct AtPoint<'a> {
    gradient: Box<dyn Derivative + 'a>,
    /// m′.
    slope: Vec<f64>,
    steps: Vec<f64>,
}

impl AtPoint<'_> {
    /// η⊙v.
    fn scaled(&self, v: &[f64]) -> Vec<f64> {
        v.iter().zip(&self.steps).map(|(v, s)| v * s).collect()
    }
}

impl Derivative for AtPoint<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.gradient.jvp_x(w, out)?;
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.slope[i] * w[i] - self.steps[i] * *out;
        }
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.gradient.vjp_x(&self.scaled(v), out)?;
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.slope[i] * v[i] - *out;
        }
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        self.gradient.jvp_args(w, out)?;
        for (out, step) in out.iter_mut().zip(&self.steps) {
            *out *= -step;
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let back: Vec<f64> = self.scaled(v).iter().map(|v| -v).collect();
        self.gradient.vjp_args(&back, out)
    }
}
