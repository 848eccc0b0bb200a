//! What signs on a grid make: loops in cells, and polygons of these around crossed edges.

use ansatz_core::Scalar;

use super::grid::{Active, HexGrid};
use super::octree::{NONE, OctreeGrid};
use crate::cube::EDGES;

/// A crossed edge as the cell of a loop sees it: the grid's vertices at its ends, the places of their raw weights α, and
/// that of β.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) ends: [u32; 2],
    pub(super) alpha: [u32; 2],
    pub(super) beta: u32,
}

/// Loops around a crossed edge, counter-clockwise seen from outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Polygon<const N: usize> {
    pub(super) corners: [u32; N],
    /// The inside end of the edge.
    pub(super) inside: u32,
}

/// The surface without positions.
#[derive(Debug, Default)]
pub struct Sheets {
    /// The cell of each loop, and where its sides end.
    pub(super) loops: Vec<(u32, u32)>,
    pub(super) sides: Vec<Side>,
    pub(super) quads: Vec<Polygon<4>>,
    pub(super) triangles: Vec<Polygon<3>>,
}

/// How long arrays of parameters are.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub(super) vertices: usize,
    pub(super) alpha: usize,
    pub(super) beta: usize,
    pub(super) gamma: usize,
}

/// What the engine asks of a grid.
pub trait Cells {
    /// How long arrays of parameters are.
    fn sizes(&self) -> Sizes;

    /// Loops and polygons of {s < 0}.
    fn sheets<T: Scalar>(&self, values: &[T]) -> Sheets;

    /// Edges by their ends, ascending, each once.
    fn crossed<T: Scalar>(&self, values: &[T]) -> Vec<[u32; 2]>;
}

fn differ<T: Scalar>(values: &[T], [a, b]: [u32; 2]) -> bool {
    (values[a as usize] < T::zero()) != (values[b as usize] < T::zero())
}

impl Cells for HexGrid {
    fn sizes(&self) -> Sizes {
        let cells = self.cells().len();
        Sizes {
            vertices: self.vertices(),
            alpha: 8 * cells,
            beta: 12 * cells,
            gamma: cells,
        }
    }

    fn sheets<T: Scalar>(&self, values: &[T]) -> Sheets {
        let active = self.active(values);
        let mut out = Sheets::default();
        for Active { cell, entry, .. } in &active {
            for patch in entry.loops() {
                out.sides.extend(patch.iter().map(|&e| {
                    let corners = EDGES[usize::from(e)];
                    Side {
                        ends: corners.map(|c| self.cells()[*cell as usize][usize::from(c)]),
                        alpha: corners.map(|c| 8 * cell + u32::from(c)),
                        beta: 12 * cell + u32::from(e),
                    }
                }));
                out.loops.push((*cell, out.sides.len() as u32));
            }
        }
        let around = self.edges_around(values, active.iter().map(|a| a.cell), |a, b| a != b);
        out.quads = around
            .iter()
            .map(|edge| Polygon {
                corners: edge.cells.map(|(cell, e)| {
                    let at = active.partition_point(|a| a.cell < cell);
                    active[at].first + u32::from(active[at].entry.of_edge[usize::from(e)])
                }),
                inside: edge.ends[0],
            })
            .collect();
        out
    }

    fn crossed<T: Scalar>(&self, values: &[T]) -> Vec<[u32; 2]> {
        let mut edges: Vec<[u32; 2]> = Vec::new();
        for cell in self.cells() {
            let ends = EDGES.map(|ends| ends.map(|c| cell[usize::from(c)]));
            edges.extend(
                ends.into_iter()
                    .filter(|e| differ(values, *e))
                    .map(|[a, b]| [a.min(b), a.max(b)]),
            );
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

/// Ways to join 2n crossings of a rim by n arcs that do not cross.
const WAYS: [u8; 5] = [1, 1, 2, 5, 14];

/// Joins crossings from `first` on, of which even ones enter the inside, to arcs that do not cross, in one of
/// [`WAYS`]`[count]` ways. The first cuts off all runs of inside vertices; the last of two all runs of outside ones.
fn pair(count: usize, mut way: u8, first: usize, visit: &mut impl FnMut([usize; 2])) {
    for within in 0..count {
        let beyond = count - 1 - within;
        let ways = WAYS[within] * WAYS[beyond];
        if way < ways {
            let ends = [first, first + 2 * within + 1];
            let enter = first % 2;
            visit([ends[enter], ends[1 - enter]]);
            pair(within, way % WAYS[within], first + 1, visit);
            return pair(beyond, way / WAYS[within], ends[1] + 1, visit);
        }
        way -= ways;
    }
}

/// Loops of the cells of an octree, found by walking the arcs of their faces.
struct Loops<'a> {
    grid: &'a OctreeGrid,
    /// Whether a vertex is inside.
    inside: Vec<bool>,
    /// How the crossings of each face are paired, see [`pair`].
    way: Vec<u8>,
    /// The loop of each edge of each cell, counted within the cell.
    of_edge: Vec<u32>,
    /// How many loops each cell has.
    count: Vec<u32>,
}

impl Loops<'_> {
    /// Arcs of a face as edges, each with the inside on its right seen from outside of the first cell of the face.
    fn arcs(&self, face: usize, out: &mut Vec<[u32; 2]>) {
        out.clear();
        let polygon = self.grid.faces.get(face);
        let n = polygon.len();
        let edges = self.grid.face_edges.get(face);
        // Crossings in turn: the rim enters the inside and leaves it.
        let crossed = |m: &usize| {
            self.inside[polygon[*m] as usize] != self.inside[polygon[(*m + 1) % n] as usize]
        };
        let mut crossings: Vec<u32> = (0..n).filter(crossed).map(|m| edges[m]).collect();
        if crossings.is_empty() {
            return;
        }
        if self.inside[polygon[0] as usize] {
            crossings.rotate_left(1);
        }
        pair(crossings.len() / 2, self.way[face], 0, &mut |ends| {
            out.push(ends.map(|m| crossings[m]));
        });
    }

    /// The place of an edge among those of a cell.
    fn slot(&self, cell: usize, edge: u32) -> usize {
        let edges = self.grid.cell_edges.get(cell);
        edges.iter().position(|e| *e == edge).unwrap_or(0)
    }

    /// Finds the loops of a cell and calls for each with its edges by their places.
    fn trace(&mut self, cell: usize, mut visit: impl FnMut(&[usize])) {
        let edges = self.grid.cell_edges.get(cell).len();
        let mut next = vec![usize::MAX; edges];
        let mut arcs = Vec::new();
        for &face in self.grid.cell_faces.get(cell) {
            self.arcs(face as usize, &mut arcs);
            let first = self.grid.sides[face as usize][0] as usize == cell;
            for arc in &arcs {
                let [a, b] = arc.map(|e| self.slot(cell, e));
                let [from, to] = if first { [a, b] } else { [b, a] };
                next[from] = to;
            }
        }
        let start = self.grid.cell_edges.start(cell) as usize;
        let mut count = 0;
        let mut ring = Vec::new();
        for first in 0..edges {
            ring.clear();
            let mut at = first;
            while next[at] != usize::MAX {
                ring.push(at);
                self.of_edge[start + at] = count;
                at = std::mem::replace(&mut next[at], usize::MAX);
            }
            if !ring.is_empty() {
                visit(&ring);
                count += 1;
            }
        }
        self.count[cell] = count;
    }

    /// Whether two arcs of a face join the same loops, which would put four polygons on one edge of the mesh.
    fn is_joint(&self, face: usize, arcs: &mut Vec<[u32; 2]>) -> bool {
        let sides = self.grid.sides[face];
        if sides.contains(&NONE) {
            return false;
        }
        self.arcs(face, arcs);
        let loops = |edge: u32| {
            sides.map(|cell| {
                let start = self.grid.cell_edges.start(cell as usize) as usize;
                self.of_edge[start + self.slot(cell as usize, edge)]
            })
        };
        (1..arcs.len()).any(|m| arcs[..m].iter().any(|a| loops(a[0]) == loops(arcs[m][0])))
    }
}

impl Cells for OctreeGrid {
    fn sizes(&self) -> Sizes {
        let [alpha, beta, gamma] = self.weights();
        Sizes {
            vertices: self.vertices(),
            alpha,
            beta,
            gamma,
        }
    }

    fn sheets<T: Scalar>(&self, values: &[T]) -> Sheets {
        let inside: Vec<bool> = values.iter().map(|v| *v < T::zero()).collect();
        let is_active = |cell: &usize| {
            let vertices = self.cell_vertices.get(*cell);
            let first = inside[vertices[0] as usize];
            vertices.iter().any(|v| inside[*v as usize] != first)
        };
        let active: Vec<usize> = (0..self.cells()).filter(is_active).collect();
        let mut loops = Loops {
            grid: self,
            inside,
            way: vec![0; self.faces.len()],
            of_edge: vec![0; self.cell_edges.total()],
            count: vec![0; self.cells()],
        };
        for &cell in &active {
            loops.trace(cell, |_| ());
        }
        loops.part(&active);
        let mut out = Sheets::default();
        let mut first = vec![0; self.cells()];
        for &cell in &active {
            first[cell] = out.loops.len() as u32;
            let (vertices, start) = (self.cell_vertices.get(cell), self.cell_vertices.start(cell));
            let (edges, by_edge) = (self.cell_edges.get(cell), self.cell_edges.start(cell));
            loops.trace(cell, |ring| {
                out.sides.extend(ring.iter().map(|&slot| {
                    let ends = self.edges[edges[slot] as usize];
                    let place = |v: u32| vertices.iter().position(|w| *w == v).unwrap_or(0) as u32;
                    Side {
                        ends,
                        alpha: ends.map(|v| start + place(v)),
                        beta: by_edge + slot as u32,
                    }
                }));
                out.loops.push((cell as u32, out.sides.len() as u32));
            });
        }
        for (edge, (ends, cells)) in self.edges.iter().zip(&self.around).enumerate() {
            if cells[0] == NONE || !differ(values, *ends) {
                continue;
            }
            let corner = |cell: u32| {
                let cell = cell as usize;
                let start = self.cell_edges.start(cell) as usize;
                first[cell] + loops.of_edge[start + loops.slot(cell, edge as u32)]
            };
            let upward = loops.inside[ends[0] as usize];
            let inside = ends[usize::from(!upward)];
            if cells[3] == NONE {
                let mut corners = [cells[0], cells[1], cells[2]].map(corner);
                if !upward {
                    corners.swap(1, 2);
                }
                out.triangles.push(Polygon { corners, inside });
            } else {
                let mut corners = cells.map(corner);
                if !upward {
                    corners.swap(1, 3);
                }
                out.quads.push(Polygon { corners, inside });
            }
        }
        out
    }

    fn crossed<T: Scalar>(&self, values: &[T]) -> Vec<[u32; 2]> {
        let edges = self.edges.iter().filter(|e| differ(values, **e));
        edges.copied().collect()
    }
}

/// Rounds in which arcs are joined the other way.
const ROUNDS: usize = 8;

impl Loops<'_> {
    /// Joins arcs the other way on faces where two of them join the same loops, which parts these.
    fn part(&mut self, active: &[usize]) {
        let mut arcs = Vec::new();
        let mut faces: Vec<usize> = active
            .iter()
            .flat_map(|&cell| self.grid.cell_faces.get(cell))
            .map(|f| *f as usize)
            .collect();
        faces.sort_unstable();
        faces.dedup();
        faces.retain(|&face| {
            self.arcs(face, &mut arcs);
            arcs.len() > 1 && !self.grid.sides[face].contains(&NONE)
        });
        for _ in 0..ROUNDS {
            let mut joint = faces.clone();
            joint.retain(|&f| self.is_joint(f, &mut arcs));
            if joint.is_empty() {
                return;
            }
            for face in joint {
                // One before may have parted its loops.
                if self.is_joint(face, &mut arcs) && !self.improves(face, &faces, &mut arcs) {
                    // Large cells may need another face of theirs joined the other way.
                    let beside = |f: &usize| {
                        let [a, b] = self.grid.sides[face];
                        self.grid.sides[*f].iter().any(|c| *c == a || *c == b)
                    };
                    let others: Vec<usize> = faces.iter().copied().filter(beside).collect();
                    others.iter().any(|&f| self.improves(f, &faces, &mut arcs));
                }
            }
        }
    }

    /// Joins the arcs of a face the other way if fewer faces of its cells are joint then.
    fn improves(&mut self, face: usize, faces: &[usize], arcs: &mut Vec<[u32; 2]>) -> bool {
        let sides = self.grid.sides[face];
        let mut rim = Vec::new();
        let near: Vec<usize> = sides
            .iter()
            .flat_map(|&cell| self.grid.cell_faces.get(cell as usize))
            .map(|f| *f as usize)
            .filter(|f| faces.binary_search(f).is_ok())
            .collect();
        let mut count = |loops: &Self| near.iter().filter(|&&f| loops.is_joint(f, arcs)).count();
        let (before, old) = (count(self), self.way[face]);
        self.arcs(face, &mut rim);
        for way in (0..WAYS[rim.len()]).filter(|way| *way != old) {
            self.join(face, way);
            if count(self) < before {
                return true;
            }
        }
        self.join(face, old);
        false
    }

    fn join(&mut self, face: usize, way: u8) {
        self.way[face] = way;
        for cell in self.grid.sides[face] {
            self.trace(cell as usize, |_| ());
        }
    }
}
