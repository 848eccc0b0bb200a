//! Step doubling: an error estimate for methods that have none.

use ansatz_core::{State, Tolerance};

use super::Stepper;
use crate::{Adaptive, StepError};

/// Two half steps of a method, with their difference to one whole step as the error estimate.
///
/// Cost: three steps of the method for each. What a method carries from step to step is not used: every step starts
/// anew. For stochastic equations all three steps see the same path.
///
/// Source: E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd edition, 1993, section
/// II.4.
///
/// ```
/// use ansatz_diffeq::stepper::Doubling;
/// use ansatz_diffeq::{Adaptive, Control, RungeKutta, integrate, tableau};
/// let decay = |_: f64, x: &[f64; 1], dx: &mut [f64; 1]| {
///     dx[0] = -x[0];
///     Ok(())
/// };
/// let mut y = [1.0];
/// // RK4 has no embedded method; its error in a step shrinks as h⁵.
/// let rk4 = RungeKutta::new(&tableau::RK4, &decay, &y);
/// let mut method = Doubling::new(Box::new(rk4), 5.0, &y);
/// let settings = Adaptive { first: Some(0.1), ..Adaptive::new(1e-9, 1e-9) };
/// integrate(&mut method, &[0.0, 1.0], &mut y, &Control::adaptive(settings), &mut ())?;
/// assert!((y[0] - (-1.0_f64).exp()).abs() < 1e-8);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub struct Doubling<'a, S> {
    method: Box<dyn Stepper<S> + 'a>,
    order: f64,
    whole: S,
    middle: S,
    next: S,
}

impl<'a, S: State> Doubling<'a, S> {
    /// Wraps a method whose error in a step shrinks as h to the power of `order`; for stochastic equations the
    /// strong order and ½.
    pub fn new(method: Box<dyn Stepper<S> + 'a>, order: f64, like: &S) -> Self {
        Self {
            method,
            order,
            whole: like.zeros_like(),
            middle: like.zeros_like(),
            next: like.zeros_like(),
        }
    }
}

impl<S: State> Stepper<S> for Doubling<'_, S> {
    fn error_order(&self) -> Option<f64> {
        Some(self.order)
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        let half = 0.5 * h;
        let method = &mut self.method;
        method.restart();
        method.attempt(t, h, y)?;
        self.whole.assign(method.next());
        method.restart();
        method.attempt(t, half, y)?;
        self.middle.assign(method.next());
        method.restart();
        method.attempt(t + half, h - half, &self.middle)?;
        self.next.assign(method.next());
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    fn error(&mut self, _: f64, _: f64, y: &S, tolerance: Tolerance) -> Result<f64, StepError> {
        self.whole.lincomb(-1.0, &[(1.0, &self.next)]);
        if !(self.whole.is_finite() && self.next.is_finite()) {
            return Ok(f64::NAN);
        }
        Ok(self.whole.error_norm(y, &self.next, tolerance))
    }

    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
    }

    fn restart(&mut self) {
        self.method.restart();
    }

    fn nfe(&self) -> usize {
        self.method.nfe()
    }

    fn first_step(
        &mut self,
        times: (f64, f64),
        y: &S,
        settings: &Adaptive,
    ) -> Result<f64, StepError> {
        self.method.first_step(times, y, settings)
    }

    fn broken(&self, t: f64, h: f64) -> StepError {
        self.method.broken(t, h)
    }
}
