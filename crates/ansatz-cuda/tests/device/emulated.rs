//! The tests of a device on a driver that the processor emulates: devices, memory, launches and errors without a GPU.
//!
//! The driver is a shared library of the name that programs look for, compiled from the kernels' own text; this program
//! runs its other tests again in a child process that finds it. NVRTC must be there as well, since opening a device
//! compiles kernels.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ansatz_core::State;
use ansatz_cuda::{CudaError, CudaState, Device, Family, nvrtc};
use ansatz_testkit::device::skipped;

/// Set for the child that loses its device.
const LAUNCHES: &str = "EMULATED_LAUNCHES";

/// A folder with the emulated driver; `None`, and said so, where it cannot be made or used.
fn driver() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let test = "emulated devices";
    if !cfg!(target_os = "linux") {
        skipped(test, &"drivers are emulated on Linux alone");
        return None;
    }
    if !nvrtc::is_present() {
        skipped(test, &CudaError::NvrtcMissing);
        return None;
    }
    let compiles = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let Some(compiler) = ["c++", "g++", "clang++"].into_iter().find(compiles) else {
        skipped(test, &"no C++ compiler was found (c++, g++, clang++)");
        return None;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("driver");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut parts = vec![
        "#line 1 \"shim.h\"\n".to_owned(),
        include_str!("../host/shim.h").to_owned(),
    ];
    let mut cases = Vec::new();
    for (k, family) in Family::ALL.iter().enumerate() {
        // Each family in a space of its own, with what families share.
        parts.push(format!(
            "\nnamespace family_{k} {{\n{}\n}}\n#undef BOTH\n#undef ENTRY\n#undef ENTRIES\n",
            family.source()
        ));
        for name in family.entries() {
            cases.push(format!("{{\"{name}\", launcher(family_{k}::{name})}}"));
        }
    }
    let cases = cases.join(", ");
    parts.push(format!(
        "#define CASES {cases}\n#line 1 \"driver.cpp\"\n{}",
        include_str!("driver.cpp")
    ));
    let text = parts.concat();
    // The same text was compiled before: the source is put there once its library is.
    let (library, kept) = (folder.join("libcuda.so"), folder.join("driver.cpp"));
    if library.is_file() && std::fs::read_to_string(&kept).is_ok_and(|old| old == text) {
        return Some(folder);
    }
    let source = folder.join("new.cpp");
    std::fs::write(&source, text).expect("the source is written");
    let made = Command::new(compiler)
        .args([
            "-std=c++20",
            "-O1",
            "-shared",
            "-fPIC",
            "-ffp-contract=off",
            "-Wno-unknown-pragmas",
        ])
        .arg(&source)
        .arg("-o")
        .arg(&library)
        .output()
        .expect("the compiler starts");
    let message = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "the driver does not compile: {message}"
    );
    std::fs::rename(&source, &kept).expect("the source is kept");
    Some(folder)
}

/// Runs tests of this program whose names hold `filter` on the emulated driver.
fn run_with(driver: &Path, filter: &str, variables: &[(&str, &str)]) {
    let mut libraries = vec![driver.to_owned()];
    if let Some(given) = std::env::var_os("LD_LIBRARY_PATH") {
        libraries.extend(std::env::split_paths(&given));
    }
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args([filter, "--test-threads=1"])
        .env(
            "LD_LIBRARY_PATH",
            std::env::join_paths(libraries).expect("folders"),
        )
        .env("ANSATZ_REQUIRE_DEVICE", "1")
        .envs(variables.iter().copied())
        .output()
        .expect("this program starts again");
    let [out, err] = [&child.stdout, &child.stderr].map(|t| String::from_utf8_lossy(t));
    assert!(
        child.status.success(),
        "on an emulated device: {out}\n{err}"
    );
    assert!(!out.contains(" 0 passed"), "no test has run: {out}");
}

#[test]
fn emulated_devices_pass_the_tests() {
    if let Some(driver) = driver() {
        run_with(driver, "device_", &[]);
    }
}

#[test]
fn emulated_losses_are_typed() {
    if let Some(driver) = driver() {
        run_with(driver, "lost_in_the_middle", &[(LAUNCHES, "3")]);
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
