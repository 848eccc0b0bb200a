//! Samplers on states in device memory, as they are. Without a device the tests say that they are skipped; they run on an
//! emulated driver, too.

mod checks;
#[path = "../../../ansatz-cuda/tests/device/driver.rs"]
mod driver;

use ansatz_core::{Denoiser, EvalError, Key, NoiseLevel, Prediction, State};
use ansatz_cuda::{CudaState, Device};
use ansatz_diffusion::{Ddim, Solver, Spacing, TimeGrid, VpLinear};
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
fn emulated_losses_end_samples() {
    if let Some(driver) = driver::driver() {
        driver.run("lost_in_the_middle", &[(LAUNCHES, "12")]);
    }
}

/// Answers as if the data were zeros.
struct Zeros;

impl<S: State> Denoiser<S> for Zeros {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, _: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        out.lincomb(0.0, &[(0.0, x)]);
        Ok(())
    }
}

/// What the child does whose device goes away while it samples: the sampler ends with an error, and the device says why.
#[test]
fn lost_in_the_middle() {
    if std::env::var_os(LAUNCHES).is_none() {
        return;
    }
    let device = Device::new(0).expect("a device");
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 20).expect("a grid");
    let plan = Ddim { eta: 1.0 }.plan(&schedule, &grid).expect("a plan");
    let mut x = CudaState::<f32>::zeros(&device, 100).expect("a state");
    let sampled = plan.sample(&Zeros, &mut x, Key::new(0), &mut ());
    assert!(sampled.is_err(), "{sampled:?}");
    let fault = device.fault().expect("a fault");
    assert!(fault.is_lost(), "{fault}");
}
