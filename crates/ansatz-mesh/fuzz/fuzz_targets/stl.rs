//! Reads bytes as STL: what comes back must be sound.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mesh) = ansatz_mesh::io::stl::read::<f32>(bytes) {
        assert!(mesh.triangles.iter().flatten().all(|v| (*v as usize) < mesh.vertices.len()));
        assert!(mesh.vertices.iter().all(|p| p.iter().all(|x| x.is_finite())));
    }
});
