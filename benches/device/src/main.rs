//! What a device does and how fast: laws of states and maps, kernels against their twins, Krylov methods, steppers, samplers,
//! extraction and array programs as they run in main memory, then times as fractions of the bandwidth that a copy reaches.
//!
//! ```text
//! device_report [FOLDER] [small] [checks] [emulated] [--peers SCRIPT [--python PYTHON] [--on cpu]]
//! ```
//!
//! writes `device-report.md` and `device-report.jsonl` to the folder (default: here). `small` makes the timed work small, to
//! see that it runs; `checks` leaves times out, for tools that make everything slow (`compute-sanitizer device_report FOLDER
//! checks`); `emulated` does all on a driver that the processor emulates, which takes a C++ compiler. With `--peers` (`benches/peers/device_peer.py`) other packages do the steps of training on the same device
//! afterwards, those that the Python given has; `--on cpu` tries that without a device of theirs.
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
mod peers;
mod programs;
mod report;
mod times;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ansatz_cuda::{Device, Family};
use ansatz_testkit::device::emulated::{Driver, Kernels};
use ansatz_testkit::device::outcomes;
use peers::Peers;
use report::Report;
use times::Sizes;

/// What is asked for.
struct Asked {
    folder: PathBuf,
    sizes: Sizes,
    times: bool,
    emulated: bool,
    peers: Option<Peers>,
}

fn asked() -> Result<Asked, lexopt::Error> {
    use lexopt::prelude::*;
    let mut asked = Asked {
        folder: PathBuf::new(),
        sizes: Sizes::FULL,
        times: true,
        emulated: false,
        peers: None,
    };
    let (mut script, mut python, mut on) = (None, "python3".into(), "cuda".to_owned());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(word) if word == "small" => asked.sizes = Sizes::SMALL,
            Value(word) if word == "checks" => asked.times = false,
            Value(word) if word == "emulated" => asked.emulated = true,
            Value(folder) if asked.folder.as_os_str().is_empty() => asked.folder = folder.into(),
            Long("peers") => script = Some(arguments.value()?.into()),
            Long("python") => python = arguments.value()?,
            Long("on") => on = arguments.value()?.string()?,
            other => return Err(other.unexpected()),
        }
    }
    asked.peers = script.map(|script| Peers { script, python, on });
    Ok(asked)
}

/// This program again, with the same arguments but one, where it finds an emulated driver.
fn on_emulated_driver(folder: &Path) -> ExitCode {
    let kernels = |family: &Family| Kernels {
        source: family.source(),
        entries: family.entries(),
    };
    let kernels: Vec<_> = Family::ALL.iter().map(kernels).collect();
    let Some(driver) = Driver::with_programs("the report", &folder.join("emulated"), &kernels)
    else {
        return ExitCode::from(2);
    };
    let again = std::env::current_exe().and_then(|program| {
        let arguments = std::env::args_os().skip(1).filter(|a| a != "emulated");
        driver.command(&program).args(arguments).status()
    });
    match again {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(why) => {
            eprintln!("this program does not start again: {why}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!(
                "{why}\nusage: device_report [FOLDER] [small] [checks] [emulated] [--peers SCRIPT [--python PYTHON] [--on cpu]]"
            );
            return ExitCode::FAILURE;
        }
    };
    if asked.emulated {
        return on_emulated_driver(&asked.folder);
    }
    let sizes = &asked.sizes;
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
    if asked.times {
        if let Err(why) = times::run(&device, sizes, &mut report) {
            report.failed("times", &why.to_string());
        }
        let steps = programs::run(&device, sizes, &mut report);
        match (steps, &asked.peers) {
            (Err(why), _) => report.failed("times of programs", &why.to_string()),
            (Ok(steps), Some(peers)) => {
                if let Err(why) = peers::run(peers, &steps, &asked.folder, &mut report) {
                    report.failed("peers", &why.to_string());
                }
            }
            (Ok(_), None) => {}
        }
    }
    if let Err(why) = report.write(&asked.folder) {
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
