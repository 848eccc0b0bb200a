//! Other packages that do the same work: Python scripts, each in a virtual environment that is made here, and Rust programs
//! that are workspaces of their own, so that an ordinary build needs none of their packages.
//!
//! A peer's program gets the path of our own program and runs it beside itself, so that both sides take turns on the
//! same machine in the same minute; it compares answers first and times only what agrees. A peer that cannot be had is a
//! note in the report, never a failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::child;
use super::collect::{Collected, Note};
use super::suite::{Peer, Suite};
use crate::error;
use crate::shell;
use crate::workspace::Workspace;

/// Peers are slow to import and slower to install, but not this slow.
const LIMIT: Duration = Duration::from_secs(900);

/// Where peers live and what they are given.
pub(crate) struct Peers<'a> {
    workspace: &'a Workspace,
    ours: &'a Path,
    out: &'a Path,
    quick: bool,
    threads: &'a [usize],
    /// Requirement files that were tried in this run, with the Python that has them or why there is none.
    ready: Vec<(String, Result<PathBuf, String>)>,
}

impl<'a> Peers<'a> {
    pub(crate) fn new(
        workspace: &'a Workspace,
        ours: &'a Path,
        out: &'a Path,
        quick: bool,
        threads: &'a [usize],
    ) -> Self {
        Self {
            workspace,
            ours,
            out,
            quick,
            threads,
            ready: Vec::new(),
        }
    }

    /// Runs the peer of a suite; its records, and what went wrong, go to `collected`.
    pub(crate) fn run(&mut self, suite: &Suite, peer: &Peer, collected: &mut Collected) {
        let benches = self.workspace.workspace_root.join("benches");
        let made = if peer.script.ends_with("Cargo.toml") {
            self.program(&benches.join(&peer.script)).map(Command::new)
        } else {
            self.python(&peer.requirements, &benches).map(|python| {
                let mut command = Command::new(python);
                command.arg(benches.join(&peer.script));
                command
            })
        };
        let mut command = match made {
            Ok(command) => command,
            Err(reason) => {
                println!("{}: {} is not installed: {reason}", suite.name, peer.name);
                let text = format!(
                    "{} could not be installed, so there is no comparison: {reason}",
                    peer.name
                );
                collected.notes.push(Note {
                    suite: suite.name.clone(),
                    text,
                });
                return;
            }
        };
        let threads: Vec<String> = self.threads.iter().map(ToString::to_string).collect();
        command
            .arg("--suite")
            .arg(&suite.name)
            .arg("--ours")
            .arg(self.ours);
        command
            .arg("--agreement")
            .arg(peer.agreement.to_string())
            .arg("--threads")
            .arg(threads.join(","));
        command.arg("--out").arg(self.out);
        if self.quick {
            command.arg("--quick");
        }
        let failures = collected.failures.len();
        let name = format!("{} ({})", suite.name, peer.name);
        child::run(&name, &mut command, child::Output::Events, LIMIT, collected);
        for failure in collected.failures.drain(failures..) {
            let last = failure.tail.lines().last().unwrap_or_default().to_owned();
            let text = format!("{} stopped early ({}): {last}", peer.name, failure.status);
            collected.notes.push(Note {
                suite: suite.name.clone(),
                text,
            });
        }
    }

    /// Builds the Rust program of a manifest; it is called as its folder.
    fn program(&self, manifest: &Path) -> Result<PathBuf, String> {
        let folder = manifest.parent().unwrap_or(manifest);
        let name = folder.file_name().unwrap_or_default();
        let target = self.workspace.target_directory.join("peers").join(name);
        println!("building {} (release)", self.workspace.relative(manifest));
        let mut command = shell::cargo();
        // In its folder, whose own settings of cargo count there.
        command
            .current_dir(folder)
            .args(["build", "--release", "--quiet", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target);
        shell::output(&mut command).map_err(|e| last_line(&e.to_string()))?;
        let file = format!(
            "{}-peer{}",
            name.to_string_lossy(),
            std::env::consts::EXE_SUFFIX
        );
        Ok(target.join("release").join(file))
    }

    /// A Python with the packages of `requirements`, made once and used again while the file stays the same.
    fn python(&mut self, requirements: &str, benches: &Path) -> Result<PathBuf, String> {
        if let Some((_, known)) = self.ready.iter().find(|(r, _)| r == requirements) {
            return known.clone();
        }
        let made = make(self.workspace, &benches.join(requirements));
        self.ready.push((requirements.to_owned(), made.clone()));
        made
    }
}

/// A Python with the packages of a requirements file, in an environment that is made when the file is new.
pub(crate) fn make(workspace: &Workspace, requirements: &Path) -> Result<PathBuf, String> {
    let wanted = error::read(requirements).map_err(|e| e.to_string())?;
    let name = requirements.file_stem().unwrap_or_default();
    let home = workspace.target_directory.join("peers").join(name);
    let python = home.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let stamp = home.join("installed.txt");
    if python.exists() && error::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    println!(
        "installing the packages of {} (once; this takes minutes)",
        workspace.relative(requirements)
    );
    let base = if cfg!(windows) { "python" } else { "python3" };
    let steps = [
        (
            base.into(),
            vec!["-m".into(), "venv".into(), home.into_os_string()],
        ),
        (
            python.clone().into_os_string(),
            [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ]
            .map(Into::into)
            .into_iter()
            .chain([requirements.as_os_str().to_owned()])
            .collect::<Vec<_>>(),
        ),
    ];
    for (program, arguments) in steps {
        shell::output(Command::new(program).args(arguments))
            .map_err(|e| last_line(&e.to_string()))?;
    }
    error::write(&stamp, wanted).map_err(|e| e.to_string())?;
    Ok(python)
}

fn last_line(text: &str) -> String {
    text.lines()
        .rev()
        .find(|l| !l.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
