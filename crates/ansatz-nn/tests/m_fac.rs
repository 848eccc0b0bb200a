//! M-FAC as a rule: steps beside dense matrices, badly scaled logistic regression, training that goes on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_nn::core::{Key, Scalar};
use ansatz_nn::{
    Data, Layer, Layout, MFac, MFacOptions, Mlp, MlpOptions, NetworkError, Objective, Optimizer,
    Parameters, Rule, Training, TrainingOptions, Zeros,
};

const FIXTURES: &str = include_str!("fixtures/m_fac.txt");
const START: [f64; 5] = [-1.2, 1.0, 0.7, -0.5, 1.3];

/// The slope of Σ (1 − xᵢ)² + 10(xᵢ₊₁ − xᵢ²)².
fn slope<T: Scalar>(x: &[T]) -> Vec<T> {
    let x: Vec<f64> = x.iter().map(|v| v.f64()).collect();
    let mut g = vec![0.0; x.len()];
    for i in 0..x.len() - 1 {
        let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
        g[i] += -2.0 * a - 40.0 * b * x[i];
        g[i + 1] += 20.0 * b;
    }
    g.iter().map(|v| T::of(*v)).collect()
}

/// Largest distance from the fixture's steps in parts of the largest parameter.
fn far<T: Scalar>(name: &str, options: MFacOptions) -> f64 {
    let mut x: Vec<T> = START.iter().map(|v| T::of(*v)).collect();
    let mut optimizer = Optimizer::<T, MFac>::new(MFac::new(options), 5);
    let lines = FIXTURES.lines().map(|l| l.split_whitespace());
    let mut worst = 0.0_f64;
    for mut line in lines.filter_map(|mut l| (l.next() == Some(name)).then_some(l)) {
        optimizer.step(1e-2, &slope(&x), &mut x).unwrap();
        for x in &x {
            let want: f64 = line.next().unwrap().parse().unwrap();
            worst = worst.max((x.f64() - want).abs() / 1.5);
        }
    }
    assert_eq!(optimizer.steps(), 20);
    worst
}

#[test]
fn steps_are_those_of_dense_matrices() {
    let options = |window, momentum, weight_decay| MFacOptions {
        window,
        damping: 0.1,
        momentum,
        weight_decay,
        ..MFacOptions::default()
    };
    for (name, options) in [
        ("m-fac", options(6, 0.0, 0.0)),
        ("m-fac-long", options(32, 0.0, 0.0)),
        ("m-fac-smooth", options(3, 0.5, 0.1)),
    ] {
        let (double, single) = (far::<f64>(name, options), far::<f32>(name, options));
        assert!(double < 1e-13, "{name}: {double:e}");
        assert!(single < 1e-5, "{name}: {single:e}");
    }
}

/// Logistic regression whose features differ in size by a factor of 100.
struct Regression {
    rows: Vec<Vec<f64>>,
    labels: Vec<f64>,
}

impl Regression {
    fn new() -> Self {
        let rows: Vec<Vec<f64>> = (0..240)
            .map(|i| {
                (0..20)
                    .map(|j| {
                        let (a, b) = (f64::from(i + 1), f64::from(j + 1));
                        let size = 10_f64.powf(-2.0 * f64::from(j) / 19.0);
                        (0.37 * a * b + 0.1 * f64::from(j)).sin() * size
                    })
                    .collect()
            })
            .collect();
        let truth: Vec<f64> = (0..20)
            .map(|j| (1.1 * f64::from(j)).cos() * 10_f64.powf(2.0 * f64::from(j) / 19.0))
            .collect();
        let labels = rows.iter().enumerate().map(|(i, row)| {
            let z: f64 = row.iter().zip(&truth).map(|(x, w)| x * w).sum();
            f64::from(u8::from((z > 0.0) != (i % 9 == 0)))
        });
        let labels = labels.collect();
        Self { rows, labels }
    }

    fn value_and_slope(&self, w: &[f64], batch: &[usize]) -> (f64, Vec<f64>) {
        let mut slope: Vec<f64> = w.iter().map(|w| 1e-4 * w).collect();
        let mut value = 0.5e-4 * w.iter().map(|w| w * w).sum::<f64>();
        for i in batch {
            let z: f64 = self.rows[*i].iter().zip(w).map(|(x, w)| x * w).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            value +=
                (z.max(0.0) - z * self.labels[*i] + (-z.abs()).exp().ln_1p()) / batch.len() as f64;
            for (s, x) in slope.iter_mut().zip(&self.rows[*i]) {
                *s += (p - self.labels[*i]) * x / batch.len() as f64;
            }
        }
        (value, slope)
    }
}

#[test]
fn badly_scaled_regression() {
    let problem = Regression::new();
    let all: Vec<usize> = (0..240).collect();
    for (rate, want) in [
        (1e-3, [0.1322, 0.09866, 0.04085, 0.002394]),
        (3e-3, [0.05125, 0.01194, 0.003268, 0.003033]),
    ] {
        let rule = MFac::new(MFacOptions {
            window: 32,
            ..MFacOptions::default()
        });
        let mut optimizer = Optimizer::<f64, MFac>::new(rule, 20);
        let mut w = vec![0.0; 20];
        let mut got = Vec::new();
        for t in 0..400 {
            let batch: Vec<usize> = (0..12).map(|k| k * 20 + (7 * t) % 20).collect();
            let (_, slope) = problem.value_and_slope(&w, &batch);
            optimizer.step(rate, &slope, &mut w).unwrap();
            if [50, 100, 200, 400].contains(&(t + 1)) {
                got.push(problem.value_and_slope(&w, &all).0 - 0.4798713668);
            }
        }
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= 0.02 * want, "{got:e}, {want:e}");
        }
    }
}

#[test]
fn zeros_stay() {
    let mut x = [0.0, 1.0, 0.0, -2.0, 3.0];
    let options = MFacOptions {
        window: 4,
        zeros: Zeros::Kept,
        ..MFacOptions::default()
    };
    let mut optimizer = Optimizer::<f64, MFac>::new(MFac::new(options), 5);
    for _ in 0..9 {
        let g = slope(&x);
        optimizer.step(1e-3, &g, &mut x).unwrap();
    }
    assert!(x[0] == 0.0 && x[2] == 0.0 && x[1] < 1.0);
}

fn training(window: usize) -> (Training<f32, MFac>, Objective<f32>) {
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[1, 8, 1], &MlpOptions::default());
    let data = [Data::Batch(vec![16, 1]), Data::Batch(vec![16, 1])];
    let objective = Objective::compile(&layout, &data, |pass, data| {
        (net.apply(pass, data[0]) - data[1]).square().mean()
    });
    let parameters = Parameters::new(&layout, Key::new(3));
    let rule = MFac::new(MFacOptions {
        window,
        damping: 1e-3,
        ..MFacOptions::default()
    });
    (
        Training::new(parameters, rule, Key::new(5)),
        objective.unwrap(),
    )
}

fn run(training: &mut Training<f32, MFac>, objective: &mut Objective<f32>, steps: u64) {
    let options = TrainingOptions {
        steps,
        rate: ansatz_nn::Schedule::Constant(1e-2),
        ..TrainingOptions::default()
    };
    let batch = |key: Key, data: &mut [Vec<f32>]| {
        key.fill_normal(0, &mut data[0]);
        let (x, y) = data.split_at_mut(1);
        for (x, y) in x[0].iter().zip(&mut y[0]) {
            *y = (2.0 * x).sin();
        }
    };
    training.run(objective, &options, batch, &mut ()).unwrap();
}

#[test]
fn training_goes_on_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    for (window, stop) in [(5, 3), (5, 12), (40, 12)] {
        let (mut whole, mut objective) = training(window);
        run(&mut whole, &mut objective, 30);
        let (mut first, _) = training(window);
        run(&mut first, &mut objective, stop);
        first.save(&file).unwrap();
        let (mut second, _) = training(window);
        second.resume(&file).unwrap();
        run(&mut second, &mut objective, 30);
        let bits = |t: &Training<f32, MFac>| -> Vec<u32> {
            t.parameters.values().iter().map(|v| v.to_bits()).collect()
        };
        assert_eq!(bits(&whole), bits(&second), "window {window}, after {stop}");
    }
    let (mut other, _) = training(7);
    assert!(matches!(
        other.resume(&file),
        Err(NetworkError::Checkpoint { what: "rule", .. })
    ));
}

#[test]
fn bad_options_and_gradients_are_errors() {
    for options in [
        MFacOptions {
            window: 0,
            ..MFacOptions::default()
        },
        MFacOptions {
            damping: 0.0,
            ..MFacOptions::default()
        },
        MFacOptions {
            momentum: 1.0,
            ..MFacOptions::default()
        },
    ] {
        let checked = Rule::<f64>::check(&MFac::new(options));
        assert!(matches!(checked, Err(NetworkError::Option { .. })));
    }
    let mut optimizer = Optimizer::<f64, MFac>::new(
        MFac::new(MFacOptions {
            window: 3,
            ..MFacOptions::default()
        }),
        5,
    );
    let mut x = START;
    let broken = [1.0, f64::NAN, 0.0, 0.0, 0.0];
    assert!(matches!(
        optimizer.step(1e-3, &broken, &mut x),
        Err(NetworkError::Algebra(_))
    ));
    assert!(x == START && optimizer.steps() == 0);
    let g = slope(&x);
    optimizer.step(1e-3, &g, &mut x).unwrap();
}
