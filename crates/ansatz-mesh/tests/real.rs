//! Extractors on the signed distance of the bunny, 128³ samples of [−1, 1]³, against counts of independent programs.

mod common;

use ansatz_mesh::{
    Ambiguity, DualMarchingCubes, Grid, GridDistance, MarchingCubes, MarchingTetrahedra, Sign,
    SignedDistance, SurfaceNets,
};
use common::*;

#[test]
fn the_bunny_has_the_known_counts() {
    let distance = SignedDistance::new(&bunny(), Sign::PseudoNormal).expect("sound");
    let data: Vec<f32> = GridDistance {
        band: 3.0,
        ..GridDistance::default()
    }
    .sample(&distance, unit_box(128));
    let grid = Grid::new(unit_box(128), &data).expect("sound");
    for ambiguity in [Ambiguity::Trilinear, Ambiguity::SeparateInside] {
        let s = shape_of(
            &MarchingCubes {
                ambiguity,
                ..MarchingCubes::default()
            }
            .extract(&grid, 0.0)
            .expect("sound"),
        );
        s.assert_closed_manifold();
        assert_eq!(
            (s.vertices, s.triangles, s.euler, s.components),
            (33_312, 66_620, 2, 1)
        );
    }
    let s = shape_of(&SurfaceNets::default().extract(&grid, 0.0).expect("sound"));
    assert_eq!((s.vertices, s.triangles, s.bad_edges), (33_302, 66_624, 12));
    let s = shape_of(
        &DualMarchingCubes::default()
            .extract(&grid, 0.0)
            .expect("sound"),
    );
    assert_eq!((s.euler, s.bad_edges, s.bad_vertices), (2, 0, 0));
    let s = shape_of(
        &MarchingTetrahedra::default()
            .extract(&grid, 0.0)
            .expect("sound"),
    );
    s.assert_closed_manifold();
    assert_eq!((s.vertices, s.triangles), (105_452, 210_900));
}
