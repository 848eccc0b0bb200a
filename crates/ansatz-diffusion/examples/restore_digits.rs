//! Restores digits of which two rows are missing: mean-reverting and residual diffusion.
//!
//! Both run from the degraded image and noise to a clean image. The model is the exact denoiser of
//! those six digits of the data set that agree best with what can be seen (the digit itself left
//! out), in place of a network that has learned it. Run it with
//! `cargo run --release -p ansatz-diffusion --example restore_digits`.
//!
//! gallery: Missing rows restored by mean-reverting and residual diffusion
//! gallery: expect rms of the missing rows, degraded in 3.3..3.4
//! gallery: expect rms of the missing rows, mean-reverting in 2..3
//! gallery: expect rms of the missing rows, residual in 2..3
//! gallery: picture restore_digits.png Rows: degraded, mean-reverting, residual, original

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::denoiser::from_fn;
use ansatz_core::{Denoiser, Key, NoiseLevel, Prediction, State, stream};
use ansatz_diffusion::{
    Coefficients, DpmMultistep, MeanReverting, Ramp, Rddm, ResidualPair, ResidualTable, Sampler,
    ScaledNoise, Solver, Spacing, TimeGrid, VpLinear,
};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::{Empirical, measure};
use ansatz_viz::{GridOptions, Range, image_grid};

const IMAGES: usize = 12;
const NEIGHBOURS: usize = 6;
/// Rows 3 and 4 of 8 are grey.
const MISSING: std::ops::Range<usize> = 24..40;
/// σ∞, the noise around the degraded image.
const SIGMA: f64 = 0.3;

fn degraded(image: &[f32]) -> Vec<f64> {
    let mut x: Vec<f64> = image.iter().map(|v| f64::from(*v)).collect();
    x[MISSING].fill(0.0);
    x
}

/// The missing rows of a batch of images.
fn missing(images: &[f64]) -> Vec<f64> {
    let rows = images.chunks_exact(Digits::DIM);
    rows.flat_map(|image| image[MISSING].iter().copied())
        .collect()
}

/// The denoiser of the digits that look like `image` where it can be seen, without number `skip`.
fn lookalikes(
    digits: &Digits,
    image: &[f64],
    skip: usize,
) -> Result<Empirical, Box<dyn std::error::Error>> {
    let distance = |other: &[f32]| -> f64 {
        let pixels = other.iter().zip(image).enumerate();
        pixels
            .filter(|(i, _)| !MISSING.contains(i))
            .map(|(_, (o, x))| (f64::from(*o) - x).powi(2))
            .sum()
    };
    let mut ranked: Vec<(f64, &[f32])> = digits
        .images
        .chunks_exact(Digits::DIM)
        .enumerate()
        .filter(|(i, _)| *i != skip)
        .map(|(_, other)| (distance(other), other))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let nearest: Vec<f32> = ranked[..NEIGHBOURS]
        .iter()
        .flat_map(|(_, image)| image.iter().copied())
        .collect();
    Ok(Empirical::new(&nearest, Digits::DIM)?.smoothed(0.1)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let digits = data::digits();
    let schedule = ScaledNoise::new(VpLinear::default(), SIGMA)?;
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
    let second_order = DpmMultistep {
        coefficients: Coefficients::Taylor,
        ..DpmMultistep::default()
    };
    let reverting = second_order.plan(&schedule, &grid)?;
    let table = ResidualTable::new(Ramp::Decreased, Ramp::Increased, SIGMA * SIGMA, 1000)?;
    let residual = Rddm::default().plan(&schedule, &table.grid(5)?)?;
    assert_eq!((reverting.nfe(), residual.nfe()), (10, 10));

    let (mut broken, mut first, mut second, mut original) = (vec![], vec![], vec![], vec![]);
    for i in 0..IMAGES {
        let Some(image) = digits.image(i) else { break };
        let input = degraded(image);
        let model = lookalikes(&digits, &input, i)?;
        let mut noise = input.clone();
        noise.fill_normal(Key::new(i as u64), stream::INITIAL);
        let start: Vec<f64> = input
            .iter()
            .zip(&noise)
            .map(|(m, z)| m + SIGMA * z)
            .collect();

        // Both processes are at x = α·x₀ + (1 − α)·μ + σ·ε: the model of x₀ wants x − (1 − α)·μ.
        let evaluate = |kind, x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
            let mut shifted = x.clone();
            shifted.lincomb(1.0, &[(at.alpha - 1.0, &input)]);
            model.eval_as(kind, &shifted, at, out)
        };
        let data = from_fn(
            Prediction::Data,
            |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
                evaluate(Prediction::Data, x, at, out)
            },
        );
        let mut x = start.clone();
        let sampler = MeanReverting {
            plan: &reverting,
            anchor: &input,
        };
        sampler.sample(&data, &mut x, Key::new(0), &mut ())?;
        first.extend(x);

        let pair = ResidualPair::new(
            |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
                evaluate(Prediction::Data, x, at, out)?;
                out.lincomb(-1.0, &[(1.0, &input)]);
                Ok(())
            },
            |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
                evaluate(Prediction::Noise, x, at, out)
            },
        );
        let mut x = start;
        residual.sample(&pair, &mut x, Key::new(0), &mut ())?;
        second.extend(x);
        broken.extend(input);
        original.extend(image.iter().map(|v| f64::from(*v)));
    }
    for (name, images) in [
        ("degraded", &broken),
        ("mean-reverting", &first),
        ("residual", &second),
    ] {
        let rms = measure::rms(&missing(images), &missing(&original), MISSING.len());
        println!("rms of the missing rows, {name} = {rms:.3}");
    }
    let rows = [broken, first, second, original].concat();
    let options = GridOptions {
        columns: IMAGES,
        zoom: 5,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    image_grid(&rows, Digits::SIDE, Digits::SIDE, &options)?
        .save("target/gallery/restore_digits.png")?;
    println!("wrote target/gallery/restore_digits.png");
    Ok(())
}
