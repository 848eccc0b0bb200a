//! Rows of `docs/papers.toml`: known and unique ids, paths that exist.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Finding;
use crate::papers::Papers;

const FILE: &str = "docs/papers.toml";

/// `docs/systems.toml`.
#[derive(Debug, Deserialize)]
pub(crate) struct Systems {
    system: Vec<System>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    id: String,
    #[serde(rename = "title")]
    _title: String,
    /// Crates without the prefix `ansatz-`.
    crates: Vec<String>,
}

pub(crate) fn check(
    papers: &Papers,
    systems: &Systems,
    crates: &BTreeSet<&str>,
    exists: impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for paper in &papers.paper {
        let mut fail = |message: String| {
            found.push(Finding::fail(
                FILE,
                0,
                format!("row {:?} {message}", paper.id),
            ));
        };
        if !seen.insert(&paper.id) {
            fail("stands twice".into());
        }
        match systems.system.iter().find(|s| s.id == paper.id) {
            None => fail("is not an id of docs/systems.toml".into()),
            Some(system) => {
                let short = paper.krate.strip_prefix("ansatz-").unwrap_or(&paper.krate);
                if !system.crates.iter().any(|c| c == short) {
                    fail(format!(
                        "belongs in {:?} by docs/systems.toml, not in {short:?}",
                        system.crates
                    ));
                }
            }
        }
        if !crates.contains(paper.krate.as_str()) {
            fail(format!(
                "names the crate {:?}, which is not in the workspace",
                paper.krate
            ));
        }
        for (key, path) in [
            ("module", &paper.module),
            ("test", &paper.test),
            ("example", &paper.example),
        ] {
            if !exists(path) {
                fail(format!("has {key} = {path:?}, which does not exist"));
            }
        }
        if paper.number.trim().is_empty() {
            fail("has no number".into());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::papers::Paper;

    fn row(id: &str) -> Paper {
        Paper {
            id: id.into(),
            krate: "ansatz-a".into(),
            module: "m.rs".into(),
            example: "e.rs".into(),
            test: "t.rs".into(),
            number: "1".into(),
            ..Paper::default()
        }
    }

    fn found(paper: Vec<Paper>) -> Vec<String> {
        let systems =
            toml::from_str("[[system]]\nid = 'x'\ntitle = 'X'\ncrates = ['a']\n").unwrap();
        let exists = |path: &str| path != "gone.rs";
        let found = check(
            &Papers { paper },
            &systems,
            &BTreeSet::from(["ansatz-a", "ansatz-b"]),
            exists,
        );
        found.into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn a_good_row_passes() {
        assert!(found(vec![row("x")]).is_empty());
    }

    #[test]
    fn each_fault_is_found() {
        assert_eq!(found(vec![row("x"), row("x")]).len(), 1);
        assert_eq!(found(vec![row("y")]).len(), 1);
        assert_eq!(
            found(vec![Paper {
                test: "gone.rs".into(),
                ..row("x")
            }])
            .len(),
            1
        );
        assert_eq!(
            found(vec![Paper {
                number: " ".into(),
                ..row("x")
            }])
            .len(),
            1
        );
        assert_eq!(
            found(vec![Paper {
                krate: "ansatz-b".into(),
                ..row("x")
            }])
            .len(),
            1
        );
        assert_eq!(
            found(vec![Paper {
                krate: "ansatz-c".into(),
                ..row("x")
            }])
            .len(),
            2
        );
    }
}
