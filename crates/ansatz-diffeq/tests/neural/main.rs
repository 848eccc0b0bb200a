//! Neural differential equations, trained: the networks are those of the test kit.

#![allow(clippy::unwrap_used)]

mod controlled;
mod gan;
mod increments;
mod latent_tests;
mod oscillators;
#[expect(dead_code, reason = "the example uses more of it")]
mod rings;
mod series;
mod stable;
mod vowels;

use ansatz_core::Key;
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::sde::Form;
use ansatz_diffeq::{Control, RungeKutta, tableau};
use ansatz_testkit::data;
use ansatz_testkit::net::{Activation, Adam, Net, NetField, accuracy};

use gan::{Generator, Judge, Way};
use rings::{Rings, Training};
use stable::{Model, Sees};

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
    assert_eq!(back.score.to_bits(), stored.score.to_bits());
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

/// Clipped networks are 1-Lipschitz, and the score of a generator's paths is the same whether they are judged on
/// the way or afterwards.
#[test]
fn clipped_judges() {
    let times = [0.0, 1.0, 2.0];
    let generator = Generator::new(Key::new(1)).unwrap();
    let mut judge = Judge::new(Key::new(2)).unwrap();
    assert!(judge.lipschitz() > 1.0);
    judge.clip();
    assert!(judge.lipschitz() <= 1.0);
    let key = Key::new(3);
    let way = Way::Reversible;
    let judged = generator.judged(&judge, &times, 64, key, way).unwrap();
    let paths = generator.sample(&times, 64, key).unwrap();
    let (score, _, _) = judge.score(&times, &paths, way).unwrap();
    assert_eq!(score.to_bits(), judged.score.to_bits());
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

fn trained(form: Form, sees: Sees, seed: u64, steps: u64, missing: f64) -> f64 {
    let mut model = Model::new(form, sees, seed);
    model.train(steps, missing, Key::new(seed)).unwrap();
    model.test(missing, Key::new(seed)).unwrap()
}

/// Half of the observations missing. (Another program's runs: 0.941 and 0.946.)
#[test]
fn langevin_noise_is_stable_under_missing_data() {
    let accuracy = trained(Form::Langevin, Sees::Data, 0, 600, 0.5);
    assert!(accuracy >= 0.88, "{accuracy}");
}

#[test]
fn linear_noise_is_stable_under_missing_data() {
    let accuracy = trained(Form::LinearNoise, Sees::Data, 0, 600, 0.5);
    assert!(accuracy >= 0.88, "{accuracy}");
}

/// A number that is not finite would be an error of the solver.
#[test]
fn five_seeds_of_each_form_stay_finite() {
    for seed in 0..5 {
        for form in [Form::Langevin, Form::LinearNoise, Form::Geometric] {
            trained(form, Sees::Data, seed, 15, 0.5);
        }
    }
    let blind = trained(Form::Langevin, Sees::Nothing, 0, 60, 0.0);
    assert!((blind - 0.5).abs() < 0.07, "{blind}");
}

/// The evidence bound through encoder, equation and read-out, against differences.
#[test]
fn gradient_of_an_evidence_bound() {
    let mut model = oscillators::Model::new(Key::new(0));
    let error = model.gradient_error().unwrap();
    assert!(error < 1e-6, "{error:e}");
}

/// Cross-entropy through a controlled equation on a Hermite path, against differences.
#[test]
fn gradient_through_a_controlled_equation() {
    let numbers = [0, 1, 2];
    let path = series::path(&numbers, 0.3).unwrap();
    let labels = numbers.map(series::label);
    let mut model = controlled::Classifier::new(3, 2, Key::new(0));
    let (_, gradient) = model.loss(&path, 12, &labels).unwrap();
    let h = 1e-5;
    for i in (0..gradient.len()).step_by(131) {
        let kept = model.params[i];
        let mut at = |p: f64| {
            model.params[i] = p;
            model.loss(&path, 12, &labels).unwrap().0
        };
        let difference = (at(kept + h) - at(kept - h)) / (2.0 * h);
        at(kept);
        assert!((gradient[i] - difference).abs() < 1e-7, "{i}");
    }
}

/// A short training already continues oscillations better than their last value does.
#[test]
fn a_latent_equation_learns() {
    let test: Vec<_> = (1_000_000..1_000_128)
        .map(oscillators::oscillation)
        .collect();
    let mut model = oscillators::Model::new(Key::new(0));
    model.train(300).unwrap();
    let [_, after] = oscillators::errors(&test, &model.curves(&test).unwrap());
    let [_, lines] = oscillators::errors(&test, &oscillators::straight_lines(&test));
    assert!(after < 0.5 * lines, "{after} {lines}");
}

/// A short training on utterances of which half the observations are missing; one in nine would be chance.
#[test]
fn a_controlled_equation_learns_from_half_the_data() {
    let (data, key) = (data::vowels(), Key::new(0));
    let classes = data::Vowels::CLASSES;
    let mut model = controlled::Classifier::new(vowels::CHANNELS, classes, key);
    let mut adam = Adam::new(model.params.len(), 3e-3);
    let labels = |part: &[&data::Series]| -> Vec<usize> {
        part.iter().map(|u| usize::from(u.label)).collect()
    };
    for step in 0..100 {
        let draw = key.fold_in(step);
        let pick = |i: u64| &data.train[(270.0 * draw.uniform(0, i)[0]) as usize];
        let batch: Vec<_> = (0..32).map(pick).collect();
        let path = vowels::path(&batch, 0.5, draw).unwrap();
        let (_, gradient) = model
            .loss(&path, vowels::LENGTH - 1, &labels(&batch))
            .unwrap();
        adam.step(&mut model.params, &gradient);
    }
    let test: Vec<_> = data.test.iter().collect();
    let path = vowels::path(&test, 0.5, key).unwrap();
    let logits = model.logits(&path, vowels::LENGTH - 1).unwrap();
    let right = accuracy(&logits, &labels(&test));
    assert!(right > 0.7, "{right}");
}

/// The published network of the gradient tests, as one of the test kit's: same gradient.
#[test]
fn networks_agree_with_published_gradients() {
    let hidden = |i: usize, j: usize| (1.0 + 2.0 * i as f64 + 3.0 * j as f64).sin();
    let last = |i: usize, j: usize| 0.5 * (1.0 + i as f64 + 2.0 * j as f64).cos();
    // The paper's matrices act from the left.
    let mut params: Vec<f64> = (0..2)
        .flat_map(|j| (0..4).map(move |i| hidden(i, j)))
        .collect();
    params.extend((0..4).map(|i| 0.1 * f64::from(i).cos()));
    params.extend((0..4).flat_map(|j| (0..2).map(move |i| last(i, j))));
    params.extend([0.05, 0.1]);
    let net = Net::new(2)
        .layer(4, Activation::Tanh)
        .layer(2, Activation::Identity);
    let field = NetField::new(net, params).unwrap();
    let x = vec![1.0, 0.5];
    let mut method = RungeKutta::new(&tableau::RK4, &field, &x);
    let control = Control::fixed(20);
    let tape = Tape::record(&mut method, &[0.0, 2.0], &x, &control, Memory::Every).unwrap();
    let y = &tape.states()[1];
    let bars = [vec![0.0; 2], vec![y[0] - 0.2, y[1] + 0.3]];
    let gradient = tape.pull(&mut method, &bars).unwrap();
    let norm = gradient.params.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!((norm - 5.561286243235968).abs() < 1e-12);
    // W₁[0][0] first; b₁[1]; W₂[0][3]; the last bias.
    let picked = [0, 9, 18, 21].map(|i| gradient.params[i]);
    let published = [
        0.4832793714492268,
        -1.2043424362999695,
        1.709359431324426,
        -0.7937113958133911,
    ];
    for (got, want) in picked.iter().zip(published) {
        assert!((got - want).abs() < 1e-9, "{got} {want}");
    }
}
