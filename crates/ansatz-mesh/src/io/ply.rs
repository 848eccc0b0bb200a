//! PLY, the polygon file format of Stanford (G. Turk, 1994): a text head that describes elements and
//! properties, then text or binary data.

use std::io::Write;

use ansatz_core::Scalar;
use nalgebra::{Point3, Vector3};

use super::text::number;
use super::{FileError, check, fan};
use crate::Mesh;

/// How data are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Text, with as many digits as bring the same bits back.
    Ascii,
    /// Binary, lowest byte first.
    #[default]
    LittleEndian,
    /// Binary, highest byte first.
    BigEndian,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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
    fn of(word: &str) -> Option<Self> {
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

struct Property {
    name: String,
    /// The type of a list's length.
    list: Option<Kind>,
    kind: Kind,
}

struct Element {
    name: String,
    count: usize,
    properties: Vec<Property>,
}

impl Element {
    /// The fewest bytes that one of them takes. In text a value takes a digit and a separator.
    fn least(&self, encoding: Encoding) -> usize {
        let each = |p: &Property| match encoding {
            Encoding::Ascii => 2,
            _ => p.list.unwrap_or(p.kind).bytes(),
        };
        self.properties.iter().map(each).sum()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.properties
            .iter()
            .position(|p| p.list.is_none() && p.name == name)
    }
}

/// Reads the elements `vertex` (x, y, z and, if all three are there, nx, ny, nz) and `face` (the list
/// `vertex_indices` or `vertex_index`); everything else is skipped. Polygons become triangles. A file
/// without faces gives a mesh of points alone.
///
/// # Errors
/// [`FileError::Line`] for a head that does not follow the grammar and for text data,
/// [`FileError::Byte`] for binary data: fewer than promised, an index of nothing, a number that is not
/// finite, a polygon with fewer than three corners, bytes after the end.
///
/// ```
/// let text = b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n\
///              property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n\
///              0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n";
/// assert_eq!(ansatz_mesh::io::ply::read::<f64>(text)?.triangles, [[0, 1, 2]]);
/// # Ok::<(), ansatz_mesh::io::FileError>(())
/// ```
pub fn read<T: Scalar>(bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    let (encoding, elements, mut data) = head(bytes)?;
    let mut mesh = Mesh::<T>::default();
    let mut seen = [false; 2];
    for element in &elements {
        let least = element.least(encoding);
        let left = data.bytes.len() - data.at + 1;
        if least == 0 {
            // No data, however many there are.
            continue;
        }
        if element.count > left / least {
            return Err(data.error(format!(
                "{} elements {:?} take {} bytes or more, {} are left",
                element.count,
                element.name,
                element.count.saturating_mul(least),
                left - 1
            )));
        }
        match element.name.as_str() {
            "vertex" if !seen[0] => {
                seen[0] = true;
                vertices(element, &mut data, &mut mesh)?;
            }
            "face" if !seen[1] => {
                seen[1] = true;
                faces(element, &mut data, &mut mesh)?;
            }
            _ => {
                for _ in 0..element.count {
                    for property in &element.properties {
                        data.skip(property)?;
                    }
                }
            }
        }
    }
    data.end()?;
    let vertices = mesh.vertices.len();
    let beyond = |t: &[u32; 3]| t.iter().any(|v| *v as usize >= vertices);
    // Only where faces come before vertices is this not known yet.
    if let Some(face) = mesh.triangles.iter().position(beyond) {
        return Err(data.error(format!(
            "triangle {face} names a vertex beyond the {vertices} of the file"
        )));
    }
    Ok(mesh)
}

fn vertices<T: Scalar>(
    element: &Element,
    data: &mut Data<'_>,
    mesh: &mut Mesh<T>,
) -> Result<(), FileError> {
    let place = |names: [&str; 3]| -> Option<[usize; 3]> {
        let [x, y, z] = names.map(|n| element.find(n));
        Some([x?, y?, z?])
    };
    let Some(position) = place(["x", "y", "z"]) else {
        return Err(FileError::line(
            data.line,
            "the element vertex lacks x, y or z",
        ));
    };
    let normal = place(["nx", "ny", "nz"]);
    let mut normals = Vec::with_capacity(normal.map_or(0, |_| element.count));
    mesh.vertices.reserve(element.count);
    let mut row = vec![T::zero(); element.properties.len()];
    for _ in 0..element.count {
        for (value, property) in row.iter_mut().zip(&element.properties) {
            if property.list.is_some() {
                data.skip(property)?;
            } else {
                *value = data.real(property.kind)?;
            }
        }
        let three = |at: [usize; 3]| at.map(|i| row[i]);
        let p = three(position);
        if !p.iter().all(|x| x.is_finite()) {
            return Err(data.error(format!("a vertex at {p:?}")));
        }
        mesh.vertices.push(Point3::from(p));
        normals.extend(normal.map(|at| Vector3::from(three(at))));
    }
    mesh.normals = normal.map(|_| normals);
    Ok(())
}

fn faces<T: Scalar>(
    element: &Element,
    data: &mut Data<'_>,
    mesh: &mut Mesh<T>,
) -> Result<(), FileError> {
    let is_indices = |p: &Property| {
        p.list.is_some() && ["vertex_indices", "vertex_index"].contains(&p.name.as_str())
    };
    mesh.triangles.reserve(element.count);
    let known = mesh.vertices.len();
    let mut polygon = Vec::new();
    for _ in 0..element.count {
        for property in &element.properties {
            let Some(count) = property.list.filter(|_| is_indices(property)) else {
                data.skip(property)?;
                continue;
            };
            let corners = data.whole(count)?;
            if corners < 3 {
                return Err(data.error(format!("a face with {corners} corners")));
            }
            polygon.clear();
            for _ in 0..corners {
                let index = data.whole(property.kind)?;
                let index = u32::try_from(index)
                    .ok()
                    .filter(|i| known == 0 || (*i as usize) < known)
                    .ok_or_else(|| data.error(format!("vertex {index} of {known}")))?;
                polygon.push(index);
            }
            fan(&polygon, &mut mesh.triangles);
        }
    }
    Ok(())
}

/// The encoding, what the file holds, and the data that follow.
fn head(bytes: &[u8]) -> Result<(Encoding, Vec<Element>, Data<'_>), FileError> {
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
struct Data<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Line of the next word of a text.
    line: usize,
    encoding: Encoding,
}

impl<'a> Data<'a> {
    fn error(&self, problem: String) -> FileError {
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
    fn real<T: Scalar>(&mut self, kind: Kind) -> Result<T, FileError> {
        if self.encoding == Encoding::Ascii {
            let word = self.word()?;
            // Normals of flat faces are written as nan by some programs: where it matters is said later.
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
    fn whole(&mut self, kind: Kind) -> Result<usize, FileError> {
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

    fn skip(&mut self, property: &Property) -> Result<(), FileError> {
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

    fn end(&mut self) -> Result<(), FileError> {
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

/// Writes a mesh in its own type (`float` or `double`), with its normals if it has some.
///
/// # Errors
/// [`FileError::Mesh`] for a mesh that is unsound, [`FileError::System`].
pub fn write<T: Scalar>(
    mesh: &Mesh<T>,
    encoding: Encoding,
    out: &mut impl Write,
) -> Result<(), FileError> {
    check(mesh)?;
    let name = match encoding {
        Encoding::Ascii => "ascii",
        Encoding::LittleEndian => "binary_little_endian",
        Encoding::BigEndian => "binary_big_endian",
    };
    let kind = if T::NAME == f32::NAME {
        "float"
    } else {
        "double"
    };
    writeln!(
        out,
        "ply\nformat {name} 1.0\nelement vertex {}",
        mesh.vertices.len()
    )?;
    let named = if mesh.normals.is_some() { 6 } else { 3 };
    for axis in &["x", "y", "z", "nx", "ny", "nz"][..named] {
        writeln!(out, "property {kind} {axis}")?;
    }
    writeln!(
        out,
        "element face {}\nproperty list uchar uint vertex_indices\nend_header",
        mesh.triangles.len()
    )?;
    let big = encoding == Encoding::BigEndian;
    let mut bytes = Vec::new();
    for (i, p) in mesh.vertices.iter().enumerate() {
        let normal = mesh.normals.as_ref().map(|n| n[i]);
        let row = p.iter().chain(normal.iter().flat_map(|n| n.iter()));
        bytes.clear();
        for (k, x) in row.enumerate() {
            if encoding == Encoding::Ascii {
                let gap = if k == 0 { "" } else { " " };
                write!(bytes, "{gap}{x:?}")?;
            } else if T::NAME == f32::NAME {
                let x = x.f64() as f32;
                bytes.extend(if big {
                    x.to_be_bytes()
                } else {
                    x.to_le_bytes()
                });
            } else {
                let x = x.f64();
                bytes.extend(if big {
                    x.to_be_bytes()
                } else {
                    x.to_le_bytes()
                });
            }
        }
        if encoding == Encoding::Ascii {
            bytes.push(b'\n');
        }
        out.write_all(&bytes)?;
    }
    for triangle in &mesh.triangles {
        if encoding == Encoding::Ascii {
            let [a, b, c] = triangle;
            writeln!(out, "3 {a} {b} {c}")?;
            continue;
        }
        out.write_all(&[3])?;
        for v in triangle {
            out.write_all(&if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            })?;
        }
    }
    Ok(())
}
