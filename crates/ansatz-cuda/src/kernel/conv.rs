//! Convolutions with 3×3×3 taps: the layers of networks that propose search directions on grids.
//!
//! ```text
//! y[b, o, p] = ρ(bias[o] + Σ_c Σ_t w[o, c, t]·x[b, c, p + t − 1]),   ρ(v) = v for v > 0, slope·v else
//! ```
//!
//! with zeros around x. Terms are added in the element type by fused multiply-add in the order of w's memory; [`twin`] has
//! the same bits. Cost: 54·inputs·outputs operations a place.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::buffer::same_stream;
use crate::call::{Call, View, ViewMut};
use crate::error::{demand_len, demand_range, elements};
use crate::family::entry;
use crate::{Buffer, CudaError, DeviceScalar, Family};

/// Taps of a kernel.
const TAPS: usize = 27;

/// Sizes and rectifier of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv {
    /// Images.
    pub batch: usize,
    /// Channels of x.
    pub inputs: usize,
    /// Channels of y.
    pub outputs: usize,
    /// Lengths along z, y, x; x is fastest in memory.
    pub lengths: [usize; 3],
    /// Factor of negative results: 0 for ReLU, 1 for no rectifier.
    pub slope: f64,
}

impl Conv {
    fn volume(&self) -> usize {
        elements(&self.lengths)
    }
}

/// The call for `x [batch, inputs, lengths…]`, `w [outputs, inputs, 3, 3, 3]`, `bias [outputs]`, `y [batch, outputs, lengths…]`; `None` for
/// empty results.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for sizes that no launch has blocks for.
pub fn plan<T: DeviceScalar>(
    conv: &Conv,
    x: View<'_, T>,
    w: View<'_, T>,
    bias: View<'_, T>,
    y: &ViewMut<'_, T>,
) -> Result<Option<Call>, CudaError> {
    let Conv {
        batch,
        inputs,
        outputs,
        lengths,
        slope,
    } = *conv;
    demand_range("the number of images", batch, 0, 65_535)?;
    demand_range("the number of output channels", outputs, 0, 65_535 * 8)?;
    demand_range("the number of input channels", inputs, 0, 1 << 20)?;
    for n in lengths {
        demand_range("the length of an axis", n, 0, 1 << 20)?;
    }
    let volume = conv.volume();
    demand_len("the images", elements(&[batch, inputs, volume]), x.len())?;
    demand_len("the taps", outputs * inputs * TAPS, w.len())?;
    demand_len("the bias", outputs, bias.len())?;
    demand_len("the result", elements(&[batch, outputs, volume]), y.len())?;
    if y.is_empty() {
        return Ok(None);
    }
    let [nz, ny, nx] = lengths;
    let tiles = nz.div_ceil(4) * ny.div_ceil(4) * nx.div_ceil(16);
    demand_range("the number of tiles", tiles, 1, i32::MAX as usize)?;
    let grid = [tiles as u32, outputs.div_ceil(8) as u32, batch as u32];
    Ok(Some(
        Call::new(Family::Conv, entry!(T, "conv_taps"), grid, 256)
            .read(x)
            .read(w)
            .read(bias)
            .write(y)
            .u32(inputs)
            .u32(outputs)
            .u32(nz)
            .u32(ny)
            .u32(nx)
            .f64(slope),
    ))
}

/// The convolution on the processor, with the same bits.
///
/// # Panics
/// Where lengths differ from the sizes.
#[must_use]
pub fn twin<T: DeviceScalar>(conv: &Conv, x: &[T], w: &[T], bias: &[T]) -> Vec<T> {
    let [nz, ny, nx] = conv.lengths;
    let volume = conv.volume();
    let slope = T::of(conv.slope);
    let mut y = Vec::with_capacity(conv.batch * conv.outputs * volume);
    for b in 0..conv.batch {
        for o in 0..conv.outputs {
            for p in 0..volume {
                let place = [p / (ny * nx), p / nx % ny, p % nx];
                let mut sum = bias[o];
                for c in 0..conv.inputs {
                    for t in 0..TAPS {
                        let tap = [t / 9, t / 3 % 3, t % 3];
                        // One beyond either end is 0, below 0 too after wrapping around.
                        let [z, y, x_] = [0, 1, 2].map(|d| (place[d] + tap[d]).wrapping_sub(1));
                        if z >= nz || y >= ny || x_ >= nx {
                            sum = w[(o * conv.inputs + c) * TAPS + t].mul_add(T::zero(), sum);
                            continue;
                        }
                        let at = (b * conv.inputs + c) * volume + (z * ny + y) * nx + x_;
                        sum = w[(o * conv.inputs + c) * TAPS + t].mul_add(x[at], sum);
                    }
                }
                y.push(if sum > T::zero() { sum } else { slope * sum });
            }
        }
    }
    y
}

/// y ← the convolution of x.
///
/// # Errors
/// As [`plan`]; [`CudaError::OtherStream`]; what the driver answers.
pub fn convolve<T: DeviceScalar>(
    conv: &Conv,
    x: &Buffer<T>,
    w: &Buffer<T>,
    bias: &Buffer<T>,
    y: &mut Buffer<T>,
) -> Result<(), CudaError> {
    let device = y.device().clone();
    for (what, operand) in [("the images", x), ("the taps", w), ("the bias", bias)] {
        same_stream(&device, what, operand)?;
    }
    match plan(conv, x.view(), w.view(), bias.view(), &y.view_mut())? {
        // SAFETY: `plan` gave the kernel's arguments and checked that every operand has the elements that the sizes say; all
        // belong to the stream and the result is borrowed for writing.
        Some(call) => unsafe { device.launch(&call) },
        None => Ok(()),
    }
}
