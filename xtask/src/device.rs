//! `cargo xtask device`: what a device does and how fast, in a program that runs elsewhere, too.
//!
//! The program is built in release form and put under `target/device/`; it needs a driver and NVRTC, and writes
//! `device-report.md` and `device-report.jsonl` beside itself.

use std::process::Command;

use crate::bench;
use crate::error::Error;
use crate::shell;
use crate::workspace::Workspace;

/// What to do with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Run it here.
    Run,
    /// Run it here, and other packages on the same steps.
    RunWithPeers,
    /// Run its checks under `compute-sanitizer`.
    Sanitize,
    /// Leave it for another machine.
    Leave,
}

impl Then {
    /// What each word after the command stands for.
    pub(crate) const WORDS: [(&'static str, Self); 3] = [
        ("build", Self::Leave),
        ("peers", Self::RunWithPeers),
        ("sanitize", Self::Sanitize),
    ];
}

/// What the sanitizer looks for, one after the other: addresses and leaks, races in shared memory, barriers that
/// not all threads reach, memory that is read before it is written.
const TOOLS: [&[&str]; 4] = [
    &["--tool", "memcheck", "--leak-check", "full"],
    &["--tool", "racecheck"],
    &["--tool", "synccheck"],
    &["--tool", "initcheck"],
];

pub(crate) fn run(then: Then) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let name = "device_report";
    let mut build = shell::cargo();
    build
        .args(["build", "--release", "-p", "ansatz-device-report"])
        .args(["--features", "device"])
        .current_dir(&workspace.workspace_root);
    shell::run(&mut build)?;
    let folder = workspace.target_directory.join("device");
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = folder.join(&file);
    let built = workspace.target_directory.join("release").join(&file);
    let copied = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(&built, &program));
    copied.map_err(|source| Error::Write {
        path: program.clone(),
        source,
    })?;
    println!("built {}", program.display());
    let benches = workspace.workspace_root.join("benches");
    let script = benches.join("peers").join("device_peer.py");
    match then {
        Then::Leave => {
            let beside = folder.join("device_peer.py");
            std::fs::copy(&script, &beside).map_err(|source| Error::Write {
                path: beside,
                source,
            })?;
            println!(
                "run it where there is a device: `{file} FOLDER` writes device-report.md and device-report.jsonl there; \
                 `{file} FOLDER --peers device_peer.py` has the PyTorch and JAX of `python3` do the same steps"
            );
            return Ok(());
        }
        Then::Sanitize => {
            for tool in TOOLS {
                let mut command = Command::new("compute-sanitizer");
                command.args(tool).args(["--error-exitcode", "3"]);
                shell::run(command.arg(&program).arg(&folder).arg("checks"))?;
            }
        }
        Then::Run => shell::run(Command::new(&program).arg(&folder))?,
        Then::RunWithPeers => {
            let packages = benches.join("peers").join("device.txt");
            // Machines with a device may have the packages and no registry.
            let python = bench::python(&workspace, &packages).unwrap_or_else(|why| {
                println!("packages are not installed ({why}): those of python3 are taken");
                "python3".into()
            });
            let mut command = Command::new(&program);
            command.arg(&folder).arg("--peers").arg(&script);
            shell::run(command.arg("--python").arg(python))?;
        }
    }
    println!("written to {}", folder.display());
    Ok(())
}
