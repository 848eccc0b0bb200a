//! Operators and solvers in device memory. Without a device the tests say that they are skipped; they run on an
//! emulated driver, too.

mod checks;
#[path = "../../../ansatz-cuda/tests/device/driver.rs"]
mod driver;

use ansatz_cuda::{CudaState, Device};
use ansatz_linalg::device::DevicePoisson;
use ansatz_linalg::krylov::{Cg, Gmres, Method, System};
use ansatz_linalg::operator::{Face, Grid, Poisson};
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

/// Set for the child that loses its device.
const LAUNCHES: &str = "EMULATED_LAUNCHES";

#[test]
fn emulated_losses_end_solves() {
    if let Some(driver) = driver::driver() {
        driver.run("lost_in_the_middle", &[(LAUNCHES, "60")]);
    }
}

/// What the child does whose device goes away in the middle of a solve: it ends with an error, and the device says why.
#[test]
fn lost_in_the_middle() {
    if std::env::var_os(LAUNCHES).is_none() {
        return;
    }
    let device = Device::new(0).expect("a device");
    let grid = Grid::new(&[9, 8, 7], &[[Face::Open; 2]; 3]).expect("a grid");
    let host = Poisson::<f64>::new(&grid).expect("an operator");
    let a = DevicePoisson::new(&host, &device).expect("an operator");
    let b: Vec<f64> = (0..grid.len()).map(|c| (c as f64).sin()).collect();
    let b = CudaState::upload(&device, &b).expect("a state");
    let mut x = CudaState::zeros(&device, grid.len()).expect("a state");
    let mut ends = |method: &dyn Method<CudaState<f64>>| {
        let solved = System::new(&a, &b).solve(method, &mut x);
        assert!(solved.is_err(), "{solved:?}");
    };
    ends(&Cg::default());
    // From here on nothing begins.
    ends(&Gmres::default());
    let fault = device.fault().expect("a fault");
    assert!(fault.is_lost(), "{fault}");
}
