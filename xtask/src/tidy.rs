//! `cargo xtask tidy`: rules that the compiler does not check.
//!
//! Each rule is a function from text or metadata to a list of [`Finding`]s. To add one: write it in the file of its
//! kind with a test that makes it fire, and call it from [`findings`].

mod layers;
mod licences;
mod paper_rows;
mod source;
mod text;

use std::collections::BTreeSet;
use std::fmt;

use crate::error::{self, Error};
use crate::papers;
use crate::shell;
use crate::workspace::{Package, Workspace};

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the root of the repository.
    pub(crate) path: String,
    /// Line from 1; 0 for the whole file.
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Shown.
    Warn,
    /// Shown, and the command fails.
    Fail,
}

impl Finding {
    pub(crate) fn fail(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
            weight: Weight::Fail,
        }
    }

    pub(crate) fn warn(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            weight: Weight::Warn,
            ..Self::fail(path, line, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.weight == Weight::Fail {
            "fail"
        } else {
            "warn"
        };
        match self.line {
            0 => write!(f, "{weight} {}: {}", self.path, self.message),
            line => write!(f, "{weight} {}:{line}: {}", self.path, self.message),
        }
    }
}

pub(crate) fn run() -> Result<(), Error> {
    let found = findings(&Workspace::load()?)?;
    for finding in &found {
        println!("{finding}");
    }
    let count = found.iter().filter(|f| f.weight == Weight::Fail).count();
    if count > 0 {
        return Err(Error::Findings {
            count,
            what: "rules broken",
            remedy: "each line above says where and what",
        });
    }
    println!("tidy: every rule holds ({} warnings)", found.len());
    Ok(())
}

/// Everything that every rule finds.
pub(crate) fn findings(workspace: &Workspace) -> Result<Vec<Finding>, Error> {
    let root = &workspace.workspace_root;
    let mut found = Vec::new();

    let files = tracked_files(workspace)?;
    for path in &files {
        let Ok(content) = std::fs::read_to_string(root.join(path)) else {
            continue;
        };
        found.extend(text::check(path, &content));
        if path.rsplit('.').next() == Some("rs") {
            found.extend(source::check(path, &content));
        }
    }

    let floors: layers::Layers = error::read_toml(&root.join("docs/layers.toml"))?;
    let members: Vec<&Package> = workspace.members().collect();
    found.extend(layers::edges(&floors, &members));
    for member in &members {
        if let Some(never) = floors.never(&member.name) {
            let mut tree = shell::cargo();
            tree.args([
                "tree",
                "-p",
                &member.name,
                "-e",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
            ]);
            found.extend(layers::forbidden(
                &member.name,
                never,
                &shell::output(tree.current_dir(root))?,
            ));
        }
    }
    found.extend(licences::check(workspace.others()));

    let known: paper_rows::Systems = error::read_toml(&root.join("docs/systems.toml"))?;
    let rows = papers::load(root)?;
    let crates: BTreeSet<&str> = members.iter().map(|p| p.name.as_str()).collect();
    found.extend(paper_rows::check(&rows, &known, &crates, |path| {
        root.join(path).is_file()
    }));
    if error::read(&root.join("docs/papers.md")).ok().as_ref() != Some(&papers::page(&rows)) {
        found.push(Finding::fail(
            "docs/papers.md",
            0,
            "is not what docs/papers.toml says: run `cargo xtask papers`",
        ));
    }

    found.extend(crate_pages(workspace, &files)?);
    Ok(found)
}

/// Each package has a README; each crate a heading in the changelog; copies of the formula header do not drift.
fn crate_pages(workspace: &Workspace, files: &[String]) -> Result<Vec<Finding>, Error> {
    let root = &workspace.workspace_root;
    let changelog = error::read(&root.join("CHANGELOG.md")).unwrap_or_default();
    let header = error::read(&root.join("docs/katex-header.html"))?;
    let mut found = Vec::new();
    for member in workspace.members() {
        let folder = workspace.relative(member.folder());
        if !files.contains(&format!("{folder}/README.md")) {
            found.push(Finding::fail(&folder, 0, "has no README.md"));
        }
        if folder.starts_with("crates/") && !text::has_heading(&changelog, &member.name) {
            found.push(Finding::fail(
                "CHANGELOG.md",
                0,
                format!("has no heading for {}", member.name),
            ));
        }
        let copy = member.folder().join("katex-header.html");
        if error::read(&copy).is_ok_and(|c| c != header) {
            found.push(Finding::fail(
                &workspace.relative(&copy),
                0,
                "differs from docs/katex-header.html: copy it again",
            ));
        }
    }
    Ok(found)
}

/// What git tracks or would track, from the root.
fn tracked_files(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let mut git = std::process::Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(&workspace.workspace_root);
    let listed = shell::output(&mut git)?;
    let mut files: Vec<String> = listed
        .split('\0')
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
