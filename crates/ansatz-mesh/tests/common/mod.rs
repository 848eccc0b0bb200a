//! Fields of the tests, and the topology of a mesh.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test takes what it needs"
)]

use std::f64::consts::TAU;

use ansatz_mesh::core::Scalar;
use ansatz_mesh::measure::Topology;
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{GridShape, Mesh};

pub const CENTRE: [f64; 3] = [0.03, -0.02, 0.01];

pub fn unit_box(n: usize) -> GridShape {
    GridShape::spanning([n; 3], [-1.0; 3], [1.0; 3]).expect("sound")
}

pub fn sphere_at(p: [f64; 3]) -> f64 {
    let d = [0, 1, 2].map(|a| p[a] - CENTRE[a]);
    (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt() - 0.75
}

pub fn gyroid_at([x, y, z]: [f64; 3]) -> f64 {
    let (x, y, z) = (TAU * (x + 0.013), TAU * (y + 0.026), TAU * (z + 0.039));
    x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos()
}

/// Samples computed in f64 and rounded.
pub fn samples<T: Scalar>(n: usize, field: impl Fn([f64; 3]) -> f64 + Sync) -> Vec<T> {
    unit_box(n)
        .sample::<f64>(&field)
        .into_iter()
        .map(T::of)
        .collect()
}

fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// Uniform numbers of 24 bits in [0, 1).
pub fn uniform(stream: u64, index: u64) -> f64 {
    (splitmix((stream << 32).wrapping_add(index)) >> 40) as f64 / f64::from(1 << 24)
}

/// Noise in a box of ones: a grid on which every case of marching cubes occurs.
pub fn hash_field<T: Scalar>(seed: u64, n: usize) -> (GridShape, Vec<T>) {
    let shape = GridShape::new([n + 2; 3], [0.0; 3], [1.0; 3]).expect("sound");
    let mut data = vec![T::one(); shape.samples()];
    for (at, value) in data.iter_mut().enumerate() {
        let [i, j, k] = [
            at / ((n + 2) * (n + 2)),
            at / (n + 2) % (n + 2),
            at % (n + 2),
        ];
        if [i, j, k].iter().all(|&x| x >= 1 && x <= n) {
            let index = (i << 20) + (j << 10) + k;
            *value = T::of(2.0 * uniform(seed, index as u64) - 1.0);
        }
    }
    (shape, data)
}

/// What the triangles of a mesh say about its surface, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub vertices: usize,
    pub triangles: usize,
    pub euler: i64,
    pub components: usize,
    pub boundary: usize,
    pub bad_edges: usize,
    pub bad_vertices: usize,
    pub oriented: bool,
}

pub fn shape_of<T: Scalar>(mesh: &Mesh<T>) -> Shape {
    let t = Topology::of(mesh).expect("sound");
    Shape {
        vertices: mesh.vertices.len(),
        triangles: mesh.triangles.len(),
        euler: t.euler(),
        components: t.components.len(),
        boundary: t.boundary_edges,
        bad_edges: t.non_manifold_edges,
        bad_vertices: t.non_manifold_vertices,
        oriented: t.inconsistent_edges == 0,
    }
}

impl Shape {
    /// Closed, manifold and oriented.
    #[track_caller]
    pub fn assert_closed_manifold(&self) {
        assert_eq!(
            (self.boundary, self.bad_edges, self.bad_vertices),
            (0, 0, 0),
            "{self:?}"
        );
        assert!(self.oriented, "{self:?}");
    }
}

/// Half sizes of the box.
pub const BOX: [f64; 3] = [0.5, 0.4, 0.3];

/// Distance from a box the usual centre, turned about z by the angle of (0.8, 0.6), and its gradient.
pub fn box_at(p: [f64; 3]) -> (f64, [f64; 3]) {
    let d = [0, 1, 2].map(|a| p[a] - CENTRE[a]);
    let local = [0.8 * d[0] + 0.6 * d[1], -0.6 * d[0] + 0.8 * d[1], d[2]];
    let over = [0, 1, 2].map(|a| f64::abs(local[a]) - BOX[a]);
    let (mut g, value);
    if over.iter().all(|x| *x <= 0.0) {
        let a = (0..3)
            .max_by(|a, b| over[*a].total_cmp(&over[*b]))
            .expect("sound");
        g = [0.0; 3];
        g[a] = local[a].signum();
        value = over[a];
    } else {
        let out = over.map(|x| x.max(0.0));
        value = out.iter().map(|x| x * x).sum::<f64>().sqrt();
        g = [0, 1, 2].map(|a| out[a] / value * local[a].signum());
    }
    (
        value,
        [0.8 * g[0] - 0.6 * g[1], 0.6 * g[0] + 0.8 * g[1], g[2]],
    )
}

/// The bunny as the package has it.
pub fn raw_bunny() -> Mesh<f32> {
    ansatz_mesh::io::ply::read(include_bytes!("../../data/bunny.ply")).expect("sound")
}

/// The bunny with the centre of its bounding box at 0 and a longest extent of 1.6.
pub fn bunny() -> Mesh<f64> {
    let raw = raw_bunny();
    let points: Vec<Vector3<f64>> = raw.vertices.iter().map(|p| p.coords.cast()).collect();
    let low = points.iter().fold(points[0], |l, p| l.inf(p));
    let high = points.iter().fold(points[0], |h, p| h.sup(p));
    let (centre, scale) = ((low + high) / 2.0, 1.6 / (high - low).max());
    let place = |p: &Vector3<f64>| Point3::from((p - centre) * scale);
    Mesh::new(points.iter().map(place).collect(), raw.triangles).expect("sound")
}

/// What `run` gives has the same bits on one, two and three threads.
#[track_caller]
pub fn on_all_threads<R: PartialEq + Send>(run: impl Fn() -> R + Sync) -> R {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("sound");
        pool.install(&run)
    };
    let one = on(1);
    assert!(on(2) == one && on(3) == one);
    one
}
