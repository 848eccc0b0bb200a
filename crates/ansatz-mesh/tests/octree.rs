//! FlexiCubes on cells of several sizes: against the lattice, closed forms, finite differences and topology.

mod common;

use ansatz_mesh::flexicubes::{
    FlexiCubes, FlexiParameters, FlexiSplit, FlexiVariation, HexGrid, OctreeGrid, sign_regulariser,
};
use ansatz_mesh::measure::volume;
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{Mesh, MeshError};
use common::*;

use FlexiSplit::{Evaluation, Training};

fn random(stream: u64, n: usize) -> Vec<f64> {
    let at = |m| 2.0 * uniform(stream, m) - 1.0;
    (0..n as u64).map(at).collect()
}

fn unit_grid(cells: usize) -> OctreeGrid {
    OctreeGrid::new([cells; 3], [-1.0; 3], [1.0; 3]).expect("sound")
}

/// Halves cells with a chance for each, the same number of times.
fn scattered(cells: usize, rounds: u64, seed: u64, chance: f64) -> OctreeGrid {
    let mut grid = unit_grid(cells);
    for round in 0..rounds {
        let mut count = 0;
        grid = grid
            .refine(|_, _| {
                count += 1;
                uniform(1000 * seed + round, count) < chance
            })
            .expect("sound");
    }
    grid
}

fn sampled(grid: &OctreeGrid, field: impl Fn([f64; 3]) -> f64) -> (Vec<Point3<f64>>, Vec<f64>) {
    let points = grid.points();
    let values = points.iter().map(|p| field((*p).into())).collect();
    (points, values)
}

#[test]
fn cells_of_one_size_are_the_lattice() {
    let noise = |n: usize, seed| hash_field::<f64>(seed, n - 1).1;
    let gyroid = HexGrid::lattice([8; 3]).expect("sound");
    let gyroid: Vec<f64> = gyroid
        .lattice_points([-1.0; 3], [1.0; 3])
        .iter()
        .map(|p: &Point3<f64>| gyroid_at((*p).into()))
        .collect();
    for (cells, values) in [
        (8, gyroid),
        (9, noise(9, 1)),
        (9, noise(9, 2)),
        (13, noise(13, 5)),
    ] {
        let lattice = HexGrid::lattice([cells; 3]).expect("sound");
        // Halved everywhere where that gives the same cells.
        let grids = if cells % 2 == 0 {
            vec![
                unit_grid(cells),
                unit_grid(cells / 2).refine(|_, _| true).expect("sound"),
            ]
        } else {
            vec![unit_grid(cells)]
        };
        let points = lattice.lattice_points([-1.0; 3], [1.0; 3]);
        let m = cells * cells * cells;
        let weights = [random(1, 8 * m), random(2, 12 * m), random(3, m)];
        let parameters = FlexiParameters {
            points: &points,
            values: &values,
            alpha: Some(&weights[0]),
            beta: Some(&weights[1]),
            gamma: Some(&weights[2]),
        };
        for grid in grids {
            assert_eq!(grid.weights(), [8 * m, 12 * m, m]);
            assert_eq!(grid.points::<f64>(), points);
            for split in [Training, Evaluation] {
                let method = FlexiCubes { split };
                let a = method.extract(&lattice, &parameters).expect("sound");
                let b = method.extract(&grid, &parameters).expect("sound");
                assert_eq!(a.mesh, b.mesh);
                assert_eq!(a.deviation, b.deviation);
                let c: Vec<_> = a.mesh.vertices.iter().map(|v| v.coords).collect();
                assert_eq!(a.vjp(&c, &a.deviation), b.vjp(&c, &b.deviation));
            }
        }
        let [a, b] = [
            sign_regulariser(&lattice, &values),
            sign_regulariser(&unit_grid(cells), &values),
        ];
        assert_eq!(a.expect("sound"), b.expect("sound"));
    }
}

/// Random sizes and random signs: every mesh is closed, and a manifold.
#[test]
fn sizes_may_change_anywhere() {
    let mut met = 0;
    for seed in 0..10_000 {
        let (cells, rounds) = if seed % 4 == 0 { (3, 2) } else { (2, 1) };
        let grid = scattered(cells, rounds, seed, 0.35);
        let points = grid.points::<f64>();
        let border = |p: &Point3<f64>| p.iter().any(|x| x.abs() > 1.0 - 1e-9);
        let values: Vec<f64> = points
            .iter()
            .zip(random(seed + 7, points.len()))
            .map(|(p, x)| if border(p) { 1.0 } else { x })
            .collect();
        let surface = FlexiCubes::default()
            .extract(&grid, &FlexiParameters::new(&points, &values))
            .expect("sound");
        if surface.mesh.is_empty() {
            continue;
        }
        met += 1;
        shape_of(&surface.mesh).assert_closed_manifold();
        assert!(volume(&surface.mesh).expect("sound") > 0.0);
    }
    assert!(met > 9_500);
}

/// Crossings of a linear field are exact on every cell, and so are means of them.
#[test]
fn planes_are_planes_across_sizes() {
    let normal = Vector3::new(0.6, -0.48, 0.64);
    let grid = scattered(4, 2, 5, 0.3);
    let (points, values) = sampled(&grid, |p| Vector3::from(p).dot(&normal) - 0.05);
    let surface = FlexiCubes { split: Evaluation }
        .extract(&grid, &FlexiParameters::new(&points, &values))
        .expect("sound");
    assert!(surface.mesh.vertices.len() > 100);
    // Some twenty roundings of numbers up to one.
    for v in &surface.mesh.vertices {
        let off = v.coords.dot(&normal) - 0.05;
        assert!(off.abs() < 20.0 * f64::EPSILON, "{off:e}");
    }
    // Signed areas: a quad that is not convex may fold one of its two triangles, and nothing faces the other way as a whole.
    let areas: Vec<f64> = (0..surface.mesh.triangles.len())
        .map(|t| {
            let [a, b, c] = surface.mesh.corners(t);
            (b - a).cross(&(c - a)).dot(&normal) / 2.0
        })
        .collect();
    let folded: f64 = areas.iter().filter(|a| **a < 0.0).sum();
    let total: f64 = areas.iter().sum();
    println!(
        "{} of {} triangles folded, {folded:.1e} of {total:.3}",
        areas.iter().filter(|a| **a < 0.0).count(),
        areas.len()
    );
    assert!(-folded < 0.01 * total);
}

fn two_sizes(cells: usize) -> OctreeGrid {
    unit_grid(cells)
        .refine(|low, _| low[0] >= 0.0)
        .expect("sound")
}

/// Chords of length h see a circle of radius R fall by h²/(8R); the mean of crossings in a cell of side h has a distance
/// of at most (√3h)²/(8R) to first order, whatever the size of its neighbours.
#[test]
fn errors_are_those_of_the_local_size() {
    let worst = |mesh: &Mesh<f64>, small: bool| {
        let of = |v: &&Point3<f64>| (v.x > 0.13) == small && (small || v.x < -0.13);
        let off = mesh
            .vertices
            .iter()
            .filter(of)
            .map(|v| sphere_at((*v).into()).abs());
        off.fold(0.0, f64::max)
    };
    let grid = two_sizes(16);
    let (points, values) = sampled(&grid, sphere_at);
    let surface = FlexiCubes { split: Evaluation }
        .extract(&grid, &FlexiParameters::new(&points, &values))
        .expect("sound");
    let shape = shape_of(&surface.mesh);
    shape.assert_closed_manifold();
    assert_eq!((shape.euler, shape.components), (2, 1));
    let bound = |h: f64| 3.0 * h * h / (8.0 * 0.75) * 1.05;
    let (large, small) = (worst(&surface.mesh, false), worst(&surface.mesh, true));
    println!(
        "large cells {large:.2e} of {:.2e}, small {small:.2e} of {:.2e}",
        bound(0.125),
        bound(0.0625)
    );
    assert!(large < bound(0.125) && small < bound(0.0625));
    assert!(small < 0.35 * large);
}

/// Central differences of 10⁻⁶ along random directions, and ⟨c, J d⟩ = ⟨Jᵀc, d⟩.
#[test]
fn derivatives_agree_with_finite_differences() {
    let grid = scattered(3, 2, 11, 0.3);
    let (mut points, values) = sampled(&grid, gyroid_at);
    for (p, d) in points
        .iter_mut()
        .zip(random(3, 3 * grid.vertices()).chunks(3))
    {
        *p += Vector3::new(d[0], d[1], d[2]) * 0.03;
    }
    let counts = grid.weights();
    let start = [
        points
            .iter()
            .flat_map(|p| p.coords.iter().copied())
            .collect::<Vec<f64>>(),
        values,
        random(31, counts[0]),
        random(32, counts[1]),
        random(33, counts[2]),
    ];
    let vectors = |x: &[f64]| -> Vec<Vector3<f64>> {
        x.chunks(3)
            .map(|x| Vector3::new(x[0], x[1], x[2]))
            .collect()
    };
    for split in [Training, Evaluation] {
        let surface = |x: &[Vec<f64>; 5]| {
            let points: Vec<Point3<f64>> = vectors(&x[0]).into_iter().map(Point3::from).collect();
            let parameters = FlexiParameters {
                points: &points,
                values: &x[1],
                alpha: Some(&x[2]),
                beta: Some(&x[3]),
                gamma: Some(&x[4]),
            };
            FlexiCubes { split }
                .extract(&grid, &parameters)
                .expect("sound")
        };
        let s = surface(&start);
        let by_vertex = random(11, 3 * s.mesh.vertices.len());
        let by_entry = random(12, s.deviation.len());
        let g = s.vjp(&vectors(&by_vertex), &by_entry).expect("sound");
        let g = [
            g.points.iter().flatten().copied().collect(),
            g.values,
            g.alpha,
            g.beta,
            g.gamma,
        ];
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for kind in 0..5 {
            let direction = random(20 + kind as u64, start[kind].len());
            let at = |step: f64| {
                let mut x = start.clone();
                x[kind]
                    .iter_mut()
                    .zip(&direction)
                    .for_each(|(x, d)| *x += step * d);
                let moved = surface(&x);
                assert_eq!(moved.mesh.triangles, s.mesh.triangles);
                let flat: Vec<f64> = moved
                    .mesh
                    .vertices
                    .iter()
                    .flat_map(|p| p.coords.iter().copied())
                    .collect();
                dot(&flat, &by_vertex) + dot(&moved.deviation, &by_entry)
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            let exact: f64 = dot(&g[kind], &direction);
            assert!(
                (difference - exact).abs() <= 1e-6 * difference.abs().max(1.0),
                "{kind} {split:?} {difference} {exact}"
            );
            let mut change = FlexiVariation::default();
            match kind {
                0 => change.points = vectors(&direction),
                1 => change.values = direction,
                2 => change.alpha = direction,
                3 => change.beta = direction,
                _ => change.gamma = direction,
            }
            let (moved, entries) = s.jvp(&change).expect("sound");
            let moved: Vec<f64> = moved.iter().flatten().copied().collect();
            let forward = dot(&moved, &by_vertex) + dot(&entries, &by_entry);
            assert!(
                (forward - exact).abs() <= 1e-11 * forward.abs().max(1.0),
                "{kind} {split:?}"
            );
        }
    }
}

/// Neighbours differ by a factor of two at most, and cells fill the box.
#[test]
fn cells_are_balanced() {
    let mut grid = unit_grid(2);
    for _ in 0..5 {
        // The cell at one corner, which leaves a large one beside small ones without balance.
        grid = grid
            .refine(|low, _| low.iter().all(|x| x.abs() < 1e-9))
            .expect("sound");
    }
    let boxes: Vec<[[f64; 3]; 2]> = (0..grid.cells()).map(|c| grid.cell_box(c)).collect();
    let side = |b: &[[f64; 3]; 2]| b[1][0] - b[0][0];
    let total: f64 = boxes.iter().map(|b| side(b).powi(3)).sum();
    assert!((total - 8.0).abs() < 1e-12);
    assert!(boxes.iter().any(|b| side(b) < 1.0 / 31.0));
    for a in &boxes {
        for b in &boxes {
            if (0..3).all(|x| a[0][x] <= b[1][x] && b[0][x] <= a[1][x]) {
                assert!(side(a) <= 2.0 * side(b));
            }
        }
    }
    for cell in 0..grid.cells() {
        let vertices = grid.cell_vertices(cell);
        assert!(vertices.len() >= 8 && vertices.len() <= 26);
        for ends in grid.cell_edges(cell) {
            assert!(ends.iter().all(|v| vertices.contains(v)));
        }
    }
}

#[test]
fn values_go_on_to_finer_cells() {
    let trilinear = |[x, y, z]: [f64; 3]| 0.3 + x - 2.0 * y * z + 0.7 * x * y * z;
    let grid = scattered(3, 1, 2, 0.4);
    let (_, values) = sampled(&grid, trilinear);
    let finer = grid.refine(|low, _| low[1] < 0.1).expect("sound");
    let finest = finer.refine(|low, _| low[2] < 0.1).expect("sound");
    for to in [&grid, &finer, &finest] {
        let found = grid.prolong(to, &values).expect("sound");
        let (_, expected) = sampled(to, trilinear);
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-14);
        }
    }
    assert!(matches!(
        grid.prolong(&finer, &values[1..]),
        Err(MeshError::Count { what: "values", .. })
    ));
}

#[test]
fn deformation_stays_below_half_of_the_smallest_cell() {
    let grid = two_sizes(4);
    let raw: Vec<Vector3<f64>> = random(4, 3 * grid.vertices())
        .chunks(3)
        .map(|x| Vector3::new(x[0], x[1], x[2]) * 20.0)
        .collect();
    let moved = grid.deform(&raw).expect("sound");
    for (p, q) in grid.points::<f64>().iter().zip(&moved) {
        let h = if p.x >= 0.0 { 0.25 } else { 0.5 };
        assert!((p - q).amax() < h / 2.0 && (p - q).amax() > 0.2 * h / 2.0);
    }
    let back = grid
        .deform_vjp(
            &vec![Vector3::zeros(); raw.len()],
            &vec![Vector3::<f64>::x(); raw.len()],
        )
        .expect("sound");
    for (p, b) in grid.points::<f64>().iter().zip(back) {
        let h = if p.x >= 0.0 { 0.25 } else { 0.5 };
        assert!((b.x - h / 2.0).abs() < 1e-8 && b.y == 0.0);
    }
}

#[test]
fn bad_input_is_named() {
    assert!(matches!(
        OctreeGrid::new([3, 0, 3], [0.0; 3], [1.0; 3]),
        Err(MeshError::TooSmall { .. })
    ));
    assert!(matches!(
        OctreeGrid::new([usize::MAX; 3], [0.0; 3], [1.0; 3]),
        Err(MeshError::TooLarge { .. })
    ));
    for high in [0.0, -1.0, f64::NAN] {
        assert!(matches!(
            OctreeGrid::new([2; 3], [0.0; 3], [1.0, high, 1.0]),
            Err(MeshError::Spacing { .. })
        ));
    }
    let grid = two_sizes(2);
    let (points, values) = sampled(&grid, sphere_at);
    let parameters = FlexiParameters {
        alpha: Some(&values),
        ..FlexiParameters::new(&points, &values)
    };
    let expected = grid.weights()[0];
    match FlexiCubes::default().extract(&grid, &parameters) {
        Err(MeshError::Count {
            what: "alpha",
            expected: e,
            ..
        }) => assert_eq!(e, expected),
        other => panic!("{other:?}"),
    }
}
