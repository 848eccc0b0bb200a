//! glTF 2.0 in one binary file: one mesh with positions, indices and, if there are some, normals.

use std::io::Write;

use ansatz_core::Scalar;

use super::{FileError, check};
use crate::geometry::{bounds, widen};
use crate::{Mesh, MeshError};

const FLOAT: u32 = 5126;
const UNSIGNED_INT: u32 = 5125;
const ARRAY_BUFFER: u32 = 34962;
const ELEMENT_ARRAY_BUFFER: u32 = 34963;

/// Writes a mesh; numbers are rounded to `f32`. A mesh without triangles becomes an empty scene.
///
/// # Errors
/// [`FileError::Mesh`] for a mesh that is unsound, not finite in `f32` or larger than the 4 GiB that
/// the format can hold; [`FileError::System`].
pub fn write<T: Scalar>(mesh: &Mesh<T>, out: &mut impl Write) -> Result<(), FileError> {
    check(mesh)?;
    let vertices: Vec<_> = mesh.vertices.iter().map(widen).collect();
    if let Some(index) = vertices
        .iter()
        .position(|v| !v.iter().all(|x| (*x as f32).is_finite()))
    {
        let position = vertices[index].into();
        return Err(MeshError::Vertex { index, position }.into());
    }
    let mut json = String::from("{\"asset\":{\"version\":\"2.0\",\"generator\":\"ansatz-mesh\"}");
    let mut data: Vec<u8> = Vec::new();
    if mesh.is_empty() {
        json.push_str(",\"scenes\":[{}],\"scene\":0}");
    } else {
        let (v, f) = (vertices.len(), 3 * mesh.triangles.len());
        let floats = |data: &mut Vec<u8>, numbers: &mut dyn Iterator<Item = f64>| {
            numbers.for_each(|x| data.extend((x as f32).to_le_bytes()));
        };
        floats(
            &mut data,
            &mut vertices.iter().flat_map(|p| p.iter().copied()),
        );
        if let Some(normals) = &mesh.normals {
            floats(
                &mut data,
                &mut normals.iter().flat_map(|n| n.iter().map(|x| x.f64())),
            );
        }
        let split = data.len();
        data.extend(
            mesh.triangles
                .iter()
                .flatten()
                .flat_map(|i| i.to_le_bytes()),
        );
        let [low, high] = bounds(&vertices);
        let three = |x: crate::geometry::Vec3| {
            format!("[{:?},{:?},{:?}]", x.x as f32, x.y as f32, x.z as f32)
        };
        let view = |offset: usize, length: usize, target: u32| {
            format!(
                "{{\"buffer\":0,\"byteOffset\":{offset},\"byteLength\":{length},\"target\":{target}}}"
            )
        };
        let accessor = |view: usize, kind: u32, count: usize, shape: &str, range: &str| {
            format!(
                "{{\"bufferView\":{view},\"componentType\":{kind},\"count\":{count},\"type\":\"{shape}\"{range}}}"
            )
        };
        let range = format!(",\"min\":{},\"max\":{}", three(low), three(high));
        let mut views = vec![view(0, 12 * v, ARRAY_BUFFER)];
        let mut accessors = vec![accessor(0, FLOAT, v, "VEC3", &range)];
        let mut attributes = String::from("\"POSITION\":0");
        if mesh.normals.is_some() {
            attributes.push_str(",\"NORMAL\":1");
            views.push(view(12 * v, 12 * v, ARRAY_BUFFER));
            accessors.push(accessor(1, FLOAT, v, "VEC3", ""));
        }
        let indices = views.len();
        views.push(view(split, 4 * f, ELEMENT_ARRAY_BUFFER));
        accessors.push(accessor(indices, UNSIGNED_INT, f, "SCALAR", ""));
        let rest = format!(
            ",\"scenes\":[{{\"nodes\":[0]}}],\"scene\":0,\"nodes\":[{{\"mesh\":0}}],\
             \"meshes\":[{{\"primitives\":[{{\"attributes\":{{{attributes}}},\"indices\":{indices}}}]}}],\
             \"buffers\":[{{\"byteLength\":{}}}],\"bufferViews\":[{}],\"accessors\":[{}]}}",
            data.len(),
            views.join(","),
            accessors.join(",")
        );
        json.push_str(&rest);
    }
    while !json.len().is_multiple_of(4) {
        json.push(' ');
    }
    // Every part is a multiple of four bytes.
    let chunk = if data.is_empty() { 0 } else { 8 + data.len() };
    let total = 12 + 8 + json.len() + chunk;
    let word = |n: usize| {
        u32::try_from(n).map_err(|_| MeshError::TooLarge {
            vertices: mesh.vertices.len(),
        })
    };
    out.write_all(b"glTF")?;
    out.write_all(&2_u32.to_le_bytes())?;
    out.write_all(&word(total)?.to_le_bytes())?;
    out.write_all(&word(json.len())?.to_le_bytes())?;
    out.write_all(b"JSON")?;
    out.write_all(json.as_bytes())?;
    if !data.is_empty() {
        out.write_all(&word(data.len())?.to_le_bytes())?;
        out.write_all(b"BIN\0")?;
        out.write_all(&data)?;
    }
    Ok(())
}
