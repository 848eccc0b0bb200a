//! Interfaces between labels.

mod common;

use ansatz_mesh::measure::volume;
use ansatz_mesh::{
    DualVertices, Grid, GridShape, LabelNets, Mesh, MeshError, QuadSplit, SurfaceNets,
};
use common::*;

/// Two labels are a binary field: the quads of surface nets at its half.
#[test]
fn two_labels_are_surface_nets() {
    let shape = unit_box(24);
    let labels: Vec<u16> = shape
        .sample::<f64>(&sphere_at)
        .into_iter()
        .map(|x| if x < 0.0 { 3 } else { 7 })
        .collect();
    let data: Vec<f64> = labels.iter().map(|l| f64::from(*l)).collect();
    for relaxation in [0, 3] {
        let nets = SurfaceNets {
            relaxation,
            vertices: DualVertices::PerCell,
            split: QuadSplit::FirstDiagonal,
            ..SurfaceNets::default()
        };
        let expected = nets
            .extract(&Grid::new(shape, &data).expect("sound"), 5.0)
            .expect("sound");
        let labelled = LabelNets {
            relaxation,
            split: QuadSplit::FirstDiagonal,
        };
        let found = labelled.extract::<f64, _>(shape, &labels).expect("sound");
        assert!(found.labels.iter().all(|p| *p == [3, 7]));
        assert!(found.mesh.triangles == expected.triangles);
        for (a, b) in found.mesh.vertices.iter().zip(&expected.vertices) {
            assert!((a - b).norm() < 1e-14);
        }
    }
}

/// A ball of one material in a ball of another: each material is bounded by a closed surface, and volumes add up.
#[test]
fn materials_are_closed_and_share_their_interfaces() {
    let shape = GridShape::new([30; 3], [0.0; 3], [1.0; 3]).expect("sound");
    let labels: Vec<u16> = shape
        .sample::<f64>(&|p: [f64; 3]| {
            let far = |c: [f64; 3]| (0..3).map(|a| (p[a] - c[a]).powi(2)).sum::<f64>().sqrt();
            // Two halves of a ball, and a core.
            if far([14.3, 14.6, 14.4]) < 4.0 {
                3.0
            } else if far([14.3, 14.6, 14.4]) < 11.0 {
                if p[0] < 14.5 { 1.0 } else { 2.0 }
            } else {
                0.0
            }
        })
        .into_iter()
        .map(|x| x as u16)
        .collect();
    let all = LabelNets {
        relaxation: 1,
        ..LabelNets::default()
    };
    let all = all.extract::<f64, _>(shape, &labels).expect("sound");
    let boundary = |label: u16| {
        let mut mesh = Mesh {
            vertices: all.mesh.vertices.clone(),
            ..Mesh::default()
        };
        for (t, pair) in all.mesh.triangles.iter().zip(&all.labels) {
            if pair[0] == label {
                mesh.triangles.push(*t);
            } else if pair[1] == label {
                mesh.triangles.push([t[0], t[2], t[1]]);
            }
        }
        mesh
    };
    let mut sum = 0.0;
    for label in 1..4 {
        let mesh = boundary(label);
        shape_of(&mesh).assert_closed_manifold();
        let v = volume(&mesh).expect("closed");
        let count = labels.iter().filter(|l| **l == label).count() as f64;
        assert!((v / count - 1.0).abs() < 0.15, "{label}: {v} {count}");
        sum += v;
    }
    let outside = volume(&boundary(0)).expect("closed");
    assert!((outside + sum).abs() < 1e-9 * sum);
}

#[test]
fn bad_input_is_named() {
    let shape = unit_box(4);
    assert!(matches!(
        LabelNets::default().extract::<f32, u8>(shape, &[0; 63]),
        Err(MeshError::Length {
            expected: 64,
            found: 63,
            ..
        })
    ));
    assert!(
        LabelNets::default()
            .extract::<f32, u8>(shape, &[5; 64])
            .expect("sound")
            .mesh
            .is_empty()
    );
}
