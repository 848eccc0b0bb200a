//! Events: where a function of time and state changes sign.
//!
//! After each step every event function is looked at along the dense output; a change of sign is
//! located by a bracketing search to the last digits of the time. The state at the event is that of
//! the dense output, so it is as accurate as that: order 4 for the pairs of order 5.
//!
//! Cost: four evaluations of each function a step, some ten more at an event.
//!
//! References: T. Chandrupatla, *A new hybrid quadratic/bisection algorithm for finding the zero of a
//! nonlinear function without using derivatives*, 1997; L. Shampine, S. Thompson, *Event location for
//! ordinary differential equations*, 2000.

use ansatz_core::{Report, State, VectorField};

use crate::integrate::{Accepted, integrate};
use crate::solve::Options;
use crate::{RungeKutta, StepError, Stepper};

/// Which changes of sign count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both.
    #[default]
    Any,
    /// From negative to positive, in the order of the solve.
    Rising,
    /// From positive to negative.
    Falling,
}

/// What happens at an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// The solve ends there.
    #[default]
    Stop,
    /// It is noted, and the solve goes on.
    Note,
}

/// What to do when the function is zero at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AtStart {
    /// [`StepError::EventAtStart`]: is it an event or not?
    #[default]
    Refuse,
    /// It is none; the function's first sign is that which it takes on. So a ball that leaves the
    /// floor does not bounce at once.
    Wait,
}

/// An event: a sign change of `function`.
#[derive(Clone, Copy)]
pub struct Crossing<'a, S> {
    /// Its zeros are the events. It should be as smooth as the solution.
    pub function: &'a dyn Fn(f64, &S) -> f64,
    /// Which changes of sign count.
    pub direction: Direction,
    /// What happens then.
    pub action: Action,
    /// What to do when it is zero at the start.
    pub at_start: AtStart,
}

impl<'a, S> Crossing<'a, S> {
    /// An event that ends the solve, in both directions.
    pub fn new(function: &'a dyn Fn(f64, &S) -> f64) -> Self {
        Self {
            function,
            direction: Direction::default(),
            action: Action::default(),
            at_start: AtStart::default(),
        }
    }
}

/// An event that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<S> {
    /// Index of the event.
    pub index: usize,
    /// When.
    pub t: f64,
    /// The state then.
    pub state: S,
}

/// A solve with events.
#[derive(Debug, Clone)]
pub struct Outcome<S> {
    /// Time reached: the end, or that of the event that stopped the solve.
    pub t: f64,
    /// What happened, in order of time.
    pub hits: Vec<Hit<S>>,
    /// What it cost. `stopped_early` when an event ended it.
    pub report: Report,
}

/// Replaces `x`, the state at `times.0`, by the state at `times.1` or at the first event that stops.
///
/// An event function that changes sign twice within a quarter of a step is not seen; limit
/// [`Adaptive::longest`](crate::Adaptive::longest) where that may be.
///
/// # Errors
/// [`StepError::EventAtStart`]; [`StepError::NonFinite`] when an event function is not a number;
/// else as [`solve`](crate::solve). `x` is then unchanged.
///
/// ```
/// use ansatz_diffeq::{Crossing, Options, solve_events};
/// // A ball thrown up from 1 m at 2 m/s meets the floor.
/// let fall = |_: f64, x: &[f64; 2], dx: &mut [f64; 2]| {
///     *dx = [x[1], -9.81];
///     Ok(())
/// };
/// let height = |_: f64, x: &[f64; 2]| x[0];
/// let mut x = [1.0, 2.0];
/// let floor = [Crossing::new(&height)];
/// let outcome = solve_events(&fall, (0.0, 10.0), &mut x, &Options::default(), &floor)?;
/// let exact = (2.0 + (4.0_f64 + 2.0 * 9.81).sqrt()) / 9.81;
/// assert!((outcome.t - exact).abs() < 1e-12);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub fn solve_events<S, F>(
    field: &F,
    times: (f64, f64),
    x: &mut S,
    options: &Options,
    events: &[Crossing<'_, S>],
) -> Result<Outcome<S>, StepError>
where
    S: State,
    F: VectorField<S> + ?Sized,
{
    options.validate()?;
    let mut method = RungeKutta::new(options.tableau, field, x);
    let mut watch = Watch::new(events, times.0, x)?;
    let mut y = x.clone();
    let control = options.control();
    let mut look = |step: &mut Accepted<'_, S, _>| watch.look(step);
    let report = integrate(
        &mut method,
        &[times.0, times.1],
        &mut y,
        &control,
        &mut look,
    )?;
    *x = y;
    let hits = watch.hits;
    let t = match hits.last() {
        Some(hit) if report.stopped_early => hit.t,
        _ => times.1,
    };
    Ok(Outcome { t, hits, report })
}

/// Parts of a step at whose ends the functions are looked at.
const PARTS: usize = 4;

/// The event functions and their last values.
struct Watch<'a, S> {
    events: &'a [Crossing<'a, S>],
    /// Last value; a function that is 0 has no sign to change and waits for one.
    values: Vec<f64>,
    hits: Vec<Hit<S>>,
    inside: S,
}

impl<'a, S: State> Watch<'a, S> {
    fn new(events: &'a [Crossing<'a, S>], t: f64, x: &S) -> Result<Self, StepError> {
        let mut values = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let value = (event.function)(t, x);
            let waits = value == 0.0 && event.at_start == AtStart::Wait;
            if value.is_nan() || (value == 0.0 && !waits) {
                return Err(StepError::EventAtStart { index, t, value });
            }
            values.push(value);
        }
        Ok(Self {
            events,
            values,
            hits: Vec::new(),
            inside: x.zeros_like(),
        })
    }

    /// Notes the events of a step; the time of the first one that stops.
    fn look<M: Stepper<S> + ?Sized>(
        &mut self,
        step: &mut Accepted<'_, S, M>,
    ) -> Result<Option<f64>, StepError> {
        let mut from = step.start;
        for part in 1..=PARTS {
            let to = if part == PARTS {
                step.end
            } else {
                step.start + (step.end - step.start) * (part as f64 / PARTS as f64)
            };
            let seen = self.hits.len();
            for (index, event) in self.events.iter().enumerate() {
                let before = self.values[index];
                let after = value(event, step, to, &mut self.inside)?;
                self.values[index] = after;
                let rises = before < 0.0 && after >= 0.0;
                let falls = before > 0.0 && after <= 0.0;
                let counts = match event.direction {
                    Direction::Any => rises || falls,
                    Direction::Rising => rises,
                    Direction::Falling => falls,
                };
                if counts {
                    let t = root(event, step, (from, before), (to, after), &mut self.inside)?;
                    let mut state = self.inside.zeros_like();
                    step.at(t, &mut state)?;
                    self.hits.push(Hit { index, t, state });
                }
            }
            let new = &mut self.hits[seen..];
            new.sort_by(|a, b| (a.t * step.h.signum()).total_cmp(&(b.t * step.h.signum())));
            let stops = |hit: &Hit<S>| self.events[hit.index].action == Action::Stop;
            if let Some(first) = new.iter().position(stops) {
                self.hits.truncate(seen + first + 1);
                return Ok(self.hits.last().map(|hit| hit.t));
            }
            from = to;
        }
        Ok(None)
    }
}

/// The event function at a time inside the step.
fn value<S: State, M: Stepper<S> + ?Sized>(
    event: &Crossing<'_, S>,
    step: &mut Accepted<'_, S, M>,
    t: f64,
    inside: &mut S,
) -> Result<f64, StepError> {
    step.at(t, inside)?;
    let value = (event.function)(t, inside);
    if value.is_nan() {
        return Err(StepError::NonFinite {
            what: "the event function",
            t,
        });
    }
    Ok(value)
}

/// Chandrupatla's search between two times of different sign, to a few units of the last place.
fn root<S: State, M: Stepper<S> + ?Sized>(
    event: &Crossing<'_, S>,
    step: &mut Accepted<'_, S, M>,
    (mut a, mut fa): (f64, f64),
    (mut b, mut fb): (f64, f64),
    inside: &mut S,
) -> Result<f64, StepError> {
    if fb == 0.0 {
        return Ok(b);
    }
    let tolerance = 2.0 * f64::EPSILON * a.abs().max(b.abs());
    let mut part = 0.5;
    for _ in 0..100 {
        let t = a + part * (b - a);
        let f = value(event, step, t, inside)?;
        let (c, fc);
        if (f > 0.0) == (fa > 0.0) {
            (c, fc) = (a, fa);
        } else {
            (c, fc) = (b, fb);
            (b, fb) = (a, fa);
        }
        (a, fa) = (t, f);
        let (best, least) = if fa.abs() < fb.abs() {
            (a, fa)
        } else {
            (b, fb)
        };
        let relative = tolerance / (b - a).abs();
        if relative > 0.5 || least == 0.0 {
            return Ok(best);
        }
        let xi = (a - b) / (c - b);
        let phi = (fa - fb) / (fc - fb);
        // Inverse quadratic interpolation where it is known to stay inside, else halve.
        part = if phi * phi < xi && (1.0 - phi).powi(2) < 1.0 - xi {
            fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        } else {
            0.5
        };
        part = part.clamp(relative, 1.0 - relative);
    }
    Ok(if fa.abs() < fb.abs() { a } else { b })
}
