//! Welding, normals, smoothing and decimation against closed forms and numbers of other programs.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a failed step fails the test; exact results are exact"
)]

mod common;

use std::f64::consts::{FRAC_PI_2, PI};

use ansatz_mesh::clean::{
    Border, Decimate, Filter, Smooth, Target, VertexNormals, Weighting, Weld,
};
use ansatz_mesh::measure::{self, Topology};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{Ambiguity, Compare, Grid, MarchingCubes, Mesh, MeshError};
use common::*;

fn sphere(n: usize) -> Mesh<f32> {
    let data = samples::<f32>(n, sphere_at);
    let cubes = MarchingCubes {
        ambiguity: Ambiguity::SeparateInside,
        ..MarchingCubes::default()
    };
    let grid = Grid::new(unit_box(n), &data).unwrap();
    cubes.extract(&grid, 0.0).unwrap()
}

fn cube() -> Mesh<f64> {
    let corner = |i: u32| Point3::new(i & 1, i >> 1 & 1, i >> 2).map(f64::from);
    let faces = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let triangles = faces
        .iter()
        .flat_map(|q| [[q[0], q[1], q[2]], [q[0], q[2], q[3]]]);
    Mesh::new((0..8).map(corner).collect(), triangles.collect()).unwrap()
}

fn soup<T: ansatz_mesh::core::Scalar>(mesh: &Mesh<T>) -> Mesh<T> {
    let vertices = mesh
        .triangles
        .iter()
        .flatten()
        .map(|v| mesh.vertices[*v as usize])
        .collect();
    let triangles = (0..mesh.triangles.len() as u32).map(|f| [3 * f, 3 * f + 1, 3 * f + 2]);
    Mesh::new(vertices, triangles.collect()).unwrap()
}

#[test]
fn a_soup_becomes_the_mesh_it_was() {
    let whole = raw_bunny();
    for tolerance in [0.0, 1e-3] {
        let mut mesh = soup(&whole);
        let done = Weld { tolerance }.apply(&mut mesh).unwrap();
        assert_eq!((mesh.vertices.len(), mesh.triangles.len()), (1839, 3674));
        assert_eq!(
            (done.joined, done.degenerate, done.duplicate),
            (3 * 3674 - 1839, 0, 0)
        );
        assert!(Topology::of(&mesh).unwrap().is_watertight());
    }
}

#[test]
fn a_chain_does_not_collapse() {
    // Ten points 0.6 apart: with a tolerance of 1 each second one joins the one before it.
    let vertices = (0..10)
        .map(|i| Point3::new(0.6 * f64::from(i), 0.0, 0.0))
        .collect();
    let mut mesh = Mesh::new(
        vertices,
        vec![[0, 3, 6], [1, 9, 5], [0, 1, 2], [3, 6, 0], [0, 6, 3]],
    )
    .unwrap();
    let before = mesh.clone();
    let done = Weld { tolerance: 1.0 }.apply(&mut mesh).unwrap();
    assert_eq!(done.joined, 5);
    assert_eq!((done.degenerate, done.duplicate), (1, 1));
    assert!(mesh.vertices.iter().all(|p| before.vertices.contains(p)));
    assert!(matches!(
        Weld {
            tolerance: f64::NAN
        }
        .apply(&mut mesh),
        Err(MeshError::Option { .. })
    ));
}

#[test]
fn minus_zero_is_zero() {
    let vertices = [0.0_f32, -0.0, 1.0, 2.0]
        .map(|x| Point3::new(x, 0.0, x * x))
        .to_vec();
    let mut mesh = Mesh::new(vertices, vec![[0, 2, 3], [1, 3, 2]]).unwrap();
    assert_eq!(Weld::default().apply(&mut mesh).unwrap().joined, 1);
}

#[test]
fn normals_of_a_cube() {
    let mut mesh = cube();
    VertexNormals::default().apply(&mut mesh).unwrap();
    // Three right angles each: the diagonals, however faces are cut.
    for (p, n) in mesh.vertices.iter().zip(mesh.normals.as_ref().unwrap()) {
        let diagonal = (p.coords - Vector3::repeat(0.5)).normalize();
        assert!((n - diagonal).norm() < 1e-15);
    }
    // With areas the cut shows.
    let by_area = VertexNormals {
        weighting: Weighting::Area,
        ..VertexNormals::default()
    };
    by_area.apply(&mut mesh).unwrap();
    assert!(
        mesh.normals
            .as_ref()
            .unwrap()
            .iter()
            .any(|n| n.x.abs() < 0.5)
    );

    let creased = VertexNormals {
        crease: Some(FRAC_PI_2 - 0.01),
        ..VertexNormals::default()
    };
    assert_eq!(creased.apply(&mut mesh).unwrap(), 16);
    assert_eq!(mesh.vertices.len(), 24);
    for n in mesh.normals.as_ref().unwrap() {
        assert_eq!((n.amax(), n.norm()), (1.0, 1.0));
    }
    // Welding takes the split back.
    Weld::default().apply(&mut mesh).unwrap();
    assert_eq!(
        mesh,
        Mesh {
            normals: mesh.normals.clone(),
            ..cube()
        }
    );
}

/// Against the exact normals of a sphere.
#[test]
fn normals_of_a_sphere() {
    for weighting in [Weighting::Angle, Weighting::Area, Weighting::Unit] {
        let mut mesh = sphere(65);
        VertexNormals {
            weighting,
            crease: None,
        }
        .apply(&mut mesh)
        .unwrap();
        let worst = mesh
            .vertices
            .iter()
            .zip(mesh.normals.as_ref().unwrap())
            .map(|(p, n)| {
                let exact = (p.cast::<f64>() - Point3::from(CENTRE)).normalize();
                exact.angle(&n.cast::<f64>())
            });
        assert!(worst.fold(0.0, f64::max) < 0.06);
    }
}

/// Volumes by an independent program (`fixtures/smooth.py`), on a mesh of its own.
#[test]
fn smoothing_keeps_volume_or_shrinks() {
    let mesh: Mesh<f32> =
        ansatz_mesh::io::ply::read(include_bytes!("fixtures/sphere33.ply")).unwrap();
    assert_eq!((mesh.vertices.len(), mesh.triangles.len()), (2720, 5436));
    let before = measure::volume(&mesh).unwrap();
    let change = |filter, iterations| {
        let mut mesh = mesh.clone();
        Smooth {
            filter,
            iterations,
            ..Smooth::default()
        }
        .apply(&mut mesh)
        .unwrap();
        100.0 * (measure::volume(&mesh).unwrap() / before - 1.0)
    };
    let (taubin, laplacian) = (
        change(Filter::default(), 10),
        change(Filter::Laplacian { lambda: 0.5 }, 20),
    );
    println!("Taubin {taubin:+.3} %, Laplacian {laplacian:+.3} %");
    assert!((taubin - 0.20396).abs() < 1e-4, "{taubin}");
    assert!((laplacian + 8.46166).abs() < 1e-4, "{laplacian}");
}

/// A plane sheet with noise inside: its border stays, or stays a square when smoothed along.
#[test]
fn borders_stay() {
    let sheet = || {
        let at = |i: u32| Point3::new(i / 5, i % 5, 0).map(f64::from);
        let cells = (0..20).filter(|i| i % 5 < 4);
        let triangles = cells
            .flat_map(|i| [[i, i + 5, i + 6], [i, i + 6, i + 1]])
            .collect();
        Mesh::new((0..25).map(at).collect(), triangles).unwrap()
    };
    let smooth = |border| {
        let mut mesh = sheet();
        mesh.vertices[12].z = 1.0;
        let filter = Filter::Laplacian { lambda: 0.5 };
        Smooth {
            filter,
            border,
            iterations: 200,
        }
        .apply(&mut mesh)
        .unwrap();
        mesh
    };
    let fixed = smooth(Border::Fixed);
    assert_eq!(fixed.vertices[0], sheet().vertices[0]);
    assert!(fixed.vertices[12].z < 1e-6);
    // Along the border nothing of the inside is felt, and corners get round.
    let along = smooth(Border::Along);
    assert!(
        (0..25)
            .filter(|i| *i < 5 || i % 5 == 0)
            .all(|i| along.vertices[i].z == 0.0)
    );
    assert!(along.vertices[0].x > 0.0);
    assert!(smooth(Border::Free).vertices[0].z > 0.0);
    let bad = Smooth {
        filter: Filter::Taubin {
            lambda: 0.5,
            mu: -0.4,
        },
        ..Smooth::default()
    };
    assert!(matches!(
        bad.apply(&mut sheet()),
        Err(MeshError::Option { what: "mu", .. })
    ));
}

fn hausdorff(a: &Mesh<f32>, b: &Mesh<f32>) -> f64 {
    let compare = Compare {
        samples: 40_000,
        ..Compare::default()
    };
    compare.meshes(a, b).unwrap().hausdorff
}

/// Bounds from what a peer reaches.
#[test]
fn spheres_decimate() {
    let mesh = sphere(128);
    assert_eq!(mesh.triangles.len(), 85_488);
    for (target, bound) in [
        (20_000, 1.35e-3),
        (8_548, 1.95e-3),
        (5_000, 5.1e-3),
        (1_000, 1.15e-2),
    ] {
        let mut small = mesh.clone();
        let done = Decimate {
            target: Target::Triangles(target),
            ..Decimate::default()
        }
        .apply(&mut small)
        .unwrap();
        let t = Topology::of(&small).unwrap();
        let distance = hausdorff(&small, &mesh);
        println!(
            "{target}: Hausdorff {distance:.2e}, error {:.2e}",
            done.error
        );
        assert_eq!(small.triangles.len(), target);
        assert_eq!((t.euler(), t.non_manifold_edges), (2, 0));
        assert!(t.is_watertight() && t.is_manifold());
        assert!(distance <= bound, "{target}: {distance}");
    }
}

#[test]
fn planes_stay_planes() {
    // An L-shaped plate, tilted: nothing but its outline is needed.
    let n = 20_u32;
    let at = |i: u32| {
        let (x, y) = (f64::from(i / (n + 1)), f64::from(i % (n + 1)));
        Point3::new(x, y, 0.3 * x - 0.7 * y)
    };
    let cells = (0..n * n)
        .map(|c| (c / n, c % n))
        .filter(|(x, y)| *x < n / 2 || *y < n / 2);
    let triangles = cells.flat_map(|(x, y)| {
        let i = x * (n + 1) + y;
        [[i, i + n + 1, i + n + 2], [i, i + n + 2, i + 1]]
    });
    let mut mesh = Mesh::new(
        (0..(n + 1) * (n + 1)).map(at).collect(),
        triangles.collect(),
    )
    .unwrap();
    let area = measure::area(&mesh).unwrap();
    let done = Decimate {
        target: Target::Error(1e-7),
        ..Decimate::default()
    }
    .apply(&mut mesh)
    .unwrap();
    println!("{} triangles, error {}", mesh.triangles.len(), done.error);
    assert_eq!(mesh.triangles.len(), 4);
    assert!((measure::area(&mesh).unwrap() - area).abs() < 1e-9);
    for p in &mesh.vertices {
        assert!((0.3 * p.x - 0.7 * p.y - p.z).abs() < 1e-9);
    }
    // A box of 12 triangles has nothing to give.
    let mut box_ = cube();
    Decimate {
        target: Target::Error(1e-7),
        ..Decimate::default()
    }
    .apply(&mut box_)
    .unwrap();
    assert_eq!(box_.triangles.len(), 12);
}

/// However far it goes, handles stay handles; what cannot go further says nothing and stops.
#[test]
fn topology_stays() {
    let (shape, data) = hash_field::<f32>(1, 8);
    let mesh = MarchingCubes::default()
        .extract(&Grid::new(shape, &data).unwrap(), 0.0)
        .unwrap();
    let before = Topology::of(&mesh).unwrap();
    let mut small = mesh.clone();
    Decimate::default().apply(&mut small).unwrap();
    let after = Topology::of(&small).unwrap();
    println!("{before}\n{after}");
    assert!(after.is_watertight() && after.is_manifold());
    assert_eq!(
        (after.euler(), after.components.len()),
        (before.euler(), before.components.len())
    );
    assert!(small.triangles.len() < mesh.triangles.len() / 3);
    let genus = |t: &Topology| {
        let mut all: Vec<_> = t.components.iter().map(|c| c.genus).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(genus(&after), genus(&before));
}

#[test]
fn bad_input_is_refused_and_nothing_changes() {
    let mut mesh = cube();
    mesh.vertices[3].y = f64::NAN;
    let before = format!("{mesh:?}");
    assert!(matches!(
        Decimate::default().apply(&mut mesh),
        Err(MeshError::Vertex { index: 3, .. })
    ));
    assert!(matches!(
        Smooth::default().apply(&mut mesh),
        Err(MeshError::Vertex { .. })
    ));
    assert!(matches!(
        VertexNormals::default().apply(&mut mesh),
        Err(MeshError::Vertex { .. })
    ));
    assert!(matches!(
        Weld::default().apply(&mut mesh),
        Err(MeshError::Vertex { .. })
    ));
    let mut beyond = cube();
    beyond.triangles[5][1] = 8;
    assert!(matches!(
        Decimate::default().apply(&mut beyond),
        Err(MeshError::Index {
            face: 5,
            vertex: 8,
            ..
        })
    ));
    let mut creased = cube();
    let angle = VertexNormals {
        crease: Some(2.0 * PI),
        ..VertexNormals::default()
    };
    assert!(matches!(
        angle.apply(&mut creased),
        Err(MeshError::Option { .. })
    ));
    assert_eq!(creased, cube());
    assert_eq!(format!("{mesh:?}"), before);
    let mut empty = Mesh::<f32>::default();
    Decimate::default().apply(&mut empty).unwrap();
    Smooth::default().apply(&mut empty).unwrap();
    VertexNormals::default().apply(&mut empty).unwrap();
    assert_eq!(Weld::default().apply(&mut empty).unwrap().joined, 0);
}
