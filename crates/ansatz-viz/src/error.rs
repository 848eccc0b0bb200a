//! What can go wrong while drawing.

use std::path::PathBuf;

/// Why a chart or a picture could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VizError {
    /// Nothing is left to draw.
    #[error(
        "{what} has nothing to draw: {dropped} of {given} values were NaN, infinite or not positive on a logarithmic axis"
    )]
    Empty {
        /// The kind of chart or picture.
        what: &'static str,
        /// How many values were given.
        given: usize,
        /// How many of them cannot be shown.
        dropped: usize,
    },
    /// A buffer does not have the length that the shape asks for.
    #[error("{what}: expected {expected} values for the given shape, got {got}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Length that the shape implies.
        expected: usize,
        /// Length given.
        got: usize,
    },
    /// A size or an option is outside what can be drawn.
    #[error("{what} = {value} is outside {min} ..= {max}")]
    OutOfRange {
        /// Which option.
        what: &'static str,
        /// The value given.
        value: f64,
        /// Least value allowed.
        min: f64,
        /// Greatest value allowed.
        max: f64,
    },
    /// The PNG encoder refused.
    #[error("cannot encode a {width}x{height} picture: {source}")]
    Encode {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The encoder's error.
        source: png::EncodingError,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}
