//! PLY, the polygon file format of Stanford (G. Turk, 1994): a text head that describes elements and
//! properties, then text or binary data.

mod data;

use std::io::Write;

use ansatz_core::Scalar;
use nalgebra::{Point3, Vector3};

use self::data::{Data, Element, Property, head};
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

/// Reads the elements `vertex` (x, y, z and, if all three are there, nx, ny, nz) and `face` (the list
/// `vertex_indices` or `vertex_index`); everything else is skipped. Polygons become triangles; normals that
/// are not finite become zero. A file
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
        // Some programs write the normals of flat faces as nan.
        normals.extend(normal.map(|at| match three(at) {
            n if n.iter().all(|x| x.is_finite()) => Vector3::from(n),
            _ => Vector3::zeros(),
        }));
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
