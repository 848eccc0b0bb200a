//! Many small systems: 100 000 Lorenz trajectories, and the cost of one step beside a loop written by hand.

use std::hint::black_box;
use std::io::Write;

use ansatz_core::VectorField;
use ansatz_diffeq::{Options, solve};
use ansatz_testkit::ode::LotkaVolterra;

use super::{Settings, SuiteError, pool};
use crate::emit::Emitter;
use crate::ensemble::{self, LENGTH, Steps};
use crate::record::Record;
use crate::timing::{Quartiles, interleaved};

const SUITE: &str = "lorenz";

/// Trajectories of an ensemble.
pub const COUNT: usize = 100_000;

/// The cases by name.
pub const CASES: [(&str, Steps); 2] = [
    ("tolerance 1e-6", Steps::Tolerance(1e-6)),
    ("100 equal steps", Steps::Fixed(100)),
];

/// Tolerance of the single trajectories whose steps are timed.
const TIGHT: f64 = 1e-9;

/// Measures ensembles with each number of threads, then single steps.
///
/// # Errors
/// [`SuiteError`] if a solve fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let total = CASES.len() * settings.threads.len() + 2;
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    let rounds = if settings.quick { 3 } else { 15 };
    for (case, steps) in CASES {
        for &threads in &settings.threads {
            emitter.step(format!("{case}, {threads} threads"))?;
            let pool = pool(threads)?;
            let times: Result<Vec<f64>, SuiteError> = (0..=rounds)
                .map(|_| Ok(pool.install(|| ensemble::run(COUNT, steps))?.1))
                .collect();
            // The first round warms up.
            if let Some(q) = Quartiles::of(&times?[1..]) {
                record(&mut emitter, "ensemble", case, "Tsit5", threads, q)?;
            }
        }
    }
    let lorenz = ensemble::lorenz([10.0, 28.0, 8.0 / 3.0]);
    emitter.step("a step of Lorenz 63")?;
    step(&mut emitter, settings, "Lorenz 63", &lorenz, [1.0; 3])?;
    emitter.step("a step of Lotka-Volterra")?;
    let prey = LotkaVolterra::problem();
    step(&mut emitter, settings, "Lotka-Volterra", &prey, [1.0; 2])
}

/// Seconds of one step of the engine and of the floor, in turns.
fn step<const N: usize>(
    emitter: &mut Emitter<'_>,
    settings: &Settings,
    case: &str,
    field: &impl VectorField<[f64; N]>,
    start: [f64; N],
) -> Result<(), SuiteError> {
    let end = 10.0 * LENGTH;
    let options = Options::tolerance(TIGHT, TIGHT);
    let mut x = start;
    let report = solve(field, (0.0, end), &mut x, &options, &mut ())?;
    let rate = |x: &[f64; N], dx: &mut [f64; N]| {
        // The fields here do not fail.
        let _ = field.eval(0.0, x, dx);
    };
    let steps = Steps::Tolerance(TIGHT);
    let (_, taken) = ensemble::by_hand(rate, start, end, steps);
    let mut ours = || {
        let mut x = black_box(start);
        let _ = black_box(solve(field, (0.0, end), &mut x, &options, &mut ()));
    };
    let mut hand = || {
        black_box(ensemble::by_hand(rate, black_box(start), end, steps));
    };
    let times = interleaved(settings.effort(), &mut [&mut ours, &mut hand]);
    let counts = [report.steps + report.rejected, taken];
    for ((name, q), count) in ["Tsit5", "by hand"].iter().zip(times).zip(counts) {
        let each = |v: f64| v / count as f64;
        let q = Quartiles {
            lo: each(q.lo),
            median: each(q.median),
            hi: each(q.hi),
            runs: q.runs,
        };
        record(emitter, "step", case, name, 1, q)?;
    }
    Ok(())
}

fn record(
    emitter: &mut Emitter<'_>,
    metric: &str,
    case: &str,
    implementation: &str,
    threads: usize,
    q: Quartiles,
) -> Result<(), SuiteError> {
    emitter.record(Record {
        case: case.to_owned(),
        implementation: implementation.to_owned(),
        metric: metric.to_owned(),
        value: q.median,
        lo: Some(q.lo),
        hi: Some(q.hi),
        unit: "s".into(),
        runs: q.runs as u64,
        threads: threads as u64,
        ..Record::default()
    })?;
    Ok(())
}
