//! Classifies noisy series, of which a part of the observations is missing, by stochastic equations that stay
//! stable under training.
//!
//! Three equations are driven by the data through their drift (Langevin, linear noise, geometric), and one sees
//! nothing but its start. Run it with `cargo run --release -p ansatz-diffeq --example stable_noise`.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/neural/series.rs"]
mod series;
#[path = "../tests/neural/stable.rs"]
mod stable;

use ansatz_core::Key;
use ansatz_diffeq::sde::Form;
use stable::{Model, Sees};

const SEEDS: u64 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let models = [
        ("Langevin", Form::Langevin, Sees::Data),
        ("linear noise", Form::LinearNoise, Sees::Data),
        ("geometric", Form::Geometric, Sees::Data),
        ("Langevin without data", Form::Langevin, Sees::Nothing),
    ];
    for (name, form, sees) in models {
        for missing in [0.0, 0.5] {
            let mut sum = 0.0;
            for seed in 0..SEEDS {
                let mut model = Model::new(form, sees, seed);
                model.train(600, missing, Key::new(seed))?;
                sum += model.test(missing, Key::new(seed))?;
            }
            let percent = 100.0 * missing;
            println!(
                "{name}, {percent} % missing: accuracy {:.3}",
                sum / SEEDS as f64
            );
        }
    }
    Ok(())
}
