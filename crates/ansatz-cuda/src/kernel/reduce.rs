//! Sums in a fixed order: inner products, sums, norms of errors; also the largest magnitude, and whether all is finite.
//!
//! The tree of additions depends on the length alone and is the one that states in main memory use: leaves of 4096
//! elements, 16 partial sums in each, halves upon halves above. Twins: `State::dot`, `State::dots`, `State::error_norm` of
//! `Vec`, bit for bit. Cost: one pass over the operands; [`dots`] reads the common one once for four others.

#![expect(unsafe_code, reason = "kernels are launched here")]

use ansatz_core::Tolerance;

use super::lincomb::grid;
use crate::buffer::same_stream;
use crate::call::{Call, TABLE, View, ViewMut, blocks};
use crate::error::{demand_len, demand_range};
use crate::family::entry;
use crate::{Buffer, CudaError, Device, DeviceScalar, Family};

/// Elements of a leaf of the tree.
pub const LEAF: usize = 4096;

const BLOCK: u32 = 256;
const LEAVES_IN_BLOCK: u32 = BLOCK / 16;

/// Leaves of an array.
#[must_use]
pub fn leaves(len: usize) -> usize {
    len.div_ceil(LEAF)
}

/// Levels of the tree above the leaves.
pub(crate) fn depth(leaves: usize) -> usize {
    leaves.next_power_of_two().trailing_zeros() as usize
}

/// Numbers of scratch that the tree needs for each sum.
#[must_use]
pub fn scratch_len(leaves: usize) -> usize {
    2 << depth(leaves).saturating_sub(1)
}

/// Blocks for the leaves of an array. Leaf numbers are 32 bits wide.
pub(crate) fn leaf_blocks(len: usize) -> Result<u32, CudaError> {
    demand_range("the number of elements", len, 0, LEAF << 31)?;
    Ok(blocks(leaves(len) as u64, LEAVES_IN_BLOCK).unwrap_or(u32::MAX))
}

/// Elements of each of `rows` rows of a state, and leaves of all of them.
fn row_leaves(len: usize, rows: usize) -> Result<(usize, usize), CudaError> {
    demand_range("the number of rows", rows, 1, len.max(1))?;
    let row = len / rows;
    demand_len("the rows together", len, row * rows)?;
    let all = rows * leaves(row);
    demand_range("the leaves of all rows", all, 0, u32::MAX as usize)?;
    Ok((row, all))
}

/// Sums of leaves for the inner products of `x` with up to 16 others, row by row, to
/// `partial[(which·rows + row)·leaves + leaf]`; one row is the whole.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for more than 16 others, or none, and for no row.
pub fn plan_dots<T: DeviceScalar>(
    x: View<'_, T>,
    others: &[View<'_, T>],
    rows: usize,
    partial: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    demand_range("the number of inner products", others.len(), 1, TABLE)?;
    for y in others {
        demand_len("a partner", x.len(), y.len())?;
    }
    let (row, leaves) = row_leaves(x.len(), rows)?;
    demand_len("the partial sums", leaves * others.len(), partial.len())?;
    let across = blocks(leaves as u64, LEAVES_IN_BLOCK).unwrap_or(u32::MAX);
    let grid = [across, others.len().div_ceil(4) as u32, 1];
    Ok(
        Call::new(Family::Reduce, entry!(T, "reduce_dots"), grid, BLOCK)
            .read(x)
            .table(others.iter().map(|y| (0.0, *y)))
            .u32(others.len())
            .len(row)
            .u32(leaves)
            .write(partial),
    )
}

/// Sums of leaves of ((x − a)/max(atol, rtol·max(|a|, |b|)))², row by row.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for no row.
pub fn plan_distance<T: DeviceScalar>(
    [x, a, b]: [View<'_, T>; 3],
    tol: Tolerance,
    rows: usize,
    partial: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    let (row, leaves) = row_leaves(x.len(), rows)?;
    demand_len("the first state", x.len(), a.len())?;
    demand_len("the second state", x.len(), b.len())?;
    demand_len("the partial sums", leaves, partial.len())?;
    let across = blocks(leaves as u64, LEAVES_IN_BLOCK).unwrap_or(u32::MAX);
    Ok(Call::new(
        Family::Reduce,
        entry!(T, "reduce_distance"),
        [across, 1, 1],
        BLOCK,
    )
    .read(x)
    .read(a)
    .read(b)
    .f64(tol.atol)
    .f64(tol.rtol)
    .len(row)
    .u32(leaves)
    .write(partial))
}

/// Sums of leaves of `x`.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_sum<T: DeviceScalar>(
    x: View<'_, T>,
    partial: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    let leaves = leaves(x.len());
    demand_len("the partial sums", leaves, partial.len())?;
    let grid = [leaf_blocks(x.len())?, 1, 1];
    Ok(
        Call::new(Family::Reduce, entry!(T, "reduce_sum"), grid, BLOCK)
            .read(x)
            .len(x.len())
            .u32(leaves)
            .write(partial),
    )
}

/// Sums of leaves of (x/(atol + rtol·max(|a|, |b|)))².
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_error<T: DeviceScalar>(
    x: View<'_, T>,
    a: View<'_, T>,
    b: View<'_, T>,
    tol: Tolerance,
    partial: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    let leaves = leaves(x.len());
    demand_len("the first state", x.len(), a.len())?;
    demand_len("the second state", x.len(), b.len())?;
    demand_len("the partial sums", leaves, partial.len())?;
    let grid = [leaf_blocks(x.len())?, 1, 1];
    Ok(
        Call::new(Family::Reduce, entry!(T, "reduce_error"), grid, BLOCK)
            .read(x)
            .read(a)
            .read(b)
            .f64(tol.atol)
            .f64(tol.rtol)
            .len(x.len())
            .u32(leaves)
            .write(partial),
    )
}

/// The tree above the leaves, for `out.len()` sums at once.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_tree(
    partial: View<'_, f64>,
    out: &ViewMut<'_, f64>,
    scratch: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    demand_range("the number of sums", out.len(), 1, i32::MAX as usize)?;
    let leaves = partial.len() / out.len();
    demand_len("the partial sums", leaves * out.len(), partial.len())?;
    demand_len(
        "the scratch",
        scratch_len(leaves) * out.len(),
        scratch.len(),
    )?;
    let grid = [out.len() as u32, 1, 1];
    Ok(Call::new(Family::Reduce, "reduce_tree", grid, 512)
        .read(partial)
        .write(out)
        .write(scratch)
        .u32(leaves)
        .u32(depth(leaves)))
}

/// Sets `broken[0]` to 1 when an element is not finite.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_finite<T: DeviceScalar>(
    x: View<'_, T>,
    broken: &ViewMut<'_, u32>,
) -> Result<Call, CudaError> {
    demand_len("the flag", 1, broken.len())?;
    let size = 16 / size_of::<T>();
    let vectors = if x.is_wide() { x.len() / size } else { 0 };
    let grid = grid(vectors.max(x.len() - vectors * size))?;
    Ok(
        Call::new(Family::Reduce, entry!(T, "reduce_finite"), grid, BLOCK)
            .read(x)
            .len(vectors)
            .len(x.len())
            .write(broken),
    )
}

/// The bits of the largest |x| as an `f64`, to `out[0]`, which must be 0 before.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_largest<T: DeviceScalar>(
    x: View<'_, T>,
    out: &ViewMut<'_, u64>,
) -> Result<Call, CudaError> {
    demand_len("the result", 1, out.len())?;
    let [x_blocks, ..] = grid(x.len())?;
    // Enough to fill any device; each thread takes several elements.
    let grid = [x_blocks.min(4096), 1, 1];
    Ok(
        Call::new(Family::Reduce, entry!(T, "reduce_largest"), grid, BLOCK)
            .read(x)
            .len(x.len())
            .write(out),
    )
}

/// Sends calls that were planned in this module.
fn send(device: &Device, calls: &[Call]) -> Result<(), CudaError> {
    for call in calls {
        // SAFETY: the plans above give their kernels' arguments and have checked every length against what the kernel
        // reaches; callers below checked that operands belong to the stream, and hold what is written alone.
        unsafe { device.launch(call)? };
    }
    Ok(())
}

/// The tree over leaf sums, and its results in main memory.
pub(crate) fn finish(
    device: &Device,
    partial: &Buffer<f64>,
    out: &mut [f64],
) -> Result<(), CudaError> {
    let leaves = partial.len() / out.len().max(1);
    if leaves == 1 {
        return partial.read(out);
    }
    let mut scratch = Buffer::stale(device, scratch_len(leaves) * out.len())?;
    let mut sums = Buffer::stale(device, out.len())?;
    let call = plan_tree(partial.view(), &sums.view_mut(), &scratch.view_mut())?;
    send(device, &[call])?;
    sums.read(out)
}

/// Inner products of `x` with several others.
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what the driver answers.
pub fn dots<T: DeviceScalar>(
    x: &Buffer<T>,
    others: &[&Buffer<T>],
    out: &mut [f64],
) -> Result<(), CudaError> {
    demand_len("the place for inner products", others.len(), out.len())?;
    row_dots(x, others, 1, out)
}

/// Inner products of each of `rows` rows of `x` with the same rows of several others: `out[which·rows + row]`.
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; [`CudaError::OutOfRange`] for no row; what the driver answers.
pub fn row_dots<T: DeviceScalar>(
    x: &Buffer<T>,
    others: &[&Buffer<T>],
    rows: usize,
    out: &mut [f64],
) -> Result<(), CudaError> {
    demand_len(
        "the place for inner products",
        others.len() * rows,
        out.len(),
    )?;
    let device = x.device();
    for y in others {
        demand_len("a partner", x.len(), y.len())?;
        same_stream(device, "a partner", y)?;
    }
    if x.is_empty() {
        out.fill(0.0);
        return Ok(());
    }
    let (_, leaves) = row_leaves(x.len(), rows)?;
    for (group, out) in others.chunks(TABLE).zip(out.chunks_mut(TABLE * rows)) {
        let mut views = [View::new(0, 0); TABLE];
        for (view, y) in views.iter_mut().zip(group) {
            *view = y.view();
        }
        let mut partial = Buffer::stale(device, leaves * group.len())?;
        let call = plan_dots(x.view(), &views[..group.len()], rows, &partial.view_mut())?;
        send(device, &[call])?;
        finish(device, &partial, out)?;
    }
    Ok(())
}

/// Root mean squares of (x − a)/max(atol, rtol·max(|a|, |b|)) in each of `out.len()` rows.
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; [`CudaError::OutOfRange`] for no row; what the driver answers.
pub fn row_errors<T: DeviceScalar>(
    x: &Buffer<T>,
    a: &Buffer<T>,
    b: &Buffer<T>,
    tol: Tolerance,
    out: &mut [f64],
) -> Result<(), CudaError> {
    same_stream(x.device(), "the first state", a)?;
    same_stream(x.device(), "the second state", b)?;
    if x.is_empty() {
        out.fill(0.0);
        return Ok(());
    }
    let (row, leaves) = row_leaves(x.len(), out.len())?;
    let mut partial = Buffer::stale(x.device(), leaves)?;
    let states = [x.view(), a.view(), b.view()];
    let call = plan_distance(states, tol, out.len(), &partial.view_mut())?;
    send(x.device(), &[call])?;
    finish(x.device(), &partial, out)?;
    for sum in out {
        *sum = (*sum / row as f64).sqrt();
    }
    Ok(())
}

/// The sum of all elements.
///
/// # Errors
/// What the driver answers.
pub fn sum<T: DeviceScalar>(x: &Buffer<T>) -> Result<f64, CudaError> {
    if x.is_empty() {
        return Ok(0.0);
    }
    let mut partial = Buffer::stale(x.device(), leaves(x.len()))?;
    let call = plan_sum(x.view(), &partial.view_mut())?;
    send(x.device(), &[call])?;
    let mut out = [0.0];
    finish(x.device(), &partial, &mut out)?;
    Ok(out[0])
}

/// Root mean square of x/(atol + rtol·max(|a|, |b|)).
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what the driver answers.
pub fn error_norm<T: DeviceScalar>(
    x: &Buffer<T>,
    a: &Buffer<T>,
    b: &Buffer<T>,
    tol: Tolerance,
) -> Result<f64, CudaError> {
    same_stream(x.device(), "the first state", a)?;
    same_stream(x.device(), "the second state", b)?;
    if x.is_empty() {
        return Ok(0.0);
    }
    let mut partial = Buffer::stale(x.device(), leaves(x.len()))?;
    let call = plan_error(x.view(), a.view(), b.view(), tol, &partial.view_mut())?;
    send(x.device(), &[call])?;
    let mut out = [0.0];
    finish(x.device(), &partial, &mut out)?;
    Ok((out[0] / x.len() as f64).sqrt())
}

/// Whether no element is NaN or infinite.
///
/// # Errors
/// What the driver answers.
pub fn is_finite<T: DeviceScalar>(x: &Buffer<T>) -> Result<bool, CudaError> {
    let mut broken = Buffer::zeros(x.device(), 1)?;
    let call = plan_finite(x.view(), &broken.view_mut())?;
    send(x.device(), &[call])?;
    let mut flag = [0];
    broken.read(&mut flag)?;
    Ok(flag[0] == 0)
}

/// The largest magnitude; 0 for an empty buffer, NaN if there is one.
///
/// # Errors
/// What the driver answers.
pub fn largest<T: DeviceScalar>(x: &Buffer<T>) -> Result<f64, CudaError> {
    let mut out = Buffer::zeros(x.device(), 1)?;
    let call = plan_largest(x.view(), &out.view_mut())?;
    send(x.device(), &[call])?;
    let mut bits = [0];
    out.read(&mut bits)?;
    Ok(f64::from_bits(bits[0]))
}
