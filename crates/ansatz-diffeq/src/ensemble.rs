//! Many small systems, each with its own field, start and steps.
//!
//! Systems of fixed length (`[f64; 3]`) live in registers; the caller's rayon pool shares them out. Each
//! is solved as if alone: a hard one does not slow the others down, and the results have the same bits
//! for any number of threads.

use ansatz_core::{Report, State, VectorField};
use rayon::prelude::*;

use crate::StepError;
use crate::solve::{Options, solve};

/// Systems that one task takes, so that handing them out costs little.
const AT_LEAST: usize = 16;

/// Replaces each state, at `times.0`, by that at `times.1`; system `i` follows `field(i)`.
///
/// # Errors
/// The error of the first system, by index, that fails, with that index; all states are then unchanged.
///
/// ```
/// use ansatz_diffeq::{Options, solve_each};
/// // A thousand pendulums of different lengths.
/// let pendulum = |i: usize| {
///     let pull = 1.0 + 0.001 * i as f64;
///     move |_: f64, x: &[f64; 2], dx: &mut [f64; 2]| {
///         *dx = [x[1], -pull * x[0].sin()];
///         Ok(())
///     }
/// };
/// let mut states = vec![[0.1, 0.0]; 1000];
/// let reports = solve_each(pendulum, (0.0, 1.0), &mut states, &Options::default())?;
/// assert_eq!(reports.len(), 1000);
/// assert!(states[999][0] < states[0][0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve_each<S, F, M>(
    field: M,
    times: (f64, f64),
    states: &mut [S],
    options: &Options,
) -> Result<Vec<Report>, EnsembleError>
where
    S: State,
    F: VectorField<S>,
    M: Fn(usize) -> F + Sync,
{
    let solved: Vec<Result<(S, Report), StepError>> = states
        .par_iter()
        .enumerate()
        .with_min_len(AT_LEAST)
        .map(|(i, x)| {
            let mut x = x.clone();
            let report = solve(&field(i), times, &mut x, options, &mut ())?;
            Ok((x, report))
        })
        .collect();
    let mut reports = Vec::with_capacity(states.len());
    let mut ends = Vec::with_capacity(states.len());
    for (index, result) in solved.into_iter().enumerate() {
        let (x, report) = result.map_err(|source| EnsembleError { index, source })?;
        ends.push(x);
        reports.push(report);
    }
    for (x, end) in states.iter_mut().zip(ends) {
        *x = end;
    }
    Ok(reports)
}

/// A system of an ensemble failed.
#[derive(Debug, thiserror::Error)]
#[error("system {index}")]
pub struct EnsembleError {
    /// Which one.
    pub index: usize,
    /// Why.
    #[source]
    pub source: StepError,
}

#[cfg(test)]
mod tests {
    use super::{Options, solve_each};
    use crate::tableau;

    type Made = Result<(), ansatz_core::EvalError>;

    #[test]
    fn each_is_solved_as_if_alone() {
        let field = |i: usize| {
            let rate = 1.0 + i as f64;
            move |_: f64, x: &[f64; 1], dx: &mut [f64; 1]| -> Made {
                dx[0] = -rate * x[0];
                Ok(())
            }
        };
        let options = Options::fixed(&tableau::RK4, 100);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let mut states = vec![[1.0]; 50];
            let solve = || solve_each(field, (0.0, 0.1), &mut states, &options).map(|r| r.len());
            let count = pool.map(|p| p.install(solve));
            assert!(matches!(count, Ok(Ok(50))));
            states
        };
        let states = run(1);
        assert_eq!(states, run(3));
        for (i, x) in states.iter().enumerate() {
            let exact = (-0.1 * (1.0 + i as f64)).exp();
            assert!((x[0] - exact).abs() < 1e-6, "{i}");
        }
    }

    #[test]
    fn the_first_failure_is_named_and_nothing_is_changed() {
        let field = |i: usize| {
            move |_: f64, x: &[f64; 1], dx: &mut [f64; 1]| -> Made {
                dx[0] = if i % 40 == 7 { f64::NAN } else { -x[0] };
                Ok(())
            }
        };
        let mut states = vec![[1.0]; 100];
        let error = solve_each(field, (0.0, 1.0), &mut states, &Options::default());
        assert!(error.is_err_and(|e| e.index == 7));
        assert_eq!(states, vec![[1.0]; 100]);
    }
}
