//! `cargo xtask device`: what a device does and how fast, in a program that runs elsewhere, too.
//!
//! The program is built in release form and put under `target/device/`; it needs a driver and NVRTC, and writes
//! `device-report.md` and `device-report.jsonl` beside itself.

use std::process::Command;

use crate::error::Error;
use crate::shell;
use crate::workspace::Workspace;

/// What to do with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Run it here.
    Run,
    /// Leave it for another machine.
    Leave,
}

pub(crate) fn run(then: Then) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let name = "device_report";
    let mut build = shell::cargo();
    build
        .args(["build", "--release", "-p", "ansatz-bench"])
        .args(["--features", "device", "--bin", name])
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
    if then == Then::Leave {
        println!(
            "run it where there is a device: `{file} FOLDER` writes device-report.md and device-report.jsonl there"
        );
        return Ok(());
    }
    shell::run(Command::new(&program).arg(&folder))?;
    println!("written to {}", folder.display());
    Ok(())
}
