//! `cargo xtask doc`: the reference with formulas typeset, warnings as errors.

use crate::error::Error;
use crate::shell;
use crate::workspace::Workspace;

pub(crate) fn run(open: bool) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    shell::run(&mut command(&workspace, open))
}

pub(crate) fn command(workspace: &Workspace, open: bool) -> std::process::Command {
    // rustdoc runs in a folder that differs between workspace members and published crates: an absolute path works in
    // each. The encoded form of the variable allows spaces in it.
    let header = workspace.workspace_root.join("docs/katex-header.html");
    let flags = format!(
        "-D\u{1f}warnings\u{1f}--html-in-header\u{1f}{}",
        header.display()
    );
    let mut command = shell::cargo();
    command.args(["doc", "--no-deps", "--workspace"]);
    if open {
        command.arg("--open");
    }
    command
        .env("CARGO_ENCODED_RUSTDOCFLAGS", flags)
        .current_dir(&workspace.workspace_root);
    command
}
