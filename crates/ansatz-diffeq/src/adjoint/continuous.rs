//! Optimise, then discretise: the adjoint equation solved backwards.
//!
//! With a(t) = ∂L/∂y(t): a' = −(∂f/∂y)ᵀa, g' = −(∂f/∂p)ᵀa, from a = ȳₙ, g = 0 at the end to the start,
//! with ȳᵢ added to a at each output. Exact only in the limit of small tolerances.
//!
//! [`backsolve`] solves y' = f backwards beside it: no memory, but a dissipative flow is unstable
//! backwards, and the gradient is then wrong. [`interpolated`] reads y from the dense forward solution.
//!
//! Reference: R. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, *Neural ordinary differential
//! equations*, 2018, algorithm 1; A. Hindmarsh et al., *SUNDIALS*, 2005, section 4.3 (interpolation).

use ansatz_core::{EvalError, Report, State};

use super::augmented::Augmented;
use super::{ErrorNorm, Gradient, VjpDrive, check, finish, rate};
use crate::integrate::integrate;
use crate::solve::Options;
use crate::stepper::Drive;
use crate::{Dense, RungeKutta, StepError, Stepper};

/// Solves from `x` through `times` with a Runge-Kutta table, asks `loss` for the cotangents of the
/// states there, and solves the adjoint equation with the same options. The second value is the
/// states.
///
/// For stochastic equations the calculus must be Stratonovich's: take a table of order 2 or more.
///
/// # Errors
/// [`StepError`]; [`StepError::Count`] when the cotangents do not fit.
pub fn backsolve<S, D>(
    mut drive: D,
    times: &[f64],
    x: &S,
    options: &Options,
    norm: ErrorNorm,
    loss: impl FnOnce(&[S]) -> Vec<S>,
) -> Result<(Gradient<S>, Vec<S>), StepError>
where
    S: State,
    D: VjpDrive<S>,
{
    options.validate()?;
    let states = forward(&mut drive, times, x, options)?;
    let cotangents = loss(&states);
    check(&states, &cotangents)?;
    let along = Beside {
        drive: &mut drive,
        sign: x.zeros_like(),
    };
    let gradient = sweep(along, times, &states, &cotangents, options, norm)?;
    Ok((gradient, states))
}

/// [`backsolve`] that takes y(t) from a dense solution of the same problem: stable for dissipative
/// fields, at the cost of its memory. `times` must lie in the interval of `solution`.
///
/// # Errors
/// As [`backsolve`].
pub fn interpolated<S, D>(
    mut drive: D,
    times: &[f64],
    solution: &Dense<S>,
    options: &Options,
    norm: ErrorNorm,
    loss: impl FnOnce(&[S]) -> Vec<S>,
) -> Result<(Gradient<S>, Vec<S>), StepError>
where
    S: State,
    D: VjpDrive<S>,
{
    options.validate()?;
    let mut states = Vec::with_capacity(times.len());
    for t in times {
        let mut y = solution.states()[0].zeros_like();
        solution.at(*t, &mut y)?;
        states.push(y);
    }
    let cotangents = loss(&states);
    check(&states, &cotangents)?;
    let along = From {
        drive: &mut drive,
        solution,
        y: solution.states()[0].zeros_like(),
        bar: solution.states()[0].zeros_like(),
    };
    let gradient = sweep(along, times, &states, &cotangents, options, norm)?;
    Ok((gradient, states))
}

/// The states at `times`, which the steps hit.
fn forward<S: State, D: VjpDrive<S>>(
    drive: &mut D,
    times: &[f64],
    x: &S,
    options: &Options,
) -> Result<Vec<S>, StepError> {
    let mut method = RungeKutta::new(options.tableau, Borrowed(drive), x);
    let tape = super::Tape::record(
        &mut method,
        times,
        x,
        &options.control(),
        super::Memory::Slots(1),
    )?;
    let mut states = tape.states().to_vec();
    states.truncate(times.len());
    Ok(states)
}

/// A drive that somebody else owns.
struct Borrowed<'a, D>(&'a mut D);

impl<S: State, D: Drive<S>> Drive<S> for Borrowed<'_, D> {
    const STEADY: bool = D::STEADY;

    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        self.0.begin(t, h)
    }

    fn slope(&mut self, t: f64, x: &S, out: &mut S) -> Result<(), EvalError> {
        self.0.slope(t, x, out)
    }
}

/// The adjoint equation, and what it needs to know of the solution.
trait Adjoint<S: State>: Drive<Augmented<S>> {
    fn params(&self) -> usize;

    fn rate(&mut self, t: f64, y: &S, out: &mut S) -> Result<bool, StepError>;
}

fn sweep<S: State, A: Adjoint<S>>(
    mut along: A,
    times: &[f64],
    states: &[S],
    cotangents: &[S],
    options: &Options,
    norm: ErrorNorm,
) -> Result<Gradient<S>, StepError> {
    let (Some(first), Some(last)) = (states.first(), states.last()) else {
        return Err(StepError::Count {
            what: "times",
            expected: 1,
            got: 0,
        });
    };
    let mut time_bars = vec![0.0; times.len()];
    let mut slope = first.zeros_like();
    let mut steady = true;
    for (i, (y, bar)) in states.iter().zip(cotangents).enumerate() {
        steady = along.rate(times[i], y, &mut slope)?;
        time_bars[i] = bar.dot(&slope);
    }
    let mut z = Augmented {
        y: last.clone(),
        a: first.zeros_like(),
        g: vec![0.0; along.params()],
        norm,
    };
    let mut method = RungeKutta::new(options.tableau, along, &z);
    for i in (0..times.len()).rev() {
        z.a.lincomb(1.0, &[(1.0, &cotangents[i])]);
        if i > 0 {
            // The forward state is at hand: errors of the way back do not add up.
            z.y.assign(&states[i]);
            method.restart();
            let leg = [times[i], times[i - 1]];
            integrate(&mut method, &leg, &mut z, &options.control(), &mut ())?;
        }
    }
    if steady && let Some(bar) = time_bars.first_mut() {
        *bar -= z.a.dot(&slope_at(&mut method, times[0], first)?);
    } else {
        time_bars.clear();
    }
    let gradient = Gradient {
        state: z.a,
        params: z.g,
        times: time_bars,
        report: Report {
            nfe: method.nfe(),
            ..Report::default()
        },
    };
    finish(gradient, times[0])
}

fn slope_at<S: State, A: Adjoint<S>>(
    method: &mut RungeKutta<'_, Augmented<S>, A>,
    t: f64,
    y: &S,
) -> Result<S, StepError> {
    let mut slope = y.zeros_like();
    method.drive.rate(t, y, &mut slope)?;
    Ok(slope)
}

/// y is solved beside its cotangent.
struct Beside<'a, S, D> {
    drive: &'a mut D,
    sign: S,
}

impl<S: State, D: VjpDrive<S>> Drive<Augmented<S>> for Beside<'_, S, D> {
    const STEADY: bool = D::STEADY;

    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        self.drive.begin(t, h)
    }

    fn slope(&mut self, t: f64, z: &Augmented<S>, out: &mut Augmented<S>) -> Result<(), EvalError> {
        self.drive.slope(t, &z.y, &mut out.y)?;
        out.g.fill(0.0);
        self.drive.vjp(t, &z.y, &z.a, &mut self.sign, &mut out.g)?;
        negate(&self.sign, out);
        Ok(())
    }
}

impl<S: State, D: VjpDrive<S>> Adjoint<S> for Beside<'_, S, D> {
    fn params(&self) -> usize {
        self.drive.params()
    }

    fn rate(&mut self, t: f64, y: &S, out: &mut S) -> Result<bool, StepError> {
        rate(&mut Borrowed(self.drive), t, y, out)
    }
}

/// y is read from the forward solution.
struct From<'a, S, D> {
    drive: &'a mut D,
    solution: &'a Dense<S>,
    y: S,
    bar: S,
}

impl<S: State, D: VjpDrive<S>> Drive<Augmented<S>> for From<'_, S, D> {
    const STEADY: bool = D::STEADY;

    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        self.drive.begin(t, h)
    }

    fn slope(&mut self, t: f64, z: &Augmented<S>, out: &mut Augmented<S>) -> Result<(), EvalError> {
        self.solution.at(t, &mut self.y).map_err(EvalError::model)?;
        out.y.lincomb(0.0, &[]);
        out.g.fill(0.0);
        self.drive
            .vjp(t, &self.y, &z.a, &mut self.bar, &mut out.g)?;
        negate(&self.bar, out);
        Ok(())
    }
}

impl<S: State, D: VjpDrive<S>> Adjoint<S> for From<'_, S, D> {
    fn params(&self) -> usize {
        self.drive.params()
    }

    fn rate(&mut self, t: f64, y: &S, out: &mut S) -> Result<bool, StepError> {
        rate(&mut Borrowed(self.drive), t, y, out)
    }
}

/// `out.a ← −bar`, `out.g ← −out.g`.
fn negate<S: State>(bar: &S, out: &mut Augmented<S>) {
    out.a.lincomb(0.0, &[(-1.0, bar)]);
    for g in &mut out.g {
        *g = -*g;
    }
}
