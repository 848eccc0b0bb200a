//! Sections of meshes by planes, and their files.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a failed step fails the test; exact results are exact"
)]

mod common;

use ansatz_mesh::io::csl;
use ansatz_mesh::nalgebra::Point3;
use ansatz_mesh::slice::{Plane, slice};
use ansatz_mesh::{CrossSections, Grid, MarchingCubes, Mesh, MeshError};
use common::*;

fn level(y: f64) -> Plane {
    Plane {
        normal: [0.0, 1.0, 0.0],
        offset: -y,
    }
}

/// Areas, contours and segments by an independent program.
#[test]
fn sections_of_the_bunny() {
    let known = [
        (-0.697, 0.698886, 1, 124),
        (-0.597, 0.711419, 1, 126),
        (-0.397, 0.903872, 1, 148),
        (-0.297, 0.974086, 1, 144),
        (-0.097, 0.859589, 1, 133),
        (0.003, 0.727151, 1, 123),
        (0.103, 0.625281, 1, 128),
        (0.303, 0.189600, 1, 53),
        (0.403, 0.170227, 1, 65),
        (0.603, 0.057509, 2, 63),
    ];
    let mesh = bunny();
    let planes = known.map(|k| level(k.0));
    let found = slice(&mesh, &planes).unwrap();
    for ((y, area, contours, segments), section) in known.into_iter().zip(&found.planes) {
        assert!(
            (section.total_area() - area).abs() < 1e-6,
            "{y}: {}",
            section.total_area()
        );
        assert_eq!(
            (section.contours.len(), section.vertices.len()),
            (contours, segments),
            "{y}"
        );
        assert!(
            section
                .vertices
                .iter()
                .all(|p| section.distance(*p).abs() < 1e-15)
        );
    }
}

#[test]
fn slices_add_up_to_the_volume() {
    let mesh = bunny();
    let (low, high) = mesh
        .vertices
        .iter()
        .fold((1.0_f64, -1.0_f64), |(l, h), p| (l.min(p.y), h.max(p.y)));
    let h = (high - low) / 320.0;
    let planes: Vec<Plane> = (0..320)
        .map(|i| level(low + (f64::from(i) + 0.5) * h))
        .collect();
    let sum: f64 = slice(&mesh, &planes)
        .unwrap()
        .planes
        .iter()
        .map(|s| s.total_area() * h)
        .sum();
    println!("{sum}");
    assert!((sum - 0.818386).abs() < 2e-6);
}

/// A torus cut across its axis is two discs, cut along the ring's plane a ring with a hole.
#[test]
fn holes_know_what_they_are_in() {
    let torus = |[x, y, z]: [f64; 3]| {
        let ring = (x * x + y * y).sqrt() - 0.6;
        (ring * ring + z * z).sqrt() - 0.2
    };
    let data = samples::<f64>(65, torus);
    let mesh = MarchingCubes::default()
        .extract(&Grid::new(unit_box(65), &data).unwrap(), 0.0)
        .unwrap();
    let planes = [
        Plane {
            normal: [0.0, 0.0, -2.0],
            offset: 0.0,
        },
        Plane {
            normal: [1.0, 0.0, 0.0],
            offset: 0.0,
        },
        Plane::through([0.0, 0.0, 0.9], [0.0, 0.0, 1.0]),
    ];
    let found = slice(&mesh, &planes).unwrap();
    let [ring, discs, none] = &found.planes[..] else {
        panic!()
    };
    let pi = std::f64::consts::PI;
    assert!((ring.total_area() - pi * (0.64 - 0.16)).abs() < 0.01);
    let hole = ring
        .contours
        .iter()
        .position(|c| c.hole_of.is_some())
        .unwrap();
    assert_eq!(
        (ring.contours.len(), ring.contours[hole].hole_of),
        (2, Some(1 - hole))
    );
    assert!(ring.area(&ring.contours[hole]) < 0.0);
    assert_eq!((discs.contours.len(), none.contours.len()), (2, 0));
    assert!((discs.total_area() - 2.0 * pi * 0.04).abs() < 0.01);
    assert!(
        discs
            .contours
            .iter()
            .all(|c| c.hole_of.is_none() && c.label == 1)
    );
    round_trip(&found);
}

fn round_trip(sections: &CrossSections) {
    let mut bytes = Vec::new();
    csl::write(sections, &mut bytes).unwrap();
    assert_eq!(&csl::read(&bytes).unwrap(), sections);
}

#[test]
fn files_bring_back_the_same_bits() {
    let planes: Vec<Plane> = (0..15).map(|i| level(-0.9 + 0.12 * f64::from(i))).collect();
    round_trip(&slice(&bunny(), &planes).unwrap());
    round_trip(&CrossSections::default());
}

/// Planes through vertices, edges and faces of a cube.
#[test]
fn planes_through_corners() {
    let corner = |i: u32| Point3::new(i & 1, i >> 1 & 1, i >> 2).map(f64::from);
    let quads = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let triangles = quads
        .iter()
        .flat_map(|q| [[q[0], q[1], q[2]], [q[0], q[2], q[3]]]);
    let mesh = Mesh::new((0..8).map(corner).collect(), triangles.collect()).unwrap();
    let area = |normal: [f64; 3], point| {
        let found = slice(&mesh, &[Plane::through(point, normal)]).unwrap();
        let section = &found.planes[0];
        assert!(section.contours.len() <= 1);
        section.total_area()
    };
    // What lies in the plane counts as above it: the lower face has nothing below, the upper one all.
    assert_eq!(area([0.0, 0.0, 1.0], [0.0; 3]), 0.0);
    assert_eq!(area([0.0, 0.0, 1.0], [1.0; 3]), 1.0);
    assert_eq!(area([0.0, 0.0, 1.0], [0.5; 3]), 1.0);
    assert!((area([1.0, -1.0, 0.0], [0.5; 3]) - 2_f64.sqrt()).abs() < 1e-15);
    assert!((area([1.0, 1.0, 1.0], [0.5; 3]) - 0.75 * 3_f64.sqrt()).abs() < 1e-12);
    let zero = Plane {
        normal: [0.0; 3],
        offset: 0.0,
    };
    assert!(matches!(
        slice(&mesh, &[zero]),
        Err(MeshError::Option { .. })
    ));
    let mut open = mesh.clone();
    open.triangles.pop();
    assert!(matches!(
        slice(&open, &[zero]),
        Err(MeshError::NotWatertight { boundary: 3, .. })
    ));
}

#[test]
fn vertices_off_their_plane_are_moved() {
    let text = b"CSLC\n1 2\n1 3 1 0 0 2 -1\n0 0 0.5\n1 0 1.9\n0 1 0.5\n3 1 0 1 2\n";
    let mut sections = csl::read(text).unwrap();
    let plane = &mut sections.planes[0];
    assert!((plane.project() - 1.4).abs() < 1e-15);
    assert!((plane.total_area() - 0.5).abs() < 1e-15);
}

#[test]
fn errors_name_the_line() {
    let message = |text: &str| csl::read(text.as_bytes()).unwrap_err().to_string();
    let good = "CSLC\n1 2\n\n1 3 1 0 0 1 -0.5\n0 0 0.5\n1 0 0.5\n0 1 0.5\n\n3 1 0 1 2\n";
    assert!(csl::read(good.as_bytes()).is_ok());
    for (from, to, start) in [
        ("CSLC", "CSL", "line 1: "),
        ("1 2\n", "2 2\n", "line 10: "),
        ("1 2\n", "1 x\n", "line 2: "),
        ("1 3 1 0 0 1", "1 4 1 0 0 1", "line 9: "),
        ("1 3 1 0 0 1", "2 3 1 0 0 1", "line 4: plane 2"),
        ("0 0 1 -0.5", "0 0 0 -0.5", "line 4: the normal"),
        ("0 0 1 -0.5", "0 0 nan -0.5", "line 4: "),
        ("1 3 1 0 0 1", "1 3 999999999999 0 0 1", "line 4: "),
        ("3 1 0 1 2", "3 1 0 1 3", "line 9: vertex 3"),
        ("3 1 0 1 2", "4 1 0 1 2", "line 9: 3 corners"),
        ("3 1 0 1 2", "2 1 0 1", "line 9: "),
        ("3 1 0 1 2", "3h4 2 0 1 2", "line 9: a hole"),
        ("0 1 0.5\n\n", "0 1\n\n", "line 7: "),
        ("3 1 0 1 2\n", "3 1 0 1 2\n5\n", "line 10: "),
    ] {
        let text = good.replacen(from, to, 1);
        assert!(
            message(&text).starts_with(start),
            "{to:?}: {}",
            message(&text)
        );
    }
    for end in 0..good.len() - 1 {
        assert!(
            csl::read(&good.as_bytes()[..end]).is_err() || end + 1 >= good.len(),
            "{end}"
        );
    }
}
