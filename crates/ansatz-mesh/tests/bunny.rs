//! Numbers of a real mesh, computed by independent programs.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "both ways give the same bits"
)]

mod common;

use common::*;

use ansatz_mesh::measure::{self, Topology};
use ansatz_mesh::nalgebra::Point3;
use ansatz_mesh::{
    GridDistance, GridShape, Mesh, MeshError, Sign, SignedDistance, TriangleTree, WindingNumber,
};

#[test]
fn counts_area_and_volume() {
    let raw = raw_bunny();
    let t = Topology::of(&raw).expect("sound");
    assert_eq!(
        (t.vertices, t.edges, t.faces, t.euler()),
        (1839, 5511, 3674, 2)
    );
    assert!(t.is_watertight() && t.is_manifold() && t.unused == 0);
    assert_eq!((t.components.len(), t.components[0].genus), (1, Some(0)));
    let (area, volume) = (measure::area(&raw), measure::volume(&raw));
    assert!((area.expect("sound") - 218.68927).abs() < 2e-5);
    assert!((volume.expect("sound") - 194.28837).abs() < 2e-5);
    let mesh = bunny();
    let (area, volume) = (measure::area(&mesh), measure::volume(&mesh));
    assert!((area.expect("sound") - 5.703673).abs() < 1e-6);
    assert!((volume.expect("sound") - 0.818347).abs() < 1e-6);
    let pairs = measure::self_intersections(&raw).expect("sound");
    println!("self-intersections {}", pairs.len());
}

/// Points of the reference program, which numbers its random values from 0.
fn point(q: u64) -> [f64; 3] {
    [0, 1, 2].map(|a| 2.0 * uniform(77, 3 * q + a) - 1.0)
}

#[test]
fn distances_at_points() {
    let known = [
        0.260478, 0.500705, 0.142130, 0.849603, 0.024099, 0.376866, 1.036057, 0.405169,
    ];
    let mesh = bunny();
    let by_normals = SignedDistance::new(&mesh, Sign::PseudoNormal).expect("watertight");
    let by_winding = SignedDistance::new(&mesh, Sign::Winding).expect("sound");
    let winding = WindingNumber::new(&mesh).expect("sound");
    for (q, known) in known.into_iter().enumerate() {
        let p = point(q as u64);
        assert!(
            (by_normals.at(p) - known).abs() < 2e-6,
            "{q}: {}",
            by_normals.at(p)
        );
        assert_eq!(by_normals.at(p), by_winding.at(p));
        assert!(winding.exact(p).abs() < 1e-3);
    }
}

/// Both signs, each found by other means, on 64³ samples of [−1, 1]³.
#[test]
fn inside_samples() {
    let mesh = bunny();
    let shape = GridShape::spanning([64; 3], [-1.0; 3], [1.0; 3]).expect("a grid");
    let inside = |sign, band| {
        let distance = SignedDistance::new(&mesh, sign).expect("watertight");
        let grid = GridDistance {
            band,
            ..GridDistance::default()
        };
        let values: Vec<f64> = grid.sample(&distance, shape);
        (values.iter().filter(|v| **v < 0.0).count(), values)
    };
    let (count, exact) = inside(Sign::PseudoNormal, f64::INFINITY);
    assert_eq!(count, 25_529);
    assert_eq!(inside(Sign::Winding, f64::INFINITY).0, 25_529);
    let (count, swept) = inside(Sign::PseudoNormal, 3.0);
    assert_eq!(count, 25_529);
    let h = 2.0 / 63.0;
    let (mut near, mut far) = (0.0_f64, 0.0_f64);
    for (e, s) in exact.iter().zip(&swept) {
        let error = (e - s).abs();
        if e.abs() <= 3.0 * h {
            near = near.max(error);
        } else {
            far = far.max(error);
        }
    }
    println!("error near {near} far {far} of spacing {h}");
    assert!(near == 0.0);
    // Of first order: h log(1/h) with a small factor.
    assert!(far < 1.5 * h);
}

/// Every query against a loop over all triangles.
#[test]
fn the_tree_finds_what_a_search_finds() {
    let mesh = bunny();
    let tree = TriangleTree::new(&mesh).expect("sound");
    let singles: Vec<TriangleTree> = (0..mesh.triangles.len())
        .map(|f| {
            let one = ansatz_mesh::Mesh {
                triangles: vec![mesh.triangles[f]],
                ..mesh.clone()
            };
            TriangleTree::new(&one).expect("sound")
        })
        .collect();
    for q in 0..50 {
        let p = point(q);
        let all = singles.iter().map(|t| t.closest(p).distance);
        let (face, least) =
            all.enumerate().fold(
                (0, f64::INFINITY),
                |best, (f, d)| {
                    if d < best.1 { (f, d) } else { best }
                },
            );
        let found = tree.closest(p);
        assert_eq!((found.triangle, found.distance), (face, least));
    }
}

/// The tree's winding numbers against the sum, and both far inside.
#[test]
fn winding_numbers_by_clusters() {
    let winding = WindingNumber::new(&bunny()).expect("sound");
    let mut fine = winding.clone();
    fine.opening = 8.0;
    let (mut coarse_error, mut fine_error) = (0.0_f64, 0.0_f64);
    for q in 0..500 {
        let p = point(q);
        let exact = winding.exact(p);
        assert!(exact.abs() < 1e-9 || (exact - 1.0).abs() < 1e-9, "{exact}");
        coarse_error = coarse_error.max((winding.at(p) - exact).abs());
        fine_error = fine_error.max((fine.at(p) - exact).abs());
    }
    println!("errors {coarse_error} {fine_error}");
    assert!(coarse_error < 0.1 && fine_error < coarse_error / 5.0);
}

#[test]
fn an_open_mesh_needs_winding_numbers() {
    let mut mesh = bunny();
    mesh.triangles.truncate(3600);
    assert!(matches!(
        SignedDistance::new(&mesh, Sign::PseudoNormal),
        Err(MeshError::NotWatertight { boundary: 1.., .. })
    ));
    let distance = SignedDistance::new(&mesh, Sign::Winding).expect("sound");
    assert!(distance.at(point(0)) > 0.0);
    mesh.triangles.clear();
    assert!(matches!(
        SignedDistance::new(&mesh, Sign::Winding),
        Err(MeshError::Empty)
    ));
}

/// Gradients against central differences, away from the medial axis.
#[test]
fn gradients_are_slopes() {
    let distance = SignedDistance::new(&bunny(), Sign::PseudoNormal).expect("watertight");
    for q in 0..8 {
        let p = point(q);
        let (value, gradient) = distance.at_with_gradient(p);
        assert_eq!(value, distance.at(p));
        for a in 0..3 {
            let at = |s: f64| {
                let mut p = p;
                p[a] += s;
                distance.at(p)
            };
            assert!(((at(1e-5) - at(-1e-5)) / 2e-5 - gradient[a]).abs() < 1e-4);
        }
    }
}

/// Also clusters of points at one place, which no plane divides, and queries from nowhere.
#[test]
fn trees_of_odd_meshes() {
    let points: Vec<Point3<f64>> = (0..300)
        .map(|i| Point3::new(f64::from(i / 100), 0.0, f64::from(i % 3)))
        .collect();
    let triangles: Vec<[u32; 3]> = (0..1000).map(|i| [i % 100, 100, 200 + i % 2]).collect();
    let mesh = Mesh::new(points, triangles).unwrap();
    let tree = TriangleTree::new(&mesh).unwrap();
    let found = tree.closest([-1.0, 0.0, 0.0]);
    assert_eq!((found.distance, found.triangle), (1.0, 0));
    assert!(tree.closest([f64::NAN, 0.0, 0.0]).distance.is_nan());
    assert!(tree.closest([f64::INFINITY, 0.0, 0.0]).distance.is_nan());
    let signed = SignedDistance::new(&bunny(), Sign::Winding).unwrap();
    assert!(signed.at([0.0, f64::NAN, 0.0]).is_nan());
    // A triangle that is a segment, and one that is a point.
    let flat = [
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [3.0, 0.0, 0.0],
        [5.0, 5.0, 5.0],
    ];
    let points = flat.map(Point3::from).to_vec();
    let mesh = Mesh::new(points, vec![[0, 2, 1], [3, 3, 3]]).unwrap();
    let tree = TriangleTree::new(&mesh).unwrap();
    for (p, distance) in [
        ([2.0, 1.0, 0.0], 1.0),
        ([4.0, 0.0, 0.0], 1.0),
        ([5.0, 5.0, 6.0], 1.0),
    ] {
        assert_eq!(tree.closest(p).distance, distance);
    }
}
