//! Cells with eight corners, and the quads around their crossed edges.

use nalgebra::Point3;

use ansatz_core::Scalar;

use crate::MeshError;
use crate::cube::{EDGES, Entry, FACES, OTHERS, table};

/// Hexahedral cells by the numbers of their corners, corner c = bx + 2·by + 4·bz.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexGrid {
    vertices: usize,
    cells: Vec<[u32; 8]>,
    lattice: Option<[usize; 3]>,
}

/// An active cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active {
    pub(super) cell: u32,
    pub(super) entry: &'static Entry,
    /// Number of the vertex of its first loop.
    pub(super) first: u32,
}

/// An edge of the grid with its cells in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// The ends; where they differ in sign, the inside one first.
    pub(super) ends: [u32; 2],
    /// Four cells and the number of the edge in each, counter-clockwise about the direction from the first end.
    pub(super) cells: [(u32, u8); 4],
}

impl HexGrid {
    /// A regular lattice of so many cells along each axis: vertex (i, j, k) has number (i·n₁ + j)·n₂ + k with
    /// n = cells + 1, and cells count in the same way.
    ///
    /// # Errors
    /// [`MeshError::TooSmall`] without a cell, [`MeshError::TooLarge`] for more vertices than a `u32` counts.
    pub fn lattice(cells: [usize; 3]) -> Result<Self, MeshError> {
        let dims = cells.map(|n| n.saturating_add(1));
        if cells.contains(&0) {
            return Err(MeshError::TooSmall { dims });
        }
        let vertices = dims.iter().fold(1usize, |a, n| a.saturating_mul(*n));
        if vertices > u32::MAX as usize {
            return Err(MeshError::TooLarge { vertices });
        }
        let [r0, r1, r2] = cells;
        let at = |i: usize, j: usize, k: usize| ((i * dims[1] + j) * dims[2] + k) as u32;
        let mut list = Vec::with_capacity(r0 * r1 * r2);
        for i in 0..r0 {
            for j in 0..r1 {
                for k in 0..r2 {
                    list.push(std::array::from_fn(|c| {
                        at(i + (c & 1), j + (c >> 1 & 1), k + (c >> 2))
                    }));
                }
            }
        }
        Ok(Self {
            vertices,
            cells: list,
            lattice: Some(cells),
        })
    }

    /// Any cells over `vertices` vertices. All must have the same handedness. Neighbours are not known by their
    /// place, so the rule that mends the 36 joint cases is left out, and a few edges may have four triangles.
    ///
    /// # Errors
    /// [`MeshError::Index`] for the first cell that names a vertex which does not exist.
    pub fn new(vertices: usize, cells: Vec<[u32; 8]>) -> Result<Self, MeshError> {
        for (face, cell) in cells.iter().enumerate() {
            if let Some(&vertex) = cell.iter().find(|&&v| v as usize >= vertices) {
                return Err(MeshError::Index {
                    face,
                    vertex,
                    vertices,
                });
            }
        }
        Ok(Self {
            vertices,
            cells,
            lattice: None,
        })
    }

    /// How many vertices there are.
    pub fn vertices(&self) -> usize {
        self.vertices
    }

    /// The cells.
    pub fn cells(&self) -> &[[u32; 8]] {
        &self.cells
    }

    /// Positions that spread a lattice over a box; none for other grids.
    pub fn lattice_points<T: Scalar>(&self, low: [f64; 3], high: [f64; 3]) -> Vec<Point3<T>> {
        let Some(cells) = self.lattice else {
            return Vec::new();
        };
        let n = cells.map(|n| n + 1);
        (0..self.vertices)
            .map(|v| {
                let at = [v / (n[1] * n[2]), v / n[2] % n[1], v % n[2]];
                Point3::from(std::array::from_fn(|a| {
                    T::of(low[a] + (high[a] - low[a]) * (at[a] as f64 / cells[a] as f64))
                }))
            })
            .collect()
    }

    pub(super) fn case<T: Scalar>(&self, cell: usize, values: &[T]) -> u8 {
        let inside = |c: usize| values[self.cells[cell][c] as usize] < T::zero();
        (0..8).map(|c| u8::from(inside(c)) << c).sum()
    }

    /// The active cells with their groups of edges.
    pub(super) fn active<T: Scalar>(&self, values: &[T]) -> Vec<Active> {
        let table = table();
        let mut first = 0;
        let mut list = Vec::new();
        for cell in 0..self.cells.len() {
            let case = self.case(cell, values);
            if case == 0 || case == 255 {
                continue;
            }
            let joint = table.joint[usize::from(case)].is_some_and(|face| {
                self.across(cell, face).is_some_and(|other| {
                    table.joint[usize::from(self.case(other, values))] == Some(face ^ 1)
                })
            });
            let entry = table.entry(case, u8::from(joint));
            list.push(Active {
                cell: cell as u32,
                entry,
                first,
            });
            first += u32::from(entry.loops);
        }
        list
    }

    /// The neighbour across a face, on a lattice.
    fn across(&self, cell: usize, face: u8) -> Option<usize> {
        let r = self.lattice?;
        let axis = usize::from(face / 2);
        let at = [cell / (r[1] * r[2]), cell / r[2] % r[1], cell % r[2]];
        let stride = [r[1] * r[2], r[2], 1][axis];
        if face & 1 == 0 {
            (at[axis] > 0).then(|| cell - stride)
        } else {
            (at[axis] + 1 < r[axis]).then_some(cell + stride)
        }
    }

    /// The edges with exactly four of the given cells that `wanted` takes by the signs of their ends (whether each is
    /// inside), in the order of their ends.
    pub(super) fn edges_around<T: Scalar>(
        &self,
        values: &[T],
        cells: impl Iterator<Item = u32>,
        wanted: impl Fn(bool, bool) -> bool,
    ) -> Vec<Around> {
        let inside = |v: u32| values[v as usize] < T::zero();
        let mut uses: Vec<([u32; 2], u32, u8)> = Vec::new();
        for cell in cells {
            for (e, ends) in EDGES.iter().enumerate() {
                let [a, b] = ends.map(|c| self.cells[cell as usize][usize::from(c)]);
                if wanted(inside(a), inside(b)) {
                    uses.push(([a.min(b), a.max(b)], cell, e as u8));
                }
            }
        }
        uses.sort_unstable();
        uses.chunk_by(|a, b| a.0 == b.0)
            .filter(|group| group.len() == 4)
            .filter_map(|group| {
                let [low, high] = group[0].0;
                let ends = if inside(high) && !inside(low) {
                    [high, low]
                } else {
                    [low, high]
                };
                self.in_turn(ends, group)
                    .map(|cells| Around { ends, cells })
            })
            .collect()
    }

    /// Four cells around an edge counter-clockwise: each ends at the face at which the next begins.
    fn in_turn(&self, ends: [u32; 2], group: &[([u32; 2], u32, u8)]) -> Option<[(u32, u8); 4]> {
        let mut faces = [[[0; 4]; 2]; 4];
        for (of, &(_, cell, e)) in faces.iter_mut().zip(group) {
            let corners = &self.cells[cell as usize];
            let axis = usize::from(e) / 4;
            let [p, q] = OTHERS[axis];
            let (op, oq) = (usize::from(e) % 2, usize::from(e) / 2 % 2);
            // About p × q a cell on equal sides of both axes begins at its face across q.
            let (fp, fq) = (2 * p + op, 2 * q + oq);
            let [mut begin, mut end] = if op == oq { [fq, fp] } else { [fp, fq] };
            let upward = corners[usize::from(EDGES[usize::from(e)][0])] == ends[0];
            // p × q is −y for the axis y.
            if upward == (axis == 1) {
                std::mem::swap(&mut begin, &mut end);
            }
            *of = [begin, end].map(|f| {
                let mut key = FACES[f].map(|c| corners[usize::from(c)]);
                key.sort_unstable();
                key
            });
        }
        let mut turn = [0; 4];
        for m in 1..4 {
            turn[m] = (0..4).find(|&n| faces[n][0] == faces[turn[m - 1]][1])?;
        }
        (faces[turn[3]][1] == faces[0][0] && turn[1..].iter().all(|t| *t != 0))
            .then(|| turn.map(|t| (group[t].1, group[t].2)))
    }
}
