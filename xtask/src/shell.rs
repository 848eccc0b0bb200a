//! Running other programs.

use std::process::{Command, Output, Stdio};

use crate::error::Error;

/// The command line as a person would type it.
pub(crate) fn display(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        if text.contains([' ', '"', '$']) || text.is_empty() {
            format!("'{text}'")
        } else {
            text.into_owned()
        }
    };
    // Cargo passes its own full path on; a person types the name.
    let program = std::path::Path::new(command.get_program());
    let words: Vec<String> = std::iter::once(program.file_stem().unwrap_or(program.as_os_str()))
        .chain(command.get_args())
        .map(quoted)
        .collect();
    words.join(" ")
}

/// Cargo as it was called, so that a toolchain override (`cargo +nightly xtask`) carries over.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs with the terminal's input and output.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| Error::Start {
        command: display(command),
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: display(command),
        status: status.to_string(),
        tail: String::new(),
    })
}

/// Runs and returns what was printed; on failure the error carries the end of standard error.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let started = command.stdin(Stdio::null()).output();
    let Output {
        status,
        stdout,
        stderr,
    } = started.map_err(|source| Error::Start {
        command: display(command),
        source,
    })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let tail = format!(":\n{}", tail(&String::from_utf8_lossy(&stderr), 20));
    Err(Error::Failed {
        command: display(command),
        status: status.to_string(),
        tail,
    })
}

/// The last `lines` lines of `text`.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("cargo");
        command.args(["test", "--features", "a b"]);
        assert_eq!(display(&command), "cargo test --features 'a b'");
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(
            error.to_string().contains("no-such-program-here"),
            "{error}"
        );
    }
}
