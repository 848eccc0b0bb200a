//! Derivatives of level sets against closed forms, finite differences, and by what they are for: fitting.

mod common;

use std::f64::consts::PI;

use ansatz_mesh::core::{DifferentiableField, ScalarField};
use ansatz_mesh::measure::{Topology, volume};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{
    Ambiguity, Grid, GridEdges, GridShape, LevelSetDerivative, MarchingCubes, Mesh, MeshError,
    Motion,
};
use common::*;

/// A field by a closure that gives value and gradient.
struct Known<F>(F);

impl<F: Fn([f64; 3]) -> (f64, [f64; 3]) + Sync> ScalarField<f64> for Known<F> {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        values
            .iter_mut()
            .zip(points)
            .for_each(|(v, p)| *v = (self.0)(*p).0);
    }
}

impl<F: Fn([f64; 3]) -> (f64, [f64; 3]) + Sync> DifferentiableField<f64> for Known<F> {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        for ((v, g), p) in values.iter_mut().zip(gradients).zip(points) {
            (*v, *g) = (self.0)(*p);
        }
    }
}

fn ball(centre: [f64; 3], radius: f64, scale: f64) -> impl Fn([f64; 3]) -> (f64, [f64; 3]) + Sync {
    move |p| {
        let d = Vector3::from(p) - Vector3::from(centre);
        (scale * (d.norm() - radius), (d.normalize() * scale).into())
    }
}

fn extract<F: Fn([f64; 3]) -> (f64, [f64; 3]) + Sync>(field: &Known<F>, n: usize) -> Mesh<f64> {
    let shape = unit_box(n);
    let data = shape.sample(field);
    MarchingCubes::default()
        .extract(&Grid::new(shape, &data).expect("sound"), 0.0)
        .expect("sound")
}

/// The derivative of the volume with respect to each vertex.
fn by_vertex(mesh: &Mesh<f64>) -> Vec<Vector3<f64>> {
    let mut g = vec![Vector3::zeros(); mesh.vertices.len()];
    for t in &mesh.triangles {
        let [a, b, c] = t.map(|v| mesh.vertices[v as usize].coords);
        for (v, d) in t.iter().zip([b.cross(&c), c.cross(&a), a.cross(&b)]) {
            g[*v as usize] += d / 6.0;
        }
    }
    g
}

#[test]
fn the_volume_of_a_ball_changes_by_its_area() {
    let mut radii = Vec::new();
    for (n, expected) in [(33, 7.041201), (65, 7.061727)] {
        for scale in [1.0, 2.5] {
            let field = Known(ball(CENTRE, 0.75, scale));
            let mesh = extract(&field, n);
            let of = |motion| {
                let derivative = LevelSetDerivative {
                    motion,
                    ..LevelSetDerivative::default()
                };
                let c = derivative
                    .vjp(&field, &mesh.vertices, &by_vertex(&mesh))
                    .expect("sound");
                assert_eq!(c.skipped, 0);
                // ∂f/∂R = −scale, ∂f/∂C = −∇f.
                let radius: f64 = c.values.iter().map(|c| -scale * c).sum();
                let centre: Vector3<f64> = c
                    .values
                    .iter()
                    .zip(&mesh.vertices)
                    .map(|(c, v)| (v - Point3::from(CENTRE)).normalize() * (-scale * c))
                    .sum();
                (radius, centre)
            };
            let (radius, centre) = of(Motion::Implicit);
            // The reference cuts patches of more than three edges in another way.
            assert!((radius - expected).abs() < 2e-4, "{radius}");
            assert!(centre.amax() < 2e-4);
            assert!((of(Motion::SignedDistance).0 / scale - radius).abs() < 1e-12);
            radii.push(radius);
        }
    }
    // Order 2 towards 4πR².
    let exact = 4.0 * PI * 0.75 * 0.75;
    assert!((radii[0] - radii[1]).abs() < 1e-12);
    assert!(((exact - radii[0]) / (exact - radii[2]) - 4.0).abs() < 0.1);
}

#[test]
fn forward_and_reverse_agree() {
    let field = Known(ball(CENTRE, 0.6, 1.7));
    let mesh = extract(&field, 17);
    let change: Vec<f64> = (0..mesh.vertices.len())
        .map(|v| uniform(1, v as u64))
        .collect();
    let d = LevelSetDerivative::default();
    let moved = d.jvp(&field, &mesh.vertices, &change).expect("sound");
    let g = by_vertex(&mesh);
    let c = d.vjp(&field, &mesh.vertices, &g).expect("sound").values;
    let forward: f64 = moved.iter().zip(&g).map(|(a, b)| a.dot(b)).sum();
    let reverse: f64 = c.iter().zip(&change).map(|(a, b)| a * b).sum();
    assert!((forward - reverse).abs() < 1e-12 * forward.abs());
}

/// Two balls come together: the derivative of the volume is zero while they are apart and 2π(r² − τ²) afterwards.
#[test]
fn topology_may_change() {
    let mut last = i64::MAX;
    for step in 0..=20 {
        let tau = 0.35 - 0.005 * f64::from(step);
        let (left, right) = (
            ball([-tau, 0.0, 0.0], 0.3, 1.0),
            ball([tau, 0.0, 0.0], 0.3, 1.0),
        );
        let field = Known(move |p| {
            let (a, b) = (left(p), right(p));
            if a.0 < b.0 { a } else { b }
        });
        let mesh = extract(&field, 33);
        let euler = Topology::of(&mesh).expect("sound").euler();
        assert!(euler <= last && (euler == 4 || euler == 2));
        last = euler;
        let c = LevelSetDerivative::default()
            .vjp(&field, &mesh.vertices, &by_vertex(&mesh))
            .expect("sound");
        // ∂f/∂τ of the nearer ball is ∓ the first component of its gradient.
        let derivative: f64 = c
            .values
            .iter()
            .zip(&mesh.vertices)
            .map(|(c, v)| {
                let side = if v.x < 0.0 { -1.0 } else { 1.0 };
                let d = v - Point3::new(side * tau, 0.0, 0.0);
                c * -side * d.normalize().x
            })
            .sum();
        assert!(derivative.is_finite());
        if tau > 0.3 + 1e-9 {
            assert_eq!(euler, 4);
            assert!(derivative.abs() < 1e-3, "{tau}: {derivative}");
        } else if tau < 0.295 {
            assert_eq!(euler, 2);
            let exact = 2.0 * PI * (0.09 - tau * tau);
            // The crease falls on a plane of samples, and its circle jumps from row to row of them: 0.6 spacings of it.
            assert!(
                (derivative - exact).abs() < 0.6 * 0.0625,
                "{tau}: {derivative} {exact}"
            );
        }
        for (at, known) in [(0.29, 0.0440), (0.27, 0.1130), (0.25, 0.1808)] {
            if (tau - at).abs() < 1e-9 {
                assert!((derivative - known).abs() < 7e-3, "{tau}: {derivative}");
                let exact = 2.0 * PI * (0.09 - tau * tau);
                assert!((derivative - exact).abs() < 0.1 * exact + 0.0085);
            }
        }
    }
    assert_eq!(last, 2);
}

/// Semi-axes of an ellipsoid from points on another one, by the distance from each point to the nearest vertex and back.
#[test]
fn an_ellipsoid_is_recovered() {
    let target: Vec<Point3<f64>> = (0..2000)
        .map(|m| {
            let z = 1.0 - 2.0 * (f64::from(m) + 0.5) / 2000.0;
            let turn = f64::from(m) * PI * (3.0 - 5.0_f64.sqrt());
            let r = (1.0 - z * z).sqrt();
            Point3::new(0.6 * r * turn.cos(), 0.5 * r * turn.sin(), 0.4 * z)
        })
        .collect();
    let mut axes = [0.5; 3];
    let (mut m1, mut m2) = ([0.0; 3], [0.0; 3]);
    for step in 1..=150 {
        let a = axes;
        let field = Known(move |p: [f64; 3]| {
            let q: Vector3<f64> = Vector3::from([0, 1, 2].map(|i| p[i] / a[i]));
            let size = q.norm();
            (size - 1.0, [0, 1, 2].map(|i| q[i] / (a[i] * size)))
        });
        let mesh = extract(&field, 33);
        let nearest = |p: &Point3<f64>, of: &[Point3<f64>]| {
            let far = |q: &Point3<f64>| (p - q).norm_squared();
            (0..of.len())
                .min_by(|x, y| far(&of[*x]).total_cmp(&far(&of[*y])))
                .expect("sound")
        };
        let count = mesh.vertices.len() as f64;
        let mut g: Vec<Vector3<f64>> = mesh
            .vertices
            .iter()
            .map(|v| (v - target[nearest(v, &target)]) * (2.0 / count))
            .collect();
        for p in &target {
            let v = nearest(p, &mesh.vertices);
            g[v] += (mesh.vertices[v] - p) * (2.0 / target.len() as f64);
        }
        let c = LevelSetDerivative::default()
            .vjp(&field, &mesh.vertices, &g)
            .expect("sound")
            .values;
        for i in 0..3 {
            // ∂f/∂aᵢ = −pᵢ²/(aᵢ³|q|), and |q| = 1 on the surface.
            let by_axis: f64 = c
                .iter()
                .zip(&mesh.vertices)
                .map(|(c, v)| -c * v[i] * v[i] / a[i].powi(3))
                .sum();
            m1[i] = 0.9 * m1[i] + 0.1 * by_axis;
            m2[i] = 0.999 * m2[i] + 0.001 * by_axis * by_axis;
            let (h1, h2) = (
                m1[i] / (1.0 - 0.9_f64.powi(step)),
                m2[i] / (1.0 - 0.999_f64.powi(step)),
            );
            axes[i] -= 0.02 * h1 / (h2.sqrt() + 1e-8);
        }
    }
    for (found, exact) in axes.iter().zip([0.6, 0.5, 0.4]) {
        assert!((found / exact - 1.0).abs() < 0.01, "{axes:?}");
    }
}

/// Vertices of marching cubes as functions of the samples: central differences, and ⟨c, J d⟩ = ⟨Jᵀc, d⟩.
#[test]
fn samples_move_vertices_as_finite_differences_say() {
    let (shape, data) = hash_field::<f64>(9, 9);
    for ambiguity in [Ambiguity::Trilinear, Ambiguity::SeparateInside] {
        check_samples(shape, &data, ambiguity);
    }
}

fn check_samples(shape: GridShape, data: &[f64], ambiguity: Ambiguity) {
    let mc = MarchingCubes {
        ambiguity,
        ..MarchingCubes::default()
    };
    let of = |data: &[f64]| {
        mc.extract(&Grid::new(shape, data).expect("sound"), 0.1)
            .expect("sound")
    };
    let mesh = of(data);
    let edges =
        GridEdges::new(&Grid::new(shape, data).expect("sound"), 0.1, ambiguity).expect("sound");
    assert_eq!(edges.len(), mesh.vertices.len());
    // Noise has cells with vertices inside.
    let on_edges = |v: &&Point3<f64>| v.iter().filter(|x| x.fract() != 0.0).count() == 1;
    let inside = mesh.vertices.len() - mesh.vertices.iter().filter(on_edges).count();
    assert_eq!(inside > 10, ambiguity == Ambiguity::Trilinear);
    let change: Vec<f64> = (0..data.len())
        .map(|s| 2.0 * uniform(2, s as u64) - 1.0)
        .collect();
    let moved = edges.jvp(&change).expect("sound");
    let at = |step: f64| {
        let data: Vec<f64> = data
            .iter()
            .zip(&change)
            .map(|(x, d)| x + step * d)
            .collect();
        of(&data)
    };
    let (up, down) = (at(1e-7), at(-1e-7));
    assert_eq!(up.triangles, mesh.triangles);
    for v in 0..moved.len() {
        let difference = (up.vertices[v] - down.vertices[v]) / 2e-7;
        assert!((difference - moved[v]).norm() < 1e-6 * moved[v].norm().max(1.0));
    }
    let c: Vec<Vector3<f64>> = (0..moved.len() as u64)
        .map(|v| Vector3::from([0, 1, 2].map(|a| uniform(3, 3 * v + a))))
        .collect();
    let reverse = edges.vjp(&c).expect("sound");
    let a: f64 = moved.iter().zip(&c).map(|(a, b)| a.dot(b)).sum();
    let b: f64 = reverse.iter().zip(&change).map(|(a, b)| a * b).sum();
    assert!((a - b).abs() < 1e-11 * a.abs().max(1.0));
    assert!(volume(&mesh).expect("sound") > 0.0);
}

#[test]
fn bad_input_is_named() {
    let field = Known(|_: [f64; 3]| (0.0, [f64::NAN; 3]));
    let flat = Known(|p: [f64; 3]| {
        if p[0] > 0.5 {
            (0.0, [0.0; 3])
        } else {
            (0.0, [1.0, 0.0, 0.0])
        }
    });
    let d = LevelSetDerivative::default();
    let at = [
        Point3::origin(),
        Point3::new(0.1, 0.0, 0.0),
        Point3::new(1.0, 0.0, 0.0),
    ];
    let g = [Vector3::x(); 3];
    assert!(matches!(
        d.vjp(&field, &at, &g),
        Err(MeshError::NotFinite {
            what: "gradient",
            ..
        })
    ));
    assert!(matches!(
        d.vjp(&flat, &at, &g[..2]),
        Err(MeshError::Count {
            expected: 3,
            found: 2,
            ..
        })
    ));
    assert!(matches!(
        d.vjp(&flat, &at, &[Vector3::x() * f64::NAN; 3]),
        Err(MeshError::NotFinite {
            what: "cotangent",
            ..
        })
    ));
    let c = d.vjp(&flat, &at, &g).expect("sound");
    assert_eq!((c.skipped, c.values), (1, vec![-1.0, -1.0, 0.0]));
    assert_eq!(d.vjp(&flat, &[], &[]).expect("sound").values.len(), 0);
}
