//! Topology reports of surfaces whose numbers are known.

use ansatz_mesh::measure::Topology;
use ansatz_mesh::nalgebra::Point3;
use ansatz_mesh::{Mesh, MeshError, measure};

/// A grid of `n`×`m` quads, cut in two, glued along both directions where asked.
fn sheet(n: u32, m: u32, glue: [bool; 2]) -> (Vec<[u32; 3]>, usize) {
    let (columns, rows) = (n + u32::from(!glue[0]), m + u32::from(!glue[1]));
    let at = |i: u32, j: u32| (i % columns) * rows + j % rows;
    let mut triangles = Vec::new();
    for i in 0..n {
        for j in 0..m {
            let q = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
            triangles.extend([[q[0], q[1], q[2]], [q[0], q[2], q[3]]]);
        }
    }
    (triangles, (columns * rows) as usize)
}

fn report(triangles: &[[u32; 3]], vertices: usize) -> Topology {
    Topology::of_triangles(triangles, vertices).expect("sound indices")
}

#[test]
fn sheets_tubes_and_tori() {
    let of = |glue| {
        let (triangles, vertices) = sheet(4, 5, glue);
        let t = report(&triangles, vertices);
        assert!(t.is_manifold() && t.is_oriented());
        assert_eq!((t.components.len(), t.unused, t.degenerate), (1, 0, 0));
        (
            t.euler(),
            t.boundary_loops,
            t.boundary_edges,
            t.components[0].genus,
        )
    };
    assert_eq!(of([false, false]), (1, 1, 18, None));
    assert_eq!(of([true, false]), (0, 2, 8, None));
    assert_eq!(of([true, true]), (0, 0, 0, Some(1)));
}

#[test]
fn a_moebius_band_is_found_by_its_seam() {
    // Three quads; the last is glued to the first upside down.
    let at = |i: u32, j: u32| if i < 3 { 2 * i + j } else { 1 - j };
    let mut triangles = Vec::new();
    for i in 0..3 {
        let q = [at(i, 0), at(i + 1, 0), at(i + 1, 1), at(i, 1)];
        triangles.extend([[q[0], q[1], q[2]], [q[0], q[2], q[3]]]);
    }
    let t = report(&triangles, 6);
    assert_eq!(
        (t.euler(), t.boundary_loops, t.inconsistent_edges),
        (0, 1, 1)
    );
    assert!(t.is_manifold() && !t.is_oriented() && !t.is_watertight());
}

const TETRAHEDRON: [[u32; 3]; 4] = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];

#[test]
fn defects_are_counted() {
    let second = |map: [u32; 4]| TETRAHEDRON.map(|t| t.map(|v| map[v as usize]));
    let both = |map| [TETRAHEDRON, second(map)].concat();

    let apart = report(&both([4, 5, 6, 7]), 9);
    assert_eq!(
        (apart.euler(), apart.components.len(), apart.unused),
        (4, 2, 1)
    );
    assert!(apart.is_watertight() && apart.is_manifold());
    assert!(apart.components.iter().all(|c| c.genus == Some(0)));

    let touching = report(&both([0, 5, 6, 4]), 7);
    assert_eq!(touching.non_manifold_vertices, 1);
    assert!(touching.is_watertight() && !touching.is_manifold());
    assert_eq!(
        (touching.components.len(), touching.components[0].genus),
        (1, None)
    );

    let along_an_edge = report(&both([0, 1, 4, 5]), 6);
    assert_eq!(
        (
            along_an_edge.non_manifold_edges,
            along_an_edge.non_manifold_vertices
        ),
        (1, 2)
    );
    assert!(!along_an_edge.is_watertight());

    let mut flipped = TETRAHEDRON;
    flipped[3].swap(0, 1);
    assert_eq!(report(&flipped, 4).inconsistent_edges, 3);

    let holed = report(&TETRAHEDRON[..3], 4);
    assert_eq!(
        (holed.boundary_edges, holed.boundary_loops, holed.euler()),
        (3, 1, 1)
    );
    let degenerate = report(&[&TETRAHEDRON[..], &[[1, 1, 2]]].concat(), 4);
    assert_eq!(
        (degenerate.degenerate, degenerate.faces, degenerate.euler()),
        (1, 4, 2)
    );
}

/// Two triangles that meet in a vertex have two loops, not one that crosses itself.
#[test]
fn loops_that_touch_stay_apart() {
    let t = report(&[[0, 1, 2], [0, 3, 4]], 5);
    assert_eq!(
        (
            t.boundary_loops,
            t.non_manifold_vertices,
            t.components.len()
        ),
        (2, 1, 1)
    );
}

#[test]
fn unsound_meshes_are_refused() {
    assert_eq!(
        Topology::of_triangles(&[[0, 1, 2], [0, 1, 7]], 3),
        Err(MeshError::Index {
            face: 1,
            vertex: 7,
            vertices: 3
        })
    );
    let empty = Mesh::<f32>::default();
    let t = Topology::of(&empty).expect("an empty mesh is a mesh");
    assert_eq!(
        (t.euler(), t.components.len(), t.is_watertight()),
        (0, 0, true)
    );
    assert_eq!(
        (measure::area(&empty), measure::volume(&empty)),
        (Ok(0.0), Ok(0.0))
    );
    let mesh = Mesh {
        vertices: vec![Point3::new(0.0, f64::NAN, 1.0); 3],
        triangles: vec![[0, 1, 2]],
        normals: None,
    };
    assert!(matches!(
        measure::area(&mesh),
        Err(MeshError::Vertex { index: 0, .. })
    ));
}

/// An octahedron far from the origin: area 4√3 and volume 4/3 for corners at distance 1.
#[test]
fn areas_and_volumes() {
    let axis = |i: usize| {
        let mut p = [1000.0; 3];
        p[i / 2] += if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        Point3::from(p)
    };
    let mut triangles = Vec::new();
    for corner in 0..8_u32 {
        let mut t = [corner & 1, 2 + (corner >> 1 & 1), 4 + (corner >> 2)];
        if corner.count_ones() % 2 == 1 {
            t.swap(0, 1);
        }
        triangles.push(t);
    }
    let mesh = Mesh::<f64>::new((0..6).map(axis).collect(), triangles).expect("sound");
    let (area, volume) = (measure::area(&mesh), measure::volume(&mesh));
    assert!((area.expect("sound") - 12_f64.sqrt() * 2.0).abs() < 1e-12);
    assert!((volume.expect("sound") - 4.0 / 3.0).abs() < 1e-12);
}
