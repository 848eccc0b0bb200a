//! Object File Format: text, a head with counts, points, polygons with indices from 0.

use std::io::Write;

use ansatz_core::Scalar;
use nalgebra::Point3;

use super::text::{Lines, numbers, whole};
use super::{FileError, check, fan};
use crate::Mesh;

/// Reads `OFF` and `COFF` files; polygons become triangles, colours are skipped.
///
/// # Errors
/// [`FileError::Line`] for another head, fewer lines than it promises, a number that is missing or
/// not finite, an index of nothing, a polygon with fewer than three corners, text after the end.
///
/// ```
/// let text = b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n";
/// assert_eq!(ansatz_mesh::io::off::read::<f64>(text)?.triangles, [[0, 1, 2]]);
/// # Ok::<(), ansatz_mesh::io::FileError>(())
/// ```
pub fn read<T: Scalar>(bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    let mut lines = Lines::new(bytes, Some(b'#'));
    let head = lines.expect("the word OFF")?;
    let mut words = head.split_ascii_whitespace();
    if !matches!(words.next(), Some("OFF" | "COFF")) {
        return Err(lines.error("the file does not begin with OFF or COFF"));
    }
    let second;
    let mut words = if words.clone().next().is_some() {
        words
    } else {
        second = lines.expect("the counts of vertices and faces")?;
        second.split_ascii_whitespace()
    };
    let count = |word, what| whole(word, what).map_err(|p| lines.error(p));
    let vertices = count(words.next(), "number of vertices")?;
    let faces = count(words.next(), "number of faces")?;
    // A vertex takes at least six bytes and a face eight.
    let room = lines.left() + 1;
    if vertices > room / 6 || faces > room / 8 {
        return Err(lines.error(format!(
            "{vertices} vertices and {faces} faces do not fit into the {room} bytes that follow"
        )));
    }
    let mut mesh = Mesh::<T> {
        vertices: Vec::with_capacity(vertices),
        triangles: Vec::with_capacity(faces),
        normals: None,
    };
    for _ in 0..vertices {
        let line = lines.expect("a vertex")?;
        let p = numbers::<T, 3>(&mut line.split_ascii_whitespace()).map_err(|p| lines.error(p))?;
        mesh.vertices.push(Point3::from(p));
    }
    let mut polygon = Vec::new();
    for _ in 0..faces {
        let line = lines.expect("a face")?;
        let mut words = line.split_ascii_whitespace();
        let corners = whole(words.next(), "number of corners").map_err(|p| lines.error(p))?;
        if corners < 3 {
            return Err(lines.error(format!("a face with {corners} corners")));
        }
        polygon.clear();
        for _ in 0..corners {
            let index = whole(words.next(), "index of a vertex").map_err(|p| lines.error(p))?;
            if index >= vertices {
                return Err(lines.error(format!("vertex {index} of {vertices}, counted from 0")));
            }
            polygon.push(index as u32);
        }
        fan(&polygon, &mut mesh.triangles);
    }
    match lines.next() {
        None => Ok(mesh),
        Some(_) => Err(lines.error(format!("more than {vertices} vertices and {faces} faces"))),
    }
}

/// Writes a mesh; normals are left out.
///
/// # Errors
/// [`FileError::Mesh`] for a mesh that is unsound, [`FileError::System`].
pub fn write<T: Scalar>(mesh: &Mesh<T>, out: &mut impl Write) -> Result<(), FileError> {
    check(mesh)?;
    writeln!(
        out,
        "OFF\n{} {} 0",
        mesh.vertices.len(),
        mesh.triangles.len()
    )?;
    for p in &mesh.vertices {
        writeln!(out, "{:?} {:?} {:?}", p.x, p.y, p.z)?;
    }
    for [a, b, c] in &mesh.triangles {
        writeln!(out, "3 {a} {b} {c}")?;
    }
    Ok(())
}
