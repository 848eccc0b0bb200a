//! The pressure problem with every preconditioner: time, steps, and the floor of memory traffic.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{Settings, SuiteError, pool};
use crate::emit::Emitter;
use crate::poisson::{METHODS, Solver, bytes_per_step, case};
use crate::record::Record;
use crate::timing::Quartiles;

const SUITE: &str = "poisson";

/// Residuals to which times are told.
pub const TOLERANCES: [f64; 2] = [1e-4, 1e-8];

/// Solutions of residual 1e-8 agree to this, by the condition of the problem.
const AGREEMENT: f64 = 1e-4;

/// Measures each method on each box with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a solve fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let sizes: &[usize] = if settings.quick { &[64] } else { &[64, 128] };
    let total = sizes.len() * settings.threads.len();
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    for &n in sizes {
        for &threads in &settings.threads {
            emitter.step(format!("{n}³ cells, {threads} threads"))?;
            size(&mut emitter, settings, n, threads)?;
        }
    }
    Ok(())
}

fn size(
    emitter: &mut Emitter<'_>,
    settings: &Settings,
    n: usize,
    threads: usize,
) -> Result<(), SuiteError> {
    let pool = pool(threads)?;
    let record = |method: &str, tolerance: f64, metric: &str, unit: &str| Record {
        case: case(n, tolerance),
        implementation: method.into(),
        metric: metric.into(),
        unit: unit.into(),
        runs: 1,
        threads: threads as u64,
        ..Record::default()
    };
    let mut solvers = Vec::new();
    for method in METHODS {
        solvers.push(pool.install(|| Solver::new(n, method))?);
    }
    // Rounds in turns; a slow method does not keep the others from a second one.
    let budget = Duration::from_secs(if settings.quick { 10 } else { 60 });
    let mut seconds = vec![[Vec::new(), Vec::new()]; METHODS.len()];
    let mut steps = [[0; 2]; METHODS.len()];
    let begin = Instant::now();
    for round in 0..9 {
        if round > 2 && begin.elapsed() > budget {
            break;
        }
        for (k, solver) in solvers.iter_mut().enumerate() {
            let solved = pool.install(|| solver.solve(TOLERANCES))?;
            for (t, (count, time)) in solved.reached.into_iter().enumerate() {
                seconds[k][t].push(time);
                steps[k][t] = count;
            }
        }
    }
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let reference = solvers[METHODS.len() - 1].x.clone();
    let length = norm(&mut reference.iter().copied());
    for (k, method) in METHODS.into_iter().enumerate() {
        let difference = solvers[k].x.iter().zip(&reference).map(|(a, b)| a - b);
        let apart = norm(&mut { difference }) / length;
        if apart > AGREEMENT {
            emitter.note(format!(
                "{method} on {n}³ cells is {apart:.1e} from the others and is left out."
            ))?;
            continue;
        }
        for (t, tolerance) in TOLERANCES.into_iter().enumerate() {
            let Some(q) = Quartiles::of(&seconds[k][t]) else {
                continue;
            };
            emitter.record(Record {
                value: q.median,
                lo: Some(q.lo),
                hi: Some(q.hi),
                runs: q.runs as u64,
                ..record(method, tolerance, "time", "s")
            })?;
            emitter.record(Record {
                value: steps[k][t] as f64,
                ..record(method, tolerance, "steps", "1")
            })?;
        }
        emitter.record(Record {
            value: solvers[k].set_up,
            ..record(method, TOLERANCES[1], "set up", "s")
        })?;
    }
    // What a copy of vectors of the same length moves in the same minute.
    let rate = pool.install(|| copy_rate(n * n * n));
    for (t, tolerance) in TOLERANCES.into_iter().enumerate() {
        let steps = steps[METHODS.len() - 1][t] as f64;
        emitter.record(Record {
            value: steps * bytes_per_step(n) / rate,
            ..record("floor", tolerance, "time", "s")
        })?;
    }
    Ok(())
}

/// Bytes a second that y ← 2x + y moves on vectors of `n` numbers, the best of some.
fn copy_rate(n: usize) -> f64 {
    use ansatz_core::State;
    let (x, mut y) = (vec![1.0_f64; n], vec![1.0_f64; n]);
    let once = || {
        let begin = Instant::now();
        y.lincomb(0.5, &[(0.5, &x)]);
        begin.elapsed().as_secs_f64()
    };
    let best = std::iter::repeat_with(once)
        .take(15)
        .fold(f64::INFINITY, f64::min);
    (3 * 8 * n) as f64 / best
}
