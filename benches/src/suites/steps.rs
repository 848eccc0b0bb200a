//! The time between two model evaluations, for the sizes of common latents.

use std::io::Write;

use serde::Deserialize;

use super::{Settings, SuiteError, cases, pool};
use crate::emit::Emitter;
use crate::record::Record;
use crate::stepping::{METHODS, Stepping};
use crate::timing::Quartiles;

const SUITE: &str = "steps";

#[derive(Debug, Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    shape: Vec<usize>,
}

/// Measures each method on each state with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a run fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let Cases { case: all } = cases(SUITE, include_str!("../../suites/steps.toml"))?;
    let total = all.len() * METHODS.len() * settings.threads.len();
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    let effort = settings.effort();
    for case in &all {
        for method in METHODS {
            let stepping = Stepping::<f32>::new(method, case.shape.iter().product())?;
            for &threads in &settings.threads {
                emitter.step(format!("{method}, {}, {threads} threads", case.name))?;
                let pool = pool(threads)?;
                let mut each = Vec::new();
                let begin = std::time::Instant::now();
                for round in 0..effort.warm_up + effort.max_runs {
                    let spent = pool.install(|| stepping.run())?;
                    if round >= effort.warm_up {
                        each.push(spent.as_secs_f64() / stepping.evaluations() as f64);
                    }
                    if each.len() >= effort.min_runs && begin.elapsed() > effort.budget {
                        break;
                    }
                }
                let Some(time) = Quartiles::of(&each) else {
                    continue;
                };
                emitter.record(Record {
                    case: case.name.clone(),
                    implementation: method.into(),
                    metric: "step".into(),
                    value: time.median,
                    lo: Some(time.lo),
                    hi: Some(time.hi),
                    unit: "s".into(),
                    runs: time.runs as u64,
                    threads: threads as u64,
                    ..Record::default()
                })?;
            }
        }
    }
    Ok(())
}
