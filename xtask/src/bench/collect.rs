//! Everything a run has gathered.

use std::path::PathBuf;

use super::machine::Machine;
use super::record::{Event, Record, SCHEMA};
use crate::error::Error;

/// Records, pictures, notes and failures, in the order they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Collected {
    pub(crate) records: Vec<Record>,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) notes: Vec<Note>,
    pub(crate) failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) suite: String,
    pub(crate) caption: String,
    pub(crate) path: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) suite: String,
    pub(crate) text: String,
}

/// A suite that did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) suite: String,
    /// How it ended.
    pub(crate) status: String,
    /// The end of what it said.
    pub(crate) tail: String,
}

impl Collected {
    /// Takes one line of a suite; what cannot be read is an error with the line in it.
    pub(crate) fn line(&mut self, line: &str) -> Result<Option<(u64, u64, String)>, String> {
        match serde_json::from_str(line).map_err(|e| format!("{e} in the line {line:?}"))? {
            Event::Record(record) if record.schema != SCHEMA => {
                return Err(format!(
                    "record of layout {} instead of {SCHEMA}: {line:?}",
                    record.schema
                ));
            }
            Event::Record(record) => self.records.push(*record),
            Event::Progress { done, total, what } => return Ok(Some((done, total, what))),
            Event::Picture {
                suite,
                caption,
                path,
            } => self.pictures.push(Picture {
                suite,
                caption,
                path: path.into(),
            }),
            Event::Note { suite, text } => self.notes.push(Note { suite, text }),
        }
        Ok(None)
    }

    /// Fills in what only the command knows. Of records of the same thing the last stays: a peer measures our side again,
    /// in turns with its own.
    pub(crate) fn complete(mut self, machine: &Machine) -> Self {
        let mut later: Vec<Record> = Vec::new();
        for record in self.records.into_iter().rev() {
            if !later.iter().any(|kept| same_thing(kept, &record)) {
                later.push(record);
            }
        }
        later.reverse();
        self.records = later;
        for record in &mut self.records {
            record.cpu.clone_from(&machine.cpu);
            record.rustc.clone_from(&machine.rustc);
            record.commit.clone_from(&machine.commit);
            record.date.clone_from(&machine.date);
        }
        self
    }

    /// The records as they are stored, one line each.
    pub(crate) fn json_lines(&self) -> Result<String, Error> {
        let mut text = String::new();
        for record in &self.records {
            let line = serde_json::to_string(record).map_err(|source| Error::Json {
                what: format!("record of {}", record.suite),
                source,
            })?;
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }
}

/// Whether two records measure the same thing, perhaps in different runs.
pub(crate) fn same_thing(a: &Record, b: &Record) -> bool {
    (
        &a.suite,
        &a.case,
        &a.implementation,
        &a.metric,
        a.threads,
        &a.x,
    ) == (
        &b.suite,
        &b.case,
        &b.implementation,
        &b.metric,
        b.threads,
        &b.x,
    )
}

/// Records from stored lines.
pub(crate) fn parse_records(text: &str, what: &str) -> Result<Vec<Record>, Error> {
    let parse = |line| {
        serde_json::from_str(line).map_err(|source| Error::Json {
            what: what.to_owned(),
            source,
        })
    };
    text.lines()
        .filter(|l| !l.trim().is_empty())
        .map(parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_by_kind_and_slips_are_said() {
        let mut collected = Collected::default();
        let record = r#"{"kind":"record","schema":1,"suite":"s","metric":"m","value":2.5}"#;
        assert_eq!(collected.line(record), Ok(None));
        let progress = r#"{"kind":"progress","done":1,"total":3,"what":"x"}"#;
        assert_eq!(collected.line(progress), Ok(Some((1, 3, "x".into()))));
        assert!(
            collected
                .line("Segmentation fault")
                .unwrap_err()
                .contains("Segmentation fault")
        );
        assert!(
            collected
                .line(&record.replace("\"schema\":1", "\"schema\":2"))
                .unwrap_err()
                .contains("layout 2")
        );
        assert_eq!(collected.records.len(), 1);
    }

    #[test]
    fn the_last_record_of_a_thing_stays() {
        let record = |case: &str, value: f64| Record {
            case: case.into(),
            value,
            ..Record::default()
        };
        let records = vec![record("a", 1.0), record("b", 2.0), record("a", 3.0)];
        let kept = Collected {
            records,
            ..Collected::default()
        }
        .complete(&Machine::default())
        .records;
        assert_eq!(kept.iter().map(|r| r.value).collect::<Vec<_>>(), [2.0, 3.0]);
    }

    #[test]
    fn stored_records_come_back() {
        let mut collected = Collected::default();
        collected
            .line(r#"{"kind":"record","schema":1,"suite":"s","metric":"m","value":0.1}"#)
            .unwrap();
        let machine = Machine {
            cpu: "c".into(),
            ..Machine::default()
        };
        let collected = collected.complete(&machine);
        let text = collected.json_lines().unwrap();
        assert!(text.contains("\"cpu\":\"c\""));
        assert_eq!(parse_records(&text, "x").unwrap(), collected.records);
    }
}
