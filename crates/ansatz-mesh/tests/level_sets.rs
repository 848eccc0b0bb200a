//! Interpolants, projection onto level sets, and samples that are refreshed near the surface alone.

mod common;

use ansatz_mesh::core::{DifferentiableField, ScalarField};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{
    Ambiguity, Grid, GridField, GridShape, LevelSetProjection, MarchingCubes, MeshError,
    RefreshedSamples, SurfaceNets,
};
use common::*;

/// A ball with a gradient of length 2.5, which is no distance.
struct Ball;

impl ScalarField<f64> for Ball {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        let found = points.iter().map(|p| 2.5 * sphere_at(*p));
        values.iter_mut().zip(found).for_each(|(v, f)| *v = f);
    }
}

impl DifferentiableField<f64> for Ball {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        self.eval(points, values);
        for (g, p) in gradients.iter_mut().zip(points) {
            let d = Vector3::from(*p) - Vector3::from(CENTRE);
            *g = (d.normalize() * 2.5).into();
        }
    }
}

/// Trilinear functions are their own interpolants, in an odd box too; derivatives by samples are the weights.
#[test]
fn interpolants_are_exact_for_trilinear_functions() {
    let shape = GridShape::new([4, 3, 5], [-0.3, 0.2, 1.0], [0.5, 0.25, 2.0]).expect("sound");
    let f = |[x, y, z]: [f64; 3]| 1.0 + x - 2.0 * y + 0.3 * x * y - 0.7 * y * z + 1.3 * x * y * z;
    let by = |[x, y, z]: [f64; 3]| {
        [
            1.0 + 0.3 * y + 1.3 * y * z,
            -2.0 + 0.3 * x - 0.7 * z + 1.3 * x * z,
            -0.7 * y + 1.3 * x * y,
        ]
    };
    let samples = shape.sample(&f);
    let field = GridField::new(Grid::new(shape, &samples).expect("sound"));
    let points: Vec<[f64; 3]> = (0..50)
        .map(|m| {
            let u = [0, 1, 2].map(|a| uniform(6, 3 * m + a));
            [-0.3 + 1.5 * u[0], 0.2 + 0.5 * u[1], 1.0 + 8.0 * u[2]]
        })
        .collect();
    let (mut values, mut gradients) = (vec![0.0; 50], vec![[0.0; 3]; 50]);
    field.eval_gradient(&points, &mut values, &mut gradients);
    for ((p, v), g) in points.iter().zip(&values).zip(&gradients) {
        assert!((v - f(*p)).abs() < 1e-13);
        assert!((0..3).all(|a| (g[a] - by(*p)[a]).abs() < 1e-12));
    }
    // Σ c f(p) is linear in the samples: its derivative gives it back.
    let c: Vec<f64> = (0..50).map(|m| uniform(7, m) - 0.5).collect();
    let g = field.vjp(&points, &c).expect("sound");
    let back: f64 = g.iter().zip(&samples).map(|(g, s)| g * s).sum();
    let forth: f64 = c.iter().zip(&values).map(|(c, v)| c * v).sum();
    assert!((back - forth).abs() < 1e-12);
    assert!(matches!(
        field.vjp(&points, &c[1..]),
        Err(MeshError::Count {
            expected: 50,
            found: 49,
            ..
        })
    ));
}

/// Newton's method on a cone of distances is exact after one step.
#[test]
fn vertices_go_to_the_sphere() {
    let data = samples::<f64>(17, sphere_at);
    let grid = Grid::new(unit_box(17), &data).expect("sound");
    for mesh in [
        MarchingCubes::default().extract(&grid, 0.0).expect("sound"),
        SurfaceNets::default().extract(&grid, 0.0).expect("sound"),
    ] {
        let mut vertices = mesh.vertices.clone();
        let before = vertices.iter().map(|v| sphere_at((*v).into()).abs());
        assert!(before.fold(0.0, f64::max) > 1e-3);
        let once = LevelSetProjection {
            steps: 1,
            reach: 0.125,
        };
        let found = once.apply(&Ball, 0.0, &mut vertices).expect("sound");
        assert!(found.held == 0 && found.largest < 1e-14, "{found:?}");
        for (v, old) in vertices.iter().zip(&mesh.vertices) {
            assert!(sphere_at((*v).into()).abs() < 1e-14);
            // Along the radius.
            let d = (old - Point3::from(CENTRE)).normalize();
            assert!((v - old).cross(&d).norm() < 1e-14);
        }
        // Out of reach nothing moves, and it is said.
        let mut held = mesh.vertices.clone();
        let short = LevelSetProjection {
            steps: 4,
            reach: 1e-9,
        };
        let found = short.apply(&Ball, 0.0, &mut held).expect("sound");
        assert!(found.held > 0);
        for (v, old) in held.iter().zip(&mesh.vertices) {
            assert!((v - old).norm() <= 1e-9);
        }
    }
}

/// Vertices inside of cells are means of crossings and far from the interpolant; projected within their cells they are on
/// it, and the mesh keeps its topology.
#[test]
fn vertices_inside_of_cells_go_to_the_interpolant() {
    let (shape, data) = hash_field::<f64>(5, 12);
    let grid = Grid::new(shape, &data).expect("sound");
    let mut mesh = MarchingCubes {
        ambiguity: Ambiguity::Trilinear,
        ..MarchingCubes::default()
    }
    .extract(&grid, 0.0)
    .expect("sound");
    let field = GridField::new(grid);
    let off = |vertices: &[Point3<f64>]| {
        let points: Vec<[f64; 3]> = vertices.iter().map(|v| (*v).into()).collect();
        let mut values = vec![0.0; points.len()];
        field.eval(&points, &mut values);
        values.iter().filter(|v| v.abs() > 1e-9).count()
    };
    let before = off(&mesh.vertices);
    let shape_before = shape_of(&mesh);
    let found = LevelSetProjection {
        reach: 0.5,
        ..LevelSetProjection::default()
    }
    .apply(&field, 0.0, &mut mesh.vertices)
    .expect("sound");
    let after = off(&mesh.vertices);
    println!("{before} vertices off the interpolant, {after} after, {found:?}");
    assert!(before > 50 && 10 * after <= before);
    assert_eq!(shape_of(&mesh), shape_before);
}

#[test]
fn bad_input_leaves_vertices_alone() {
    struct Broken;
    impl ScalarField<f64> for Broken {
        fn eval(&self, _: &[[f64; 3]], values: &mut [f64]) {
            values.fill(1.0);
        }
    }
    impl DifferentiableField<f64> for Broken {
        fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], g: &mut [[f64; 3]]) {
            self.eval(points, values);
            for (g, p) in g.iter_mut().zip(points) {
                *g = if p[0] > 0.5 { [f64::NAN; 3] } else { [0.0; 3] };
            }
        }
    }
    let start = [Point3::new(0.0, 0.1, 0.2), Point3::new(1.0, 0.0, 0.0)];
    let mut vertices = start;
    let method = LevelSetProjection::default();
    assert!(matches!(
        method.apply(&Broken, 0.0, &mut vertices),
        Err(MeshError::NotFinite { .. })
    ));
    assert!(method.apply(&Broken, f64::NAN, &mut vertices).is_err());
    assert!(vertices == start);
    // A gradient of zero leads nowhere.
    let found = method
        .apply(&Broken, 0.0, &mut vertices[..1])
        .expect("sound");
    assert!(found.held == 1 && vertices == start);
    let reach = f64::NAN;
    let method = LevelSetProjection { reach, ..method };
    assert!(matches!(
        method.apply(&Ball, 0.0, &mut vertices),
        Err(MeshError::Option { what: "reach", .. })
    ));
}

/// A ball that wanders by a third of a cell a step: refreshed samples give the mesh of all samples, bit for bit.
#[test]
fn refreshed_samples_give_the_same_mesh() {
    let shape = unit_box(41);
    let mut near = RefreshedSamples::new(shape, 100).expect("sound");
    let mut vertices = Vec::new();
    for step in 0..25 {
        let t = 0.016 * f64::from(step);
        let field = move |[x, y, z]: [f64; 3]| {
            let d = [x + 0.3 - t, y - 0.2 + 0.5 * t, z];
            d.iter().map(|x| x * x).sum::<f64>().sqrt() - 0.4 - 0.1 * t
        };
        let asked = near.refresh(&field, &vertices);
        assert_eq!(asked == shape.samples(), step == 0);
        assert!(step == 0 || asked < shape.samples() / 5, "{asked}");
        let all = shape.sample(&field);
        let mc = MarchingCubes::default();
        let mesh = mc
            .extract(&near.grid().expect("sound"), 0.0)
            .expect("sound");
        let full = mc
            .extract(&Grid::new(shape, &all).expect("sound"), 0.0)
            .expect("sound");
        assert_eq!(mesh, full, "{step}");
        vertices = mesh.vertices;
    }
}

/// A part that is born far from the surface is seen at the next full sampling.
#[test]
fn births_are_seen_when_all_is_sampled() {
    let shape = unit_box(21);
    let mut near = RefreshedSamples::new(shape, 4).expect("sound");
    assert!(matches!(near.grid(), Err(MeshError::Length { .. })));
    let mut vertices = Vec::new();
    let mut parts = Vec::new();
    for step in 0..6 {
        let second = if step >= 2 { 0.2 } else { -0.2 };
        let field = move |p: [f64; 3]| {
            let ball = |x: f64, r: f64| (Vector3::from(p) - Vector3::x() * x).norm() - r;
            ball(-0.5, 0.3).min(ball(0.5, second))
        };
        near.refresh(&field, &vertices);
        let mc = MarchingCubes::default();
        let mesh = mc
            .extract(&near.grid().expect("sound"), 0.0)
            .expect("sound");
        parts.push(shape_of(&mesh).components);
        vertices = mesh.vertices;
    }
    assert_eq!(parts, [1, 1, 1, 1, 2, 2]);
    assert!(matches!(
        RefreshedSamples::<f64>::new(shape, 0),
        Err(MeshError::Option { .. })
    ));
}
