//! Samples from the noise in an `.npy` file, so that another program's noise gives the same image here.
//!
//! `cargo run --release -p ansatz-diffusion --example state_from_npy -- noise.npy`; without an argument it writes such a
//! file first. The format is a short text header before plain numbers, so that no package is needed to read it.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, State, stream};
use ansatz_diffusion::{DpmMultistep, Solver, preset::LabelFamily};
use ansatz_testkit::Mixture;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let path = std::env::args()
        .nth(1)
        .map_or_else(made, |p| Ok(p.into()))?;
    let (shape, mut x) = parse(&std::fs::read(&path)?)?;
    println!("{}: {shape:?}", path.display());
    let family = LabelFamily::DDPM;
    let plan = DpmMultistep::default().plan(&family.schedule()?, &family.grid(20)?)?;
    plan.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())?;
    println!("norm of the samples = {:.3}", x.norm());
    Ok(())
}

/// Shape and elements of little-endian `f32` or `f64` in row-major order, versions 1 to 3 of the format.
pub(crate) fn parse(file: &[u8]) -> Result<(Vec<usize>, Vec<f32>), Failure> {
    let short = "the .npy file is cut short";
    let rest = file.strip_prefix(b"\x93NUMPY").ok_or("no .npy file")?;
    let (version, rest) = rest.split_at_checked(2).ok_or(short)?;
    let width = if version[0] == 1 { 2 } else { 4 };
    let (length, rest) = rest.split_at_checked(width).ok_or(short)?;
    let length = length.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
    let (header, data) = rest.split_at_checked(length).ok_or(short)?;
    let header = std::str::from_utf8(header)?;
    if !header.contains("'fortran_order': False") {
        return Err("the array is not in row-major order".into());
    }
    let shape = header
        .split_once("'shape': (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .ok_or("no shape in the header")?
        .0;
    let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape: Vec<usize> = sizes.map(str::parse).collect::<Result<_, _>>()?;
    let x: Vec<f32> = if header.contains("'<f4'") {
        let each = data.as_chunks().0.iter();
        each.map(|b| f32::from_le_bytes(*b)).collect()
    } else if header.contains("'<f8'") {
        let each = data.as_chunks().0.iter();
        each.map(|b| f64::from_le_bytes(*b) as f32).collect()
    } else {
        return Err("the elements are neither <f4 nor <f8".into());
    };
    let expected: usize = shape.iter().product();
    let got = x.len();
    if got != expected {
        return Err(format!("{short}: {got} of {expected} elements").into());
    }
    Ok((shape, x))
}

/// Writes noise of shape `[1000, 2]`.
fn made() -> Result<std::path::PathBuf, Failure> {
    let mut x = vec![0.0_f32; 2000];
    x.fill_normal(Key::new(3), stream::INITIAL);
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 2), }";
    // Padded so that the numbers begin at a multiple of 64 bytes.
    let mut file = format!("\u{93}NUMPY\u{1}\0\u{76}\0{header:117}\n");
    let mut bytes: Vec<u8> = file.drain(..).map(|c| c as u8).collect();
    bytes.extend(x.iter().flat_map(|v| v.to_le_bytes()));
    let path = std::env::temp_dir().join("ansatz_noise.npy");
    std::fs::write(&path, bytes)?;
    Ok(path)
}
