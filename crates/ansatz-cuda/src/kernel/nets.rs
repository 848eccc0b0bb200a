//! Dual meshes of level sets: a vertex in each crossed cell, at the mean of its crossings, a quad around each crossed edge.
//!
//! Vertices stand in the order of cells, quads in the order of the cells at whose first sample their edge begins, along x, y,
//! z; a quad goes round counter-clockwise seen from outside. In which order a cell's crossings are added is the caller's: a
//! table says so for each case. Twins are [`means`] and [`quads`], with the same bits. Cost: some 200 bytes of memory traffic
//! a crossed cell. S. Gibson, *Constrained elastic surface nets*, 1998.

#![expect(unsafe_code, reason = "kernels are launched here")]

use std::collections::HashMap;

use super::crossings::{self, Crossings, cell_words, demand_grid, sizes, words};
use super::cubes::Table;
use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range};
use crate::family::entry;
use crate::kernel::lincomb::grid;
use crate::kernel::scan;
use crate::{Buffer, CudaError, Device, DeviceScalar, Family};

const BLOCK: u32 = 256;

/// A call with what all kernels of the family begin with.
fn begin(
    entry: &'static str,
    shape: [usize; 3],
    signs: View<'_, u32>,
    cells: View<'_, u32>,
) -> Result<Call, CudaError> {
    demand_grid(shape)?;
    demand_len("the words of signs", words(shape), signs.len())?;
    demand_range("the crossed cells", cells.len(), 1, u32::MAX as usize)?;
    let call = Call::new(Family::Nets, entry, grid(cells.len())?, BLOCK).read(signs);
    Ok(sizes(call, shape).read(cells).u32(cells.len()))
}

/// A vertex for each crossed cell. `order` is a [`Table`] with the number of a case's crossed edges, at most 12, and these in
/// the order in which they are added.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] without a cell.
pub fn plan_means<T: DeviceScalar>(
    shape: [usize; 3],
    [signs, cells, firsts]: [View<'_, u32>; 3],
    order: View<'_, u8>,
    points: View<'_, T>,
    vertices: &ViewMut<'_, T>,
) -> Result<Call, CudaError> {
    demand_len("the table", 4096, order.len())?;
    demand_len("the numbers of crossings", 3 * words(shape), firsts.len())?;
    demand_len("the vertices", 3 * cells.len(), vertices.len())?;
    let call = begin(entry!(T, "nets_means"), shape, signs, cells)?;
    Ok(call.read(order).read(firsts).read(points).write(vertices))
}

/// How many quads begin at each crossed cell.
///
/// # Errors
/// As [`plan_means`].
pub fn plan_count(
    shape: [usize; 3],
    [signs, cells]: [View<'_, u32>; 2],
    numbers: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len("the numbers of quads", cells.len(), numbers.len())?;
    Ok(begin("nets_count", shape, signs, cells)?.write(numbers))
}

/// Quads; `places` are the numbers of quads before each cell's, `starts` the numbers of crossed cells before each word's.
///
/// # Errors
/// As [`plan_means`].
pub fn plan_quads(
    shape: [usize; 3],
    [signs, cells, starts, places]: [View<'_, u32>; 4],
    quads: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len("the numbers of cells", cell_words(shape), starts.len())?;
    demand_len("the places of quads", cells.len(), places.len())?;
    let call = begin("nets_quads", shape, signs, cells)?;
    Ok(call.read(starts).read(places).write(quads))
}

/// Vertices, three coordinates each, and quads, four numbers each, for the crossings of a grid and their points.
///
/// # Errors
/// [`CudaError::OutOfRange`] for a table with more than 12 edges or one beyond 11; [`CudaError::ShapeMismatch`],
/// [`CudaError::OtherStream`]; [`CudaError::OutOfMemory`]; what the driver answers.
pub fn extract<T: DeviceScalar>(
    crossings: &Crossings,
    points: &Buffer<T>,
    order: &Table,
) -> Result<(Buffer<T>, Buffer<u32>), CudaError> {
    for row in order {
        let count = usize::from(row[0]);
        demand_range("the crossed edges of a case", count, 0, 12)?;
        for edge in &row[1..=count] {
            demand_range("an edge of a cell", usize::from(*edge), 0, 11)?;
        }
    }
    let device = crossings.cells.device();
    same_stream(device, "the points", points)?;
    demand_len("the points", 3 * crossings.len(), points.len())?;
    let (shape, n) = (crossings.shape, crossings.cells.len());
    let mut vertices = Buffer::stale(device, 3 * n)?;
    if n == 0 {
        return Ok((vertices, Buffer::stale(device, 0)?));
    }
    let table = device.upload(order.as_flattened())?;
    let (signs, cells) = (crossings.signs.view(), crossings.cells.view());
    let call = plan_means(
        shape,
        [signs, cells, crossings.firsts.view()],
        table.view(),
        points.view(),
        &vertices.view_mut(),
    )?;
    send(device, &call)?;
    let mut numbers = Buffer::stale(device, n)?;
    let call = plan_count(shape, [signs, cells], &numbers.view_mut())?;
    send(device, &call)?;
    let total = scan::exclusive(&mut numbers)? as usize;
    demand_range("the number of quads", total, 0, u32::MAX as usize - 1)?;
    let mut quads = Buffer::stale(device, 4 * total)?;
    let of = [signs, cells, crossings.starts.view(), numbers.view()];
    send(device, &plan_quads(shape, of, &quads.view_mut())?)?;
    Ok((vertices, quads))
}

fn send(device: &Device, call: &Call) -> Result<(), CudaError> {
    // SAFETY: the plans above give their kernels' arguments and have checked lengths; the table was checked for what kernels
    // take from it; points are those of the crossings, which name them, and places come from scans of numbers that kernels
    // wrote for the same cells. All belong to the stream of the crossings, and what is written is held alone.
    unsafe { device.launch(call) }
}

/// Vertices on the processor.
///
/// # Panics
/// Where `samples` are fewer than the shape says, or the table names an edge that is not crossed.
#[must_use]
pub fn means<T: DeviceScalar>(
    shape: [usize; 3],
    samples: &[T],
    level: f64,
    order: &Table,
    points: &[T],
) -> Vec<T> {
    let edges = crossings::edges(shape, samples, level);
    let numbers: HashMap<(usize, [usize; 3]), usize> = edges.into_iter().zip(0..).collect();
    let mut vertices = Vec::new();
    for cell in crossings::cells(shape, samples, level) {
        let first = cell as usize;
        let row = &order[usize::from(crossings::case(shape, samples, level, first))];
        let mut sum = [0.0; 3];
        for edge in &row[1..=usize::from(row[0])] {
            let n = numbers[&crossings::edge_of(shape, first, usize::from(*edge))];
            for (s, x) in sum.iter_mut().zip(&points[3 * n..]) {
                *s += x.f64();
            }
        }
        let scale = 1.0 / f64::from(row[0]);
        vertices.extend(sum.map(|s| T::of(s * scale)));
    }
    vertices
}

/// Quads on the processor.
///
/// # Panics
/// Where `samples` are fewer than the shape says.
#[must_use]
pub fn quads<T: DeviceScalar>(shape: [usize; 3], samples: &[T], level: f64) -> Vec<[u32; 4]> {
    let [_, ny, nz] = shape;
    let cells = crossings::cells(shape, samples, level);
    let numbers: HashMap<u32, u32> = cells.iter().copied().zip(0..).collect();
    let mut quads = Vec::new();
    for cell in cells {
        let first = cell as usize;
        let place = [first / nz / ny, first / nz % ny, first % nz];
        let case = crossings::case(shape, samples, level, first);
        for axis in 0..3 {
            let [p, q] = [[1, 2], [0, 2], [0, 1]][axis];
            let differ = (case >> (1 << axis) ^ case) & 1 == 1;
            if !differ || place[p] == 0 || place[q] == 0 {
                continue;
            }
            let stride = [ny * nz, nz, 1];
            let around =
                |op: usize, oq: usize| numbers[&((first - op * stride[p] - oq * stride[q]) as u32)];
            let mut quad = [around(1, 1), around(0, 1), around(0, 0), around(1, 0)];
            if (case & 1 == 1) == (axis == 1) {
                quad.swap(1, 3);
            }
            quads.push(quad);
        }
    }
    quads
}
