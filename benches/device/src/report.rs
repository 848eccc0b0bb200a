//! Lines of a report, for people and for programs.

use std::fmt::Write;
use std::path::Path;

use ansatz_cuda::Device;

/// One thing that was checked or timed.
enum Line {
    Check {
        name: String,
        /// What is wrong.
        wrong: Option<String>,
    },
    Time {
        name: String,
        seconds: f64,
        /// Bytes that have to move, for things bound by memory.
        bytes: f64,
        /// Operations, for things bound by arithmetic.
        operations: f64,
        /// Fraction of the bandwidth that is asked for.
        target: Option<f64>,
    },
    Peer {
        work: String,
        who: String,
        precision: String,
        /// Seconds of ours.
        ours: Option<f64>,
        /// Theirs, how far the results are apart, and what it took to prepare.
        theirs: [f64; 3],
    },
    Note(String),
}

/// Everything that was found out about a device.
pub(crate) struct Report {
    device: String,
    /// Bytes a second of a copy, read and written.
    pub(crate) bandwidth: f64,
    /// Operations a second of a product of large matrices in f32.
    pub(crate) peak: f64,
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn new(device: &Device) -> Self {
        let name = device.name().unwrap_or_else(|e| e.to_string());
        let memory = device.memory().map_or(0, |(_, total)| total >> 20);
        let units = device.multiprocessors().unwrap_or(0);
        Self {
            device: format!(
                "{name}, {}, {units} multiprocessors, {memory} MiB",
                device.target()
            ),
            bandwidth: f64::NAN,
            peak: f64::NAN,
            lines: Vec::new(),
        }
    }

    /// Takes in what checks found.
    pub(crate) fn checked(&mut self, outcomes: Vec<(&'static str, Option<String>)>) {
        let lines = outcomes.into_iter().map(|(name, wrong)| Line::Check {
            name: name.into(),
            wrong,
        });
        self.lines.extend(lines);
    }

    pub(crate) fn failed(&mut self, name: &str, why: &str) {
        self.lines.push(Line::Check {
            name: name.into(),
            wrong: Some(why.into()),
        });
    }

    pub(crate) fn time(
        &mut self,
        name: &str,
        seconds: f64,
        [bytes, operations]: [f64; 2],
        target: Option<f64>,
    ) {
        self.lines.push(Line::Time {
            name: name.into(),
            seconds,
            bytes,
            operations,
            target,
        });
    }

    pub(crate) fn peer(
        &mut self,
        work: &str,
        who: &str,
        precision: &str,
        ours: Option<f64>,
        theirs: [f64; 3],
    ) {
        self.lines.push(Line::Peer {
            work: work.into(),
            who: who.into(),
            precision: precision.into(),
            ours: ours.filter(|s| s.is_finite()),
            theirs,
        });
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.lines.push(Line::Note(text.into()));
    }

    /// Whether no check failed. Times are reported, not judged.
    pub(crate) fn is_sound(&self) -> bool {
        !self
            .lines
            .iter()
            .any(|l| matches!(l, Line::Check { wrong: Some(_), .. }))
    }

    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join("device-report.md"), self.markdown())?;
        std::fs::write(folder.join("device-report.jsonl"), self.jsonl())
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "# Device report\n\n{}\n\n| check | result |\n|---|---|\n",
            self.device
        );
        // Writing to a string cannot fail.
        for line in &self.lines {
            if let Line::Check { name, wrong } = line {
                let result = wrong.as_deref().unwrap_or("passes").replace('\n', " ");
                let _ = writeln!(text, "| {name} | {result} |");
            }
        }
        let _ = writeln!(
            text,
            "\nA copy moves {:.0} GB/s, reading and writing; a product of large matrices does {:.0} Gop/s in f32.\n\n\
             | work | ms | GB/s | of the copy | Gop/s | of the product | target |\n|---|---|---|---|---|---|---|",
            self.bandwidth / 1e9,
            self.peak / 1e9
        );
        for line in &self.lines {
            if let Line::Time {
                name,
                seconds,
                bytes,
                operations,
                target,
            } = line
            {
                let fraction = bytes / seconds / self.bandwidth;
                let worked = operations / seconds / self.peak;
                let verdict = target.map_or(String::new(), |t| {
                    let word = if fraction >= t { "met" } else { "missed" };
                    format!("{t:.2} {word}")
                });
                let _ = writeln!(
                    text,
                    "| {name} | {:.3} | {:.0} | {fraction:.2} | {:.0} | {worked:.2} | {verdict} |",
                    1e3 * seconds,
                    bytes / seconds / 1e9,
                    operations / seconds / 1e9,
                );
            }
        }
        self.peers(&mut text);
        text
    }

    /// Other packages beside ours: above 1 ours is faster.
    fn peers(&self, text: &mut String) {
        let mut head = "\n| work | package | products | ms | theirs / ours | apart | prepared in s |\n\
                        |---|---|---|---|---|---|---|\n";
        for line in &self.lines {
            let _ = match line {
                Line::Peer {
                    work,
                    who,
                    precision,
                    ours,
                    theirs: [seconds, apart, prepared],
                } => {
                    let ratio = ours.map_or(String::new(), |ours| format!("{:.2}", seconds / ours));
                    let ms = 1e3 * seconds;
                    writeln!(
                        text,
                        "{head}| {work} | {who} | {precision} | {ms:.3} | {ratio} | {apart:.1e} | {prepared:.1} |"
                    )
                }
                _ => continue,
            };
            head = "";
        }
        for line in &self.lines {
            if let Line::Note(note) = line {
                let _ = write!(text, "\n{note}\n");
            }
        }
    }

    fn jsonl(&self) -> String {
        // NaN is no JSON.
        let number = |x: f64| {
            let finite = Some(x).filter(|x| x.is_finite());
            finite.map_or_else(|| "null".into(), |x| format!("{x:e}"))
        };
        let (copy, product) = (number(self.bandwidth), number(self.peak));
        let quoted = |s: &str| serde_json::Value::from(s).to_string();
        let mut text = format!(
            "{{\"device\": {}, \"copy\": {copy}, \"product\": {product}}}\n",
            quoted(&self.device)
        );
        for line in &self.lines {
            let _ = match line {
                Line::Check { name, wrong } => writeln!(
                    text,
                    "{{\"check\": {}, \"passes\": {}}}",
                    quoted(name),
                    wrong.is_none()
                ),
                Line::Time {
                    name,
                    seconds,
                    bytes,
                    operations,
                    ..
                } => writeln!(
                    text,
                    "{{\"work\": {}, \"seconds\": {seconds:e}, \"bytes\": {bytes:e}, \"operations\": {operations:e}}}",
                    quoted(name)
                ),
                Line::Peer {
                    work,
                    who,
                    precision,
                    ours,
                    theirs: [seconds, apart, prepared],
                } => writeln!(
                    text,
                    "{{\"work\": {}, \"impl\": {}, \"precision\": {}, \"seconds\": {seconds:e}, \"ours\": {}, \"agreement\": {apart:e}, \"prepared\": {prepared:e}}}",
                    quoted(work),
                    quoted(who),
                    quoted(precision),
                    ours.map_or_else(|| "null".into(), |s| format!("{s:e}")),
                ),
                Line::Note(note) => writeln!(text, "{{\"note\": {}}}", quoted(note)),
            };
        }
        text
    }
}
