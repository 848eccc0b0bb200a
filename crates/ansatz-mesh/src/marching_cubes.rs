//! Marching cubes: a triangle mesh of the level set of sampled values.
//!
//! Each crossed grid edge gives one vertex, each cell the patches that the signs of its corners call for; neighbours
//! agree on their common face, so that the mesh is closed wherever the surface does not leave the grid. With
//! [`Ambiguity::Trilinear`] the mesh is homeomorphic to the level set of the trilinear interpolant, tunnels included
//! (what "marching cubes 33" aims at); the other modes follow one rule on ambiguous faces and are a little faster on noise.
//!
//! A sample equal to the iso value is outside. It gives triangles without area, never a hole.
//!
//! Cost: one pass over the samples, then work proportional to the surface; memory of one bit for each sample beside the
//! mesh. Vertices are placed by linear interpolation: their distance from a smooth surface is of second order in the
//! spacing (h²/(8R) on a sphere).
//!
//! Sources: W. Lorensen, H. Cline, Marching cubes: a high resolution 3D surface construction algorithm (1987);
//! E. Chernyaev, Marching cubes 33 (1995); T. Lewiner et al., Efficient implementation of marching cubes' cases with
//! topological guarantees (2003).

use nalgebra::{Point3, Vector3};
use rayon::prelude::*;

use ansatz_core::Scalar;

use crate::crossings::{Crossings, LIMIT, block_size, concatenate, unit};
use crate::cube::{Entry, Trilinear, table};
use crate::workspace::extraction;
use crate::{Grid, GridShape, Mesh, MeshError, Normals, Workspace};

/// What to do where signs alone leave a choice: on a face with two inside corners across from one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ambiguity {
    /// Follow the trilinear interpolant: the asymptotic decider on faces, tunnels inside of cells. Cells with a tunnel,
    /// and a few others, get vertices of their own, which come after those of the edges.
    #[default]
    Trilinear,
    /// Cut off the inside corners.
    SeparateInside,
    /// Cut off the outside corners.
    SeparateOutside,
}

/// Marching cubes and its options.
///
/// ```
/// use ansatz_mesh::{Grid, GridShape, MarchingCubes};
///
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let samples = shape.sample(&|[x, y, z]: [f32; 3]| (x * x + y * y + z * z).sqrt() - 0.7);
/// let mesh = MarchingCubes::default().extract(&Grid::new(shape, &samples)?, 0.0)?;
/// // A closed surface of genus 0: T = 2(V − 2).
/// assert_eq!(mesh.triangles.len(), 2 * (mesh.vertices.len() - 2));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MarchingCubes {
    /// What to do on ambiguous faces.
    pub ambiguity: Ambiguity,
    /// Whether vertices have normals, which point to larger values.
    pub normals: Normals,
}

/// What a block of cells writes.
#[derive(Debug, Default)]
pub(crate) struct Part<T: Scalar> {
    triangles: Vec<[u32; 3]>,
    /// Vertices inside of cells; triangles name them by `LIMIT` + place until their numbers are known.
    points: Vec<Point3<T>>,
    normals: Vec<Vector3<T>>,
    /// Crossings of which these vertices are the means, those of one behind those of another, and where they end.
    sources: Vec<u32>,
    ends: Vec<usize>,
    /// Triangles that name such vertices.
    open: Vec<usize>,
}

impl<T: Scalar> Part<T> {
    fn clear(&mut self) {
        self.triangles.clear();
        self.points.clear();
        self.normals.clear();
        self.sources.clear();
        self.ends.clear();
        self.open.clear();
    }

    /// The crossings of which each vertex inside of a cell is the mean.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &[u32]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let from = std::mem::replace(&mut begin, end);
            &self.sources[from..end]
        })
    }
}

extraction!(MarchingCubes);

impl MarchingCubes {
    /// As [`MarchingCubes::extract`], into memory that is there. On an error `mesh` is as it was.
    ///
    /// # Errors
    /// As [`MarchingCubes::extract`].
    pub fn extract_into<T: Scalar>(
        &self,
        grid: &Grid<'_, T>,
        iso: T,
        workspace: &mut Workspace<T>,
        mesh: &mut Mesh<T>,
    ) -> Result<(), MeshError> {
        let Workspace {
            crossings,
            normals,
            parts,
            ..
        } = workspace;
        let had = mesh.normals.is_some();
        let mut buffer = mesh
            .normals
            .take()
            .unwrap_or_else(|| std::mem::take(normals));
        let found = crossings.run(grid, iso, self.normals, &mut mesh.vertices, &mut buffer);
        if (found.is_ok() && self.normals != Normals::None) || (found.is_err() && had) {
            mesh.normals = Some(buffer);
        } else {
            *normals = buffer;
        }
        found?;
        let dims = grid.shape().dims();
        let size = block_size(dims[0] - 1);
        let blocks = (dims[0] - 1).div_ceil(size);
        if parts.len() < blocks {
            parts.resize_with(blocks, Part::default);
        }
        let parts = &mut parts[..blocks];
        let run = |(b, part): (usize, &mut Part<T>)| {
            part.clear();
            for i in b * size..((b + 1) * size).min(dims[0] - 1) {
                for j in 0..dims[1] - 1 {
                    self.row(grid, iso, crossings, [i, j], &mesh.vertices, part);
                }
            }
        };
        if blocks == 1 {
            run((0, &mut parts[0]));
        } else {
            parts.par_iter_mut().enumerate().for_each(run);
        }
        join(parts, mesh);
        if mesh.normals.is_some() {
            fill_normals(mesh);
        }
        Ok(())
    }

    /// Triangles of a row of cells.
    #[inline(always)]
    fn row<T: Scalar>(
        self,
        grid: &Grid<'_, T>,
        iso: T,
        crossings: &Crossings<T>,
        [i, j]: [usize; 2],
        vertices: &[Point3<T>],
        part: &mut Part<T>,
    ) {
        let table = table();
        match self.ambiguity {
            Ambiguity::SeparateInside => crossings.cells(i, j, |_, case, edges| {
                triangles(table.entry(case, 0), edges, part);
            }),
            Ambiguity::SeparateOutside => crossings.cells(i, j, |_, case, edges| {
                triangles(table.entry(case, table.outside(case)), edges, part);
            }),
            Ambiguity::Trilinear => crossings.cells(i, j, |k, case, edges| {
                let plain = table.entry(case, 0);
                if plain.loops == 1 && table.ambiguous[usize::from(case)] == 0 {
                    triangles(plain, edges, part);
                } else {
                    let cell = Cell {
                        at: [i, j, k],
                        case,
                        edges,
                    };
                    let normals = self.normals != Normals::None;
                    exact_grid_cell(grid, iso, cell, normals, vertices, part);
                }
            }),
        }
    }
}

/// Adds the triangles of an entry without vertices of its own.
#[inline(always)]
pub(crate) fn triangles<T: Scalar>(entry: &Entry, edges: &[u32; 16], part: &mut Part<T>) {
    for t in entry.triangles() {
        part.triangles.push(t.map(|e| edges[usize::from(e & 15)]));
    }
}

/// Adds the triangles of a cell of a grid as the trilinear interpolant has them.
#[inline(never)]
fn exact_grid_cell<T: Scalar>(
    grid: &Grid<'_, T>,
    iso: T,
    cell: Cell<'_>,
    normals: bool,
    vertices: &[Point3<T>],
    part: &mut Part<T>,
) {
    let [_, n1, n2] = grid.shape().dims();
    let flat = (cell.at[0] * n1 + cell.at[1]) * n2 + cell.at[2];
    let field = Trilinear::new(std::array::from_fn(|c| {
        let offset = ((c & 1) * n1 + (c >> 1 & 1)) * n2 + (c >> 2);
        grid.data()[flat + offset].f64() - iso.f64()
    }));
    let edges = cell.edges;
    let position = |e: u8| vertices[edges[usize::from(e)] as usize].map(Scalar::f64);
    exact_cell(grid.shape(), field, cell, normals, position, part);
}

/// A cell: where it is, its signs, and the numbers of the vertices on its edges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) at: [usize; 3],
    pub(crate) case: u8,
    pub(crate) edges: &'a [u32; 16],
}

/// Adds the triangles of a cell with these corner values; `position` says where the crossing of an edge is.
pub(crate) fn exact_cell<T: Scalar>(
    shape: GridShape,
    field: Trilinear,
    Cell { at, case, edges }: Cell<'_>,
    normals: bool,
    position: impl Fn(u8) -> Point3<f64>,
    part: &mut Part<T>,
) {
    let table = table();
    let entry = table.entry(case, field.way(case, table.ambiguous[usize::from(case)]));
    let tunnel = field.tunnel(entry);
    if tunnel.is_none() && entry.middles == 0 {
        return triangles(entry, edges, part);
    }
    let (o, h) = (shape.origin(), shape.spacing());
    // A vertex at the mean of crossings.
    let add = |part: &mut Part<T>, of: &[u8]| {
        let sum: Vector3<f64> = of.iter().map(|&e| position(e).coords).sum();
        let p = Point3::from(sum / of.len() as f64);
        part.points.push(p.map(T::of));
        part.sources
            .extend(of.iter().map(|&e| edges[usize::from(e)]));
        part.ends.push(part.sources.len());
        if normals {
            let local =
                std::array::from_fn(|a| ((p[a] - o[a]) / h[a] - at[a] as f64).clamp(0.0, 1.0));
            let g = field.gradient(local);
            part.normals
                .push(unit(Vector3::from([0, 1, 2].map(|a| g[a] / h[a]))));
        }
        (LIMIT + part.points.len() - 1) as u32
    };
    let mut begin = 0;
    for (l, patch) in entry.loops().enumerate() {
        // Triangles of the table stand by loops, as many as the loop needs.
        let middle = entry.middles >> l & 1 == 1;
        let count = if middle { patch.len() } else { patch.len() - 2 };
        let own = &entry.triangles()[begin..begin + count];
        begin += count;
        if tunnel.is_some_and(|pair| pair.contains(&l)) {
            continue;
        }
        let mut names = *edges;
        if middle {
            names[12 + l] = add(part, patch);
        }
        for t in own {
            if middle {
                part.open.push(part.triangles.len());
            }
            part.triangles.push(t.map(|e| names[usize::from(e)]));
        }
    }
    if let Some([a, b]) = tunnel {
        let mut patches = [entry.loop_edges(a), entry.loop_edges(b)];
        if patches[0].len() < patches[1].len() {
            patches.swap(0, 1);
        }
        let (triangles, count) = tube(patches, edges, &position, |of| add(part, of));
        for t in &triangles[..count] {
            part.open.push(part.triangles.len());
            part.triangles.push(*t);
        }
    }
}

/// Joins two loops, the longer one first, by a ring of new vertices half-way between them. No triangle has a side on a
/// face of the cell other than those of the loops.
fn tube(
    [long, short]: [&[u8]; 2],
    edges: &[u32; 16],
    position: impl Fn(u8) -> Point3<f64>,
    mut add: impl FnMut(&[u8]) -> u32,
) -> ([[u32; 3]; 48], usize) {
    let (n, m) = (long.len(), short.len());
    // Along a tube its two rims run in opposite senses.
    // Vertex i of the long loop faces vertex turn + ⌊i·m/n⌋ of the short one read backwards.
    let partner = |i: usize, turn: usize| short[m - 1 - (turn + i * m / n) % m];
    let cost = |turn: usize| -> f64 {
        (0..n)
            .map(|i| (position(long[i]) - position(partner(i, turn))).norm_squared())
            .sum()
    };
    let turn = (0..m)
        .min_by(|a, b| cost(*a).total_cmp(&cost(*b)))
        .unwrap_or(0);
    let mut ring = [0; 12];
    for (i, vertex) in ring[..n].iter_mut().enumerate() {
        *vertex = add(&[long[i], partner(i, turn)]);
    }
    let name = |e: u8| edges[usize::from(e)];
    // Two loops have twelve edges at most.
    let (mut out, mut count) = ([[0; 3]; 48], 0);
    let mut push = |triangle| {
        out[count] = triangle;
        count += 1;
    };
    for i in 0..n {
        let next = (i + 1) % n;
        push([name(long[i]), name(long[next]), ring[i]]);
        push([name(long[next]), ring[next], ring[i]]);
        let (here, there) = (partner(i, turn), partner(next, turn));
        push([ring[i], ring[next], name(here)]);
        // From the last partner to the first one, too.
        if here != there {
            push([name(there), name(here), ring[next]]);
        }
    }
    (out, count)
}

#[cfg(feature = "cuda")]
impl<T: Scalar> Part<T> {
    /// The triangles so far.
    pub(crate) fn triangles(&self) -> &[[u32; 3]] {
        &self.triangles
    }

    /// The vertices inside of cells.
    pub(crate) fn points(&self) -> &[Point3<T>] {
        &self.points
    }
}

impl<T: Scalar> Part<T> {
    /// Numbers the vertices inside of cells, which stand behind `before` others.
    pub(crate) fn number(&mut self, before: u32) {
        for &t in &self.open {
            for v in &mut self.triangles[t] {
                if *v as usize >= LIMIT {
                    *v = *v - LIMIT as u32 + before;
                }
            }
        }
    }
}

/// Puts blocks one after the other and numbers the vertices inside of cells.
pub(crate) fn join<T: Scalar>(parts: &mut [Part<T>], mesh: &mut Mesh<T>) {
    for part in parts.iter_mut() {
        part.number(mesh.vertices.len() as u32);
        mesh.vertices.extend_from_slice(&part.points);
        if let Some(normals) = &mut mesh.normals {
            normals.extend_from_slice(&part.normals);
        }
    }
    match parts {
        [part] => std::mem::swap(&mut mesh.triangles, &mut part.triangles),
        _ => concatenate(parts, |p| &p.triangles, [0; 3], &mut mesh.triangles),
    }
}

/// Where differences of samples vanish, normals are those of the triangles around.
pub(crate) fn fill_normals<T: Scalar>(mesh: &mut Mesh<T>) {
    let Some(normals) = &mut mesh.normals else {
        return;
    };
    let zero = Vector3::from([T::zero(); 3]);
    if !normals.contains(&zero) {
        return;
    }
    let mut sums: std::collections::BTreeMap<u32, Vector3<f64>> = normals
        .iter()
        .enumerate()
        .filter(|(_, n)| **n == zero)
        .map(|(v, _)| (v as u32, Vector3::zeros()))
        .collect();
    for t in &mesh.triangles {
        if t.iter().any(|v| sums.contains_key(v)) {
            let [a, b, c] = t.map(|v| mesh.vertices[v as usize].map(Scalar::f64));
            let area = (b - a).cross(&(c - a));
            for v in t {
                if let Some(sum) = sums.get_mut(v) {
                    *sum += area;
                }
            }
        }
    }
    for (v, sum) in sums {
        normals[v as usize] = unit(sum);
    }
}
