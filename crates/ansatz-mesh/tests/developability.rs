//! Developability against closed forms and finite differences.

mod common;

use std::f64::consts::PI;

use ansatz_mesh::flexicubes::developability;
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{Grid, MarchingCubes, Mesh};
use common::*;

/// A pyramid over a regular polygon.
fn pyramid(sides: u32, height: f64) -> Mesh<f64> {
    let mut vertices = vec![Point3::new(0.0, 0.0, height)];
    vertices.extend((0..sides).map(|m| {
        let angle = 2.0 * PI * f64::from(m) / f64::from(sides);
        Point3::new(angle.cos(), angle.sin(), 0.0)
    }));
    let triangles = (0..sides)
        .map(|m| [0, 1 + m, 1 + (m + 1) % sides])
        .collect();
    Mesh::new(vertices, triangles).expect("sound")
}

/// At the apex of k triangles with angles θ and normals at angle φ to the axis, A has the eigenvalues kθ cos²φ along the
/// axis and kθ sin²φ/2 across. The two triangles at each other vertex have normals in one plane.
#[test]
fn pyramids_have_the_closed_form() {
    for (sides, height) in [(4, 0.3), (5, 0.8), (6, 1.7), (9, 3.0)] {
        let mesh = pyramid(sides, height);
        let [apex, a, b] = mesh.corners(0);
        let normal = (a - apex).cross(&(b - apex));
        let area = f64::from(sides) * normal.norm() / 6.0;
        let angle = f64::from(sides) * (a - apex).angle(&(b - apex));
        let cos = normal.normalize().z;
        let expected = area * angle * (cos * cos).min((1.0 - cos * cos) / 2.0);
        let (energy, _) = developability(&mesh).expect("sound");
        assert!((energy - expected).abs() < 1e-14, "{energy} {expected}");
    }
    // Three triangles do not count.
    assert!(developability(&pyramid(3, 1.0)).expect("sound").0.abs() < 1e-15);
}

/// Every vertex of a cylinder's mantle has normals across the axis alone.
#[test]
fn cylinders_are_developable() {
    let mantle: Vec<Point3<f64>> = (0..60)
        .map(|m| {
            let angle = 2.0 * PI * f64::from(m % 12) / 12.0 + 0.3 * f64::from(m / 12);
            Point3::new(angle.cos(), angle.sin(), 0.4 * f64::from(m / 12))
        })
        .collect();
    // A prism, twelve sides: rows above each other share their edges along the axis.
    let prism: Vec<Point3<f64>> = (0..60)
        .map(|m| Point3::new(mantle[m % 12].x, mantle[m % 12].y, 0.4 * (m / 12) as f64))
        .collect();
    let mut triangles = Vec::new();
    for row in 0..4 {
        for m in 0..12 {
            let at = |r: u32, m: u32| 12 * r + m % 12;
            triangles.push([at(row, m), at(row, m + 1), at(row + 1, m + 1)]);
            triangles.push([at(row, m), at(row + 1, m + 1), at(row + 1, m)]);
        }
    }
    let energy = |points| {
        let mesh = Mesh::new(points, triangles.clone()).expect("sound");
        developability(&mesh).expect("sound")
    };
    let (flat, gradient) = energy(prism);
    assert!(flat.abs() < 1e-14);
    assert!(gradient.iter().all(|g| g.norm() < 1e-7));
    // A twisted one is not.
    assert!(energy(mantle).0 > 1e-3);
}

/// Central differences of 10⁻⁶ along random directions.
#[test]
fn derivatives_agree_with_finite_differences() {
    let samples = samples::<f64>(9, gyroid_at);
    let grid = Grid::new(unit_box(9), &samples).expect("sound");
    let mesh = MarchingCubes::default().extract(&grid, 0.1).expect("sound");
    let (energy, gradient) = developability(&mesh).expect("sound");
    assert!(energy > 0.1);
    for seed in 0..5 {
        let direction: Vec<Vector3<f64>> = (0..mesh.vertices.len() as u64)
            .map(|v| Vector3::from([0, 1, 2].map(|a| uniform(seed, 3 * v + a) - 0.5)))
            .collect();
        let at = |step: f64| {
            let mut moved = mesh.clone();
            for (p, d) in moved.vertices.iter_mut().zip(&direction) {
                *p += d * step;
            }
            developability(&moved).expect("sound").0
        };
        let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
        let exact: f64 = gradient.iter().zip(&direction).map(|(g, d)| g.dot(d)).sum();
        assert!(
            (difference - exact).abs() < 1e-6 * exact.abs().max(1.0),
            "{difference} {exact}"
        );
    }
}
