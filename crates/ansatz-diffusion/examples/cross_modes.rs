//! Chains over states and noise levels cross between modes where a chain at one level does not.
//!
//! All chains start in the smaller of two modes; 0.7 of the data is in the other. The same number of
//! score evaluations goes into Langevin steps at the lowest level and into denoising MCMC, whose samples
//! are denoised from where they are, or from where they were cleanest in the last 20 sweeps, which
//! is biased. Run it with `cargo run --release -p ansatz-diffusion --example cross_modes`.
//!
//! gallery: Crossing between modes
//! gallery: expect crossed by Langevin steps in 0..0.05
//! gallery: expect crossed by denoising MCMC in 0.65..0.75
//! gallery: expect MMD² by Langevin steps in 0.1..2
//! gallery: expect MMD² by denoising MCMC in 0..0.01

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, NoiseLevel};
use ansatz_diffusion::{
    DenoisingMcmc, Edm, ExactLevels, Harvest, Heun, NoisyChains, Spacing, TimeGrid,
};
use ansatz_testkit::{Mixture, tb1};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (n, sweeps, key) = (1000, 1500, Key::new(1));
    let round = [0.1, 0.0, 0.0, 0.1];
    let model = Mixture::new(
        &[0.3, 0.7],
        &[-1.5, 0.0, 1.5, 0.0],
        &[round, round].concat(),
    )?;
    let schedule = Edm {
        sigma_min: 0.005,
        sigma_max: 3.0,
    };
    let grid = TimeGrid::between(&schedule, Spacing::LogSnr, 19, 3.0, 0.05)?;
    let all = DenoisingMcmc::new(&grid, 0.05);
    let lowest = DenoisingMcmc {
        levels: all.levels[..1].to_vec(),
        ..all.clone()
    };
    let show = |name: &str, x: &[f64]| -> Result<(), Box<dyn std::error::Error>> {
        let crossed = x.iter().step_by(2).filter(|x| **x > 0.0).count();
        let distance = model.mmd_squared(x, &NoiseLevel::clean(0.0), tb1::LENGTHSCALE)?;
        println!("crossed by {name} = {:.3}", crossed as f64 / n as f64);
        println!("MMD² by {name} = {distance:.5}");
        Ok(())
    };
    let posterior = ExactLevels(&model);
    for (name, sampler) in [("Langevin steps", lowest), ("denoising MCMC", all)] {
        let mut chains = NoisyChains::new([-1.5, 0.0].repeat(n), n, 0)?;
        sampler.run(&model, &posterior, &mut chains, sweeps - 20, key, &mut ())?;
        chains.harvest();
        sampler.run(&model, &posterior, &mut chains, 20, key, &mut ())?;
        let end = schedule.sigma_min;
        let plans = sampler.plans(&Heun::default(), &schedule, Spacing::LogSnr, 12, end)?;
        let x = sampler.denoise(&model, &chains, Harvest::Present, &plans, key)?;
        show(name, &x)?;
        if name == "denoising MCMC" {
            let x = sampler.denoise(&model, &chains, Harvest::Cleanest, &plans, key)?;
            show("the cleanest states", &x)?;
        }
    }
    Ok(())
}
