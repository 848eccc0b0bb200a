//! Dual methods: counts, topology, and exact features.

mod common;

use ansatz_mesh::core::{DifferentiableField, ScalarField};
use ansatz_mesh::{
    CellPolicy, DualContouring, DualMarchingCubes, DualVertices, Grid, GridShape, MeshError,
    Normals, Qef, QuadSplit, Roots, SurfaceNets, nalgebra,
};
use common::*;

fn nets(vertices: DualVertices) -> SurfaceNets {
    SurfaceNets {
        vertices,
        ..SurfaceNets::default()
    }
}

const KINDS: [DualVertices; 3] = [
    DualVertices::PerCell,
    DualVertices::PerLoop,
    DualVertices::Manifold,
];

#[test]
fn smooth_surfaces_have_the_known_counts() {
    for kind in KINDS {
        for (n, v, t) in [(128, 42_748, 85_492), (256, 172_358, 344_712)] {
            let data = samples::<f32>(n, sphere_at);
            let mesh = nets(kind)
                .extract(&Grid::new(unit_box(n), &data).expect("sound"), 0.0)
                .expect("sound");
            let s = shape_of(&mesh);
            assert_eq!(
                (s.vertices, s.triangles, s.euler, s.components),
                (v, t, 2, 1)
            );
            s.assert_closed_manifold();
        }
    }
    // A quad for each crossing that is not on the border of the grid, where marching cubes has its rim.
    for (n, v, inner) in [
        (128, 156_246, 158_630 - 4_616),
        (256, 630_151, 634_870 - 9_280),
    ] {
        let data = samples::<f32>(n, gyroid_at);
        let grid = Grid::new(unit_box(n), &data).expect("sound");
        let s = shape_of(
            &nets(DualVertices::PerCell)
                .extract(&grid, 0.0)
                .expect("sound"),
        );
        assert_eq!((s.vertices, s.triangles), (v, 2 * inner));
        let s = shape_of(
            &DualMarchingCubes::default()
                .extract(&grid, 0.0)
                .expect("sound"),
        );
        assert_eq!((s.euler, s.bad_edges, s.bad_vertices), (-52, 0, 0), "{s:?}");
    }
}

/// Counts of the quads of the official FlexiCubes tables, each split at its centre.
#[test]
fn noise_is_manifold_with_the_known_topology() {
    for (seed, n, v, t, euler, shared) in [
        (1, 8, 1734, 3480, -6, 2),
        (2, 8, 1754, 3472, 18, 4),
        (4, 8, 1730, 3464, -2, 6),
        (5, 12, 5602, 11_272, -34, 19),
    ] {
        let (shape, data) = hash_field::<f32>(seed, n);
        let grid = Grid::new(shape, &data).expect("sound");
        let of = |kind| {
            shape_of(
                &nets(kind)
                    .quads(&grid, 0.0)
                    .expect("sound")
                    .triangulate(QuadSplit::Centre),
            )
        };
        let s = of(DualVertices::Manifold);
        s.assert_closed_manifold();
        assert_eq!((s.vertices, s.triangles, s.euler), (v, t, euler));
        assert_eq!(of(DualVertices::PerLoop).bad_edges, shared);
        assert!(of(DualVertices::PerCell).bad_edges > shared);
    }
}

#[test]
fn random_corners_give_manifolds() {
    for seed in 0..10_000 {
        let (shape, data) = hash_field::<f32>(1000 + seed, 2);
        let quads = nets(DualVertices::Manifold)
            .quads(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound");
        shape_of(&quads.triangulate(QuadSplit::Centre)).assert_closed_manifold();
    }
}

#[test]
fn threads_do_not_change_bits() {
    let noise = hash_field::<f32>(5, 40);
    let smooth = (unit_box(65), samples::<f32>(65, gyroid_at));
    for (shape, data) in [noise, smooth] {
        let grid = Grid::new(shape, &data).expect("sound");
        for kind in KINDS {
            let method = SurfaceNets {
                relaxation: 2,
                normals: Normals::CentralDifferences,
                ..nets(kind)
            };
            let one = on_all_threads(|| method.extract(&grid, 0.0).expect("sound"));
            assert!(!one.is_empty());
        }
    }
}

/// Angles of marching cubes' triangles go down to nothing; those of surface nets do not.
#[test]
fn triangles_are_well_shaped() {
    let data = samples::<f64>(128, sphere_at);
    let mesh = SurfaceNets::default()
        .extract(&Grid::new(unit_box(128), &data).expect("sound"), 0.0)
        .expect("sound");
    let mut sum = 0.0;
    let mut farthest = 0.0_f64;
    for t in 0..mesh.triangles.len() {
        let p = mesh.corners(t);
        let angle = |m: usize| {
            let (u, v) = (p[(m + 1) % 3] - p[m], p[(m + 2) % 3] - p[m]);
            u.angle(&v).to_degrees()
        };
        let least = (0..3).map(angle).fold(180.0, f64::min);
        assert!(least > 10.0);
        sum += least;
        let centre = (p[0].coords + p[1].coords + p[2].coords) / 3.0;
        farthest = farthest.max(sphere_at(centre.into()).abs());
        farthest = p
            .iter()
            .map(|p| sphere_at((*p).into()).abs())
            .fold(farthest, f64::max);
    }
    let mean = sum / mesh.triangles.len() as f64;
    assert!((mean - 41.9).abs() < 0.1, "{mean}");
    assert!(farthest < 2.0e-4, "{farthest}");
}

#[test]
fn relaxation_smooths_within_cells() {
    // A ball of ones and minus ones: stairs.
    let shape = unit_box(32);
    let data = shape.sample(&|p: [f64; 3]| sphere_at(p).signum());
    let grid = Grid::new(shape, &data).expect("sound");
    let roughness = |relaxation| {
        let mesh = SurfaceNets {
            relaxation,
            ..SurfaceNets::default()
        }
        .extract(&grid, 0.0)
        .expect("sound");
        shape_of(&mesh).assert_closed_manifold();
        let off: Vec<f64> = mesh
            .vertices
            .iter()
            .map(|p| sphere_at((*p).into()))
            .collect();
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        (off.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / off.len() as f64).sqrt()
    };
    let rough = [0, 2, 5].map(roughness);
    assert!(
        rough[1] < 0.7 * rough[0] && rough[2] < 0.5 * rough[0],
        "{rough:?}"
    );
}

#[test]
fn bad_input_is_named() {
    let shape = GridShape::new([4; 3], [0.0; 3], [1.0; 3]).expect("sound");
    let mut data = vec![1.0_f32; 64];
    assert!(
        SurfaceNets::default()
            .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound")
            .is_empty()
    );
    data[63] = f32::NAN;
    assert!(matches!(
        SurfaceNets::default().extract(&Grid::new(shape, &data).expect("sound"), 0.0),
        Err(MeshError::Sample {
            index: [3, 3, 3],
            ..
        })
    ));
}

struct TurnedBox;

impl ScalarField<f64> for TurnedBox {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        values
            .iter_mut()
            .zip(points)
            .for_each(|(v, p)| *v = box_at(*p).0);
    }
}

impl DifferentiableField<f64> for TurnedBox {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        for ((v, g), p) in values.iter_mut().zip(gradients).zip(points) {
            (*v, *g) = box_at(*p);
        }
    }
}

/// Vertices of a box from exact planes lie on the box, corners and edges included.
#[test]
fn sharp_features_are_exact() {
    for (cells, active, quads, outside) in [(16, 306, 304, 0), (32, 1134, 1132, 10)] {
        for truncation in [0.1, 0.01, 0.001] {
            let method = DualContouring {
                qef: Qef {
                    truncation,
                    ..Qef::default()
                },
                roots: Roots {
                    steps: 100,
                    tolerance: 0.0,
                },
                ..DualContouring::default()
            };
            let shape = unit_box(cells + 1);
            let mesh = method.quads_field(&TurnedBox, shape, 0.0).expect("sound");
            assert_eq!((mesh.vertices.len(), mesh.quads.len()), (active, quads));
            let farthest = mesh
                .vertices
                .iter()
                .map(|p| box_at((*p).into()).0.abs())
                .fold(0.0, f64::max);
            assert!(farthest < 1e-12, "{farthest}");
            shape_of(&mesh.triangulate(method.split)).assert_closed_manifold();
            // Cells of the vertices are those of surface nets, in the same order.
            let data = shape.sample(&TurnedBox);
            let nets = SurfaceNets::default()
                .quads(&Grid::new(shape, &data).expect("sound"), 0.0)
                .expect("sound");
            let cell = |x: f64| ((x + 1.0) * cells as f64 / 2.0).floor();
            let left = mesh.vertices.iter().zip(&nets.vertices).filter(|(p, q)| {
                let h = 2.0 / cells as f64;
                (0..3).any(|a| {
                    let low = -1.0 + h * cell(q[a]);
                    p[a] < low - 1e-9 || p[a] > low + h + 1e-9
                })
            });
            assert_eq!(left.count(), outside);
        }
    }
}

#[test]
fn policies_keep_vertices_in_their_cells() {
    let shape = unit_box(33);
    for policy in [CellPolicy::Clamp, CellPolicy::Constrained] {
        let method = DualContouring {
            qef: Qef {
                policy,
                ..Qef::default()
            },
            ..DualContouring::default()
        };
        let mesh = method.quads_field(&TurnedBox, shape, 0.0).expect("sound");
        let data = shape.sample(&TurnedBox);
        let nets = SurfaceNets::default()
            .quads(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound");
        let h = 2.0 / 32.0;
        for (p, q) in mesh.vertices.iter().zip(&nets.vertices) {
            for a in 0..3 {
                let low = -1.0 + h * ((q[a] + 1.0) / h).floor();
                assert!(p[a] > low - 1e-9 && p[a] < low + h + 1e-9);
            }
        }
    }
}

#[test]
fn a_sphere_by_dual_contouring_is_near() {
    let data = samples::<f64>(33, sphere_at);
    let mesh = DualContouring::default()
        .extract(&Grid::new(unit_box(33), &data).expect("sound"), 0.0)
        .expect("sound");
    shape_of(&mesh).assert_closed_manifold();
    let mean: f64 = mesh
        .vertices
        .iter()
        .map(|p| sphere_at((*p).into()).powi(2))
        .sum::<f64>()
        / mesh.vertices.len() as f64;
    assert!(mean.sqrt() < 1e-3, "{}", mean.sqrt());
    for (p, n) in mesh
        .vertices
        .iter()
        .zip(mesh.normals.as_ref().expect("sound"))
    {
        assert!((p - nalgebra::Point3::from(CENTRE)).normalize().dot(n) > 0.99);
    }
}
