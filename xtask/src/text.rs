//! Building text.

use std::fmt::{Arguments, Write};

/// Appends formatted text: `push(&mut page, format_args!(…))`.
pub(crate) fn push(text: &mut String, more: Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}
