//! The one loop: time, step size and acceptance for every stepper.
//!
//! [`integrate`] carries a state through a list of times. Between them a method
//! ([`Stepper`]) proposes steps and the controller decides; each accepted step is shown to a
//! visitor before the state moves on, with dense output at hand. Outputs, dense solutions, events,
//! recordings and observers are visitors.
//!
//! Cost: that of the method. Nothing is allocated in a step.

use ansatz_core::{Report, State};

use crate::control::{Adaptive, Controller, Decision};
use crate::{Control, OnStiff, StepError, StepSize, Stepper};

/// An accepted step, shown to the visitor before the state moves on.
pub struct Accepted<'a, S, M: ?Sized> {
    /// Time before the step.
    pub start: f64,
    /// Time after it.
    pub end: f64,
    /// Signed size that the method used.
    pub h: f64,
    /// Scaled error; 0 when steps are not controlled.
    pub error: f64,
    /// State before the step.
    pub state: &'a S,
    /// Steps, evaluations and rejections, this step included.
    pub report: Report,
    /// The method, holding the attempted step.
    pub method: &'a mut M,
}

impl<S: State, M: Stepper<S> + ?Sized> Accepted<'_, S, M> {
    /// State after the step.
    pub fn next(&self) -> &S {
        self.method.next()
    }

    /// `out ←` the state at time `t` inside the step.
    ///
    /// # Errors
    /// [`StepError::Eval`] when dense output needs another evaluation and that fails.
    pub fn at(&mut self, t: f64, out: &mut S) -> Result<(), StepError> {
        if same(t, self.end) {
            out.assign(self.method.next());
            return Ok(());
        }
        let theta = (t - self.start) / self.h;
        self.method
            .interpolate(self.start, self.h, theta, self.state, out)
    }
}

/// Sees every accepted step, and may end the solve inside it. `()` sees nothing; closures
/// `|step: &mut Accepted<'_, _, _>| Ok(None)` are visitors.
pub trait Visitor<S, M: ?Sized> {
    /// Called after each accepted step; `Some(t)`, a time within the step, ends the solve there.
    ///
    /// # Errors
    /// Whatever it wants the solve to end with.
    fn visit(&mut self, step: &mut Accepted<'_, S, M>) -> Result<Option<f64>, StepError>;
}

impl<S, M: ?Sized> Visitor<S, M> for () {
    fn visit(&mut self, _: &mut Accepted<'_, S, M>) -> Result<Option<f64>, StepError> {
        Ok(None)
    }
}

impl<S, M: ?Sized, F> Visitor<S, M> for F
where
    F: FnMut(&mut Accepted<'_, S, M>) -> Result<Option<f64>, StepError>,
{
    fn visit(&mut self, step: &mut Accepted<'_, S, M>) -> Result<Option<f64>, StepError> {
        self(step)
    }
}

/// Carries `y` from the first of `times` to the last; the steps end exactly at each of them, and at
/// the inner ones the method starts afresh, as jumps of the problem ask for.
///
/// `visitor` sees every accepted step. Fewer than two times, or two that are equal, leave nothing to do.
///
/// # Errors
/// [`StepError`]; `y` may then be any state on the way.
pub fn integrate<S, M, V>(
    method: &mut M,
    times: &[f64],
    y: &mut S,
    control: &Control,
    visitor: &mut V,
) -> Result<Report, StepError>
where
    S: State,
    M: Stepper<S> + ?Sized,
    V: Visitor<S, M> + ?Sized,
{
    control.validate()?;
    let (start, end) = interval(times)?;
    if !y.is_finite() {
        return Err(StepError::NonFinite {
            what: "the initial state",
            t: start,
        });
    }
    if same(start, end) {
        return Ok(Report::default());
    }
    let mut walk = Walk {
        method,
        visitor,
        report: Report::default(),
        max_steps: control.max_steps,
        end,
    };
    match control.step {
        StepSize::Adaptive(settings) => walk.adaptive(times, y, settings, control.on_stiff)?,
        other => walk.uncontrolled(times, y, other)?,
    }
    Ok(walk.report)
}

/// Whether two numbers are equal to the last bit (or both zero).
pub(crate) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.0
}

/// First and last time, once they are known to be in order.
pub(crate) fn interval(times: &[f64]) -> Result<(f64, f64), StepError> {
    let (Some(start), Some(end)) = (times.first(), times.last()) else {
        return Ok((0.0, 0.0));
    };
    for (name, value) in [("the first time", *start), ("the last time", *end)] {
        if !value.is_finite() {
            return Err(StepError::Option {
                name,
                value,
                allowed: "a finite time",
            });
        }
    }
    let direction = (end - start).signum();
    for (i, pair) in times.windows(2).enumerate() {
        let forward = (pair[1] - pair[0]) * direction > 0.0;
        let nothing = times.len() == 2 && same(*start, *end);
        if !(forward || nothing) {
            return Err(StepError::Times {
                index: i + 1,
                value: pair[1],
                before: pair[0],
            });
        }
    }
    Ok((*start, *end))
}

/// A solve on its way.
struct Walk<'a, M: ?Sized, V: ?Sized> {
    method: &'a mut M,
    visitor: &'a mut V,
    report: Report,
    max_steps: usize,
    end: f64,
}

impl<M: ?Sized, V: ?Sized> Walk<'_, M, V> {
    fn budget(&self, t: f64) -> Result<(), StepError> {
        if self.report.steps + self.report.rejected < self.max_steps {
            return Ok(());
        }
        Err(StepError::TooManySteps {
            max_steps: self.max_steps,
            t,
            end: self.end,
        })
    }

    /// Shows the attempted step and makes it the state; `true` when the visitor ends the solve.
    #[inline]
    fn accept<S: State>(
        &mut self,
        (start, end): (f64, f64),
        h: f64,
        error: f64,
        y: &mut S,
    ) -> Result<bool, StepError>
    where
        M: Stepper<S>,
        V: Visitor<S, M>,
    {
        self.report.steps += 1;
        self.report.nfe = self.method.nfe();
        let mut step = Accepted {
            start,
            end,
            h,
            error,
            state: y,
            report: self.report,
            method: self.method,
        };
        let Some(stop) = self.visitor.visit(&mut step)? else {
            self.method.accept(y);
            return Ok(false);
        };
        self.report.stopped_early = true;
        if same(stop, end) {
            self.method.accept(y);
        } else {
            let mut inside = y.zeros_like();
            step.at(stop, &mut inside)?;
            *y = inside;
        }
        self.report.nfe = self.method.nfe();
        Ok(true)
    }

    fn uncontrolled<S: State>(
        &mut self,
        times: &[f64],
        y: &mut S,
        size: StepSize,
    ) -> Result<(), StepError>
    where
        M: Stepper<S>,
        V: Visitor<S, M>,
    {
        for (leg, pair) in times.windows(2).enumerate() {
            let (start, end) = (pair[0], pair[1]);
            if leg > 0 {
                self.method.restart();
            }
            let (steps, h) = match size {
                StepSize::Constant(h) => {
                    // A rest shorter than rounding is not a step.
                    let count = ((end - start).abs() / h * (1.0 - 4.0 * f64::EPSILON)).ceil();
                    (count.max(1.0) as usize, h.copysign(end - start))
                }
                StepSize::Fixed(n) => (n, (end - start) / n as f64),
                StepSize::Adaptive(_) => return Ok(()),
            };
            for i in 0..steps {
                let t = start + i as f64 * h;
                self.budget(t)?;
                let last = i + 1 == steps;
                let next = if last {
                    end
                } else {
                    start + (i + 1) as f64 * h
                };
                let h = match size {
                    StepSize::Constant(_) if last => end - t,
                    _ => h,
                };
                self.method.attempt(t, h, y)?;
                if !self.method.next().is_finite() {
                    return Err(self.method.broken(t, h));
                }
                if self.accept((t, next), h, 0.0, y)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn adaptive<S: State>(
        &mut self,
        times: &[f64],
        y: &mut S,
        settings: Adaptive,
        on_stiff: OnStiff,
    ) -> Result<(), StepError>
    where
        M: Stepper<S>,
        V: Visitor<S, M>,
    {
        let Some(order) = self.method.error_order() else {
            return Err(StepError::Option {
                name: "error_order",
                value: 0.0,
                allowed: "a method with an error estimate, or steps that are not adaptive",
            });
        };
        let mut control = Controller::new(settings, order);
        let mut stiff = StiffnessWatch::default();
        let start = times[0];
        // Sizes are positive; the direction is put in where they are used.
        let mut size = self.method.first_step((start, self.end), y, &settings)?;
        // Below this a step loses digits of the time itself.
        let rounding = 16.0 * f64::EPSILON * start.abs().max(self.end.abs());
        let smallest = rounding.max(settings.shortest);
        for (leg, pair) in times.windows(2).enumerate() {
            let (mut t, end) = (pair[0], pair[1]);
            if leg > 0 {
                self.method.restart();
            }
            loop {
                self.budget(t)?;
                let left = (end - t).abs();
                size = size.min(settings.longest);
                let last = size >= left;
                let h = size.min(left).copysign(end - t);
                self.method.attempt(t, h, y)?;
                let error = self.method.error(t, h, y, settings.tolerance)?;
                match control.decide(error) {
                    Decision::Accept(factor) => {
                        if on_stiff == OnStiff::Refuse
                            && let Some(s) = self.method.stiffness()
                            && stiff.sees(s.size > StiffnessWatch::NEAR * s.limit)
                        {
                            let (size, limit) = (s.size, s.limit);
                            return Err(StepError::Stiff { t, h, size, limit });
                        }
                        let next = if last { end } else { t + h };
                        if self.accept((t, next), h, error, y)? {
                            return Ok(());
                        }
                        t = next;
                        // A step that was cut to end at `end` says little about the next one.
                        size = if last {
                            size.max(h.abs() * factor)
                        } else {
                            h.abs() * factor
                        };
                        if last {
                            break;
                        }
                    }
                    Decision::Reject(factor) => {
                        self.report.rejected += 1;
                        size = h.abs() * factor;
                        if error.is_nan() && (size <= smallest || self.method.hopeless()) {
                            return Err(self.method.broken(t, h));
                        }
                        if size <= smallest {
                            return Err(StepError::StepTooSmall { t, h: size, error });
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Counts the steps of the last 20 that were limited by stability (E. Hairer, G. Wanner, *Solving
/// ordinary differential equations II*, section IV.2).
#[derive(Default)]
struct StiffnessWatch {
    recent: u32,
}

impl StiffnessWatch {
    /// Part of the interval of stability from which a step counts as limited by it: the safety of the
    /// controller keeps steps below the whole.
    const NEAR: f64 = 0.75;
    const WINDOW: u32 = 20;
    const ENOUGH: u32 = 15;

    /// Notes one step; `true` when the problem looks stiff.
    fn sees(&mut self, limited: bool) -> bool {
        self.recent = (self.recent << 1 | u32::from(limited)) & ((1 << Self::WINDOW) - 1);
        self.recent.count_ones() >= Self::ENOUGH
    }
}

/// [`integrate`] over the times `hit`, which contain `times`: writes the states at `times` from the second on into
/// `out`. Nothing is interpolated.
pub(crate) fn outputs_at_stops<S, M>(
    method: &mut M,
    hit: &[f64],
    times: &[f64],
    y: &mut S,
    control: &Control,
    out: &mut [S],
) -> Result<Report, StepError>
where
    S: State,
    M: Stepper<S> + ?Sized,
{
    let mut next = 1;
    integrate(method, hit, y, control, &mut |step: &mut Accepted<
        '_,
        S,
        M,
    >| {
        if next < times.len() && (step.end - times[next]) * step.h >= 0.0 {
            out[next].assign(step.next());
            next += 1;
        }
        Ok(None)
    })
}

/// Whether `out` has a state like `like` for each of `times`; the first of them becomes `like`.
pub(crate) fn first_output<S: State>(
    times: &[f64],
    like: &S,
    out: &mut [S],
) -> Result<(), StepError> {
    if out.len() != times.len() {
        return Err(StepError::Count {
            what: "output states",
            expected: times.len(),
            got: out.len(),
        });
    }
    if let Some(other) = out.iter().find(|s| !s.same_shape(like)) {
        return Err(StepError::Count {
            what: "elements of an output state",
            expected: like.len(),
            got: other.len(),
        });
    }
    if let Some(first) = out.first_mut() {
        first.assign(like);
    }
    Ok(())
}

/// [`integrate`] that writes the states at `times` from the second on into `out`, whose first state is
/// left alone. Adaptive steps are not cut at the times, equal ones end there.
pub(crate) fn outputs<S, M>(
    method: &mut M,
    times: &[f64],
    y: &mut S,
    control: &Control,
    out: &mut [S],
) -> Result<Report, StepError>
where
    S: State,
    M: Stepper<S> + ?Sized,
{
    let (start, end) = interval(times)?;
    let ends = [start, end];
    let hit = match control.step {
        StepSize::Adaptive(_) => &ends,
        _ => times,
    };
    let mut next = 1;
    let report = integrate(method, hit, y, control, &mut |step: &mut Accepted<
        '_,
        S,
        M,
    >| {
        while next < times.len() && (step.end - times[next]) * step.h >= 0.0 {
            step.at(times[next], &mut out[next])?;
            next += 1;
        }
        Ok(None)
    })?;
    for state in &mut out[next..] {
        state.assign(y);
    }
    Ok(report)
}
