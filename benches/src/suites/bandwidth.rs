//! Copy bandwidth of main memory: the floor for everything that streams through states.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use rayon::prelude::*;
use serde::Deserialize;

use super::{Settings, SuiteError, cases, pool};
use crate::emit::Emitter;
use crate::record::Record;
use crate::timing::{Effort, Quartiles, interleaved};

const SUITE: &str = "bandwidth";

#[derive(Debug, Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    mebibytes: usize,
    quick: bool,
}

/// Bytes per task: large enough to amortise the hand-over, small enough to spread evenly.
pub(super) const CHUNK: usize = 1 << 20;

/// Measures each case with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a line cannot be written or a pool not be made.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let Cases { case: mut all } = cases(SUITE, include_str!("../../suites/bandwidth.toml"))?;
    all.retain(|case| case.quick || !settings.quick);
    let mut emitter = Emitter::new(out, SUITE, (all.len() * settings.threads.len()) as u64);
    for case in &all {
        for &threads in &settings.threads {
            emitter.step(format!("{}, {threads} threads", case.name))?;
            let rate = copy_rate(case.mebibytes << 20, threads, settings.effort())?;
            emitter.record(Record {
                case: case.name.clone(),
                implementation: "copy".into(),
                metric: "bandwidth".into(),
                value: rate.median / 1e9,
                lo: Some(rate.lo / 1e9),
                hi: Some(rate.hi / 1e9),
                unit: "GB/s".into(),
                runs: rate.runs as u64,
                threads: threads as u64,
                ..Record::default()
            })?;
        }
    }
    Ok(())
}

/// Seconds to read all parts once, on the threads of the caller's pool.
pub(super) fn read_all<'a>(parts: impl ParallelIterator<Item = &'a [f32]>) -> f64 {
    let start = Instant::now();
    let sum = |part: &[f32]| {
        let (pieces, _) = part.as_chunks::<64>();
        let mut lanes = [0.0_f32; 64];
        for piece in pieces {
            for (lane, x) in lanes.iter_mut().zip(piece) {
                *lane += x;
            }
        }
        lanes.iter().sum::<f32>()
    };
    black_box(parts.map(sum).sum::<f32>());
    start.elapsed().as_secs_f64()
}

/// Bytes per second, read and written counted, of copying `bytes` bytes with `threads` threads.
///
/// # Errors
/// [`SuiteError::Threads`] if the pool cannot be made.
pub fn copy_rate(bytes: usize, threads: usize, effort: Effort) -> Result<Quartiles, SuiteError> {
    let pool = pool(threads)?;
    let source = vec![1u8; bytes];
    let mut target = vec![0u8; bytes];
    let mut copy = || {
        pool.install(|| {
            target
                .par_chunks_mut(CHUNK)
                .zip(source.par_chunks(CHUNK))
                .for_each(|(t, s)| t.copy_from_slice(s));
        });
        black_box(&mut target);
    };
    let times = interleaved(effort, &mut [&mut copy]);
    // A single candidate gives a single result.
    Ok(times[0].falling(|seconds| 2.0 * bytes as f64 / seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Event;
    use std::time::Duration;

    #[test]
    fn copying_moves_bytes_at_a_believable_rate() {
        let effort = Effort {
            min_runs: 3,
            max_runs: 3,
            budget: Duration::ZERO,
            warm_up: 1,
        };
        let rate = copy_rate(4 << 20, 1, effort).unwrap();
        assert!(rate.median > 1e7 && rate.median < 1e13, "{rate:?}");
    }

    #[test]
    fn the_suite_file_fits_the_code() {
        let Cases { case } = cases(SUITE, include_str!("../../suites/bandwidth.toml")).unwrap();
        assert!(case.iter().any(|c| c.quick) && case.iter().all(|c| c.mebibytes > 0));
        let line = r#"{"kind":"note","suite":"bandwidth","text":"x"}"#;
        assert!(matches!(
            serde_json::from_str(line).unwrap(),
            Event::Note { .. }
        ));
    }
}
