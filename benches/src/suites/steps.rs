//! The time between two model evaluations, for the sizes of common latents, over its floor.

use std::io::Write;
use std::time::Instant;

use serde::Deserialize;

use super::{Settings, SuiteError, cases, pool};
use crate::emit::Emitter;
use crate::record::Record;
use crate::stepping::{Cold, Copies, METHODS, Stepping};
use crate::timing::{Effort, Quartiles};

const SUITE: &str = "steps";

/// The ratio of a step to its floor that the project asks for.
const ALLOWED: f64 = 1.3;

/// Cold runs hold this many times the last cache level.
const CACHES: usize = 4;

#[derive(Debug, Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    shape: Vec<usize>,
}

/// Whether a step finds its states in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    Hot,
    Cold,
}

impl Memory {
    /// Suffix of the metrics.
    fn metric(self, what: &str) -> String {
        match self {
            Self::Hot => what.to_owned(),
            Self::Cold => format!("{what}_cold"),
        }
    }
}

/// Seconds of a step and of its floor, measured in turns, and their ratio round by round.
struct Measured {
    step: Vec<f64>,
    floor: Vec<f64>,
}

/// Measures each method on each state with each number of threads, hot and cold.
///
/// # Errors
/// [`SuiteError`] if a run fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let Cases { case: all } = cases(SUITE, include_str!("../../suites/steps.toml"))?;
    let total = 2 * all.len() * METHODS.len() * settings.threads.len();
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    let cache = last_cache();
    let mut above = Vec::new();
    for case in &all {
        for method in METHODS {
            let stepping = Stepping::<f32>::new(method, case.shape.iter().product())?;
            for &threads in &settings.threads {
                for memory in [Memory::Hot, Memory::Cold] {
                    emitter.step(format!(
                        "{method}, {}, {threads} threads, {memory:?}",
                        case.name
                    ))?;
                    let effort = settings.effort();
                    let measured = pool(threads)?.install(|| match memory {
                        Memory::Hot => hot(&stepping, threads, effort),
                        Memory::Cold => cold(&stepping, threads, effort, CACHES * cache),
                    })?;
                    let ratio = report(&measured, memory, method, case, threads, &mut emitter)?;
                    if ratio > ALLOWED {
                        above.push(format!(
                            "{method}, {}, {threads} threads, {memory:?}: {ratio:.2}",
                            case.name
                        ));
                    }
                }
            }
        }
    }
    let verdict = if above.is_empty() {
        format!("No step takes more than {ALLOWED} times its floor.")
    } else {
        format!("Above {ALLOWED} times the floor: {}.", above.join("; "))
    };
    emitter.note(format!(
        "{verdict} Cold runs hold {CACHES} times {} MiB, the last cache level as the system tells it.",
        cache >> 20
    ))?;
    Ok(())
}

/// Steps of one run, and copies among as many buffers as it has states.
fn hot(stepping: &Stepping<f32>, threads: usize, effort: Effort) -> Result<Measured, SuiteError> {
    let evaluations = stepping.evaluations();
    let slots = stepping.plan().slots();
    let mut serial = Copies::new(slots, stepping.bytes() / slots, 1);
    let mut shared = Copies::new(slots, stepping.bytes() / slots, threads);
    rounds(stepping, effort, || {
        let step = stepping.run()?.as_secs_f64() / evaluations as f64;
        Ok((step, copy(&mut serial, &mut shared, threads, evaluations)))
    })
}

/// Steps of many runs in turns, and copies among buffers that hold as much.
fn cold(
    stepping: &Stepping<f32>,
    threads: usize,
    effort: Effort,
    bytes: usize,
) -> Result<Measured, SuiteError> {
    let mut cold = Cold::new(stepping, bytes)?;
    let runs = cold.runs();
    let slots = stepping.plan().slots();
    let state = stepping.bytes() / slots;
    let buffers = bytes.div_ceil(state);
    let mut serial = Copies::new(buffers, state, 1);
    let mut shared = Copies::new(buffers, state, threads);
    rounds(stepping, effort, || {
        let step = cold.round()?.as_secs_f64() / runs as f64;
        Ok((step, copy(&mut serial, &mut shared, threads, buffers)))
    })
}

/// Seconds of a copy: the better of one thread and all of them, since handing over costs time as well.
fn copy(serial: &mut Copies, shared: &mut Copies, threads: usize, count: usize) -> f64 {
    let alone = serial.round(count).as_secs_f64();
    let spent = if threads > 1 {
        alone.min(shared.round(count).as_secs_f64())
    } else {
        alone
    };
    spent / count as f64
}

fn rounds(
    stepping: &Stepping<f32>,
    effort: Effort,
    mut round: impl FnMut() -> Result<(f64, f64), SuiteError>,
) -> Result<Measured, SuiteError> {
    // A copy moves two states.
    let copies = stepping.plan().traffic() as f64 / stepping.evaluations() as f64 / 2.0;
    let (mut step, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..effort.warm_up {
        round()?;
    }
    let begin = Instant::now();
    while step.len() < effort.min_runs
        || (step.len() < effort.max_runs && begin.elapsed() < effort.budget)
    {
        let (s, c) = round()?;
        step.push(s);
        floor.push(c * copies);
    }
    Ok(Measured { step, floor })
}

/// Writes the records of one measurement; gives the median ratio.
fn report(
    measured: &Measured,
    memory: Memory,
    method: &str,
    case: &Case,
    threads: usize,
    emitter: &mut Emitter<'_>,
) -> Result<f64, SuiteError> {
    let ratio: Vec<f64> = measured
        .step
        .iter()
        .zip(&measured.floor)
        .map(|(s, f)| s / f)
        .collect();
    let mut median = f64::NAN;
    for (what, unit, values) in [
        ("step", "s", &measured.step),
        ("floor", "s", &measured.floor),
        ("ratio", "1", &ratio),
    ] {
        let Some(q) = Quartiles::of(values) else {
            continue;
        };
        median = q.median;
        emitter.record(Record {
            case: case.name.clone(),
            implementation: method.to_owned(),
            metric: memory.metric(what),
            value: q.median,
            lo: Some(q.lo),
            hi: Some(q.hi),
            unit: unit.to_owned(),
            runs: q.runs as u64,
            threads: threads as u64,
            ..Record::default()
        })?;
    }
    Ok(median)
}

/// Bytes of the last cache level, where Linux tells them; 32 MiB elsewhere.
fn last_cache() -> usize {
    let read = |index: usize| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = std::fs::read_to_string(path).ok()?;
        let kibibytes: usize = text.trim().strip_suffix('K')?.parse().ok()?;
        Some(kibibytes << 10)
    };
    (0..8).filter_map(read).max().unwrap_or(32 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_its_floor_are_measured_hot_and_cold() {
        let effort = Effort {
            min_runs: 2,
            max_runs: 2,
            warm_up: 0,
            ..Effort::default()
        };
        let stepping = Stepping::<f32>::new("DDIM", 512).unwrap();
        for measured in [
            hot(&stepping, 1, effort).unwrap(),
            cold(&stepping, 1, effort, 200 << 10).unwrap(),
        ] {
            let all = measured.step.iter().chain(&measured.floor);
            assert!(all.clone().count() == 4 && all.clone().all(|v| *v > 0.0));
        }
    }
}
