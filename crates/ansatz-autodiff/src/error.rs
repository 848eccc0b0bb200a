//! What building and running a program can fail with.

use thiserror::Error;

use crate::Shape;

/// A program could not be compiled or run.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum AutodiffError {
    /// As many slices as inputs (or outputs) are needed.
    #[error("{what}: {got} given, {expected} needed")]
    Count {
        /// What was counted.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        got: usize,
    },
    /// A slice of the wrong length.
    #[error("{what} {index} has {got} elements, its shape {shape} has {expected}")]
    Length {
        /// Input or output.
        what: &'static str,
        /// Which one.
        index: usize,
        /// Its shape in the program.
        shape: String,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        got: usize,
    },
    /// An operation does not take arrays of these shapes.
    #[error("{name}: {problem}{}", of(.shapes))]
    Operation {
        /// The operation.
        name: &'static str,
        /// What is wrong.
        problem: String,
        /// Shapes of what it was given.
        shapes: Vec<Shape>,
    },
    /// A function gave, or was given, another shape than is needed.
    #[error("{what} has the shape {got}, {expected} is needed")]
    Shape {
        /// What has the shape.
        what: &'static str,
        /// Shape needed.
        expected: String,
        /// Shape given.
        got: String,
    },
    /// The program needs more memory than it may take.
    #[error(
        "the program needs {needed} bytes, {limit} are allowed: raise Options::memory, take smaller \
         batches or a smaller Options::chunk"
    )]
    Memory {
        /// Bytes needed.
        needed: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The compiler's own mistake: please report it with the printed trace.
    #[error(
        "the compiler reads node %{node} before it is there: please report this with the printed trace"
    )]
    Order {
        /// The node's number in the trace.
        node: u32,
    },
}

impl AutodiffError {
    pub(crate) fn operation(
        name: &'static str,
        problem: impl Into<String>,
        shapes: &[Shape],
    ) -> Self {
        Self::Operation {
            name,
            problem: problem.into(),
            shapes: shapes.to_vec(),
        }
    }
}

fn of(shapes: &[Shape]) -> String {
    if shapes.is_empty() {
        return String::new();
    }
    let list: Vec<String> = shapes.iter().map(Shape::to_string).collect();
    format!(" (shapes {})", list.join(", "))
}
