//! Trains a stochastic equation to make paths like those of another one, against a controlled equation that tells
//! the two apart.
//!
//! dY = (0.02 t − 0.1 Y) dt + 0.4·(2t/64) dW from Y(0) uniform in (−1, 1) is seen at 16 times. Both players are solved by
//! the reversible Heun method and differentiated exactly without stored states. Each takes optimistic steps (twice the
//! gradient minus the one before), without which the means of the paths circle around the data's. Run it with
//! `cargo run --release -p ansatz-diffeq --example adversarial_paths` (some minutes), or with a number of steps
//! after `--`.
//!
//! References: P. Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural SDEs*, 2021; C.
//! Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, *Training GANs with optimism*, 2018, algorithm 1.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/neural/gan.rs"]
mod gan;

use std::error::Error;

use ansatz_core::Key;
use ansatz_testkit::net::Adam;
use gan::{Generator, Judge, Way};

const TIMES: usize = 16;
const BATCH: usize = 256;
const DATA: usize = 8192;
/// Divides by the standard deviation of the start, 1/√3.
const SCALE: f64 = 1.7320508075688772;

fn main() -> Result<(), Box<dyn Error>> {
    let steps = match std::env::args().nth(1) {
        Some(steps) => steps.parse()?,
        None => 2000,
    };
    let times: Vec<f64> = (0..TIMES).map(|i| i as f64).collect();
    let real = gan::data(&times, DATA, Key::new(1))?;
    let generator = train(&times, &real, steps, Key::new(0))?;
    let fake = generator.sample(&times, DATA, Key::new(2))?;
    for i in [0, 5, 10, 15] {
        let ([m, s], [mean, std]) = (moments(&fake[i], SCALE), moments(&real[i], 1.0));
        println!(
            "t = {i}: mean {m:.3} (data {mean:.3}), standard deviation {s:.3} (data {std:.3})"
        );
    }
    Ok(())
}

fn moments(x: &[f64], scale: f64) -> [f64; 2] {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    [mean / scale, variance.sqrt() / scale]
}

/// One of the players' vectors of parameters.
struct Player {
    adam: Adam,
    rate: f64,
    before: Vec<f64>,
}

impl Player {
    fn new(params: &[f64], rate: f64) -> Self {
        let mut adam = Adam::new(params.len(), rate);
        adam.beta1 = 0.0;
        let before = vec![0.0; params.len()];
        Self { adam, rate, before }
    }

    /// An optimistic step down; `left` is the part of the training that is left.
    fn step(&mut self, params: &mut [f64], gradient: Vec<f64>, left: f64) {
        let pairs = gradient.iter().zip(&self.before);
        let ahead: Vec<f64> = pairs.map(|(now, before)| 2.0 * now - before).collect();
        self.adam.rate = self.rate * left;
        self.adam.step(params, &ahead);
        self.before = gradient;
    }
}

/// The generator with the mean of its parameters over the second half of the training.
fn train(
    times: &[f64],
    data: &[Vec<f64>],
    steps: u64,
    key: Key,
) -> Result<Generator, Box<dyn Error>> {
    let mut generator = Generator::new(key.fold_in(1))?;
    let mut judge = Judge::new(key.fold_in(2))?;
    judge.clip();
    let mut makers = generator.parts().map(|p| Player::new(p, 1e-3));
    let mut judges = judge.parts().map(|p| Player::new(p, 4e-3));
    let mut mean = generator.parts().map(|p| vec![0.0; p.len()]);
    for step in 0..steps {
        let draw = key.fold_in(10 + step);
        let pick = |i: usize| (DATA as f64 * draw.uniform(2, i as u64)[0]) as usize;
        let picks: Vec<usize> = (0..BATCH).map(pick).collect();
        let scaled = |row: &Vec<f64>| picks.iter().map(|i| SCALE * row[*i]).collect();
        let real: Vec<Vec<f64>> = data.iter().map(scaled).collect();
        let (_, real, _) = judge.score(times, &real, Way::Reversible)?;
        let fake = generator.judged(&judge, times, BATCH, draw, Way::Reversible)?;
        let left = 1.0 - step as f64 / steps as f64;
        // The judge descends E[D(fake)] − E[D(real)], the generator ascends it.
        let bars = fake.judge.iter().zip(&real);
        for ((player, p), (fake, real)) in judges.iter_mut().zip(judge.parts()).zip(bars) {
            let bar = fake.iter().zip(real).map(|(f, r)| f - r).collect();
            player.step(p, bar, left);
        }
        judge.clip();
        let bars = fake.generator.iter();
        for ((player, p), bar) in makers.iter_mut().zip(generator.parts()).zip(bars) {
            player.step(p, bar.iter().map(|b| -b).collect(), left);
        }
        if 2 * step >= steps {
            let share = 1.0 / (step - steps / 2 + 1) as f64;
            for (mean, p) in mean.iter_mut().zip(generator.parts()) {
                for (m, p) in mean.iter_mut().zip(p) {
                    *m += share * (*p - *m);
                }
            }
        }
    }
    for (p, mean) in generator.parts().into_iter().zip(mean) {
        *p = mean;
    }
    Ok(generator)
}
