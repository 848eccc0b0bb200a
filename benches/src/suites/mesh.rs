//! Extraction of surfaces beside the rate at which the samples can be read.

use std::io::Write;
use std::process::{Command, Stdio};

use ansatz_mesh::measure::Topology;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::bandwidth::read_all;
use super::{Settings, SuiteError, pool};
use crate::emit::Emitter;
use crate::mesh::{Extraction, FIELDS, Field, METHODS};
use crate::record::Record;
use crate::timing::Quartiles;

const SUITE: &str = "mesh";

/// Measures each method on each field with each number of threads.
///
/// # Errors
/// [`SuiteError`] if a line cannot be written or a pool not be made.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let sizes: &[usize] = if settings.quick { &[128] } else { &[128, 256] };
    let total = sizes.len() * FIELDS.len() * settings.threads.len();
    let mut emitter = Emitter::new(out, SUITE, total as u64);
    for &n in sizes {
        for field in FIELDS {
            let case = format!("{field} {n}³");
            let mut extraction = Extraction::new(Field::new(field, n)?);
            for (turn, &threads) in settings.threads.iter().enumerate() {
                emitter.step(format!("{case}, {threads} threads"))?;
                let pool = pool(threads)?;
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
                let mut times = vec![Vec::new(); METHODS.len()];
                let mut floors = Vec::new();
                // The first round warms up.
                for round in 0..=if settings.quick { 7 } else { 25 } {
                    for (method, times) in METHODS.iter().zip(&mut times) {
                        let seconds = pool.install(|| extraction.run(method))?;
                        if round > 0 {
                            times.push(seconds);
                        }
                    }
                    let floor =
                        pool.install(|| read_all(extraction.field().samples.par_chunks(1 << 18)));
                    if round > 0 {
                        floors.push(floor);
                    }
                }
                let Some(floor) = Quartiles::of(&floors) else {
                    continue;
                };
                emitter.record(record("floor", "time", floor.median, "s"))?;
                for (method, times) in METHODS.iter().zip(&times) {
                    let Some(time) = Quartiles::of(times) else {
                        continue;
                    };
                    emitter.record(Record {
                        lo: Some(time.lo),
                        hi: Some(time.hi),
                        runs: time.runs as u64,
                        ..record(method, "time", time.median, "s")
                    })?;
                    pool.install(|| extraction.run(method))?;
                    let [vertices, triangles, _] = extraction.summary()?;
                    let rate = triangles / time.median / 1e6;
                    emitter.record(record(method, "rate", rate, "M/s"))?;
                    if turn == 0 {
                        let report = Topology::of(extraction.mesh())?;
                        let broken = report.non_manifold_edges + report.non_manifold_vertices;
                        for (name, value) in [
                            ("vertices", vertices),
                            ("triangles", triangles),
                            ("Euler characteristic", report.euler() as f64),
                            ("edges and vertices that are not manifold", broken as f64),
                        ] {
                            let named = format!("{method}: {name}");
                            emitter.record(record(&named, "surface", value, "1"))?;
                        }
                    }
                }
                for (method, bytes) in peaks(field, n, threads)? {
                    emitter.record(record(method, "memory", bytes, "B"))?;
                }
            }
        }
    }
    Ok(())
}

/// The greatest memory of each method, where the system tells it: in a process of its own, whose memory goes back to the
/// system as soon as it is free.
fn peaks(field: &str, n: usize, threads: usize) -> Result<Vec<(&'static str, f64)>, SuiteError> {
    #[derive(Deserialize)]
    struct Peak {
        bytes: Option<f64>,
    }
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // The first round makes samples and threads; a few short lines fit into a pipe.
    if let Some(mut input) = child.stdin.take() {
        for method in METHODS.iter().cycle().take(2 * METHODS.len()) {
            let ask = json!({
                "op": "peak", "field": field, "samples": n, "method": method, "threads": threads,
            });
            writeln!(input, "{ask}")?;
        }
    }
    let output = child.wait_with_output()?;
    let answers = String::from_utf8_lossy(&output.stdout);
    let mut peaks = Vec::new();
    for (method, line) in METHODS.into_iter().zip(answers.lines().skip(METHODS.len())) {
        let Peak { bytes } = serde_json::from_str(line)?;
        peaks.extend(bytes.map(|bytes| (method, bytes)));
    }
    Ok(peaks)
}
