//! Inverse Fisher products beside the rate of memory and of matrix products.

use std::hint::black_box;
use std::io::Write;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::bandwidth::read_all;
use super::{Settings, SuiteError, pool};
use crate::emit::Emitter;
use crate::fisher::{Fisher, GRADIENTS, PARAMETERS, TASKS};
use crate::record::Record;
use crate::timing::{Quartiles, interleaved};

const SUITE: &str = "fisher";

/// Measures each task with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a line cannot be written or a pool not be made.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let mut emitter = Emitter::new(out, SUITE, (settings.threads.len() * TASKS.len()) as u64);
    let mut fisher = pool(settings.most_threads())?.install(|| Fisher::new(PARAMETERS))?;
    for &threads in &settings.threads {
        let pool = pool(threads)?;
        for task in TASKS {
            emitter.step(format!("{task}, {threads} threads"))?;
            let mut times = Vec::new();
            let mut floors = Vec::new();
            // The first round warms up.
            for round in 0..=if settings.quick { 5 } else { 15 } {
                let seconds = pool.install(|| fisher.run(task))?;
                let floor = pool.install(|| match task {
                    "set up" => arithmetic(threads, settings),
                    _ => 2.0 * read_all(fisher.gradients().par_iter().map(Vec::as_slice)),
                });
                if round > 0 {
                    times.push(seconds);
                    floors.push(floor);
                }
            }
            let (Some(time), Some(floor)) = (Quartiles::of(&times), Quartiles::of(&floors)) else {
                continue;
            };
            // One sweep gives the products with the newest gradient, one takes the sum.
            let record = |implementation: &str, metric: &str, value: f64| Record {
                case: task.into(),
                implementation: implementation.into(),
                metric: metric.into(),
                value,
                unit: if metric == "time" { "s" } else { "1" }.into(),
                runs: time.runs as u64,
                threads: threads as u64,
                ..Record::default()
            };
            emitter.record(Record {
                lo: Some(time.lo),
                hi: Some(time.hi),
                ..record("ours", "time", time.median)
            })?;
            emitter.record(record("floor", "time", floor.median))?;
            emitter.record(record("ours", "share", time.median / floor.median))?;
        }
    }
    Ok(())
}

/// Seconds of 2dm² operations at the rate of products in the cache.
fn arithmetic(threads: usize, settings: &Settings) -> f64 {
    const SIDE: usize = 192;
    let a = Mat::<f32>::from_fn(SIDE, SIDE, |i, j| ((i * 7 + j) % 11) as f32);
    let product = || {
        let mut c = Mat::<f32>::zeros(SIDE, SIDE);
        for _ in 0..40 {
            matmul(c.as_mut(), Accum::Replace, &a, &a, 1.0, Par::Seq);
        }
        black_box(c);
    };
    let mut all = || (0..threads).into_par_iter().for_each(|_| product());
    let effort = crate::timing::Effort {
        min_runs: 3,
        max_runs: 3,
        warm_up: 1,
        ..settings.effort()
    };
    let times = interleaved(effort, &mut [&mut all]);
    let rate = 40.0 * threads as f64 * 2.0 * (SIDE as f64).powi(3) / times[0].median;
    2.0 * PARAMETERS as f64 * (GRADIENTS as f64).powi(2) / rate
}
