//! Front doors for ordinary differential equations.
//!
//! [`solve`] carries a state along dx/dt = f(t, x) with the steps of a table, all of equal size or
//! as long as a tolerance allows. Time may run backwards. The end is hit exactly. [`solve_at`]
//! gives the states at many times, [`solve_dense`](crate::solve_dense) at all times,
//! [`solve_events`](crate::solve_events) ends at an event.
//!
//! Cost: `stages` evaluations a step (one less if the last is reused, see
//! [`Tableau::reuses_last`]), memory for `stages + 3` states, nothing allocated in a step.
//!
//! Use it for equations that are not stiff. Reference: E. Hairer, S. Nørsett, G. Wanner, *Solving
//! ordinary differential equations I*, 2nd edition, 1993, section II.4.

use std::ops::ControlFlow;

use ansatz_core::{Event, NoiseLevel, Observer, Report, State, VectorField};

use crate::integrate::{Accepted, first_output, integrate};
use crate::{
    Adaptive, Control, OnStiff, RungeKutta, StepError, StepSize, Stepper, Tableau, tableau,
};

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The method.
    pub tableau: &'static Tableau,
    /// Equal steps or controlled ones.
    pub step: StepSize,
    /// Most steps, rejected ones included.
    pub max_steps: usize,
    /// Whether to look out for stiffness.
    pub on_stiff: OnStiff,
}

impl Default for Options {
    /// Tsitouras 5(4) with tolerances 1e-6 and up to 100 000 steps.
    fn default() -> Self {
        Self::new(&tableau::TSITOURAS, Control::default())
    }
}

impl Options {
    /// A method and how it chooses its steps.
    #[must_use]
    pub fn new(tableau: &'static Tableau, control: Control) -> Self {
        let Control {
            step,
            max_steps,
            on_stiff,
        } = control;
        Self {
            tableau,
            step,
            max_steps,
            on_stiff,
        }
    }

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
        Self::new(tableau, Control::fixed(steps))
    }

    /// The part that is not about the method.
    #[must_use]
    pub fn control(&self) -> Control {
        Control {
            step: self.step,
            max_steps: self.max_steps,
            on_stiff: self.on_stiff,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), StepError> {
        self.tableau.validate()?;
        if matches!(self.step, StepSize::Adaptive(_)) && self.tableau.error.is_empty() {
            return Err(StepError::Option {
                name: "tableau.error.len()",
                value: 0.0,
                allowed: "a table with an embedded method, or fixed steps",
            });
        }
        self.control().validate()
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
pub fn solve<S, F, O>(
    field: &F,
    times: (f64, f64),
    x: &mut S,
    options: &Options,
    observer: &mut O,
) -> Result<Report, StepError>
where
    S: State,
    F: VectorField<S> + ?Sized,
    O: Observer<S> + ?Sized,
{
    options.validate()?;
    let mut solution = x.clone();
    let mut method = RungeKutta::new(options.tableau, field, x);
    let times = [times.0, times.1];
    let planned = planned(options.step);
    let report = integrate(
        &mut method,
        &times,
        &mut solution,
        &options.control(),
        &mut |step: &mut Accepted<'_, S, _>| Ok(observe(observer, planned, step)),
    )?;
    *x = solution;
    Ok(report)
}

/// Steps that are planned, for the observer; 0 if that is not known.
fn planned(step: StepSize) -> usize {
    match step {
        StepSize::Fixed(n) => n,
        _ => 0,
    }
}

/// Shows a step to the observer; the end of the step if it breaks.
pub(crate) fn observe<S: State, M: Stepper<S> + ?Sized, O: Observer<S> + ?Sized>(
    observer: &mut O,
    planned: usize,
    step: &Accepted<'_, S, M>,
) -> Option<f64> {
    let Report { steps, nfe, .. } = step.report;
    let level = NoiseLevel::clean(step.end);
    let event = Event::new(steps, planned, nfe, level, step.next());
    (observer.on_step(&event) == ControlFlow::Break(())).then_some(step.end)
}

/// Writes the states at `times` into `out`, from the state `x` at the first of them.
///
/// Adaptive steps are not shortened for the outputs, which come from the method's dense output;
/// equal steps end at each of them.
///
/// # Errors
/// [`StepError`]: [`StepError::Count`] when `out` and `times` differ in length,
/// [`StepError::Times`] when the times are not in order. `out` may then hold part of the solution.
///
/// ```
/// use ansatz_diffeq::{Options, solve_at};
/// let turn = |_: f64, x: &[f64; 2], dx: &mut [f64; 2]| {
///     *dx = [-x[1], x[0]];
///     Ok(())
/// };
/// let times = [0.0, 1.0, 2.0];
/// let mut out = [[0.0; 2]; 3];
/// solve_at(&turn, &times, &[1.0, 0.0], &Options::tolerance(1e-10, 1e-10), &mut out)?;
/// assert!((out[2][0] - 2.0_f64.cos()).abs() < 1e-8);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub fn solve_at<S, F>(
    field: &F,
    times: &[f64],
    x: &S,
    options: &Options,
    out: &mut [S],
) -> Result<Report, StepError>
where
    S: State,
    F: VectorField<S> + ?Sized,
{
    options.validate()?;
    first_output(times, x, out)?;
    if times.is_empty() {
        return Ok(Report::default());
    }
    let mut y = x.clone();
    let mut method = RungeKutta::new(options.tableau, field, x);
    crate::integrate::outputs(&mut method, times, &mut y, &options.control(), out)
}
