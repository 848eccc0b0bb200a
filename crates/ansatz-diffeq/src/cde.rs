//! Controlled differential equations dz = G(t, z) dX(t): ordinary ones, with the derivative of a path in
//! them.
//!
//! [`solve`] takes z' = G(t, z)·X'(t) through any Runge-Kutta table. Where X' jumps, steps end and the method starts
//! anew, with the derivative on its own side; smooth paths need not be hit at their knots. The solution does not
//! depend on how fast the path is run through, so time belongs into the channels of X
//! ([`Series::with_time`](crate::path::Series::with_time)).
//!
//! The log-ODE method for long series is the same with the path of
//! [`windows`](crate::signature::windows): one step covers many observations.
//!
//! Cost: that of the table, with one application of G and one look at the path per stage.
//!
//! References: P. Kidger, J. Morrill, J. Foster, T. Lyons, *Neural controlled differential equations for
//! irregular time series*, 2020; J. Morrill, C. Salvi, P. Kidger, J. Foster, *Neural rough differential equations
//! for long time series*, 2021.

use ansatz_core::denoiser::Scratch;
use ansatz_core::{
    ControlField, EvalError, HostState, Observer, Report, State, VectorField, VjpControlField,
    VjpField,
};

use crate::adjoint::VjpDrive;
use crate::integrate::{Accepted, first_output, integrate, outputs_at_stops};
use crate::path::Path;
use crate::stepper::Drive;
use crate::{Options, RungeKutta, StepError, StepSize};

/// The field G(t, z)·X'(t) of an ordinary equation.
///
/// It is a [`VectorField`] and, if G has derivatives, a [`VjpField`]: any solver and adjoint takes it. Where
/// X' jumps it is the derivative on the right; [`solve`] minds the side.
pub struct Cde<'a, U, G: ?Sized> {
    field: &'a G,
    path: &'a Path,
    like: U,
    pool: Scratch<U>,
}

impl<'a, U: HostState, G: ?Sized> Cde<'a, U, G> {
    /// Drives `field` with `path`, whose derivative is handed over in a state like `control`.
    ///
    /// # Errors
    /// [`StepError::Count`] when `control` has not the path's width.
    pub fn new(field: &'a G, path: &'a Path, control: &U) -> Result<Self, StepError> {
        if control.len() != path.width() {
            return Err(StepError::Count {
                what: "numbers in a control",
                expected: path.width(),
                got: control.len(),
            });
        }
        Ok(Self {
            field,
            path,
            like: control.zeros_like(),
            pool: Scratch::default(),
        })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &'a Path {
        self.path
    }
}

impl<S: State, U: HostState, G: ControlField<S, U> + ?Sized> VectorField<S> for Cde<'_, U, G> {
    fn eval(&self, t: f64, z: &S, dz: &mut S) -> Result<(), EvalError> {
        self.pool.with(&self.like, |control| {
            self.path.derivative(t, control.as_mut_slice());
            self.field.apply(t, z, control, dz)
        })
    }
}

impl<S: State, U: HostState, G: VjpControlField<S, U> + ?Sized> VjpField<S> for Cde<'_, U, G> {
    fn params(&self) -> usize {
        self.field.control_params()
    }

    fn vjp(&self, t: f64, z: &S, w: &S, z_bar: &mut S, p_bar: &mut [f64]) -> Result<(), EvalError> {
        self.pool.with(&self.like, |control| {
            self.path.derivative(t, control.as_mut_slice());
            self.pool.with(&self.like, |unused| {
                self.field
                    .control_vjp(t, z, control, w, z_bar, unused, p_bar)
            })
        })
    }
}

/// A [`Cde`] that knows in which segment a step lies, and so on which side of a knot it is: the [`Drive`] that
/// [`solve`] uses, for steppers and [tapes](crate::adjoint::Tape) of one's own.
pub struct SidedCde<'a, 'b, U, G: ?Sized> {
    cde: &'b Cde<'a, U, G>,
    control: U,
    /// Derivatives by the control, which nobody needs.
    unused: U,
    /// The segment, if the step stays in one.
    pinned: Option<usize>,
    backward: bool,
}

impl<'a, 'b, U: HostState, G: ?Sized> SidedCde<'a, 'b, U, G> {
    /// For a solve over `times`, which tell the direction only. Steps must not go across a jump: have them end at
    /// [`stops`].
    pub fn new(equation: &'b Cde<'a, U, G>, times: (f64, f64)) -> Self {
        Self {
            cde: equation,
            control: equation.like.zeros_like(),
            unused: equation.like.zeros_like(),
            pinned: None,
            backward: times.1 < times.0,
        }
    }

    /// The segment that `t` is in, coming from the side that the solve starts on.
    fn segment(&self, t: f64) -> usize {
        let path = self.cde.path;
        let segment = path.segment(t);
        let on_knot = t <= path.knots()[segment];
        if self.backward && on_knot {
            segment.saturating_sub(1)
        } else {
            segment
        }
    }
}

impl<S: State, U: HostState, G: ControlField<S, U> + ?Sized> Drive<S> for SidedCde<'_, '_, U, G> {
    const STEADY: bool = true;

    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        let path = self.cde.path;
        let segment = path.segment(t + 0.5 * h);
        let (from, to) = (path.knots()[segment], path.knots()[segment + 1]);
        // Times are hit up to rounding.
        let slack = 1e-9 * (to - from);
        let (first, last) = (t.min(t + h), t.max(t + h));
        self.pinned = (first >= from - slack && last <= to + slack).then_some(segment);
        Ok(())
    }

    fn slope(&mut self, t: f64, z: &S, out: &mut S) -> Result<(), EvalError> {
        let segment = self.pinned.unwrap_or_else(|| self.segment(t));
        let path = self.cde.path;
        path.derivative_in(segment, t, self.control.as_mut_slice());
        self.cde.field.apply(t, z, &self.control, out)
    }
}

impl<S, U, G> VjpDrive<S> for SidedCde<'_, '_, U, G>
where
    S: State,
    U: HostState,
    G: VjpControlField<S, U> + ?Sized,
{
    fn params(&self) -> usize {
        self.cde.field.control_params()
    }

    fn vjp(
        &mut self,
        t: f64,
        z: &S,
        w: &S,
        z_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let segment = self.pinned.unwrap_or_else(|| self.segment(t));
        let path = self.cde.path;
        path.derivative_in(segment, t, self.control.as_mut_slice());
        self.cde
            .field
            .control_vjp(t, z, &self.control, w, z_bar, &mut self.unused, p_bar)
    }
}

/// At which times of the path steps have to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Stops {
    /// Where its derivative jumps: nowhere on a smooth path.
    #[default]
    AtJumps,
    /// At all its knots: with [`StepSize::Fixed`]`(1)` a step per observation.
    AtKnots,
}

/// Replaces `z`, the state at `times.0`, by the state at `times.1`; time may run backwards.
///
/// With equal steps, their number is that between two stops.
///
/// # Errors
/// [`StepError`]; `z` is then unchanged.
///
/// ```
/// use ansatz_diffeq::path::{Path, Series};
/// use ansatz_diffeq::{Options, cde};
/// // dz = z dX has the solution exp(X(t) − X(0))·z(0).
/// let series = Series::new(vec![0.0, 0.4, 2.0], vec![1.0, 3.0, 0.5], 1, 1)?;
/// let path = Path::linear(&series)?;
/// let field = |_: f64, z: &[f64; 1], dx: &[f64; 1], out: &mut [f64; 1]| {
///     out[0] = z[0] * dx[0];
///     Ok(())
/// };
/// let equation = cde::Cde::new(&field, &path, &[0.0; 1])?;
/// let mut z = [1.0];
/// let options = Options::tolerance(1e-10, 1e-10);
/// cde::solve(&equation, (0.0, 2.0), &mut z, cde::Stops::AtJumps, &options, &mut ())?;
/// assert!((z[0] - (-0.5_f64).exp()).abs() < 1e-8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve<S, U, G, O>(
    equation: &Cde<'_, U, G>,
    times: (f64, f64),
    z: &mut S,
    at: Stops,
    options: &Options,
    observer: &mut O,
) -> Result<Report, StepError>
where
    S: State,
    U: HostState,
    G: ControlField<S, U> + ?Sized,
    O: Observer<S> + ?Sized,
{
    options.validate()?;
    let hit = stops(equation.path, at, &[times.0, times.1]);
    let planned = match options.step {
        StepSize::Fixed(n) => n * (hit.len() - 1),
        _ => 0,
    };
    let mut solution = z.clone();
    let drive = SidedCde::new(equation, times);
    let mut method = RungeKutta::new(options.tableau, drive, z);
    let report = integrate(
        &mut method,
        &hit,
        &mut solution,
        &options.control(),
        &mut |step: &mut Accepted<'_, S, _>| Ok(crate::solve::observe(observer, planned, step)),
    )?;
    *z = solution;
    Ok(report)
}

/// Writes the states at `times` into `out`, from the state `z` at the first of them. Steps end at all of them.
///
/// # Errors
/// [`StepError`]: [`StepError::Count`] when `out` and `times` differ in length, [`StepError::Times`] when the times are
/// not in order. `out` may then hold part of the solution.
pub fn solve_at<S, U, G>(
    equation: &Cde<'_, U, G>,
    times: &[f64],
    z: &S,
    at: Stops,
    options: &Options,
    out: &mut [S],
) -> Result<Report, StepError>
where
    S: State,
    U: HostState,
    G: ControlField<S, U> + ?Sized,
{
    options.validate()?;
    first_output(times, z, out)?;
    let (Some(start), Some(end)) = (times.first(), times.last()) else {
        return Ok(Report::default());
    };
    let hit = stops(equation.path, at, times);
    let drive = SidedCde::new(equation, (*start, *end));
    let mut solution = z.clone();
    let mut method = RungeKutta::new(options.tableau, drive, z);
    outputs_at_stops(
        &mut method,
        &hit,
        times,
        &mut solution,
        &options.control(),
        out,
    )
}

/// `times`, in order, with the stops of the path between them: what a solve has to hit.
#[must_use]
pub fn stops(path: &Path, at: Stops, times: &[f64]) -> Vec<f64> {
    let candidates = match at {
        Stops::AtJumps => path.jumps(),
        Stops::AtKnots => path.knots(),
    };
    let mut all = Vec::with_capacity(times.len() + candidates.len());
    for (i, pair) in times.windows(2).enumerate() {
        if i == 0 {
            all.push(pair[0]);
        }
        let (low, high) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        let from = candidates.partition_point(|t| *t <= low);
        let to = candidates.partition_point(|t| *t < high).max(from);
        let between = candidates[from..to].iter();
        if pair[1] < pair[0] {
            all.extend(between.rev());
        } else {
            all.extend(between);
        }
        all.push(pair[1]);
    }
    if times.len() == 1 {
        all.push(times[0]);
    }
    all
}
