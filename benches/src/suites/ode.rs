//! Work against precision on standard problems: seconds of a solve over the error of its end.

use std::io::Write;

use super::{Settings, SuiteError};
use crate::emit::Emitter;
use crate::ode::{METHODS, PROBLEMS, Solved, TOLERANCES, run as solve, time_at};
use crate::record::{Abscissa, Record};
use crate::timing::Quartiles;

const SUITE: &str = "ode";

/// Errors at which curves are read.
pub const TARGETS: [f64; 3] = [1e-3, 1e-6, 1e-9];

/// Runs every method on every problem at every tolerance.
///
/// # Errors
/// [`SuiteError`] if a solve fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let total = PROBLEMS.len() * METHODS.len();
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    let rounds = if settings.quick { 3 } else { 9 };
    let pool = super::pool(1)?;
    for problem in PROBLEMS {
        let mut curves = Vec::new();
        for (method, _) in METHODS {
            emitter.step(format!("{problem}, {method}"))?;
            let mut curve = Vec::new();
            for tol in TOLERANCES {
                let solves: Result<Vec<Solved>, SuiteError> = (0..rounds)
                    .map(|_| pool.install(|| one(problem, method, tol)))
                    .collect();
                let solves = solves?;
                let seconds: Vec<f64> = solves.iter().map(|s| s.seconds).collect();
                if let (Some(q), Some(solved)) = (Quartiles::of(&seconds), solves.first()) {
                    curve.push((solved.error, q.median));
                    point(&mut emitter, problem, method, solved, q)?;
                }
            }
            curves.push(curve);
        }
        for target in TARGETS {
            let times = curves.iter().filter_map(|curve| time_at(curve, target));
            if let Some(best) = times.min_by(f64::total_cmp) {
                emitter.record(Record {
                    case: format!("{problem}, error {target:e}"),
                    implementation: "best".into(),
                    metric: "equal".into(),
                    value: best,
                    unit: "s".into(),
                    runs: rounds as u64,
                    threads: 1,
                    ..Record::default()
                })?;
            }
        }
    }
    Ok(())
}

fn one(problem: &str, method: &str, tol: f64) -> Result<Solved, SuiteError> {
    match solve(problem, method, tol) {
        Some(solved) => Ok(solved?),
        None => Err(SuiteError::Unknown {
            name: problem.to_owned(),
            known: PROBLEMS.join(", "),
        }),
    }
}

fn point(
    emitter: &mut Emitter<'_>,
    problem: &str,
    method: &str,
    solved: &Solved,
    q: Quartiles,
) -> Result<(), SuiteError> {
    let record = |metric: &str, value: f64, unit: &str| Record {
        case: problem.to_owned(),
        implementation: method.to_owned(),
        metric: metric.into(),
        value,
        unit: unit.into(),
        runs: q.runs as u64,
        threads: 1,
        x: Some(Abscissa {
            name: "error".into(),
            value: solved.error,
        }),
        ..Record::default()
    };
    emitter.record(Record {
        lo: Some(q.lo),
        hi: Some(q.hi),
        ..record("time", q.median, "s")
    })?;
    emitter.record(record("nfe", solved.nfe as f64, "1"))?;
    Ok(())
}
