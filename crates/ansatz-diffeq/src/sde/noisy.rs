//! Noise as part of the slope.

use std::marker::PhantomData;

use ansatz_core::{EvalError, Sde, State, Tolerance, VjpControlField, VjpField};

use crate::adjoint::VjpDrive;
use crate::brownian::{Brownian, Increment};
use crate::stepper::Drive;
use crate::{ReversibleHeun, StepError, Stepper};

/// The slope f + G·ΔW/h of a stochastic equation over the step at hand: what lets tables for ordinary
/// equations treat noise.
///
/// Steps may go backwards in time; they see the increment from the later time to the earlier one.
pub struct NoisyField<'a, S, W, E: ?Sized, B: ?Sized> {
    equation: &'a E,
    path: &'a mut B,
    step: Step<W>,
    drift: S,
    /// Cotangents of the increment, of the state through G, and of G·ΔW, once there is a gradient.
    bars: Option<(W, S, S)>,
}

impl<'a, S, W, E, B> NoisyField<'a, S, W, E, B>
where
    S: State,
    W: State,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    /// Allocates for states like `like`.
    pub fn new(equation: &'a E, path: &'a mut B, like: &S) -> Self {
        let step = Step::new(path);
        Self {
            equation,
            path,
            step,
            drift: like.zeros_like(),
            bars: None,
        }
    }

    /// What the path did over the step at hand.
    pub fn increment(&self) -> &Increment<W> {
        &self.step.increment
    }
}

impl<S, W, E, B> Drive<S> for NoisyField<'_, S, W, E, B>
where
    S: State,
    W: State,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    const STEADY: bool = false;

    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        // Backwards, −W/h and W/|h| are the same.
        self.step.query(self.path, t.min(t + h), h.abs())
    }

    #[inline]
    fn slope(&mut self, t: f64, x: &S, out: &mut S) -> Result<(), EvalError> {
        let increment = &self.step.increment;
        self.equation.eval(t, x, &mut self.drift)?;
        self.equation.apply(t, x, increment.w(), out)?;
        for (what, state) in [("drift", &self.drift), ("diffusion", &*out)] {
            if state.len() != x.len() {
                return Err(EvalError::Length {
                    what,
                    expected: x.len(),
                    got: state.len(),
                });
            }
        }
        out.lincomb(1.0 / self.step.h, &[(1.0, &self.drift)]);
        Ok(())
    }
}

/// Gradients on a fixed path: the discrete ones of a [`Tape`](crate::adjoint::Tape), and
/// [`reversible`](crate::adjoint::reversible).
impl<S, W, E, B> VjpDrive<S> for NoisyField<'_, S, W, E, B>
where
    S: State,
    W: State,
    E: Sde<S, W> + VjpField<S> + VjpControlField<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    fn params(&self) -> usize {
        VjpField::params(self.equation)
    }

    fn vjp(
        &mut self,
        t: f64,
        x: &S,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let increment = self.step.increment.w();
        let (u_bar, through, scaled) = self
            .bars
            .get_or_insert_with(|| (increment.zeros_like(), x.zeros_like(), x.zeros_like()));
        VjpField::vjp(self.equation, t, x, w, x_bar, p_bar)?;
        // The slope has G·ΔW/h.
        scaled.lincomb(0.0, &[(1.0 / self.step.h, w)]);
        self.equation
            .control_vjp(t, x, increment, scaled, through, u_bar, p_bar)?;
        x_bar.lincomb(1.0, &[(1.0, through)]);
        Ok(())
    }
}

/// The increments of the step at hand.
pub(super) struct Step<W> {
    pub(super) increment: Increment<W>,
    h: f64,
}

impl<W: State> Step<W> {
    pub(super) fn new<B: Brownian<W> + ?Sized>(path: &B) -> Self {
        Self {
            increment: Increment::new(path.like(), path.levels()),
            h: 0.0,
        }
    }

    /// Asks for [t, t + h].
    pub(super) fn query<B: Brownian<W> + ?Sized>(
        &mut self,
        path: &mut B,
        t: f64,
        h: f64,
    ) -> Result<(), StepError> {
        let (start, end) = path.span();
        // t + h is rounded and may pass the end by that.
        let rounding = 4.0 * f64::EPSILON * start.abs().max(end.abs());
        let (mut a, mut b) = (t, t + h);
        if a < start && a >= start - rounding {
            a = start;
        }
        if b > end && b <= end + rounding {
            b = end;
        }
        path.query(a, b, &mut self.increment)?;
        self.h = h;
        Ok(())
    }
}

/// The reversible Heun method on single states: the second one is kept inside.
pub struct Unpaired<S, D> {
    pairs: ReversibleHeun<S, D>,
    state: (S, S),
    fresh: bool,
    drive: PhantomData<D>,
}

impl<S: State, D: Drive<S>> Unpaired<S, D> {
    /// Wraps a method on pairs.
    pub fn new(pairs: ReversibleHeun<S, D>, like: &S) -> Self {
        Self {
            pairs,
            state: (like.zeros_like(), like.zeros_like()),
            fresh: true,
            drive: PhantomData,
        }
    }
}

impl<S: State, D: Drive<S>> Stepper<S> for Unpaired<S, D> {
    fn error_order(&self) -> Option<f64> {
        self.pairs.error_order()
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        if self.fresh {
            self.state.0.assign(y);
            self.state.1.assign(y);
            self.fresh = false;
        }
        self.pairs.attempt(t, h, &self.state)
    }

    fn next(&self) -> &S {
        &self.pairs.next().0
    }

    fn error(&mut self, t: f64, h: f64, _: &S, tolerance: Tolerance) -> Result<f64, StepError> {
        self.pairs.error(t, h, &self.state, tolerance)
    }

    fn accept(&mut self, y: &mut S) {
        self.pairs.accept(&mut self.state);
        y.assign(&self.state.0);
    }

    fn restart(&mut self) {
        self.pairs.restart();
        self.fresh = true;
    }

    fn nfe(&self) -> usize {
        self.pairs.nfe()
    }
}
