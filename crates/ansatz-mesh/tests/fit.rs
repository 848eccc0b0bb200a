//! A box fitted from a ball: sharp edges need weights and positions, not values alone.

mod common;
#[path = "common/fit.rs"]
mod fit;

use ansatz_mesh::Mesh;
use ansatz_mesh::flexicubes::FlexiSplit;
use ansatz_mesh::measure::volume;
use ansatz_mesh::nalgebra::{Point3, Vector3};
use common::*;
use fit::{Fit, Freedom, nearest, points_of, to_vertices};

/// Points on the six faces, 24² each, edges included.
fn lattice() -> Vec<Point3<f64>> {
    let mut points = Vec::new();
    for face in 0..6 {
        for m in 0..24 * 24 {
            let t = [m / 24, m % 24].map(|x| 2.0 * f64::from(x) / 23.0 - 1.0);
            let mut local = [0.0; 3];
            local[face / 2] = if face % 2 == 0 { -1.0 } else { 1.0 };
            local[(face / 2 + 1) % 3] = t[0];
            local[(face / 2 + 2) % 3] = t[1];
            let [x, y, z] = [0, 1, 2].map(|a| local[a] * BOX[a]);
            points
                .push(Point3::from(CENTRE) + Vector3::new(0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y, z));
        }
    }
    points
}

fn loss(mesh: &Mesh<f64>, target: &[Point3<f64>]) -> (f64, Vec<Vector3<f64>>) {
    let points = points_of(mesh);
    let (n, m) = (points.len() as f64, target.len() as f64);
    let mut value = 0.0;
    let mut by_point: Vec<Vector3<f64>> = points
        .iter()
        .map(|p| {
            let (d, g) = box_at((*p).into());
            value += d * d / n;
            Vector3::from(g) * (2.0 * d / n)
        })
        .collect();
    for (s, p) in target.iter().zip(nearest(target, &points)) {
        value += (points[p] - s).norm_squared() / m;
        by_point[p] += (points[p] - s) * (2.0 / m);
    }
    (value, to_vertices(mesh, &by_point))
}

#[test]
fn a_box_is_fitted_with_its_edges() {
    let target = lattice();
    let run = |freedom| {
        let ball = |p: [f64; 3]| (Point3::from(p) - Point3::from(CENTRE)).norm() - 0.55;
        let mut fit = Fit::new(12, &ball, freedom).expect("sound");
        for _ in 0..300 {
            fit.step(0.01, [1e-3, 0.0], |mesh| loss(mesh, &target))
                .expect("sound");
        }
        let mesh = fit.surface(FlexiSplit::Training).expect("sound").mesh;
        let centres = &points_of(&mesh)[mesh.vertices.len()..];
        let mean = centres
            .iter()
            .map(|p| box_at((*p).into()).0.powi(2))
            .sum::<f64>()
            / centres.len() as f64;
        (mean.sqrt(), mesh)
    };
    let (values_alone, _) = run(Freedom::Values);
    let (all, mesh) = run(Freedom::All);
    println!("rms distance of centres: values alone {values_alone:.2e}, all {all:.2e}");
    assert!(
        all <= 4.5e-3 && all <= 0.25 * values_alone,
        "{all} {values_alone}"
    );
    let shape = shape_of(&mesh);
    shape.assert_closed_manifold();
    assert_eq!(shape.euler, 2);
    assert!((volume(&mesh).expect("sound") - 0.48).abs() < 0.005);
}
