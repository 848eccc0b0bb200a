//! Products of half spectra, between two [Fourier transforms](crate::fft).
//!
//! x\[b, k\] ← x\[b, k\]·s\[k\], or with the conjugate of s. Complex numbers are pairs of reals; [`twin`] has the same bits. Cost:
//! four numbers of memory traffic a complex one.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range};
use crate::family::entry;
use crate::kernel::kron::Side;
use crate::kernel::lincomb::grid;
use crate::{Buffer, CudaError, DeviceScalar, Family};

/// The call for `x [batch, bins, 2]` and `s [bins, 2]`; [`Side::Transposed`] takes the conjugate of s. `None` for no number.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for more numbers than launches have threads.
pub fn plan<T: DeviceScalar>(
    x: &ViewMut<'_, T>,
    s: View<'_, T>,
    side: Side,
) -> Result<Option<Call>, CudaError> {
    if x.is_empty() {
        return Ok(None);
    }
    demand_range("the spectrum's numbers", s.len(), 2, usize::MAX)?;
    let (bins, count) = (s.len() / 2, x.len() / 2);
    demand_len("the spectrum", 2 * bins, s.len())?;
    demand_len("the spectra", 2 * (count / bins) * bins, x.len())?;
    let entry = entry!(T, "spectrum_multiply");
    Ok(Some(
        Call::new(Family::Spectrum, entry, grid(count)?, 256)
            .write(x)
            .read(s)
            .len(bins)
            .len(count)
            .u32(usize::from(side == Side::Transposed)),
    ))
}

/// The products on the processor, with the same bits.
pub fn twin<T: DeviceScalar>(x: &mut [T], s: &[T], side: Side) {
    for x in x.chunks_exact_mut(s.len()) {
        for (x, s) in x
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .zip(s.as_chunks::<2>().0)
        {
            let [re, im] = *x;
            let other = match side {
                Side::Plain => s[1],
                Side::Transposed => -s[1],
            };
            *x = [re * s[0] - im * other, re * other + im * s[0]];
        }
    }
}

/// x ← x·s for each of a batch of spectra.
///
/// # Errors
/// As [`plan`]; [`CudaError::OtherStream`]; what the driver answers.
pub fn multiply<T: DeviceScalar>(
    x: &mut Buffer<T>,
    s: &Buffer<T>,
    side: Side,
) -> Result<(), CudaError> {
    let device = x.device().clone();
    same_stream(&device, "the spectrum", s)?;
    match plan(&x.view_mut(), s.view(), side)? {
        // SAFETY: `plan` gave the kernel's arguments and checked that x is whole spectra as long as s; both belong to the
        // stream and x is borrowed for writing.
        Some(call) => unsafe { device.launch(&call) },
        None => Ok(()),
    }
}
