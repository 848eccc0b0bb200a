//! Where a level set crosses the edges of a grid, and the cells that it crosses.
//!
//! Samples [nx, ny, nz], nz fastest. An edge is crossed where one end lies below the level and the other does not. Crossings
//! are numbered by rows (i, j) of samples: those along z, then y, then x, each by ascending k; cells by their first samples,
//! ascending. Points are placed by linear interpolation in `f64` and rounded once. [`edges`], [`cells`] and [`points`] are the
//! twins, with the same bits. Cost: one pass over the samples and 3/4 of a byte for each, and what crossed edges read again.
//! The signs are packed first, and rows are numbered by their words, as in W. Schroeder, R. Maynard, B. Geveci, *Flying edges:
//! a high-performance scalable isocontouring algorithm*, 2015.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range, elements};
use crate::family::entry;
use crate::kernel::lincomb::grid;
use crate::kernel::scan;
use crate::{Buffer, CudaError, Device, DeviceScalar, Family};

const BLOCK: u32 = 256;

/// Most crossings: their numbers have 31 bits.
const MOST: usize = (1 << 31) - 1;

/// Demands two samples along each axis, and that 32 bits name each of them.
pub(crate) fn demand_grid(shape: [usize; 3]) -> Result<(), CudaError> {
    for n in shape {
        demand_range("the samples along an axis", n, 2, u32::MAX as usize)?;
    }
    let samples = elements(&shape);
    demand_range("the number of samples", samples, 8, u32::MAX as usize)
}

/// Words of signs.
#[must_use]
pub fn words([nx, ny, nz]: [usize; 3]) -> usize {
    elements(&[nx, ny, nz.div_ceil(32)])
}

/// Words of cells, each of which has a number of crossed ones.
#[must_use]
pub fn cell_words([nx, ny, nz]: [usize; 3]) -> usize {
    elements(&[nx.saturating_sub(1), ny.saturating_sub(1), nz.div_ceil(32)])
}

/// Packs signs; `bad[0]`, 0 before, becomes the complement of the first index of a sample that is not finite.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for fewer than two samples along an axis or 2³² in all.
pub fn plan_signs<T: DeviceScalar>(
    shape: [usize; 3],
    samples: View<'_, T>,
    level: f64,
    signs: &ViewMut<'_, u32>,
    bad: &ViewMut<'_, u64>,
) -> Result<Call, CudaError> {
    demand_grid(shape)?;
    demand_len("the samples", elements(&shape), samples.len())?;
    demand_len("the words of signs", words(shape), signs.len())?;
    demand_len("the place for a bad sample", 1, bad.len())?;
    let grid = grid(words(shape).div_ceil(4) * 32)?;
    let entry = entry!(T, "crossings_signs");
    Ok(Call::new(Family::Crossings, entry, grid, BLOCK)
        .read(samples)
        .f64(level)
        .len(shape[0] * shape[1])
        .u32(shape[2])
        .write(signs)
        .write(bad))
}

/// How many crossings each word has along z, y, x, [nx, ny, 3, width], and how many crossed cells.
///
/// # Errors
/// As [`plan_signs`].
pub fn plan_count(
    shape: [usize; 3],
    signs: View<'_, u32>,
    crossings: &ViewMut<'_, u32>,
    cells: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_grid(shape)?;
    demand_len("the words of signs", words(shape), signs.len())?;
    demand_len(
        "the numbers of crossings",
        3 * words(shape),
        crossings.len(),
    )?;
    demand_len("the numbers of cells", cell_words(shape), cells.len())?;
    let grid = grid(words(shape))?;
    let call = Call::new(Family::Crossings, "crossings_count", grid, BLOCK).read(signs);
    Ok(sizes(call, shape).write(crossings).write(cells))
}

/// Points of crossings, three coordinates each, `origin + place·spacing`. `firsts` are the numbers before each word's, from
/// the pass before; `out` has at least as many points as they say.
///
/// # Errors
/// As [`plan_signs`].
pub fn plan_points<T: DeviceScalar>(
    shape: [usize; 3],
    samples: View<'_, T>,
    level: f64,
    signs: View<'_, u32>,
    firsts: View<'_, u32>,
    [origin, spacing]: [[f64; 3]; 2],
    out: &ViewMut<'_, T>,
) -> Result<Call, CudaError> {
    demand_grid(shape)?;
    demand_len("the samples", elements(&shape), samples.len())?;
    demand_len("the words of signs", words(shape), signs.len())?;
    demand_len("the numbers of crossings", 3 * words(shape), firsts.len())?;
    let grid = grid(words(shape))?;
    let entry = entry!(T, "crossings_points");
    let call = Call::new(Family::Crossings, entry, grid, BLOCK)
        .read(samples)
        .f64(level)
        .read(signs)
        .read(firsts);
    let call = sizes(call, shape);
    let call = origin.into_iter().chain(spacing).fold(call, Call::f64);
    Ok(call.write(out))
}

/// The first samples of crossed cells, ascending; `firsts` are the numbers before each word of cells.
///
/// # Errors
/// As [`plan_signs`].
pub fn plan_pack(
    shape: [usize; 3],
    signs: View<'_, u32>,
    firsts: View<'_, u32>,
    cells: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_grid(shape)?;
    demand_len("the words of signs", words(shape), signs.len())?;
    demand_len("the numbers of cells", cell_words(shape), firsts.len())?;
    let grid = grid(cell_words(shape))?;
    let call = Call::new(Family::Crossings, "crossings_pack", grid, BLOCK).read(signs);
    Ok(sizes(call, shape).read(firsts).write(cells))
}

/// The three lengths, as kernels take them.
pub(crate) fn sizes(call: Call, shape: [usize; 3]) -> Call {
    shape.into_iter().fold(call, Call::u32)
}

/// The crossings of a grid, in device memory.
#[derive(Debug)]
pub struct Crossings {
    pub(crate) shape: [usize; 3],
    level: f64,
    pub(crate) signs: Buffer<u32>,
    /// Numbers of the crossings before each word's.
    pub(crate) firsts: Buffer<u32>,
    count: usize,
    /// First samples of crossed cells.
    pub(crate) cells: Buffer<u32>,
    /// Numbers of the crossed cells before each word of cells.
    pub(crate) starts: Buffer<u32>,
}

impl Crossings {
    /// Finds them.
    ///
    /// # Errors
    /// As [`plan_signs`]; [`CudaError::NotFinite`] for such a sample; [`CudaError::OutOfRange`] for 2³¹ crossings or more;
    /// [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn find<T: DeviceScalar>(
        shape: [usize; 3],
        samples: &Buffer<T>,
        level: f64,
    ) -> Result<Self, CudaError> {
        let device = samples.device();
        demand_grid(shape)?;
        let mut signs = Buffer::stale(device, words(shape))?;
        let mut bad = device.zeros(1)?;
        let call = plan_signs(
            shape,
            samples.view(),
            level,
            &signs.view_mut(),
            &bad.view_mut(),
        )?;
        send(device, &call)?;
        let mut firsts = Buffer::stale(device, 3 * words(shape))?;
        let mut numbers = Buffer::stale(device, cell_words(shape))?;
        let call = plan_count(shape, signs.view(), &firsts.view_mut(), &numbers.view_mut())?;
        send(device, &call)?;
        let count = scan::exclusive(&mut firsts)? as usize;
        let crossed = scan::exclusive(&mut numbers)? as usize;
        let mut complement = [0];
        bad.read(&mut complement)?;
        if complement[0] != 0 {
            let index = usize::try_from(!complement[0]).unwrap_or(usize::MAX);
            let what = "the samples";
            return Err(CudaError::NotFinite { what, index });
        }
        demand_range("the number of crossings", count, 0, MOST)?;
        let mut cells = Buffer::stale(device, crossed)?;
        if crossed > 0 {
            let call = plan_pack(shape, signs.view(), numbers.view(), &cells.view_mut())?;
            send(device, &call)?;
        }
        Ok(Self {
            shape,
            level,
            signs,
            firsts,
            count,
            cells,
            starts: numbers,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is crossed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first samples of crossed cells, ascending.
    #[must_use]
    pub fn cells(&self) -> &Buffer<u32> {
        &self.cells
    }

    /// Their points, three coordinates each, `origin + place·spacing`, and `more` coordinates behind them. `samples` are
    /// those that the crossings were found in.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn points<T: DeviceScalar>(
        &self,
        samples: &Buffer<T>,
        origin: [f64; 3],
        spacing: [f64; 3],
        more: &[T],
    ) -> Result<Buffer<T>, CudaError> {
        let device = self.signs.device();
        same_stream(device, "the samples", samples)?;
        let mut out = Buffer::stale(device, 3 * self.count + more.len())?;
        if self.count > 0 {
            let call = plan_points(
                self.shape,
                samples.view(),
                self.level,
                self.signs.view(),
                self.firsts.view(),
                [origin, spacing],
                &out.view_mut(),
            )?;
            send(device, &call)?;
        }
        if !more.is_empty() {
            out.put(3 * self.count, &device.upload(more)?)?;
        }
        Ok(out)
    }
}

fn send(device: &Device, call: &Call) -> Result<(), CudaError> {
    // SAFETY: the plans above give their kernels' arguments and have checked every length; places that kernels write to come
    // from counts of the same signs, which nobody else can write, and the buffers written have room for their sums. All
    // belong to the stream of the samples, and what is written is held alone.
    unsafe { device.launch(call) }
}

/// Crossed edges on the processor, in the order of their numbers: axis and first sample.
///
/// # Panics
/// Where `samples` are fewer than the shape says.
#[must_use]
pub fn edges<T: DeviceScalar>(
    shape: [usize; 3],
    samples: &[T],
    level: f64,
) -> Vec<(usize, [usize; 3])> {
    let [nx, ny, nz] = shape;
    let below = |[i, j, k]: [usize; 3]| samples[(i * ny + j) * nz + k] < T::of(level);
    let mut found = Vec::new();
    for row in 0..nx * ny {
        for axis in [2, 1, 0] {
            for k in 0..nz {
                let at = [row / ny, row % ny, k];
                let mut end = at;
                end[axis] += 1;
                if end[axis] < shape[axis] && below(at) != below(end) {
                    found.push((axis, at));
                }
            }
        }
    }
    found
}

/// First samples of crossed cells on the processor, ascending.
///
/// # Panics
/// Where `samples` are fewer than the shape says.
#[must_use]
pub fn cells<T: DeviceScalar>(shape: [usize; 3], samples: &[T], level: f64) -> Vec<u32> {
    let [_, ny, nz] = shape;
    (0..samples.len())
        .filter(|at| {
            let place = [at / nz / ny, at / nz % ny, at % nz];
            let inside = (0..3).all(|d| place[d] + 1 < shape[d]);
            inside && !matches!(case(shape, samples, level, *at), 0 | 255)
        })
        .map(|at| at as u32)
        .collect()
}

/// Axis and first sample of an edge of the cell whose first sample this is.
pub(crate) fn edge_of([_, ny, nz]: [usize; 3], first: usize, edge: usize) -> (usize, [usize; 3]) {
    let (axis, mut at) = (edge / 4, [first / nz / ny, first / nz % ny, first % nz]);
    let others = [[1, 2], [0, 2], [0, 1]][axis];
    at[others[0]] += edge & 1;
    at[others[1]] += edge >> 1 & 1;
    (axis, at)
}

/// The signs of a cell's corners.
pub(crate) fn case<T: DeviceScalar>(
    [_, ny, nz]: [usize; 3],
    samples: &[T],
    level: f64,
    first: usize,
) -> u8 {
    let corner = |c: usize| samples[first + ((c & 1) * ny + (c >> 1 & 1)) * nz + (c >> 2)];
    (0..8).fold(0, |bits, c| bits | u8::from(corner(c) < T::of(level)) << c)
}

/// Points of crossed edges on the processor.
///
/// # Panics
/// Where `samples` are fewer than the shape says.
#[must_use]
pub fn points<T: DeviceScalar>(
    [_, ny, nz]: [usize; 3],
    samples: &[T],
    level: f64,
    edges: &[(usize, [usize; 3])],
    [origin, spacing]: [[f64; 3]; 2],
) -> Vec<T> {
    let value = |[i, j, k]: [usize; 3]| samples[(i * ny + j) * nz + k].f64();
    let point = |(axis, at): &(usize, [usize; 3])| {
        let mut end = *at;
        end[*axis] += 1;
        let t = (level - value(*at)) / (value(end) - value(*at));
        let t = if t > 0.0 { t.min(1.0) } else { 0.0 };
        let along = |d: usize| at[d] as f64 + if d == *axis { t } else { 0.0 };
        [0, 1, 2].map(|d| T::of(origin[d] + along(d) * spacing[d]))
    };
    edges.iter().flat_map(point).collect()
}
