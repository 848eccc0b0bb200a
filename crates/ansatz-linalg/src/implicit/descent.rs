//! One step of a first-order method as a map: proximal, projected, block and mirror descent.
//!
//! ```text
//! T(x, θ_f, θ_g) = P(m(x) − η⊙∇f(x, θ_f), θ_g)
//! ```
//!
//! with m the identity or the gradient of a mirror function, P a proximal operator, Euclidean or Bregman projection. The
//! solution does not depend on η, nor does its derivative; η near 1/‖∇²f‖ conditions the solve best.

use ansatz_core::EvalError;

use super::{Derivative, GroupKind, Grouped, ParametricMap, Point, Proximal, check};
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
pub struct Descent<G, P> {
    gradient: G,
    projection: P,
    mirror: Mirror,
    /// One, or one for each unknown.
    steps: Vec<f64>,
}

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
        Ok(Self {
            gradient,
            projection,
            mirror,
            steps,
        })
    }

    fn step(&self, i: usize) -> f64 {
        self.steps[if self.steps.len() == 1 { 0 } else { i }]
    }
}

impl<G: ParametricMap, P: ParametricMap> ParametricMap for Descent<G, P> {
    fn unknowns(&self) -> usize {
        self.gradient.unknowns()
    }

    fn arguments(&self) -> Vec<usize> {
        let mut all = self.gradient.arguments();
        all.extend(self.projection.arguments());
        all
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let n = at.x.len();
        let first = self.gradient.arguments().len();
        let (ours, theirs) = at.args.split_at(first);
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
        let mut dual = vec![0.0; n];
        let here = Point {
            x: at.x,
            args: ours,
        };
        let gradient = self.gradient.linearise(here, &mut dual)?;
        let mut slope = vec![1.0; n];
        for (i, (dual, x)) in dual.iter_mut().zip(at.x).enumerate() {
            let mirrored = match self.mirror {
                Mirror::Identity => *x,
                Mirror::Log => {
                    slope[i] = 1.0 / x;
                    x.ln()
                }
            };
            *dual = mirrored - self.step(i) * *dual;
        }
        let there = Point {
            x: &dual,
            args: theirs,
        };
        let projection = self.projection.linearise(there, out)?;
        Ok(Box::new(AtPoint {
            gradient,
            projection,
            slope,
            steps: (0..n).map(|i| self.step(i)).collect(),
            first,
        }))
    }
}

struct AtPoint<'a> {
    gradient: Box<dyn Derivative + 'a>,
    projection: Box<dyn Derivative + 'a>,
    /// m′.
    slope: Vec<f64>,
    steps: Vec<f64>,
    first: usize,
}

impl Derivative for AtPoint<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let mut dual = vec![0.0; w.len()];
        self.gradient.jvp_x(w, &mut dual)?;
        for (i, dual) in dual.iter_mut().enumerate() {
            *dual = self.slope[i] * w[i] - self.steps[i] * *dual;
        }
        self.projection.jvp_x(&dual, out)
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let mut dual = vec![0.0; v.len()];
        self.projection.vjp_x(v, &mut dual)?;
        let scaled: Vec<f64> = dual.iter().zip(&self.steps).map(|(d, s)| d * s).collect();
        self.gradient.vjp_x(&scaled, out)?;
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.slope[i] * dual[i] - *out;
        }
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        let (ours, theirs) = w.split_at(self.first);
        let mut dual = vec![0.0; out.len()];
        self.gradient.jvp_args(ours, &mut dual)?;
        for (dual, step) in dual.iter_mut().zip(&self.steps) {
            *dual *= -step;
        }
        let mut through = vec![0.0; out.len()];
        self.projection.jvp_x(&dual, &mut through)?;
        self.projection.jvp_args(theirs, out)?;
        for (out, t) in out.iter_mut().zip(&through) {
            *out += t;
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let (ours, theirs) = out.split_at_mut(self.first);
        self.projection.vjp_args(v, theirs)?;
        let mut dual = vec![0.0; v.len()];
        self.projection.vjp_x(v, &mut dual)?;
        for (dual, step) in dual.iter_mut().zip(&self.steps) {
            *dual *= -step;
        }
        self.gradient.vjp_args(&dual, ours)
    }
}
