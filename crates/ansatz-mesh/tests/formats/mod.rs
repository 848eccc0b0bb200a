//! Every format of meshes that is read and written.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by tests, where a failed step fails the test"
)]

use ansatz_mesh::Mesh;
use ansatz_mesh::core::Scalar;
use ansatz_mesh::io::{FileError, obj, off, ply, stl};

/// Every writer of a mesh with a reader.
pub fn written<T: Scalar>(mesh: &Mesh<T>) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |name, write: &dyn Fn(&mut Vec<u8>) -> Result<(), FileError>| {
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        all.push((name, bytes));
    };
    add("obj", &|out| obj::write(mesh, out));
    add("ply ascii", &|out| {
        ply::write(mesh, ply::Encoding::Ascii, out)
    });
    add("ply little", &|out| {
        ply::write(mesh, ply::Encoding::LittleEndian, out)
    });
    add("ply big", &|out| {
        ply::write(mesh, ply::Encoding::BigEndian, out)
    });
    add("off", &|out| off::write(mesh, out));
    add("stl binary", &|out| {
        stl::write(mesh, stl::Encoding::Binary, out)
    });
    add("stl ascii", &|out| {
        stl::write(mesh, stl::Encoding::Ascii, out)
    });
    all
}

pub fn read<T: Scalar>(name: &str, bytes: &[u8]) -> Result<Mesh<T>, FileError> {
    match &name[..3] {
        "obj" => obj::read(bytes),
        "ply" => ply::read(bytes),
        "off" => off::read(bytes),
        _ => stl::read(bytes),
    }
}
