//! Runs one suite and writes its JSON lines: `ansatz-bench SUITE [--quick] [--threads 1,2] [--out FOLDER]`;
//! `ansatz-bench serve` answers a peer's requests instead, `ansatz-bench guide` prints the table of samplers.
//! `cargo xtask bench` calls it and makes the report.

#![expect(clippy::print_stderr, reason = "a program talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;

use ansatz_bench::serve;
use ansatz_bench::suites::{self, Settings};
use lexopt::prelude::*;

fn main() -> ExitCode {
    let done = arguments()
        .map_err(|e| e.to_string())
        .and_then(|(name, settings)| {
            if name == "serve" {
                return serve::serve(std::io::stdin().lock(), std::io::stdout())
                    .map_err(|e| e.to_string());
            }
            if name == "guide" {
                return suites::samplers::guide(&mut std::io::stdout()).map_err(|e| e.to_string());
            }
            suites::run(&name, &settings, &mut std::io::stdout()).map_err(|e| e.to_string())
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<(String, Settings), lexopt::Error> {
    let mut settings = Settings {
        quick: false,
        threads: vec![1],
        out: PathBuf::from("."),
    };
    let mut name = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => settings.quick = true,
            Long("threads") => {
                let list = parser.value()?.string()?;
                settings.threads = list
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .map_err(|_| {
                        lexopt::Error::from(format!("--threads {list:?} is not a list such as 1,2"))
                    })?;
            }
            Long("out") => settings.out = parser.value()?.into(),
            Value(text) if name.is_none() => name = Some(text.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let name = name
        .ok_or_else(|| lexopt::Error::from("which suite? `cargo xtask bench --list` names them"))?;
    Ok((name, settings))
}
