//! What networks, files and training can fail with.

use std::path::PathBuf;

use ansatz_autodiff::AutodiffError;
use thiserror::Error;

/// A network could not be made, trained, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The program of the network could not be compiled or run.
    #[error(transparent)]
    Program(#[from] AutodiffError),
    /// Sizes that do not fit together.
    #[error("{what}: {got} given, {expected} needed")]
    Size {
        /// What was measured.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        got: usize,
    },
    /// An option outside its range.
    #[error("{name} = {value}: {needed}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// A loss or gradient that is not finite. The parameters are those before the step.
    #[error(
        "step {step}: the {what} is {value}; take a smaller learning rate, clip gradients, or look for \
         non-finite data"
    )]
    NotFinite {
        /// Steps finished.
        step: usize,
        /// Loss or norm of the gradient.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A parameter that a file lacks, or holds in another shape.
    #[error("{name}: the file has {got}, the network needs {expected}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is needed.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A file that is no `safetensors` file, or is cut off.
    #[error("{path}: {problem}; the parameters are unchanged")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The system could not read or write a file.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}
