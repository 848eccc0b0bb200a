//! The bunny from points of its surface, by FlexiCubes and by the derivative of a level set.
//!
//! FlexiCubes begins with the winding number of 6,000 points and their normals, on cells of 1/8 with halves at the surface
//! and quarters on the ears, which are thinner than the halves; Adam moves values, weights and positions. The level set
//! begins with a ball and moves the samples of a signed distance on a 41³ grid: marching cubes makes the mesh, the formula
//! of DeepMesh takes the loss from its vertices to the samples, whose derivative is smoothed, and the grid is made a
//! distance again now and then. The loss is the squared distance both ways; points look for the nearest part of the mesh
//! that faces their way, so that the two sides of an ear do not pull at each other. Run it with
//! `cargo run --release -p ansatz-mesh --example fit_bunny` (half a minute).
//!
//! gallery: A bunny from points, by differentiable surfaces
//! gallery: expect chamfer distance by FlexiCubes in 0..0.0022
//! gallery: expect chamfer distance by a level set in 0..0.003
//! gallery: expect Euler characteristic by FlexiCubes in 2..2
//! gallery: expect Euler characteristic by a level set in 2..2
//! gallery: picture fit_bunny.png The target, FlexiCubes, the level set of a grid
//! gallery: picture fit_bunny.svg Loss by steps

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/fit.rs"]
mod fit;

use std::error::Error;
use std::f64::consts::PI;

use ansatz_mesh::flexicubes::{FlexiSplit, OctreeGrid};
use ansatz_mesh::measure::{self, Topology};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{
    Compare, Grid, GridDistance, GridField, GridShape, LevelSetDerivative, MarchingCubes, Mesh,
    MeshError, Pattern, Sign, SignedDistance, SurfaceSampler, TriangleTree,
};
use ansatz_viz::{Axis, Chart, Scale, Series, SurfaceOptions, beside, surface};
use fit::{Adam, Fit, Freedom, nearest_of, normals_of, points_of, to_vertices};

const STEPS: usize = 300;

/// About how far samples are from each other.
const SPACING: f64 = 0.03;

/// What both methods are to fit.
struct Target {
    tree: TriangleTree,
    samples: Vec<Point3<f64>>,
    normals: Vec<Vector3<f64>>,
    area: f64,
}

impl Target {
    /// Mean squared distance of the mesh's points to the surface, and of the samples to the mesh's points.
    fn loss(&self, mesh: &Mesh<f64>) -> (f64, Vec<Vector3<f64>>) {
        let points = points_of(mesh);
        let (n, m) = (points.len() as f64, self.samples.len() as f64);
        let mut value = 0.0;
        let mut by_point: Vec<Vector3<f64>> = points
            .iter()
            .map(|p| {
                let away = p - Point3::from(self.tree.closest((*p).into()).point);
                value += away.norm_squared() / n;
                away * (2.0 / n)
            })
            .collect();
        let normals = normals_of(mesh);
        let facing = |s: usize, p: usize| self.normals[s].dot(&normals[p]) > 0.0;
        for (s, p) in self
            .samples
            .iter()
            .zip(nearest_of(&self.samples, &points, facing))
        {
            value += (points[p] - s).norm_squared() / m;
            by_point[p] += (points[p] - s) * (2.0 / m);
        }
        (value, to_vertices(mesh, &by_point))
    }
}

/// Two rounds of (1, 2, 1)/4 along each axis.
fn smooth(x: &mut [f64], n: [usize; 3]) {
    let stride = [n[1] * n[2], n[2], 1];
    for axis in [0, 1, 2, 0, 1, 2] {
        let old = x.to_vec();
        for (at, x) in x.iter_mut().enumerate() {
            let place = at / stride[axis] % n[axis];
            let low = if place > 0 {
                old[at - stride[axis]]
            } else {
                0.0
            };
            let high = if place + 1 < n[axis] {
                old[at + stride[axis]]
            } else {
                0.0
            };
            *x = 0.25 * low + 0.5 * old[at] + 0.25 * high;
        }
    }
}

/// Moves the samples of a signed distance.
fn fit_level_set(target: &Target) -> Result<(Mesh<f64>, Vec<f64>), MeshError> {
    let shape = GridShape::spanning([41; 3], [-1.0; 3], [1.0; 3])?;
    let mut samples = shape.sample(&|[x, y, z]: [f64; 3]| (x * x + y * y + z * z).sqrt() - 0.6);
    let mut adam = Adam::default();
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let mesh = MarchingCubes::default().extract(&Grid::new(shape, &samples)?, 0.0)?;
        if step % 10 == 9 {
            let distance = SignedDistance::new(&mesh, Sign::PseudoNormal)?;
            samples = GridDistance::default().sample(&distance, shape);
        }
        let (loss, by_vertex) = target.loss(&mesh);
        losses.push(loss);
        let field = GridField::new(Grid::new(shape, &samples)?);
        let c = LevelSetDerivative::default().vjp(&field, &mesh.vertices, &by_vertex)?;
        let points: Vec<[f64; 3]> = mesh.vertices.iter().map(|v| (*v).into()).collect();
        let mut by_sample = field.vjp(&points, &c.values)?;
        smooth(&mut by_sample, shape.dims());
        let rate = 0.01 * 0.1_f64.powf(step as f64 / STEPS as f64);
        adam.update(&mut samples, &by_sample, rate);
    }
    Ok((
        MarchingCubes::default().extract(&Grid::new(shape, &samples)?, 0.0)?,
        losses,
    ))
}

impl Target {
    /// The winding number of the samples, each of which stands for a piece of surface of the same area.
    fn winding(&self, at: [f64; 3]) -> f64 {
        let terms = self.samples.iter().zip(&self.normals).map(|(s, n)| {
            let away = s - Point3::from(at);
            // Nearer than their distance, pieces look flat and not like points.
            n.dot(&away) / away.norm().max(SPACING).powi(3)
        });
        terms.sum::<f64>() * self.area / (self.samples.len() as f64 * 4.0 * PI)
    }

    /// Cells of 1/8 with halves at the surface and quarters where it faces itself, as on the ears.
    fn cells(&self) -> Result<OctreeGrid, MeshError> {
        let near = |low: [f64; 3], high: [f64; 3], reach: f64| {
            let middle = Point3::from(low) + (Vector3::from(high) - Vector3::from(low)) / 2.0;
            let reach = reach * (high[0] - low[0]);
            let found = self.samples.iter().zip(&self.normals);
            let found = found.filter(|(s, _)| (*s - middle).norm() < reach);
            found.map(|(_, n)| *n).collect::<Vec<_>>()
        };
        let faces_itself = |n: &[Vector3<f64>]| n.iter().any(|a| n.iter().any(|b| a.dot(b) < -0.5));
        OctreeGrid::new([16; 3], [-1.0; 3], [1.0; 3])?
            .refine(|low, high| !near(low, high, 1.5).is_empty())?
            .refine(|low, high| faces_itself(&near(low, high, 1.7)))
    }
}

fn fit_flexicubes(target: &Target) -> Result<(Mesh<f64>, Vec<f64>), MeshError> {
    let start = |p: [f64; 3]| 0.1 * (0.5 - target.winding(p));
    let mut fit = Fit::on(target.cells()?, &start, Freedom::All);
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let rate = 0.004 * 0.1_f64.powf(step as f64 / STEPS as f64);
        losses.push(fit.step(rate, [0.1, 0.0], |mesh| target.loss(mesh))?);
    }
    // Two quads may share a diagonal; centres keep the mesh a manifold.
    Ok((fit.surface(FlexiSplit::Training)?.mesh, losses))
}

fn main() -> Result<(), Box<dyn Error>> {
    let bunny = common::bunny();
    let sampler = SurfaceSampler {
        count: 6_000,
        pattern: Pattern::PoissonDisc,
        ..SurfaceSampler::default()
    };
    let found = sampler.sample(&bunny)?;
    let normal = |triangle: &u32| {
        let [a, b, c] = bunny.corners(*triangle as usize);
        (b - a).cross(&(c - a)).normalize()
    };
    let target = Target {
        tree: TriangleTree::new(&bunny)?,
        area: measure::area(&bunny)?,
        normals: found.faces.iter().map(normal).collect(),
        samples: found.points.into_iter().map(Point3::from).collect(),
    };
    let flexible = fit_flexicubes(&target)?;
    let level = fit_level_set(&target)?;
    let compare = Compare {
        samples: 20_000,
        ..Compare::default()
    };
    for (name, (mesh, losses)) in [("FlexiCubes", &flexible), ("a level set", &level)] {
        let found = compare.meshes(mesh, &bunny)?;
        let topology = Topology::of(mesh)?;
        println!(
            "{name}: {} triangles in {} part(s)",
            mesh.triangles.len(),
            topology.components.len()
        );
        println!("Euler characteristic by {name} = {}", topology.euler());
        println!(
            "{name}: loss from {:.1e} to {:.1e}",
            losses[0],
            losses[STEPS - 1]
        );
        println!("chamfer distance by {name} = {:.5}", found.chamfer_l1);
    }
    let options = SurfaceOptions {
        size: 250,
        reach: 0.95,
        colour: [238; 3],
        inside: [120; 3],
        edges: 0.5,
        ..SurfaceOptions::default()
    };
    let row: Result<Vec<_>, _> = [&bunny, &flexible.0, &level.0]
        .map(|mesh| {
            let points: Vec<[f64; 3]> = mesh.vertices.iter().map(|p| (*p).into()).collect();
            surface(&points, &mesh.triangles, &options)
        })
        .into_iter()
        .collect();
    beside(&row?)?.save("target/gallery/fit_bunny.png")?;
    let series = [("FlexiCubes", &flexible.1), ("level set", &level.1)].map(|(name, y)| {
        Series::line(
            name,
            y.iter().enumerate().step_by(3).map(|(x, y)| (x as f64, *y)),
        )
    });
    let chart = Chart {
        x: Axis {
            label: "step".into(),
            ..Axis::default()
        },
        y: Axis {
            label: "loss".into(),
            scale: Scale::Log,
            ..Axis::default()
        },
        series: series.into(),
        ..Chart::default()
    };
    std::fs::write("target/gallery/fit_bunny.svg", chart.to_svg()?)?;
    println!("wrote target/gallery/fit_bunny.png and .svg");
    Ok(())
}
