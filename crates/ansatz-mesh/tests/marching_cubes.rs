//! Marching cubes: counts, topology and accuracy against closed forms and counts of independent programs.

mod common;

use std::f64::consts::PI;

use ansatz_mesh::core::Scalar;
use ansatz_mesh::measure::volume;
use ansatz_mesh::{Ambiguity, Grid, GridShape, MarchingCubes, Mesh, MeshError, Normals, Workspace};
use common::*;

const MODES: [Ambiguity; 3] = [
    Ambiguity::Trilinear,
    Ambiguity::SeparateInside,
    Ambiguity::SeparateOutside,
];

fn with(ambiguity: Ambiguity) -> MarchingCubes {
    MarchingCubes {
        ambiguity,
        ..MarchingCubes::default()
    }
}

fn hash(seed: u64, n: usize, ambiguity: Ambiguity) -> Shape {
    let (shape, data) = hash_field::<f32>(seed, n);
    shape_of(
        &with(ambiguity)
            .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound"),
    )
}

#[test]
fn the_hash_field_is_the_published_one() {
    let (_, data) = hash_field::<f32>(1, 8);
    assert!((f64::from(data[111]) + 0.8165745735168457).abs() < 1e-16);
    assert!((f64::from(data[123]) - 0.8415923118591309).abs() < 1e-16);
}

#[test]
fn smooth_surfaces_have_the_known_counts() {
    for mode in MODES {
        for (n, v, t) in [(128, 42_746, 85_488), (256, 172_356, 344_708)] {
            let data = samples::<f32>(n, sphere_at);
            let mesh = with(mode)
                .extract(&Grid::new(unit_box(n), &data).expect("sound"), 0.0)
                .expect("sound");
            let s = shape_of(&mesh);
            assert_eq!(
                (s.vertices, s.triangles, s.euler, s.components),
                (v, t, 2, 1)
            );
            s.assert_closed_manifold();
        }
        for (n, v, t, rim) in [
            (128, 158_630, 312_748, 4_616),
            (256, 634_870, 1_260_564, 9_280),
        ] {
            let data = samples::<f32>(n, gyroid_at);
            let mesh = with(mode)
                .extract(&Grid::new(unit_box(n), &data).expect("sound"), 0.0)
                .expect("sound");
            let s = shape_of(&mesh);
            assert_eq!(
                (s.vertices, s.triangles, s.euler, s.components),
                (v, t, -52, 2)
            );
            assert_eq!((s.boundary, s.bad_edges, s.bad_vertices), (rim, 0, 0));
            assert!(s.oriented);
        }
    }
}

/// Noise has every case in it. Counts with inside corners cut off; the other mode is what scikit-image's `lorensen` does.
#[test]
fn noise_has_the_known_topology_by_one_rule_for_faces() {
    for (seed, n, euler, triangles, outside) in [
        (1, 8, -10, 1760, -56),
        (2, 8, 10, 1716, -44),
        (4, 8, -14, 1760, -46),
        (5, 12, -72, 5780, -188),
    ] {
        let s = hash(seed, n, Ambiguity::SeparateInside);
        s.assert_closed_manifold();
        assert_eq!((s.euler, s.triangles), (euler, triangles));
        let s = hash(seed, n, Ambiguity::SeparateOutside);
        s.assert_closed_manifold();
        assert_eq!(s.euler, outside);
    }
}

/// The trilinear interpolant's own Euler characteristic; scikit-image's `lewiner` has −68, −62, −64, −278.
#[test]
fn noise_has_the_exact_topology_of_the_interpolant() {
    for (seed, n, crossings, euler, components) in [
        (1, 8, 870, -60, 2),
        (2, 8, 868, -66, 4),
        (4, 8, 866, -70, 1),
        (5, 12, 2818, -274, 2),
    ] {
        let s = hash(seed, n, Ambiguity::Trilinear);
        s.assert_closed_manifold();
        assert_eq!(
            (s.euler, s.components),
            (euler, components),
            "hash_{seed}_{n}"
        );
        assert_eq!(hash(seed, n, Ambiguity::SeparateInside).vertices, crossings);
    }
}

/// On a sphere of radius R: h²/(8R) for vertices and 3h²/(8R) for points of triangles, both attained; order 2.
#[test]
fn a_sphere_is_as_far_away_as_it_must_be() {
    let mut last: Option<f64> = None;
    for n in [33, 65, 129] {
        let data = samples::<f64>(n, sphere_at);
        let mc = MarchingCubes {
            normals: Normals::CentralDifferences,
            ..MarchingCubes::default()
        };
        let mesh = mc
            .extract(&Grid::new(unit_box(n), &data).expect("sound"), 0.0)
            .expect("sound");
        let h = 2.0 / (n as f64 - 1.0);
        let off = |p: [f64; 3]| sphere_at(p).abs();
        let vertex = mesh
            .vertices
            .iter()
            .map(|p| off((*p).into()))
            .fold(0.0, f64::max);
        assert!(vertex <= 1.001 * h * h / (8.0 * 0.75) && vertex > 0.9 * h * h / (8.0 * 0.75));
        let centre = (0..mesh.triangles.len())
            .map(|t| {
                mesh.corners(t)
                    .map(|p| p.coords)
                    .iter()
                    .sum::<ansatz_mesh::nalgebra::Vector3<f64>>()
                    / 3.0
            })
            .map(|c| off(c.into()))
            .fold(0.0, f64::max);
        assert!(centre <= 3.0 * h * h / (8.0 * 0.75) * 1.001);
        let v = volume(&mesh).expect("sound");
        let exact = 4.0 / 3.0 * PI * 0.75_f64.powi(3);
        assert!(v > 0.0 && v < exact);
        if let Some(last) = last {
            assert!(((exact - v) / last - 0.25_f64).abs() < 0.01);
        }
        last = Some(exact - v);
        for (p, n) in mesh
            .vertices
            .iter()
            .zip(mesh.normals.as_ref().expect("sound"))
        {
            let exact = (p.coords - ansatz_mesh::nalgebra::Vector3::from(CENTRE)).normalize();
            assert!(
                exact.dot(n) > 1.0 - 2.0 * h * h * h,
                "{}",
                1.0 - exact.dot(n)
            );
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    let grids: Vec<(GridShape, Vec<f32>)> = vec![
        (unit_box(65), samples(65, gyroid_at)),
        hash_field(5, 30),
        hash_field(7, 61),
    ];
    for (shape, data) in &grids {
        for ambiguity in MODES {
            let mc = MarchingCubes {
                ambiguity,
                normals: Normals::CentralDifferences,
            };
            let grid = Grid::new(*shape, data).expect("sound");
            let one = on_all_threads(|| mc.extract(&grid, 0.0).expect("sound"));
            assert!(!one.is_empty());
        }
    }
}

#[test]
fn rows_that_fill_words_are_rows_like_others() {
    // 63, 64, 65 and 129 samples along z; a slanted plane crosses every edge of some rows.
    for n2 in [2, 3, 63, 64, 65, 128, 129] {
        let shape = GridShape::new([5, 4, n2], [0.0; 3], [1.0; 3]).expect("sound");
        let data =
            shape.sample(&|[x, y, z]: [f64; 3]| z - 0.45 * n2 as f64 + 0.3 * x - 0.2 * y + 0.01);
        let mesh = MarchingCubes::default()
            .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound");
        let s = shape_of(&mesh);
        assert_eq!(
            (s.euler, s.components, s.bad_edges),
            (1, 1, 0),
            "{n2}: {s:?}"
        );
        for p in &mesh.vertices {
            assert!((p.z - 0.45 * n2 as f64 + 0.3 * p.x - 0.2 * p.y + 0.01).abs() < 1e-12);
        }
    }
}

#[test]
fn samples_at_the_iso_value_are_outside() {
    let shape = GridShape::new([9; 3], [-4.0; 3], [1.0; 3]).expect("sound");
    let data = shape.sample(&|[x, y, z]: [f32; 3]| x.abs() + y.abs() + z.abs() - 3.0);
    for mode in MODES {
        let mesh = with(mode)
            .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound");
        let s = shape_of(&mesh);
        s.assert_closed_manifold();
        assert_eq!(s.euler, 2);
        let less: Vec<f32> = data
            .iter()
            .map(|x| if *x == 0.0 { -0.0 } else { *x })
            .collect();
        assert_eq!(
            with(mode)
                .extract(&Grid::new(shape, &less).expect("sound"), 0.0)
                .expect("sound"),
            mesh
        );
    }
}

#[test]
fn flat_gradients_get_normals_from_triangles() {
    // Values alternate along z, with any two of one sign apart by one: central differences vanish inside.
    let shape = GridShape::new([4, 4, 5], [0.0; 3], [1.0; 3]).expect("sound");
    let wavy: Vec<f64> = (0..80)
        .map(|s| if s % 5 % 2 == 1 { -1.0 } else { 1.0 })
        .collect();
    let mc = MarchingCubes {
        normals: Normals::CentralDifferences,
        ..MarchingCubes::default()
    };
    let mesh = mc
        .extract(&Grid::new(shape, &wavy).expect("sound"), 0.0)
        .expect("sound");
    for n in mesh.normals.expect("sound") {
        assert!((n.norm() - 1.0).abs() < 1e-12 && n.z.abs() > 0.99);
    }
}

#[test]
fn values_out_of_range_give_an_empty_mesh() {
    let data = samples::<f32>(9, sphere_at);
    let grid = Grid::new(unit_box(9), &data).expect("sound");
    for iso in [-10.0, 10.0] {
        assert!(
            MarchingCubes::default()
                .extract(&grid, iso)
                .expect("sound")
                .is_empty()
        );
    }
}

#[test]
fn bad_input_is_named() {
    let new = |dims, spacing| GridShape::new(dims, [0.0; 3], spacing);
    assert!(matches!(
        new([0, 4, 4], [1.0; 3]),
        Err(MeshError::TooSmall { dims: [0, 4, 4] })
    ));
    assert!(matches!(
        new([4, 4, 1], [1.0; 3]),
        Err(MeshError::TooSmall { .. })
    ));
    assert!(matches!(
        new([4; 3], [1.0, -1.0, 1.0]),
        Err(MeshError::Spacing { .. })
    ));
    assert!(matches!(
        new([4; 3], [1.0, f64::NAN, 1.0]),
        Err(MeshError::Spacing { .. })
    ));
    assert!(matches!(
        new([usize::MAX, 2, 2], [1.0; 3]),
        Err(MeshError::TooLarge { .. })
    ));
    let shape = new([4; 3], [1.0; 3]).expect("sound");
    let short = vec![0.0_f32; 63];
    assert!(matches!(
        Grid::new(shape, &short),
        Err(MeshError::Length {
            expected: 64,
            found: 63,
            ..
        })
    ));
    let mut data = samples::<f64>(40, sphere_at);
    let before = MarchingCubes::default()
        .extract(&Grid::new(unit_box(40), &data).expect("sound"), 0.0)
        .expect("sound");
    data[(37 * 40 + 20) * 40 + 3] = f64::INFINITY;
    data[(21 * 40 + 20) * 40 + 39] = f64::NAN;
    let grid = Grid::new(unit_box(40), &data).expect("sound");
    for threads in 1..4 {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("sound");
        let mut mesh: Mesh<f64> = before.clone();
        let got = pool.install(|| {
            MarchingCubes::default().extract_into(&grid, 0.0, &mut Workspace::default(), &mut mesh)
        });
        assert!(
            matches!(got, Err(MeshError::Sample { index: [21, 20, 39], value }) if value.is_nan())
        );
        assert_eq!(mesh, before);
    }
    assert!(matches!(
        MarchingCubes::default().extract(&grid, f64::NAN),
        Err(MeshError::NotFinite {
            what: "iso value",
            ..
        })
    ));
}

/// 10,000 random patterns of a cell among cells of noise: never a hole, never a shared edge.
#[test]
fn random_corners_give_manifolds() {
    for seed in 0..10_000 {
        let (shape, data) = hash_field::<f32>(1000 + seed, 2);
        let grid = Grid::new(shape, &data).expect("sound");
        for mode in MODES {
            shape_of(&with(mode).extract(&grid, 0.0).expect("sound")).assert_closed_manifold();
        }
    }
    // Ties of corner values, faces and saddles.
    for seed in 0..2_000 {
        let (shape, data) = hash_field::<f32>(20_000 + seed, 3);
        let data: Vec<f32> = data.iter().map(|x| (x * 2.0).round() / 2.0).collect();
        let grid = Grid::new(shape, &data).expect("sound");
        for mode in MODES {
            for iso in [0.0, 0.25] {
                shape_of(&with(mode).extract(&grid, iso).expect("sound")).assert_closed_manifold();
            }
        }
    }
}

#[test]
fn both_types_agree() {
    fn counts<T: Scalar>() -> Shape {
        let (shape, data) = hash_field::<T>(5, 12);
        let grid = Grid::new(shape, &data).expect("sound");
        shape_of(
            &MarchingCubes::default()
                .extract(&grid, T::zero())
                .expect("sound"),
        )
    }
    assert_eq!(counts::<f32>(), counts::<f64>());
}
