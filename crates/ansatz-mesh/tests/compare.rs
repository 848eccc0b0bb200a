//! Distances between surfaces, samples of surfaces, and pairs of triangles that intersect.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a failed step fails the test; exact results are exact"
)]

mod common;

use ansatz_mesh::core::Key;
use ansatz_mesh::measure::{self, self_intersections};
use ansatz_mesh::nalgebra::{Point3, Rotation3, Vector3};
use ansatz_mesh::{
    Compare, Comparison, Distance, Grid, MarchingCubes, Mesh, MeshError, Pattern, Sign,
    SignedDistance, SurfaceNets, SurfaceSampler,
};
use common::*;

fn square(z: f64) -> Mesh<f64> {
    let p = |x, y| Point3::new(x, y, z);
    let corners = vec![p(0.0, 0.0), p(1.0, 0.0), p(1.0, 1.0), p(0.0, 1.0)];
    Mesh::new(corners, vec![[0, 1, 2], [0, 2, 3]]).unwrap()
}

#[test]
fn parallel_squares() {
    let delta = 0.125;
    let compare = Compare {
        samples: 2000,
        thresholds: vec![0.1, 0.13],
        ..Compare::default()
    };
    let found = compare.meshes(&square(0.0), &square(delta)).unwrap();
    for x in [
        found.accuracy,
        found.completeness,
        found.chamfer_l1,
        found.hausdorff,
    ] {
        assert!((x - delta).abs() < 1e-15);
    }
    assert!((found.chamfer_l2 - delta * delta).abs() < 1e-15);
    assert!((found.normal_consistency.unwrap() - 1.0).abs() < 1e-15);
    assert_eq!(
        found.f_scores.iter().map(|f| f.f).collect::<Vec<_>>(),
        [0.0, 1.0]
    );
    // Between samples: never less, and more by less than their spacing.
    let points = Compare {
        distance: Distance::PointPoint,
        ..compare
    };
    let found = points.meshes(&square(0.0), &square(delta)).unwrap();
    assert!(found.accuracy > delta && found.accuracy < delta + 0.01);
}

/// A small square over a large one: from A all is at distance δ, from B the integral is known.
#[test]
fn directions_are_not_mixed_up() {
    let mut large = square(0.0);
    large
        .vertices
        .iter_mut()
        .for_each(|p| *p = Point3::new(3.0 * p.x - 1.0, 3.0 * p.y - 1.0, 0.0));
    let compare = Compare {
        samples: 50_000,
        thresholds: vec![0.2],
        ..Compare::default()
    };
    let found = compare.meshes(&square(0.1), &large).unwrap();
    assert!((found.accuracy - 0.1).abs() < 1e-12);
    assert!(found.completeness > 0.5);
    assert!((found.hausdorff - 2.01_f64.sqrt()).abs() < 0.02);
    let f = found.f_scores[0];
    // Points of B within 0.2: the square, and a rim of width √0.03.
    let rim = 0.03_f64.sqrt();
    let share = (1.0 + 4.0 * rim + std::f64::consts::PI * rim * rim) / 9.0;
    assert_eq!(f.precision, 1.0);
    assert!((f.recall - share).abs() < 0.01);
    assert!((f.f - 2.0 * f.recall / (1.0 + f.recall)).abs() < 1e-15);
}

#[test]
fn a_sphere_turned_is_the_same_sphere() {
    let data = samples::<f32>(64, |p| sphere_at([0, 1, 2].map(|a| p[a] + CENTRE[a])));
    let mesh = MarchingCubes::default()
        .extract(&Grid::new(unit_box(64), &data).unwrap(), 0.0)
        .unwrap();
    let turn = Rotation3::from_axis_angle(&Vector3::<f32>::y_axis(), 0.7);
    let mut turned = mesh.clone();
    turned.vertices.iter_mut().for_each(|p| *p = turn * *p);
    let found = Compare::default().meshes(&mesh, &turned).unwrap();
    assert!(found.hausdorff < 1e-3, "{found:?}");
    assert!(found.normal_consistency.unwrap() > 0.999);
}

#[test]
fn point_sets() {
    let at = |x: f64| Point3::new(x, 0.0, 0.0);
    let (a, b) = ([at(0.0), at(1.0)], [at(0.0), at(0.5), at(1.0)]);
    let found = Compare::default()
        .points((&a[..], None), (&b[..], None))
        .unwrap();
    assert_eq!((found.accuracy, found.completeness), (0.0, 0.5 / 3.0));
    assert_eq!(
        (found.chamfer_l2, found.normal_consistency),
        (0.25 / 6.0, None)
    );
    let normals = [Vector3::<f64>::x(); 3];
    assert!(matches!(
        Compare::default().points((&a[..], Some(&normals[..])), (&b[..], None)),
        Err(MeshError::Normals {
            found: 3,
            vertices: 2
        })
    ));
    assert!(matches!(
        Compare::default().points::<f64, f64>((&a[..], None), (&[], None)),
        Err(MeshError::Empty)
    ));
}

/// Surfaces of the bunny's distance grid against the bunny: numbers of independent programs, within 5 % (30 % for the
/// largest distance, which one sample decides).
#[test]
fn bunny_from_its_distances() {
    let truth = bunny();
    let distance = SignedDistance::new(&truth, Sign::PseudoNormal).unwrap();
    let compare = |mesh: &Mesh<f32>, n: usize| -> Comparison {
        let h = 2.0 / (n as f64 - 1.0);
        let compare = Compare {
            samples: 40_000,
            thresholds: vec![h / 4.0],
            ..Compare::default()
        };
        compare.meshes(mesh, &truth).unwrap()
    };
    let close = |found: f64, known: f64, share: f64| {
        assert!((found / known - 1.0).abs() < share, "{found} for {known}");
    };
    for n in [64, 128] {
        let shape = unit_box(n);
        let data: Vec<f32> = shape
            .sample::<f64>(&distance)
            .into_iter()
            .map(|x| x as f32)
            .collect();
        let grid = Grid::new(shape, &data).unwrap();
        let mesh = MarchingCubes::default().extract(&grid, 0.0).unwrap();
        let found = compare(&mesh, n);
        println!("{n}: {found:?}");
        if n == 64 {
            close(found.chamfer_l1, 8.55e-4, 0.05);
            close(found.normal_consistency.unwrap(), 0.9858, 0.01);
        } else {
            close(found.chamfer_l1, 2.47e-4, 0.05);
            // One sample decides: the middle of several draws.
            let mut largest: Vec<f64> = (0..7)
                .map(|seed| {
                    let key = Key::new(seed);
                    let compare = Compare {
                        samples: 40_000,
                        key,
                        ..Compare::default()
                    };
                    compare.meshes(&mesh, &truth).unwrap().hausdorff
                })
                .collect();
            largest.sort_by(f64::total_cmp);
            println!("Hausdorff {largest:?}");
            close(largest[3], 1.0e-2, 0.3);
            close(found.normal_consistency.unwrap(), 0.9928, 0.01);
            close(found.f_scores[0].f, 0.9983, 0.001);
            let nets = compare(&SurfaceNets::default().extract(&grid, 0.0).unwrap(), n);
            println!("{n}: {nets:?}");
            close(nets.chamfer_l1, 4.13e-4, 0.05);
            close(nets.normal_consistency.unwrap(), 0.9924, 0.01);
        }
    }
}

/// Counts of a right triangle's halves, a χ² of cells, and exact strips.
#[test]
fn samples_are_uniform_by_area() {
    let mesh = bunny();
    let total = measure::area(&mesh).unwrap();
    let n = 200_000;
    for pattern in [Pattern::Uniform, Pattern::Stratified] {
        let sampler = SurfaceSampler {
            count: n,
            pattern,
            key: Key::new(3),
        };
        let found = sampler.sample(&mesh).unwrap();
        let mut counts = vec![0.0; mesh.triangles.len()];
        found.faces.iter().for_each(|f| counts[*f as usize] += 1.0);
        let mut chi2 = 0.0;
        for (f, count) in counts.iter().enumerate() {
            let [a, b, c] = mesh.corners(f);
            let expected = (b - a).cross(&(c - a)).norm() / 2.0 / total * n as f64;
            chi2 += (count - expected) * (count - expected) / expected;
            if pattern == Pattern::Stratified {
                assert!((count - expected).abs() < 2.0);
            }
        }
        let cells = mesh.triangles.len() as f64 - 1.0;
        if pattern == Pattern::Uniform {
            assert!(
                (chi2 - cells).abs() < 5.0 * (2.0 * cells).sqrt(),
                "{chi2} of {cells}"
            );
        } else {
            assert!(chi2 < cells / 5.0);
        }
        for (i, p) in found.points.iter().enumerate().step_by(997) {
            let corners = mesh.corners(found.faces[i] as usize);
            let w = found.barycentric[i];
            assert!(w.iter().all(|w| *w >= 0.0) && (w.iter().sum::<f64>() - 1.0).abs() < 1e-15);
            let q: Vector3<f64> = (0..3).map(|k| corners[k].coords * w[k]).sum();
            assert!((q - Vector3::from(*p)).norm() < 1e-15);
        }
        // The moments of a triangle: the mean of each barycentric coordinate is 1/3, of its square 1/6.
        for k in 0..3 {
            let mean = |f: &dyn Fn(f64) -> f64| {
                found.barycentric.iter().map(|w| f(w[k])).sum::<f64>() / n as f64
            };
            assert!((mean(&|w| w) - 1.0 / 3.0).abs() < 0.003);
            assert!((mean(&|w| w * w) - 1.0 / 6.0).abs() < 0.003);
        }
        assert_eq!(found, sampler.sample(&mesh).unwrap());
    }
}

#[test]
fn poisson_discs_keep_apart() {
    let nearest = |pattern| {
        let sampler = SurfaceSampler {
            count: 1000,
            pattern,
            key: Key::new(1),
        };
        let found = sampler.sample(&square(0.0)).unwrap().points;
        let least = |i: usize| {
            let d = |j: usize| (Vector3::from(found[i]) - Vector3::from(found[j])).norm();
            (0..found.len())
                .filter(|j| *j != i)
                .map(d)
                .fold(f64::INFINITY, f64::min)
        };
        assert_eq!(found.len(), 1000);
        (0..found.len()).map(least).fold(f64::INFINITY, f64::min)
    };
    // The largest radius that 1000 discs may have, twice; the paper reaches 0.7 of it and more.
    let reach = 2.0 * (1.0 / (2.0 * 3_f64.sqrt() * 1000.0)).sqrt();
    let (discs, uniform) = (nearest(Pattern::PoissonDisc), nearest(Pattern::Uniform));
    println!("{} and {} of {reach}", discs / reach, uniform / reach);
    assert!(discs > 0.6 * reach);
    assert!(uniform < 0.2 * reach);
}

#[test]
fn nothing_to_sample() {
    let flat = Mesh::new(vec![Point3::new(0.0, 0.0, 0.0); 3], vec![[0, 1, 2]]).unwrap();
    assert_eq!(
        SurfaceSampler::default().sample(&flat),
        Err(MeshError::Empty)
    );
    assert_eq!(
        SurfaceSampler::default().sample(&Mesh::<f32>::default()),
        Err(MeshError::Empty)
    );
    assert_eq!(
        Compare::default().meshes(&flat, &square(0.0)),
        Err(MeshError::Empty)
    );
    let none = Compare {
        samples: 0,
        ..Compare::default()
    };
    assert_eq!(
        none.meshes(&square(0.0), &square(0.0)),
        Err(MeshError::Empty)
    );
    let threshold = Compare {
        thresholds: vec![f64::NAN],
        ..Compare::default()
    };
    assert!(matches!(
        threshold.meshes(&square(0.0), &square(0.0)),
        Err(MeshError::NotFinite { .. })
    ));
}

fn pair(a: [[f64; 3]; 3], b: [[f64; 3]; 3]) -> bool {
    // Both orders and a turn of the corners say the same.
    let of = |a: [[f64; 3]; 3], b: [[f64; 3]; 3]| {
        let points = a.iter().chain(&b).map(|p| Point3::from(*p)).collect();
        let mesh = Mesh::new(points, vec![[0, 1, 2], [3, 4, 5]]).unwrap();
        !self_intersections(&mesh).unwrap().is_empty()
    };
    let found = of(a, b);
    assert_eq!(found, of(b, a));
    assert_eq!(found, of([a[1], a[2], a[0]], [b[2], b[1], b[0]]));
    found
}

#[test]
fn pairs_of_triangles() {
    let a = [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]];
    // Through the inside, beside it, touching from above, just not touching.
    assert!(pair(
        a,
        [[1.0, 1.0, -1.0], [1.0, 1.0, 1.0], [3.0, 3.0, 1.0]]
    ));
    assert!(!pair(
        a,
        [[3.0, 3.0, -1.0], [3.0, 3.0, 1.0], [5.0, 5.0, 1.0]]
    ));
    assert!(pair(a, [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [3.0, 3.0, 1.0]]));
    assert!(!pair(
        a,
        [[1.0, 1.0, 1e-300], [1.0, 1.0, 1.0], [3.0, 3.0, 1.0]]
    ));
    // In one plane: overlapping, one inside the other, apart.
    assert!(pair(a, [[1.0, 1.0, 0.0], [5.0, 1.0, 0.0], [1.0, 5.0, 0.0]]));
    assert!(pair(a, [[1.0, 1.0, 0.0], [1.5, 1.0, 0.0], [1.0, 1.5, 0.0]]));
    assert!(!pair(
        a,
        [[3.0, 3.0, 0.0], [4.0, 3.0, 0.0], [3.0, 4.0, 0.0]]
    ));
    // A star of two: no corner of either is inside the other.
    assert!(pair(
        [[0.0, 0.0, 0.0], [6.0, 0.0, 0.0], [3.0, 5.0, 0.0]],
        [[0.0, 3.0, 0.0], [6.0, 3.0, 0.0], [3.0, -2.0, 0.0]]
    ));
    // One corner shared: folded away, and through.
    assert!(!pair(
        a,
        [[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, -1.0, 1.0]]
    ));
    assert!(pair(
        a,
        [[0.0, 0.0, 0.0], [1.0, 1.0, -1.0], [1.0, 1.0, 1.0]]
    ));
    // An edge shared: a crease, a flat pair, a fold onto itself, a duplicate.
    assert!(!pair(
        a,
        [[4.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    ));
    assert!(!pair(
        a,
        [[4.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, -1.0, 0.0]]
    ));
    assert!(pair(a, [[4.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]));
    assert!(pair(a, a));
}

/// Two spheres that overlap meet along a circle; either alone is clean.
#[test]
fn spheres_that_overlap() {
    let data = samples::<f32>(33, |p| sphere_at([p[0] * 1.3, p[1] * 1.3, p[2] * 1.3]));
    let mesh = MarchingCubes::default()
        .extract(&Grid::new(unit_box(33), &data).unwrap(), 0.0)
        .unwrap();
    assert!(self_intersections(&mesh).unwrap().is_empty());
    let mut both = mesh.clone();
    let shift = Vector3::new(0.31, 0.22, 0.13);
    let offset = both.vertices.len() as u32;
    both.vertices
        .extend(mesh.vertices.iter().map(|p| p + shift));
    both.triangles
        .extend(mesh.triangles.iter().map(|t| t.map(|v| v + offset)));
    let pairs = self_intersections(&both).unwrap();
    // Every pair joins the two, and lies near the plane between them.
    let faces = mesh.triangles.len() as u32;
    assert!(pairs.len() > 100);
    for [i, j] in pairs {
        assert!(i < faces && j >= faces);
        let middle = both.corners(i as usize)[0].coords
            - Vector3::from(CENTRE.map(|c| c as f32 / 1.3))
            - shift / 2.0;
        assert!(middle.dot(&shift).abs() / shift.norm() < 0.1);
    }
}
