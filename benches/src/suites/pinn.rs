//! Steps of Adam of physics-informed networks, beside the arithmetic floor.

use std::io::Write;

use super::{Settings, SuiteError, pool};
use crate::autodiff::floor;
use crate::emit::Emitter;
use crate::pinn::{PROBLEMS, Run, Setup};
use crate::record::Record;
use crate::timing::{Effort, Quartiles};

const SUITE: &str = "pinn";

/// Steps that are timed together.
const STEPS: u64 = 50;

/// Measures each problem with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a problem cannot be trained or a line not be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let total = PROBLEMS.len() * settings.threads.len();
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    for name in PROBLEMS {
        let setup = Setup::new(name)?;
        for &threads in &settings.threads {
            emitter.step(format!("{name}, {threads} threads"))?;
            problem(&mut emitter, settings, &setup, threads)?;
        }
    }
    Ok(())
}

fn problem(
    emitter: &mut Emitter<'_>,
    settings: &Settings,
    setup: &Setup,
    threads: usize,
) -> Result<(), SuiteError> {
    let pool = pool(threads)?;
    let mut run = pool.install(|| Run::new(setup))?;
    let mut times = Vec::new();
    // The first round warms up.
    for round in 0..if settings.quick { 7 } else { 21 } {
        let (_, seconds) = pool.install(|| run.steps(STEPS))?;
        if round > 0 {
            times.push(seconds / STEPS as f64);
        }
    }
    let record = |implementation: &str, metric: &str, value: f64, unit: &str| Record {
        case: setup.name.into(),
        implementation: implementation.into(),
        metric: metric.into(),
        value,
        unit: unit.into(),
        runs: 1,
        threads: threads as u64,
        ..Record::default()
    };
    if let Some(q) = Quartiles::of(&times) {
        emitter.record(Record {
            lo: Some(q.lo),
            hi: Some(q.hi),
            runs: q.runs as u64,
            ..record("Adam", "time", q.median, "s")
        })?;
    }
    let effort = Effort {
        budget: settings.effort().budget / 8,
        ..settings.effort()
    };
    let (mut products, mut functions, mut flops) = (0.0, 0.0, 0);
    for (trace, points) in setup.traces()? {
        let part = floor::measure::<f32>(&trace, points, &pool, effort)?;
        products += part.products;
        functions += part.functions;
        flops += trace.flops();
    }
    emitter.record(record("floor", "time", products + functions, "s"))?;
    for (part, value) in [
        ("matrix products", products),
        ("elementary functions", functions),
    ] {
        emitter.record(record(part, "parts", value, "s"))?;
    }
    emitter.record(record("Adam", "operations", flops as f64, "1"))?;
    Ok(())
}
