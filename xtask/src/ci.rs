//! `cargo xtask ci`: what has to pass before a merge, stage by stage, stopping at the first that fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use lexopt::prelude::*;

use crate::doc;
use crate::error::Error;
use crate::shell;
use crate::workspace::{Package, Workspace};

/// A named part of the check and the commands that make it.
struct Stage {
    name: &'static str,
    commands: Vec<Command>,
}

/// Nobody edits between the stages and nobody opens a debugger: without what serves both, everything that is built takes
/// less than half the room on a disk.
const LEAN: [(&str, &str); 2] = [
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_PROFILE_DEV_DEBUG", "false"),
];

/// What is checked beside the parts that always are.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Leaves docs and features out.
    fast: bool,
    /// Checks the workspaces under `bridges/` as well, which build what nothing else here needs.
    bridges: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &mut lexopt::Parser) -> Result<Self, Error> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("fast") => options.fast = true,
                Long("bridges") => options.bridges = true,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let begin = Instant::now();
    let mut stages = vec![
        stage("format", [cargo(&["fmt", "--all", "--check"])]),
        stage(
            "clippy",
            [cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])],
        ),
        stage("tests", tests()),
        stage("tidy", [cargo(&["xtask", "tidy"])]),
    ];
    if !options.fast {
        stages.push(stage("docs", [doc::command(&workspace, false)]));
        stages.push(stage("features", workspace.members().flat_map(features)));
    }
    if options.bridges {
        let folders = bridges(&workspace.workspace_root.join("bridges"))?;
        stages.push(stage("bridges", folders.iter().flat_map(|f| bridge(f))));
    }
    for stage in stages {
        let start = Instant::now();
        println!("── {}", stage.name);
        for mut command in stage.commands {
            command.current_dir(&workspace.workspace_root).envs(LEAN);
            shell::run(&mut command).map_err(|error| {
                eprintln!("{error}");
                Error::Stage {
                    what: format!("stage {:?}", stage.name),
                    rerun: rerun(stage.name, &command),
                }
            })?;
        }
        println!(
            "── {} passed in {:.1} s",
            stage.name,
            start.elapsed().as_secs_f64()
        );
    }
    println!(
        "everything passed in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

fn stage(name: &'static str, commands: impl IntoIterator<Item = Command>) -> Stage {
    Stage {
        name,
        commands: commands.into_iter().collect(),
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = shell::cargo();
    command.args(arguments);
    command
}

/// What a person types to see one failure again.
fn rerun(stage: &str, command: &Command) -> String {
    if stage == "docs" {
        return "cargo xtask doc".into();
    }
    let words: Vec<String> = command
        .get_args()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    format!("cargo {}", words.join(" "))
}

/// nextest runs test programs side by side, which is quicker, but knows no doc tests. Examples were looked at by clippy and
/// are not linked.
fn tests() -> Vec<Command> {
    let mut probe = cargo(&["nextest", "--version"]);
    let has_nextest = probe
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    let doc_tests = cargo(&["test", "--workspace", "--doc", "--quiet"]);
    if has_nextest {
        let run = cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--tests",
            "--no-tests",
            "pass",
            "--cargo-quiet",
            "--status-level",
            "fail",
        ]);
        vec![run, doc_tests]
    } else {
        vec![
            cargo(&["test", "--workspace", "--tests", "--quiet"]),
            doc_tests,
        ]
    }
}

/// Each feature alone, none, and all: a feature that builds only beside another is a fault. A package without features
/// was checked by clippy already.
fn features(package: &Package) -> Vec<Command> {
    let named: Vec<&String> = package
        .features
        .keys()
        .filter(|f| *f != "default")
        .collect();
    if named.is_empty() {
        return Vec::new();
    }
    let base = ["check", "--quiet", "-p", &package.name];
    let check = |more: &[&str]| cargo(&[&base[..], more].concat());
    let alone = named
        .iter()
        .map(|f| check(&["--no-default-features", "--features", f]));
    // Tests that the workspace's run leaves out, since it has no optional features.
    let tests = package
        .targets
        .iter()
        .filter(|t| t.kind.iter().any(|k| k == "test") && !t.required_features.is_empty());
    let tests = tests.map(|t| {
        let needed = t.required_features.join(",");
        let base = ["test", "--quiet", "-p", &package.name, "--features"];
        cargo(&[&base[..], &[&needed, "--test", &t.name]].concat())
    });
    [
        check(&["--no-default-features"]),
        check(&["--all-features"]),
    ]
    .into_iter()
    .chain(alone)
    .chain(tests)
    .collect()
}

/// Manifests of the workspaces under `folder`.
fn bridges(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let manifest = entry.map_err(failed)?.path().join("Cargo.toml");
        if manifest.is_file() {
            found.push(manifest);
        }
    }
    found.sort();
    Ok(found)
}

/// Format, lints and tests of a workspace elsewhere; it is built under this one's target folder.
fn bridge(manifest: &Path) -> [Command; 3] {
    let run = |words: &[&str], more: &[&str]| {
        let mut command = cargo(words);
        command.arg("--manifest-path").arg(manifest).args(more);
        command
    };
    let folder = ["--target-dir", "target/bridges", "--quiet"];
    let lints = [&folder[..], &["--all-targets", "--", "-D", "warnings"]].concat();
    [
        run(&["fmt"], &["--check"]),
        run(&["clippy"], &lints),
        run(&["test"], &folder),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_checked_none_all_and_alone() {
        let package: Package = serde_json::from_value(serde_json::json!({
            "id": "a", "name": "a", "version": "0.1.0", "license": "MIT", "manifest_path": "Cargo.toml",
            "dependencies": [], "targets": [
                { "name": "plain", "kind": ["test"], "src_path": "tests/plain.rs" },
                { "name": "more", "kind": ["test"], "src_path": "tests/more.rs", "required-features": ["y"] }
            ], "features": { "default": ["x"], "x": [], "y": [] }
        }))
        .unwrap();
        let lines: Vec<String> = features(&package)
            .iter()
            .map(|c| rerun("features", c))
            .collect();
        assert_eq!(
            lines,
            [
                "cargo check --quiet -p a --no-default-features",
                "cargo check --quiet -p a --all-features",
                "cargo check --quiet -p a --no-default-features --features x",
                "cargo check --quiet -p a --no-default-features --features y",
                "cargo test --quiet -p a --features y --test more",
            ]
        );
    }
}
