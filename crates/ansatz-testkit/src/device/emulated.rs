//! A CUDA driver that the processor emulates: devices, memory, launches and errors without a GPU.
//!
//! [`Driver::build`] compiles the text of kernels, as C++ behind a header that gives it threads, into a shared library of the
//! name that programs look for; [`Driver::run`] runs tests of the calling program again in a child process that finds it.
//! A library of Fourier transforms, done by definition, stands beside it.
//! Every copy and every pointer of a launch is checked against what is allocated, new memory is full of ones, and what is not
//! given back ends the child. Opening a device compiles kernels, hence NVRTC must be there as well.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::skipped;

/// What CUDA C++ kernels use of the language, on the processor: text to stand before theirs.
pub const SHIM: &str = include_str!("shim.h");

/// Kernels that are compiled together.
#[derive(Debug, Clone)]
pub struct Kernels<'a> {
    /// The text as a run-time compiler gets it.
    pub source: String,
    /// Names of the kernels in it.
    pub entries: &'a [&'a str],
}

/// The system's C++ compiler: the first of `c++`, `g++`, `clang++` that runs.
#[must_use]
pub fn compiler() -> Option<&'static str> {
    let runs = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|o| o.status.success())
    };
    ["c++", "g++", "clang++"].into_iter().find(runs)
}

/// A folder with the emulated driver.
#[derive(Debug, Clone)]
pub struct Driver(PathBuf);

impl Driver {
    /// The driver for these kernels, in a folder under `scratch` (`env!("CARGO_TARGET_TMPDIR")` of a test), compiled when the
    /// text is new: some ten seconds. `None`, and `test` said to be skipped, where there is no Linux or no C++ compiler.
    ///
    /// # Panics
    /// When files cannot be written, or the kernels do not compile.
    #[must_use]
    pub fn build(test: &str, scratch: &Path, kernels: &[Kernels<'_>]) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            skipped(test, &"drivers are emulated on Linux alone");
            return None;
        }
        let Some(compiler) = compiler() else {
            skipped(test, &"no C++ compiler was found (c++, g++, clang++)");
            return None;
        };
        let folder = scratch.join("driver");
        std::fs::create_dir_all(&folder).expect("a folder");
        library(compiler, &folder, "cuda", &text(compiler, kernels));
        library(compiler, &folder, "cufft", include_str!("cufft.cpp"));
        Some(Self(folder))
    }

    /// A driver for programs of generated kernels, with a run-time compiler and a library of matrix products that the
    /// processor emulates as well: kernels are compiled by the C++ compiler when they first run, launches are captured. It
    /// knows no other kernels. Some five seconds, and a second or two for each program.
    ///
    /// # Panics
    /// As [`Driver::build`].
    #[must_use]
    pub fn for_programs(test: &str, scratch: &Path) -> Option<Self> {
        Self::with_programs(test, scratch, &[])
    }

    /// As [`Driver::for_programs`], for these kernels, too: all that a program may ask of a device, without NVRTC.
    ///
    /// # Panics
    /// As [`Driver::build`].
    #[must_use]
    pub fn with_programs(test: &str, scratch: &Path, kernels: &[Kernels<'_>]) -> Option<Self> {
        let scratch = scratch.join("programs");
        let driver = Self::build(test, &scratch, kernels)?;
        let folder = &driver.0;
        for (name, text) in [
            ("shim.h", SHIM),
            ("generated.h", include_str!("generated.h")),
        ] {
            put(&folder.join(name), text);
        }
        // One library of three names is loaded once.
        for name in ["nvrtc", "cublas"] {
            let link = folder.join(format!("lib{name}.so"));
            #[cfg(not(unix))]
            drop(link);
            #[cfg(unix)]
            if !link.exists() {
                let made = std::os::unix::fs::symlink("libcuda.so", &link);
                assert!(made.is_ok() || link.exists(), "the library's link");
            }
        }
        Some(driver)
    }

    /// A command that runs `program` where it finds the driver before all others.
    ///
    /// # Panics
    /// When the folder's name cannot stand in a list of folders.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut libraries = vec![self.0.clone()];
        if let Some(given) = std::env::var_os("LD_LIBRARY_PATH") {
            libraries.extend(std::env::split_paths(&given));
        }
        let mut command = Command::new(program);
        command.env(
            "LD_LIBRARY_PATH",
            std::env::join_paths(libraries).expect("folders"),
        );
        command
    }

    /// Runs tests of this program whose names hold `filter` in a child that finds the driver, with further variables. A
    /// test that is skipped there fails.
    ///
    /// # Panics
    /// When a test fails in the child, or none has run.
    pub fn run(&self, filter: &str, variables: &[(&str, &str)]) {
        let child = self
            .command(&std::env::current_exe().expect("this program"))
            .args([filter, "--test-threads=1"])
            .env(super::REQUIRED, "1")
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
}

/// Writes a file unless it is there; several programs may do so at once.
fn put(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    let new = path.with_extension(format!("{}", std::process::id()));
    std::fs::write(&new, text).expect("a file is written");
    std::fs::rename(&new, path).expect("a file is kept");
}

/// The driver's source: each set of kernels in a space of its own, with the macros that it left taken back.
fn text(compiler: &str, kernels: &[Kernels<'_>]) -> String {
    let mut parts = vec!["#line 1 \"shim.h\"\n".to_owned(), SHIM.to_owned()];
    let mut cases = Vec::new();
    for (k, set) in kernels.iter().enumerate() {
        parts.push(format!(
            "\nnamespace family_{k} {{\n{}\n}}\n#undef BOTH\n#undef ENTRY\n#undef ENTRIES\n",
            set.source
        ));
        for name in set.entries {
            cases.push(format!("{{\"{name}\", launcher(family_{k}::{name})}}"));
        }
    }
    let cases = cases.join(", ");
    parts.push(format!(
        "#define CASES {cases}\n#define COMPILER \"{compiler}\"\n#line 1 \"driver.cpp\"\n{}#line 1 \"generated.cpp\"\n{}",
        include_str!("driver.cpp"),
        include_str!("generated.cpp")
    ));
    parts.concat()
}

/// Compiles `text` to `lib{name}.so` in a folder, unless that was done before. Several programs may do so at once, threads of
/// one take turns.
fn library(compiler: &str, folder: &Path, name: &str, text: &str) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // The source is put there once its library is.
    let (made, kept) = (
        folder.join(format!("lib{name}.so")),
        folder.join(format!("{name}.cpp")),
    );
    if made.is_file() && std::fs::read_to_string(&kept).is_ok_and(|old| old == text) {
        return;
    }
    let stem = folder.join(format!("{name}-{}", std::process::id()));
    let (source, new) = (stem.with_extension("cpp"), stem.with_extension("so"));
    std::fs::write(&source, text).expect("the source is written");
    let done = Command::new(compiler)
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
        .arg(&new)
        .output()
        .expect("the compiler starts");
    let message = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "lib{name} does not compile: {message}"
    );
    std::fs::rename(&new, &made).expect("the library is kept");
    std::fs::rename(&source, &kept).expect("the source is kept");
}
