//! Grids that surfaces are extracted from, and the extractions, for the suite and for peers.

use std::f64::consts::TAU;
use std::time::Instant;

use ansatz_mesh::nalgebra::Point3;
use ansatz_mesh::{
    Ambiguity, DualMarchingCubes, Grid, GridDistance, GridShape, MarchingCubes, Mesh, MeshError,
    Normals, Sign, SignedDistance, SurfaceNets, Workspace, io, measure,
};

use crate::suites::SuiteError;

/// What is sampled.
pub const FIELDS: [&str; 3] = ["sphere", "gyroid", "bunny"];

/// How it is extracted.
pub const METHODS: [&str; 6] = [
    "marching cubes",
    "marching cubes, normals",
    "marching cubes, one rule",
    "surface nets",
    "surface nets, normals",
    "dual marching cubes",
];

/// Samples on [−1, 1]³, computed in `f64` and rounded, z fastest.
#[derive(Debug, Clone)]
pub struct Field {
    /// Where they are.
    pub shape: GridShape,
    /// Their values.
    pub samples: Vec<f32>,
}

impl Field {
    /// One of [`FIELDS`] with n samples along each axis: the distance from a sphere of radius ¾, the gyroid, or the signed
    /// distance from the bunny, centred and 1.6 long.
    ///
    /// # Errors
    /// [`SuiteError::Unknown`] for another name; a bunny that cannot be read.
    pub fn new(name: &str, n: usize) -> Result<Self, SuiteError> {
        let shape = GridShape::spanning([n; 3], [-1.0; 3], [1.0; 3])?;
        let sphere = |p: [f64; 3]| {
            let square = |(x, c): (f64, f64)| (x - c) * (x - c);
            let squares: f64 = p.into_iter().zip([0.03, -0.02, 0.01]).map(square).sum();
            squares.sqrt() - 0.75
        };
        let gyroid = |[x, y, z]: [f64; 3]| {
            let [x, y, z] = [x + 0.013, y + 0.026, z + 0.039].map(|v| TAU * v);
            x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos()
        };
        let round = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        let samples = match name {
            "sphere" => round(shape.sample(&sphere)),
            "gyroid" => round(shape.sample(&gyroid)),
            "bunny" => {
                let distance = SignedDistance::new(&bunny()?, Sign::PseudoNormal)?;
                GridDistance::default().sample(&distance, shape)
            }
            _ => {
                return Err(SuiteError::Unknown {
                    name: name.to_owned(),
                    known: FIELDS.join(", "),
                });
            }
        };
        Ok(Self { shape, samples })
    }

    /// The samples as their bytes in memory's order.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.samples.iter().flat_map(|v| v.to_le_bytes()).collect()
    }
}

/// The Stanford bunny of 3674 triangles, centred, its longest extent 1.6.
///
/// # Errors
/// If it cannot be read.
pub fn bunny() -> Result<Mesh<f64>, SuiteError> {
    let mut mesh: Mesh<f64> =
        io::ply::read(include_bytes!("../../crates/ansatz-mesh/data/bunny.ply"))?;
    let fold = |f: fn(f64, f64) -> f64, start: f64| -> [f64; 3] {
        let along = |a: usize| mesh.vertices.iter().map(|p| p[a]).fold(start, f);
        [along(0), along(1), along(2)]
    };
    let (low, high) = (
        fold(f64::min, f64::INFINITY),
        fold(f64::max, f64::NEG_INFINITY),
    );
    let extent = low.iter().zip(high).map(|(l, h)| h - l).fold(0.0, f64::max);
    for p in &mut mesh.vertices {
        *p = Point3::from([0, 1, 2].map(|a| (p[a] - 0.5 * (low[a] + high[a])) * 1.6 / extent));
    }
    Ok(mesh)
}

/// A field with the memory of its extractions.
#[derive(Debug)]
pub struct Extraction {
    field: Field,
    workspace: Workspace<f32>,
    mesh: Mesh<f32>,
}

impl Extraction {
    /// Nothing extracted yet.
    #[must_use]
    pub fn new(field: Field) -> Self {
        Self {
            field,
            workspace: Workspace::default(),
            mesh: Mesh::default(),
        }
    }

    /// The samples.
    #[must_use]
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// What was extracted last.
    #[must_use]
    pub fn mesh(&self) -> &Mesh<f32> {
        &self.mesh
    }

    /// Forgets mesh and memory.
    pub fn clear(&mut self) {
        (self.workspace, self.mesh) = (Workspace::default(), Mesh::default());
    }

    /// Seconds to extract the level set of 0 by one of [`METHODS`].
    ///
    /// # Errors
    /// [`SuiteError::Unknown`] for another name; [`MeshError`].
    pub fn run(&mut self, method: &str) -> Result<f64, SuiteError> {
        let grid = Grid::new(self.field.shape, &self.field.samples)?;
        let Self {
            workspace, mesh, ..
        } = self;
        let normals = if method.ends_with("normals") {
            Normals::CentralDifferences
        } else {
            Normals::None
        };
        let start = Instant::now();
        let done: Result<(), MeshError> = match method {
            "marching cubes" | "marching cubes, normals" => MarchingCubes {
                normals,
                ..MarchingCubes::default()
            }
            .extract_into(&grid, 0.0, workspace, mesh),
            "marching cubes, one rule" => MarchingCubes {
                ambiguity: Ambiguity::SeparateInside,
                ..MarchingCubes::default()
            }
            .extract_into(&grid, 0.0, workspace, mesh),
            "surface nets" | "surface nets, normals" => SurfaceNets {
                normals,
                ..SurfaceNets::default()
            }
            .extract_into(&grid, 0.0, workspace, mesh),
            "dual marching cubes" => {
                DualMarchingCubes::default().extract_into(&grid, 0.0, workspace, mesh)
            }
            _ => {
                return Err(SuiteError::Unknown {
                    name: method.to_owned(),
                    known: METHODS.join(", "),
                });
            }
        };
        done?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Vertices, triangles and area of what was extracted last: what peers are compared by.
    ///
    /// # Errors
    /// [`MeshError`] if it is no mesh.
    pub fn summary(&self) -> Result<[f64; 3], MeshError> {
        let Mesh {
            vertices,
            triangles,
            ..
        } = &self.mesh;
        let area = measure::area(&self.mesh)?;
        Ok([vertices.len() as f64, triangles.len() as f64, area])
    }
}
