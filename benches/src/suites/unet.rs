//! A training step of a U-Net: time beside the arithmetic floor, and memory.

use std::io::Write;

use super::{Settings, SuiteError, pool};
use crate::autodiff::floor;
use crate::emit::Emitter;
use crate::record::Record;
use crate::timing::{Effort, Quartiles};
use crate::unet::{IMAGES, Problem, Seconds, training};

const SUITE: &str = "unet";

/// The one case.
pub const CASE: &str = "batch of 32, f32";

/// Measures the step with each number of threads.
///
/// # Errors
/// [`SuiteError`] if the program cannot be compiled or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let mut emitter = Emitter::new(out, SUITE, settings.threads.len() as u64);
    let problem = Problem::new(IMAGES.0);
    let trace = problem.trace();
    for &threads in &settings.threads {
        emitter.step(format!("{CASE}, {threads} threads"))?;
        let record = |implementation: &str, metric: &str, value: f64, unit: &str| Record {
            case: CASE.into(),
            implementation: implementation.into(),
            metric: metric.into(),
            value,
            unit: unit.into(),
            runs: 1,
            threads: threads as u64,
            ..Record::default()
        };
        let pool = pool(threads)?;
        let mut training = training::<f32>(&problem)?;
        let mut times = Vec::new();
        // A step takes so long that its pauses do not matter; the first one fills the caches.
        let effort = settings.effort();
        let most = effort.max_runs.min(if settings.quick { 10 } else { 40 });
        for round in 0..=most {
            let seconds = pool.install(|| training.step(1e-4))?;
            if round > 0 {
                times.push(seconds);
            }
        }
        for (name, metric, part) in [
            ("training step", "time", both as fn(&Seconds) -> f64),
            ("loss and gradient", "parts", |s| s.gradient),
            ("Adam", "parts", |s| s.optimizer),
        ] {
            let values: Vec<f64> = times.iter().map(part).collect();
            if let Some(q) = Quartiles::of(&values) {
                emitter.record(Record {
                    lo: Some(q.lo),
                    hi: Some(q.hi),
                    runs: q.runs as u64,
                    ..record(name, metric, q.median, "s")
                })?;
            }
        }
        let short = Effort {
            budget: effort.budget / 4,
            min_runs: 3,
            ..effort
        };
        let floor = floor::measure::<f32>(&trace, problem.images(), &pool, short)?;
        emitter.record(record(
            "floor",
            "time",
            floor.products + floor.functions,
            "s",
        ))?;
        for (part, value) in [
            ("floor: products", floor.products),
            ("floor: elementary functions", floor.functions),
        ] {
            emitter.record(record(part, "parts", value, "s"))?;
        }
        emitter.record(record("faer", "rate", floor.rate, "GFLOP/s"))?;
        if Some(&threads) == settings.threads.first() {
            let bytes = training.bytes() as f64;
            emitter.record(record("training step", "memory", bytes, "B"))?;
        }
    }
    Ok(())
}

fn both(seconds: &Seconds) -> f64 {
    seconds.gradient + seconds.optimizer
}
