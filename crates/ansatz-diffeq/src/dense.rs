//! A solution at all times.
//!
//! Each step is kept as y + Σⱼ φⱼ(θ)·rowⱼ, θ = (t − tₙ)/h, with the alternating polynomials θ, θ(1−θ),
//! θ²(1−θ), …: the cubic Hermite polynomial for methods without a formula of their own, order 4 for
//! the pairs of order 5, order 7 for DOP853. Memory: one state a step and 3 to 7 rows.
//!
//! Reference: E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd
//! edition, 1993, section II.6.

use ansatz_core::{Report, State, VectorField};

use crate::integrate::{Accepted, integrate};
use crate::solve::Options;
use crate::{RungeKutta, StepError, Stepper};

/// Most rows of a step.
const MAX_ROWS: usize = 8;

/// A solution that can be asked at any time of its interval.
#[derive(Debug, Clone)]
pub struct Dense<S> {
    times: Vec<f64>,
    states: Vec<S>,
    /// The rows of all steps, `width` for each.
    rows: Vec<S>,
    width: usize,
    report: Report,
}

impl<S: State> Dense<S> {
    /// Ends of the steps, the start first.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// States at [`times`](Dense::times).
    pub fn states(&self) -> &[S] {
        &self.states
    }

    /// What the solve cost.
    pub fn report(&self) -> Report {
        self.report
    }

    /// `out ←` the state at `t`.
    ///
    /// Cost: a binary search and one pass over `rows + 1` states.
    ///
    /// # Errors
    /// [`StepError::Option`] if `t` is not in the interval of the solution.
    pub fn at(&self, t: f64, out: &mut S) -> Result<(), StepError> {
        let (i, theta) = self.locate(t)?;
        let mut terms = [(1.0, &self.states[i]); MAX_ROWS + 1];
        let rows = self.rows.get(i * self.width..(i + 1) * self.width);
        for (j, (term, row)) in terms[1..]
            .iter_mut()
            .zip(rows.unwrap_or_default())
            .enumerate()
        {
            *term = (polynomial(j, theta), row);
        }
        out.lincomb(0.0, &terms[..=rows.map_or(0, <[S]>::len)]);
        Ok(())
    }

    /// The step that `t` lies in, and where.
    fn locate(&self, t: f64) -> Result<(usize, f64), StepError> {
        let n = self.times.len();
        let (start, end) = (self.times[0], self.times[n - 1]);
        if !(t >= start.min(end) && t <= start.max(end)) {
            return Err(StepError::Option {
                name: "t",
                value: t,
                allowed: "a time in the interval of the solution",
            });
        }
        if n == 1 {
            return Ok((0, 0.0));
        }
        let forward = end > start;
        let before = |s: &f64| if forward { *s <= t } else { *s >= t };
        let i = self.times.partition_point(before).clamp(1, n - 1) - 1;
        let h = self.times[i + 1] - self.times[i];
        Ok((i, (t - self.times[i]) / h))
    }
}

/// φⱼ(θ): factors θ, 1−θ, θ, (1−θ), … after the first.
fn polynomial(j: usize, theta: f64) -> f64 {
    (0..j).fold(theta, |product, i| {
        product * if i % 2 == 0 { 1.0 - theta } else { theta }
    })
}

/// Solves from `times.0` to `times.1` and keeps the whole solution.
///
/// # Errors
/// [`StepError`].
///
/// ```
/// use ansatz_diffeq::{Options, solve_dense};
/// let turn = |_: f64, x: &[f64; 2], dx: &mut [f64; 2]| {
///     *dx = [-x[1], x[0]];
///     Ok(())
/// };
/// let solution = solve_dense(&turn, (0.0, 6.0), &[1.0, 0.0], &Options::tolerance(1e-8, 1e-8))?;
/// let mut x = [0.0; 2];
/// solution.at(2.5, &mut x)?;
/// assert!((x[0] - 2.5_f64.cos()).abs() < 1e-6);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub fn solve_dense<S, F>(
    field: &F,
    times: (f64, f64),
    x: &S,
    options: &Options,
) -> Result<Dense<S>, StepError>
where
    S: State,
    F: VectorField<S> + ?Sized,
{
    options.validate()?;
    let mut method = RungeKutta::new(options.tableau, field, x);
    keep(&mut method, &[times.0, times.1], x, &options.control())
}

/// [`solve_dense`] for any stepper, through times at which the problem jumps.
///
/// # Errors
/// [`StepError`].
pub fn keep<S, M>(
    method: &mut M,
    times: &[f64],
    x: &S,
    control: &crate::Control,
) -> Result<Dense<S>, StepError>
where
    S: State,
    M: Stepper<S> + ?Sized,
{
    let width = method.dense_rows().min(MAX_ROWS);
    let mut y = x.clone();
    let mut kept = Dense {
        times: vec![times.first().copied().unwrap_or_default()],
        states: vec![x.clone()],
        rows: Vec::new(),
        width,
        report: Report::default(),
    };
    let report = integrate(
        method,
        times,
        &mut y,
        control,
        &mut |step: &mut Accepted<'_, S, M>| {
            for j in 0..width {
                let mut row = step.state.zeros_like();
                step.method
                    .dense_row(step.start, step.h, step.state, j, &mut row)?;
                kept.rows.push(row);
            }
            kept.times.push(step.end);
            kept.states.push(step.next().clone());
            Ok(None)
        },
    )?;
    kept.report = Report {
        nfe: method.nfe(),
        ..report
    };
    Ok(kept)
}
