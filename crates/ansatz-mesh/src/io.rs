//! Files of meshes.
//!
//! | format | in | out | notes |
//! |---|---|---|---|
//! | [`obj`] | ✓ | ✓ | polygons are cut into fans; normals where each vertex has one |
//! | [`ply`] | ✓ | ✓ | ASCII, little and big endian; unknown elements and properties are skipped |
//! | [`stl`] | ✓ | ✓ | ASCII and binary; corners at the same place become one vertex |
//! | [`off`] | ✓ | ✓ | colours are skipped |
//! | [`glb`] | | ✓ | glTF 2.0 in one binary file, f32 |
//! | [`csl`] | ✓ | ✓ | cross-sections: [`crate::CrossSections`] |
//!
//! Readers take bytes. Whatever the bytes are they return a sound mesh or an error with the line or
//! the byte where reading stopped; they never panic, and never reserve more memory than a multiple of
//! the input's length, whatever a header promises. Text numbers are read straight into the type of
//! the mesh, and written with as many digits as bring the same bits back.
//!
//! Readers are our own: each is short, all share one way to tell where a file is broken, and nobody who
//! only extracts surfaces compiles a package for them.

pub mod csl;
pub mod glb;
pub mod obj;
pub mod off;
pub mod ply;
pub mod stl;
mod text;

use std::io::{BufWriter, Write};
use std::path::Path;

use ansatz_core::Scalar;
use thiserror::Error;

use crate::geometry::check_indices;
use crate::{Mesh, MeshError};

/// Why a file was not read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// A text file does not say what its format asks for.
    #[error("line {line}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A binary file does not hold what its format asks for.
    #[error("byte {offset}: {problem}")]
    Byte {
        /// From 0.
        offset: usize,
        /// What is wrong.
        problem: String,
    },
    /// The mesh is unsound.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// The ending of a file name says nothing, or not a format for this direction.
    #[error("cannot {action} {path}: known endings are {known}")]
    Format {
        /// "read" or "write".
        action: &'static str,
        /// The path.
        path: String,
        /// Endings that would do.
        known: &'static str,
    },
    /// The system said no.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl FileError {
    fn line(line: usize, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Line { line, problem }
    }

    fn byte(offset: usize, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Byte { offset, problem }
    }
}

/// Reads a mesh; the ending of the name (obj, ply, stl, off) says the format.
///
/// # Errors
/// What the reader of the format reports, [`FileError::Format`] for another ending,
/// [`FileError::System`] when the file cannot be opened.
pub fn load<T: Scalar>(path: impl AsRef<Path>) -> Result<Mesh<T>, FileError> {
    let path = path.as_ref();
    let read: fn(&[u8]) -> Result<Mesh<T>, FileError> = match ending(path).as_str() {
        "obj" => obj::read,
        "ply" => ply::read,
        "stl" => stl::read,
        "off" => off::read,
        _ => {
            return Err(FileError::Format {
                action: "read",
                path: path.display().to_string(),
                known: "obj, ply, stl, off",
            });
        }
    };
    read(&std::fs::read(path)?)
}

/// Writes a mesh; the ending of the name (obj, ply, stl, off, glb) says the format. PLY and STL are
/// binary.
///
/// # Errors
/// [`FileError::Mesh`] for a mesh that is unsound, [`FileError::Format`] for another ending,
/// [`FileError::System`] when the file cannot be written.
pub fn save<T: Scalar>(path: impl AsRef<Path>, mesh: &Mesh<T>) -> Result<(), FileError> {
    let path = path.as_ref();
    let ending = ending(path);
    if !["obj", "ply", "stl", "off", "glb"].contains(&ending.as_str()) {
        return Err(FileError::Format {
            action: "write",
            path: path.display().to_string(),
            known: "obj, ply, stl, off, glb",
        });
    }
    // An unsound mesh leaves the file as it was.
    check(mesh)?;
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    match ending.as_str() {
        "obj" => obj::write(mesh, &mut out)?,
        "ply" => ply::write(mesh, ply::Encoding::LittleEndian, &mut out)?,
        "stl" => stl::write(mesh, stl::Encoding::Binary, &mut out)?,
        "off" => off::write(mesh, &mut out)?,
        _ => glb::write(mesh, &mut out)?,
    }
    Ok(out.flush()?)
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

/// Whether a mesh may be written.
fn check<T: Scalar>(mesh: &Mesh<T>) -> Result<(), MeshError> {
    check_indices(&mesh.triangles, mesh.vertices.len())?;
    let vertices = mesh.vertices.len();
    match &mesh.normals {
        Some(normals) if normals.len() != vertices => Err(MeshError::Normals {
            found: normals.len(),
            vertices,
        }),
        _ => Ok(()),
    }
}

/// A polygon as triangles around its first corner.
fn fan(polygon: &[u32], triangles: &mut Vec<[u32; 3]>) {
    for pair in polygon[1..].windows(2) {
        triangles.push([polygon[0], pair[0], pair[1]]);
    }
}
