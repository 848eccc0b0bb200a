//! Marching cubes and surface nets in the memory of a CUDA device: the meshes of [`MarchingCubes`](crate::MarchingCubes) and
//! [`SurfaceNets`](crate::SurfaceNets), to the bit.
//!
//! Samples stay where they are. Signs, crossings and the triangles that the table of [cases](crate::Ambiguity) has are made
//! on the device; cells whose signs leave a choice (about one in a thousand of a smooth surface, one in three of noise)
//! come to the processor with their eight samples, are decided by the very code of the other extractor on the threads of
//! the caller's pool, and go back. The mesh stays on the device until it is asked for.
//!
//! Cost: one pass over the samples, 3/4 of a byte a sample and some 200 bytes a crossed cell of memory traffic.

use nalgebra::Point3;
use rayon::prelude::*;

use ansatz_core::Scalar;
use ansatz_cuda::kernel::crossings::Crossings;
use ansatz_cuda::kernel::cubes::{Classified, OPEN, Open, Table};
use ansatz_cuda::kernel::nets;
use ansatz_cuda::{Buffer, CudaError, DeviceScalar};

pub use ansatz_cuda as cuda;

use crate::crossings::{LIMIT, fraction, place, unflatten};
use crate::cube::{EDGES, OTHERS, Trilinear, table};
use crate::marching_cubes::{Cell, Part, exact_cell};
use crate::{Ambiguity, GridShape, Mesh, MeshError, QuadMesh};

/// Open cells that one task decides.
const TASK: usize = 1024;

/// Marching cubes on a device, without normals.
///
/// ```
/// use ansatz_mesh::{GridShape, device::{DeviceMarchingCubes, cuda::Device}};
/// # fn with(device: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let ball = |[x, y, z]: [f32; 3]| (x * x + y * y + z * z).sqrt() - 0.7;
/// let samples = device.upload(&shape.sample(&ball))?;
/// let mesh = DeviceMarchingCubes::default().extract(shape, &samples, 0.0)?.to_mesh()?;
/// assert_eq!(mesh.triangles.len(), 2 * (mesh.vertices.len() - 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceMarchingCubes {
    /// What to do on ambiguous faces.
    pub ambiguity: Ambiguity,
}

/// A triangle mesh in device memory.
#[derive(Debug)]
pub struct DeviceMesh<T: DeviceScalar> {
    /// Positions, three coordinates each.
    pub vertices: Buffer<T>,
    /// Triangles, three indices of vertices each, counter-clockwise seen from outside.
    pub triangles: Buffer<u32>,
}

impl<T: DeviceScalar> DeviceMesh<T> {
    /// The mesh in main memory.
    ///
    /// # Errors
    /// [`MeshError::Device`].
    pub fn to_mesh(&self) -> Result<Mesh<T>, MeshError> {
        Ok(Mesh {
            vertices: points(&self.vertices)?,
            triangles: self.triangles.to_vec()?.as_chunks::<3>().0.to_vec(),
            normals: None,
        })
    }
}

impl DeviceMarchingCubes {
    /// The surface of {f < iso} for samples in device memory, z fastest.
    ///
    /// # Errors
    /// As [`MarchingCubes::extract`](crate::MarchingCubes::extract); [`MeshError::Length`] where the samples are not as many
    /// as the shape says; [`MeshError::Device`] for 2³² samples or more, and for what the device answers.
    pub fn extract<T: DeviceScalar>(
        &self,
        shape: GridShape,
        samples: &Buffer<T>,
        iso: T,
    ) -> Result<DeviceMesh<T>, MeshError> {
        let crossings = find(shape, samples, iso)?;
        let (classified, open) = Classified::new(&crossings, samples, &cases(self.ambiguity))?;
        let decided = decide(shape, iso, &open, crossings.len());
        let vertices = crossings.len() + decided.points.len() / 3;
        if vertices >= LIMIT {
            return Err(MeshError::TooLarge { vertices });
        }
        let (origin, spacing) = (shape.origin(), shape.spacing());
        Ok(DeviceMesh {
            vertices: crossings.points(samples, origin, spacing, &decided.points)?,
            triangles: classified.triangles(&decided.ends, &decided.triangles)?,
        })
    }
}

/// Surface nets on a device: a vertex in each crossed cell, the mesh of [`SurfaceNets`](crate::SurfaceNets) with
/// [`DualVertices::PerCell`](crate::DualVertices::PerCell), without relaxation and normals, to the bit.
///
/// ```
/// use ansatz_mesh::{GridShape, QuadSplit, device::{DeviceSurfaceNets, cuda::Device}};
/// # fn with(device: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let ball = |[x, y, z]: [f32; 3]| (x * x + y * y + z * z).sqrt() - 0.7;
/// let samples = device.upload(&shape.sample(&ball))?;
/// let quads = DeviceSurfaceNets.extract(shape, &samples, 0.0)?.to_quads()?;
/// let mesh = quads.triangulate(QuadSplit::ShorterDiagonal);
/// assert_eq!(mesh.triangles.len(), 2 * (mesh.vertices.len() - 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceSurfaceNets;

/// Quads in device memory.
#[derive(Debug)]
pub struct DeviceQuads<T: DeviceScalar> {
    /// Positions, three coordinates each.
    pub vertices: Buffer<T>,
    /// Quads, four indices of vertices each, counter-clockwise seen from outside.
    pub quads: Buffer<u32>,
}

impl<T: DeviceScalar> DeviceQuads<T> {
    /// The quads in main memory.
    ///
    /// # Errors
    /// [`MeshError::Device`].
    pub fn to_quads(&self) -> Result<QuadMesh<T>, MeshError> {
        Ok(QuadMesh {
            vertices: points(&self.vertices)?,
            quads: self.quads.to_vec()?.as_chunks::<4>().0.to_vec(),
            normals: None,
        })
    }
}

impl DeviceSurfaceNets {
    /// The surface of {f < iso} for samples in device memory, z fastest.
    ///
    /// # Errors
    /// As [`DeviceMarchingCubes::extract`].
    pub fn extract<T: DeviceScalar>(
        &self,
        shape: GridShape,
        samples: &Buffer<T>,
        iso: T,
    ) -> Result<DeviceQuads<T>, MeshError> {
        let crossings = find(shape, samples, iso)?;
        let points = crossings.points(samples, shape.origin(), shape.spacing(), &[])?;
        let mut order = [[0; 16]; 256];
        for (row, case) in order.iter_mut().zip(0..=255_u8) {
            let edges = table().entry(case, 0).all_edges();
            row[0] = edges.len() as u8;
            row[1..=edges.len()].copy_from_slice(edges);
        }
        let (vertices, quads) = nets::extract(&crossings, &points, &order)?;
        Ok(DeviceQuads { vertices, quads })
    }
}

/// Positions in main memory.
fn points<T: DeviceScalar>(coordinates: &Buffer<T>) -> Result<Vec<Point3<T>>, MeshError> {
    let coordinates = coordinates.to_vec()?;
    let points = coordinates.as_chunks::<3>().0.iter();
    Ok(points.map(|p| Point3::from(*p)).collect())
}

/// The crossings of the level set, with the errors of this crate.
fn find<T: DeviceScalar>(
    shape: GridShape,
    samples: &Buffer<T>,
    iso: T,
) -> Result<Crossings, MeshError> {
    let dims = shape.dims();
    if samples.len() != shape.samples() {
        return Err(MeshError::Length {
            dims,
            expected: shape.samples(),
            found: samples.len(),
        });
    }
    if !iso.is_finite() {
        return Err(MeshError::NotFinite {
            what: "iso value",
            value: iso.f64(),
        });
    }
    match Crossings::find(dims, samples, iso.f64()) {
        Err(CudaError::NotFinite { index, .. }) => Err(MeshError::Sample {
            index: unflatten(dims, index),
            value: samples.element(index)?.f64(),
        }),
        found => Ok(found?),
    }
}

/// The table as the device takes it: cases that need more than their signs are left open.
fn cases(ambiguity: Ambiguity) -> Table {
    let table = table();
    let mut rows = [[0; 16]; 256];
    for (row, case) in rows.iter_mut().zip(0..=255_u8) {
        let entry = match ambiguity {
            Ambiguity::SeparateOutside => table.entry(case, table.outside(case)),
            _ => table.entry(case, 0),
        };
        let plain = entry.loops <= 1 && table.ambiguous[usize::from(case)] == 0;
        if ambiguity == Ambiguity::Trilinear && !plain {
            row[0] = OPEN;
            continue;
        }
        let edges = entry.triangles().as_flattened();
        row[0] = entry.triangles().len() as u8;
        row[1..=edges.len()].copy_from_slice(edges);
    }
    rows
}

/// What was decided about open cells.
struct Decided<T> {
    /// Coordinates of the vertices inside of them.
    points: Vec<T>,
    triangles: Vec<[u32; 3]>,
    /// Where the triangles of each cell end.
    ends: Vec<u32>,
}

/// The triangles of open cells, whose vertices stand behind `before` others. Cells of fixed tasks: the bits do not depend on
/// the threads.
fn decide<T: DeviceScalar>(shape: GridShape, iso: T, open: &Open<T>, before: usize) -> Decided<T> {
    let tasks: Vec<(Part<T>, Vec<u32>)> = (0..open.cells.len().div_ceil(TASK))
        .into_par_iter()
        .map(|task| {
            let (mut part, mut ends) = (Part::default(), Vec::new());
            for o in task * TASK..open.cells.len().min((task + 1) * TASK) {
                one(shape, iso, open, o, &mut part);
                ends.push(part.triangles().len() as u32);
            }
            (part, ends)
        })
        .collect();
    let mut decided = Decided {
        points: Vec::new(),
        triangles: Vec::new(),
        ends: Vec::new(),
    };
    for (mut part, ends) in tasks {
        let vertices = before + decided.points.len() / 3;
        part.number(vertices as u32);
        let first = decided.triangles.len() as u32;
        decided.ends.extend(ends.iter().map(|end| first + end));
        decided.triangles.extend_from_slice(part.triangles());
        let points = part.points().iter().flat_map(|p| [p.x, p.y, p.z]);
        decided.points.extend(points);
    }
    decided
}

/// Adds the triangles of open cell number `o`.
fn one<T: DeviceScalar>(shape: GridShape, iso: T, open: &Open<T>, o: usize, part: &mut Part<T>) {
    let corners = &open.corners[o];
    let at = unflatten(shape.dims(), open.cells[o] as usize);
    let mut edges = [0; 16];
    edges[..12].copy_from_slice(&open.names[o]);
    let case = (0..8).map(|c| u8::from(corners[c] < iso) << c).sum();
    let field = Trilinear::new(corners.map(|v| v.f64() - iso.f64()));
    let position = |e: u8| {
        let [a, b] = EDGES[usize::from(e)].map(usize::from);
        let axis = usize::from(e / 4);
        let mut low = at;
        low[OTHERS[axis][0]] += usize::from(e & 1);
        low[OTHERS[axis][1]] += usize::from(e >> 1 & 1);
        let t = fraction(corners[a], corners[b], iso.f64());
        // Rounded as the vertex is.
        place::<T>(shape.origin(), shape.spacing(), low, axis, t).map(Scalar::f64)
    };
    let cell = Cell {
        at,
        case,
        edges: &edges,
    };
    exact_cell(shape, field, cell, false, position, part);
}
