//! What a device does and how fast: laws of states and maps, kernels against their twins, Krylov methods, steppers, samplers,
//! extraction and array programs as they run in main memory, then times as fractions of the bandwidth that a copy reaches. Writes `device-report.md` and `device-report.jsonl` to the folder given (default: here); the word `small`
//! after it makes the timed work small, to see that it runs.
//!
//! The program needs a driver and NVRTC and nothing else, so that it can be built on one machine and run on another:
//! `cargo xtask device` does both where there is a device. It ends with 1 if something is wrong and 2 without a device.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

#[path = "../../../crates/ansatz-autodiff/tests/device/checks.rs"]
mod autodiff;
#[path = "../../../crates/ansatz-cuda/tests/device/checks.rs"]
mod cuda;
#[path = "../../../crates/ansatz-diffeq/tests/device/checks.rs"]
mod diffeq;
#[path = "../../../crates/ansatz-diffusion/tests/device/checks.rs"]
mod diffusion;
#[path = "../../../crates/ansatz-linalg/tests/device/checks.rs"]
mod linalg;
#[path = "../../../crates/ansatz-mesh/tests/device/checks.rs"]
mod mesh;
mod programs;
mod report;
mod times;

use std::path::PathBuf;
use std::process::ExitCode;

use ansatz_cuda::Device;
use ansatz_testkit::device::outcomes;
use report::Report;
use times::Sizes;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().map_or_else(PathBuf::new, PathBuf::from);
    let sizes = match arguments.next() {
        Some(word) if word == "small" => Sizes::SMALL,
        _ => Sizes::FULL,
    };
    let device = match Device::new(0) {
        Ok(device) => device,
        Err(why) => {
            eprintln!("no device to report on: {why}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new(&device);
    for list in [
        cuda::CHECKS,
        linalg::CHECKS,
        diffeq::CHECKS,
        diffusion::CHECKS,
        mesh::CHECKS,
        autodiff::CHECKS,
    ] {
        report.checked(outcomes(&device, list));
    }
    if let Err(why) = times::run(&device, &sizes, &mut report) {
        report.failed("times", &why.to_string());
    }
    if let Err(why) = programs::run(&device, &sizes, &mut report) {
        report.failed("times of programs", &why.to_string());
    }
    if let Err(why) = report.write(&folder) {
        eprintln!("the report cannot be written: {why}");
        return ExitCode::FAILURE;
    }
    println!("{}", report.markdown());
    if report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
