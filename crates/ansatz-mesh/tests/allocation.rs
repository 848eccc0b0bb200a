//! A second extraction into the same memory allocates nothing.

mod common;

use ansatz_mesh::{
    Ambiguity, DualContouring, DualMarchingCubes, Grid, MarchingCubes, MarchingTetrahedra, Mesh,
    Normals, SurfaceNets, Workspace,
};
use common::*;

type Run<'a> = &'a (dyn Fn(&mut Workspace<f32>, &mut Mesh<f32>) + Sync);

#[test]
fn second_extractions_allocate_nothing() {
    let data = samples::<f32>(40, gyroid_at);
    let grid = Grid::new(unit_box(40), &data).expect("sound");
    let noise = hash_field::<f32>(5, 12);
    let noise = Grid::new(noise.0, &noise.1).expect("sound");
    // One thread: handing work to a sleeping pool allocates in the pool, not here.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a pool");
    let (mut workspace, mut mesh) = (Workspace::default(), Mesh::default());
    let normals = Normals::CentralDifferences;
    let mc = MarchingCubes::default();
    let classic = MarchingCubes {
        ambiguity: Ambiguity::SeparateInside,
        normals,
    };
    let nets = SurfaceNets {
        normals,
        ..SurfaceNets::default()
    };
    let (dual, sharp) = (DualMarchingCubes::default(), DualContouring::default());
    let tetrahedra = MarchingTetrahedra { normals };
    let runs: [(&str, Run<'_>); 7] = [
        ("marching cubes", &|w, m| {
            mc.extract_into(&grid, 0.0, w, m).expect("sound");
        }),
        ("of noise", &|w, m| {
            mc.extract_into(&noise, 0.0, w, m).expect("sound");
        }),
        ("with normals", &|w, m| {
            classic.extract_into(&grid, 0.0, w, m).expect("sound");
        }),
        ("surface nets", &|w, m| {
            nets.extract_into(&grid, 0.0, w, m).expect("sound");
        }),
        ("dual marching cubes", &|w, m| {
            dual.extract_into(&grid, 0.0, w, m).expect("sound");
        }),
        ("dual contouring", &|w, m| {
            sharp.extract_into(&grid, 0.0, w, m).expect("sound");
        }),
        ("marching tetrahedra", &|w, m| {
            tetrahedra.extract_into(&grid, 0.0, w, m).expect("sound");
        }),
    ];
    for (name, run) in runs {
        pool.install(|| {
            run(&mut workspace, &mut mesh);
            run(&mut workspace, &mut mesh);
            let again = allocation_counter::measure(|| run(&mut workspace, &mut mesh));
            assert_eq!(again.count_total, 0, "{name}");
        });
    }
}
