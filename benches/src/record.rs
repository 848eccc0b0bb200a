//! The lines that suites and peers write: one JSON object each.
//!
//! `xtask` compiles this file as well (by path), so that reader and writer cannot drift apart and the command does not
//! have to build what it measures. Peers in other languages write the same lines.

use serde::{Deserialize, Serialize};

/// Version of the layout of [`Record`]; readers refuse others.
pub const SCHEMA: u32 = 1;

/// One line of a suite's standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Event {
    /// A measured value.
    Record(Box<Record>),
    /// How far the suite is.
    Progress {
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
        /// What is being measured now.
        what: String,
    },
    /// A picture for the report.
    Picture {
        /// Suite that it belongs to.
        suite: String,
        /// What one sees.
        caption: String,
        /// A PNG file.
        path: String,
    },
    /// A sentence for the report, such as a peer that is missing or that disagrees.
    Note {
        /// Suite that it belongs to.
        suite: String,
        /// The sentence.
        text: String,
    },
}

/// One measured value with all that is needed to read it later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Layout version, [`SCHEMA`].
    pub schema: u32,
    /// Suite, as the file name under `benches/suites`.
    pub suite: String,
    /// What was worked on: model, size, data set.
    pub case: String,
    /// Who did it: a method of ours, a peer, or a floor such as `copy`.
    #[serde(rename = "impl")]
    pub implementation: String,
    /// Version of the implementation; empty for ours, whose version is the commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What was measured, as a metric of the suite.
    pub metric: String,
    /// The value: the median if there are several runs.
    pub value: f64,
    /// Unit of the value; `1` for pure numbers.
    pub unit: String,
    /// Lower quartile, if there are several runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lo: Option<f64>,
    /// Upper quartile, if there are several runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hi: Option<f64>,
    /// How many runs the value stands for.
    pub runs: u64,
    /// Threads allowed.
    pub threads: u64,
    /// Where the value stands on a curve; none for a single number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<Abscissa>,
    /// `cpu`, or the name of the accelerator.
    pub device: String,
    /// Filled in by the command: processor model.
    pub cpu: String,
    /// Filled in by the command: compiler version.
    pub rustc: String,
    /// Filled in by the command: commit, with `-dirty` if the tree had changes.
    pub commit: String,
    /// Filled in by the command: when the run began, UTC.
    pub date: String,
}

/// The abscissa of a point on a curve, such as the number of function evaluations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Abscissa {
    /// What it counts.
    pub name: String,
    /// How many.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_the_way_through_json() {
        let x = Some(Abscissa {
            name: "nfe".into(),
            value: 10.0,
        });
        let record = Record {
            schema: SCHEMA,
            suite: "s".into(),
            value: 0.1 + 0.2,
            lo: Some(1e-300),
            x,
            ..Record::default()
        };
        let event = Event::Record(Box::new(record));
        let line = serde_json::to_string(&event).unwrap();
        assert!(
            line.starts_with("{\"kind\":\"record\"") && !line.contains('\n'),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn peers_may_leave_out_what_they_do_not_know() {
        let line =
            r#"{"kind":"record","suite":"s","impl":"peer","metric":"time","value":1,"unit":"s"}"#;
        let Event::Record(record) = serde_json::from_str(line).unwrap() else {
            panic!("not a record")
        };
        assert_eq!(
            (record.implementation.as_str(), record.value, record.lo),
            ("peer", 1.0, None)
        );
    }
}
