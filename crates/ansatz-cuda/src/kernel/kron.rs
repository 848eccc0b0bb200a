//! Products along one axis of an array, and Kronecker products made of them.
//!
//! ```text
//! y[l, i, r] = Σ_k A[i, k]·x[l, k, r]         (A⊗B)·vec X = vec(A·X·Bᵀ)
//! ```
//!
//! for x [left, n, right] and A [m, n], all row by row. Terms are added in the element type by fused multiply-add in the order
//! of k, whatever the sizes of tiles; [`twin`] has the same bits. Cost: 2·m operations an element of x. C. Van Loan, *The
//! ubiquitous Kronecker product*, J. Comput. Appl. Math. 123, 2000.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range};
use crate::family::entry;
use crate::{Buffer, CudaError, DeviceScalar, Family};

const BLOCK: u32 = 256;
const TILE: usize = 64;

/// Which of a factor's axes an array's axis is summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// The factor as it is.
    #[default]
    Plain,
    /// Its transpose.
    Transposed,
}

/// Sizes of a product along an axis: x [left, columns, right], y [left, rows, right].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Rows of the factor as it is applied.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// Product of the lengths of the axes before.
    pub left: usize,
    /// Product of the lengths of the axes behind.
    pub right: usize,
}

impl Mode {
    /// Strides of the factor's elements along rows and columns, as it is applied.
    fn strides(self, side: Side) -> [usize; 2] {
        match side {
            Side::Plain => [self.columns, 1],
            Side::Transposed => [1, self.rows],
        }
    }
}

/// The call of one product. `a` is stored [rows, columns], or [columns, rows] where it is transposed. `None` for empty results.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] where sizes do not fit into 32 bits.
pub fn plan<T: DeviceScalar>(
    a: View<'_, T>,
    side: Side,
    mode: Mode,
    x: View<'_, T>,
    y: &ViewMut<'_, T>,
) -> Result<Option<Call>, CudaError> {
    let Mode {
        rows,
        columns,
        left,
        right,
    } = mode;
    let most = u32::MAX as usize - TILE;
    let lines = left.saturating_mul(right);
    demand_range("the number of lines along the axis", lines, 0, most)?;
    demand_range("the factor's rows", rows, 0, 65_535 * TILE)?;
    demand_range("the factor's columns", columns, 0, most)?;
    demand_len("the factor", rows * columns, a.len())?;
    demand_len("the array", lines * columns, x.len())?;
    demand_len("the result", lines * rows, y.len())?;
    if y.is_empty() {
        return Ok(None);
    }
    let grid = [lines.div_ceil(TILE) as u32, rows.div_ceil(TILE) as u32, 1];
    let [row, column] = mode.strides(side);
    Ok(Some(
        Call::new(Family::Kron, entry!(T, "kron_mode"), grid, BLOCK)
            .read(a)
            .len(row)
            .len(column)
            .read(x)
            .write(y)
            .u32(rows)
            .u32(columns)
            .u32(right)
            .u32(lines),
    ))
}

/// The product on the processor, with the same bits.
///
/// # Panics
/// Where lengths differ from the sizes.
#[must_use]
pub fn twin<T: DeviceScalar>(a: &[T], side: Side, mode: Mode, x: &[T]) -> Vec<T> {
    let [row, column] = mode.strides(side);
    let mut y = Vec::with_capacity(mode.left * mode.rows * mode.right);
    for l in 0..mode.left {
        for i in 0..mode.rows {
            for r in 0..mode.right {
                let term = |k: usize| {
                    let x = x[(l * mode.columns + k) * mode.right + r];
                    (a[i * row + k * column], x)
                };
                y.push(
                    (0..mode.columns)
                        .map(term)
                        .fold(T::zero(), |s, (a, x)| a.mul_add(x, s)),
                );
            }
        }
    }
    y
}

/// y ← the product along an axis.
///
/// # Errors
/// As [`plan`]; [`CudaError::OtherStream`]; what the driver answers.
pub fn mode_product<T: DeviceScalar>(
    a: &Buffer<T>,
    side: Side,
    mode: Mode,
    x: &Buffer<T>,
    y: &mut Buffer<T>,
) -> Result<(), CudaError> {
    let device = y.device().clone();
    same_stream(&device, "the factor", a)?;
    same_stream(&device, "the array", x)?;
    match plan(a.view(), side, mode, x.view(), &y.view_mut())? {
        // SAFETY: `plan` gave the kernel's arguments and checked that factor, array and result have the elements that the
        // sizes say; all belong to the stream and the result is borrowed for writing.
        Some(call) => unsafe { device.launch(&call) },
        None => Ok(()),
    }
}

/// y ← (A₁⊗A₂⊗…)·x, or with every factor transposed. Factors come with their rows and columns as stored.
///
/// # Errors
/// As [`mode_product`]; [`CudaError::OutOfRange`] without a factor; [`CudaError::OutOfMemory`] for arrays in between.
pub fn product<T: DeviceScalar>(
    factors: &[(&Buffer<T>, [usize; 2])],
    side: Side,
    x: &Buffer<T>,
    y: &mut Buffer<T>,
) -> Result<(), CudaError> {
    demand_range("the number of factors", factors.len(), 1, usize::MAX)?;
    let shape = |[rows, columns]: [usize; 2]| match side {
        Side::Plain => [rows, columns],
        Side::Transposed => [columns, rows],
    };
    let mut held: Option<Buffer<T>> = None;
    for (d, (a, stored)) in factors.iter().enumerate() {
        let [rows, columns] = shape(*stored);
        let mode = Mode {
            rows,
            columns,
            left: factors[..d].iter().map(|f| shape(f.1)[0]).product(),
            right: factors[d + 1..].iter().map(|f| shape(f.1)[1]).product(),
        };
        let from = held.as_ref().unwrap_or(x);
        if d + 1 == factors.len() {
            mode_product(a, side, mode, from, y)?;
        } else {
            let mut to = Buffer::stale(y.device(), mode.left * rows * mode.right)?;
            mode_product(a, side, mode, from, &mut to)?;
            held = Some(to);
        }
    }
    Ok(())
}
