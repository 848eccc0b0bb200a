//! The head of a PLY file, and the values that follow it.

use ansatz_core::Scalar;

use super::Encoding;
use crate::io::FileError;
use crate::io::text::number;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Kind {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

pub(super) struct Property {
    pub(super) name: String,
    /// The type of a list's length.
    pub(super) list: Option<Kind>,
    pub(super) kind: Kind,
}

pub(super) struct Element {
    pub(super) name: String,
    pub(super) count: usize,
    pub(super) properties: Vec<Property>,
}

impl Element {
    /// The fewest bytes that one of them takes. In text a value takes a digit and a separator.
    pub(super) fn least(&self, encoding: Encoding) -> usize {
        let each = |p: &Property| match encoding {
            Encoding::Ascii => 2,
            _ => p.list.unwrap_or(p.kind).bytes(),
        };
        self.properties.iter().map(each).sum()
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.properties
            .iter()
            .position(|p| p.list.is_none() && p.name == name)
    }
}

/// The encoding, what the file holds, and the data that follow.
pub(super) fn head(bytes: &[u8]) -> Result<(Encoding, Vec<Element>, Data<'_>), FileError> {
    let mut at = 0;
    let mut line = 0;
    let mut encoding = None;
    let mut elements: Vec<Element> = Vec::new();
    loop {
        line += 1;
        let rest = &bytes[at..];
        let Some(end) = rest.iter().position(|b| *b == b'\n') else {
            return Err(FileError::line(line, "the file ends before end_header"));
        };
        let text = String::from_utf8_lossy(rest[..end].trim_ascii());
        at += end + 1;
        let fail = |problem: String| FileError::line(line, problem);
        if line == 1 {
            if text != "ply" {
                return Err(fail("the file does not begin with ply".into()));
            }
            continue;
        }
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words[..] {
            [] | ["comment" | "obj_info", ..] => {}
            ["format", name, "1.0"] => {
                encoding = Some(match name {
                    "ascii" => Encoding::Ascii,
                    "binary_little_endian" => Encoding::LittleEndian,
                    "binary_big_endian" => Encoding::BigEndian,
                    _ => return Err(fail(format!("{name:?} is not a format"))),
                });
            }
            ["element", name, count] => elements.push(Element {
                name: name.into(),
                count: count
                    .parse()
                    .map_err(|_| fail(format!("{count:?} is not a number of elements")))?,
                properties: Vec::new(),
            }),
            ["property", ref words @ ..] => {
                let kind =
                    |w: &str| Kind::of(w).ok_or_else(|| fail(format!("{w:?} is not a type")));
                let property = match *words {
                    ["list", count, item, name] => Property {
                        name: name.into(),
                        list: Some(kind(count)?),
                        kind: kind(item)?,
                    },
                    [item, name] => Property {
                        name: name.into(),
                        list: None,
                        kind: kind(item)?,
                    },
                    _ => return Err(fail(format!("{text:?} is not a property"))),
                };
                match elements.last_mut() {
                    Some(element) => element.properties.push(property),
                    None => return Err(fail("a property before any element".into())),
                }
            }
            ["end_header"] => break,
            _ => return Err(fail(format!("{text:?} does not belong in a head"))),
        }
    }
    let Some(encoding) = encoding else {
        return Err(FileError::line(line, "the head names no format"));
    };
    let data = Data {
        bytes,
        at,
        line: line + 1,
        encoding,
    };
    Ok((encoding, elements, data))
}

/// Values one after the other.
pub(super) struct Data<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Line of the next word of a text.
    pub(super) line: usize,
    pub(super) encoding: Encoding,
}

impl<'a> Data<'a> {
    pub(super) fn error(&self, problem: String) -> FileError {
        match self.encoding {
            Encoding::Ascii => FileError::line(self.line, problem),
            _ => FileError::byte(self.at, problem),
        }
    }

    fn skip_space(&mut self) {
        while let Some(b) = self.bytes.get(self.at).filter(|b| b.is_ascii_whitespace()) {
            self.line += usize::from(*b == b'\n');
            self.at += 1;
        }
    }

    fn word(&mut self) -> Result<&'a str, FileError> {
        self.skip_space();
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("the file ends where a number should follow".into()));
        }
        let word = std::str::from_utf8(&rest[..end])
            .map_err(|_| self.error("bytes that are not text".into()))?;
        self.at += end;
        Ok(word)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let Some(chunk) = self.bytes[self.at..].first_chunk::<N>() else {
            return Err(self.error(format!("the file ends within a number of {N} bytes")));
        };
        let mut out = *chunk;
        self.at += N;
        if self.encoding == Encoding::BigEndian {
            out.reverse();
        }
        Ok(out)
    }

    /// A number of any type; it may be infinite or NaN in binary files.
    pub(super) fn real<T: Scalar>(&mut self, kind: Kind) -> Result<T, FileError> {
        if self.encoding == Encoding::Ascii {
            let word = self.word()?;
            // Who asks decides whether it may be infinite or NaN.
            return match number::<T>(word) {
                Some(x) => Ok(x),
                None if word.parse::<f64>().is_ok() => Ok(T::nan()),
                None => Err(self.error(format!("{word:?} is not a number"))),
            };
        }
        Ok(T::of(match kind {
            Kind::F32 => f64::from(f32::from_le_bytes(self.take()?)),
            Kind::F64 => f64::from_le_bytes(self.take()?),
            _ => self.integer(kind)? as f64,
        }))
    }

    fn integer(&mut self, kind: Kind) -> Result<i64, FileError> {
        Ok(match kind {
            Kind::I8 => i64::from(i8::from_le_bytes(self.take()?)),
            Kind::U8 => i64::from(u8::from_le_bytes(self.take()?)),
            Kind::I16 => i64::from(i16::from_le_bytes(self.take()?)),
            Kind::U16 => i64::from(u16::from_le_bytes(self.take()?)),
            Kind::I32 => i64::from(i32::from_le_bytes(self.take()?)),
            Kind::U32 => i64::from(u32::from_le_bytes(self.take()?)),
            Kind::F32 | Kind::F64 => {
                return Err(self.error("a count or an index of a floating-point type".into()));
            }
        })
    }

    /// A count or an index.
    pub(super) fn whole(&mut self, kind: Kind) -> Result<usize, FileError> {
        if self.encoding == Encoding::Ascii {
            let word = self.word()?;
            return word
                .parse()
                .map_err(|_| self.error(format!("{word:?} is not a count or an index")));
        }
        let value = self.integer(kind)?;
        usize::try_from(value)
            .map_err(|_| self.error(format!("{value} is not a count or an index")))
    }

    pub(super) fn skip(&mut self, property: &Property) -> Result<(), FileError> {
        let count = match property.list {
            Some(kind) => self.whole(kind)?,
            None => 1,
        };
        if self.encoding == Encoding::Ascii {
            for _ in 0..count {
                self.word()?;
            }
            return Ok(());
        }
        let length = count.saturating_mul(property.kind.bytes());
        if length > self.bytes.len() - self.at {
            return Err(self.error(format!("the file ends within {:?}", property.name)));
        }
        self.at += length;
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), FileError> {
        if self.encoding == Encoding::Ascii {
            self.skip_space();
        }
        let left = self.bytes.len() - self.at;
        if left > 0 {
            return Err(self.error(format!("{left} bytes follow what the head describes")));
        }
        Ok(())
    }
}
