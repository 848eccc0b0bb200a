//! What runs in parallel has the same bits on any number of threads.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use ansatz_mesh::measure::self_intersections;
use ansatz_mesh::{
    Compare, GridDistance, Mesh, Pattern, Sign, SignedDistance, SurfaceSampler, nalgebra,
};
use common::*;

#[test]
fn one_two_and_three_threads_agree() {
    let mesh = bunny();
    let mut both = mesh.clone();
    let offset = both.vertices.len() as u32;
    let shift = nalgebra::Vector3::new(0.2, 0.1, 0.3);
    both.vertices
        .extend(mesh.vertices.iter().map(|p| p + shift));
    both.triangles
        .extend(mesh.triangles.iter().map(|t| t.map(|v| v + offset)));
    let moved = Mesh::new(
        both.vertices[offset as usize..].to_vec(),
        mesh.triangles.clone(),
    )
    .unwrap();
    let everything = || {
        let samples: Vec<_> = [Pattern::Uniform, Pattern::Stratified, Pattern::PoissonDisc]
            .map(|pattern| SurfaceSampler {
                count: 2000,
                pattern,
                ..SurfaceSampler::default()
            })
            .iter()
            .map(|s| s.sample(&mesh).unwrap())
            .collect();
        let compare = Compare {
            samples: 5000,
            ..Compare::default()
        };
        let grid: Vec<Vec<f64>> = [Sign::PseudoNormal, Sign::Winding]
            .map(|sign| {
                let distance = SignedDistance::new(&mesh, sign).unwrap();
                GridDistance::default().sample(&distance, unit_box(24))
            })
            .to_vec();
        let pairs = self_intersections(&both).unwrap();
        assert!(pairs.len() > 50);
        (samples, compare.meshes(&mesh, &moved).unwrap(), grid, pairs)
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(everything)
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(3));
}
