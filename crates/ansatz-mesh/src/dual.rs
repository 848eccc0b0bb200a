//! Dual meshes: vertices inside of cells, a quad around each crossed edge.
//!
//! One engine for surface nets, dual marching cubes and dual contouring, which differ in how many vertices a cell gets
//! ([`DualVertices`]) and in where it puts them (a rule). Blocks of cell slabs run in parallel; each numbers its
//! vertices from zero and its quads name the vertices of the slab before it by numbers below zero (modulo 2³²), so that
//! one addition puts blocks one behind the other.

use nalgebra::{Point3, Vector3};
use rayon::prelude::*;

use ansatz_core::Scalar;

use crate::crossings::{Crossings, LIMIT, block_size, unit};
use crate::cube::{Entry, OTHERS, table};
use crate::{MeshError, QuadMesh};

/// How many dual vertices an active cell has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DualVertices {
    /// One. Where surfaces meet in a cell they share it, and the mesh is not manifold there.
    PerCell,
    /// One for each loop of marching cubes that cuts off inside corners. An edge of four quads remains where two cells
    /// share an ambiguous face and both put its two arcs on one loop.
    PerLoop,
    /// One for each loop, and both of such two cells cut off outside corners instead, which gives them two loops each:
    /// the mesh is manifold wherever it does not leave the grid.
    #[default]
    Manifold,
}

/// What a block of cells writes.
#[derive(Debug, Default)]
struct Part<T: Scalar> {
    points: Vec<Point3<T>>,
    normals: Vec<Vector3<T>>,
    quads: Vec<[u32; 4]>,
    /// The cells of the vertices.
    cells: Vec<[u32; 3]>,
    /// First vertices of the cells of a slab, and their entries of the table: this slab and the one before.
    first: [Vec<u32>; 2],
    entries: [Vec<u16>; 2],
}

/// Memory of the engine.
#[derive(Debug, Default)]
pub(crate) struct Memory<T: Scalar> {
    parts: Vec<Part<T>>,
    /// The cell of each vertex, where [`Engine::cells`] asks for it.
    pub(crate) cells: Vec<[u32; 3]>,
    /// Quads for methods that give triangles.
    pub(crate) quads: QuadMesh<T>,
}

/// A dual method: where vertices go.
pub(crate) struct Engine<'a, T: Scalar, R> {
    pub(crate) crossings: &'a Crossings<T>,
    pub(crate) dims: [usize; 3],
    /// Normals of crossings, where vertices shall have some.
    pub(crate) normals: Option<&'a [Vector3<T>]>,
    pub(crate) vertices: DualVertices,
    /// Whether the cells of the vertices are wanted.
    pub(crate) cells: bool,
    /// The vertex for a cell and the crossings around it.
    pub(crate) rule: R,
}

impl<T: Scalar, R: Fn([usize; 3], &[u32]) -> Point3<T> + Sync> Engine<'_, T, R> {
    /// Makes the mesh. On an error `mesh` is as it was.
    pub(crate) fn run(
        &self,
        memory: &mut Memory<T>,
        mesh: &mut QuadMesh<T>,
    ) -> Result<(), MeshError> {
        let slabs = self.dims[0] - 1;
        let size = block_size(slabs);
        let blocks = slabs.div_ceil(size);
        if memory.parts.len() < blocks {
            memory.parts.resize_with(blocks, Part::default);
        }
        let parts = &mut memory.parts[..blocks];
        let run = |(b, part): (usize, &mut Part<T>)| {
            self.block(b * size, ((b + 1) * size).min(slabs), part);
        };
        if blocks == 1 {
            run((0, &mut parts[0]));
        } else {
            parts.par_iter_mut().enumerate().for_each(run);
        }
        let vertices = parts.iter().map(|p| p.points.len()).sum();
        if vertices >= LIMIT {
            return Err(MeshError::TooLarge { vertices });
        }
        mesh.vertices.clear();
        mesh.quads.clear();
        mesh.normals = self.normals.map(|_| {
            let mut normals = mesh.normals.take().unwrap_or_default();
            normals.clear();
            normals
        });
        memory.cells.clear();
        for part in parts {
            let before = mesh.vertices.len() as u32;
            mesh.vertices.extend_from_slice(&part.points);
            mesh.quads
                .extend(part.quads.iter().map(|q| q.map(|v| v.wrapping_add(before))));
            memory.cells.extend_from_slice(&part.cells);
            if let Some(normals) = &mut mesh.normals {
                normals.extend_from_slice(&part.normals);
            }
        }
        Ok(())
    }

    /// Vertices and quads of the cell slabs from `begin` to `end`.
    fn block(&self, begin: usize, end: usize, part: &mut Part<T>) {
        part.points.clear();
        part.normals.clear();
        part.quads.clear();
        part.cells.clear();
        for side in 0..2 {
            part.first[side].resize(self.dims[1] * self.dims[2], 0);
            part.entries[side].resize(self.dims[1] * self.dims[2], 0);
        }
        if begin > 0 {
            let mut count = 0;
            self.number(begin - 1, part, &mut count, |_, _, _, _| ());
            for first in &mut part.first[(begin - 1) % 2] {
                *first = first.wrapping_sub(count);
            }
        }
        let mut count = 0;
        for i in begin..end {
            self.number(i, part, &mut count, |part, cell, entry, edges| {
                let mut names = [0; 12];
                let mut place = |patch: &[u8]| {
                    for (name, &e) in names.iter_mut().zip(patch) {
                        *name = edges[usize::from(e & 15)];
                    }
                    let names = &names[..patch.len()];
                    part.points.push((self.rule)(cell, names));
                    if self.cells {
                        part.cells.push(cell.map(|c| c as u32));
                    }
                    if let Some(normals) = self.normals {
                        let sum = names.iter().map(|&c| normals[c as usize].map(Scalar::f64));
                        part.normals.push(unit(sum.sum()));
                    }
                };
                if self.vertices == DualVertices::PerCell {
                    place(entry.all_edges());
                } else {
                    entry.loops().for_each(place);
                }
            });
            self.quads(i, part);
        }
    }

    /// Numbers the vertices of a slab of cells.
    #[inline(always)]
    fn number(
        &self,
        i: usize,
        part: &mut Part<T>,
        count: &mut u32,
        mut visit: impl FnMut(&mut Part<T>, [usize; 3], &Entry, &[u32; 16]),
    ) {
        let table = table();
        let n2 = self.dims[2];
        for j in 0..self.dims[1] - 1 {
            self.crossings.cells(i, j, |k, case, edges| {
                let way = u8::from(
                    self.vertices == DualVertices::Manifold
                        && table.joint[usize::from(case)]
                            .is_some_and(|face| self.joint_neighbour([i, j, k], face)),
                );
                part.first[i % 2][j * n2 + k] = *count;
                part.entries[i % 2][j * n2 + k] = table.number(case, way);
                let entry = table.entry(case, way);
                let loops = if self.vertices == DualVertices::PerCell {
                    1
                } else {
                    entry.loops
                };
                *count += u32::from(loops);
                visit(part, [i, j, k], entry, edges);
            });
        }
    }

    /// Whether the cell across a face has the two arcs of that face on one loop, too.
    #[inline(never)]
    fn joint_neighbour(&self, cell: [usize; 3], face: u8) -> bool {
        let axis = usize::from(face / 2);
        let mut other = cell;
        if face & 1 == 0 {
            if cell[axis] == 0 {
                return false;
            }
            other[axis] -= 1;
        } else {
            other[axis] += 1;
            if other[axis] + 1 >= self.dims[axis] {
                return false;
            }
        }
        table().joint[usize::from(self.crossings.case(other))] == Some(face ^ 1)
    }

    /// Quads around the edges at the lowest corners of the cells of a slab.
    fn quads(&self, i: usize, part: &mut Part<T>) {
        let table = table();
        let n2 = self.dims[2];
        let Part {
            quads,
            first,
            entries,
            ..
        } = part;
        for j in 0..self.dims[1] - 1 {
            self.crossings.cells(i, j, |k, case, _| {
                let inside = case & 1;
                for axis in 0..3 {
                    let [p, q] = OTHERS[axis];
                    let cell = [i, j, k];
                    if case >> (1 << axis) & 1 == inside || cell[p] == 0 || cell[q] == 0 {
                        continue;
                    }
                    // The cells around the edge, counter-clockwise about p × q.
                    let vertex = |(op, oq): (usize, usize)| {
                        let mut at = cell;
                        at[p] -= op;
                        at[q] -= oq;
                        let (side, flat) = (at[0] % 2, at[1] * n2 + at[2]);
                        let vertex = first[side][flat];
                        if self.vertices == DualVertices::PerCell {
                            return vertex;
                        }
                        let entry = table.numbered(entries[side][flat]);
                        vertex.wrapping_add(u32::from(entry.of_edge[4 * axis + op + 2 * oq]))
                    };
                    let mut quad = [(1, 1), (0, 1), (0, 0), (1, 0)].map(vertex);
                    // p × q is −y for the axis y; the normal goes from the inside end to the outside end.
                    if (inside == 1) == (axis == 1) {
                        quad.swap(1, 3);
                    }
                    quads.push(quad);
                }
            });
        }
    }
}
