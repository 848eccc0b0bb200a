//! Who touches whom in an octree: faces, edges and what belongs to each cell.

use super::{NONE, OctreeGrid};
use crate::cube::{EDGES, FACES, OTHERS};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::flexicubes) struct Leaf {
    pub(super) low: [u32; 3],
    pub(super) side: u32,
}

/// Lists one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::flexicubes) struct Lists {
    items: Vec<u32>,
    ends: Vec<u32>,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            ends: vec![0],
        }
    }
}

impl Lists {
    fn push(&mut self, list: impl IntoIterator<Item = u32>) {
        self.items.extend(list);
        self.ends.push(self.items.len() as u32);
    }

    /// How many lists there are.
    pub(in crate::flexicubes) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// How many items all lists have.
    pub(in crate::flexicubes) fn total(&self) -> usize {
        self.items.len()
    }

    /// Where a list begins among all items.
    pub(in crate::flexicubes) fn start(&self, list: usize) -> u32 {
        self.ends[list]
    }

    pub(in crate::flexicubes) fn get(&self, list: usize) -> &[u32] {
        &self.items[self.ends[list] as usize..self.ends[list + 1] as usize]
    }
}

impl Leaf {
    pub(super) fn corner(&self, c: u8) -> [u32; 3] {
        std::array::from_fn(|a| self.low[a] + (u32::from(c) >> a & 1) * self.side)
    }

    /// The cells of half the side.
    fn children(&self) -> [Self; 8] {
        let side = self.side / 2;
        std::array::from_fn(|c| Self {
            low: std::array::from_fn(|a| self.low[a] + (c as u32 >> a & 1) * side),
            side,
        })
    }

    fn holds(&self, at: [u32; 3]) -> bool {
        (0..3).all(|a| at[a] >= self.low[a] && at[a] - self.low[a] < self.side)
    }
}

/// The cell that holds the unit cell at a place, which lies in the grid. Sides are powers of two.
pub(super) fn find(leaves: &[Leaf], at: [u32; 3]) -> Option<usize> {
    let mut side = 1_u32;
    while side != 0 {
        // Cells of a side begin at multiples of it.
        let low = at.map(|x| x & !(side - 1));
        if let Ok(found) = leaves.binary_search_by_key(&low, |l| l.low)
            && leaves[found].holds(at)
        {
            return Some(found);
        }
        side = side.wrapping_shl(1);
    }
    None
}

/// A place beside another, unless it is outside.
fn shift(at: [u32; 3], axis: usize, by: i64, extent: [u32; 3]) -> Option<[u32; 3]> {
    let moved = i64::from(at[axis]) + by;
    let mut to = at;
    to[axis] = u32::try_from(moved).ok().filter(|x| *x < extent[axis])?;
    Some(to)
}

/// Halves cells until those that touch differ by a factor of two at most.
pub(super) fn balance(leaves: &mut Vec<Leaf>, extent: [u32; 3]) {
    loop {
        let mut large = Vec::new();
        for leaf in leaves.iter() {
            for direction in 0..27_u32 {
                let steps = [direction % 3, direction / 3 % 3, direction / 9];
                let beside = (0..3).try_fold(leaf.low, |at, a| match steps[a] {
                    0 => Some(at),
                    1 => shift(at, a, -1, extent),
                    _ => shift(at, a, i64::from(leaf.side), extent),
                });
                if let Some(found) = beside.and_then(|at| find(leaves, at))
                    && leaves[found].side > 2 * leaf.side
                {
                    large.push(found);
                }
            }
        }
        if large.is_empty() {
            return;
        }
        large.sort_unstable();
        large.dedup();
        *leaves = split(leaves, |cell| large.binary_search(&cell).is_ok());
    }
}

pub(super) fn split(leaves: &[Leaf], mut wanted: impl FnMut(usize) -> bool) -> Vec<Leaf> {
    let mut next = Vec::with_capacity(leaves.len());
    for (cell, leaf) in leaves.iter().enumerate() {
        if leaf.side > 1 && wanted(cell) {
            next.extend(leaf.children());
        } else {
            next.push(*leaf);
        }
    }
    next.sort_unstable();
    next
}

impl OctreeGrid {
    pub(super) fn build(
        low: [f64; 3],
        high: [f64; 3],
        extent: [u32; 3],
        leaves: Vec<Leaf>,
    ) -> Self {
        let mut corners: Vec<[u32; 3]> = leaves
            .iter()
            .flat_map(|l| (0..8).map(|c| l.corner(c)))
            .collect();
        corners.sort_unstable();
        corners.dedup();
        let mut grid = Self {
            low,
            high,
            extent,
            leaves,
            corners,
            edges: Vec::new(),
            around: Vec::new(),
            faces: Lists::default(),
            face_edges: Lists::default(),
            sides: Vec::new(),
            cell_faces: Lists::default(),
            cell_vertices: Lists::default(),
            cell_edges: Lists::default(),
        };
        grid.find_faces();
        grid.find_edges();
        grid.find_parts();
        grid
    }

    /// The number of a vertex, if there is one at a place.
    pub(super) fn vertex_at(&self, at: [u32; 3]) -> Option<u32> {
        self.corners.binary_search(&at).ok().map(|v| v as u32)
    }

    /// Adds the vertices from `a` up to `b`, which is left out, on the line between them.
    fn walk(&self, a: [u32; 3], b: [u32; 3], out: &mut Vec<u32>) {
        let middle = std::array::from_fn(|x| u32::midpoint(a[x], b[x]));
        if middle != a && middle != b && self.vertex_at(middle).is_some() {
            self.walk(a, middle, out);
            self.walk(middle, b, out);
        } else {
            out.extend(self.vertex_at(a));
        }
    }

    fn find_faces(&mut self) {
        let mut polygon = Vec::new();
        for cell in 0..self.leaves.len() {
            let leaf = self.leaves[cell];
            for (f, face) in FACES.iter().enumerate() {
                let by = if f % 2 == 0 { -1 } else { i64::from(leaf.side) };
                let beside =
                    shift(leaf.low, f / 2, by, self.extent).and_then(|at| find(&self.leaves, at));
                // A face belongs to the smaller cell, or to the lower one.
                if let Some(other) = beside
                    && (self.leaves[other].side, other) < (leaf.side, cell)
                {
                    continue;
                }
                polygon.clear();
                for m in 0..4 {
                    let [a, b] = [face[m], face[(m + 1) % 4]].map(|c| leaf.corner(c));
                    self.walk(a, b, &mut polygon);
                }
                self.faces.push(polygon.iter().copied());
                self.sides
                    .push([cell as u32, beside.map_or(NONE, |other| other as u32)]);
            }
        }
    }

    fn find_edges(&mut self) {
        for face in 0..self.faces.len() {
            let polygon = self.faces.get(face);
            for (m, &a) in polygon.iter().enumerate() {
                let b = polygon[(m + 1) % polygon.len()];
                self.edges.push([a.min(b), a.max(b)]);
            }
        }
        self.edges.sort_unstable();
        self.edges.dedup();
        for face in 0..self.faces.len() {
            let polygon = self.faces.get(face);
            let next = polygon.iter().cycle().skip(1);
            let edges = polygon.iter().zip(next);
            let edges: Vec<u32> = edges.filter_map(|(&a, &b)| self.edge_of([a, b])).collect();
            self.face_edges.push(edges);
        }
        self.around = self.edges.iter().map(|&e| self.cells_around(e)).collect();
    }

    fn cells_around(&self, ends: [u32; 2]) -> [u32; 4] {
        let [a, b] = ends.map(|v| self.corners[v as usize]);
        let axis = (0..3).find(|&x| a[x] != b[x]).unwrap_or(0);
        let [p, q] = OTHERS[axis];
        let mut cells = [NONE; 4];
        let mut count = 0;
        let mut turn = [(-1, -1), (0, -1), (0, 0), (-1, 0)];
        // p × q is −y for the axis y.
        if axis == 1 {
            turn.swap(1, 3);
        }
        for (by_p, by_q) in turn {
            let place =
                shift(a, p, by_p, self.extent).and_then(|at| shift(at, q, by_q, self.extent));
            let Some(cell) = place.and_then(|at| find(&self.leaves, at)) else {
                return [NONE; 4];
            };
            if !cells.contains(&(cell as u32)) {
                cells[count] = cell as u32;
                count += 1;
            }
        }
        cells
    }

    /// What belongs to each cell.
    fn find_parts(&mut self) {
        let mut of_cell = vec![Vec::new(); self.leaves.len()];
        for (face, sides) in self.sides.iter().enumerate() {
            for cell in sides.iter().filter(|c| **c != NONE) {
                of_cell[*cell as usize].push(face as u32);
            }
        }
        let mut line = Vec::new();
        for (leaf, faces) in self.leaves.iter().zip(of_cell) {
            let mut vertices: Vec<u32> = (0..8)
                .filter_map(|c| self.vertex_at(leaf.corner(c)))
                .collect();
            let mut edges = Vec::new();
            for ends in EDGES {
                let [a, b] = ends.map(|c| leaf.corner(c));
                line.clear();
                self.walk(a, b, &mut line);
                line.extend(self.vertex_at(b));
                edges.extend(line.windows(2).filter_map(|w| self.edge_of([w[0], w[1]])));
            }
            let mut more = [Vec::new(), Vec::new()];
            for &face in &faces {
                let polygon = self.faces.get(face as usize);
                more[0].extend(polygon.iter().filter(|v| !vertices.contains(v)));
                let around = self.face_edges.get(face as usize).iter();
                more[1].extend(around.filter(|e| !edges.contains(e)));
            }
            for (list, more) in [&mut vertices, &mut edges].into_iter().zip(&mut more) {
                more.sort_unstable();
                more.dedup();
                list.append(more);
            }
            self.cell_faces.push(faces);
            self.cell_vertices.push(vertices);
            self.cell_edges.push(edges);
        }
    }

    /// The number of the edge between two vertices.
    fn edge_of(&self, [a, b]: [u32; 2]) -> Option<u32> {
        let ends = [a.min(b), a.max(b)];
        self.edges.binary_search(&ends).ok().map(|e| e as u32)
    }
}
