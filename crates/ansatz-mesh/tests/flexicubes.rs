//! FlexiCubes against values of the official program (in f64 on a CPU), finite differences and topology.

mod common;

use ansatz_mesh::core::{DifferentiableField, Scalar, ScalarField};
use ansatz_mesh::flexicubes::{
    FlexiCubes, FlexiParameters, FlexiSplit, FlexiSurface, FlexiVariation, HexGrid, deform,
    deform_vjp, sign_regulariser,
};
use ansatz_mesh::measure::{Topology, area, volume};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{Mesh, MeshError};
use common::*;

use FlexiSplit::{Evaluation, Training};

struct Case {
    grid: HexGrid,
    points: Vec<Point3<f64>>,
    values: Vec<f64>,
    alpha: Vec<f64>,
    beta: Vec<f64>,
    gamma: Vec<f64>,
}

impl Case {
    fn new(field: fn([f64; 3]) -> f64, cells: usize, weights: bool) -> Self {
        let grid = HexGrid::lattice([cells; 3]).expect("sound");
        let points = grid.lattice_points([-1.0; 3], [1.0; 3]);
        let values = points
            .iter()
            .map(|p: &Point3<f64>| field((*p).into()))
            .collect();
        let raw = |each: u64, offset: u64| -> Vec<f64> {
            let count = grid.cells().len() as u64;
            let at = |q: u64, c: u64| 2.0 * uniform(99, 64 * q + offset + c) - 1.0;
            (0..count)
                .flat_map(|q| (0..each).map(move |c| (q, c)))
                .map(|(q, c)| if weights { at(q, c) } else { 0.0 })
                .collect()
        };
        let (alpha, beta, gamma) = (raw(8, 0), raw(12, 8), raw(1, 32));
        Self {
            grid,
            points,
            values,
            alpha,
            beta,
            gamma,
        }
    }

    fn parameters(&self) -> FlexiParameters<'_, f64> {
        FlexiParameters {
            points: &self.points,
            values: &self.values,
            alpha: Some(&self.alpha),
            beta: Some(&self.beta),
            gamma: Some(&self.gamma),
        }
    }

    fn surface(&self, split: FlexiSplit) -> FlexiSurface<f64> {
        FlexiCubes { split }
            .extract(&self.grid, &self.parameters())
            .expect("sound")
    }

    fn gradient(&self, split: FlexiSplit) -> FlexiVariation<f64> {
        let s = self.surface(split);
        let ones = Vector3::new(1.0, 1.0, 1.0);
        let by_vertex: Vec<_> = s
            .mesh
            .vertices
            .iter()
            .map(|v| v.coords * 2.0 + ones)
            .collect();
        let by_entry = vec![1.0 / s.deviation.len() as f64; s.deviation.len()];
        s.vjp(&by_vertex, &by_entry).expect("sound")
    }
}

fn parts(s: &FlexiSurface<f64>) -> [f64; 3] {
    let squares = s
        .mesh
        .vertices
        .iter()
        .map(|v| v.coords.norm_squared())
        .sum();
    let sum = s.mesh.vertices.iter().map(|v| v.coords.sum()).sum();
    let spread = s.deviation.iter().sum::<f64>() / s.deviation.len() as f64;
    [squares, sum, spread]
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[track_caller]
fn close(found: f64, expected: f64, digits: f64) {
    assert!(
        (found - expected).abs() <= 1e-6 * expected.abs() + 0.51 * digits,
        "{found} {expected}"
    );
}

#[test]
fn values_and_derivatives_are_those_of_the_official_program() {
    type Row = (
        fn([f64; 3]) -> f64,
        usize,
        bool,
        FlexiSplit,
        [usize; 2],
        [f64; 3],
        Option<[f64; 2]>,
        [f64; 5],
    );
    let sphere: fn([f64; 3]) -> f64 = sphere_at;
    let gyroid: fn([f64; 3]) -> f64 = gyroid_at;
    #[rustfmt::skip]
    let rows: [Row; 8] = [
        (sphere, 8, false, Evaluation, [164, 324], [87.995485, 4.115522, 0.01439625], None,
            [40.41548, 34.09828, 0.95404, 0.53038, 0.0]),
        (sphere, 8, false, Training, [326, 648], [171.118219, 8.202811, 0.01439625], Some([6.53260, 1.53579]),
            [78.54712, 66.39889, 1.95602, 1.04207, 0.18875]),
        (sphere, 8, true, Evaluation, [164, 324], [88.365017, 4.413308, 0.02819671], Some([6.61792, 1.53662]),
            [40.43075, 41.23724, 0.82395, 0.61122, 0.0]),
        (sphere, 8, true, Training, [326, 648], [171.766082, 8.788293, 0.02819671], Some([6.59697, 1.53787]),
            [78.59600, 79.44092, 1.68050, 1.18642, 0.29051]),
        (sphere, 16, false, Training, [1350, 2696], [748.303598, 29.181940, 0.00621123], Some([6.94159, 1.71139]),
            [152.31629, 141.99412, 1.98113, 1.31063, 0.16141]),
        (gyroid, 8, false, Training, [956, 1776], [880.964933, -2.089211, 0.01391133], Some([20.44651, -0.11104]),
            [123.78440, 8.69524, 4.62943, 2.10175, 0.50275]),
        (gyroid, 8, true, Evaluation, [512, 888], [511.216963, 3.193674, 0.02538441], Some([21.54171, -0.11864]),
            [66.37273, 5.20114, 2.19185, 1.33346, 0.0]),
        (gyroid, 8, true, Training, [956, 1776], [882.828158, -3.572747, 0.02538441], Some([20.92817, -0.11501]),
            [122.11853, 9.36138, 4.01174, 2.35153, 0.60580]),
    ];
    for (field, cells, weights, split, counts, sums, sizes, norms) in rows {
        let case = Case::new(field, cells, weights);
        if weights {
            close(case.alpha[0], -0.240983247756958, 1e-15);
            close(case.gamma[0], 0.17099988460540771, 1e-15);
        }
        let s = case.surface(split);
        assert_eq!([s.mesh.vertices.len(), s.mesh.triangles.len()], counts);
        let [squares, sum, spread] = parts(&s);
        close(squares, sums[0], 1e-6);
        close(sum, sums[1], 1e-6);
        close(spread, sums[2], 1e-8);
        if let Some([a, v]) = sizes {
            close(area(&s.mesh).expect("sound"), a, 1e-5);
            close(open_volume(&s.mesh), v, 1e-5);
        }
        let g = case.gradient(split);
        let points: Vec<f64> = g.points.iter().flat_map(|p| [p.x, p.y, p.z]).collect();
        let found = [
            norm(&points),
            norm(&g.values),
            norm(&g.beta),
            norm(&g.alpha),
            norm(&g.gamma),
        ];
        for (found, expected) in found.into_iter().zip(norms) {
            close(found, expected, 1e-5);
        }
    }
    assert_eq!(
        Case::new(sphere_at, 8, false)
            .surface(Evaluation)
            .deviation
            .len(),
        648
    );
}

/// Σ a·(b × c)/6, for open surfaces too.
fn open_volume(mesh: &Mesh<f64>) -> f64 {
    (0..mesh.triangles.len())
        .map(|t| {
            let [a, b, c] = mesh.corners(t).map(|p| p.coords);
            a.dot(&b.cross(&c)) / 6.0
        })
        .sum()
}

/// Central differences of 10⁻⁶ along random directions, for each kind of parameter; and ⟨c, J d⟩ = ⟨Jᵀc, d⟩.
#[test]
fn derivatives_agree_with_finite_differences() {
    for split in [Training, Evaluation] {
        let mut case = Case::new(gyroid_at, 6, true);
        for (m, p) in case.points.iter_mut().enumerate() {
            *p += Vector3::from([0, 1, 2].map(|a| 0.1 * (uniform(3, 3 * m as u64 + a) - 0.5)));
        }
        let s = case.surface(split);
        let random = |stream: u64, n: usize| -> Vec<f64> {
            (0..n as u64)
                .map(|m| 2.0 * uniform(stream, m) - 1.0)
                .collect()
        };
        let vectors = |stream: u64, n: usize| -> Vec<Vector3<f64>> {
            random(stream, 3 * n)
                .chunks(3)
                .map(|x| Vector3::new(x[0], x[1], x[2]))
                .collect()
        };
        let by_vertex = vectors(11, s.mesh.vertices.len());
        let by_entry = random(12, s.deviation.len());
        let g = s.vjp(&by_vertex, &by_entry).expect("sound");
        let loss = |s: &FlexiSurface<f64>| -> f64 {
            let v: f64 = s
                .mesh
                .vertices
                .iter()
                .zip(&by_vertex)
                .map(|(v, c)| v.coords.dot(c))
                .sum();
            let e: f64 = s.deviation.iter().zip(&by_entry).map(|(e, c)| e * c).sum();
            v + e
        };
        for kind in 0..5 {
            let mut d = FlexiVariation::default();
            match kind {
                0 => d.points = vectors(21, case.points.len()),
                1 => d.values = random(22, case.values.len()),
                2 => d.alpha = random(23, case.alpha.len()),
                3 => d.beta = random(24, case.beta.len()),
                _ => d.gamma = random(25, case.gamma.len()),
            }
            let at = |step: f64| {
                let mut moved = Case {
                    grid: case.grid.clone(),
                    points: case.points.clone(),
                    values: case.values.clone(),
                    alpha: case.alpha.clone(),
                    beta: case.beta.clone(),
                    gamma: case.gamma.clone(),
                };
                moved
                    .points
                    .iter_mut()
                    .zip(&d.points)
                    .for_each(|(x, d)| *x += d * step);
                for (x, d) in [
                    (&mut moved.values, &d.values),
                    (&mut moved.alpha, &d.alpha),
                    (&mut moved.beta, &d.beta),
                    (&mut moved.gamma, &d.gamma),
                ] {
                    x.iter_mut().zip(d).for_each(|(x, d)| *x += step * d);
                }
                let moved = moved.surface(split);
                assert_eq!(moved.mesh.triangles, s.mesh.triangles);
                loss(&moved)
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let by_gradient = g
                .points
                .iter()
                .zip(&d.points)
                .map(|(g, d)| g.dot(d))
                .sum::<f64>()
                + dot(&g.values, &d.values)
                + dot(&g.alpha, &d.alpha)
                + dot(&g.beta, &d.beta)
                + dot(&g.gamma, &d.gamma);
            assert!(
                (difference - by_gradient).abs() <= 1e-6 * difference.abs().max(1.0),
                "{kind} {split:?}"
            );
            let (moved, entries) = s.jvp(&d).expect("sound");
            let forward = moved
                .iter()
                .zip(&by_vertex)
                .map(|(a, b)| a.dot(b))
                .sum::<f64>()
                + dot(&entries, &by_entry);
            assert!(
                (forward - by_gradient).abs() <= 1e-11 * forward.abs().max(1.0),
                "{kind} {split:?}"
            );
        }
    }
}

#[test]
fn tetrahedra_fill_the_surface() {
    for (cells, split, vertices, count, inverted) in [
        (8, Evaluation, 316, 1_296, 19),
        (8, Training, 478, 1_620, 54),
        (16, Evaluation, 2_182, 10_848, 46),
        (16, Training, 2_856, 12_196, 95),
    ] {
        let case = Case::new(sphere_at, cells, false);
        let s = case.surface(split);
        let tets = s.tetrahedra(&case.grid, &case.parameters()).expect("sound");
        assert_eq!(
            (tets.vertices.len(), tets.tetrahedra.len()),
            (vertices, count)
        );
        let volumes: Vec<f64> = tets
            .tetrahedra
            .iter()
            .map(|t| {
                let [a, b, c, d] = t.map(|v| tets.vertices[v as usize]);
                (b - a).cross(&(c - a)).dot(&(d - a)) / 6.0
            })
            .collect();
        assert!((volumes.iter().sum::<f64>() - volume(&s.mesh).expect("sound")).abs() < 1e-10);
        // Equal weights leave the diagonal of an evaluation to the corner at which a quad begins, which moves a few.
        let slack = if split == Training { 0 } else { 3 };
        assert!(
            volumes
                .iter()
                .filter(|v| **v < 0.0)
                .count()
                .abs_diff(inverted)
                <= slack
        );
        // A face belongs to two tetrahedra or to the surface.
        let mut faces = std::collections::BTreeMap::new();
        for t in &tets.tetrahedra {
            for omit in 0..4 {
                let mut face: Vec<u32> = (0..4).filter(|m| *m != omit).map(|m| t[m]).collect();
                face.sort_unstable();
                *faces.entry(face).or_insert(0) += 1;
            }
        }
        assert!(faces.values().all(|n| *n == 1 || *n == 2));
        let rim: std::collections::BTreeSet<Vec<u32>> = faces
            .into_iter()
            .filter(|(_, n)| *n == 1)
            .map(|(f, _)| f)
            .collect();
        let surface = s.mesh.triangles.iter().map(|t| {
            let mut t = t.to_vec();
            t.sort_unstable();
            t
        });
        assert_eq!(rim, surface.collect());
    }
}

/// The field of a ball with its gradient.
struct Ball;

impl ScalarField<f64> for Ball {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        values
            .iter_mut()
            .zip(points)
            .for_each(|(v, p)| *v = sphere_at(*p));
    }
}

impl DifferentiableField<f64> for Ball {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        self.eval(points, values);
        for (g, p) in gradients.iter_mut().zip(points) {
            let d = Point3::from(*p) - Point3::from(CENTRE);
            *g = d.normalize().into();
        }
    }
}

#[test]
fn quadratic_error_vertices_are_nearer_to_the_sphere() {
    let case = Case::new(sphere_at, 16, false);
    let mesh = FlexiCubes::default()
        .extract_field(&case.grid, &case.points, &case.values, &Ball)
        .expect("sound");
    let off = |mesh: &Mesh<f64>| {
        let off: Vec<f64> = mesh
            .vertices
            .iter()
            .map(|p| sphere_at((*p).into()).abs())
            .collect();
        let rms = (off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64).sqrt();
        (off.into_iter().fold(0.0, f64::max), rms)
    };
    let (largest, rms) = off(&mesh);
    assert_eq!(mesh.vertices.len(), 676);
    close(largest, 6.79e-3, 1e-5);
    close(rms, 3.79e-3, 1e-5);
    let (largest, rms) = off(&case.surface(Evaluation).mesh);
    close(largest, 7.37e-3, 1e-5);
    close(rms, 5.05e-3, 1e-5);
}

#[test]
fn noise_is_manifold() {
    for (seed, n, v, t, euler) in [
        (1, 8, 1734, 3480, -6),
        (2, 8, 1754, 3472, 18),
        (4, 8, 1730, 3464, -2),
        (5, 12, 5602, 11_272, -34),
    ] {
        let (_, values) = hash_field::<f64>(seed, n);
        let grid = HexGrid::lattice([n + 1; 3]).expect("sound");
        let points = grid.lattice_points([-1.0; 3], [1.0; 3]);
        let s = FlexiCubes::default()
            .extract(&grid, &FlexiParameters::new(&points, &values))
            .expect("sound");
        let shape = shape_of(&s.mesh);
        shape.assert_closed_manifold();
        assert_eq!(
            (shape.vertices, shape.triangles, shape.euler),
            (v, t, euler)
        );
        assert!(volume(&s.mesh).expect("sound") > 0.0);
    }
}

/// A lattice whose cells are listed without their places gives the same surface where no cell is joint.
#[test]
fn cells_by_number_are_cells() {
    let case = Case::new(sphere_at, 8, true);
    let grid = HexGrid::new(case.grid.vertices(), case.grid.cells().to_vec()).expect("sound");
    let s = FlexiCubes::default()
        .extract(&grid, &case.parameters())
        .expect("sound");
    assert_eq!(s.mesh, case.surface(Training).mesh);
    assert!(Topology::of(&s.mesh).expect("sound").is_watertight());
}

#[test]
fn the_sign_term_has_the_derivative_it_says() {
    let case = Case::new(gyroid_at, 5, false);
    let (_, gradient) = sign_regulariser(&case.grid, &case.values).expect("sound");
    for v in [3, 57, 101, 160] {
        let at = |step: f64| {
            let mut values = case.values.clone();
            values[v] += step;
            sign_regulariser(&case.grid, &values).expect("sound").0
        };
        assert!((gradient[v] - (at(1e-6) - at(-1e-6)) / 2e-6).abs() < 1e-9);
    }
    // One crossed edge of values −1 and 2: softplus(−1) + 1 and softplus(2).
    let grid = HexGrid::lattice([1; 3]).expect("sound");
    let (loss, _) =
        sign_regulariser(&grid, &[-1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]).expect("sound");
    let softplus = |x: f64| x.exp().ln_1p();
    assert!((loss - (softplus(-1.0) + 1.0 + softplus(2.0))).abs() < 1e-14);
}

#[test]
fn deformation_stays_below_half_a_spacing() {
    let points = vec![Point3::origin(); 2];
    let raw = [Vector3::new(50.0, -50.0, 0.0), Vector3::new(0.3, -0.2, 1.1)];
    let h = [0.25, 0.5, 1.0];
    let moved = deform(&points, h, &raw);
    assert!(moved[0].x < 0.125 && moved[0].y > -0.25 && moved[0].x > 0.1249);
    let back = deform_vjp(h, &raw, &[Vector3::new(1.0, 1.0, 1.0); 2]);
    for a in 0..3 {
        let at = |step: f64| {
            let mut raw = raw;
            raw[1][a] += step;
            deform(&points, h, &raw)[1][a]
        };
        assert!((back[1][a] - (at(1e-6) - at(-1e-6)) / 2e-6).abs() < 1e-9);
    }
}

#[test]
fn bad_input_is_named() {
    assert!(matches!(
        HexGrid::lattice([3, 0, 3]),
        Err(MeshError::TooSmall { .. })
    ));
    assert!(matches!(
        HexGrid::new(7, vec![[0, 1, 2, 3, 4, 5, 6, 7]]),
        Err(MeshError::Index {
            face: 0,
            vertex: 7,
            vertices: 7
        })
    ));
    let case = Case::new(sphere_at, 4, true);
    let with =
        |p: FlexiParameters<'_, f64>| FlexiCubes::default().extract(&case.grid, &p).map(|_| ());
    let good = case.parameters();
    let expect = |p, what: &str| match with(p) {
        Err(MeshError::Count { what: found, .. } | MeshError::Value { what: found, .. }) => {
            assert_eq!(found, what);
        }
        other => panic!("{other:?}"),
    };
    expect(
        FlexiParameters {
            alpha: Some(&case.alpha[1..]),
            ..good
        },
        "alpha",
    );
    expect(
        FlexiParameters {
            beta: Some(&case.alpha),
            ..good
        },
        "beta",
    );
    expect(
        FlexiParameters {
            gamma: Some(&[]),
            ..good
        },
        "gamma",
    );
    expect(
        FlexiParameters {
            values: &case.values[..5],
            ..good
        },
        "values",
    );
    expect(
        FlexiParameters {
            points: &case.points[..5],
            ..good
        },
        "points",
    );
    let mut values = case.values.clone();
    values[17] = f64::NAN;
    expect(
        FlexiParameters {
            values: &values,
            ..good
        },
        "values",
    );
    let s = case.surface(Training);
    assert!(matches!(
        s.vjp(&[Vector3::zeros()], &[]),
        Err(MeshError::Count { .. })
    ));
}

#[test]
fn single_precision_is_double_precision_rounded() {
    let case = Case::new(sphere_at, 8, true);
    let narrow = |x: &[f64]| -> Vec<f32> { x.iter().map(|x| f32::of(*x)).collect() };
    let points: Vec<Point3<f32>> = case.points.iter().map(|p| p.map(f32::of)).collect();
    let (values, alpha) = (narrow(&case.values), narrow(&case.alpha));
    let (beta, gamma) = (narrow(&case.beta), narrow(&case.gamma));
    let p = FlexiParameters {
        points: &points,
        values: &values,
        alpha: Some(&alpha),
        beta: Some(&beta),
        gamma: Some(&gamma),
    };
    let s = FlexiCubes::default()
        .extract(&case.grid, &p)
        .expect("sound");
    let exact = case.surface(Training);
    assert_eq!(s.mesh.triangles, exact.mesh.triangles);
    for (a, b) in s.mesh.vertices.iter().zip(&exact.mesh.vertices) {
        // A crossing moves by the spacing times the relative error of values of size 0.01.
        assert!((a.map(f64::from) - b).norm() < 1e-5);
    }
}
