//! Lines and numbers of text files.

use std::borrow::Cow;
use std::str::SplitAsciiWhitespace;

use ansatz_core::Scalar;

use super::FileError;

/// Lines with their numbers from 1, without what follows a comment sign, blank ones left out.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    comment: Option<u8>,
    /// Number of the line that came last.
    pub(super) number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8], comment: Option<u8>) -> Self {
        Self {
            rest: bytes,
            comment,
            number: 0,
        }
    }

    /// Bytes that are not read yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next line, or what is missing.
    pub(super) fn expect(&mut self, what: &str) -> Result<Cow<'a, str>, FileError> {
        match self.next() {
            Some(line) => Ok(line),
            None => Err(FileError::line(
                self.number + 1,
                format!("the file ends where {what} should follow"),
            )),
        }
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> FileError {
        FileError::line(self.number, problem)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|b| *b == b'\n');
            let (line, rest) = match end {
                Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
                None => (self.rest, &[][..]),
            };
            self.rest = rest;
            self.number += 1;
            let line = match self.comment.and_then(|c| line.iter().position(|b| *b == c)) {
                Some(end) => &line[..end],
                None => line,
            };
            let line = line.trim_ascii();
            if !line.is_empty() {
                // What is not text does not read as a number either.
                return Some(String::from_utf8_lossy(line));
            }
        }
        None
    }
}

/// A finite number, rounded once to the type of the mesh.
pub(super) fn number<T: Scalar>(text: &str) -> Option<T> {
    let value = if T::NAME == f32::NAME {
        T::of(f64::from(text.parse::<f32>().ok()?))
    } else {
        T::of(text.parse().ok()?)
    };
    value.is_finite().then_some(value)
}

/// `N` finite numbers.
pub(super) fn numbers<T: Scalar, const N: usize>(
    words: &mut SplitAsciiWhitespace<'_>,
) -> Result<[T; N], String> {
    let mut out = [T::zero(); N];
    for (k, x) in out.iter_mut().enumerate() {
        let word = words
            .next()
            .ok_or_else(|| format!("{k} numbers where {N} are needed"))?;
        *x = number(word).ok_or_else(|| format!("{word:?} is not a finite number"))?;
    }
    Ok(out)
}

/// A count or an index.
pub(super) fn whole(word: Option<&str>, what: &str) -> Result<usize, String> {
    let word = word.ok_or_else(|| format!("{what} is missing"))?;
    word.parse()
        .map_err(|_| format!("{word:?} is not a whole number ({what})"))
}
