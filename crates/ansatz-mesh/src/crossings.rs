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

use nalgebra::{Point3, Vector3};
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use ansatz_core::Scalar;

use crate::cube::EDGES;
use crate::{Grid, MeshError};

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

/// What a block of slabs writes.
#[derive(Debug, Default)]
struct Part<T: Scalar> {
    points: Vec<Point3<T>>,
    normals: Vec<Vector3<T>>,
    /// Signs of the slab after the block.
    halo: Vec<u64>,
    /// The first sample that is not finite.
    bad: Option<usize>,
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

/// Signs of 64 samples; one where the sample is inside.
#[inline(always)]
fn pack_word<T: Scalar>(samples: &[T; 64], iso: T) -> u64 {
    let mut bytes = [0u8; 64];
    for (byte, x) in bytes.iter_mut().zip(samples) {
        *byte = u8::from(*x < iso);
    }
    let mut word = 0;
    for (m, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // The product moves the lowest bits of the bytes into the highest byte.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (8 * m);
    }
    word
}

/// Signs of a row; `words` are as many as it takes.
#[inline(always)]
fn pack_row<T: Scalar>(row: &[T], iso: T, words: &mut [u64]) {
    let (full, rest) = row.as_chunks::<64>();
    for (word, samples) in words.iter_mut().zip(full) {
        *word = pack_word(samples, iso);
    }
    if let Some(last) = words.get_mut(full.len()) {
        *last = 0;
        for (bit, x) in rest.iter().enumerate() {
            *last |= u64::from(*x < iso) << bit;
        }
    }
}

/// Calls with the place of each one bit, ascending.
#[inline(always)]
fn for_bits(mut word: u64, base: usize, mut visit: impl FnMut(usize)) {
    while word != 0 {
        visit(base + word.trailing_zeros() as usize);
        word &= word - 1;
    }
}

/// Bits of word `w` whose sample has a next one in the row.
#[inline(always)]
fn before_last(w: usize, samples: usize) -> u64 {
    let left = samples - 1 - 64 * w;
    if left >= 64 { !0 } else { (1 << left) - 1 }
}

/// The signs of the samples one further along z.
#[inline(always)]
fn shifted(row: &[u64], w: usize) -> u64 {
    row[w] >> 1 | row.get(w + 1).map_or(0, |next| next << 63)
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

/// Packs the signs of a slab.
#[inline(always)]
fn pack_slab<T: Scalar>(grid: &Grid<'_, T>, iso: T, i: usize, signs: &mut [u64]) -> Option<usize> {
    let [_, n1, n2] = grid.shape().dims();
    let data = &grid.data()[i * n1 * n2..][..n1 * n2];
    let width = n2.div_ceil(64);
    for (j, (row, words)) in data
        .chunks_exact(n2)
        .zip(signs.chunks_exact_mut(width))
        .enumerate()
    {
        pack_row(row, iso, words);
        if !T::all_finite(row) {
            let k = row.iter().position(|x| !x.is_finite())?;
            return Some((i * n1 + j) * n2 + k);
        }
    }
    None
}

/// A block of slabs, from the slab of that number on: its signs, its first crossings, and what it writes.
///
/// Compiled for the vectors of the processor that runs, which packs signs several times as fast; all that is called has
/// to be inlined for that. The bits are the same on each.
struct Block<'a, 'g, T: Scalar, const NORMALS: bool>(
    &'a Grid<'g, T>,
    T,
    usize,
    &'a mut [u64],
    &'a mut [[u32; 3]],
    &'a mut Part<T>,
);

impl<T: Scalar, const NORMALS: bool> NullaryFnOnce for Block<'_, '_, T, NORMALS> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self(grid, iso, begin, signs, first, part) = self;
        block::<T, NORMALS>(grid, iso, begin, signs, first, part);
    }
}

/// Packs the slabs of a block and finds their crossings while the samples are in the cache.
#[inline(always)]
fn block<T: Scalar, const NORMALS: bool>(
    grid: &Grid<'_, T>,
    iso: T,
    begin: usize,
    signs: &mut [u64],
    first: &mut [[u32; 3]],
    part: &mut Part<T>,
) {
    let [n0, n1, n2] = grid.shape().dims();
    let slab = n1 * n2.div_ceil(64);
    let slabs = first.len() / n1;
    part.points.clear();
    part.normals.clear();
    part.halo.resize(slab, 0);
    // Packing brings samples into the cache. Normals look two slabs ahead.
    let ahead = if NORMALS { 2 } else { 1 };
    let mut packed = 0;
    for s in 0..slabs {
        while packed <= (s + ahead).min(slabs) && begin + packed < n0 {
            let words = if packed < slabs {
                &mut signs[packed * slab..][..slab]
            } else {
                &mut part.halo[..]
            };
            part.bad = pack_slab(grid, iso, begin + packed, words);
            if part.bad.is_some() {
                return;
            }
            packed += 1;
        }
        let (here, rest) = signs[s * slab..].split_at(slab);
        let next = if s + 1 < slabs {
            &rest[..slab]
        } else {
            &part.halo[..]
        };
        let i = begin + s;
        let next = (i + 1 < n0).then_some(next);
        let out = (&mut part.points, &mut part.normals);
        crossings_of_slab::<T, NORMALS>(grid, iso, i, here, next, &mut first[s * n1..][..n1], out);
    }
}

/// Where crossings are written. A method, since a closure that is called from three places is not inlined.
struct Vertices<'a, 'g, T: Scalar, const NORMALS: bool> {
    grid: &'a Grid<'g, T>,
    iso: f64,
    /// One over the spacing.
    inverse: [f64; 3],
    points: &'a mut Vec<Point3<T>>,
    normals: &'a mut Vec<Vector3<T>>,
}

impl<T: Scalar, const NORMALS: bool> Vertices<'_, '_, T, NORMALS> {
    /// The crossing of the edge from sample (i, j, k), which is `a` in the data, along an axis to `b`.
    #[inline(always)]
    fn cross(&mut self, axis: usize, [i, j, k]: [usize; 3], a: usize, b: usize) {
        let (grid, shape) = (self.grid, self.grid.shape());
        let t = fraction(grid.data()[a], grid.data()[b], self.iso);
        let point = place(shape.origin(), shape.spacing(), [i, j, k], axis, t);
        self.points.push(point);
        if NORMALS {
            let mut end = [i, j, k];
            end[axis] += 1;
            let g = gradient(grid, self.inverse, [i, j, k]);
            let e = gradient(grid, self.inverse, end);
            let between = |c: usize| g[c] + t * (e[c] - g[c]);
            let normal = Vector3::new(between(0), between(1), between(2));
            self.normals.push(unit(normal));
        }
    }
}

/// Writes the crossings that slab i owns.
#[inline(always)]
fn crossings_of_slab<T: Scalar, const NORMALS: bool>(
    grid: &Grid<'_, T>,
    iso: T,
    i: usize,
    here: &[u64],
    next: Option<&[u64]>,
    first: &mut [[u32; 3]],
    (points, normals): (&mut Vec<Point3<T>>, &mut Vec<Vector3<T>>),
) {
    let [_, n1, n2] = grid.shape().dims();
    let width = n2.div_ceil(64);
    let spacing = grid.shape().spacing();
    let mut out = Vertices::<T, NORMALS> {
        grid,
        iso: iso.f64(),
        inverse: [1.0 / spacing[0], 1.0 / spacing[1], 1.0 / spacing[2]],
        points,
        normals,
    };
    let mut count = 0;
    for j in 0..n1 {
        let row = &here[j * width..][..width];
        let at = (i * n1 + j) * n2;
        first[j][0] = count;
        for w in 0..width {
            let along = (row[w] ^ shifted(row, w)) & before_last(w, n2);
            count += along.count_ones();
            for_bits(along, 64 * w, |k| {
                out.cross(2, [i, j, k], at + k, at + k + 1);
            });
        }
        first[j][1] = count;
        if j + 1 < n1 {
            let beside = &here[(j + 1) * width..][..width];
            for w in 0..width {
                count += (row[w] ^ beside[w]).count_ones();
                for_bits(row[w] ^ beside[w], 64 * w, |k| {
                    out.cross(1, [i, j, k], at + k, at + n2 + k);
                });
            }
        }
        first[j][2] = count;
        if let Some(next) = next {
            let beside = &next[j * width..][..width];
            for w in 0..width {
                count += (row[w] ^ beside[w]).count_ones();
                for_bits(row[w] ^ beside[w], 64 * w, |k| {
                    out.cross(0, [i, j, k], at + k, at + n1 * n2 + k);
                });
            }
        }
    }
    // Numbers began at zero for this slab; those of the block go before.
    let before = out.points.len() as u32 - count;
    first.iter_mut().flatten().for_each(|f| *f += before);
}

/// The point on an edge at a fraction of it.
#[inline(always)]
pub(crate) fn place<T: Scalar>(
    origin: [f64; 3],
    spacing: [f64; 3],
    [i, j, k]: [usize; 3],
    axis: usize,
    t: f64,
) -> Point3<T> {
    let mut at = [i as f64, j as f64, k as f64];
    at[axis] += t;
    let along = |c: usize| T::of(origin[c] + at[c] * spacing[c]);
    Point3::new(along(0), along(1), along(2))
}

/// Where an edge is crossed, from its lower end (0) to its upper (1).
#[inline(always)]
pub(crate) fn fraction<T: Scalar>(a: T, b: T, iso: f64) -> f64 {
    let t = (iso - a.f64()) / (b.f64() - a.f64());
    // Differences of huge samples overflow, and their quotient may be NaN.
    if t.is_nan() { 0.0 } else { t.clamp(0.0, 1.0) }
}

/// The gradient at a sample by central differences, one-sided at the border; `inverse` is one over the spacing.
// Written out: `map` of an array is a call where vectors are chosen at run time.
#[inline(always)]
pub(crate) fn gradient<T: Scalar>(
    grid: &Grid<'_, T>,
    inverse: [f64; 3],
    at: [usize; 3],
) -> [f64; 3] {
    let dims = grid.shape().dims();
    let (far, beside) = (dims[1] * dims[2], dims[2]);
    let data = grid.data();
    let flat = at[0] * far + at[1] * beside + at[2];
    let slope = |axis: usize, stride: usize| {
        let (back, ahead) = (at[axis] > 0, at[axis] + 1 < dims[axis]);
        let low = data[if back { flat - stride } else { flat }].f64();
        let high = data[if ahead { flat + stride } else { flat }].f64();
        let scale = if back && ahead { 0.5 } else { 1.0 };
        (high - low) * (scale * inverse[axis])
    };
    [slope(0, far), slope(1, beside), slope(2, 1)]
}

/// The direction of a vector in the type of the mesh; zero where it has none.
#[inline(always)]
pub(crate) fn unit<T: Scalar>(v: Vector3<f64>) -> Vector3<T> {
    let size = (v.x * v.x + v.y * v.y + v.z * v.z).sqrt();
    if size > 0.0 && size.is_finite() {
        let part = |x: f64| T::of(x / size);
        Vector3::new(part(v.x), part(v.y), part(v.z))
    } else {
        Vector3::from([T::zero(); 3])
    }
}
