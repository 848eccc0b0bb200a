//! Criterion groups as a suite: runs `cargo bench` and reads what it stored.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::child;
use super::collect::{Collected, Note};
use super::record::{Record, SCHEMA};
use crate::error::{self, Error};

/// Far above what any group should take.
const LIMIT: Duration = Duration::from_secs(900);

/// Fields of criterion's `benchmark.json`.
#[derive(Debug, Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

/// Fields of criterion's `estimates.json`, in nanoseconds.
#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Fields of criterion's `sample.json`: nanoseconds of each sample and calls in it.
#[derive(Debug, Deserialize)]
struct Sample {
    times: Vec<f64>,
    iters: Vec<f64>,
}

impl Sample {
    /// Nanoseconds per call below which a part `q` of the samples lies.
    fn quantile(&self, q: f64) -> Option<f64> {
        let mut each: Vec<f64> = self
            .times
            .iter()
            .zip(&self.iters)
            .map(|(t, n)| t / n)
            .collect();
        each.sort_by(f64::total_cmp);
        each.get((q * (each.len().max(1) - 1) as f64).round() as usize)
            .copied()
    }
}

pub(crate) fn run(
    suite: &str,
    bench: &str,
    command: &mut Command,
    folder: &Path,
    quick: bool,
    collected: &mut Collected,
) -> Result<(), Error> {
    command.args([
        "bench",
        "--quiet",
        "-p",
        "ansatz-bench",
        "--bench",
        bench,
        "--",
    ]);
    if quick {
        command.args([
            "--warm-up-time",
            "0.2",
            "--measurement-time",
            "0.5",
            "--sample-size",
            "10",
        ]);
    } else {
        command.args(["--warm-up-time", "1", "--measurement-time", "3"]);
    }
    // A home of its own: estimates of an earlier run must not be read as this one's.
    let home = folder.join("criterion");
    command.env("CRITERION_HOME", &home);
    child::run(suite, command, child::Output::Text, LIMIT, collected);
    let records = read(suite, &home)?;
    if records.is_empty() {
        let text = format!("criterion stored no estimates for the group {bench}.");
        collected.notes.push(Note {
            suite: suite.to_owned(),
            text,
        });
    }
    collected.records.extend(records);
    Ok(())
}

/// A record for each `new/estimates.json` below `home`, in the order of their paths.
fn read(suite: &str, home: &Path) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let Ok(entries) = std::fs::read_dir(home) else {
        return Ok(records);
    };
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    paths.sort();
    for path in paths {
        if path.ends_with("new") {
            records.push(record(suite, &path)?);
        } else {
            records.extend(read(suite, &path)?);
        }
    }
    Ok(records)
}

fn record(suite: &str, folder: &Path) -> Result<Record, Error> {
    let benchmark: Benchmark = json(&folder.join("benchmark.json"))?;
    let median = json::<Estimates>(&folder.join("estimates.json"))?.median;
    let sample: Sample = json(&folder.join("sample.json"))?;
    let seconds = |nanoseconds: f64| nanoseconds * 1e-9;
    let group = benchmark.group_id;
    let case = benchmark
        .value_str
        .map_or(group.clone(), |value| format!("{group}, {value}"));
    Ok(Record {
        schema: SCHEMA,
        suite: suite.to_owned(),
        implementation: benchmark.function_id.unwrap_or_else(|| "ansatz".into()),
        case,
        metric: "time".into(),
        value: seconds(median.point_estimate),
        lo: sample.quantile(0.25).map(seconds),
        hi: sample.quantile(0.75).map(seconds),
        unit: "s".into(),
        runs: sample.times.len() as u64,
        threads: 1,
        device: "cpu".into(),
        ..Record::default()
    })
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_str(&error::read(path)?).map_err(|source| Error::Json {
        what: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_estimates_become_records() {
        let home = std::env::temp_dir().join(format!("ansatz-criterion-{}", std::process::id()));
        let new = home.join("dot/f64/1024/new");
        error::write(
            &new.join("benchmark.json"),
            r#"{"group_id":"dot","function_id":"f64","value_str":"1024","throughput":null}"#,
        )
        .unwrap();
        error::write(
            &new.join("estimates.json"),
            r#"{"median":{"point_estimate":100.0,"standard_error":1.0}}"#,
        )
        .unwrap();
        error::write(
            &new.join("sample.json"),
            r#"{"iters":[1.0,2.0,4.0],"times":[100.0,180.0,480.0]}"#,
        )
        .unwrap();
        let records = read("kernels", &home).unwrap();
        std::fs::remove_dir_all(&home).unwrap();
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!(
            (record.case.as_str(), record.implementation.as_str()),
            ("dot, 1024", "f64")
        );
        assert!(
            (record.value - 1e-7).abs() < 1e-20 && record.lo.unwrap() <= record.value,
            "{record:?}"
        );
        assert!(
            record.hi.unwrap() >= record.value && record.runs == 3,
            "{record:?}"
        );
    }

    #[test]
    fn nothing_stored_is_no_record() {
        assert!(read("x", Path::new("no/such/folder")).unwrap().is_empty());
    }
}
