//! Steps of Gaussian processes for equations, structured solves beside dense ones.

use std::io::Write;
use std::time::Instant;

use ansatz_linalg::core::OnHost;
use ansatz_linalg::krylov::{Cg, Stop, System};
use ansatz_linalg::operator::{CirculantPreconditioner, Kronecker, Toeplitz};
use ansatz_physics::riesz::{RieszCollocation, SolveOptions};
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::{Settings, SuiteError, pool};
use crate::emit::Emitter;
use crate::gp::{FACTORS, ORDERS, POINTS, Training, column, cosines, factor, run as structured};
use crate::record::Record;
use crate::timing::Quartiles;

const SUITE: &str = "gp";

/// The largest order that is factored as a dense matrix.
const DENSE: usize = 4096;

/// Measures each task with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a system cannot be solved, a line not be written or a pool not be made.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let mut emitter = Emitter::new(out, SUITE, (settings.threads.len() * 8) as u64);
    for &threads in &settings.threads {
        let pool = pool(threads)?;
        let mut measure = |case: &str, who: &str, runs: usize, f: &mut Task<'_>| {
            emitter.step(format!("{case}, {who}, {threads} threads"))?;
            let mut times = Vec::new();
            // The first round warms up, where there is more than one.
            for round in 0..runs + usize::from(runs > 1) {
                let seconds = pool.install(&mut *f)?;
                if round > 0 || runs == 1 {
                    times.push(seconds);
                }
            }
            let Some(q) = Quartiles::of(&times) else {
                return Ok(());
            };
            emitter.record(Record {
                case: case.into(),
                implementation: who.into(),
                metric: "time".into(),
                value: q.median,
                lo: Some(q.lo),
                hi: Some(q.hi),
                unit: "s".into(),
                runs: q.runs as u64,
                threads: threads as u64,
                ..Record::default()
            })?;
            Ok::<(), SuiteError>(())
        };
        let many = if settings.quick { 10 } else { 30 };
        for (dimensions, runs) in [(1, 4 * many), (2, many / 5)] {
            let mut training = Training::new(dimensions)?;
            let case = format!("step, {POINTS}{}", ["", "²"][dimensions - 1]);
            measure(&case, "ours", runs, &mut || Ok(training.step()?))?;
        }
        for n in ORDERS {
            let case = format!("Toeplitz {n}");
            let runs = if n > DENSE { 1 } else { many };
            measure(&case, "ours", runs, &mut || Ok(structured(&case)?.0))?;
            measure(&case, "conjugate gradients, circulant", many, &mut || {
                iterated(n)
            })?;
            if n <= DENSE {
                let runs = if n == DENSE { 2 } else { many };
                measure(&case, "faer LLT", runs, &mut || Ok(dense(n)))?;
            }
        }
        for task in ["product", "solve", "determinant"] {
            let case = format!("Kronecker {task}");
            measure(&case, "ours", many, &mut || Ok(structured(&case)?.0))?;
        }
        measure("Kronecker product, 12³", "ours", many, &mut || {
            small(Which::Structured)
        })?;
        measure("Kronecker product, 12³", "faer, dense", many, &mut || {
            small(Which::Dense)
        })?;
        let n = if settings.quick { 1024 } else { 4096 };
        let case = format!("Riesz {n}");
        let riesz = RieszCollocation::new(1.5, 3, n)?;
        let source = |x: f64| (3.0 * x).sin();
        measure(&case, "ours", many, &mut || {
            let start = Instant::now();
            riesz.solve(source, &SolveOptions::default())?;
            Ok(start.elapsed().as_secs_f64())
        })?;
        measure(&case, "faer LU", 1, &mut || {
            let start = Instant::now();
            riesz.solve_dense(source)?;
            Ok(start.elapsed().as_secs_f64())
        })?;
    }
    Ok(())
}

type Task<'a> = dyn FnMut() -> Result<f64, SuiteError> + Send + 'a;

/// A Toeplitz system by conjugate gradients with Strang's circulant, to 1e-10.
fn iterated(n: usize) -> Result<f64, SuiteError> {
    let (t, b) = (column(n), cosines(n));
    let start = Instant::now();
    let a = Toeplitz::symmetric(&t)?;
    let mut circulant = CirculantPreconditioner::for_toeplitz(&t)?;
    let a = OnHost::new(&a);
    let stop = Stop {
        rtol: 1e-10,
        ..Stop::default()
    };
    let mut system = System::new(&a, &b).until(stop);
    if let Some(m) = &mut circulant {
        system = system.preconditioned(m);
    }
    system.solve(&Cg::default(), &mut vec![0.0; n])?;
    Ok(start.elapsed().as_secs_f64())
}

/// The same by Cholesky's method on the full matrix, without the time to write it.
fn dense(n: usize) -> f64 {
    let (t, b) = (column(n), cosines(n));
    let a = Mat::from_fn(n, n, |i, j| t[i.abs_diff(j)]);
    let b = Mat::from_fn(n, 1, |i, _| b[i]);
    let start = Instant::now();
    let x = a.llt(Side::Lower).map(|l| l.solve(&b));
    std::hint::black_box(x.is_ok());
    start.elapsed().as_secs_f64()
}

#[derive(Clone, Copy)]
enum Which {
    Structured,
    Dense,
}

/// A product with three factors of order 12, in both forms.
fn small(which: Which) -> Result<f64, SuiteError> {
    use ansatz_core::LinearOp;
    let a = factor(12);
    let cells = 12_usize.pow(FACTORS.0 as u32);
    let x = cosines(cells);
    let kronecker = Kronecker::new(vec![a.clone(); FACTORS.0])?;
    let mut y = vec![0.0; cells];
    match which {
        Which::Structured => {
            let mut scratch = vec![0.0; kronecker.scratch_len()];
            let start = Instant::now();
            kronecker.apply(&x, &mut y, &mut scratch);
            Ok(start.elapsed().as_secs_f64())
        }
        Which::Dense => {
            let digits = |i: usize| [i / 144, i / 12 % 12, i % 12];
            let full = Mat::from_fn(cells, cells, |i, j| {
                let (i, j) = (digits(i), digits(j));
                (0..3).map(|d| a[(i[d], j[d])]).product::<f64>()
            });
            let x = Mat::from_fn(cells, 1, |i, _| x[i]);
            let start = Instant::now();
            let y = &full * &x;
            std::hint::black_box(y.nrows());
            Ok(start.elapsed().as_secs_f64())
        }
    }
}
