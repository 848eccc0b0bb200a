//! The Laplacian of the fluid cells of a grid, with the inner product that conjugate gradients ask for.
//!
//! ```text
//! (A·x)ᵢ = dᵢ·xᵢ − Σ x_j over fluid neighbours j
//! ```
//!
//! with five or seven points, 0 in cells that are not fluid; dᵢ is the number of neighbours that are not solid, and 0 marks
//! cells that are not fluid. x·(A·x) is summed in the tree of [`reduce`](super::reduce) while y is written. [`twin`] has the
//! same bits. Cost: 3 numbers of memory traffic a cell.

#![expect(unsafe_code, reason = "kernels are launched here")]

use super::reduce::{finish, leaf_blocks, leaves};
use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range};
use crate::family::entry;
use crate::{Buffer, CudaError, DeviceScalar, Family};

/// The call for a grid of `[nx, ny, nz]` cells, nx fastest; sums of leaves of x·y go to `partial`.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for an empty grid or one of more than 2³² cells in a plane.
pub fn plan<T: DeviceScalar>(
    shape: [usize; 3],
    x: View<'_, T>,
    diagonal: View<'_, T>,
    y: &ViewMut<'_, T>,
    partial: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    let [nx, ny, nz] = shape;
    for n in shape {
        demand_range("the length of an axis", n, 1, u32::MAX as usize)?;
    }
    let plane = nx.saturating_mul(ny);
    demand_range("the cells of a plane", plane, 1, u32::MAX as usize)?;
    let cells = plane.saturating_mul(nz);
    demand_len("the field", cells, x.len())?;
    demand_len("the diagonal", cells, diagonal.len())?;
    demand_len("the result", cells, y.len())?;
    demand_len("the partial sums", leaves(cells), partial.len())?;
    let grid = [leaf_blocks(cells)?, 1, 1];
    Ok(
        Call::new(Family::Stencil, entry!(T, "stencil_poisson"), grid, 256)
            .read(x)
            .read(diagonal)
            .write(y)
            .u32(nx)
            .u32(ny)
            .u32(nz)
            .u32(leaves(cells))
            .write(partial),
    )
}

/// A·x on the processor, with the same bits.
///
/// # Panics
/// Where lengths differ from the shape.
#[must_use]
pub fn twin<T: DeviceScalar>(shape: [usize; 3], x: &[T], diagonal: &[T]) -> Vec<T> {
    let [nx, ny, nz] = shape;
    let fluid = |there: bool, at: usize| {
        if there && diagonal[at] != T::zero() {
            x[at]
        } else {
            T::zero()
        }
    };
    let mut y = Vec::with_capacity(x.len());
    for c in 0..nx * ny * nz {
        let (i, j, k) = (c % nx, c / nx % ny, c / (nx * ny));
        let [low, south, below] =
            [(i, 1), (j, nx), (k, nx * ny)].map(|(at, step)| fluid(at > 0, c.wrapping_sub(step)));
        let [high, north, above] = [(i, nx, 1), (j, ny, nx), (k, nz, nx * ny)]
            .map(|(at, n, step)| fluid(at + 1 < n, c + step));
        let sum = (low + high) + ((south + north) + (below + above));
        y.push(if diagonal[c] == T::zero() {
            T::zero()
        } else {
            diagonal[c] * x[c] - sum
        });
    }
    y
}

/// Sends the pass; sums of leaves of x·y go to the buffer that it gives.
fn pass<T: DeviceScalar>(
    shape: [usize; 3],
    x: &Buffer<T>,
    diagonal: &Buffer<T>,
    y: &mut Buffer<T>,
) -> Result<Buffer<f64>, CudaError> {
    let device = y.device().clone();
    same_stream(&device, "the field", x)?;
    same_stream(&device, "the diagonal", diagonal)?;
    let mut partial = Buffer::stale(&device, leaves(y.len()))?;
    let call = plan(
        shape,
        x.view(),
        diagonal.view(),
        &y.view_mut(),
        &partial.view_mut(),
    )?;
    // SAFETY: `plan` gave the kernel's arguments and checked that all fields have the shape's cells; all belong to the stream,
    // and result and partial sums are held alone.
    unsafe { device.launch(&call)? };
    Ok(partial)
}

/// y ← A·x; gives x·y.
///
/// # Errors
/// As [`plan`]; [`CudaError::OtherStream`]; what the driver answers.
pub fn poisson<T: DeviceScalar>(
    shape: [usize; 3],
    x: &Buffer<T>,
    diagonal: &Buffer<T>,
    y: &mut Buffer<T>,
) -> Result<f64, CudaError> {
    let partial = pass(shape, x, diagonal, y)?;
    let mut product = [0.0];
    finish(y.device(), &partial, &mut product)?;
    Ok(product[0])
}

/// y ← A·x, without waiting for the device.
///
/// # Errors
/// As [`poisson`].
pub fn laplacian<T: DeviceScalar>(
    shape: [usize; 3],
    x: &Buffer<T>,
    diagonal: &Buffer<T>,
    y: &mut Buffer<T>,
) -> Result<(), CudaError> {
    pass(shape, x, diagonal, y).map(drop)
}
