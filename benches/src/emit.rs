//! Writes [`Event`]s as JSON lines.

use std::io::{self, Write};

use crate::record::{Event, Record, SCHEMA};

/// Where a suite reports to: standard output for the command, a buffer in tests.
pub struct Emitter<'a> {
    out: &'a mut (dyn Write + Send),
    suite: &'a str,
    done: u64,
    total: u64,
}

impl<'a> Emitter<'a> {
    /// Lines of `suite`, which takes `total` steps.
    pub fn new(out: &'a mut (dyn Write + Send), suite: &'a str, total: u64) -> Self {
        Self {
            out,
            suite,
            done: 0,
            total,
        }
    }

    /// A record; suite, layout and device are filled in.
    ///
    /// # Errors
    /// If the line cannot be written: the reader is gone.
    pub fn record(&mut self, record: Record) -> io::Result<()> {
        let device = if record.device.is_empty() {
            "cpu".into()
        } else {
            record.device
        };
        let record = Record {
            schema: SCHEMA,
            suite: self.suite.to_owned(),
            device,
            ..record
        };
        self.line(&Event::Record(Box::new(record)))
    }

    /// Says what comes next; each call counts the step before it as done.
    ///
    /// # Errors
    /// As [`Emitter::record`].
    pub fn step(&mut self, what: impl Into<String>) -> io::Result<()> {
        let (done, total) = (self.done, self.total.max(self.done + 1));
        self.done += 1;
        self.line(&Event::Progress {
            done,
            total,
            what: what.into(),
        })
    }

    /// A PNG file for the report.
    ///
    /// # Errors
    /// As [`Emitter::record`].
    pub fn picture(
        &mut self,
        caption: impl Into<String>,
        path: &std::path::Path,
    ) -> io::Result<()> {
        let path = path.to_string_lossy().into_owned();
        self.line(&Event::Picture {
            suite: self.suite.to_owned(),
            caption: caption.into(),
            path,
        })
    }

    /// A sentence for the report.
    ///
    /// # Errors
    /// As [`Emitter::record`].
    pub fn note(&mut self, text: impl Into<String>) -> io::Result<()> {
        self.line(&Event::Note {
            suite: self.suite.to_owned(),
            text: text.into(),
        })
    }

    fn line(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, event)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suite_and_schema_are_filled_in_and_steps_are_counted() {
        let mut out = Vec::new();
        let mut emitter = Emitter::new(&mut out, "demo", 2);
        emitter.step("first").unwrap();
        emitter
            .record(Record {
                value: 2.0,
                ..Record::default()
            })
            .unwrap();
        emitter.step("second").unwrap();
        let text = String::from_utf8(out).unwrap();
        let events: Vec<Event> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(
            events[0],
            Event::Progress {
                done: 0,
                total: 2,
                what: "first".into()
            }
        );
        let Event::Record(record) = &events[1] else {
            panic!("{:?}", events[1])
        };
        assert_eq!(
            (record.suite.as_str(), record.schema, record.device.as_str()),
            ("demo", SCHEMA, "cpu")
        );
        assert_eq!(
            events[2],
            Event::Progress {
                done: 1,
                total: 2,
                what: "second".into()
            }
        );
    }
}
