//! Carries one mixture of Gaussians to another, without noise and with three amounts of it.
//!
//! All members of the family have the same marginals; the distance of 2000 samples to the exact
//! distribution says how far each is off after 100 steps. Run it with
//! `cargo run --release -p ansatz-diffusion --example bridge_mixtures`.
//!
//! gallery: From one mixture to another
//! gallery: expect MMD² with epsilon 0 in 0..0.002
//! gallery: expect MMD² with epsilon 0.5 in 0..0.002
//! gallery: expect MMD² with epsilon 2 in 0..0.002
//! gallery: expect MMD² of the start in 0.02..1

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{EvalError, Key, NoiseLevel};
use ansatz_diffusion::{BridgeSde, Gamma, Interpolant, Path};
use ansatz_testkit::{Bridge, Mix, Mixture, tb1};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (bridge, target) = (Bridge::tb1(), Mixture::tb1());
    let path = Interpolant::TwoSided(Path::Linear, Gamma::Brownian(1.0));
    let mix = |t: f64| -> Result<Mix, EvalError> {
        let c = path.at(t).map_err(EvalError::model)?;
        Ok(Mix {
            a: c.a,
            b: c.b,
            gamma_squared: c.gamma * c.gamma,
            a_rate: c.a_rate,
            b_rate: c.b_rate,
            gamma_product: c.gamma_product,
        })
    };
    let velocity = |t: f64, x: &Vec<f64>, out: &mut Vec<f64>| bridge.velocity(x, &mix(t)?, out);
    let score = |t: f64, x: &Vec<f64>, out: &mut Vec<f64>| bridge.score(x, &mix(t)?, out);
    let clean = NoiseLevel::clean(0.0);
    let distance = |x: &[f64]| target.mmd_squared(x, &clean, tb1::LENGTHSCALE);

    let start = start(2000);
    println!("MMD² of the start = {:.5}", distance(&start)?);
    for epsilon in [0.0, 0.5, 2.0] {
        let sde = BridgeSde {
            epsilon: &|_| epsilon,
            ..BridgeSde::new(&velocity, &score, 100)
        };
        let mut x = start.clone();
        let report = sde.sample(&mut x, Key::new(0), &mut ())?;
        println!(
            "MMD² with epsilon {epsilon} = {:.2e} in {} evaluations",
            distance(&x)?,
            report.nfe
        );
    }
    Ok(())
}

/// The two components of the start, 60 % and 40 %, spread by their Cholesky factors.
fn start(n: usize) -> Vec<f64> {
    let split = n * 6 / 10;
    let first = tb1::points(split);
    let second = tb1::points(n - split);
    let wide = [0.4_f64.sqrt(), 0.0, 0.3_f64.sqrt()];
    let root = 0.2_f64.sqrt();
    let tilted = [root, 0.05 / root, (0.3 - 0.0125_f64).sqrt()];
    let spread =
        |p: &[f64], [m, n]: [f64; 2], [a, b, c]: [f64; 3]| [m + a * p[0], n + b * p[0] + c * p[1]];
    first
        .chunks(2)
        .map(|p| spread(p, [-1.0, 0.5], wide))
        .chain(second.chunks(2).map(|p| spread(p, [0.8, -0.7], tilted)))
        .flatten()
        .collect()
}
