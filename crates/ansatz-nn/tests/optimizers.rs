//! Rules, learning rates and L-BFGS, step by step against PyTorch and SciPy (fixtures/optimizers.py).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use ansatz_nn::core::{Event, Key};
use ansatz_nn::{
    Activation, Adam, Data, Decay, Init, Iterate, Layer, Layout, Lbfgs, Lookahead, Mlp, MlpOptions,
    NetworkError, Objective, Optimizer, Parameters, Progress, Rule, Schedule, Sgd, Stop, Training,
    TrainingOptions,
};

const FIXTURES: &str = include_str!("fixtures/optimizers.txt");
const START: [f64; 5] = [-1.2, 1.0, 0.7, -0.5, 1.3];

/// The lines of a name.
fn fixture(name: &str) -> Vec<Vec<f64>> {
    let lines = FIXTURES.lines().map(|l| l.split_whitespace());
    let of_name = lines.filter_map(|mut l| (l.next() == Some(name)).then_some(l));
    let rows: Vec<Vec<f64>> = of_name
        .map(|l| l.map(|v| v.parse().unwrap()).collect())
        .collect();
    assert!(!rows.is_empty(), "{name}");
    rows
}

/// Largest difference in parts of the largest number.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = b.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let far = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    far.fold(0.0, f64::max) / size
}

/// Σ (1 − xᵢ)² + c(xᵢ₊₁ − xᵢ²)².
fn valley(c: f64, x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut sum = 0.0;
    for i in 0..x.len() - 1 {
        let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
        sum += a * a + c * b * b;
        g[i] += -2.0 * a - 4.0 * c * b * x[i];
        g[i + 1] += 2.0 * c * b;
    }
    sum
}

fn follow<R: Rule<f64> + Rule<f32> + Clone>(name: &str, rate: f64, rule: R) {
    let rows = fixture(name);
    assert_eq!(rows.len(), 20);
    let (mut x, mut g) = (START.to_vec(), vec![0.0; 5]);
    let mut single: Vec<f32> = START.iter().map(|v| *v as f32).collect();
    let mut optimizer = Optimizer::<f64, R>::new(rule.clone(), 5);
    let mut rounded = Optimizer::<f32, R>::new(rule, 5);
    let (mut worst, mut worst_single) = (0.0_f64, 0.0_f64);
    for row in rows {
        valley(10.0, &x, &mut g);
        optimizer.step(rate, &g, &mut x).unwrap();
        worst = worst.max(apart(&x, &row));
        let at: Vec<f64> = single.iter().map(|v| f64::from(*v)).collect();
        valley(10.0, &at, &mut g);
        let slopes: Vec<f32> = g.iter().map(|v| *v as f32).collect();
        rounded.step(rate, &slopes, &mut single).unwrap();
        let at: Vec<f64> = single.iter().map(|v| f64::from(*v)).collect();
        worst_single = worst_single.max(apart(&at, &row));
    }
    assert!(worst < 1e-13, "{name}: {worst:e}");
    assert!(worst_single < 1e-5, "{name}: {worst_single:e}");
}

#[test]
fn rules_step_as_pytorch_does() {
    let sgd = Sgd::default();
    follow("sgd", 1e-3, sgd);
    let momentum = Sgd {
        momentum: 0.9,
        ..sgd
    };
    follow("sgd-momentum", 1e-3, momentum);
    let nesterov = Sgd {
        lookahead: Lookahead::Nesterov,
        ..momentum
    };
    follow("sgd-nesterov", 1e-3, nesterov);
    let decay = Sgd {
        momentum: 0.5,
        weight_decay: 0.1,
        ..sgd
    };
    follow("sgd-decay", 1e-3, decay);
    let adam = Adam::default();
    follow("adam", 2e-2, adam);
    let betas = Adam {
        betas: (0.8, 0.95),
        epsilon: 1e-3,
        ..adam
    };
    follow("adam-betas", 2e-2, betas);
    let with = |decay| Adam { decay, ..adam };
    follow("adam-penalty", 2e-2, with(Decay::Penalty(0.1)));
    follow("adamw", 2e-2, with(Decay::Decoupled(0.1)));
}

#[test]
fn learning_rates_are_those_of_pytorch() {
    let cosine = |steps| Schedule::Cosine {
        from: 1e-2,
        to: 1e-4,
        steps,
    };
    let schedules = [
        ("rates-cosine", cosine(30)),
        (
            "rates-steps",
            Schedule::Steps {
                from: 1e-2,
                factor: 0.3,
                at: vec![5, 12, 13],
            },
        ),
        (
            "rates-exponential",
            Schedule::Exponential {
                from: 1e-2,
                factor: 0.9,
            },
        ),
        ("rates-warmup", Schedule::Warmup(8, Box::new(cosine(32)))),
    ];
    for (name, schedule) in schedules {
        let expected = &fixture(name)[0];
        for (step, rate) in expected.iter().enumerate() {
            let got = schedule.at(step as u64);
            assert!(
                (got / rate - 1.0).abs() < 1e-13,
                "{name} {step}: {got:e} {rate:e}"
            );
        }
    }
    // From the end on, the last rate.
    assert!((cosine(30).at(31) - 1e-4).abs() < 1e-18);
}

#[test]
fn a_long_gradient_is_shortened_to_the_length_allowed() {
    let mut layout = Layout::new();
    let x = layout
        .root()
        .parameter("x", &[5], Init::Values(START.to_vec()));
    let mut objective = Objective::<f64>::compile(&layout, &[], |pass, _| {
        let x = pass[x];
        let (a, b) = (x.narrow(0, 0, 4), x.narrow(0, 1, 5));
        ((a - 1.0).square() + (b - a.square()).square() * 10.0).sum()
    })
    .unwrap();
    let parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let mut training = Training::new(parameters, Sgd::default(), Key::new(0));
    let options = TrainingOptions {
        steps: 1,
        rate: Schedule::Constant(1.0),
        clip: Some(2.0),
        checkpoint: None,
    };
    let mut norm = 0.0;
    training
        .run(&mut objective, &options, |_, _| {}, &mut |e: &Event<
            '_,
            Progress<'_, f64>,
        >| {
            norm = e.state.slope;
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected = fixture("clip-norm")[0][0];
    assert!((norm / expected - 1.0).abs() < 1e-13);
    let values = training.parameters.values();
    let step: Vec<f64> = START.iter().zip(values).map(|(a, b)| a - b).collect();
    // PyTorch divides by the norm and 1e-6 more.
    let more = (expected + 1e-6) / expected;
    let shortened: Vec<f64> = fixture("clip")[0].iter().map(|g| g * more).collect();
    assert!(apart(&step, &shortened) < 1e-13);
}

/// Iterates of L-BFGS against a fixture; the largest distance.
fn track<F>(name: &str, history: usize, start: &[f64], f: F) -> f64
where
    F: FnMut(&[f64], &mut [f64]) -> Result<f64, NetworkError>,
{
    let rows = fixture(name);
    let method = Lbfgs {
        history,
        steps: rows.len(),
        gradient: 0.0,
        ..Lbfgs::default()
    };
    let mut x = start.to_vec();
    let mut far = Vec::new();
    let descent = method
        .minimise(f, &mut x, &mut |e: &Event<'_, Iterate<'_, f64>>| {
            far.push(apart(e.state.x, &rows[e.step - 1]));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((descent.stop, far.len()), (Stop::Steps, rows.len()));
    far.into_iter().fold(0.0, f64::max)
}

#[test]
fn lbfgs_steps_as_pytorch_does() {
    let steep = |x: &[f64], g: &mut [f64]| Ok(valley(100.0, x, g));
    assert!(track("lbfgs-valley", 20, &START, steep) < 1e-11);
    assert!(track("lbfgs-short", 3, &START, steep) < 1e-11);
}

#[test]
fn lbfgs_trains_a_network_as_pytorch_does() {
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[1, 4, 1], &MlpOptions::default());
    let data = [Data::Batch(vec![20, 1]), Data::Batch(vec![20, 1])];
    let mut objective = Objective::<f64>::compile(&layout, &data, |pass, data| {
        (net.apply(pass, data[0]) - data[1]).square().mean()
    })
    .unwrap();
    let x: Vec<f64> = (0..20).map(|i| -1.0 + f64::from(i) / 9.5).collect();
    let y: Vec<f64> = x.iter().map(|x| x.powi(3) - x / 2.0).collect();
    let start: Vec<f64> = (0..13).map(|i| (1.0 + 2.0 * f64::from(i)).sin()).collect();
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    parameters.values_mut().copy_from_slice(&start);
    let mut at = parameters.clone();
    let far = track("lbfgs-network", 20, &start, |p, g| {
        at.values_mut().copy_from_slice(p);
        objective.gradient(&at, &[&x, &y], Key::new(0), g)
    });
    assert!(far < 1e-11, "{far:e}");

    // The same through `fit`.
    let method = Lbfgs {
        steps: 15,
        gradient: 0.0,
        ..Lbfgs::default()
    };
    let data = [&x[..], &y];
    method
        .fit(&mut objective, &mut parameters, &data, Key::new(0), &mut ())
        .unwrap();
    let rows = fixture("lbfgs-network");
    assert!(apart(parameters.values(), &rows[14]) < 1e-8);
}

#[test]
fn lbfgs_ends_where_single_precision_does() {
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[1, 16, 1], &MlpOptions::default());
    let data = [Data::Batch(vec![64, 1]), Data::Batch(vec![64, 1])];
    let mut objective = Objective::<f32>::compile(&layout, &data, |pass, data| {
        (net.apply(pass, data[0]) - data[1]).square().mean()
    })
    .unwrap();
    let x: Vec<f32> = (0..64).map(|i| i as f32 / 16.0 - 2.0).collect();
    let y: Vec<f32> = x.iter().map(|x| (2.0 * x).sin()).collect();
    for seed in 0..5 {
        let mut parameters = Parameters::<f32>::new(&layout, Key::new(seed));
        let method = Lbfgs {
            steps: 5000,
            ..Lbfgs::default()
        };
        let data = [&x[..], &y];
        let descent = method
            .fit(&mut objective, &mut parameters, &data, Key::new(0), &mut ())
            .unwrap();
        assert!(descent.loss < 1e-4, "{descent:?}");
        assert!(matches!(descent.stop, Stop::Stalled | Stop::Steps));
        // Once more from there: nothing is gained, and nothing fails.
        let again = method
            .fit(&mut objective, &mut parameters, &data, Key::new(0), &mut ())
            .unwrap();
        assert!(again.loss <= descent.loss, "{again:?}");
    }
}

#[test]
fn lbfgs_finds_known_minima() {
    let method = Lbfgs::default();
    let mut x: Vec<f64> = (0..10).map(|i| f64::from(i % 3) - 1.2).collect();
    let f = |x: &[f64], g: &mut [f64]| Ok(valley(100.0, x, g));
    let descent = method.minimise(f, &mut x, &mut ()).unwrap();
    assert_eq!(descent.stop, Stop::Gradient);
    assert!(x.iter().all(|v| (v - 1.0).abs() < 1e-8), "{x:?}");

    // Beale's function: (3, ½).
    let beale = |x: &[f64], g: &mut [f64]| {
        let (a, b) = (x[0], x[1]);
        g.fill(0.0);
        let mut sum = 0.0;
        for (k, c) in (1..).zip([1.5, 2.25, 2.625]) {
            let r = c - a + a * b.powi(k);
            sum += r * r;
            g[0] += 2.0 * r * (b.powi(k) - 1.0);
            g[1] += 2.0 * r * a * f64::from(k) * b.powi(k - 1);
        }
        Ok(sum)
    };
    let mut x = [1.0, 1.0];
    method.minimise(beale, &mut x, &mut ()).unwrap();
    assert!(apart(&x, &[3.0, 0.5]) < 1e-8, "{x:?}");

    // Logistic regression with a penalty: SciPy's minimum.
    let row = |i: usize, j: usize| (1.3 * i as f64 + 0.7 * (j * (1 + i % 3)) as f64).sin();
    let logistic = |w: &[f64], g: &mut [f64]| {
        let mut sum = 0.05 * w.iter().map(|w| w * w).sum::<f64>();
        for (g, w) in g.iter_mut().zip(w) {
            *g = 0.1 * w;
        }
        for i in 0..30 {
            let label = (2.1 * i as f64).cos().signum();
            let m = label * (0..4).map(|j| row(i, j) * w[j]).sum::<f64>();
            sum += (-m).exp().ln_1p();
            for (j, g) in g.iter_mut().enumerate() {
                *g -= row(i, j) * label / (1.0 + m.exp());
            }
        }
        Ok(sum)
    };
    let mut w = [0.0; 4];
    let method = Lbfgs {
        gradient: 1e-10,
        ..method
    };
    let descent = method.minimise(logistic, &mut w, &mut ()).unwrap();
    let expected = &fixture("logistic")[0];
    assert!((descent.loss / expected[0] - 1.0).abs() < 1e-13);
    assert!(apart(&w, &expected[1..]) < 1e-8, "{w:?} {expected:?}");
}

#[test]
fn lbfgs_works_in_single_precision() {
    let f = |x: &[f32], g: &mut [f32]| {
        let at: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let mut slopes = vec![0.0; x.len()];
        let loss = valley(100.0, &at, &mut slopes);
        for (g, s) in g.iter_mut().zip(slopes) {
            *g = s as f32;
        }
        Ok(loss)
    };
    let mut x = START.map(|v| v as f32);
    let method = Lbfgs {
        gradient: 1e-4,
        ..Lbfgs::default()
    };
    let descent = method.minimise(f, &mut x, &mut ()).unwrap();
    assert_eq!(descent.stop, Stop::Gradient);
}

#[test]
fn lbfgs_stays_where_values_are_finite_and_names_what_is_wrong() {
    let method = Lbfgs::default();
    // −ln x − ln(1 − x) + 3x: NaN outside (0, 1); the minimum solves −1/x + 1/(1 − x) + 3 = 0.
    let barrier = |x: &[f64], g: &mut [f64]| {
        g[0] = 3.0 - x[0].recip() + (1.0 - x[0]).recip();
        Ok(3.0 * x[0] - x[0].ln() - (1.0 - x[0]).ln())
    };
    let mut x = [1e-3];
    method.minimise(barrier, &mut x, &mut ()).unwrap();
    let root = (5.0 - 13.0_f64.sqrt()) / 6.0;
    assert!((x[0] - root).abs() < 1e-8, "{x:?} {root}");

    let mut x = [2.0];
    let error = method.minimise(barrier, &mut x, &mut ()).unwrap_err();
    assert!(matches!(error, NetworkError::NotFinite { step: 0, .. }));
    assert_eq!(x[0].to_bits(), 2.0_f64.to_bits());

    // A gradient of the wrong sign: no step is lower.
    let wrong = |x: &[f64], g: &mut [f64]| {
        g[0] = -2.0 * x[0];
        Ok(x[0] * x[0])
    };
    let mut x = [1.0];
    let error = method.minimise(wrong, &mut x, &mut ()).unwrap_err();
    assert!(
        matches!(error, NetworkError::LineSearch { step: 0, .. }),
        "{error}"
    );
    assert_eq!(x[0].to_bits(), 1.0_f64.to_bits());

    // Errors of the function come through, with the best point in place.
    let mut calls = 0;
    let mut best = f64::MAX;
    let failing = |x: &[f64], g: &mut [f64]| {
        calls += 1;
        if calls == 12 {
            return Err(NetworkError::Size {
                what: "calls",
                expected: 11,
                got: 12,
            });
        }
        let f = valley(100.0, x, g);
        best = best.min(f);
        Ok(f)
    };
    let mut x = START;
    let error = method.minimise(failing, &mut x, &mut ()).unwrap_err();
    assert!(matches!(error, NetworkError::Size { got: 12, .. }));
    let mut g = [0.0; 5];
    assert!(valley(100.0, &x, &mut g) < valley(100.0, &START, &mut [0.0; 5]));

    let bad = Lbfgs {
        history: 0,
        ..method
    };
    let error = bad.minimise(barrier, &mut [0.5], &mut ()).unwrap_err();
    assert!(matches!(
        error,
        NetworkError::Option {
            name: "history",
            ..
        }
    ));
}

#[test]
fn observers_end_a_descent() {
    let f = |x: &[f64], g: &mut [f64]| Ok(valley(100.0, x, g));
    let mut x = START;
    let mut observer = |e: &Event<'_, Iterate<'_, f64>>| {
        if e.step == 4 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let descent = Lbfgs::default().minimise(f, &mut x, &mut observer).unwrap();
    assert_eq!((descent.stop, descent.steps), (Stop::Observer, 4));
}

#[test]
fn training_curves_are_those_of_pytorch() {
    let curves: Vec<Vec<f64>> = include_str!("fixtures/curves.txt")
        .lines()
        .map(|l| {
            l.split_whitespace()
                .skip(1)
                .map(|v| v.parse().unwrap())
                .collect()
        })
        .collect();
    let mut layout = Layout::new();
    let mut root = layout.root();
    let (wide, last) = (1.0, 32.0_f64.sqrt().recip());
    // PyTorch's initial values: weights and biases uniform in ±1/√inputs.
    let dense = |scope: &mut ansatz_nn::Scope<'_>, i, inputs, outputs, c| {
        let init = (Init::Uniform(c), Some(Init::Uniform(c)));
        ansatz_nn::Dense::with_init(&mut scope.scope(i), inputs, outputs, init)
    };
    let layers = [
        dense(&mut root, 0, 1, 32, wide),
        dense(&mut root, 1, 32, 32, last),
        dense(&mut root, 2, 32, 1, last),
    ];
    let compile = |b: usize| {
        let data = [Data::Batch(vec![b, 1]), Data::Batch(vec![b, 1])];
        Objective::<f32>::compile(&layout, &data, |pass, data| {
            let mut x = data[0];
            for (i, layer) in layers.iter().enumerate() {
                x = layer.apply(pass, x);
                if i < 2 {
                    x = Activation::Tanh.apply(pass, x);
                }
            }
            (x - data[1]).square().mean()
        })
        .unwrap()
    };
    let (mut batches, mut all) = (compile(32), compile(256));
    let x: Vec<f32> = (0..256).map(|i| -2.0 + 4.0 * i as f32 / 255.0).collect();
    let y: Vec<f32> = x.iter().map(|x| (3.0 * x).sin() + x / 2.0).collect();
    let mut slopes = vec![0.0; layout.len()];
    let mut ours = Vec::new();
    for seed in 0..curves.len() as u64 {
        let parameters = Parameters::<f32>::new(&layout, Key::new(seed));
        let mut training = Training::new(parameters, Adam::default(), Key::new(100 + seed));
        let mut losses = Vec::new();
        for steps in [100, 400, 1500] {
            let options = TrainingOptions {
                steps,
                rate: Schedule::Cosine {
                    from: 1e-2,
                    to: 1e-5,
                    steps: 1500,
                },
                ..TrainingOptions::default()
            };
            let batch = |key: Key, data: &mut [Vec<f32>]| {
                for i in 0..32 {
                    let row = (256.0 * key.uniform(0, i as u64)[0]) as usize;
                    data[0][i] = x[row];
                    data[1][i] = y[row];
                }
            };
            training
                .run(&mut batches, &options, batch, &mut ())
                .unwrap();
            let data = [&x[..], &y];
            losses.push(
                all.gradient(&training.parameters, &data, Key::new(0), &mut slopes)
                    .unwrap(),
            );
        }
        ours.push(losses);
    }
    // At each mark: means of the logarithms apart by less than three standard errors, and ranges that overlap, for the
    // first three seeds and for all.
    let logs =
        |curves: &[Vec<f64>], k: usize| -> Vec<f64> { curves.iter().map(|c| c[k].ln()).collect() };
    for k in 0..3 {
        let (a, b) = (logs(&ours, k), logs(&curves, k));
        let ((mean, var), (mean_b, var_b)) = (moments(&a), moments(&b));
        let n = a.len() as f64;
        let errors = (mean - mean_b) / ((var + var_b) / n).sqrt();
        assert!(errors.abs() < 3.0);
        for count in [3, a.len()] {
            let ((low, high), (low_b, high_b)) = (range(&a[..count]), range(&b[..count]));
            assert!(
                low <= high_b && low_b <= high,
                "{low} {high} {low_b} {high_b}"
            );
        }
    }
}

/// Mean and variance.
fn moments(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let squares = x.iter().map(|v| (v - mean).powi(2));
    (mean, squares.sum::<f64>() / (n - 1.0))
}

fn range(x: &[f64]) -> (f64, f64) {
    x.iter()
        .fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)))
}
