//! A domain by constructive geometry with points of its inside and boundary, and points that follow a residual.
//!
//! A plate with a round end has a hole and an elliptic slot; all of it is turned. Points inside are scrambled Sobol points, those
//! on the boundary are uniform in length and carry outward normals. The area by the share of points that fall inside is held
//! against its closed form 8 + π/4 − 0.18π. Then 600 points are moved by residual-based adaptive distribution to where
//! a residual is large, a ridge across the plate. Run it with `cargo run --release -p ansatz-pde --example domains`.
//!
//! gallery: A domain with its points
//! gallery: expect error of the area in 0..2e-3
//! gallery: expect longest distance to the boundary in 0..1e-9
//! gallery: expect share of points on the ridge in 0.9..1
//! gallery: picture domain.png Points inside, on the boundary, and normals of a plate with a round end, a hole and a slot
//! gallery: picture domain_adaptive.png Points drawn where a residual is large

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::core::Key;
use ansatz_pde::{
    Ball, BoxDomain, Csg, Density, Ellipse, Geometry, Moved, Points, Refinement, Sampler,
};
use ansatz_viz::{PointSet, ScatterOptions, scatter};

/// Length of the normals drawn, and dots that draw one.
const LENGTH: f64 = 0.2;
const DOTS: usize = 24;

fn set(points: &Points, colour: usize) -> PointSet {
    PointSet {
        points: points.rows().map(|x| [x[0], x[1]]).collect(),
        colour,
    }
}

/// Large along a line across the plate.
fn ridge(x: &[f64]) -> Vec<f64> {
    let height = |x: &[f64]| (-((x[0] + 0.5 * x[1] - 0.6) / 0.08).powi(2)).exp();
    x.chunks_exact(2).map(height).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plate = Arc::new(BoxDomain::rectangle([-2.0, 2.0], [-1.0, 1.0])?);
    let end = Arc::new(Ball::new(vec![2.0, 0.0], 1.0)?);
    let hole = Arc::new(Ball::new(vec![2.0, 0.0], 0.5)?);
    let slot = Arc::new(Ellipse::new([-1.0, 0.0], [0.6, 0.3], 0.5)?);
    let body = Arc::new(Csg::union(vec![plate, end])?);
    let solid = Arc::new(Csg::difference(body, vec![hole, slot])?);
    let domain = Moved::rotated(solid, PI / 8.0)?;

    let key = Key::new(1);
    let inside = domain.sample_interior(1500, &Sampler::default(), key)?;
    let edge = domain.sample_boundary(160, &Sampler::default(), key)?;
    let off = domain.distances(&edge.points)?;
    let longest = off.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    println!("longest distance to the boundary = {longest:.1e}");

    let bounds = domain.bounds();
    let extents = bounds.extents();
    let unit = Sampler::default().unit(1 << 16, 2, key)?;
    let place = |u: &[f64]| [0, 1].map(|k| bounds.low[k] + extents[k] * u[k]);
    let probes = Points::new(2, unit.rows().flat_map(place).collect())?;
    let hits = domain.contains(&probes)?.into_iter().filter(|i| *i).count();
    let area = extents[0] * extents[1] * hits as f64 / probes.len() as f64;
    let exact = 8.0 + PI / 4.0 - 0.18 * PI;
    println!("area = {area:.4}, in closed form {exact:.4}");
    println!("error of the area = {:.1e}", (area / exact - 1.0).abs());

    let normals = edge.points.rows().zip(edge.normals.rows());
    let along = |i: usize| LENGTH * i as f64 / DOTS as f64;
    let dots = normals.flat_map(|(x, n)| {
        (0..DOTS).map(move |i| [x[0] + along(i) * n[0], x[1] + along(i) * n[1]])
    });
    let normals = PointSet {
        points: dots.collect(),
        colour: 2,
    };
    let options = ScatterOptions {
        size: 420,
        radius: 1.5,
        ..ScatterOptions::default()
    };
    let picture = scatter(&[set(&inside, 0), normals, set(&edge.points, 1)], &options)?;
    picture.save("target/gallery/domain.png")?;

    let refinement = Refinement::Rad {
        density: Density::FOLLOWING,
    };
    let points = domain.sample_interior(600, &Sampler::default(), key)?;
    let draw = |n, key| domain.sample_interior(n, &Sampler::Uniform, key);
    let moved = refinement.next(&points, 20_000, draw, ridge, key.fold_in(1))?;
    let on = ridge(moved.as_slice());
    let share = on.iter().filter(|r| **r > 0.1).count() as f64 / on.len() as f64;
    println!("share of points on the ridge = {share:.3}");
    let around = set(
        &domain
            .sample_boundary(2000, &Sampler::default(), key)?
            .points,
        1,
    );
    let picture = scatter(&[around, set(&moved, 0)], &options)?;
    picture.save("target/gallery/domain_adaptive.png")?;
    println!("wrote target/gallery/domain.png and domain_adaptive.png");
    Ok(())
}
