//! Log densities of real digits that a model has not seen, exactly and by estimated divergences.
//!
//! The probability flow carries an image to noise while the divergence of the model follows its density. The
//! model knows 1500 digits, each a little blurred; 32 others are scored, beside images of the same
//! digits with their pixels shuffled. Run it with
//! `cargo run --release -p ansatz-diffusion --example density_of_digits`.
//!
//! gallery: Densities of digits
//! gallery: expect error with the exact divergence in 0..0.5
//! gallery: expect bits per pixel that a shuffle costs in 0.5..50
//! gallery: expect error with one random probe per image in 0..3

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, NoiseSchedule};
use ansatz_diffusion::{Hutchinson, ProbabilityFlow, VpLinear, flow};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::{Analytic, Empirical, measure};

const KNOWN: usize = 1500;
const SCORED: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images: Vec<f64> = data::digits()
        .images
        .iter()
        .map(|v| f64::from(*v))
        .collect();
    let (known, rest) = images.split_at(KNOWN * Digits::DIM);
    let pixels: Vec<f32> = known.iter().map(|v| *v as f32).collect();
    let model = Empirical::new(&pixels, Digits::DIM)?.smoothed(0.3)?;
    let x = rest[..SCORED * Digits::DIM].to_vec();
    let shuffled: Vec<f64> = x
        .chunks(Digits::DIM)
        .flat_map(|image| (0..Digits::DIM).map(|i| image[(i * 37 + 11) % Digits::DIM]))
        .collect();

    let schedule = VpLinear::default();
    let probability_flow = ProbabilityFlow::new(&schedule).with_tolerance(1e-4, 1e-4);
    let score = |images: &Vec<f64>| -> Result<Vec<f64>, Box<dyn std::error::Error>> {
        let encoded = probability_flow.encode(&model, images, SCORED)?;
        let prior = flow::normal_log_density(&encoded.latent, SCORED, 1.0)?;
        Ok(encoded.log_density(&prior)?)
    };
    let (real, broken) = (score(&x)?, score(&shuffled)?);
    let mut truth = vec![0.0; SCORED];
    model.log_density(&x, &schedule.level(schedule.t_min), &mut truth)?;
    println!(
        "error with the exact divergence = {:.4} nats at most, around {:.1}",
        measure::max_abs_diff(&real, &truth),
        mean(&truth)
    );
    let bits = flow::bits_per_dim(mean(&broken) - mean(&real), Digits::DIM, 0.0);
    println!("bits per pixel that a shuffle costs = {bits:.3}");

    let probed = Hutchinson::rademacher(&model, &x, Key::new(1));
    let estimate = probability_flow.encode(&probed, &x, SCORED)?;
    let prior = flow::normal_log_density(&estimate.latent, SCORED, 1.0)?;
    let estimate = estimate.log_density(&prior)?;
    println!(
        "error with one random probe per image = {:.3} nats on average",
        (mean(&estimate) - mean(&truth)).abs()
    );
    Ok(())
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}
