//! Results kept under a name, and how a new run stands beside them.

use std::path::{Path, PathBuf};

use ansatz_viz::number;

use super::collect;
use super::record::Record;
use super::suite::Suite;
use super::table::{Table, case_name, differs, shown_name, verdict};
use crate::error::{self, Error};

/// A kept run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Earlier {
    pub(crate) name: String,
    pub(crate) records: Vec<Record>,
}

pub(crate) fn path(store: &Path, name: &str) -> PathBuf {
    store.join("saved").join(format!("{name}.jsonl"))
}

pub(crate) fn load(store: &Path, name: &str) -> Result<Earlier, Error> {
    let path = path(store, name);
    let text = error::read(&path).map_err(|_| {
        let mut known: Vec<String> = std::fs::read_dir(store.join("saved"))
            .map(|entries| {
                entries
                    .flatten()
                    .filter_map(|e| {
                        e.path()
                            .file_stem()
                            .map(|s| s.to_string_lossy().into_owned())
                    })
                    .collect()
            })
            .unwrap_or_default();
        known.sort();
        let known = if known.is_empty() {
            "none yet; keep one with --save NAME".into()
        } else {
            known.join(", ")
        };
        Error::Usage(format!(
            "no results are kept under {name:?}; there are: {known}"
        ))
    })?;
    let records = collect::parse_records(&text, &path.display().to_string())?;
    Ok(Earlier {
        name: name.to_owned(),
        records,
    })
}

/// The values of a suite that both runs have and that clearly differ, with their ratio; the title counts the others.
pub(crate) fn table(suite: &Suite, records: &[Record], earlier: &Earlier) -> Option<Table> {
    let mine: Vec<&Record> = records.iter().filter(|r| r.suite == suite.name).collect();
    let mut rows = Vec::new();
    let mut both = 0;
    for now in &mine {
        let same = |then: &&Record| collect::same_thing(then, now);
        let (Some(then), Some(metric)) =
            (earlier.records.iter().find(same), suite.metric(&now.metric))
        else {
            continue;
        };
        both += 1;
        if !differs(now, then) {
            continue;
        }
        let x = now.x.as_ref().map_or(String::new(), |x| {
            format!(", {} {}", x.name, number::short(x.value))
        });
        rows.push(vec![
            format!("{}{x}", case_name(now, &mine)),
            format!("{}, {}", metric.title, shown_name(&now.implementation)),
            number::with_unit(now.value, &now.unit),
            number::with_unit(then.value, &then.unit),
            number::short(now.value / then.value),
            verdict(metric, now, then)
                .replace("ours is", "now")
                .replace("ours loses:", "now worse:"),
        ]);
    }
    let then = format!("then ({})", earlier.name);
    let head = ["case", "what", "now", &then, "now ÷ then", "in words"]
        .map(str::to_owned)
        .to_vec();
    let (name, changed) = (&earlier.name, rows.len());
    let title = format!("Beside the run {name}: {changed} of {both} values clearly differ");
    (both > 0).then_some(Table {
        title,
        finding: true,
        head,
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::suite::tests::demo;
    use crate::bench::table::tests::{at, record};

    #[test]
    fn only_what_both_runs_have_is_compared() {
        let now = [
            record("time", "a", "ddim", 0.002),
            record("time", "b", "ddim", 0.002),
            at(5.0, record("rms", "a", "ddim", 0.5)),
            record("time", "new", "ddim", 1.0),
        ];
        let then = vec![
            record("time", "a", "ddim", 0.001),
            record("time", "b", "ddim", 0.002),
            at(6.0, record("rms", "a", "ddim", 0.5)),
        ];
        let table = table(
            &demo(),
            &now,
            &Earlier {
                name: "base".into(),
                records: then,
            },
        )
        .unwrap();
        assert_eq!(table.rows.len(), 1);
        assert!(
            table.title.ends_with("1 of 2 values clearly differ"),
            "{}",
            table.title
        );
        assert_eq!(table.rows[0][4..], ["2", "now worse: 2× slower"]);
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        let error = load(Path::new("no/such/folder"), "base")
            .unwrap_err()
            .to_string();
        assert!(error.contains("--save"), "{error}");
    }
}
