//! Sums of all numbers before each: where things begin that are packed.
//!
//! ```text
//! x[i] ← Σ x[j] over j < i
//! ```
//!
//! A sum beyond 32 bits is `u32::MAX`; [`twin`] has the same bits. Cost: 16 bytes of memory traffic a number.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::call::{Call, View, ViewMut, blocks};
use crate::error::{demand_len, demand_range};
use crate::{Buffer, CudaError, Device, Family};

const BLOCK: u32 = 256;

/// Numbers that one block takes.
pub const PART: usize = 4096;

/// Blocks for so many numbers.
fn parts(len: usize) -> Result<u32, CudaError> {
    let most = i32::MAX as usize * PART;
    demand_range("the number of numbers to add up", len, 1, most)?;
    Ok(blocks(len as u64, PART as u32).unwrap_or(u32::MAX))
}

/// Sums within each [`PART`] numbers, and the sums of these parts.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for no number.
pub fn plan_part(x: &ViewMut<'_, u32>, sums: &ViewMut<'_, u32>) -> Result<Call, CudaError> {
    let grid = [parts(x.len())?, 1, 1];
    demand_len("the sums of parts", grid[0] as usize, sums.len())?;
    Ok(Call::new(Family::Scan, "scan_part", grid, BLOCK)
        .write(x)
        .len(x.len())
        .write(sums))
}

/// Adds to each part what stands before it.
///
/// # Errors
/// As [`plan_part`].
pub fn plan_add(x: &ViewMut<'_, u32>, before: View<'_, u32>) -> Result<Call, CudaError> {
    let grid = [parts(x.len())?, 1, 1];
    demand_len("the sums before parts", grid[0] as usize, before.len())?;
    Ok(Call::new(Family::Scan, "scan_add", grid, BLOCK)
        .write(x)
        .len(x.len())
        .read(before))
}

/// The sums on the processor, and the sum of all.
pub fn twin(x: &mut [u32]) -> u32 {
    x.iter_mut().fold(0, |sum: u32, x| {
        let own = std::mem::replace(x, sum);
        sum.saturating_add(own)
    })
}

/// x ← the sums before each; gives the sum of all.
///
/// # Errors
/// [`CudaError::OutOfMemory`]; what the driver answers.
pub fn exclusive(x: &mut Buffer<u32>) -> Result<u32, CudaError> {
    if x.is_empty() {
        return Ok(0);
    }
    let device = x.device().clone();
    let mut sums = Buffer::stale(&device, x.len().div_ceil(PART))?;
    send(&device, &plan_part(&x.view_mut(), &sums.view_mut())?)?;
    if sums.len() == 1 {
        let mut total = [0];
        sums.read(&mut total)?;
        return Ok(total[0]);
    }
    let total = exclusive(&mut sums)?;
    send(&device, &plan_add(&x.view_mut(), sums.view())?)?;
    Ok(total)
}

fn send(device: &Device, call: &Call) -> Result<(), CudaError> {
    // SAFETY: the plans above give their kernels' arguments and have checked that there is a sum for each part; both buffers
    // are of one stream and held alone.
    unsafe { device.launch(call) }
}
