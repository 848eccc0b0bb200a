//! `cargo xtask bench`: builds the suites, runs them, and writes results, a summary and a report.

mod child;
mod collect;
mod compare;
mod criterion;
mod machine;
mod peers;
#[path = "../../benches/src/record.rs"]
#[expect(
    unreachable_pub,
    reason = "one file for the writer and the reader; each uses a part"
)]
mod record;
mod report;
mod suite;
mod summary;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lexopt::prelude::*;

use crate::date::Moment;
use crate::error::{self, Error};
use crate::shell;
use crate::workspace::Workspace;
use collect::Collected;
use machine::Machine;
use suite::{Runner, Suite};

/// A Python that has the packages of a requirements file, made once.
pub(crate) fn python(workspace: &Workspace, requirements: &Path) -> Result<PathBuf, Error> {
    peers::make(workspace, requirements).map_err(Error::Usage)
}

/// The command line.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    suites: Vec<String>,
    quick: bool,
    peers: bool,
    threads: Vec<usize>,
    save: Option<String>,
    compare: Option<String>,
    open: bool,
    list: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &mut lexopt::Parser) -> Result<Self, Error> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("quick") => options.quick = true,
                Long("peers") => options.peers = true,
                Long("open") => options.open = true,
                Long("list") => options.list = true,
                Long("threads") => options.threads = thread_list(&arguments.value()?.string()?)?,
                Long("save") => options.save = Some(saved_name(arguments.value()?.string()?)?),
                Long("compare") => {
                    options.compare = Some(saved_name(arguments.value()?.string()?)?);
                }
                Value(suite) => options.suites.push(suite.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.threads.is_empty() {
            options.threads = vec![1, machine::cores()];
            options.threads.dedup();
        }
        Ok(options)
    }
}

fn thread_list(text: &str) -> Result<Vec<usize>, Error> {
    let parsed: Option<Vec<usize>> = text
        .split(',')
        .map(|t| t.trim().parse().ok().filter(|&n| n > 0))
        .collect();
    parsed.ok_or_else(|| {
        Error::Usage(format!(
            "--threads {text:?} is not a list of counts such as 1,2"
        ))
    })
}

/// A name that is safe as a file name.
fn saved_name(name: String) -> Result<String, Error> {
    let safe = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(safe) {
        return Err(Error::Usage(format!(
            "{name:?} is not a name of letters, digits, '-', '_' and '.'"
        )));
    }
    Ok(name)
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let suites = suite::load_all(&workspace.workspace_root.join("benches/suites"))?;
    if options.list {
        for suite in &suites {
            println!("{:12} {}", suite.name, suite.title);
        }
        return Ok(());
    }
    let chosen = suite::choose(suites, &options.suites)?;
    let store = workspace.target_directory.join("bench");
    // Reading what to compare with first: a misspelt name should not cost a whole run.
    let earlier = options
        .compare
        .as_deref()
        .map(|name| compare::load(&store, name))
        .transpose()?;

    println!("building the suites (release)");
    shell::run(cargo_in(&workspace).args(["build", "--release", "--quiet", "-p", "ansatz-bench"]))?;
    if chosen.iter().any(|s| s.runner != Runner::Program) {
        shell::run(cargo_in(&workspace).args([
            "bench",
            "--no-run",
            "--quiet",
            "-p",
            "ansatz-bench",
        ]))?;
    }

    let begin = Instant::now();
    let machine = Machine::ask(&workspace.workspace_root, Moment::now(), options.quick);
    let folder = store.join(Moment::now().stamp());
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).map_err(|source| Error::Write {
        path: pictures.clone(),
        source,
    })?;
    let collected = measure(&workspace, &chosen, options, &folder)?;
    let collected = collected.complete(&machine);
    let seconds = begin.elapsed().as_secs_f64();

    let page = report::Page {
        machine: &machine,
        suites: &chosen,
        collected: &collected,
        earlier: earlier.as_ref(),
        seconds,
    };
    let results = collected.json_lines()?;
    error::write(&folder.join("results.jsonl"), &results)?;
    error::write(&folder.join("summary.md"), summary::page(&page))?;
    error::write(&folder.join("report.html"), report::page(&page)?)?;
    if let Some(name) = &options.save {
        error::write(&compare::path(&store, name), &results)?;
    }
    println!("\n{} records in {seconds:.0} s", collected.records.len());
    for file in ["results.jsonl", "summary.md", "report.html"] {
        println!("  {}", folder.join(file).display());
    }
    if options.open {
        open(&folder.join("report.html"))?;
    }
    collected
        .failures
        .is_empty()
        .then_some(())
        .ok_or(Error::Findings {
            count: collected.failures.len(),
            what: "suites failed",
            remedy: "the lines above and the report say how; what the others measured is written",
        })
}

/// Runs every chosen suite and its peers; a suite that fails is kept as a failure, and the next one runs.
fn measure(
    workspace: &Workspace,
    chosen: &[Suite],
    options: &Options,
    folder: &Path,
) -> Result<Collected, Error> {
    let mut collected = Collected::default();
    let program = executable(workspace);
    for suite in chosen {
        match &suite.runner {
            Runner::Program => {
                let mut command = Command::new(&program);
                command
                    .arg(&suite.name)
                    .arg("--out")
                    .arg(folder.join("pictures"));
                command.arg("--threads").arg(join(&options.threads));
                if options.quick {
                    command.arg("--quick");
                }
                let limit = suite.limit(options.quick);
                child::run(
                    &suite.name,
                    &mut command,
                    child::Output::Events,
                    limit,
                    &mut collected,
                );
            }
            Runner::Criterion { bench } => {
                let mut command = cargo_in(workspace);
                criterion::run(
                    &suite.name,
                    bench,
                    &mut command,
                    folder,
                    options.quick,
                    &mut collected,
                )?;
            }
        }
    }
    if options.peers {
        let mut peers =
            peers::Peers::new(workspace, &program, folder, options.quick, &options.threads);
        for suite in chosen {
            for peer in &suite.peers {
                peers.run(suite, peer, &mut collected);
            }
        }
    }
    Ok(collected)
}

fn cargo_in(workspace: &Workspace) -> Command {
    let mut command = shell::cargo();
    command.current_dir(&workspace.workspace_root);
    command
}

fn executable(workspace: &Workspace) -> PathBuf {
    workspace
        .target_directory
        .join("release")
        .join(format!("ansatz-bench{}", std::env::consts::EXE_SUFFIX))
}

fn join(threads: &[usize]) -> String {
    threads
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn open(file: &Path) -> Result<(), Error> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    shell::run(Command::new(program).arg(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, Error> {
        Options::parse(&mut lexopt::Parser::from_args(words))
    }

    #[test]
    fn command_lines() {
        let options = parse(&["lincomb", "--quick", "--threads", "1,4", "--save", "a-1"]).unwrap();
        assert_eq!(options.suites, ["lincomb"]);
        assert!(options.quick && !options.peers);
        assert_eq!(
            (options.threads, options.save.as_deref()),
            (vec![1, 4], Some("a-1"))
        );
        for bad in [
            &["--threads", "0"][..],
            &["--threads", "x"],
            &["--save", "../x"],
            &["--fast"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
