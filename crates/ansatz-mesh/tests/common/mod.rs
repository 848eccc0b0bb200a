//! What several tests need.
#![allow(dead_code, reason = "each test uses some of it")]

use ansatz_mesh::Mesh;
use ansatz_mesh::nalgebra::{Point3, Vector3};

/// The bunny as the package has it.
pub fn raw_bunny() -> Mesh<f32> {
    ansatz_mesh::io::ply::read(include_bytes!("../../data/bunny.ply")).expect("a file of our own")
}

/// The bunny with the centre of its bounding box at 0 and a longest extent of 1.6.
pub fn bunny() -> Mesh<f64> {
    let raw = raw_bunny();
    let points: Vec<Vector3<f64>> = raw.vertices.iter().map(|p| p.coords.cast()).collect();
    let low = points.iter().fold(points[0], |l, p| l.inf(p));
    let high = points.iter().fold(points[0], |h, p| h.sup(p));
    let (centre, scale) = ((low + high) / 2.0, 1.6 / (high - low).max());
    let vertices = points
        .iter()
        .map(|p| Point3::from((p - centre) * scale))
        .collect();
    Mesh::new(vertices, raw.triangles).expect("sound")
}

/// splitmix64 (S. Vigna), the portable random numbers of reference programs.
pub fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// The value number `i` of stream `s`, in [0, 1).
pub fn uniform(s: u64, i: u64) -> f64 {
    (splitmix64((s << 32) + i) >> 40) as f64 / f64::from(1 << 24)
}
