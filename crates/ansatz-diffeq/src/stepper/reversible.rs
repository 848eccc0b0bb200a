//! The reversible Heun method.
//!
//! It carries a second state x̂ beside x, with x̂₀ = x₀, and takes its slopes there:
//! x̂' = 2x − x̂ + h·k, k' = f(t', x̂'), x' = x + ½h·(k + k'). The same formulas solved for the old states
//! run it backwards to the last digits, so the gradient of a solve needs no stored states.
//!
//! Cost: one evaluation a step for ordinary equations, two slopes for stochastic ones; order 2 (strong
//! order 1 for additive noise, ½ else). Not damped: stable only for hλ in [−i, i], so keep h small.
//!
//! Reference: P. Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural
//! SDEs*, 2021, algorithms 1 and 2.

use ansatz_core::{State, Tolerance};

use super::{Drive, Stepper, evaluate, hermite};
use crate::StepError;

/// The reversible Heun method on pairs (x, x̂), which start equal.
///
/// ```
/// use ansatz_diffeq::{Control, ReversibleHeun, integrate};
/// let turn = |_: f64, x: &[f64; 2], dx: &mut [f64; 2]| {
///     *dx = [-x[1], x[0]];
///     Ok(())
/// };
/// let x = [1.0, 0.0];
/// let mut y = (x, x);
/// let mut method = ReversibleHeun::new(&turn, &x);
/// integrate(&mut method, &[0.0, 1.0], &mut y, &Control::fixed(100), &mut ())?;
/// assert!((y.0[0] - 1.0_f64.cos()).abs() < 1e-4);
/// for i in (0..100).rev() {
///     method.step_back(0.01 * i as f64, 0.01, &mut y)?;
/// }
/// assert!((y.0[0] - 1.0).abs() < 1e-14 && y.0[1].abs() < 1e-14);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub struct ReversibleHeun<S, D> {
    pub(crate) drive: D,
    /// k and k'.
    slopes: [S; 2],
    pub(crate) next: (S, S),
    scratch: S,
    /// Whether k belongs to the current state.
    has_first: bool,
    pub(crate) nfe: usize,
    pub(crate) pull_memory: Option<[S; 2]>,
}

impl<S: State, D: Drive<S>> ReversibleHeun<S, D> {
    /// Allocates for states like `like`. `drive` is a reference to a
    /// [`VectorField`](ansatz_core::VectorField), or a [`Drive`] that brings increments.
    pub fn new(drive: D, like: &S) -> Self {
        Self {
            drive,
            slopes: [like.zeros_like(), like.zeros_like()],
            next: (like.zeros_like(), like.zeros_like()),
            scratch: like.zeros_like(),
            has_first: false,
            nfe: 0,
            pull_memory: None,
        }
    }

    /// Undoes the step from `t` to `t + h`: `y`, the pair after it, becomes the pair before. Unless
    /// `y` is where the last step led, call [`restart`](Stepper::restart) first.
    ///
    /// # Errors
    /// [`StepError::Eval`], [`StepError::NonFinite`]; `y` is then spent.
    pub fn step_back(&mut self, t: f64, h: f64, y: &mut (S, S)) -> Result<(), StepError> {
        self.drive.begin(t, h)?;
        // The slope at x̂' is known from the step undone before this one.
        let known = self.has_first && D::STEADY;
        if known {
            self.slopes.swap(0, 1);
        }
        let [k, k1] = &mut self.slopes;
        if !known {
            evaluate(&mut self.drive, t + h, &y.1, k1)?;
            self.nfe += 1;
        }
        // x̂ = 2x' − x̂' − h·k', then x = x' − ½h·(k + k').
        y.1.lincomb(-1.0, &[(2.0, &y.0), (-h, k1)]);
        evaluate(&mut self.drive, t, &y.1, k)?;
        self.nfe += 1;
        y.0.lincomb(1.0, &[(-0.5 * h, k), (-0.5 * h, k1)]);
        self.has_first = true;
        if y.0.is_finite() && y.1.is_finite() {
            Ok(())
        } else {
            Err(self.broken(t, h))
        }
    }
}

impl<S: State, D: Drive<S>> Stepper<(S, S)> for ReversibleHeun<S, D> {
    fn error_order(&self) -> Option<f64> {
        // Against Euler's method. With noise the difference shrinks as h does.
        Some(if D::STEADY { 2.0 } else { 1.0 })
    }

    fn attempt(&mut self, t: f64, h: f64, y: &(S, S)) -> Result<(), StepError> {
        self.drive.begin(t, h)?;
        let [k, k1] = &mut self.slopes;
        if !(self.has_first && D::STEADY) {
            evaluate(&mut self.drive, t, &y.1, k)?;
            self.nfe += 1;
            self.has_first = true;
        }
        let (x, mirror) = &mut self.next;
        mirror.lincomb(0.0, &[(2.0, &y.0), (-1.0, &y.1), (h, k)]);
        evaluate(&mut self.drive, t + h, mirror, k1)?;
        self.nfe += 1;
        x.lincomb(0.0, &[(1.0, &y.0), (0.5 * h, k), (0.5 * h, k1)]);
        Ok(())
    }

    fn next(&self) -> &(S, S) {
        &self.next
    }

    fn error(
        &mut self,
        _: f64,
        h: f64,
        y: &(S, S),
        tolerance: Tolerance,
    ) -> Result<f64, StepError> {
        if !self.next.is_finite() {
            return Ok(f64::NAN);
        }
        let [k, k1] = &self.slopes;
        self.scratch.lincomb(0.0, &[(0.5 * h, k1), (-0.5 * h, k)]);
        Ok(self.scratch.error_norm(&y.0, &self.next.0, tolerance))
    }

    fn accept(&mut self, y: &mut (S, S)) {
        std::mem::swap(y, &mut self.next);
        self.slopes.swap(0, 1);
    }

    fn restart(&mut self) {
        self.has_first = false;
    }

    fn nfe(&self) -> usize {
        self.nfe
    }

    fn interpolate(
        &mut self,
        _: f64,
        h: f64,
        theta: f64,
        y: &(S, S),
        out: &mut (S, S),
    ) -> Result<(), StepError> {
        let [k, k1] = &self.slopes;
        hermite(theta, h, (&y.0, k), (&self.next.0, k1), &mut out.0);
        out.1.assign(&out.0);
        Ok(())
    }

    fn hopeless(&self) -> bool {
        !self.slopes[0].is_finite()
    }
}
