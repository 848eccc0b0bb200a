//! What a device can fail with.

use thiserror::Error;

/// Failure of a device, of its libraries, or of a request to it. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CudaError {
    /// The driver's library cannot be loaded.
    #[error(
        "no CUDA driver was found (libcuda): install NVIDIA's driver, or keep states in main memory"
    )]
    DriverMissing,
    /// The run-time compiler's library cannot be loaded.
    #[error(
        "no run-time compiler was found (libnvrtc): install NVRTC and name its folder where the loader looks for libraries"
    )]
    NvrtcMissing,
    /// The library of Fourier transforms cannot be loaded.
    #[error(
        "no library of Fourier transforms was found (libcufft): install cuFFT and name its folder where the loader looks for libraries, or keep such operators in main memory"
    )]
    FftMissing,
    /// The library of matrix products cannot be loaded.
    #[error(
        "no library of matrix products was found (libcublas): install cuBLAS and name its folder where the loader looks for libraries, or let generated kernels do the products"
    )]
    CublasMissing,
    /// There is no device of this number.
    #[error(
        "there is no device {ordinal}, {found} found: choose a smaller number, or make more devices visible"
    )]
    NoDevice {
        /// The number asked for, from 0.
        ordinal: usize,
        /// How many there are.
        found: usize,
    },
    /// The device's memory is full, after what was kept for reuse had been given back.
    #[error(
        "{bytes} bytes do not fit into device memory, {free} are free: use smaller batches or drop states"
    )]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
        /// Bytes that the device has left.
        free: u64,
    },
    /// A kernel's source does not compile.
    #[error("the kernels of `{kernel}` do not compile for {arch}: {log}")]
    Compile {
        /// The family.
        kernel: &'static str,
        /// What they were compiled for.
        arch: Box<str>,
        /// What the compiler wrote.
        log: Box<str>,
    },
    /// The device stopped answering or a kernel broke its context; nothing that it held can be read any more.
    #[error(
        "the device was lost in {what} ({code}): make a new `Device` and start again from what main memory holds"
    )]
    Lost {
        /// What was asked for.
        what: &'static str,
        /// The driver's name of the failure.
        code: Box<str>,
    },
    /// A buffer has the wrong number of elements.
    #[error("{what} has {got} elements, expected {expected}")]
    ShapeMismatch {
        /// Which argument.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// A call whose views are none of buffers.
    #[error("{kernel} was planned on stand-ins for memory: plan it on a buffer's views")]
    StandIn {
        /// The kernel.
        kernel: &'static str,
    },
    /// A number that must be finite is not.
    #[error("element {index} of {what} is NaN or infinite: mask it or fill it first")]
    NotFinite {
        /// Which argument.
        what: &'static str,
        /// The first such element.
        index: usize,
    },
    /// Operands that different streams order.
    #[error("{what} is ordered by another stream: bring it over with `to_device`")]
    OtherStream {
        /// Which argument.
        what: &'static str,
    },
    /// A number lies outside what a kernel takes.
    #[error("{what} = {value} lies outside [{min}, {max}]")]
    OutOfRange {
        /// Which argument.
        what: &'static str,
        /// The value given.
        value: usize,
        /// Smallest allowed value.
        min: usize,
        /// Largest allowed value.
        max: usize,
    },
    /// A program of generated kernels that might reach memory that is not its own, or whose results would depend on the
    /// order of threads.
    #[error("the program is refused: {what}")]
    Unsound {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Any other answer of the driver.
    #[error(
        "{what} failed ({code}): see the driver's log, and whether driver and NVRTC are of one release"
    )]
    Driver {
        /// What was asked for.
        what: &'static str,
        /// The driver's name of the failure.
        code: Box<str>,
    },
}

impl CudaError {
    /// Whether every later request to the device fails, too.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

/// Demands that `got` elements are `expected`.
pub(crate) fn demand_len(what: &'static str, expected: usize, got: usize) -> Result<(), CudaError> {
    if expected == got {
        Ok(())
    } else {
        Err(CudaError::ShapeMismatch {
            what,
            expected,
            got,
        })
    }
}

/// The number of elements of an array of these lengths; the largest number where it is larger.
pub(crate) fn elements(lengths: &[usize]) -> usize {
    lengths
        .iter()
        .fold(1, |n: usize, len| n.saturating_mul(*len))
}

/// Demands that `value` lies in `min..=max`.
pub(crate) fn demand_range(
    what: &'static str,
    value: usize,
    min: usize,
    max: usize,
) -> Result<(), CudaError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(CudaError::OutOfRange {
            what,
            value,
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_small_and_say_what_to_do() {
        assert!(size_of::<CudaError>() <= 64);
        for (error, remedy) in [
            (CudaError::DriverMissing, "install"),
            (CudaError::NvrtcMissing, "install"),
            (CudaError::FftMissing, "install"),
            (CudaError::CublasMissing, "generated kernels"),
            (CudaError::OutOfMemory { bytes: 8, free: 4 }, "8 bytes"),
            (
                CudaError::NoDevice {
                    ordinal: 3,
                    found: 1,
                },
                "device 3, 1 found",
            ),
            (CudaError::OtherStream { what: "x" }, "to_device"),
        ] {
            assert!(error.to_string().contains(remedy), "{error}");
        }
    }
}
