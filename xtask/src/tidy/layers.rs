//! Floors of the crates: edges go down only, and heavy packages stay out by default.

use serde::Deserialize;

use super::Finding;
use crate::workspace::Package;

const FILE: &str = "docs/layers.toml";

/// `docs/layers.toml`.
#[derive(Debug, Deserialize)]
pub(crate) struct Layers {
    #[serde(rename = "crate")]
    crates: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    name: String,
    floor: f64,
    #[serde(default)]
    never: Vec<String>,
}

impl Layers {
    fn floor(&self, name: &str) -> Option<f64> {
        self.crates.iter().find(|l| l.name == name).map(|l| l.floor)
    }

    /// Packages that `name` must not pull in by default, if there are any.
    pub(crate) fn never(&self, name: &str) -> Option<&[String]> {
        self.crates
            .iter()
            .find(|l| l.name == name)
            .map(|l| l.never.as_slice())
            .filter(|n| !n.is_empty())
    }
}

/// Every member has a floor, and every edge between members but a dev-dependency goes to a strictly lower one.
pub(crate) fn edges(layers: &Layers, members: &[&Package]) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in members {
        let Some(floor) = layers.floor(&member.name) else {
            found.push(Finding::fail(
                FILE,
                0,
                format!("gives no floor for {}", member.name),
            ));
            continue;
        };
        for edge in member
            .dependencies
            .iter()
            .filter(|d| d.kind.as_deref() != Some("dev"))
        {
            if !members.iter().any(|m| m.name == edge.name) {
                continue;
            }
            // A target without a floor has its own finding.
            if let Some(below) = layers.floor(&edge.name).filter(|&below| below >= floor) {
                let message = format!(
                    "{} (floor {floor}) depends on {} (floor {below}): a trait that both need belongs in a lower crate",
                    member.name, edge.name
                );
                found.push(Finding::fail(FILE, 0, message));
            }
        }
    }
    found
}

/// Packages of `never` in the output of `cargo tree` (one `name version` a line) for the default features.
pub(crate) fn forbidden(member: &str, never: &[String], tree: &str) -> Vec<Finding> {
    let names = |package: &str| {
        tree.lines()
            .any(|l| l.split_whitespace().next() == Some(package))
    };
    never
        .iter()
        .filter(|package| names(package))
        .map(|package| {
            let message =
                format!("{member} pulls in {package} by default: `cargo tree -p {member} -e normal -i {package}` shows how");
            Finding::fail(FILE, 0, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Layers {
        toml::from_str(
            "[[crate]]\nname = 'low'\nfloor = 0\nnever = ['heavy']\n[[crate]]\nname = 'half'\nfloor = 0.5\n\
             [[crate]]\nname = 'high'\nfloor = 1\n",
        )
        .unwrap()
    }

    fn package(name: &str, edges: &[(&str, Option<&str>)]) -> Package {
        let edges: Vec<_> = edges
            .iter()
            .map(|(n, kind)| serde_json::json!({ "name": n, "kind": kind }))
            .collect();
        serde_json::from_value(serde_json::json!({
            "id": name, "name": name, "version": "0.1.0", "license": "MIT", "manifest_path": "Cargo.toml",
            "dependencies": edges, "targets": [], "features": {}
        }))
        .unwrap()
    }

    #[test]
    fn edges_go_down() {
        let low = package("low", &[("rayon", None)]);
        let half = package("half", &[("low", None)]);
        let high = package("high", &[("half", None), ("low", Some("build"))]);
        assert!(edges(&layers(), &[&low, &half, &high]).is_empty());
    }

    #[test]
    fn upward_and_level_edges_are_found_but_dev_edges_are_free() {
        let low = package("low", &[("high", Some("dev")), ("half", None)]);
        let (half, high) = (package("half", &[]), package("high", &[("high", None)]));
        let found = edges(&layers(), &[&low, &half, &high]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0]
                .message
                .starts_with("low (floor 0) depends on half (floor 0.5)")
        );
    }

    #[test]
    fn a_member_without_a_floor_is_found() {
        assert_eq!(edges(&layers(), &[&package("new", &[])]).len(), 1);
    }

    #[test]
    fn forbidden_packages_match_whole_names() {
        let never = [String::from("heavy")];
        assert!(forbidden("low", &never, "low v0.1.0\nheavy-lite v1.0.0\n").is_empty());
        assert_eq!(
            forbidden("low", &never, "low v0.1.0\nheavy v1.0.0 (*)\n").len(),
            1
        );
    }
}
