//! What a suite is: `benches/suites/<suite>.toml`.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{self, Error};

/// A suite with its words and metrics; its cases are read by the program that runs it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Suite {
    /// The file name, not in the file.
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) title: String,
    /// What is measured, in a sentence.
    pub(crate) shows: String,
    /// How to read the plots.
    pub(crate) read: String,
    /// Position in the report; suites with the same one are ordered by name.
    #[serde(default)]
    order: i64,
    #[serde(default)]
    pub(crate) runner: Runner,
    budget_s: Budget,
    #[serde(default, rename = "metric")]
    pub(crate) metrics: Vec<Metric>,
    #[serde(default, rename = "peer")]
    pub(crate) peers: Vec<Peer>,
}

/// Which program measures a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Runner {
    /// `ansatz-bench <suite>`.
    #[default]
    Program,
    /// `cargo bench --bench <bench>`.
    Criterion { bench: String },
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Budget {
    quick: u64,
    full: u64,
}

/// Something a suite measures, and how it is shown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) better: Better,
    #[serde(default)]
    pub(crate) chart: Shape,
    /// Label of the abscissa of curves.
    #[serde(default)]
    pub(crate) x_title: String,
    /// Logarithmic axis for values; curves are always logarithmic both ways.
    #[serde(default)]
    pub(crate) log: bool,
    /// The implementation that nothing can beat, such as `copy`.
    #[serde(default)]
    pub(crate) floor: Option<String>,
    /// One picture for all cases rather than one for each.
    #[serde(default)]
    pub(crate) together: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    Curve,
    #[default]
    Bars,
    /// Numbers only.
    Table,
}

/// Another package that does the same work.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// As a person calls it.
    pub(crate) name: String,
    /// Program under `benches/`: a Python script, or the `Cargo.toml` of a Rust program.
    pub(crate) script: String,
    /// Pinned packages of a Python script, under `benches/`.
    #[serde(default)]
    pub(crate) requirements: String,
    /// Greatest difference at which two answers count as the same.
    pub(crate) agreement: f64,
}

impl Suite {
    /// After this time a suite that is still running is stopped: well above what it should take.
    pub(crate) fn limit(&self, quick: bool) -> Duration {
        let budget = if quick {
            self.budget_s.quick
        } else {
            self.budget_s.full
        };
        Duration::from_secs(60 + 6 * budget)
    }

    pub(crate) fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|m| m.name == name)
    }
}

/// Every suite of a folder, in the order of the report.
pub(crate) fn load_all(folder: &Path) -> Result<Vec<Suite>, Error> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let mut suites = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let mut suite: Suite = error::read_toml(&path)?;
            suite.name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            suites.push(suite);
        }
    }
    suites.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    Ok(suites)
}

/// The suites named, or all if none is.
pub(crate) fn choose(suites: Vec<Suite>, names: &[String]) -> Result<Vec<Suite>, Error> {
    if let Some(unknown) = names.iter().find(|n| !suites.iter().any(|s| s.name == **n)) {
        let known: Vec<&str> = suites.iter().map(|s| s.name.as_str()).collect();
        return Err(Error::Usage(format!(
            "no suite {unknown:?}; there are: {}",
            known.join(", ")
        )));
    }
    Ok(suites
        .into_iter()
        .filter(|s| names.is_empty() || names.contains(&s.name))
        .collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A suite with a curve, a bar metric with a floor, and a peer.
    pub(crate) fn demo() -> Suite {
        let mut suite: Suite = toml::from_str(
            "title = 'Demo'\nshows = 'What.'\nread = 'How.'\nbudget_s = { quick = 1, full = 2 }\n\
             [[metric]]\nname = 'rms'\ntitle = 'Error'\nunit = '1'\nbetter = 'lower'\nchart = 'curve'\nx_title = 'NFE'\n\
             [[metric]]\nname = 'bandwidth'\ntitle = 'Rate'\nunit = 'GB/s'\nbetter = 'higher'\nfloor = 'copy'\n\
             [[metric]]\nname = 'time'\ntitle = 'Time'\nunit = 's'\nbetter = 'lower'\n\
             [[peer]]\nname = 'diffusers'\nscript = 'peers/p.py'\nrequirements = 'peers/r.txt'\nagreement = 1e-6\n",
        )
        .unwrap();
        suite.name = "demo".into();
        suite
    }

    #[test]
    fn suites_are_chosen_by_name() {
        let suites = || {
            vec![
                demo(),
                Suite {
                    name: "other".into(),
                    ..demo()
                },
            ]
        };
        assert_eq!(choose(suites(), &[]).unwrap().len(), 2);
        assert_eq!(
            choose(suites(), &["other".into()]).unwrap()[0].name,
            "other"
        );
        let error = choose(suites(), &["demoo".into()]).unwrap_err().to_string();
        assert!(error.contains("demo, other"), "{error}");
    }

    #[test]
    fn the_suites_of_the_repository_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/suites");
        let suites = load_all(&folder).unwrap();
        assert!(suites.iter().any(|s| s.name == "bandwidth"));
        for suite in &suites {
            assert!(
                !suite.metrics.is_empty() && suite.read.ends_with('.'),
                "{}",
                suite.name
            );
            for metric in suite.metrics.iter().filter(|m| m.chart == Shape::Curve) {
                assert!(
                    !metric.x_title.is_empty(),
                    "{}: curve {} needs x_title",
                    suite.name,
                    metric.name
                );
            }
        }
    }
}
