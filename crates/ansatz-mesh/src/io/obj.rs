//! Wavefront OBJ: text, `v x y z` and `f a b c` with indices from 1.

use std::io::Write;

use ansatz_core::Scalar;
use nalgebra::{Point3, Vector3};

use super::text::{Lines, numbers};
use super::{FileError, check, fan};
use crate::Mesh;

/// Statements that say nothing about positions and faces.
const SKIPPED: [&str; 17] = [
    "vt",
    "vp",
    "g",
    "o",
    "s",
    "mg",
    "usemtl",
    "mtllib",
    "usemap",
    "maplib",
    "l",
    "p",
    "lod",
    "bevel",
    "c_interp",
    "d_interp",
    "shadow_obj",
];

/// Reads the polygons of a file as triangles. Indices may be negative (from the last vertex back);
/// groups, materials, lines and texture coordinates are skipped.
///
/// Normals are kept when each corner of each face has the normal with the same number as its vertex,
/// as [`write()`] makes them. The format has no counts and no end mark: a file that was cut between two
/// lines reads as a shorter one.
///
/// # Errors
/// [`FileError::Line`] for an unknown statement, a number that is missing or not finite, an index of
/// nothing, a polygon with fewer than three corners.
///
/// ```
/// let mesh = ansatz_mesh::io::obj::read::<f32>(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")?;
/// assert_eq!(mesh.triangles, [[0, 1, 2]]);
/// # Ok::<(), ansatz_mesh::io::FileError>(())
/// ```
pub fn read<T: Scalar>(bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    let mut mesh = Mesh::<T>::default();
    let mut normals: Vec<Vector3<T>> = Vec::new();
    let mut paired = true;
    // Lines of triangles whose indices may come before their vertices.
    let mut lines_of: Vec<u32> = Vec::new();
    let mut polygon = Vec::new();
    let mut lines = Lines::new(bytes, Some(b'#'));
    while let Some(line) = lines.next() {
        let mut whole = line.into_owned();
        while whole.ends_with('\\') {
            whole.pop();
            whole.push_str(&lines.expect("the rest of a statement")?);
        }
        let mut words = whole.split_ascii_whitespace();
        match words.next().unwrap_or_default() {
            "v" => {
                let p = numbers::<T, 3>(&mut words).map_err(|p| lines.error(p))?;
                mesh.vertices.push(Point3::from(p));
            }
            "vn" => {
                let n = numbers::<T, 3>(&mut words).map_err(|p| lines.error(p))?;
                normals.push(Vector3::from(n));
            }
            "f" => {
                polygon.clear();
                for word in words {
                    let mut parts = word.split('/');
                    let index = |part: &str, count| {
                        resolve(part, count).ok_or_else(|| {
                            lines.error(format!("{word:?} is not an index of a vertex"))
                        })
                    };
                    let vertex = index(parts.next().unwrap_or_default(), mesh.vertices.len())?;
                    match parts.nth(1).filter(|p| !p.is_empty()) {
                        Some(part) => paired &= index(part, normals.len())? == vertex,
                        None => paired = false,
                    }
                    polygon.push(vertex);
                }
                if polygon.len() < 3 {
                    return Err(lines.error(format!("a face with {} corners", polygon.len())));
                }
                fan(&polygon, &mut mesh.triangles);
                lines_of.resize(mesh.triangles.len(), lines.number as u32);
            }
            word if SKIPPED.contains(&word) => {}
            word => return Err(lines.error(format!("{word:?} is not a statement of an OBJ file"))),
        }
    }
    let count = mesh.vertices.len();
    let beyond = |t: &[u32; 3]| t.iter().any(|v| *v as usize >= count);
    if let Some(f) = mesh.triangles.iter().position(beyond) {
        return Err(FileError::line(
            lines_of[f] as usize,
            format!("a face names a vertex beyond the {count} of the file"),
        ));
    }
    if paired && normals.len() == count && count > 0 {
        mesh.normals = Some(normals);
    }
    Ok(mesh)
}

/// An index from 0; what is negative counts back from `count`.
fn resolve(text: &str, count: usize) -> Option<u32> {
    let index: i64 = text.parse().ok()?;
    let from_zero = if index < 0 {
        i64::try_from(count).ok()? + index
    } else {
        index - 1
    };
    u32::try_from(from_zero).ok()
}

/// Writes a mesh, with its normals if it has some.
///
/// # Errors
/// [`FileError::Mesh`] for a mesh that is unsound, [`FileError::System`].
pub fn write<T: Scalar>(mesh: &Mesh<T>, out: &mut impl Write) -> Result<(), FileError> {
    check(mesh)?;
    for p in &mesh.vertices {
        writeln!(out, "v {:?} {:?} {:?}", p.x, p.y, p.z)?;
    }
    for n in mesh.normals.iter().flatten() {
        writeln!(out, "vn {:?} {:?} {:?}", n.x, n.y, n.z)?;
    }
    for triangle in &mesh.triangles {
        let [a, b, c] = triangle.map(|v| u64::from(v) + 1);
        if mesh.normals.is_some() {
            writeln!(out, "f {a}//{a} {b}//{b} {c}//{c}")?;
        } else {
            writeln!(out, "f {a} {b} {c}")?;
        }
    }
    Ok(())
}
