//! Terms, weightings, stages and resumption.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod threads;

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::autodiff::{Array, laplacian, units};
use ansatz_pde::core::{Event, Key};
use ansatz_pde::nn::{
    Checkpoint, Layer, Layout, Lbfgs, Loss, Mlp, MlpOptions, Mode, Parameters, Schedule,
};
use ansatz_pde::{
    Causal, Model, Moment, PdeError, Sampler, Shaped, Stage, Term, Terms, Trainer, Weighting,
    partials, relative_error, sample,
};

fn column(x: Array<'_>, i: usize) -> Array<'_> {
    x.narrow(1, i, i + 1)
}

/// A network that is zero on the edge of the unit square.
fn square(layout: &mut Layout, widths: &[usize]) -> Model {
    let net = Mlp::new(&mut layout.root(), widths, &MlpOptions::default());
    Arc::new(Shaped::new(net, |x, net| {
        let (x, y) = (column(x, 0), column(x, 1));
        net * (x - x.square()) * (y - y.square())
    }))
}

/// −Δu = 2π²·sin πx·sin πy.
fn poisson(model: Model, points: usize) -> Term {
    Term::new("Poisson", 2, Vec::new(), move |pass, x| {
        let u = model.apply(pass, x);
        let f = (column(x, 0) * PI).sin() * (column(x, 1) * PI).sin() * (2.0 * PI * PI);
        Ok(laplacian(u, x, &units(x)).second + f)
    })
    .drawn(Key::new(5), points, |key, n| {
        let sobol = Sampler::default().unit(n, 2, key);
        sobol.unwrap().into_vec()
    })
}

fn error(model: &Model, parameters: &Parameters<f64>) -> f64 {
    let n = 51;
    let place = |i: usize| i as f64 / (n - 1) as f64;
    let grid: Vec<f64> = (0..n * n)
        .flat_map(|k| [place(k / n), place(k % n)])
        .collect();
    let u = sample(parameters, 2, &grid, |pass, x| Ok(model.apply(pass, x))).unwrap();
    let exact = |p: &[f64]| (PI * p[0]).sin() * (PI * p[1]).sin();
    let exact: Vec<f64> = grid.chunks(2).map(exact).collect();
    relative_error(&u, &exact).unwrap()
}

/// The hard-constrained problem on 400 Sobol points: 2e-5 within 60 damped steps, the median of three seeds.
#[test]
fn poisson_by_least_squares() {
    let mut layout = Layout::new();
    let model = square(&mut layout, &[2, 16, 16, 1]);
    let terms = vec![poisson(model.clone(), 400)];
    let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
    let trainer = Trainer::new(vec![Stage::levenberg_marquardt(60)], Key::new(1));
    let mut errors: Vec<f64> = Vec::new();
    for seed in 0..3 {
        let mut parameters = Parameters::new(terms.layout(), Key::new(seed));
        let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
            if [20, 30].contains(&(e.step + 1)) {
                let error = error(&model, e.state.parameters);
                println!("seed {seed}, {} steps: {error:.2e}", e.step + 1);
            }
            std::ops::ControlFlow::Continue(())
        };
        let report = trainer.run(&mut terms, &mut parameters, &mut watch);
        let report = report.unwrap();
        errors.push(error(&model, &parameters));
        let term = &report.terms[0];
        assert!(term.fresh.unwrap() < 50.0 * term.fitted);
    }
    println!("60 steps: {errors:?}");
    errors.sort_by(f64::total_cmp);
    assert!(errors[1] < 2e-5, "{errors:?}");
}

/// u' = cos with u(0) = 0 in two terms of different sizes.
fn two_terms(layout: &mut Layout) -> Vec<Term> {
    let net = Mlp::new(&mut layout.root(), &[1, 6, 1], &MlpOptions::default());
    let (inside, start) = (net.clone(), net);
    let grid: Vec<f64> = (0..16).map(|i| f64::from(i) / 8.0).collect();
    vec![
        Term::new("slope", 1, grid, move |pass, x| {
            let u = inside.apply(pass, x);
            Ok(partials(u, x, &[vec![1]])?[0] - x.cos())
        }),
        Term::new("start", 1, vec![0.25], move |pass, x| {
            Ok(start.apply(pass, x))
        })
        .weighted(3.0),
    ]
}

#[test]
fn the_loss_is_one_function_for_all_methods() {
    let mut layout = Layout::new();
    let terms = two_terms(&mut layout);
    let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
    let mut parameters = Parameters::new(terms.layout(), Key::new(4));
    let data = terms.data();
    let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
    let mut slope = vec![0.0; layout.len()];
    let loss = terms
        .gradient(&parameters, &views, Key::new(0), &mut slope)
        .unwrap();
    let squares = terms.mean_squares(&parameters, &data).unwrap();
    assert!((loss - (squares[0] + 3.0 * squares[1])).abs() < 1e-14);
    // Central differences.
    for i in 0..layout.len() {
        let mut moved = |h: f64| {
            let kept = parameters.values()[i];
            parameters.values_mut()[i] = kept + h;
            let s = terms.mean_squares(&parameters, &data).unwrap();
            parameters.values_mut()[i] = kept;
            s[0] + 3.0 * s[1]
        };
        let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!(
            (difference - slope[i]).abs() < 1e-8,
            "{difference} {}",
            slope[i]
        );
    }
    // As least squares, and frozen.
    let frozen = terms.frozen(&parameters, &data).unwrap();
    let frozen: Vec<&[f64]> = frozen.iter().map(|d| &d[..]).collect();
    let half = terms
        .least_squares()
        .unwrap()
        .loss(&parameters, &frozen)
        .unwrap();
    assert!((half - loss).abs() < 1e-14);
    let mut again = vec![0.0; layout.len()];
    let mut one = terms.as_frozen();
    let same = one
        .gradient(&parameters, &frozen, Key::new(0), &mut again)
        .unwrap();
    assert!((same - loss).abs() < 1e-14);
    for (a, b) in again.iter().zip(&slope) {
        assert!((a - b).abs() < 1e-13);
    }
}

#[test]
fn equal_terms_keep_their_weights() {
    assert_eq!(Weighting::balance(&[2.0, 2.0, 2.0]), vec![Some(1.0); 3]);
    assert_eq!(
        Weighting::balance(&[1.0, 3.0]),
        vec![Some(2.0), Some(2.0 / 3.0)]
    );
    assert_eq!(Weighting::balance(&[0.0, 1.0]), vec![None, Some(0.5)]);
    let kinds = [
        Weighting::GradientNorm {
            every: 1,
            momentum: 0.5,
        },
        Weighting::NeuralTangentKernel {
            every: 2,
            momentum: 0.9,
        },
        Weighting::RelativeLoss {
            temperature: 0.1,
            memory: 0.5,
            lookback: 0.5,
            key: Key::new(3),
        },
    ];
    for weighting in kinds {
        let mut layout = Layout::new();
        let first = two_terms(&mut layout).remove(0);
        let terms = vec![first.clone(), first];
        let mut terms = Terms::<f64>::compile(&layout, terms, (weighting, Mode::Train)).unwrap();
        let mut parameters = Parameters::new(terms.layout(), Key::new(4));
        let trainer = Trainer::new(vec![Stage::adam(10, Schedule::Constant(1e-3))], Key::new(0));
        trainer.run(&mut terms, &mut parameters, &mut ()).unwrap();
        for w in terms.weights(&parameters) {
            assert!((w - 1.0).abs() < 1e-12, "{weighting:?}: {w}");
        }
    }
}

/// What a weighting makes of losses in a row: those of one parameter's square, which is set by hand.
fn factors(weighting: Weighting, losses: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut layout = Layout::new();
    let roots = [0, 1].map(|i| {
        let start = ansatz_pde::nn::Init::Constant(0.0);
        layout.root().parameter(format!("root{i}"), &[1], start)
    });
    let term = |i: usize| {
        Term::new(
            "square",
            1,
            vec![0.0],
            move |pass, x| Ok(x + pass[roots[i]]),
        )
    };
    let list = vec![term(0), term(1)];
    let mut terms = Terms::<f64>::compile(&layout, list, (weighting, Mode::Train)).unwrap();
    let mut parameters = Parameters::new(terms.layout(), Key::new(0));
    let data = terms.data();
    let data: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
    let mut slope = vec![0.0; terms.layout().len()];
    let mut all = Vec::new();
    for pair in losses {
        for (i, loss) in pair.iter().enumerate() {
            parameters.get_mut(&format!("root{i}")).unwrap()[0] = loss.sqrt();
        }
        terms
            .gradient(&parameters, &data, Key::new(0), &mut slope)
            .unwrap();
        terms.update(&mut parameters);
        let weights = terms.weights(&parameters);
        all.push([weights[0], weights[1]]);
    }
    all
}

/// Closed forms for losses by hand.
#[test]
fn losses_in_a_row_give_weights() {
    let losses = [[4.0, 1.0], [2.0, 1.0], [1.0, 1.5], [0.0, 1.0], [0.0, 0.5]];
    let (t, memory) = (0.5_f64, 0.75_f64);
    // 2·softmax of ratios over the temperature.
    let pair = |a: f64, b: f64| {
        let e = ((a - b) / t).exp();
        [2.0 * e / (e + 1.0), 2.0 / (e + 1.0)]
    };
    // 0 beside 0 counts as 1.
    let ratios = [
        (1.0, 1.0),
        (0.5, 1.0),
        (0.5, 1.5),
        (0.0, 1.0 / 1.5),
        (1.0, 0.5),
    ];
    let firsts = [(1.0, 1.0), (0.5, 1.0), (0.25, 1.5), (0.0, 1.0), (0.0, 0.5)];
    for lookback in [1.0, 0.0, 0.5] {
        let key = Key::new(11);
        let found = factors(
            Weighting::RelativeLoss {
                temperature: t,
                memory,
                lookback,
                key,
            },
            &losses,
        );
        let (mut known, mut looked) = ([1.0, 1.0], 0);
        for (step, ours) in found.iter().enumerate() {
            let back = pair(firsts[step].0, firsts[step].1);
            let last = pair(ratios[step].0, ratios[step].1);
            let step_to =
                |old: [f64; 2]| [0, 1].map(|i| memory * old[i] + (1.0 - memory) * last[i]);
            let fits = |a: [f64; 2]| (a[0] - ours[0]).abs() + (a[1] - ours[1]).abs() < 1e-12;
            let (keeps, looks) = (step_to(known), step_to(back));
            // ρ is one or the other; for 1 and 0 it is known.
            assert!(fits(keeps) || fits(looks), "step {step}: {ours:?}");
            assert!(lookback < 1.0 || fits(keeps));
            assert!(lookback > 0.0 || fits(looks));
            looked += usize::from(!fits(keeps));
            known = *ours;
            // The sum of weights is their number.
            assert!((ours[0] + ours[1] - 2.0).abs() < 1e-12);
        }
        let both = 0 < looked && looked < 4;
        assert!(both || !(0.1..0.9).contains(&lookback), "{looked}");
    }

    // exp(s) is a running mean of the losses; a term without loss keeps its weight.
    let rate = 0.2_f64;
    let q = (-0.5 * rate).exp();
    let found = factors(Weighting::Uncertainty { rate }, &losses);
    let mut variance = [1.0_f64, 1.0];
    for (ours, losses) in found.iter().zip(losses) {
        for i in 0..2 {
            if losses[i] > 0.0 {
                variance[i] = q * variance[i] + (1.0 - q) * losses[i];
            }
            assert!((ours[i] * variance[i] - 1.0).abs() < 1e-12);
        }
    }
    // Losses of 1 are where it rests; equal losses weigh alike; in the long run Σ½·exp(−s)·L + ½·s is least: exp(s) = L.
    assert_eq!(
        factors(Weighting::Uncertainty { rate }, &[[1.0, 1.0]; 5]),
        [[1.0, 1.0]; 5]
    );
    let long = factors(Weighting::Uncertainty { rate }, &[[9.0, 9.0]; 400]);
    assert!(long.iter().all(|w| w[0].to_bits() == w[1].to_bits()));
    assert!((long[399][0] * 9.0 - 1.0).abs() < 1e-12);
    // One small step is a step of gradient descent in s.
    let small = factors(Weighting::Uncertainty { rate: 1e-6 }, &[[9.0, 0.25]])[0];
    for (w, loss) in small.iter().zip([9.0, 0.25]) {
        let slope = 0.5 - 0.5 * loss;
        assert!((-w.ln() + 1e-6 * slope).abs() < 1e-11, "{w}");
    }
    for refused in [
        Weighting::Uncertainty { rate: -1.0 },
        Weighting::RelativeLoss {
            temperature: 0.0,
            memory: 0.5,
            lookback: 0.5,
            key: Key::new(0),
        },
    ] {
        let mut layout = Layout::new();
        let list = two_terms(&mut layout);
        let refused = Terms::<f64>::compile(&layout, list, (refused, Mode::Train));
        assert!(matches!(refused, Err(PdeError::Option { .. })));
    }
}

/// One change with momentum 0 makes the weighted gradients of terms equally long; the kernels' traces likewise.
#[test]
fn weightings_balance_what_they_say() {
    let make = |weighting| {
        let mut layout = Layout::new();
        let mut list = two_terms(&mut layout);
        list[1].weight = 1.0;
        let terms = Terms::<f64>::compile(&layout, list, (weighting, Mode::Train)).unwrap();
        let parameters = Parameters::new(terms.layout(), Key::new(4));
        (terms, parameters)
    };
    // Length of the gradient of one term alone.
    let alone = |i: usize| {
        let mut layout = Layout::new();
        let term = two_terms(&mut layout).swap_remove(i).weighted(1.0);
        let one = (Weighting::Fixed, Mode::Train);
        let mut terms = Terms::<f64>::compile(&layout, vec![term], one).unwrap();
        let parameters = Parameters::new(terms.layout(), Key::new(4));
        let data = terms.data();
        let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
        let mut slope = vec![0.0; layout.len()];
        terms
            .gradient(&parameters, &views, Key::new(0), &mut slope)
            .unwrap();
        slope.iter().map(|s| s * s).sum::<f64>().sqrt()
    };
    let (mut terms, mut parameters) = make(Weighting::GradientNorm {
        every: 1,
        momentum: 0.0,
    });
    let data = terms.data();
    let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
    let mut slope = vec![0.0; terms.layout().len()];
    terms
        .gradient(&parameters, &views, Key::new(0), &mut slope)
        .unwrap();
    terms.update(&mut parameters);
    let weights = terms.weights(&parameters);
    let lengths = [alone(0), alone(1)];
    assert!(
        (lengths[0] - lengths[1]).abs() > 0.1 * lengths[0],
        "nothing to balance"
    );
    let [a, b] = [weights[0] * lengths[0], weights[1] * lengths[1]];
    assert!((a - b).abs() < 1e-12 * a, "{a} {b}");

    // Against the climbing weights: λ after one step is 1 + 2·rate·r²/n.
    let (mut terms, mut parameters) = make(Weighting::SelfAdaptive { rate: 0.25 });
    let mut slope = vec![0.0; terms.layout().len()];
    terms
        .gradient(&parameters, &views, Key::new(0), &mut slope)
        .unwrap();
    terms.update(&mut parameters);
    terms.mean_squares(&parameters, &data).unwrap();
    let lambda = parameters.get("weighting.points.0").unwrap();
    for (l, r) in lambda.iter().zip(terms.residuals(0)) {
        assert!((l - (1.0 + 0.5 * r * r / 16.0)).abs() < 1e-14);
    }
}

#[test]
fn causal_terms_wait() {
    let mut layout = Layout::new();
    let mut term = two_terms(&mut layout).remove(0);
    let causal = Causal {
        column: 0,
        chunks: 4,
        tolerance: 0.7,
    };
    term.causal = Some(causal);
    // Not in order: rows are sorted as wholes.
    term.points.reverse();
    let terms = vec![term];
    let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
    let parameters = Parameters::new(terms.layout(), Key::new(4));
    let data = terms.data();
    assert!(data[0].is_sorted());
    terms.mean_squares(&parameters, &data).unwrap();
    let squares: Vec<f64> = terms.residuals(0).iter().map(|r| r * r).collect();
    let means: Vec<f64> = squares
        .chunks(4)
        .map(|c| c.iter().sum::<f64>() / 4.0)
        .collect();
    let weights = causal.weights(&means);
    let expected: f64 = weights.iter().zip(&means).map(|(w, m)| w * m).sum::<f64>() / 4.0;
    let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
    let mut slope = vec![0.0; layout.len()];
    let loss = terms
        .gradient(&parameters, &views, Key::new(0), &mut slope)
        .unwrap();
    assert!((loss - expected).abs() < 1e-14, "{loss} {expected}");

    let mut layout = Layout::new();
    let mut term = two_terms(&mut layout).remove(0);
    term.causal = Some(Causal {
        chunks: 5,
        ..causal
    });
    let refused = Terms::<f64>::compile(&layout, vec![term], (Weighting::Fixed, Mode::Train));
    assert!(matches!(
        refused,
        Err(PdeError::Width {
            expected: 15,
            got: 16,
            ..
        })
    ));
}

/// All stages; killed in each of them at some step.
#[test]
fn a_killed_training_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let make = || {
        let mut layout = Layout::new();
        let model = square(&mut layout, &[2, 6, 1]);
        let weighting = Weighting::GradientNorm {
            every: 3,
            momentum: 0.9,
        };
        let terms = vec![poisson(model, 24)];
        let terms = Terms::<f64>::compile(&layout, terms, (weighting, Mode::Train)).unwrap();
        let parameters = Parameters::<f64>::new(terms.layout(), Key::new(0));
        (terms, parameters)
    };
    let adam = Stage::Adam {
        steps: 25,
        rate: Schedule::Constant(1e-2),
        redraw: Some(4),
    };
    let lbfgs = Lbfgs {
        steps: 6,
        ..Lbfgs::default()
    };
    let stages = vec![
        adam.clone(),
        Stage::levenberg_marquardt(4),
        Stage::Lbfgs(lbfgs),
        adam,
    ];
    let whole = Trainer::new(stages, Key::new(8));
    let (mut terms, mut expected) = make();
    whole.run(&mut terms, &mut expected, &mut ()).unwrap();

    let trainer = Trainer {
        checkpoint: Some(Checkpoint {
            path: path.clone(),
            every: 5,
        }),
        ..whole
    };
    let mut after = 3;
    loop {
        let (mut terms, mut parameters) = make();
        let mut left = after;
        let mut kill = |_: &Event<'_, Moment<'_, f64>>| {
            left -= 1;
            if left == 0 {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        };
        let report = trainer.run(&mut terms, &mut parameters, &mut kill).unwrap();
        if !report.stopped_early {
            assert_eq!(parameters.values(), expected.values());
            break;
        }
        after += 4;
    }
    // A file cut in half, and one of another run.
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let (mut terms, mut parameters) = make();
    let before = parameters.values().to_vec();
    assert!(trainer.run(&mut terms, &mut parameters, &mut ()).is_err());
    // The same with the last number of the parameters spoiled.
    let spoiled = [&bytes[..bytes.len() - 8], &f64::NAN.to_le_bytes()[..]].concat();
    std::fs::write(&path, &spoiled).unwrap();
    let error = trainer.run(&mut terms, &mut parameters, &mut ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("finite numbers"), "{error}");
    std::fs::write(&path, &bytes).unwrap();
    let other = Trainer {
        key: Key::new(9),
        ..trainer
    };
    assert!(other.run(&mut terms, &mut parameters, &mut ()).is_err());
    assert_eq!(parameters.values(), before);
}

#[test]
fn bits_do_not_depend_on_threads() {
    threads::alike(|| {
        let mut layout = Layout::new();
        let model = square(&mut layout, &[2, 8, 1]);
        let terms = vec![poisson(model, 200)];
        let mut terms =
            Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
        let mut parameters = Parameters::new(terms.layout(), Key::new(0));
        let stages = vec![
            Stage::adam(20, Schedule::Constant(1e-2)),
            Stage::levenberg_marquardt(5),
        ];
        let trainer = Trainer::new(stages, Key::new(1));
        trainer.run(&mut terms, &mut parameters, &mut ()).unwrap();
        parameters.values().to_vec()
    });
}

#[test]
fn what_is_refused() {
    let compile = |term: Term| {
        let mut layout = Layout::new();
        Mlp::new(&mut layout.root(), &[1, 2, 1], &MlpOptions::default());
        Terms::<f64>::compile(&layout, vec![term], (Weighting::Fixed, Mode::Train)).map(|_| ())
    };
    let identity = |points: Vec<f64>| Term::new("id", 1, points, |_, x| Ok(x));
    assert!(matches!(
        compile(identity(vec![])),
        Err(PdeError::NoPoints { .. })
    ));
    let nan = compile(identity(vec![0.0, f64::NAN]));
    assert!(matches!(nan, Err(PdeError::NotFinite { index: 1, .. })));
    let negative = compile(identity(vec![0.0]).weighted(-1.0));
    assert!(matches!(negative, Err(PdeError::Option { .. })));
    // What broadcasting would hide: residuals that are not in rows of points.
    let wide = Term::new("wide", 1, vec![0.0, 1.0], |_, x| Ok(x.transpose(&[1, 0])));
    assert!(matches!(
        compile(wide),
        Err(PdeError::Width {
            expected: 2,
            got: 1,
            ..
        })
    ));
}
