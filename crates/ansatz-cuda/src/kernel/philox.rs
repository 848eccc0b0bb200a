//! Random bits and normal numbers, functions of (key, stream, index).
//!
//! Philox4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011) and the
//! Box-Muller transform. Twins: `Key::bits` and `Key::fill_normal`, bit for bit: the transform's functions are the same
//! polynomials in the same order. Cost: about 90 operations in `f64` for two numbers.

#![expect(unsafe_code, reason = "kernels are launched here")]

use ansatz_core::Key;

use super::lincomb::grid;
use crate::call::{Call, ViewMut};
use crate::error::demand_range;
use crate::family::entry;
use crate::{Buffer, CudaError, DeviceScalar, Family};

const BLOCK: u32 = 256;

/// The words of counters `first`, `first + 1`, …: four for each. `None` where `out` is empty.
///
/// # Errors
/// [`CudaError::OutOfRange`] when `out` has no whole number of four words.
pub fn plan_bits(
    out: &ViewMut<'_, u32>,
    key: Key,
    stream: u64,
    first: u64,
) -> Result<Option<Call>, CudaError> {
    let left = out.len() % 4;
    demand_range("the number of words beyond a multiple of four", left, 0, 0)?;
    wide(out.view().is_wide())?;
    if out.is_empty() {
        return Ok(None);
    }
    let counters = out.len() / 4;
    Ok(Some(
        Call::new(Family::Philox, "philox_bits", grid(counters)?, BLOCK)
            .write(out)
            .u64(key.seed())
            .u64(stream)
            .u64(first)
            .len(counters),
    ))
}

/// Standard normal numbers from index 0 on. `None` where `out` is empty.
///
/// # Errors
/// [`CudaError::OutOfRange`] for more numbers than a launch has threads for.
pub fn plan_normal<T: DeviceScalar>(
    out: &ViewMut<'_, T>,
    key: Key,
    stream: u64,
) -> Result<Option<Call>, CudaError> {
    wide(out.view().is_wide())?;
    if out.is_empty() {
        return Ok(None);
    }
    let threads = out.len().div_ceil(16 / size_of::<T>());
    Ok(Some(
        Call::new(
            Family::Philox,
            entry!(T, "philox_normal"),
            grid(threads)?,
            BLOCK,
        )
        .write(out)
        .u64(key.seed())
        .u64(stream)
        .len(out.len()),
    ))
}

/// These kernels write 16 bytes at once; buffers begin at multiples of 256.
fn wide(is_wide: bool) -> Result<(), CudaError> {
    demand_range(
        "the address beyond a multiple of 16",
        usize::from(!is_wide),
        0,
        0,
    )
}

fn send<T: crate::Element>(out: &Buffer<T>, call: Option<Call>) -> Result<(), CudaError> {
    match call {
        // SAFETY: the plans above give their kernels' arguments, which write `out.len()` elements of `out`; callers hold it
        // alone.
        Some(call) => unsafe { out.device().launch(&call) },
        None => Ok(()),
    }
}

/// Fills `out` with the words of counters `first`, `first + 1`, ….
///
/// # Errors
/// As [`plan_bits`]; what the driver answers.
pub fn bits(out: &mut Buffer<u32>, key: Key, stream: u64, first: u64) -> Result<(), CudaError> {
    let call = plan_bits(&out.view_mut(), key, stream, first)?;
    send(out, call)
}

/// Fills `out` with standard normal numbers; element `i` is a function of (key, stream, `i`).
///
/// # Errors
/// As [`plan_normal`]; what the driver answers.
pub fn normal<T: DeviceScalar>(
    out: &mut Buffer<T>,
    key: Key,
    stream: u64,
) -> Result<(), CudaError> {
    let call = plan_normal(&out.view_mut(), key, stream)?;
    send(out, call)
}
