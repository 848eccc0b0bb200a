//! Level sets on a grid: the cells that a surface crosses, and a vertex in each.
//!
//! Samples [nx, ny, nz] (nz fastest) make cells [nx − 1, ny − 1, nz − 1]. Bit c of a cell's case is set where corner
//! c = x + 2y + 4z lies below the level; cells of case 0 and 255 are not crossed. Vertices are the means of the places where
//! the level crosses a cell's edges (S. Gibson, *Constrained elastic surface nets*, 1998), in coordinates of samples. The
//! order is that of cells; twins are [`cases`], [`crossed`] and [`dual`], with the same bits. Cost: one pass over the
//! samples, two over a byte a cell, and eight samples for each crossed cell.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range, elements};
use crate::family::entry;
use crate::kernel::lincomb::grid;
use crate::kernel::scan;
use crate::{Buffer, CudaError, Device, DeviceScalar, Family};

const BLOCK: u32 = 256;

/// Number of cells; 0 where an axis has fewer than two samples.
fn cells(shape: [usize; 3]) -> Result<usize, CudaError> {
    for n in shape {
        demand_range("the samples along an axis", n, 0, u32::MAX as usize)?;
    }
    let cells = elements(&shape.map(|n| n.saturating_sub(1)));
    demand_range("the number of cells", cells, 0, u32::MAX as usize)?;
    Ok(cells)
}

/// Blocks of the passes over cells, each of which has a count.
///
/// # Errors
/// [`CudaError::OutOfRange`] for 2³² cells or more.
pub fn counts_len(shape: [usize; 3]) -> Result<usize, CudaError> {
    Ok(cells(shape)?.div_ceil(BLOCK as usize))
}

/// Cases of all cells, and how many of each block of 256 are crossed. `None` for grids without a cell.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for 2³² cells or more.
pub fn plan_classify<T: DeviceScalar>(
    shape: [usize; 3],
    samples: View<'_, T>,
    level: f64,
    cases: &ViewMut<'_, u8>,
    counts: &ViewMut<'_, u32>,
) -> Result<Option<Call>, CudaError> {
    let [nx, ny, nz] = shape;
    let cells = cells(shape)?;
    demand_len("the samples", elements(&shape), samples.len())?;
    demand_len("the cases", cells, cases.len())?;
    demand_len("the counts", counts_len(shape)?, counts.len())?;
    if cells == 0 {
        return Ok(None);
    }
    let entry = entry!(T, "grid_field_classify");
    Ok(Some(
        Call::new(Family::GridField, entry, grid(cells)?, BLOCK)
            .read(samples)
            .f64(level)
            .u32(nx)
            .u32(ny)
            .u32(nz)
            .write(cases)
            .write(counts),
    ))
}

/// Numbers of crossed cells, ascending. `None` for grids without a cell.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_compact(
    cases: View<'_, u8>,
    firsts: View<'_, u32>,
    crossed: &ViewMut<'_, u32>,
) -> Result<Option<Call>, CudaError> {
    demand_len(
        "the first places",
        cases.len().div_ceil(BLOCK as usize),
        firsts.len(),
    )?;
    demand_range("the number of cells", cases.len(), 0, u32::MAX as usize)?;
    if cases.is_empty() || crossed.is_empty() {
        return Ok(None);
    }
    let grid = grid(cases.len())?;
    Ok(Some(
        Call::new(Family::GridField, "grid_field_compact", grid, BLOCK)
            .read(cases)
            .len(cases.len())
            .read(firsts)
            .u32(crossed.len())
            .write(crossed),
    ))
}

/// Vertices of crossed cells, three coordinates each. `None` without one.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_dual<T: DeviceScalar>(
    shape: [usize; 3],
    samples: View<'_, T>,
    level: f64,
    cases: View<'_, u8>,
    crossed: View<'_, u32>,
    vertices: &ViewMut<'_, T>,
) -> Result<Option<Call>, CudaError> {
    let [_, ny, nz] = shape;
    demand_len("the samples", elements(&shape), samples.len())?;
    demand_len("the cases", cells(shape)?, cases.len())?;
    demand_range("the number of crossed cells", crossed.len(), 0, cases.len())?;
    demand_len("the vertices", 3 * crossed.len(), vertices.len())?;
    if crossed.is_empty() {
        return Ok(None);
    }
    let entry = entry!(T, "grid_field_dual");
    let grid = grid(crossed.len())?;
    Ok(Some(
        Call::new(Family::GridField, entry, grid, BLOCK)
            .read(samples)
            .f64(level)
            .u32(ny)
            .u32(nz)
            .read(cases)
            .read(crossed)
            .u32(crossed.len())
            .write(vertices),
    ))
}

/// The cells that a level crosses, in device memory.
#[derive(Debug)]
pub struct Crossed<T: DeviceScalar> {
    /// The case of each cell.
    pub cases: Buffer<u8>,
    /// Numbers of crossed cells, ascending.
    pub cells: Buffer<u32>,
    /// A vertex for each, three coordinates.
    pub vertices: Buffer<T>,
}

/// Classifies, packs and places: all of the above.
///
/// # Errors
/// As the plans; [`CudaError::OutOfMemory`]; what the driver answers.
pub fn extract<T: DeviceScalar>(
    shape: [usize; 3],
    samples: &Buffer<T>,
    level: f64,
) -> Result<Crossed<T>, CudaError> {
    let device = samples.device();
    same_stream(device, "the samples", samples)?;
    let mut cases = Buffer::stale(device, cells(shape)?)?;
    let mut counts = Buffer::stale(device, counts_len(shape)?)?;
    let (marks, numbers) = (cases.view_mut(), counts.view_mut());
    send(
        device,
        plan_classify(shape, samples.view(), level, &marks, &numbers)?,
    )?;
    let count = scan::exclusive(&mut counts)?;
    let mut cells = Buffer::stale(device, count as usize)?;
    let mut vertices = Buffer::stale(device, 3 * cells.len())?;
    send(
        device,
        plan_compact(cases.view(), counts.view(), &cells.view_mut())?,
    )?;
    let places = vertices.view_mut();
    send(
        device,
        plan_dual(
            shape,
            samples.view(),
            level,
            cases.view(),
            cells.view(),
            &places,
        )?,
    )?;
    Ok(Crossed {
        cases,
        cells,
        vertices,
    })
}

fn send(device: &Device, call: Option<Call>) -> Result<(), CudaError> {
    match call {
        // SAFETY: the plans above give their kernels' arguments and have checked every length; all buffers belong to the
        // stream of the samples, numbers of cells were made by the pass before, and what is written is held alone.
        Some(call) => unsafe { device.launch(&call) },
        None => Ok(()),
    }
}

/// The samples at a cell's corners.
fn corners<T: DeviceScalar>(
    [_, ny, nz]: [usize; 3],
    samples: &[T],
    cell: usize,
) -> ([usize; 3], [T; 8]) {
    let plane = (ny - 1) * (nz - 1);
    let at @ [i, j, k] = [cell / plane, cell % plane / (nz - 1), cell % (nz - 1)];
    let value = |c: usize| samples[((i + (c & 1)) * ny + j + (c >> 1 & 1)) * nz + k + (c >> 2)];
    (at, std::array::from_fn(value))
}

/// Cases on the processor.
///
/// # Panics
/// Where `samples` are fewer than the shape says.
#[must_use]
pub fn cases<T: DeviceScalar>(shape: [usize; 3], samples: &[T], level: f64) -> Vec<u8> {
    let cells: usize = shape.iter().map(|n| n.saturating_sub(1)).product();
    let case = |cell| {
        let (_, at) = corners(shape, samples, cell);
        (0..8).fold(0, |bits, c| bits | u8::from(at[c] < T::of(level)) << c)
    };
    (0..cells).map(case).collect()
}

/// Numbers of crossed cells on the processor.
#[must_use]
pub fn crossed(cases: &[u8]) -> Vec<u32> {
    let is_crossed = |case: u8| case != 0 && case != 255;
    (0_u32..)
        .zip(cases)
        .filter(|(_, case)| is_crossed(**case))
        .map(|(cell, _)| cell)
        .collect()
}

/// Vertices on the processor.
///
/// # Panics
/// Where `samples` are fewer than the shape says, or a cell lies beyond it.
#[must_use]
pub fn dual<T: DeviceScalar>(
    shape: [usize; 3],
    samples: &[T],
    level: f64,
    crossed: &[u32],
) -> Vec<T> {
    let mut vertices = Vec::with_capacity(3 * crossed.len());
    for cell in crossed {
        let (place, at) = corners(shape, samples, *cell as usize);
        let below = |c: usize| at[c] < T::of(level);
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for axis in 0..3 {
            for low in (0..8).filter(|c| c >> axis & 1 == 0) {
                let high = low | 1 << axis;
                if below(low) == below(high) {
                    continue;
                }
                let t = (level - at[low].f64()) / (at[high].f64() - at[low].f64());
                let t = if t > 0.0 { t.min(1.0) } else { 0.0 };
                count += 1.0;
                for (d, sum) in sum.iter_mut().enumerate() {
                    *sum += if d == axis { t } else { (low >> d & 1) as f64 };
                }
            }
        }
        vertices.extend((0..3).map(|d| T::of(place[d] as f64 + sum[d] / count)));
    }
    vertices
}
