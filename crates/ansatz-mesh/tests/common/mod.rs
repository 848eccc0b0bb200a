//! Fields of the tests, and the topology of a mesh.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::HashMap;
use std::f64::consts::TAU;

use ansatz_mesh::core::Scalar;
use ansatz_mesh::{GridShape, Mesh};

pub const CENTRE: [f64; 3] = [0.03, -0.02, 0.01];

pub fn unit_box(n: usize) -> GridShape {
    GridShape::spanning([n; 3], [-1.0; 3], [1.0; 3]).unwrap()
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
    unit_box(n).sample::<f64>(&field).into_iter().map(T::of).collect()
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
    let shape = GridShape::new([n + 2; 3], [0.0; 3], [1.0; 3]).unwrap();
    let mut data = vec![T::one(); shape.samples()];
    for (at, value) in data.iter_mut().enumerate() {
        let [i, j, k] = [at / ((n + 2) * (n + 2)), at / (n + 2) % (n + 2), at % (n + 2)];
        if [i, j, k].iter().all(|&x| x >= 1 && x <= n) {
            let index = (i << 20) + (j << 10) + k;
            *value = T::of(2.0 * uniform(seed, index as u64) - 1.0);
        }
    }
    (shape, data)
}

/// What the triangles of a mesh say about its surface.
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
    shape_of_faces(mesh.vertices.len(), &mesh.triangles)
}

pub fn shape_of_faces(vertices: usize, triangles: &[[u32; 3]]) -> Shape {
    let mut edges: HashMap<[u32; 2], [i32; 2]> = HashMap::new();
    let mut root: Vec<u32> = (0..vertices as u32).collect();
    fn find(root: &mut [u32], mut v: u32) -> u32 {
        while root[v as usize] != v {
            root[v as usize] = root[root[v as usize] as usize];
            v = root[v as usize];
        }
        v
    }
    let mut fans: Vec<Vec<[u32; 2]>> = vec![Vec::new(); vertices];
    for t in triangles {
        for m in 0..3 {
            let (a, b, c) = (t[m], t[(m + 1) % 3], t[(m + 2) % 3]);
            let count = edges.entry([a.min(b), a.max(b)]).or_default();
            count[0] += 1;
            count[1] += if a < b { 1 } else { -1 };
            let (ra, rb) = (find(&mut root, a), find(&mut root, b));
            root[ra as usize] = rb;
            fans[a as usize].push([b, c]);
        }
    }
    // The link of a manifold vertex is one cycle or one path.
    let bad_vertices = fans
        .iter()
        .filter(|fan| {
            let Some(&[first, _]) = fan.first() else { return false };
            let next: HashMap<u32, u32> = fan.iter().map(|&[b, c]| (b, c)).collect();
            let targets: std::collections::HashSet<u32> = fan.iter().map(|&[_, c]| c).collect();
            let start = fan.iter().map(|f| f[0]).find(|b| !targets.contains(b)).unwrap_or(first);
            let (mut at, mut steps) = (start, 0);
            while let Some(&to) = next.get(&at) {
                (at, steps) = (to, steps + 1);
                if at == start || steps > fan.len() {
                    break;
                }
            }
            steps != fan.len() || next.len() != fan.len()
        })
        .count();
    let components = (0..vertices as u32)
        .filter(|&v| !fans[v as usize].is_empty() && find(&mut root, v) == v)
        .count();
    let used = fans.iter().filter(|f| !f.is_empty()).count();
    Shape {
        vertices,
        triangles: triangles.len(),
        euler: used as i64 - edges.len() as i64 + triangles.len() as i64,
        components,
        boundary: edges.values().filter(|c| c[0] == 1).count(),
        bad_edges: edges.values().filter(|c| c[0] > 2).count(),
        bad_vertices,
        oriented: edges.values().all(|c| c[0] != 2 || c[1] == 0),
    }
}

impl Shape {
    /// Closed, manifold and oriented.
    #[track_caller]
    pub fn assert_closed_manifold(&self) {
        assert_eq!((self.boundary, self.bad_edges, self.bad_vertices), (0, 0, 0), "{self:?}");
        assert!(self.oriented, "{self:?}");
    }
}

/// Signed volume of a closed mesh.
pub fn volume<T: Scalar>(mesh: &Mesh<T>) -> f64 {
    (0..mesh.triangles.len())
        .map(|t| {
            let [a, b, c] = mesh.corners(t).map(|p| p.coords.map(Scalar::f64));
            a.dot(&b.cross(&c)) / 6.0
        })
        .sum()
}
