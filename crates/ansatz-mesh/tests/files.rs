//! Files: exact round trips, grammar, and where errors are.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a failed step fails the test; bits come back"
)]

mod common;
mod formats;

use ansatz_mesh::clean::VertexNormals;
use ansatz_mesh::core::Scalar;
use ansatz_mesh::io::{self, FileError, glb, obj, off, ply, stl};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{Mesh, MeshError};
use common::*;
use formats::*;

/// Corners of triangles, whatever the vertices' order.
fn corners<T: Scalar>(mesh: &Mesh<T>) -> Vec<[Point3<T>; 3]> {
    (0..mesh.triangles.len()).map(|f| mesh.corners(f)).collect()
}

fn round_trip<T: Scalar>(mesh: &Mesh<T>) {
    for (name, bytes) in written(mesh) {
        let back = read::<T>(name, &bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        if name.starts_with("stl") {
            let exact = name == "stl ascii" || T::NAME == "f32";
            assert!(!exact || corners(&back) == corners(mesh), "{name}");
            assert_eq!(back.vertices.len(), mesh.vertices.len(), "{name}");
        } else {
            assert_eq!(back.vertices, mesh.vertices, "{name}");
            assert_eq!(back.triangles, mesh.triangles, "{name}");
            if !name.starts_with("off") {
                assert_eq!(back.normals, mesh.normals, "{name}");
            }
        }
    }
}

#[test]
fn meshes_come_back_to_the_bit() {
    let mut mesh = raw_bunny();
    round_trip(&mesh);
    VertexNormals::default().apply(&mut mesh).unwrap();
    round_trip(&mesh);
    round_trip(&bunny());
    let extremes = [
        1e-45_f32,
        f32::MIN_POSITIVE,
        f32::MAX,
        -1e-30,
        0.1,
        16_777_216.0,
        1.0 / 3.0,
        2.5e20,
        -0.0,
    ];
    let vertices = extremes
        .chunks(3)
        .map(|c| Point3::new(c[0], c[1], c[2]))
        .collect();
    round_trip(&Mesh::new(vertices, vec![[0, 1, 2]]).unwrap());
    for (name, bytes) in written(&Mesh::<f32>::default()) {
        assert_eq!(
            read::<f32>(name, &bytes).unwrap(),
            Mesh::default(),
            "{name}"
        );
    }
}

#[test]
fn names_say_the_format() {
    let folder = std::env::temp_dir().join(format!("ansatz-mesh-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mesh = raw_bunny();
    for name in ["a.obj", "a.PLY", "a.stl", "a.off"] {
        let path = folder.join(name);
        io::save(&path, &mesh).unwrap();
        let back: Mesh<f32> = io::load(&path).unwrap();
        assert_eq!(corners(&back), corners(&mesh), "{name}");
    }
    io::save(folder.join("a.glb"), &mesh).unwrap();
    assert!(matches!(
        io::load::<f32>(folder.join("a.glb")),
        Err(FileError::Format { .. })
    ));
    assert!(matches!(
        io::save(folder.join("a.xyz"), &mesh),
        Err(FileError::Format { .. })
    ));
    assert!(matches!(
        io::load::<f32>(folder.join("b.obj")),
        Err(FileError::System(_))
    ));
    // An unsound mesh leaves the file alone.
    let mut bad = mesh.clone();
    bad.triangles[7][1] = 9999;
    assert!(matches!(
        io::save(folder.join("a.obj"), &bad),
        Err(FileError::Mesh(MeshError::Index { face: 7, .. }))
    ));
    assert_eq!(
        io::load::<f32>(folder.join("a.obj")).unwrap().triangles,
        mesh.triangles
    );
    bad.normals = Some(vec![Vector3::x()]);
    bad.triangles[7][1] = 0;
    assert!(matches!(
        obj::write(&bad, &mut Vec::new()),
        Err(FileError::Mesh(MeshError::Normals {
            found: 1,
            vertices: 1839
        }))
    ));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The container by the letter of the specification: lengths, alignment, JSON that reads, ranges that hold.
#[test]
fn glb_is_what_gltf_asks_for() {
    let mut mesh = raw_bunny();
    VertexNormals::default().apply(&mut mesh).unwrap();
    let mut bytes = Vec::new();
    glb::write(&mesh, &mut bytes).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(
        (&bytes[..4], word(4), word(8)),
        (&b"glTF"[..], 2, bytes.len())
    );
    let length = word(12);
    assert_eq!((&bytes[16..20], length % 4), (&b"JSON"[..], 0));
    let json: serde_json::Value = serde_json::from_slice(&bytes[20..20 + length]).unwrap();
    let data = 20 + length;
    assert_eq!(
        (&bytes[data + 4..data + 8], word(data)),
        (&b"BIN\0"[..], bytes.len() - data - 8)
    );
    let bin = &bytes[data + 8..];
    assert_eq!(json["asset"]["version"], "2.0");
    assert_eq!(json["buffers"][0]["byteLength"], bin.len());
    let primitive = &json["meshes"][0]["primitives"][0];
    let view = |accessor: &serde_json::Value| {
        let a = &json["accessors"][accessor.as_u64().unwrap() as usize];
        let v = &json["bufferViews"][a["bufferView"].as_u64().unwrap() as usize];
        let offset = v["byteOffset"].as_u64().unwrap() as usize;
        let length = v["byteLength"].as_u64().unwrap() as usize;
        (a.clone(), bin[offset..offset + length].to_vec())
    };
    let (a, positions) = view(&primitive["attributes"]["POSITION"]);
    assert_eq!(
        (&a["type"], &a["componentType"]),
        (&"VEC3".into(), &5126.into())
    );
    let floats: Vec<f32> = positions
        .chunks_exact(4)
        .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
        .collect();
    assert!(
        floats
            .iter()
            .zip(mesh.vertices.iter().flat_map(|p| p.iter()))
            .all(|(a, b)| a == b)
    );
    for k in 0..3 {
        let axis = || floats.iter().skip(k).step_by(3).copied();
        assert_eq!(
            a["min"][k].as_f64().unwrap() as f32,
            axis().fold(f32::MAX, f32::min)
        );
        assert_eq!(
            a["max"][k].as_f64().unwrap() as f32,
            axis().fold(f32::MIN, f32::max)
        );
    }
    let (a, normals) = view(&primitive["attributes"]["NORMAL"]);
    assert_eq!(
        (a["count"].as_u64(), normals.len()),
        (Some(1839), 12 * 1839)
    );
    let (a, indices) = view(&primitive["indices"]);
    assert_eq!(
        (a["count"].as_u64(), indices.len()),
        (Some(3 * 3674), 12 * 3674)
    );
    assert_eq!(
        (&a["type"], &a["componentType"]),
        (&"SCALAR".into(), &5125.into())
    );
    let ends = [
        indices[..4].to_vec(),
        mesh.triangles[0][0].to_le_bytes().to_vec(),
    ];
    assert_eq!(ends[0], ends[1]);
    let mut empty = Vec::new();
    glb::write(&Mesh::<f32>::default(), &mut empty).unwrap();
    assert_eq!(empty.len() % 4, 0);
}

/// Statements of real files: other properties, polygons, negative indices, comments, carriage returns.
#[test]
fn dialects() {
    let square = [[0, 1, 2], [0, 2, 3]];
    let text = "# c\r\nmtllib a.mtl\r\no x\r\nv 0 0 0 1.0\r\nv 1 0 0\r\nv 1 1 \\\r\n 0\r\nv 0 1 0 0.5 0.5 0.5\r\n\
                vt 0 0\r\nvn 0 0 1\r\ng y\r\nusemtl z\r\ns off\r\nf -4/1/1 -3/1/1 -2//1 -1 # end\r\n";
    let mesh = obj::read::<f32>(text.as_bytes()).unwrap();
    assert_eq!((mesh.triangles, mesh.normals), (square.to_vec(), None));

    let text = "ply\nformat ascii 1.0\ncomment x\nelement vertex 4\nproperty double x\nproperty double y\n\
                property double z\nproperty uchar red\nproperty list uchar int extra\nelement edge 1\n\
                property int vertex1\nproperty int vertex2\nelement face 1\nproperty float quality\n\
                property list uint8 int32 vertex_index\nend_header\n\
                0 0 0 255 0\n1 0 0 255 2 7 8\n1 1 0 255 1 3\n0 1 0 255 0\n0 1\n0.5 4 0 1 2 3\n";
    assert_eq!(ply::read::<f64>(text.as_bytes()).unwrap().triangles, square);

    let text = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n\
                property float nx\nproperty float ny\nproperty float nz\nend_header\n1 2 3 nan nan nan\n";
    let mesh = ply::read::<f32>(text.as_bytes()).unwrap();
    assert_eq!(mesh.normals, Some(vec![Vector3::zeros()]));

    let text = "COFF 4 1 0 # counts\n\n0 0 0 255 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3 0.5 0.5 0.5\n";
    assert_eq!(off::read::<f64>(text.as_bytes()).unwrap().triangles, square);

    let text = "solid a b\n FACET NORMAL 0 0 1\n  OUTER LOOP\n   VERTEX 0 0 0\n   vertex 1e0 0 0\n   vertex 0 +1.0E0 0\n  \
                endloop\n endfacet\nendsolid a b\n";
    assert_eq!(
        stl::read::<f32>(text.as_bytes()).unwrap().triangles,
        [[0, 1, 2]]
    );
    // A binary file whose head begins like a text.
    let mut bytes = Vec::new();
    stl::write(&raw_bunny(), stl::Encoding::Binary, &mut bytes).unwrap();
    bytes[..5].copy_from_slice(b"solid");
    assert_eq!(stl::read::<f32>(&bytes).unwrap().triangles.len(), 3674);
}

#[test]
fn errors_say_where() {
    let message = |name: &str, bytes: &[u8]| read::<f32>(name, bytes).unwrap_err().to_string();
    for (name, text, start) in [
        ("obj", "v 0 0 0\nv 1 0\n", "line 2: 2 numbers"),
        ("obj", "v 0 0 0\nv 1 0 x\n", "line 2: \"x\""),
        ("obj", "v 0 0 0\nv 1 0 1e99\n", "line 2: \"1e99\""),
        (
            "obj",
            "v 0 0 0\nf 1 1 2\nv 1 1 1\nf 1 2 3\n",
            "line 4: a face names",
        ),
        ("obj", "v 0 0 0\nf 1 1\n", "line 2: a face with 2"),
        ("obj", "v 0 0 0\nf 1 0 1\n", "line 2: \"0\""),
        ("obj", "hello\n", "line 1: \"hello\""),
        ("off", "OOF\n", "line 1: "),
        (
            "off",
            "OFF\n99999999 1 0\n0 0 0\n",
            "line 2: 99999999 vertices",
        ),
        ("off", "OFF\n1 1 0\n0 0 0\n3 0 0 1\n", "line 4: vertex 1"),
        (
            "off",
            "OFF\n2 0 0\n0 0 0\n\n     \n",
            "line 6: the file ends",
        ),
        (
            "stl",
            "solid\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\n",
            "line 5: the file ends",
        ),
        ("stl", "solid\nvertex 0 0 0\n", "line 2: "),
        ("stl", "solid\n", "line 2: "),
        ("stl", "nothing", "byte 7: "),
        ("ply", "plx\n", "line 1: "),
        (
            "ply",
            "ply\nformat ascii 1.0\nelement vertex x\n",
            "line 3: ",
        ),
        (
            "ply",
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n",
            "line 6: the element",
        ),
        (
            "ply",
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n0 0\n",
            "line 8: 1 elements",
        ),
        (
            "ply",
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n0 0 inf\n",
            "line 8: a vertex",
        ),
        (
            "ply",
            "ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nproperty float y\nproperty float z\nend_header\n0 0 0\n",
            "line 8: 99999999999 elements",
        ),
    ] {
        let found = message(name, text.as_bytes());
        assert!(found.starts_with(start), "{text:?}: {found}");
    }
    // Cut in half, every file whose format counts or closes is refused: text at a line, binary at a byte.
    for (name, bytes) in written(&raw_bunny()) {
        let found = read::<f32>(name, &bytes[..bytes.len() / 2]);
        match name {
            // Nothing in an OBJ file says how long it is; faces that name vertices further on are found.
            "obj" => {}
            "ply little" | "ply big" | "stl binary" => {
                assert!(matches!(found, Err(FileError::Byte { .. })), "{name}");
            }
            _ => assert!(matches!(found, Err(FileError::Line { .. })), "{name}"),
        }
    }
}
