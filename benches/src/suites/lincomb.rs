//! Rate of `State::lincomb` beside the copy of a state, taken in turns.

use std::hint::black_box;
use std::io::Write;

use ansatz_core::{Scalar, State};
use rayon::prelude::*;
use serde::Deserialize;

use super::bandwidth::CHUNK;
use super::{Settings, SuiteError, cases, pool};
use crate::emit::Emitter;
use crate::record::Record;
use crate::timing::{Effort, Quartiles, interleaved};

const SUITE: &str = "lincomb";

#[derive(Debug, Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    elements: usize,
    scalar: Kind,
    terms: usize,
    quick: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    F32,
    F64,
}

/// Bytes that one timed run moves at least: below this, starting the threads would be measured.
const LEAST_BYTES: usize = 64 << 20;

/// Measures each case with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a line cannot be written or a pool not be made.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let Cases { case: mut all } = cases(SUITE, include_str!("../../suites/lincomb.toml"))?;
    all.retain(|case| case.quick || !settings.quick);
    let mut emitter = Emitter::new(out, SUITE, (all.len() * settings.threads.len()) as u64);
    for case in &all {
        for &threads in &settings.threads {
            emitter.step(format!("{}, {threads} threads", case.name))?;
            let rates = match case.scalar {
                Kind::F32 => rates::<f32>(case, threads, settings.effort())?,
                Kind::F64 => rates::<f64>(case, threads, settings.effort())?,
            };
            for (implementation, rate) in ["copy", "lincomb"].into_iter().zip(rates) {
                emitter.record(Record {
                    case: case.name.clone(),
                    implementation: implementation.into(),
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
    }
    Ok(())
}

/// Bytes per second of the copy and of the combination.
fn rates<T: Scalar>(
    case: &Case,
    threads: usize,
    effort: Effort,
) -> Result<[Quartiles; 2], SuiteError> {
    let pool = pool(threads)?;
    let state = |v: f64| vec![T::of(v); case.elements];
    let sources: Vec<Vec<T>> = (0..case.terms).map(|k| state(1.0 + k as f64)).collect();
    let (mut sum, mut target) = (state(0.0), state(0.0));
    let terms: Vec<(f64, &Vec<T>)> = sources
        .iter()
        .enumerate()
        .map(|(k, s)| (0.5 - 0.2 * k as f64, s))
        .collect();

    let size = case.elements * size_of::<T>();
    let (copied, combined) = (2 * size, (case.terms + 1) * size);
    let repeats = |bytes: usize| LEAST_BYTES.div_ceil(bytes).max(1);
    // Copies shorter than a chunk run on the calling thread, as small combinations do.
    let chunk = CHUNK / size_of::<T>();
    let mut copy = || {
        pool.install(|| {
            for _ in 0..repeats(copied) {
                if case.elements <= chunk {
                    target.copy_from_slice(&sources[0]);
                } else {
                    target
                        .par_chunks_mut(chunk)
                        .zip(sources[0].par_chunks(chunk))
                        .for_each(|(t, s)| t.copy_from_slice(s));
                }
                black_box(&mut target);
            }
        });
    };
    let mut combine = || {
        pool.install(|| {
            for _ in 0..repeats(combined) {
                sum.lincomb(0.0, &terms);
                black_box(&mut sum);
            }
        });
    };
    let times = interleaved(effort, &mut [&mut copy, &mut combine]);
    let rate =
        |q: Quartiles, bytes: usize| q.falling(|seconds| (bytes * repeats(bytes)) as f64 / seconds);
    Ok([rate(times[0], copied), rate(times[1], combined)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rates_are_believable_for_both_scalars() {
        let Cases { case } = cases(SUITE, include_str!("../../suites/lincomb.toml")).unwrap();
        let small = Case {
            elements: 4096,
            ..case.into_iter().next().unwrap()
        };
        let effort = Effort {
            min_runs: 1,
            max_runs: 1,
            budget: Duration::ZERO,
            warm_up: 0,
        };
        for rates in [
            rates::<f32>(&small, 1, effort).unwrap(),
            rates::<f64>(&small, 1, effort).unwrap(),
        ] {
            assert!(
                rates.iter().all(|r| r.median > 1e8 && r.median < 1e13),
                "{rates:?}"
            );
        }
    }
}
