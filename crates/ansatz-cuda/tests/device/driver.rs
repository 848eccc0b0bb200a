//! The emulated driver of all kernel families, for the tests of this crate and of those above it.

use std::path::Path;

use ansatz_cuda::{CudaError, Family, nvrtc};
use ansatz_testkit::device::emulated::{Driver, Kernels};
use ansatz_testkit::device::skipped;

/// The driver; `None`, and said so, where it cannot be made or used.
pub(crate) fn driver() -> Option<Driver> {
    let test = "emulated devices";
    if !nvrtc::is_present() {
        skipped(test, &CudaError::NvrtcMissing);
        return None;
    }
    let kernels = |family: &Family| Kernels {
        source: family.source(),
        entries: family.entries(),
    };
    let kernels: Vec<Kernels<'_>> = Family::ALL.iter().map(kernels).collect();
    Driver::build(test, Path::new(env!("CARGO_TARGET_TMPDIR")), &kernels)
}
