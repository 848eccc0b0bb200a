//! STL: triangles without shared vertices, as text or in 50 bytes each.

use std::collections::HashMap;
use std::io::Write;

use ansatz_core::Scalar;
use nalgebra::Point3;

use super::text::{Lines, numbers};
use super::{FileError, check};
use crate::geometry::{corners, cross, unit_or_zero, widen};
use crate::{Mesh, MeshError};

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// `f32`, little endian.
    #[default]
    Binary,
    /// Text, with as many digits as bring the same bits back.
    Ascii,
}

const HEAD: usize = 84;
const FACET: usize = 50;

/// Reads a file, binary or text. Corners at the same place become one vertex, in the order in which
/// they are met; the facets' normals are not used.
///
/// # Errors
/// [`FileError::Byte`] when a binary file is longer or shorter than it says or holds a number that is
/// not finite, [`FileError::Line`] when a text does not follow the grammar.
///
/// ```
/// let text = b"solid\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n\
///              endloop\nendfacet\nendsolid\n";
/// assert_eq!(ansatz_mesh::io::stl::read::<f32>(text)?.vertices.len(), 3);
/// # Ok::<(), ansatz_mesh::io::FileError>(())
/// ```
pub fn read<T: Scalar>(bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    // Some binary files begin with "solid" too: then the length tells.
    let count = |bytes: &[u8]| Some(u32::from_le_bytes(*bytes.get(80..HEAD)?.first_chunk()?));
    let expected = count(bytes).map(|n| HEAD as u64 + FACET as u64 * u64::from(n));
    if expected == Some(bytes.len() as u64) {
        return binary(bytes);
    }
    if bytes.trim_ascii_start().starts_with(b"solid") {
        return text(bytes);
    }
    Err(match expected {
        None => FileError::byte(
            bytes.len(),
            "the file ends within the 84 bytes of a binary head, and is not text that begins with solid",
        ),
        Some(expected) => FileError::byte(
            80,
            format!(
                "the head promises {expected} bytes, the file has {}",
                bytes.len()
            ),
        ),
    })
}

fn binary<T: Scalar>(bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    let facets = bytes[HEAD..].chunks_exact(FACET);
    let mut soup = Soup::with_capacity(facets.len());
    for (f, facet) in facets.enumerate() {
        for (k, corner) in facet[12..48].chunks_exact(12).enumerate() {
            let mut p = [T::zero(); 3];
            for (x, bytes) in p.iter_mut().zip(corner.chunks_exact(4)) {
                let value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                if !value.is_finite() {
                    let offset = HEAD + f * FACET + 12 + 12 * k;
                    return Err(FileError::byte(offset, format!("a corner at {value}")));
                }
                *x = T::of(f64::from(value));
            }
            soup.corner(p)?;
        }
    }
    Ok(soup.mesh)
}

fn text<T: Scalar>(bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    // A facet takes at least 60 bytes.
    let mut soup = Soup::with_capacity(bytes.len() / 200);
    let mut lines = Lines::new(bytes, None);
    let mut open = false;
    while let Some(line) = lines.next() {
        let lower = line.to_ascii_lowercase();
        let mut words = lower.split_ascii_whitespace();
        match (words.next().unwrap_or_default(), open) {
            ("solid", false) => open = true,
            ("endsolid", true) => open = false,
            ("facet", true) => {
                let says = |lines: &mut Lines<'_>, what: &str| {
                    let line = lines.expect(what)?.to_ascii_lowercase();
                    if line.split_ascii_whitespace().eq(what.split(' ')) {
                        Ok(())
                    } else {
                        Err(lines.error(format!("{line:?} where {what:?} is due")))
                    }
                };
                says(&mut lines, "outer loop")?;
                for _ in 0..3 {
                    let line = lines.expect("a corner")?;
                    let mut words = line.split_ascii_whitespace();
                    if !words
                        .next()
                        .is_some_and(|w| w.eq_ignore_ascii_case("vertex"))
                    {
                        return Err(lines.error(format!("{line:?} where a vertex is due")));
                    }
                    soup.corner(numbers::<T, 3>(&mut words).map_err(|p| lines.error(p))?)?;
                }
                says(&mut lines, "endloop")?;
                says(&mut lines, "endfacet")?;
            }
            (_, true) => {
                return Err(lines.error(format!("{line:?} where a facet or endsolid is due")));
            }
            (_, false) => return Err(lines.error(format!("{line:?} where solid is due"))),
        }
    }
    if open {
        return Err(FileError::line(
            lines.number + 1,
            "the file ends before endsolid",
        ));
    }
    Ok(soup.mesh)
}

/// Corners that come one by one, and the mesh that they make.
struct Soup<T: Scalar> {
    mesh: Mesh<T>,
    known: HashMap<[u64; 3], u32>,
    corner: usize,
    triangle: [u32; 3],
}

impl<T: Scalar> Soup<T> {
    fn with_capacity(facets: usize) -> Self {
        let mesh = Mesh {
            vertices: Vec::with_capacity(facets / 2),
            triangles: Vec::with_capacity(facets),
            normals: None,
        };
        Self {
            mesh,
            known: HashMap::with_capacity(facets / 2),
            corner: 0,
            triangle: [0; 3],
        }
    }

    fn corner(&mut self, p: [T; 3]) -> Result<(), MeshError> {
        let next = self.mesh.vertices.len();
        let index = u32::try_from(next).map_err(|_| MeshError::TooLarge { vertices: next })?;
        // Both zeros are one place.
        let bits = p.map(|x| (x.f64() + 0.0).to_bits());
        let vertex = *self.known.entry(bits).or_insert(index);
        if vertex == index {
            self.mesh.vertices.push(Point3::from(p));
        }
        self.triangle[self.corner] = vertex;
        self.corner += 1;
        if self.corner == 3 {
            self.corner = 0;
            self.mesh.triangles.push(self.triangle);
        }
        Ok(())
    }
}

/// Writes a mesh, with the normals of its triangles.
///
/// # Errors
/// [`FileError::Mesh`] for a mesh that is unsound or, in binary, has 2³² triangles or more;
/// [`FileError::System`].
pub fn write<T: Scalar>(
    mesh: &Mesh<T>,
    encoding: Encoding,
    out: &mut impl Write,
) -> Result<(), FileError> {
    check(mesh)?;
    let vertices: Vec<_> = mesh.vertices.iter().map(widen).collect();
    let normal = |t: &[u32; 3]| unit_or_zero(cross(&corners(&vertices, *t)));
    match encoding {
        Encoding::Binary => {
            out.write_all(&[0; 80])?;
            out.write_all(&(mesh.triangles.len() as u32).to_le_bytes())?;
            for t in &mesh.triangles {
                let mut facet = [0; FACET];
                let numbers = normal(t)
                    .iter()
                    .copied()
                    .chain(t.iter().flat_map(|v| vertices[*v as usize].iter().copied()))
                    .collect::<Vec<f64>>();
                for (bytes, x) in facet.chunks_exact_mut(4).zip(numbers) {
                    bytes.copy_from_slice(&(x as f32).to_le_bytes());
                }
                out.write_all(&facet)?;
            }
        }
        Encoding::Ascii => {
            writeln!(out, "solid")?;
            for t in &mesh.triangles {
                let n = normal(t);
                writeln!(
                    out,
                    "facet normal {:?} {:?} {:?}\nouter loop",
                    n.x, n.y, n.z
                )?;
                for p in t.map(|v| &mesh.vertices[v as usize]) {
                    writeln!(out, "vertex {:?} {:?} {:?}", p.x, p.y, p.z)?;
                }
                writeln!(out, "endloop\nendfacet")?;
            }
            writeln!(out, "endsolid")?;
        }
    }
    Ok(())
}
