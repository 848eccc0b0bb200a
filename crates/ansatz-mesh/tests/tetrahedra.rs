//! Marching tetrahedra.

mod common;

use std::collections::BTreeSet;

use ansatz_mesh::measure::volume;
use ansatz_mesh::nalgebra::Point3;
use ansatz_mesh::{Grid, MarchingTetrahedra, MeshError, Normals};
use common::*;

#[test]
fn grids_have_the_known_counts() {
    for (n, v, t) in [(128, 127_910, 255_816), (256, 515_616, 1_031_228)] {
        let data = samples::<f32>(n, sphere_at);
        let mesh = MarchingTetrahedra::default()
            .extract(&Grid::new(unit_box(n), &data).expect("sound"), 0.0)
            .expect("sound");
        let s = shape_of(&mesh);
        s.assert_closed_manifold();
        assert_eq!((s.vertices, s.triangles, s.euler), (v, t, 2));
        assert!(volume(&mesh).expect("sound") > 0.0);
    }
    let data = samples::<f32>(128, gyroid_at);
    let grid = Grid::new(unit_box(128), &data).expect("sound");
    let s = shape_of(
        &MarchingTetrahedra::default()
            .extract(&grid, 0.0)
            .expect("sound"),
    );
    assert_eq!((s.vertices, s.triangles, s.euler), (450_754, 893_940, -52));
    assert_eq!((s.bad_edges, s.bad_vertices), (0, 0));
    for (seed, n, v, t, euler) in [
        (1, 8, 2206, 4564, -76),
        (2, 8, 2108, 4408, -96),
        (4, 8, 2202, 4560, -78),
        (5, 12, 6958, 14_576, -330),
    ] {
        let (shape, data) = hash_field::<f32>(seed, n);
        let mesh = MarchingTetrahedra::default()
            .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
            .expect("sound");
        let s = shape_of(&mesh);
        s.assert_closed_manifold();
        assert_eq!((s.vertices, s.triangles, s.euler), (v, t, euler));
    }
}

#[test]
fn normals_point_outward() {
    let data = samples::<f64>(33, sphere_at);
    let method = MarchingTetrahedra {
        normals: Normals::CentralDifferences,
    };
    let mesh = method
        .extract(&Grid::new(unit_box(33), &data).expect("sound"), 0.0)
        .expect("sound");
    for (p, n) in mesh
        .vertices
        .iter()
        .zip(mesh.normals.as_ref().expect("sound"))
    {
        assert!((p - Point3::from(CENTRE)).normalize().dot(n) > 0.999);
    }
}

/// The tetrahedra of a grid by number give the surface of the grid.
#[test]
fn tetrahedra_by_number_are_those_of_the_grid() {
    let (shape, data) = hash_field::<f64>(3, 6);
    let n = 8;
    let grid = MarchingTetrahedra::default()
        .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
        .expect("sound");
    let at = |s: usize| [s / (n * n), s / n % n, s % n];
    let points: Vec<Point3<f64>> = (0..data.len()).map(|s| shape.point(at(s)).into()).collect();
    let mut tets = Vec::new();
    for s in (0..data.len()).filter(|&s| at(s).iter().all(|x| x + 1 < n)) {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut corner = s;
            let mut tet = [s as u32; 4];
            for (m, axis) in order.into_iter().enumerate() {
                corner += [n * n, n, 1][axis];
                tet[m + 1] = corner as u32;
            }
            tets.push(tet);
        }
    }
    let mesh = MarchingTetrahedra::default()
        .extract_tetrahedra(&points, &data, &tets, 0.0)
        .expect("sound");
    let places = |mesh: &ansatz_mesh::Mesh<f64>| -> BTreeSet<[u64; 3]> {
        mesh.vertices
            .iter()
            .map(|p| [0, 1, 2].map(|a| (p[a] * 1e9).round() as u64))
            .collect()
    };
    assert_eq!(places(&mesh), places(&grid));
    let (a, b) = (shape_of(&mesh), shape_of(&grid));
    assert_eq!(a, b);
    assert!((volume(&mesh).expect("sound") - volume(&grid).expect("sound")).abs() < 1e-10);
}

#[test]
fn bad_input_is_named() {
    let points = [
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
    ]
    .map(Point3::from);
    let method = MarchingTetrahedra::default();
    let of = |values: &[f64], tets: &[[u32; 4]], iso| {
        method.extract_tetrahedra(&points, values, tets, iso)
    };
    let ones = [1.0, 1.0, 1.0, -1.0];
    assert_eq!(
        of(&ones, &[[0, 1, 2, 3]], 0.0)
            .expect("sound")
            .triangles
            .len(),
        1
    );
    assert!(of(&ones, &[[0, 1, 2, 3]], 5.0).expect("sound").is_empty());
    assert!(matches!(
        of(&ones, &[[0, 1, 2, 4]], 0.0),
        Err(MeshError::Index { vertex: 4, .. })
    ));
    assert!(matches!(
        of(&ones[1..], &[], 0.0),
        Err(MeshError::Count {
            expected: 4,
            found: 3,
            ..
        })
    ));
    assert!(matches!(
        of(&ones, &[], f64::NAN),
        Err(MeshError::NotFinite { .. })
    ));
    assert!(matches!(
        of(&[1.0, f64::NAN, 0.0, 0.0], &[], 0.0),
        Err(MeshError::Value { index: 1, .. })
    ));
}
