//! Sparse extraction gives the triangles of the dense grid, at the stated cost.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use ansatz_mesh::{
    Ambiguity, Grid, GridShape, MarchingCubes, Mesh, MeshError, Normals, Search,
    SparseMarchingCubes,
};
use common::*;

/// Triangles by the bits of their corners, from the smallest on.
fn triangles(mesh: &Mesh<f64>) -> BTreeMap<[[u64; 3]; 3], usize> {
    let mut set = BTreeMap::new();
    for t in 0..mesh.triangles.len() {
        let mut corners = mesh
            .corners(t)
            .map(|p| [p.x.to_bits(), p.y.to_bits(), p.z.to_bits()]);
        let first = (0..3).min_by_key(|m| corners[*m]).expect("sound");
        corners.rotate_left(first);
        *set.entry(corners).or_default() += 1;
    }
    set
}

fn dense(
    shape: GridShape,
    field: &(dyn Fn([f64; 3]) -> f64 + Sync),
    ambiguity: Ambiguity,
) -> Mesh<f64> {
    let data = shape.sample::<f64>(&|p: [f64; 3]| field(p));
    MarchingCubes {
        ambiguity,
        ..MarchingCubes::default()
    }
    .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
    .expect("sound")
}

const MODES: [Ambiguity; 3] = [
    Ambiguity::Trilinear,
    Ambiguity::SeparateInside,
    Ambiguity::SeparateOutside,
];

type Field<'a> = &'a (dyn Fn([f64; 3]) -> f64 + Sync);

#[test]
fn triangles_are_those_of_the_dense_grid() {
    let (noise_shape, noise) = hash_field::<f64>(5, 12);
    let lookup = move |p: [f64; 3]| {
        // Centres of boxes are not asked for their truth: the bound keeps every box.
        let [i, j, k] = p.map(|x| (x.round() as usize).min(13));
        noise[(i * 14 + j) * 14 + k]
    };
    let cases: [(GridShape, Field<'_>, f64); 4] = [
        (unit_box(65), &sphere_at, 1.0),
        (unit_box(50), &gyroid_at, 11.0),
        (
            GridShape::spanning([20, 33, 47], [-1.0; 3], [1.0; 3]).expect("sound"),
            &sphere_at,
            1.0,
        ),
        (noise_shape, &lookup, 1e9),
    ];
    for (shape, field, lipschitz) in cases {
        for ambiguity in MODES {
            let expected = triangles(&dense(shape, field, ambiguity));
            assert!(!expected.is_empty());
            for search in [
                Search::Blocks { lipschitz },
                Search::Octree { lipschitz },
                Search::Refine { stride: 1 },
                Search::Refine { stride: 4 },
            ] {
                let method = SparseMarchingCubes {
                    search,
                    ambiguity,
                    ..SparseMarchingCubes::default()
                };
                let on = |threads| {
                    let pool = rayon::ThreadPoolBuilder::new()
                        .num_threads(threads)
                        .build()
                        .expect("sound");
                    pool.install(|| {
                        method
                            .extract(&|p: [f64; 3]| field(p), shape, 0.0)
                            .expect("sound")
                    })
                };
                let (one, cost) = on(1);
                let noise = shape.dims() == [14; 3];
                if !(noise && search == Search::Refine { stride: 4 }) {
                    assert_eq!(triangles(&one), expected, "{search:?} {ambiguity:?}");
                }
                assert_eq!(on(2), (one.clone(), cost.clone()));
                assert_eq!(on(4), (one, cost));
            }
        }
    }
}

/// Normals by central differences are those of the dense grid, bit for bit, border and vertices inside of cells included.
#[test]
fn normals_are_those_of_the_dense_grid() {
    let (shape, noise) = hash_field::<f64>(5, 12);
    let lookup = move |p: [f64; 3]| {
        let [i, j, k] = p.map(|x| (x.round() as usize).min(13));
        noise[(i * 14 + j) * 14 + k]
    };
    let cases: [(GridShape, Field<'_>); 3] = [
        (shape, &lookup),
        (unit_box(30), &gyroid_at),
        (
            GridShape::spanning([20, 33, 47], [-1.0; 3], [0.4; 3]).expect("sound"),
            &sphere_at,
        ),
    ];
    for (shape, field) in cases {
        let data = shape.sample::<f64>(&|p: [f64; 3]| field(p));
        let normals = Normals::CentralDifferences;
        let expected = MarchingCubes {
            normals,
            ..MarchingCubes::default()
        };
        let grid = Grid::new(shape, &data).expect("sound");
        let expected = expected.extract(&grid, 0.0).expect("sound");
        let by_place = |mesh: &Mesh<f64>| -> BTreeMap<[u64; 3], [u64; 3]> {
            let normals = mesh.normals.as_ref().expect("asked for");
            assert_eq!(normals.len(), mesh.vertices.len());
            let bits = |x: &[f64]| [0, 1, 2].map(|a| x[a].to_bits());
            let pairs = mesh.vertices.iter().zip(normals);
            pairs
                .map(|(p, n)| (bits(p.coords.as_slice()), bits(n.as_slice())))
                .collect()
        };
        for search in [
            Search::Blocks { lipschitz: 1e9 },
            Search::Refine { stride: 1 },
        ] {
            let method = SparseMarchingCubes {
                search,
                normals,
                ..SparseMarchingCubes::default()
            };
            let (mesh, _) = method
                .extract(&|p: [f64; 3]| field(p), shape, 0.0)
                .expect("sound");
            assert_eq!(by_place(&mesh), by_place(&expected));
        }
    }
}

/// Counts for 256 cells along each axis.
#[test]
fn costs_are_the_stated_ones() {
    let asked = AtomicUsize::new(0);
    let field = |p: [f64; 3]| {
        asked.fetch_add(1, Ordering::Relaxed);
        sphere_at(p)
    };
    let with = |search| SparseMarchingCubes {
        search,
        ..SparseMarchingCubes::default()
    };
    let shape = unit_box(257);
    let (mesh, cost) = with(Search::Blocks { lipschitz: 1.0 })
        .extract(&field, shape, 0.0)
        .expect("sound");
    assert_eq!(
        (cost.kept, cost.centres, cost.samples),
        (vec![3_124], 32_768, 3_124 * 729)
    );
    assert_eq!(asked.swap(0, Ordering::Relaxed), 32_768 + 3_124 * 729);
    let (same, cost) = with(Search::Octree { lipschitz: 1.0 })
        .extract(&field, shape, 0.0)
        .expect("sound");
    assert_eq!(
        cost.kept,
        [1, 8, 56, 212, 792, 3_124, 12_562, 50_175, 200_601]
    );
    assert_eq!(
        (cost.samples, cost.centres + cost.samples),
        (374_351, 909_792)
    );
    assert_eq!(asked.swap(0, Ordering::Relaxed), 909_792);
    assert_eq!(mesh, same);
    let (same, cost) = with(Search::Refine { stride: 8 })
        .extract(&field, shape, 0.0)
        .expect("sound");
    assert_eq!(mesh, same);
    assert!(cost.samples < shape.samples() / 20, "{}", cost.samples);
}

#[test]
fn an_audit_finds_a_wrong_bound() {
    let with = |lipschitz, audit| SparseMarchingCubes {
        search: Search::Octree { lipschitz },
        audit,
        ..SparseMarchingCubes::default()
    };
    let shape = unit_box(33);
    let (_, cost) = with(1.0, 4).extract(&sphere_at, shape, 0.0).expect("sound");
    assert!(cost.audited > 1000);
    match with(0.5, 4).extract(&sphere_at, shape, 0.0) {
        Err(MeshError::Lipschitz { bound, found, .. }) => {
            assert!((bound - 0.5).abs() < 1e-15 && found > 0.5 && found <= 1.0 + 1e-9);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_input_is_named() {
    let shape = unit_box(17);
    let with = |search| SparseMarchingCubes {
        search,
        ..SparseMarchingCubes::default()
    };
    for search in [
        Search::Blocks { lipschitz: 0.0 },
        Search::Octree {
            lipschitz: f64::NAN,
        },
        Search::Refine { stride: 3 },
    ] {
        assert!(matches!(
            with(search).extract(&sphere_at, shape, 0.0),
            Err(MeshError::Option { .. })
        ));
    }
    let method = SparseMarchingCubes::default();
    assert!(matches!(
        method.extract(&sphere_at, shape, f64::NAN),
        Err(MeshError::NotFinite { .. })
    ));
    let holed = |p: [f64; 3]| {
        if p.iter().all(|x| *x < -0.999) {
            f64::NAN
        } else {
            sphere_at(p)
        }
    };
    assert!(matches!(
        method.extract(&holed, shape, 0.0),
        Err(MeshError::Sample {
            index: [0, 0, 0],
            ..
        })
    ));
    assert!(
        method
            .extract(&sphere_at, shape, 9.0)
            .expect("sound")
            .0
            .is_empty()
    );
}
