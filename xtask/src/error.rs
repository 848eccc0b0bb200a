//! What can go wrong in a command, with what to do about it.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Arguments(#[from] lexopt::Error),
    #[error("cannot start `{command}`: {source}; is it installed and on the PATH?")]
    Start {
        command: String,
        source: std::io::Error,
    },
    #[error("`{command}` failed with {status}{tail}")]
    Failed {
        command: String,
        status: String,
        tail: String,
    },
    #[error("{what} failed; to run it again: {rerun}")]
    Stage { what: String, rerun: String },
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{what} is not the JSON expected: {source}")]
    Json {
        what: String,
        source: serde_json::Error,
    },
    #[error("{path} is not the TOML expected: {source}")]
    Toml {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("{path}: {problem}")]
    Data { path: PathBuf, problem: String },
    #[error("{count} {what}; {remedy}")]
    Findings {
        count: usize,
        what: &'static str,
        remedy: &'static str,
    },
    #[error("cannot draw {what}: {source}")]
    Draw {
        what: String,
        source: ansatz_viz::VizError,
    },
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)
}

/// A TOML file as a value of type `T`.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    toml::from_str(&read(path)?).map_err(|source| Error::Toml {
        path: path.to_owned(),
        source: Box::new(source),
    })
}
