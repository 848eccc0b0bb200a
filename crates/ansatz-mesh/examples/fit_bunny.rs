//! The bunny from points of its surface, by FlexiCubes and by the derivative of a level set.
//!
//! Both begin with a ball and see 6,000 points. FlexiCubes moves the values of a 24³ lattice by Adam, then weights and
//! positions too.
//! The level set moves the samples of a signed distance on a 33³ grid: marching cubes makes the mesh, the formula of
//! DeepMesh takes the loss from its vertices to the samples, whose derivative is smoothed, and the grid is made a distance
//! again now and then. The loss is the squared distance both ways. Run it with
//! `cargo run --release -p ansatz-mesh --example fit_bunny` (half a minute).
//!
//! gallery: A bunny from points, by differentiable surfaces
//! gallery: expect chamfer distance by FlexiCubes in 0..0.0065
//! gallery: expect chamfer distance by a level set in 0..0.005
//! gallery: picture fit_bunny.png The target, FlexiCubes, the level set of a grid
//! gallery: picture fit_bunny.svg Loss by steps

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/fit.rs"]
mod fit;

use std::error::Error;

use ansatz_mesh::core::{DifferentiableField, ScalarField};
use ansatz_mesh::flexicubes::FlexiSplit;
use ansatz_mesh::measure::Topology;
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{
    Compare, Grid, GridDistance, GridShape, LevelSetDerivative, MarchingCubes, Mesh, MeshError,
    Pattern, Sign, SignedDistance, SurfaceSampler, TriangleTree,
};
use ansatz_viz::{Axis, Chart, Scale, Series, SurfaceOptions, beside, surface};
use fit::{Adam, Fit, Freedom, nearest, points_of, to_vertices};

const STEPS: usize = 300;

/// What both methods are to fit.
struct Target {
    tree: TriangleTree,
    samples: Vec<Point3<f64>>,
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
        for (s, p) in self.samples.iter().zip(nearest(&self.samples, &points)) {
            value += (points[p] - s).norm_squared() / m;
            by_point[p] += (points[p] - s) * (2.0 / m);
        }
        (value, to_vertices(mesh, &by_point))
    }
}

/// The trilinear interpolant of a grid.
struct Trilinear<'a> {
    shape: GridShape,
    samples: &'a [f64],
}

impl Trilinear<'_> {
    /// Samples around a point with their weights and the derivatives of these.
    fn weights(&self, p: [f64; 3]) -> [(usize, f64, [f64; 3]); 8] {
        let (n, o, h) = (self.shape.dims(), self.shape.origin(), self.shape.spacing());
        let x = [0, 1, 2].map(|a| (p[a] - o[a]) / h[a]);
        let low = [0, 1, 2].map(|a| (x[a].max(0.0) as usize).min(n[a] - 2));
        let t = [0, 1, 2].map(|a| x[a] - low[a] as f64);
        std::array::from_fn(|c| {
            let bit = [c & 1, c >> 1 & 1, c >> 2];
            let w = [0, 1, 2].map(|a| if bit[a] == 1 { t[a] } else { 1.0 - t[a] });
            let d = [0, 1, 2].map(|a| if bit[a] == 1 { 1.0 / h[a] } else { -1.0 / h[a] });
            let at = ((low[0] + bit[0]) * n[1] + low[1] + bit[1]) * n[2] + low[2] + bit[2];
            (
                at,
                w[0] * w[1] * w[2],
                [d[0] * w[1] * w[2], w[0] * d[1] * w[2], w[0] * w[1] * d[2]],
            )
        })
    }
}

impl ScalarField<f64> for Trilinear<'_> {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        for (v, p) in values.iter_mut().zip(points) {
            *v = self
                .weights(*p)
                .iter()
                .map(|(at, w, _)| w * self.samples[*at])
                .sum();
        }
    }
}

impl DifferentiableField<f64> for Trilinear<'_> {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        self.eval(points, values);
        for (g, p) in gradients.iter_mut().zip(points) {
            let w = self.weights(*p);
            *g = [0, 1, 2].map(|a| w.iter().map(|(at, _, d)| d[a] * self.samples[*at]).sum());
        }
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
    let shape = GridShape::spanning([33; 3], [-1.0; 3], [1.0; 3])?;
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
        let field = Trilinear {
            shape,
            samples: &samples,
        };
        let c = LevelSetDerivative::default().vjp(&field, &mesh.vertices, &by_vertex)?;
        let mut by_sample = vec![0.0; samples.len()];
        for (c, v) in c.values.iter().zip(&mesh.vertices) {
            for (at, w, _) in field.weights((*v).into()) {
                by_sample[at] += w * c;
            }
        }
        smooth(&mut by_sample, shape.dims());
        let rate = 0.01 * 0.1_f64.powf(step as f64 / STEPS as f64);
        adam.update(&mut samples, &by_sample, rate);
    }
    Ok((
        MarchingCubes::default().extract(&Grid::new(shape, &samples)?, 0.0)?,
        losses,
    ))
}

fn fit_flexicubes(target: &Target) -> Result<(Mesh<f64>, Vec<f64>), MeshError> {
    // Small values far away change sign when the surface comes.
    let ball = |p: [f64; 3]| (Vector3::from(p).norm() - 0.6).clamp(-0.15, 0.15);
    let mut fit = Fit::new(24, ball, Freedom::Values)?;
    let mut losses = Vec::new();
    for step in 0..STEPS {
        // Positions that move before the parts are in place fold the surface.
        if step == STEPS / 2 {
            fit.freedom = Freedom::All;
        }
        let rate = 0.02 * 0.1_f64.powf(step as f64 / STEPS as f64);
        losses.push(fit.step(rate, [1e-2, 1e-3], |mesh| target.loss(mesh))?);
    }
    Ok((fit.surface(FlexiSplit::Evaluation)?.mesh, losses))
}

fn main() -> Result<(), Box<dyn Error>> {
    let bunny = common::bunny();
    let sampler = SurfaceSampler {
        count: 6_000,
        pattern: Pattern::PoissonDisc,
        ..SurfaceSampler::default()
    };
    let samples = sampler
        .sample(&bunny)?
        .points
        .into_iter()
        .map(Point3::from)
        .collect();
    let target = Target {
        tree: TriangleTree::new(&bunny)?,
        samples,
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
            "{name}: {} triangles, Euler characteristic {}",
            mesh.triangles.len(),
            topology.euler()
        );
        println!(
            "{name}: loss from {:.1e} to {:.1e}",
            losses[0],
            losses[STEPS - 1]
        );
        println!("chamfer distance by {name} = {:.5}", found.chamfer_l1);
    }
    let options = SurfaceOptions {
        size: 250,
        reach: 0.9,
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
