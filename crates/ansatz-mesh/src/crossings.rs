//! The crossings of a grid's edges with a level set, and the cells they are on.
//!
//! Every extractor on a regular grid begins here. Signs are packed into words of 64 samples along z, so that crossed
//! edges and active cells are found by a few operations for 64 of them, and quiet words cost nothing. Crossings are
//! numbered by rows: those of row (i, j) along z, then along y, then along x, each by ascending k. A cell is active
//! whenever one of its edges is crossed, hence a walk along a row of cells meets all crossings of the rows beside it in
//! their order, and eight running counters number the twelve edges of each cell without any table of vertices.
//!
//! Cost: one pass over the samples, O(samples/64) operations on words, O(crossings); memory of one bit for each sample
//! and twelve bytes for each row. Blocks of slabs run in parallel and number their crossings from zero; the
//! numbers of blocks before are added afterwards, so that the bits do not depend on the threads.
//!
//! Idea of the passes: W. Schroeder, R. Maynard, B. Geveci, Flying edges: a high-performance scalable isocontouring
//! algorithm (2015).

mod signs;
mod slab;

use nalgebra::{Point3, Vector3};
use pulp::Arch;
use rayon::prelude::*;

use ansatz_core::Scalar;

use crate::cube::EDGES;
use crate::{Grid, MeshError};
use signs::{before_last, for_bits, shifted};
use slab::{Block, Part};
pub(crate) use slab::{fraction, gradient, place, unit};

/// Numbers of crossings stay below this; the rest of a `u32` is for vertices inside of cells.
pub(crate) const LIMIT: usize = 1 << 31;

/// The first corner of each edge whose crossing has its own counter, in the order of the counters: two rows of edges
/// along x, two along y, four along z.
const COUNTED: [usize; 8] = [0, 1, 4, 5, 8, 9, 10, 11];

/// What each case adds to the counters.
static STEPS: [[u32; 8]; 256] = {
    let mut steps = [[0; 8]; 256];
    let mut case = 0;
    while case < 256 {
        let mut m = 0;
        while m < 8 {
            let [a, b] = EDGES[COUNTED[m]];
            steps[case][m] = ((case >> a ^ case >> b) & 1) as u32;
            m += 1;
        }
        case += 1;
    }
    steps
};

/// Whether and how normals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Normals {
    /// No normals.
    #[default]
    None,
    /// Central differences of the samples (one-sided at the border) at both ends of the edge, interpolated; where they
    /// vanish, the mean normal of the triangles around by area.
    CentralDifferences,
}

/// What a block writes, with its signs and its first crossings.
type Task<'a, T> = ((&'a mut Part<T>, &'a mut [u64]), &'a mut [[u32; 3]]);

/// Packed signs and numbers of crossings of a grid.
#[derive(Debug, Default)]
pub(crate) struct Crossings<T: Scalar> {
    dims: [usize; 3],
    /// Words in a row.
    width: usize,
    signs: Vec<u64>,
    /// The first crossing of each row along z, y and x.
    first: Vec<[u32; 3]>,
    parts: Vec<Part<T>>,
}

/// How many slabs a block takes, so that threads have some blocks each. One thread takes all.
pub(crate) fn block_size(slabs: usize) -> usize {
    match rayon::current_num_threads() {
        1 => slabs,
        threads => slabs.div_ceil(4 * threads).max(4),
    }
}

/// Puts what several parts have one after the other, the parts side by side. `filler` is what memory is made of that was not
/// there before.
pub(crate) fn concatenate<P: Sync, X: Copy + Send + Sync>(
    parts: &[P],
    of: impl Fn(&P) -> &Vec<X>,
    filler: X,
    out: &mut Vec<X>,
) {
    out.resize(parts.iter().map(|p| of(p).len()).sum(), filler);
    let mut rest = &mut out[..];
    let mut tasks = Vec::with_capacity(parts.len());
    for part in parts {
        let from = of(part);
        let (to, after) = rest.split_at_mut(from.len());
        tasks.push((to, from));
        rest = after;
    }
    tasks
        .into_par_iter()
        .for_each(|(to, from)| to.copy_from_slice(from));
}

/// Where a sample is.
pub(crate) fn unflatten(dims: [usize; 3], at: usize) -> [usize; 3] {
    [
        at / (dims[1] * dims[2]),
        at / dims[2] % dims[1],
        at % dims[2],
    ]
}

impl<T: Scalar> Crossings<T> {
    /// Finds all crossings. `points` and `normals` (where wanted) are overwritten, on success alone.
    pub(crate) fn run(
        &mut self,
        grid: &Grid<'_, T>,
        iso: T,
        kind: Normals,
        points: &mut Vec<Point3<T>>,
        normals: &mut Vec<Vector3<T>>,
    ) -> Result<(), MeshError> {
        if !iso.is_finite() {
            return Err(MeshError::NotFinite {
                what: "iso value",
                value: iso.f64(),
            });
        }
        let dims = grid.shape().dims();
        let [n0, n1, n2] = dims;
        (self.dims, self.width) = (dims, n2.div_ceil(64));
        self.signs.resize(n0 * n1 * self.width, 0);
        self.first.resize(n0 * n1, [0; 3]);
        let size = block_size(n0);
        let blocks = n0.div_ceil(size);
        if self.parts.len() < blocks {
            self.parts.resize_with(blocks, Part::default);
        }
        let parts = &mut self.parts[..blocks];
        let slab = n1 * self.width;
        let run = |(b, ((part, signs), first)): (usize, Task<'_, T>)| match kind {
            Normals::None => {
                Arch::new().dispatch(Block::<T, false>(grid, iso, b * size, signs, first, part));
            }
            Normals::CentralDifferences => {
                Arch::new().dispatch(Block::<T, true>(grid, iso, b * size, signs, first, part));
            }
        };
        if blocks == 1 {
            run((0, ((&mut parts[0], &mut self.signs), &mut self.first)));
        } else {
            parts
                .par_iter_mut()
                .zip(self.signs.par_chunks_mut(size * slab))
                .zip(self.first.par_chunks_mut(size * n1))
                .enumerate()
                .for_each(run);
        }
        if let Some(at) = parts.iter().find_map(|p| p.bad) {
            let (index, value) = (unflatten(dims, at), grid.data()[at].f64());
            return Err(MeshError::Sample { index, value });
        }
        let vertices: usize = parts.iter().map(|p| p.points.len()).sum();
        if vertices >= LIMIT {
            return Err(MeshError::TooLarge { vertices });
        }
        if let [part] = parts {
            std::mem::swap(points, &mut part.points);
            std::mem::swap(normals, &mut part.normals);
            return Ok(());
        }
        let mut before = 0;
        let starts = parts.iter().map(|p| {
            before += p.points.len() as u32;
            before - p.points.len() as u32
        });
        let starts: Vec<u32> = starts.collect();
        self.first
            .par_chunks_mut(size * n1)
            .zip(starts)
            .for_each(|(first, start)| first.iter_mut().flatten().for_each(|f| *f += start));
        let zero = T::zero();
        concatenate(parts, |p| &p.points, Point3::new(zero, zero, zero), points);
        concatenate(
            parts,
            |p| &p.normals,
            Vector3::new(zero, zero, zero),
            normals,
        );
        Ok(())
    }

    /// Signs of a row.
    #[inline(always)]
    fn row(&self, i: usize, j: usize) -> &[u64] {
        &self.signs[(i * self.dims[1] + j) * self.width..][..self.width]
    }

    /// The signs of the corners of a cell.
    pub(crate) fn case(&self, [i, j, k]: [usize; 3]) -> u8 {
        let sign = |i, j, k: usize| (self.row(i, j)[k / 64] >> (k % 64) & 1) as u8;
        (0..8)
            .map(|c| sign(i + (c & 1), j + (c >> 1 & 1), k + (c >> 2)) << c)
            .sum()
    }

    /// Calls for each active cell of a row with its k, its case, and the numbers of the crossings on its edges. Where
    /// an edge is not crossed the number means nothing.
    #[inline(always)]
    pub(crate) fn cells(&self, i: usize, j: usize, mut visit: impl FnMut(usize, u8, &[u32; 16])) {
        let [_, n1, n2] = self.dims;
        let rows = [
            self.row(i, j),
            self.row(i + 1, j),
            self.row(i, j + 1),
            self.row(i + 1, j + 1),
        ];
        let first = |i: usize, j: usize| self.first[i * n1 + j];
        let [f00, f10, f01, f11] = [
            first(i, j),
            first(i + 1, j),
            first(i, j + 1),
            first(i + 1, j + 1),
        ];
        let mut count = [
            f00[2], f01[2], f00[1], f10[1], f00[0], f10[0], f01[0], f11[0],
        ];
        for w in 0..self.width {
            let low = rows.map(|r| r[w]);
            let high = rows.map(|r| shifted(r, w));
            let any = low[0] | low[1] | low[2] | low[3] | high[0] | high[1] | high[2] | high[3];
            let all = low[0] & low[1] & low[2] & low[3] & high[0] & high[1] & high[2] & high[3];
            let active = any & !all & before_last(w, n2);
            for_bits(active, 0, |bit| {
                let bits = |x: [u64; 4]| {
                    (x[0] >> bit & 1)
                        | (x[1] >> bit & 1) << 1
                        | (x[2] >> bit & 1) << 2
                        | (x[3] >> bit & 1) << 3
                };
                let case = (bits(low) | bits(high) << 4) as u8;
                let step = &STEPS[usize::from(case)];
                let old = count;
                for (c, s) in count.iter_mut().zip(step) {
                    *c += s;
                }
                let edges = [
                    old[0], old[1], count[0], count[1], old[2], old[3], count[2], count[3], old[4],
                    old[5], old[6], old[7], 0, 0, 0, 0,
                ];
                visit(64 * w + bit, case, &edges);
            });
        }
    }

    /// Calls for each crossing in order, with the axis and the lower sample of its edge.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, [usize; 3])) {
        let [n0, n1, n2] = self.dims;
        for i in 0..n0 {
            for j in 0..n1 {
                let row = self.row(i, j);
                for w in 0..self.width {
                    let along = (row[w] ^ shifted(row, w)) & before_last(w, n2);
                    for_bits(along, 64 * w, |k| visit(2, [i, j, k]));
                }
                for (axis, inside) in [(1, j + 1 < n1), (0, i + 1 < n0)] {
                    if inside {
                        let next = if axis == 1 {
                            self.row(i, j + 1)
                        } else {
                            self.row(i + 1, j)
                        };
                        for w in 0..self.width {
                            for_bits(row[w] ^ next[w], 64 * w, |k| visit(axis, [i, j, k]));
                        }
                    }
                }
            }
        }
    }
}
