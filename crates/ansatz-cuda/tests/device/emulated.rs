//! The tests of a device on a driver that the processor emulates, and what happens when the device is lost.

use ansatz_core::State;
use ansatz_cuda::{CudaState, Device};

use crate::driver::driver;

/// Set for the child that loses its device.
const LAUNCHES: &str = "EMULATED_LAUNCHES";

#[test]
fn emulated_devices_pass_the_tests() {
    if let Some(driver) = driver() {
        driver.run("device_", &[]);
    }
}

#[test]
fn emulated_losses_are_typed() {
    if let Some(driver) = driver() {
        driver.run("lost_in_the_middle", &[(LAUNCHES, "3")]);
    }
}

/// What the child does whose device goes away at its fourth launch.
#[test]
fn lost_in_the_middle() {
    if std::env::var_os(LAUNCHES).is_none() {
        return;
    }
    let device = Device::new(0).expect("a device");
    let mut x = CudaState::upload(&device, &[1.0_f64, 2.0, 3.0]).expect("a state");
    let y = x.clone();
    x.lincomb(1.0, &[(1.0, &y)]);
    x.lincomb(1.0, &[(1.0, &y)]);
    x.lincomb(1.0, &[(1.0, &y)]);
    assert_eq!(device.fault(), None);
    assert!(x.dot(&y).is_nan());
    let lost = device.fault().expect("a fault");
    assert!(
        lost.is_lost() && lost.to_string().contains("ILLEGAL_ADDRESS"),
        "{lost}"
    );
    // Nothing panics from here on, nothing looks like success, and every way to ask gives the cause.
    assert!(!x.is_finite() && x.norm().is_nan());
    x.lincomb(0.5, &[(0.5, &y)]);
    x.assign(&y);
    let z = x.zeros_like();
    assert!(!z.is_finite() && z.len() == 3);
    assert!(x.to_vec().is_err_and(|e| e.is_lost()));
    assert!(device.synchronize().is_err_and(|e| e.is_lost()));
    assert!(CudaState::upload(&device, &[1.0_f32]).is_err_and(|e| e.is_lost()));
}
