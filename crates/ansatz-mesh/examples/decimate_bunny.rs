//! The Stanford bunny with fewer and fewer triangles.
//!
//! Marching cubes on the signed distance of the bunny give a fine mesh; edge collapses by quadric errors take it to a
//! hundredth. The table has the distances of each mesh to the fine one; topology stays that of a sphere throughout.
//! Run it with `cargo run --release -p ansatz-mesh --example decimate_bunny`.
//!
//! gallery: A bunny of 500 triangles
//! gallery: expect Hausdorff at 5000 triangles in 0..0.008
//! gallery: expect Euler characteristic in 2..2
//! gallery: picture decimate_bunny.png 66 620, 5 000, 1 500 and 500 triangles

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;

use ansatz_mesh::clean::{Decimate, Target};
use ansatz_mesh::measure::Topology;
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{
    Compare, Grid, GridDistance, GridShape, MarchingCubes, Mesh, Sign, SignedDistance, io,
};
use ansatz_viz::{Picture, SurfaceOptions, VizError, beside, surface};

const SAMPLES: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let bunny = normalised(io::ply::read(include_bytes!("../data/bunny.ply"))?);
    let distance = SignedDistance::new(&bunny, Sign::PseudoNormal)?;
    let shape = GridShape::spanning([SAMPLES; 3], [-1.0; 3], [1.0; 3])?;
    let samples: Vec<f32> = GridDistance::default().sample(&distance, shape);
    let fine = MarchingCubes::default().extract(&Grid::new(shape, &samples)?, 0.0)?;
    println!("{} triangles by marching cubes", fine.triangles.len());

    let mut pictures = vec![draw(&fine)?];
    let compare = Compare {
        samples: 40_000,
        ..Compare::default()
    };
    for triangles in [20_000, 5_000, 1_500, 500] {
        let mut mesh = fine.clone();
        let options = Decimate {
            target: Target::Triangles(triangles),
            ..Decimate::default()
        };
        options.apply(&mut mesh)?;
        let found = compare.meshes(&mesh, &fine)?;
        println!(
            "Hausdorff at {triangles} triangles = {:.5}",
            found.hausdorff
        );
        println!(
            "chamfer-L1 at {triangles} triangles = {:.6}",
            found.chamfer_l1
        );
        let topology = Topology::of(&mesh)?;
        println!("Euler characteristic = {}", topology.euler());
        if triangles < 20_000 {
            pictures.push(draw(&mesh)?);
        }
    }
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    beside(&pictures)?.save(folder.join("decimate_bunny.png"))?;
    println!("wrote target/gallery/decimate_bunny.png");
    Ok(())
}

/// The centre of the bounding box at 0, the longest extent 1.6.
fn normalised(mesh: Mesh<f32>) -> Mesh<f32> {
    let first = mesh.vertices[0].coords;
    let (low, high) = mesh.vertices.iter().fold((first, first), |(l, h), p| {
        (l.inf(&p.coords), h.sup(&p.coords))
    });
    let (centre, scale): (Vector3<f32>, f32) = ((low + high) / 2.0, 1.6 / (high - low).max());
    let place = |p: &Point3<f32>| Point3::from((p.coords - centre) * scale);
    Mesh {
        vertices: mesh.vertices.iter().map(place).collect(),
        ..mesh
    }
}

fn draw(mesh: &Mesh<f32>) -> Result<Picture, VizError> {
    let points: Vec<[f64; 3]> = mesh
        .vertices
        .iter()
        .map(|p| [p.x, p.y, p.z].map(f64::from))
        .collect();
    let few = mesh.triangles.len() < 10_000;
    let options = SurfaceOptions {
        size: 224,
        reach: 0.9,
        colour: [238; 3],
        inside: [120; 3],
        edges: if few { 0.6 } else { 0.0 },
        ..SurfaceOptions::default()
    };
    surface(&points, &mesh.triangles, &options)
}
