//! What a device must do. Without a device each test says that it is skipped; `ANSATZ_REQUIRE_DEVICE=1` makes that a failure.
//! The same tests run on an emulated driver (`emulated`), and the same checks in the report on a device.

mod checks;
mod driver;
mod emulated;

use ansatz_cuda::Device;
use ansatz_testkit::device::uphold;
use ansatz_testkit::device_or_skip;

#[test]
fn device_passes_the_checks() {
    let device = device_or_skip!(Device::new(0));
    uphold(&device, checks::CHECKS);
}
