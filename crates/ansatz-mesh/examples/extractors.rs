//! One solid with sharp edges, four extractors, the same 24³ cells.
//!
//! A turned box with a bite of a ball is sampled on a coarse grid. Marching cubes cuts its edges off; surface nets give
//! well-shaped triangles and rounder edges; dual contouring asks the field for tangent planes and finds edges and corners.
//! A field of noise shows what is right inside of a cell: the exact topology of the interpolant has Euler characteristic
//! −60. Run it with `cargo run --release -p ansatz-mesh --example extractors`.
//!
//! gallery: Four ways to a surface
//! gallery: expect distance by dual contouring over marching cubes in 0..0.5
//! gallery: expect thin triangles of surface nets in 0..0.02
//! gallery: expect Euler characteristic of noise in -60..-60
//! gallery: picture extractors.png Marching cubes, surface nets, dual contouring

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;

use ansatz_mesh::core::{DifferentiableField, ScalarField};
use ansatz_mesh::measure::Topology;
use ansatz_mesh::nalgebra::{Matrix3, Vector3};
use ansatz_mesh::{
    DualContouring, DualMarchingCubes, Grid, GridShape, MarchingCubes, Mesh, Pattern, SurfaceNets,
    SurfaceSampler,
};
use ansatz_viz::{SurfaceOptions, beside, surface};

/// A box, turned, less a ball at one of its corners.
struct Solid {
    turn: Matrix3<f64>,
}

impl Solid {
    fn at(&self, p: [f64; 3]) -> (f64, [f64; 3]) {
        let q = self.turn.transpose() * Vector3::from(p);
        let over = q.abs() - Vector3::new(0.62, 0.5, 0.42);
        let (value, local) = if over.max() <= 0.0 {
            let axis = over.imax();
            let mut g = Vector3::zeros();
            g[axis] = q[axis].signum();
            (over[axis], g)
        } else {
            let out = over.sup(&Vector3::zeros());
            let size = out.norm();
            (size, (out / size).component_mul(&q.map(f64::signum)))
        };
        let away = q - Vector3::new(0.62, 0.5, 0.42);
        let bite = 0.5 - away.norm();
        let (value, local) = if bite > value {
            (bite, -away.normalize())
        } else {
            (value, local)
        };
        (value, (self.turn * local).into())
    }
}

impl ScalarField<f64> for Solid {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        values
            .iter_mut()
            .zip(points)
            .for_each(|(v, p)| *v = self.at(*p).0);
    }
}

impl DifferentiableField<f64> for Solid {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        for ((v, g), p) in values.iter_mut().zip(gradients).zip(points) {
            (*v, *g) = self.at(*p);
        }
    }
}

/// Root mean square of the field on the surface, and the part of triangles with an angle below 10°.
fn quality(mesh: &Mesh<f64>, solid: &Solid) -> Result<[f64; 2], Box<dyn Error>> {
    let sampler = SurfaceSampler {
        count: 20_000,
        pattern: Pattern::Stratified,
        ..SurfaceSampler::default()
    };
    let points = sampler.sample(mesh)?.points;
    let square: f64 = points.iter().map(|p| solid.at(*p).0.powi(2)).sum();
    let thin = (0..mesh.triangles.len()).filter(|&t| {
        let p = mesh.corners(t);
        (0..3).any(|m| {
            let (u, v) = (p[(m + 1) % 3] - p[m], p[(m + 2) % 3] - p[m]);
            u.angle(&v).to_degrees() < 10.0
        })
    });
    Ok([
        (square / points.len() as f64).sqrt(),
        thin.count() as f64 / mesh.triangles.len() as f64,
    ])
}

fn main() -> Result<(), Box<dyn Error>> {
    let turn = ansatz_mesh::nalgebra::Rotation3::from_euler_angles(0.3, -0.4, 0.7);
    let solid = Solid {
        turn: turn.into_inner(),
    };
    let shape = GridShape::spanning([25; 3], [-1.0; 3], [1.0; 3])?;
    let samples = shape.sample(&solid);
    let grid = Grid::new(shape, &samples)?;
    let meshes = [
        (
            "marching cubes",
            MarchingCubes::default().extract(&grid, 0.0)?,
        ),
        ("surface nets", SurfaceNets::default().extract(&grid, 0.0)?),
        (
            "dual marching cubes",
            DualMarchingCubes::default().extract(&grid, 0.0)?,
        ),
        (
            "dual contouring",
            DualContouring::default().extract_field(&solid, shape, 0.0)?,
        ),
    ];
    let mut found = Vec::new();
    for (name, mesh) in &meshes {
        let [distance, thin] = quality(mesh, &solid)?;
        let topology = Topology::of(mesh)?;
        println!(
            "{name}: {} triangles, Euler characteristic {}, rms distance {distance:.1e}, {:.1} % thin",
            mesh.triangles.len(),
            topology.euler(),
            100.0 * thin,
        );
        found.push([distance, thin]);
    }
    println!(
        "distance by dual contouring over marching cubes = {:.3}",
        found[3][0] / found[0][0]
    );
    println!("thin triangles of surface nets = {:.4}", found[1][1]);

    println!("Euler characteristic of noise = {}", noise()?);

    let options = SurfaceOptions {
        size: 224,
        colour: [238; 3],
        inside: [120; 3],
        eye: [1.0, 1.4, 1.0],
        reach: 0.85,
        edges: 0.6,
        ..SurfaceOptions::default()
    };
    let row: Result<Vec<_>, _> = [0, 1, 3]
        .map(|m: usize| {
            let points: Vec<[f64; 3]> = meshes[m].1.vertices.iter().map(|p| (*p).into()).collect();
            surface(&points, &meshes[m].1.triangles, &options)
        })
        .into_iter()
        .collect();
    beside(&row?)?.save("target/gallery/extractors.png")?;
    println!("wrote target/gallery/extractors.png");
    Ok(())
}

/// χ of marching cubes on 8³ samples of noise in a box of ones.
fn noise() -> Result<i64, Box<dyn Error>> {
    fn splitmix(x: u64) -> u64 {
        let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
    let shape = GridShape::new([10; 3], [0.0; 3], [1.0; 3])?;
    let samples = shape.sample(&|p: [f64; 3]| {
        if p.iter().any(|x| !(0.5..8.5).contains(x)) {
            return 1.0;
        }
        let [i, j, k] = p.map(|x| x as u64);
        let bits = splitmix((1 << 32) + (i << 20) + (j << 10) + k) >> 40;
        2.0 * bits as f64 / f64::from(1 << 24) - 1.0
    });
    let mesh = MarchingCubes::default().extract(&Grid::new(shape, &samples)?, 0.0)?;
    Ok(Topology::of(&mesh)?.euler())
}
