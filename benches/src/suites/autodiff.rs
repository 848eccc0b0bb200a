//! Loss and gradient of networks: time beside the arithmetic floor, and memory.

use std::io::Write;

use ansatz_autodiff::Element;
use faer::traits::ComplexField;

use super::{Settings, SuiteError, pool};
use crate::autodiff::{IMAGES, POINTS, Workload, compile, floor};
use crate::emit::Emitter;
use crate::record::Record;
use crate::timing::{Effort, interleaved};

const SUITE: &str = "autodiff";

/// Points of the large batch whose memory is told.
pub const MANY: usize = 100_000;

/// Measures each workload in each type with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a program cannot be compiled or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let total = 3 * settings.threads.len() + 1;
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    if let Some(pinn) = Workload::new("pinn", POINTS) {
        for &threads in &settings.threads {
            workload::<f32>(&mut emitter, settings, "PINN step", &pinn, threads)?;
            workload::<f64>(&mut emitter, settings, "PINN step", &pinn, threads)?;
        }
    }
    if let Some(stack) = Workload::new("stack", IMAGES.0) {
        for &threads in &settings.threads {
            workload::<f32>(&mut emitter, settings, "convolutions", &stack, threads)?;
        }
    }
    emitter.step("memory")?;
    for points in [POINTS, MANY] {
        let Some(pinn) = Workload::new("pinn", points) else {
            continue;
        };
        emitter.record(Record {
            case: format!("PINN step, {points} points, f32"),
            implementation: "gradient".into(),
            metric: "memory".into(),
            value: compile::<f32>(&pinn)?.bytes() as f64,
            unit: "B".into(),
            runs: 1,
            threads: 1,
            ..Record::default()
        })?;
    }
    Ok(())
}

/// The time of a workload, and its floor in the same minute.
fn workload<T: Element + ComplexField>(
    emitter: &mut Emitter<'_>,
    settings: &Settings,
    name: &str,
    workload: &Workload,
    threads: usize,
) -> Result<(), SuiteError> {
    let case = format!("{name}, {}", T::NAME);
    emitter.step(format!("{case}, {threads} threads"))?;
    let pool = pool(threads)?;
    let mut program = compile::<T>(workload)?;
    program.run()?;
    let mut step = || {
        // The first run showed that the lengths fit.
        let _ = pool.install(|| program.run());
    };
    let times = interleaved(settings.effort(), &mut [&mut step]);
    let short = Effort {
        budget: settings.effort().budget / 4,
        ..settings.effort()
    };
    let floor = floor::measure::<T>(&workload.trace, workload.points, &pool, short)?;
    let record = |implementation: &str, metric: &str, value: f64, unit: &str| Record {
        case: case.clone(),
        implementation: implementation.into(),
        metric: metric.into(),
        value,
        unit: unit.into(),
        runs: 1,
        threads: threads as u64,
        ..Record::default()
    };
    for q in times {
        emitter.record(Record {
            lo: Some(q.lo),
            hi: Some(q.hi),
            runs: q.runs as u64,
            ..record("gradient", "time", q.median, "s")
        })?;
    }
    let least = floor.products + floor.functions;
    emitter.record(record("floor", "time", least, "s"))?;
    for (part, value, unit) in [
        ("matrix products", floor.products, "s"),
        ("elementary functions", floor.functions, "s"),
    ] {
        emitter.record(record(part, "parts", value, unit))?;
    }
    emitter.record(record("faer", "rate", floor.rate, "GFLOP/s"))?;
    Ok(())
}
