//! Triangles of the cells that a level crosses, from a table for the signs of their corners: marching cubes, with shared
//! vertices.
//!
//! Vertices are the [crossings] of edges. The table says which edges a case's triangles have; which triangles
//! those are is the caller's knowledge. Cases that signs alone do not decide are left open: their cells come back with corner
//! values and numbers of crossings, and the caller gives their triangles, which are put where they belong. Triangles stand
//! in the order of cells; [`twin`] has the same bits. Cost: some 100 bytes of memory traffic a crossed cell.

#![expect(unsafe_code, reason = "kernels are launched here")]

use std::collections::HashMap;

use super::crossings::{self, Crossings, demand_grid, sizes, words};
use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range, elements};
use crate::family::entry;
use crate::kernel::lincomb::grid;
use crate::kernel::scan;
use crate::{Buffer, CudaError, Device, DeviceScalar, Family};

const BLOCK: u32 = 256;

/// What a row of a table begins with when the case's cells are left to the caller.
pub const OPEN: u8 = 255;

/// For each case the number of triangles, at most five, and their edges, 4·axis + o + 2p with the offsets of the lower end on
/// the other two axes, ascending; or [`OPEN`].
pub type Table = [[u8; 16]; 256];

/// What cell kernels share: signs and the grid, the cells, the table.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    /// Samples along x, y, z.
    pub shape: [usize; 3],
    /// Packed signs.
    pub signs: View<'a, u32>,
    /// First samples of crossed cells.
    pub cells: View<'a, u32>,
    /// A [`Table`], row by row.
    pub table: View<'a, u8>,
}

impl Cells<'_> {
    fn call(&self, entry: &'static str) -> Result<Call, CudaError> {
        demand_grid(self.shape)?;
        demand_len("the words of signs", words(self.shape), self.signs.len())?;
        demand_len("the table", 4096, self.table.len())?;
        demand_range("the crossed cells", self.cells.len(), 1, u32::MAX as usize)?;
        let grid = grid(self.cells.len())?;
        Ok(Call::new(Family::Cubes, entry, grid, BLOCK))
    }

    fn rest(&self, call: Call) -> Call {
        sizes(call.read(self.signs), self.shape)
            .read(self.cells)
            .u32(self.cells.len())
            .read(self.table)
    }
}

/// How many triangles each cell has, 0 for open ones, and 1 for those.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] without a cell.
pub fn plan_cases(
    cells: &Cells<'_>,
    numbers: &ViewMut<'_, u32>,
    open: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len("the numbers of triangles", cells.cells.len(), numbers.len())?;
    demand_len("the marks of open cells", cells.cells.len(), open.len())?;
    let call = cells.call("cubes_cases")?;
    Ok(cells.rest(call).write(numbers).write(open))
}

/// For open cells, in order: number among the crossed ones and first sample (`which`, pairs), corner values (8 each), numbers
/// of crossings on the edges (12 each; those of edges that are not crossed mean nothing). `places` are the numbers of open
/// cells before each.
///
/// # Errors
/// As [`plan_cases`].
pub fn plan_open<T: DeviceScalar>(
    cells: &Cells<'_>,
    samples: View<'_, T>,
    firsts: View<'_, u32>,
    places: View<'_, u32>,
    which: &ViewMut<'_, u32>,
    corners: &ViewMut<'_, T>,
    names: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    let open = which.len() / 2;
    demand_len("the samples", elements(&cells.shape), samples.len())?;
    demand_len(
        "the numbers of crossings",
        3 * words(cells.shape),
        firsts.len(),
    )?;
    demand_len("the places of open cells", cells.cells.len(), places.len())?;
    demand_len("the open cells", 2 * open, which.len())?;
    demand_len("the corner values", 8 * open, corners.len())?;
    demand_len("the names of crossings", 12 * open, names.len())?;
    let call = cells.call(entry!(T, "cubes_open"))?.read(samples);
    Ok(cells
        .rest(call)
        .read(firsts)
        .read(places)
        .write(which)
        .write(corners)
        .write(names))
}

/// Numbers of triangles of open cells, where theirs end one after the other.
///
/// # Errors
/// As [`plan_cases`].
pub fn plan_set(
    which: View<'_, u32>,
    ends: View<'_, u32>,
    numbers: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len("the open cells", 2 * ends.len(), which.len())?;
    let grid = grid(ends.len())?;
    Ok(Call::new(Family::Cubes, "cubes_set", grid, BLOCK)
        .read(which)
        .read(ends)
        .u32(ends.len())
        .write(numbers))
}

/// Triangles of the cells that are not open. `places` are the numbers of triangles before each cell's.
///
/// # Errors
/// As [`plan_cases`].
pub fn plan_emit(
    cells: &Cells<'_>,
    firsts: View<'_, u32>,
    places: View<'_, u32>,
    triangles: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len(
        "the numbers of crossings",
        3 * words(cells.shape),
        firsts.len(),
    )?;
    demand_len("the places of triangles", cells.cells.len(), places.len())?;
    let call = cells.call("cubes_emit")?;
    Ok(cells.rest(call).read(firsts).read(places).write(triangles))
}

/// Triangles of open cells, as the caller gives them.
///
/// # Errors
/// As [`plan_cases`].
pub fn plan_fill(
    which: View<'_, u32>,
    ends: View<'_, u32>,
    own: View<'_, u32>,
    places: View<'_, u32>,
    triangles: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len("the open cells", 2 * ends.len(), which.len())?;
    let grid = grid(ends.len())?;
    Ok(Call::new(Family::Cubes, "cubes_fill", grid, BLOCK)
        .read(which)
        .read(ends)
        .u32(ends.len())
        .read(own)
        .read(places)
        .write(triangles))
}

/// Cells that the table leaves to the caller, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Open<T> {
    /// Their first samples.
    pub cells: Vec<u32>,
    /// The values at their corners, x + 2y + 4z.
    pub corners: Vec<[T; 8]>,
    /// The numbers of the crossings on their edges; those of edges that are not crossed mean nothing.
    pub names: Vec<[u32; 12]>,
}

/// An extraction on its way: cells are classified, triangles not yet written.
#[derive(Debug)]
pub struct Classified<'a> {
    crossings: &'a Crossings,
    table: Buffer<u8>,
    numbers: Buffer<u32>,
    which: Buffer<u32>,
    count: usize,
}

impl<'a> Classified<'a> {
    /// Classifies the cells of `crossings`, which were found in `samples`.
    ///
    /// # Errors
    /// [`CudaError::OutOfRange`] for a table of more than five triangles or edges beyond 11; [`CudaError::ShapeMismatch`],
    /// [`CudaError::OtherStream`]; [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn new<T: DeviceScalar>(
        crossings: &'a Crossings,
        samples: &Buffer<T>,
        table: &Table,
    ) -> Result<(Self, Open<T>), CudaError> {
        for row in table.iter().filter(|row| row[0] != OPEN) {
            let count = usize::from(row[0]);
            demand_range("the triangles of a case", count, 0, 5)?;
            for edge in &row[1..=3 * count] {
                demand_range("an edge of a triangle", usize::from(*edge), 0, 11)?;
            }
        }
        let device = crossings.signs.device();
        same_stream(device, "the samples", samples)?;
        let n = crossings.cells.len();
        let mut made = Self {
            crossings,
            table: device.upload(table.as_flattened())?,
            numbers: Buffer::stale(device, n)?,
            which: Buffer::stale(device, 0)?,
            count: 0,
        };
        let mut open = Open {
            cells: Vec::new(),
            corners: Vec::new(),
            names: Vec::new(),
        };
        if n == 0 {
            return Ok((made, open));
        }
        let mut places = Buffer::stale(device, n)?;
        let numbers = made.numbers.view_mut();
        let cells = cells_of(crossings, &made.table);
        send(device, &plan_cases(&cells, &numbers, &places.view_mut())?)?;
        made.count = scan::exclusive(&mut places)? as usize;
        if made.count > 0 {
            made.which = Buffer::stale(device, 2 * made.count)?;
            let mut corners = Buffer::stale(device, 8 * made.count)?;
            let mut names = Buffer::stale(device, 12 * made.count)?;
            let call = plan_open(
                &cells_of(crossings, &made.table),
                samples.view(),
                crossings.firsts.view(),
                places.view(),
                &made.which.view_mut(),
                &corners.view_mut(),
                &names.view_mut(),
            )?;
            send(device, &call)?;
            let which = made.which.to_vec()?;
            open.cells = which.chunks_exact(2).map(|pair| pair[1]).collect();
            open.corners = corners.to_vec()?.as_chunks::<8>().0.to_vec();
            open.names = names.to_vec()?.as_chunks::<12>().0.to_vec();
        }
        Ok((made, open))
    }

    /// The triangles, three numbers of vertices each. Those of open cells are `own`, one cell after the other; the triangles
    /// of open cell o end at number `ends[o]`.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for ends that descend, and for 2³² triangles or more;
    /// [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn triangles(mut self, ends: &[u32], own: &[[u32; 3]]) -> Result<Buffer<u32>, CudaError> {
        demand_len("the ends of open cells", self.count, ends.len())?;
        let mut last = 0;
        for end in ends {
            demand_range("an end of triangles", *end as usize, last, own.len())?;
            last = *end as usize;
        }
        demand_len("the triangles of open cells", last, own.len())?;
        let Crossings { signs, firsts, .. } = self.crossings;
        let device = signs.device();
        if self.numbers.is_empty() {
            return Buffer::stale(device, 0);
        }
        let uploaded = if ends.is_empty() {
            None
        } else {
            let ends = device.upload(ends)?;
            let numbers = self.numbers.view_mut();
            send(device, &plan_set(self.which.view(), ends.view(), &numbers)?)?;
            Some((ends, device.upload(own.as_flattened())?))
        };
        let total = scan::exclusive(&mut self.numbers)? as usize;
        let most = u32::MAX as usize - 1;
        demand_range("the number of triangles", total, 0, most)?;
        let mut triangles = Buffer::stale(device, 3 * total)?;
        let cells = cells_of(self.crossings, &self.table);
        let (places, out) = (self.numbers.view(), triangles.view_mut());
        send(device, &plan_emit(&cells, firsts.view(), places, &out)?)?;
        if let Some((ends, own)) = &uploaded {
            let call = plan_fill(self.which.view(), ends.view(), own.view(), places, &out)?;
            send(device, &call)?;
        }
        Ok(triangles)
    }
}

fn cells_of<'a>(crossings: &'a Crossings, table: &'a Buffer<u8>) -> Cells<'a> {
    Cells {
        shape: crossings.shape,
        signs: crossings.signs.view(),
        cells: crossings.cells.view(),
        table: table.view(),
    }
}

fn send(device: &Device, call: &Call) -> Result<(), CudaError> {
    // SAFETY: the plans above give their kernels' arguments and have checked lengths; the table was checked for what kernels
    // take from it; places come from scans of numbers that kernels wrote for the same cells, and what is written has room
    // for their sums. All belong to the stream of the crossings, and what is written is held alone.
    unsafe { device.launch(call) }
}

/// Triangles on the processor: those of the table, and for open cells what `decide` says of first sample, corner values and
/// numbers of crossings (`u32::MAX` where an edge is not crossed).
///
/// # Panics
/// Where `samples` are fewer than the shape says, or the table names an edge that is not crossed.
pub fn twin<T: DeviceScalar>(
    shape: [usize; 3],
    samples: &[T],
    level: f64,
    table: &Table,
    mut decide: impl FnMut(u32, [T; 8], [u32; 12]) -> Vec<[u32; 3]>,
) -> Vec<[u32; 3]> {
    let [_, ny, nz] = shape;
    let edges = crossings::edges(shape, samples, level);
    let numbers: HashMap<(usize, [usize; 3]), u32> = edges.into_iter().zip(0..).collect();
    let mut triangles = Vec::new();
    for cell in crossings::cells(shape, samples, level) {
        let first = cell as usize;
        let names: [u32; 12] = std::array::from_fn(|edge| {
            let edge = crossings::edge_of(shape, first, edge);
            numbers.get(&edge).copied().unwrap_or(u32::MAX)
        });
        let row = &table[usize::from(crossings::case(shape, samples, level, first))];
        if row[0] == OPEN {
            let offset = |c: usize| ((c & 1) * ny + (c >> 1 & 1)) * nz + (c >> 2);
            let corners = std::array::from_fn(|c| samples[first + offset(c)]);
            triangles.extend(decide(cell, corners, names));
            continue;
        }
        for t in 0..usize::from(row[0]) {
            triangles.push([1, 2, 3].map(|v| names[usize::from(row[3 * t + v])]));
        }
    }
    assert!(triangles.as_flattened().iter().all(|v| *v != u32::MAX));
    triangles
}
