//! Extraction in device memory. Without a device the tests say that they are skipped; they run on an
//! emulated driver, too.

mod checks;
#[path = "../../../ansatz-cuda/tests/device/driver.rs"]
mod driver;

use ansatz_cuda::Device;
use ansatz_testkit::device::uphold;
use ansatz_testkit::device_or_skip;

#[test]
fn device_passes_the_checks() {
    let device = device_or_skip!(Device::new(0));
    uphold(&device, checks::CHECKS);
}

#[test]
fn emulated_devices_pass_the_tests() {
    if let Some(driver) = driver::driver() {
        driver.run("device_", &[]);
    }
}
