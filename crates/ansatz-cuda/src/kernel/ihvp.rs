//! Products with stored gradients, of which inverse empirical Fisher matrices are made.
//!
//! With m gradients as rows of G, damping λ and S = G·Gᵀ,
//!
//! ```text
//! F⁻¹·x = λ⁻¹·x − λ⁻²·Gᵀ·(S/λ + m·I)⁻¹·G·x
//! ```
//!
//! takes [`Rows::products`] (G·x, m numbers for the host, which solves the small system) and [`Rows::combine`]
//! (a·x + Gᵀ·c); [`Rows::replace`] puts a new gradient into the window and gives its row of S in the same pass. Twins:
//! `State::dots` and `State::lincomb` of `Vec`, bit for bit. Cost: G is read once by each. E. Frantar, E. Kurtic,
//! D. Alistarh, *M-FAC: efficient matrix-free approximations of second-order information*, NeurIPS 2021.

#![expect(unsafe_code, reason = "kernels are launched here")]

use super::reduce::{finish, leaf_blocks, leaves};
use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range, elements};
use crate::family::entry;
use crate::kernel::lincomb::{self, grid};
use crate::{Buffer, CudaError, Device, DeviceScalar, Family};

const BLOCK: u32 = 256;

/// Rows of 16-byte multiples: elements from one row to the next.
#[must_use]
pub fn pitch<T: DeviceScalar>(len: usize) -> usize {
    len.next_multiple_of(128 / size_of::<T>())
}

/// Sums of leaves of G·x, to `partial[row·leaves + leaf]`; with `replaced`, x becomes that row in the same pass. `g` holds
/// `rows` rows [`pitch`] apart.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for a row that is not there.
pub fn plan_products<T: DeviceScalar>(
    g: &ViewMut<'_, T>,
    rows: usize,
    x: View<'_, T>,
    replaced: Option<usize>,
    partial: &ViewMut<'_, f64>,
) -> Result<Call, CudaError> {
    demand_range("the number of rows", rows, 1, 1 << 30)?;
    if let Some(row) = replaced {
        demand_range("the row to replace", row, 0, rows - 1)?;
    }
    let pitch = pitch::<T>(x.len());
    demand_len("the stored rows", rows * pitch, g.len())?;
    demand_len("the partial sums", rows * leaves(x.len()), partial.len())?;
    let y = leaf_blocks(x.len())?;
    demand_range("the length of a row in blocks", y as usize, 1, 65_535)?;
    let grid = [rows.div_ceil(4) as u32, y, 1];
    Ok(
        Call::new(Family::Ihvp, entry!(T, "ihvp_products"), grid, BLOCK)
            .write(g)
            .len(pitch)
            .read(x)
            .u32(rows)
            .u32(replaced.unwrap_or(u32::MAX as usize))
            .len(x.len())
            .u32(leaves(x.len()))
            .write(partial),
    )
}

/// out ← a·x + Gᵀ·c. `None` for empty rows. Coefficients of `f32` should be `Scalar::coefficient`s.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_combine<T: DeviceScalar>(
    g: View<'_, T>,
    c: View<'_, f64>,
    a: f64,
    x: View<'_, T>,
    out: &ViewMut<'_, T>,
) -> Result<Option<Call>, CudaError> {
    let rows = c.len();
    demand_range("the number of rows", rows, 1, 1 << 30)?;
    let pitch = pitch::<T>(x.len());
    demand_len("the stored rows", rows * pitch, g.len())?;
    demand_len("the result", x.len(), out.len())?;
    if x.is_empty() {
        return Ok(None);
    }
    let grid = grid(x.len().div_ceil(16 / size_of::<T>()))?;
    Ok(Some(
        Call::new(Family::Ihvp, entry!(T, "ihvp_combine"), grid, BLOCK)
            .read(g)
            .len(pitch)
            .read(c)
            .u32(rows)
            .f64(lincomb::start(rows + 1))
            .f64(T::coefficient(a))
            .read(x)
            .write(out)
            .len(x.len()),
    ))
}

/// Vectors of one length in device memory, one after the other.
///
/// ```
/// # use ansatz_cuda::{CudaError, Device, kernel::ihvp::Rows};
/// # fn with(device: &Device) -> Result<(), CudaError> {
/// let mut g = Rows::<f32>::zeros(device, 2, 3)?;
/// let mut s = [0.0; 2];
/// g.replace(0, &device.upload(&[1.0, 2.0, 3.0])?, &mut s)?;
/// assert_eq!(s, [14.0, 0.0]); // the new row with itself and with the others
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Rows<T: DeviceScalar> {
    data: Buffer<T>,
    count: usize,
    len: usize,
    /// Coefficients as kernels take them.
    coefficients: Vec<f64>,
}

impl<T: DeviceScalar> Rows<T> {
    /// `rows` rows of `len` zeros.
    ///
    /// # Errors
    /// [`CudaError::OutOfRange`] without a row; [`CudaError::OutOfMemory`].
    pub fn zeros(device: &Device, rows: usize, len: usize) -> Result<Self, CudaError> {
        demand_range("the number of rows", rows, 1, 1 << 30)?;
        Ok(Self {
            data: device.zeros(elements(&[rows, pitch::<T>(len)]))?,
            count: rows,
            len,
            coefficients: Vec::with_capacity(rows),
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.count
    }

    /// Elements of a row.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.len
    }

    /// out ← G·x.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what the driver answers.
    pub fn products(&mut self, x: &Buffer<T>, out: &mut [f64]) -> Result<(), CudaError> {
        self.pass(x, None, out)
    }

    /// Row `row` ← x, and out ← G·x for the new G.
    ///
    /// # Errors
    /// As [`Rows::products`]; [`CudaError::OutOfRange`] for a row that is not there.
    pub fn replace(&mut self, row: usize, x: &Buffer<T>, out: &mut [f64]) -> Result<(), CudaError> {
        demand_range("the row to replace", row, 0, self.count - 1)?;
        self.pass(x, Some(row), out)
    }

    /// Row `row` ← x, without products: for a window whose m×m side may yet refuse the row.
    ///
    /// # Errors
    /// [`CudaError::OutOfRange`] for a row that is not there; [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what
    /// the driver answers.
    pub fn write(&mut self, row: usize, x: &Buffer<T>) -> Result<(), CudaError> {
        demand_range("the row to write", row, 0, self.count - 1)?;
        demand_len("the vector", self.len, x.len())?;
        if self.len == 0 {
            return Ok(());
        }
        self.data.put(row * pitch::<T>(self.len), x)
    }

    fn pass(
        &mut self,
        x: &Buffer<T>,
        replaced: Option<usize>,
        out: &mut [f64],
    ) -> Result<(), CudaError> {
        demand_len("the vector", self.len, x.len())?;
        demand_len("the place for products", self.count, out.len())?;
        let device = self.data.device().clone();
        same_stream(&device, "the vector", x)?;
        if self.len == 0 {
            out.fill(0.0);
            return Ok(());
        }
        let mut partial = Buffer::stale(&device, self.count * leaves(self.len))?;
        let g = self.data.view_mut();
        let call = plan_products(&g, self.count, x.view(), replaced, &partial.view_mut())?;
        send(&device, &call)?;
        finish(&device, &partial, out)
    }

    /// out ← a·x + Gᵀ·c.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what the driver answers.
    pub fn combine(
        &mut self,
        c: &[f64],
        a: f64,
        x: &Buffer<T>,
        out: &mut Buffer<T>,
    ) -> Result<(), CudaError> {
        demand_len("the coefficients", self.count, c.len())?;
        demand_len("the vector", self.len, x.len())?;
        let device = self.data.device().clone();
        same_stream(&device, "the vector", x)?;
        same_stream(&device, "the result", out)?;
        self.coefficients.clear();
        self.coefficients
            .extend(c.iter().map(|c| T::coefficient(*c)));
        let c = device.upload(&self.coefficients)?;
        match plan_combine(self.data.view(), c.view(), a, x.view(), &out.view_mut())? {
            Some(call) => send(&device, &call),
            None => Ok(()),
        }
    }
}

fn send(device: &Device, call: &Call) -> Result<(), CudaError> {
    // SAFETY: the plans above give their kernels' arguments and have checked every length; callers checked that operands
    // belong to the stream, and hold what is written alone.
    unsafe { device.launch(call) }
}
