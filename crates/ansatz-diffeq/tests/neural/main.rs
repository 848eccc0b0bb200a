//! Neural differential equations, trained: the networks are those of the test kit.

#![allow(clippy::unwrap_used)]

mod gan;
mod latent_tests;
mod rings;
mod series;
mod stable;

use ansatz_core::Key;

use gan::{Generator, Judge, Way};
use rings::{Rings, Training};

/// The error estimate as a regulariser halves the evaluations, at the same accuracy. (Another program's runs of
/// this experiment needed 97 and 85 evaluations plain, 19 and 19 regularised.)
#[test]
fn regularised_fields_need_half_the_evaluations() {
    let train = |training| {
        let mut rings = Rings::new(0);
        rings.train(0, 250, training).unwrap();
        rings.judge().unwrap()
    };
    let (accuracy, plain) = train(Training::Plain);
    assert!(accuracy >= 0.99, "{accuracy}");
    let (accuracy, regularised) = train(Training::Error(1.0, 0.1));
    assert!(accuracy >= 0.99, "{accuracy}");
    assert!(2 * regularised <= plain, "{regularised} against {plain}");
}

/// Gradients of generator and judge over 16 steps of the reversible Heun method with general noise: steps undone
/// give what stored steps give, to 1e-12.
#[test]
fn adversaries_without_memory() {
    let times: Vec<f64> = (0..17).map(f64::from).collect();
    let generator = Generator::new(Key::new(1)).unwrap();
    let judge = Judge::new(Key::new(2)).unwrap();
    let run = |way| {
        generator
            .judged(&judge, &times, 8, Key::new(3), way)
            .unwrap()
    };
    let (back, stored) = (run(Way::Reversible), run(Way::Stored));
    assert_eq!(back.score, stored.score);
    let parts = back.judge.iter().chain(&back.generator);
    for (got, want) in parts.zip(stored.judge.iter().chain(&stored.generator)) {
        let size = want.iter().map(|w| w * w).sum::<f64>().sqrt();
        assert!(size > 0.0);
        let error: f64 = got.iter().zip(want).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(error.sqrt() < 1e-12 * size, "{:e}", error.sqrt() / size);
    }
}

/// The same gradients against differences of the score, on the same noise.
#[test]
fn adversaries_against_differences() {
    let times = [0.0, 0.5, 2.0, 2.3];
    let mut generator = Generator::new(Key::new(1)).unwrap();
    let mut judge = Judge::new(Key::new(2)).unwrap();
    let run = |generator: &Generator, judge: &Judge| {
        generator
            .judged(judge, &times, 3, Key::new(3), Way::Reversible)
            .unwrap()
    };
    let gradients = run(&generator, &judge);
    let h = 1e-5;
    let check = |got: f64, up: f64, down: f64| {
        let difference = (up - down) / (2.0 * h);
        assert!((got - difference).abs() < 1e-7, "{got} {difference}");
    };
    for (part, index) in [
        (0, 5),
        (0, 280),
        (1, 700),
        (2, 3),
        (2, 100),
        (3, 4),
        (3, 16),
    ] {
        let mut value = |change: f64| {
            generator.parts()[part][index] += change;
            run(&generator, &judge).score
        };
        let (up, down) = (value(h), value(-2.0 * h));
        value(h);
        check(gradients.generator[part][index], up, down);
    }
    for (part, index) in [(0, 5), (0, 500), (1, 3), (1, 100), (2, 4), (2, 16)] {
        let mut value = |change: f64| {
            judge.parts()[part][index] += change;
            run(&generator, &judge).score
        };
        let (up, down) = (value(h), value(-2.0 * h));
        value(h);
        check(gradients.judge[part][index], up, down);
    }
}

/// The paths that a generator is to learn: means and variances in closed form, within 3 %. (The
/// standard deviation of the variance of 65 536 samples is 0.55 %.)
#[test]
fn the_data_of_the_generator() {
    let times = [0.0, 6.0, 19.0, 31.0, 44.0, 63.0];
    let rows = gan::data(&times, 65_536, Key::new(0)).unwrap();
    let exact = [
        (0.29762, 0.10895),
        (2.09914, 0.17924),
        (4.29010, 0.54825),
        (6.82455, 1.20786),
        (10.60367, 2.64766),
    ];
    for (row, (mean, variance)) in rows[1..].iter().zip(exact) {
        let [m, v] = moments(row);
        assert!((m / mean - 1.0).abs() < 0.03, "{m} {mean}");
        assert!((v / variance - 1.0).abs() < 0.03, "{v} {variance}");
    }
}

fn moments(x: &[f64]) -> [f64; 2] {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    [mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n]
}
