//! Reads a latent from a `.safetensors` file, denoises it, and writes the result beside it.
//!
//! `cargo run --release -p ansatz-diffusion --example state_from_safetensors -- latents.safetensors latents`; without
//! arguments it writes such a file first.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::path::PathBuf;

use ansatz_core::{Key, State, stream};
use ansatz_diffusion::{DpmMultistep, Solver, preset::LabelFamily};
use ansatz_testkit::Mixture;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().map_or_else(made, |p| Ok(p.into()))?;
    let name = arguments.next().unwrap_or_else(|| "latents".into());
    let (shape, mut x) = parse(&std::fs::read(&path)?, &name)?;
    println!("{name} of {}: {shape:?}", path.display());
    let family = LabelFamily::DDPM;
    let plan = DpmMultistep::default().plan(&family.schedule()?, &family.grid(20)?)?;
    plan.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())?;
    println!("norm of the samples = {:.3}", x.norm());
    write(&path.with_extension("samples.safetensors"), shape, &x)
}

/// Shape and elements of one tensor of `f32` or `f64`.
pub(crate) fn parse(file: &[u8], name: &str) -> Result<(Vec<usize>, Vec<f32>), Failure> {
    let tensors = SafeTensors::deserialize(file)?;
    let view = tensors.tensor(name)?;
    let x = match view.dtype() {
        Dtype::F32 => {
            let each = view.data().as_chunks().0.iter();
            each.map(|b| f32::from_le_bytes(*b)).collect()
        }
        Dtype::F64 => {
            let each = view.data().as_chunks().0.iter();
            each.map(|b| f64::from_le_bytes(*b) as f32).collect()
        }
        other => return Err(format!("elements of type {other:?} are not read here").into()),
    };
    Ok((view.shape().to_vec(), x))
}

fn write(path: &std::path::Path, shape: Vec<usize>, x: &[f32]) -> Result<(), Failure> {
    let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, shape, &bytes)?;
    safetensors::serialize_to_file([("latents", view)], None, path)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Writes noise of shape `[500, 4]`.
fn made() -> Result<PathBuf, Failure> {
    let mut x = vec![0.0_f32; 2000];
    x.fill_normal(Key::new(3), stream::INITIAL);
    let path = std::env::temp_dir().join("ansatz_noise.safetensors");
    write(&path, vec![500, 4], &x)?;
    Ok(path)
}
