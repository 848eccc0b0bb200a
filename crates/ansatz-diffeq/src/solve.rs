//! From one time to another.
//!
//! [`solve`] carries a state along dx/dt = f(t, x) with the steps of a table, all of equal size or
//! as long as a tolerance allows. Time may run backwards. The end is hit exactly.
//!
//! Cost: `stages` evaluations a step (one less if the last is reused, see
//! [`Tableau::reuses_last`]), memory for `stages + 2` states, nothing allocated in a step.
//!
//! Use it for equations that are not stiff. Reference: E. Hairer, S. Nørsett, G. Wanner, *Solving
//! ordinary differential equations I*, 2nd edition, 1993, section II.4.

use std::ops::ControlFlow;

use ansatz_core::{Event, NoiseLevel, Observer, Report, State, VectorField};

use crate::control::{self, Adaptive, Controller, Decision, StepSize};
use crate::step::{Estimate, Stepper};
use crate::{StepError, Tableau, tableau};

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The method.
    pub tableau: &'static Tableau,
    /// Equal steps or controlled ones.
    pub step: StepSize,
    /// Most steps of a controlled solve, rejected ones included.
    pub max_steps: usize,
}

impl Default for Options {
    /// Tsitouras 5(4) with tolerances 1e-6 and up to 100 000 steps.
    fn default() -> Self {
        Self {
            tableau: &tableau::TSITOURAS,
            step: StepSize::Adaptive(Adaptive::default()),
            max_steps: 100_000,
        }
    }
}

impl Options {
    /// The default method with other tolerances.
    #[must_use]
    pub fn tolerance(atol: f64, rtol: f64) -> Self {
        Self {
            step: StepSize::Adaptive(Adaptive::new(atol, rtol)),
            ..Self::default()
        }
    }

    /// `steps` equal steps of a method.
    #[must_use]
    pub fn fixed(tableau: &'static Tableau, steps: usize) -> Self {
        Self {
            tableau,
            step: StepSize::Fixed(steps),
            ..Self::default()
        }
    }

    fn validate(&self) -> Result<(), StepError> {
        self.tableau.validate()?;
        match self.step {
            StepSize::Fixed(0) => Err(StepError::Option {
                name: "steps",
                value: 0.0,
                allowed: "at least 1",
            }),
            StepSize::Fixed(_) => Ok(()),
            StepSize::Adaptive(_) if self.tableau.error.is_empty() => Err(StepError::Option {
                name: "tableau.error.len()",
                value: 0.0,
                allowed: "a table with an embedded method, or fixed steps",
            }),
            StepSize::Adaptive(settings) => settings.validate(),
        }
    }
}

/// Replaces `x`, the state at `times.0`, by the state at `times.1`.
///
/// The observer sees every accepted step; its [`Event::level`] is the noiseless level at the time
/// reached, and [`Event::steps`] is 0 when steps are controlled. If it breaks, `x` is the state then.
/// Equal times are no error and evaluate nothing.
///
/// # Errors
/// [`StepError`]; `x` is then unchanged.
///
/// ```
/// use ansatz_diffeq::{Options, solve, tableau};
/// let decay = |_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
///     dx[0] = -x[0];
///     Ok(())
/// };
/// let mut x = vec![1.0];
/// solve(&decay, (0.0, 2.0), &mut x, &Options::fixed(&tableau::RK4, 100), &mut ())?;
/// assert!((x[0] - (-2.0_f64).exp()).abs() < 1e-9);
/// solve(&decay, (2.0, 0.0), &mut x, &Options::tolerance(1e-9, 1e-9), &mut ())?; // and back
/// assert!((x[0] - 1.0).abs() < 1e-7);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub fn solve<S: State>(
    field: &dyn VectorField<S>,
    times: (f64, f64),
    x: &mut S,
    options: &Options,
    observer: &mut dyn Observer<S>,
) -> Result<Report, StepError> {
    options.validate()?;
    let (start, end) = times;
    for (name, value) in [("times.0", start), ("times.1", end)] {
        if !value.is_finite() {
            return Err(StepError::Option {
                name,
                value,
                allowed: "a finite time",
            });
        }
    }
    if !x.is_finite() {
        return Err(StepError::NonFinite {
            what: "the initial state",
            t: start,
        });
    }
    let length = (end - start).abs();
    if length <= 0.0 {
        return Ok(Report::default());
    }
    let estimate = match options.step {
        StepSize::Fixed(_) => Estimate::None,
        StepSize::Adaptive(_) => Estimate::EveryStep,
    };
    let stepper = Stepper::new(options.tableau, field, x, estimate);
    let mut solution = x.clone();
    let report = match options.step {
        StepSize::Fixed(steps) => fixed(stepper, times, steps, &mut solution, observer),
        StepSize::Adaptive(settings) => {
            adaptive(stepper, times, settings, options, &mut solution, observer)
        }
    }?;
    *x = solution;
    Ok(report)
}

/// Reports a finished step; `true` when the observer breaks.
fn stops<S: State>(
    observer: &mut dyn Observer<S>,
    report: &mut Report,
    planned: usize,
    t: f64,
    y: &S,
) -> bool {
    let event = Event::new(report.steps, planned, report.nfe, NoiseLevel::clean(t), y);
    report.stopped_early = observer.on_step(&event) == ControlFlow::Break(());
    report.stopped_early
}

fn fixed<S: State>(
    mut stepper: Stepper<'_, S>,
    (start, end): (f64, f64),
    steps: usize,
    y: &mut S,
    observer: &mut dyn Observer<S>,
) -> Result<Report, StepError> {
    let h = (end - start) / steps as f64;
    let mut report = Report::default();
    for i in 0..steps {
        let t = start + i as f64 * h;
        stepper.attempt(t, h, y)?;
        if !stepper.next.is_finite() {
            return Err(stepper.broken(t, h));
        }
        stepper.accept(y);
        report.steps += 1;
        report.nfe = stepper.nfe;
        let reached = if i + 1 == steps { end } else { t + h };
        if stops(observer, &mut report, steps, reached, y) {
            break;
        }
    }
    Ok(report)
}

fn adaptive<S: State>(
    mut stepper: Stepper<'_, S>,
    (start, end): (f64, f64),
    settings: Adaptive,
    options: &Options,
    y: &mut S,
    observer: &mut dyn Observer<S>,
) -> Result<Report, StepError> {
    let order = options.tableau.order;
    let mut control = Controller::new(settings, order);
    let mut report = Report::default();
    let mut t = start;
    // Sizes are positive; the direction is put in where they are used.
    let mut size = control::first_step(&mut stepper, &settings, order, (start, end), y)?;
    // Below this a step loses digits of the time itself.
    let smallest = 16.0 * f64::EPSILON * start.abs().max(end.abs());
    loop {
        if report.steps + report.rejected == options.max_steps {
            let max_steps = options.max_steps;
            return Err(StepError::TooManySteps { max_steps, t, end });
        }
        let left = (end - t).abs();
        size = size.min(settings.longest);
        let last = size >= left;
        let h = size.min(left).copysign(end - start);
        stepper.attempt(t, h, y)?;
        let error = stepper.error(h, y, settings.tolerance);
        match control.decide(error) {
            Decision::Accept(factor) => {
                t = if last { end } else { t + h };
                size = h.abs() * factor;
                stepper.accept(y);
                report.steps += 1;
                report.nfe = stepper.nfe;
                if stops(observer, &mut report, 0, t, y) || last {
                    return Ok(report);
                }
            }
            Decision::Reject(factor) => {
                report.rejected += 1;
                size = h.abs() * factor;
                if error.is_nan() && (size <= smallest || !stepper.first_is_finite()) {
                    return Err(stepper.broken(t, h));
                }
                if size <= smallest {
                    return Err(StepError::StepTooSmall { t, h: size, error });
                }
            }
        }
    }
}
