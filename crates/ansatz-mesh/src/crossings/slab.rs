//! Crossings of a block of slabs.

use nalgebra::{Point3, Vector3};
use pulp::NullaryFnOnce;

use ansatz_core::Scalar;

use super::signs::{before_last, for_bits, pack_row, shifted};
use crate::Grid;

/// What a block of slabs writes.
#[derive(Debug, Default)]
pub(super) struct Part<T: Scalar> {
    pub(super) points: Vec<Point3<T>>,
    pub(super) normals: Vec<Vector3<T>>,
    /// Signs of the slab after the block.
    pub(super) halo: Vec<u64>,
    /// The first sample that is not finite.
    pub(super) bad: Option<usize>,
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
pub(super) struct Block<'a, 'g, T: Scalar, const NORMALS: bool>(
    pub(super) &'a Grid<'g, T>,
    pub(super) T,
    pub(super) usize,
    pub(super) &'a mut [u64],
    pub(super) &'a mut [[u32; 3]],
    pub(super) &'a mut Part<T>,
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
