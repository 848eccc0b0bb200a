//! What networks, files and training can fail with.

use std::path::PathBuf;

use ansatz_autodiff::AutodiffError;
use ansatz_linalg::LinalgError;
use thiserror::Error;

use crate::Activation;

/// A network could not be made, trained, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The program of the network could not be compiled or run.
    #[error(transparent)]
    Program(#[from] AutodiffError),
    /// A step's linear algebra failed.
    #[error(transparent)]
    Algebra(#[from] LinalgError),
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
    /// No step along the direction of descent makes the loss smaller. The parameters are the best ones found.
    #[error(
        "step {step}: no lower loss than {loss} after {evaluations} evaluations of a line search; the slope along the \
         direction is {slope}: are loss and gradient of one function, without draws?"
    )]
    LineSearch {
        /// Steps finished.
        step: usize,
        /// The loss at the best parameters.
        loss: f64,
        /// Derivative of the loss along the direction.
        slope: f64,
        /// Evaluations of this search.
        evaluations: usize,
    },
    /// A checkpoint of another training.
    #[error("{path}: its {what} is {got}, this training has {needed}; nothing is changed")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What this training has.
        needed: String,
        /// What the file has.
        got: String,
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
    /// An edge that a graph of this kind cannot have.
    #[error("edge {index}, {ends:?} of {nodes} nodes: {problem}")]
    Edge {
        /// Its place in the list.
        index: usize,
        /// Its ends.
        ends: (usize, usize),
        /// Nodes of the graph.
        nodes: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// An activation that a method cannot treat.
    #[error("{activation:?}: {needed}")]
    Activation {
        /// The activation.
        activation: Activation,
        /// What the method needs.
        needed: &'static str,
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
