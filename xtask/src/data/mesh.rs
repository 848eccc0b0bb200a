//! Meshes that packages hold as program text, written as binary PLY.

use serde::de::DeserializeOwned;

/// Vertices and triangles.
type Mesh = (Vec<[f32; 3]>, Vec<[u32; 3]>);

/// Vertices and triangles of a module that says `exports.positions=[…]` and `exports.cells=[…]`.
pub(super) fn exported(source: &str) -> Option<Mesh> {
    Some((array(source, "positions")?, array(source, "cells")?))
}

/// The array that follows `exports.<name>=`.
fn array<T: DeserializeOwned>(source: &str, name: &str) -> Option<Vec<T>> {
    let assignment = format!("exports.{name}=");
    let text = &source[source.find(&assignment)? + assignment.len()..];
    // A stream stops at the end of the first value, whatever follows.
    serde_json::Deserializer::from_str(text)
        .into_iter::<Vec<T>>()
        .next()?
        .ok()
}

/// A binary, little-endian PLY with `f32` positions; indices have 16 bits where they fit.
pub(super) fn ply(comment: &str, vertices: &[[f32; 3]], triangles: &[[u32; 3]]) -> Vec<u8> {
    let short = vertices.len() <= 1 << 16;
    let kind = if short { "ushort" } else { "uint" };
    let mut out = format!(
        "ply\nformat binary_little_endian 1.0\ncomment {comment}\nelement vertex {}\n\
         property float x\nproperty float y\nproperty float z\nelement face {}\n\
         property list uchar {kind} vertex_indices\nend_header\n",
        vertices.len(),
        triangles.len()
    )
    .into_bytes();
    out.extend(vertices.iter().flatten().flat_map(|x| x.to_le_bytes()));
    for triangle in triangles {
        out.push(3);
        for v in triangle {
            if short {
                out.extend((*v as u16).to_le_bytes());
            } else {
                out.extend(v.to_le_bytes());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_text_becomes_ply() {
        let source =
            "exports.positions=[[0,0,0],[1.5,0,0],[0,1e-3,0]]\n;exports.cells=[[0,1,2]];x()";
        let (vertices, triangles) = exported(source).expect("both arrays");
        assert_eq!(vertices[1].map(f32::to_bits), [1.5_f32.to_bits(), 0, 0]);
        let file = ply("c", &vertices, &triangles);
        assert!(file.starts_with(b"ply\nformat binary_little_endian 1.0\ncomment c\n"));
        assert!(file.ends_with(&[3, 0, 0, 1, 0, 2, 0]));
        assert!(exported("exports.positions=[[0,0]];exports.cells=[]").is_none());
        assert!(exported("exports.cells=[]").is_none());
    }
}
