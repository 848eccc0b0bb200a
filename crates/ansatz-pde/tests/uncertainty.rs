//! Posteriors, dropout, ensembles and calibration against closed forms.

mod threads;

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::core::Key;
use ansatz_pde::nn::{
    Adam, Data, Init, Layer, Layout, Loss, MlpOptions, Mode, Objective, Parameters, Schedule,
    Training, TrainingOptions,
};
use ansatz_pde::stats::{Adaptation, Hmc, Nuts};
use ansatz_pde::uncertainty::{
    Calibration, Chain, ChainOptions, DropoutMlp, Dropped, Likelihood, Posterior, Prediction,
    Prior, Resample, crps_normal, crps_samples, ensemble, gaussian_nll, reordered, weight_decay,
};
use ansatz_pde::{PdeError, Stage, Term, Terms, Trainer, Weighting, partials, sample};

fn normals(key: Key, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    key.fill_normal(0, &mut out);
    out
}

/// The inverse of a symmetric positive definite matrix by Gauss and Jordan.
fn inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    for (i, row) in a.iter_mut().enumerate() {
        row.extend((0..n).map(|j| if i == j { 1.0 } else { 0.0 }));
    }
    for i in 0..n {
        let pivot = a[i][i];
        a[i].iter_mut().for_each(|v| *v /= pivot);
        for r in 0..n {
            if r != i {
                let f = a[r][i];
                let own = a[i].clone();
                a[r].iter_mut().zip(own).for_each(|(v, o)| *v -= f * o);
            }
        }
    }
    a.into_iter().map(|row| row[n..].to_vec()).collect()
}

/// Mean and covariance of N(0, prior²) given rows·c = y + noise.
fn conjugate(rows: &[Vec<f64>], y: &[f64], sigma: f64, prior: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = rows[0].len();
    let mut a = vec![vec![0.0; n]; n];
    let mut g = vec![0.0; n];
    for (row, y) in rows.iter().zip(y) {
        for i in 0..n {
            g[i] += row[i] * y / sigma.powi(2);
            for j in 0..n {
                a[i][j] += row[i] * row[j] / sigma.powi(2);
            }
        }
    }
    for i in 0..n {
        a[i][i] += prior.powi(-2);
    }
    let cov = inverse(a);
    let mean = cov
        .iter()
        .map(|row| row.iter().zip(&g).map(|(c, g)| c * g).sum())
        .collect();
    (mean, cov)
}

/// Linear regression on 1, x, x²: mean and covariance of NUTS and HMC within 4 standard errors of the closed form.
#[test]
fn bayesian_linear_regression() {
    let mut layout = Layout::new();
    let c = layout.root().parameter("c", &[3, 1], Init::Constant(0.0));
    let x: Vec<f64> = (0..20).map(|i| f64::from(i) / 9.5 - 1.0).collect();
    let noise = normals(Key::new(1), 20);
    let y: Vec<f64> = x
        .iter()
        .zip(noise)
        .map(|(x, e)| 0.5 - x + 2.0 * x * x + 0.3 * e)
        .collect();
    let rows: Vec<Vec<f64>> = x.iter().map(|x| vec![1.0, *x, x * x]).collect();
    let (mean, cov) = conjugate(&rows, &y, 0.3, 2.0);
    let data: Vec<f64> = rows
        .iter()
        .zip(&y)
        .flat_map(|(r, y)| [r[0], r[1], r[2], *y])
        .collect();
    let term = Term::new("data", 4, data, move |pass, d| {
        Ok(d.narrow(1, 0, 3).matmul(pass[c]) - d.narrow(1, 3, 4))
    });
    let base = Parameters::<f64>::new(&layout, Key::new(0));
    let likelihood = Likelihood { term, sigma: 0.3 };
    let posterior = Posterior::new(&base, vec![likelihood], 2.0, &[]).unwrap();
    // The density itself: its gradient is zero at the mean.
    let mut score = vec![0.0; 3];
    posterior.log_density(&mean, &mut score).unwrap();
    assert!(score.iter().all(|s| s.abs() < 1e-10), "{score:?}");
    let start: Vec<Vec<f64>> = (0..4).map(|k| normals(Key::new(2 + k), 3)).collect();
    let nuts = Chain::Nuts(Nuts {
        steps: 1500,
        ..Nuts::default()
    });
    let hmc = Chain::Hmc(Hmc {
        steps: 1500,
        // Far from half a period of any coordinate.
        leaps: 4,
        ..Hmc::default()
    });
    for chain in [nuts, hmc] {
        let options = ChainOptions {
            chain,
            warm_up: 400,
            ..ChainOptions::default()
        };
        let draws = posterior.sample(&start, &options, Key::new(9)).unwrap();
        assert!(draws.divergences == 0 && draws.trace.draws() == 1500);
        let name = &options.chain;
        for i in 0..3 {
            let own = draws.trace.diagnose(|row| row[i]).unwrap();
            assert!(
                own.r_hat < 1.02 && own.ess_bulk > 1000.0,
                "{name:?}: {own:?}"
            );
            let off = (own.mean - mean[i]).abs();
            println!(
                "coefficient {i}: mean {:.4} for {:.4}, std {:.4} for {:.4}, {:.1} standard errors",
                own.mean,
                mean[i],
                own.std,
                cov[i][i].sqrt(),
                off / own.mcse
            );
            assert!(off < 4.0 * own.mcse, "{name:?}: {own:?} for {}", mean[i]);
            for j in 0..=i {
                let product = |row: &[f64]| (row[i] - mean[i]) * (row[j] - mean[j]);
                let found = draws.trace.diagnose(product).unwrap();
                let off = (found.mean - cov[i][j]).abs();
                assert!(
                    off < 4.0 * found.mcse,
                    "{name:?} {i} {j}: {found:?} for {}",
                    cov[i][j]
                );
            }
        }
    }
}

/// Three numbers with correlations of 0.9: mean and covariance within 3 standard errors at an effective size above 2000.
#[test]
fn a_correlated_gaussian() {
    let mut layout = Layout::new();
    let c = layout.root().parameter("c", &[3, 1], Init::Constant(0.0));
    // Σ = I/10 + 0.9·11ᵀ; rows of Σ^(−½), whose eigenvalues are 1/√0.1 and, along 1, 1/√2.8.
    let across = 0.1_f64.powf(-0.5);
    let along = (2.8_f64.powf(-0.5) - across) / 3.0;
    let rows = (0..9).map(|k| if k % 4 == 0 { across + along } else { along });
    let term = Term::new("rows", 3, rows.collect(), move |pass, d| {
        Ok(d.matmul(pass[c]))
    });
    let base = Parameters::<f64>::new(&layout, Key::new(0));
    let likelihood = Likelihood { term, sigma: 1.0 };
    let posterior = Posterior::new(&base, vec![likelihood], 1e6, &[]).unwrap();
    let options = ChainOptions {
        chain: Chain::Hmc(Hmc {
            steps: 2000,
            leaps: 8,
            ..Hmc::default()
        }),
        warm_up: 500,
        ..ChainOptions::default()
    };
    let start: Vec<Vec<f64>> = (0..4).map(|k| normals(Key::new(2 + k), 3)).collect();
    let draws = posterior.sample(&start, &options, Key::new(9)).unwrap();
    for i in 0..3 {
        let own = draws.trace.diagnose(|row| row[i]).unwrap();
        println!("{own:?}");
        assert!(
            own.ess_bulk > 2000.0 && own.mean.abs() < 3.0 * own.mcse,
            "{own:?}"
        );
        for j in 0..=i {
            let product = draws.trace.diagnose(|row| row[i] * row[j]).unwrap();
            let exact = if i == j { 1.0 } else { 0.9 };
            println!("{i} {j}: {:.4} ± {:.4}", product.mean, product.mcse);
            assert!(
                (product.mean - exact).abs() < 3.0 * product.mcse,
                "{product:?}"
            );
        }
    }
}

/// u = Σ cⱼ·sin jπx with −u″ = f + noise: bands of 90 % hold the truth 85 to 95 times in a hundred.
#[test]
fn bands_of_a_linear_equation_cover() {
    let (modes, points, sigma) = (3, 12, 1.0);
    let sines =
        |x: f64| -> Vec<f64> { (1..=modes).map(|j| (f64::from(j) * PI * x).sin()).collect() };
    let x: Vec<f64> = (0..points)
        .map(|i| (f64::from(i) + 0.5) / f64::from(points))
        .collect();
    let place = 0.37;
    let (mut inside, replicates) = (0, 200);
    let mut worst: f64 = 0.0;
    for replicate in 0..replicates {
        let key = Key::new(100).fold_in(replicate);
        let truth: Vec<f64> = normals(key, modes as usize)
            .iter()
            .map(|v| 0.3 * v)
            .collect();
        let f = loads(&x, &truth, key.fold_in(1), sigma);
        let data = x.iter().zip(&f).flat_map(|(x, f)| [*x, *f]).collect();
        let mut layout = Layout::new();
        let c = layout
            .root()
            .parameter("c", &[modes as usize, 1], Init::Constant(0.0));
        let term = Term::new("equation", 2, data, move |pass, d| {
            let x = d.narrow(1, 0, 1).variable();
            let j = x.graph().constant(
                &[1, modes as usize],
                (1..=modes).map(|j| f64::from(j) * PI).collect(),
            );
            let u = (x * j).sin().matmul(pass[c]);
            Ok(partials(u, x, &[vec![2]])?[0] + d.narrow(1, 1, 2))
        });
        let base = Parameters::<f64>::new(&layout, Key::new(0));
        let posterior = Posterior::new(&base, vec![Likelihood { term, sigma }], 0.3, &[]).unwrap();
        let start = vec![vec![0.0; modes as usize]; 2];
        let options = ChainOptions {
            chain: Chain::Nuts(Nuts {
                steps: 300,
                ..Nuts::default()
            }),
            warm_up: 150,
            ..ChainOptions::default()
        };
        let draws = posterior.sample(&start, &options, key.fold_in(2)).unwrap();
        let at = sines(place);
        let value = |row: &[f64]| row.iter().zip(&at).map(|(c, s)| c * s).sum::<f64>();
        let mut u = draws.trace.quantity(value);
        u.sort_by(f64::total_cmp);
        let ends = [u[u.len() / 20], u[u.len() - 1 - u.len() / 20]];
        inside += usize::from((ends[0]..=ends[1]).contains(&value(&truth)));
        // The closed form.
        let rows: Vec<Vec<f64>> = x
            .iter()
            .map(|x| {
                (1..)
                    .zip(sines(*x))
                    .map(|(j, s)| (f64::from(j) * PI).powi(2) * s)
                    .collect()
            })
            .collect();
        if replicate < 10 {
            let (mean, cov) = conjugate(&rows, &f, sigma, 0.3);
            let center = value(&mean);
            let std = (0..3)
                .flat_map(|i| (0..3).map(move |j| (i, j)))
                .map(|(i, j)| at[i] * cov[i][j] * at[j])
                .sum::<f64>()
                .sqrt();
            let found = draws.trace.diagnose(value).unwrap();
            worst = worst.max((found.mean - center).abs() / found.mcse);
            assert!(
                (found.std / std - 1.0).abs() < 0.15,
                "{} for {std}",
                found.std
            );
        }
    }
    let coverage = inside as f64 / replicates as f64;
    println!("coverage of 90 % bands: {coverage}, means within {worst:.1} standard errors");
    assert!((0.85..=0.95).contains(&coverage), "{coverage}");
    assert!(worst < 4.5, "{worst}");
}

/// −u″ of Σ cⱼ·sin jπx, with noise.
fn loads(x: &[f64], c: &[f64], key: Key, sigma: f64) -> Vec<f64> {
    let one = |x: f64| {
        let terms = (1..).zip(c).map(|(j, c)| {
            let wave = f64::from(j) * PI;
            c * wave.powi(2) * (wave * x).sin()
        });
        terms.sum::<f64>()
    };
    let noise = normals(key, x.len());
    x.iter()
        .zip(noise)
        .map(|(x, e)| one(*x) + sigma * e)
        .collect()
}

/// A positive coefficient by its logarithm: y = exp κ·x with a log-normal prior, against quadrature.
#[test]
fn log_normal_priors() {
    let mut layout = Layout::new();
    let mut root = layout.root();
    let kappa = root.parameter("diffusivity", &[1], Init::Constant(0.0));
    let data = [[1.0, 0.6], [2.0, 0.9], [0.5, 0.4]].concat();
    let (data2, sigma) = (data.clone(), 0.2);
    let term = Term::new("data", 2, data, move |pass, d| {
        Ok(d.narrow(1, 0, 1) * pass[kappa].exp() - d.narrow(1, 1, 2))
    });
    let prior = Prior {
        name: "diffusivity".into(),
        mean: -0.5,
        std: 0.4,
    };
    let base = Parameters::<f64>::new(&layout, Key::new(0));
    let likelihood = Likelihood { term, sigma };
    let posterior = Posterior::new(&base, vec![likelihood], 1.0, &[prior]).unwrap();
    let density = |k: f64| {
        let off = data2
            .chunks(2)
            .map(|d| (d[0] * k.exp() - d[1]).powi(2))
            .sum::<f64>();
        (-off / (2.0 * sigma * sigma) - 0.5 * ((k + 0.5) / 0.4).powi(2)).exp()
    };
    let (mut mass, mut mean) = (0.0, 0.0);
    for i in 0..20_000 {
        let k = -4.0 + 6.0 * f64::from(i) / 20_000.0;
        mass += density(k);
        mean += k.exp() * density(k);
    }
    let draws = posterior
        .sample(
            &[vec![0.0], vec![-1.0]],
            &ChainOptions::default(),
            Key::new(3),
        )
        .unwrap();
    let found = draws.trace.diagnose(|row| row[0].exp()).unwrap();
    assert!(
        (found.mean - mean / mass).abs() < 4.0 * found.mcse,
        "{found:?} for {}",
        mean / mass
    );
    // Predictions of all draws.
    let fields = posterior
        .fields(&draws, 1, |p| Ok(vec![p.values()[0].exp()]))
        .unwrap();
    let (prediction, own) = draws.diagnose(&fields, 0.0).unwrap();
    assert!((prediction.mean[0] - found.mean).abs() < 1e-12 && own[0].r_hat < 1.02);
}

/// Cole and Hopf's solution of u_t + u·u_x = ν·u_xx from −sin πx.
fn burgers(x: f64, t: f64, nu: f64) -> f64 {
    let (mut above, mut below) = (0.0, 0.0);
    for i in -2000..=2000 {
        let s = f64::from(i) / 125.0;
        let y = x - 2.0 * (nu * t).sqrt() * s;
        // Both integrals have the factor exp(−1/(2πν)), so that nothing overflows.
        let weight = (-s * s - ((PI * y).cos() + 1.0) / (2.0 * PI * nu)).exp();
        above -= weight * (PI * y).sin();
        below += weight;
    }
    above / below
}

/// u_t + λ₁·u·u_x = λ₂·u_xx from 400 values with 5 % of noise: the truth is within three standard deviations of five
/// members.
#[test]
#[ignore = "most of a minute: cargo test -p ansatz-pde --test uncertainty -- --ignored --nocapture"]
fn ensemble_on_inverse_burgers() {
    let nu = 0.01 / PI;
    assert!((burgers(0.3, 1e-6, nu) + (0.3 * PI).sin()).abs() < 1e-4);
    let noise = normals(Key::new(2), 400);
    let clean: Vec<[f64; 3]> = (0..400)
        .map(|i| {
            let [u, v] = Key::new(1).uniform(0, i);
            let (x, t) = (2.0 * u - 1.0, v.max(1e-3));
            [x, t, burgers(x, t, nu)]
        })
        .collect();
    let size = (clean.iter().map(|r| r[2] * r[2]).sum::<f64>() / 400.0).sqrt();
    let data: Vec<f64> = clean
        .iter()
        .zip(&noise)
        .flat_map(|(r, e)| [r[0], r[1], r[2] + 0.05 * size * e])
        .collect();
    for resample in [Resample::Order, Resample::Bootstrap] {
        let train = |_: usize, key: Key| {
            let mut layout = Layout::new();
            let mut root = layout.root();
            let net =
                ansatz_pde::nn::Mlp::new(&mut root, &[2, 16, 16, 16, 1], &MlpOptions::default());
            let lambda = root.parameter("lambda", &[2], Init::Constant(0.0));
            let net = Arc::new(net);
            let own = net.clone();
            let terms = [
                Term::new("data", 3, data.clone(), move |pass, d| {
                    Ok(own.apply(pass, d.narrow(1, 0, 2)) - d.narrow(1, 2, 3))
                }),
                Term::new("Burgers", 2, Vec::new(), move |pass, x| {
                    let u = net.apply(pass, x);
                    let d = partials(u, x, &[vec![1, 0], vec![0, 1], vec![2, 0]])?;
                    let c = |i: usize| pass[lambda].narrow(0, i, i + 1);
                    Ok(d[1] + u * d[0] * c(0) - d[2] * c(1))
                })
                .drawn(key, 600, |key, n| {
                    let row = |i| {
                        let [u, v] = key.uniform(0, i);
                        [2.0 * u - 1.0, v]
                    };
                    (0..n as u64).flat_map(row).collect()
                }),
            ];
            let terms = reordered(&terms, resample, key);
            let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train))?;
            let mut parameters = Parameters::new(terms.layout(), key);
            let trainer = Trainer::new(vec![Stage::levenberg_marquardt(80)], key);
            trainer.run(&mut terms, &mut parameters, &mut ())?;
            Ok(parameters.get("lambda").unwrap().to_vec())
        };
        let members = ensemble(5, Key::new(3), train).unwrap();
        let prediction = Prediction::of_fields(&members, 0.0).unwrap();
        let off = (prediction.mean[1] - nu) / prediction.std[1];
        println!(
            "{resample:?}: {members:?}\n{prediction:?}: λ₂ is off by {off:.2} standard deviations"
        );
        if resample == Resample::Bootstrap {
            assert!(off.abs() < 3.0, "{prediction:?}");
        }
    }
}

/// Masks are one function for all points, terms and derivatives: the same at equal places, smooth between them, with the
/// moments of Bernoulli's.
#[test]
fn dropout_draws_functions() {
    let mut layout = Layout::new();
    let net = DropoutMlp::new(
        &mut layout.root(),
        &[1, 400, 1],
        0.25,
        &MlpOptions::default(),
    )
    .unwrap();
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(1));
    let mean = sample(&parameters, 1, &[0.3], |pass, x| Ok(net.apply(pass, x))).unwrap()[0];
    net.draw(Key::new(2), &mut parameters);
    let masks = parameters.get("0.mask").unwrap().to_vec();
    let kept = masks.iter().filter(|m| **m > 0.0).count() as f64 / 400.0;
    assert!((kept - 0.75).abs() < 4.0 * (0.25 * 0.75 / 400.0_f64).sqrt());
    assert!(
        masks
            .iter()
            .all(|m| *m == 0.0 || (m - 1.0 / 0.75).abs() < 1e-15)
    );
    // Second derivatives of the very function whose values are given.
    let h = 1e-4;
    let points = [0.3 - h, 0.3, 0.3 + h, 0.3];
    let u = sample(&parameters, 1, &points, |pass, x| Ok(net.apply(pass, x))).unwrap();
    let second = sample(&parameters, 1, &[0.3], |pass, x| {
        Ok(partials(net.apply(pass, x), x, &[vec![2]])?[0])
    });
    assert_eq!(u[1].to_bits(), u[3].to_bits());
    let difference = (u[0] - 2.0 * u[1] + u[2]) / (h * h);
    assert!((difference - second.unwrap()[0]).abs() < 1e-5 * (1.0 + difference.abs()));
    // The mean over masks is the network without dropout, for one hidden layer; variances are p/(1 − p)·Σ(wh)².
    let passes = 4000;
    let fields = net
        .passes(&parameters, passes, Key::new(3), |p| {
            sample(p, 1, &[0.3], |pass, x| Ok(net.apply(pass, x)))
        })
        .unwrap();
    let prediction = Prediction::of_fields(&fields, 0.0).unwrap();
    let get = |name: &str| parameters.get(name).unwrap();
    let parts = get("0.weight")
        .iter()
        .zip(get("0.bias"))
        .zip(get("1.weight"));
    let exact: f64 = parts
        .map(|((w, b), v)| ((w * 0.3 + b).tanh() * v).powi(2))
        .sum::<f64>()
        / 3.0;
    let error = prediction.std[0] / (passes as f64).sqrt();
    assert!((prediction.mean[0] - mean).abs() < 4.0 * error);
    assert!(
        (prediction.std[0] / exact.sqrt() - 1.0).abs() < 0.06,
        "{} {}",
        prediction.std[0],
        exact.sqrt()
    );
}

/// A noisy residual trained with masks: the loss falls, and two terms see the same masks.
#[test]
fn training_with_masks() {
    let mut layout = Layout::new();
    let net = DropoutMlp::new(
        &mut layout.root(),
        &[1, 30, 30, 1],
        0.05,
        &MlpOptions::default(),
    )
    .unwrap();
    let grid: Vec<f64> = (0..40).map(|i| f64::from(i) / 39.0).collect();
    let (inside, ends) = (net.clone(), net.clone());
    let terms = vec![
        Term::new("equation", 1, grid.clone(), move |pass, x| {
            let second = partials(inside.apply(pass, x), x, &[vec![2]])?[0];
            Ok(second * 0.1 + (x * PI).sin() * (0.1 * PI * PI))
        }),
        Term::new("ends", 1, vec![0.0, 1.0], move |pass, x| {
            Ok(ends.apply(pass, x))
        }),
    ];
    let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
    let data = terms.data();
    let parameters = Parameters::new(terms.layout(), Key::new(1));
    let layout = terms.layout().clone();
    // The gradient with masks is that of the masked network.
    let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
    let mut slopes = [vec![0.0; layout.len()], vec![0.0; layout.len()]];
    let loss = Dropped::new(&mut terms, &net, &layout)
        .gradient(&parameters, &views, Key::new(7), &mut slopes[0])
        .unwrap();
    let mut masked = parameters.clone();
    net.draw(Key::new(7), &mut masked);
    let same = terms
        .gradient(&masked, &views, Key::new(0), &mut slopes[1])
        .unwrap();
    assert_eq!(loss.to_bits(), same.to_bits());
    assert!(slopes[0] == slopes[1]);
    let mut training = Training::new(parameters, Adam::default(), Key::new(2));
    let options = TrainingOptions {
        steps: 3000,
        rate: Schedule::Constant(3e-3),
        ..TrainingOptions::default()
    };
    let mut loss = Dropped::new(&mut terms, &net, &layout);
    let batch = |_: Key, batch: &mut [Vec<f64>]| batch.clone_from_slice(&data);
    training.run(&mut loss, &options, batch, &mut ()).unwrap();
    let fields = net
        .passes(&training.parameters, 100, Key::new(3), |p| {
            sample(p, 1, &grid, |pass, x| Ok(net.apply(pass, x)))
        })
        .unwrap();
    let prediction = Prediction::of_fields(&fields, 0.0).unwrap();
    let exact: Vec<f64> = grid.iter().map(|x| (PI * x).sin()).collect();
    let error = ansatz_pde::relative_error(&prediction.mean, &exact).unwrap();
    println!(
        "error of the mean {error:.3}, spread {:.3}",
        prediction.std[20]
    );
    assert!(error < 0.15 && prediction.std[20] > 1e-3);
}

/// Heads for mean and log σ²: noise that grows with x is found.
#[test]
fn ensembles_of_two_heads() {
    let n = 300;
    let spread = |x: f64| 0.05 + 0.2 * x;
    let draw = |key: Key| -> (Vec<f64>, Vec<f64>) {
        let e = normals(key, n);
        let x: Vec<f64> = (0..n as u64).map(|i| key.uniform(5, i)[0]).collect();
        let y = x
            .iter()
            .zip(e)
            .map(|(x, e)| (3.0 * x).sin() + spread(*x) * e)
            .collect();
        (x, y)
    };
    let (x, y) = draw(Key::new(1));
    let train = |_: usize, key: Key| {
        let mut layout = Layout::new();
        let net = ansatz_pde::nn::Mlp::new(&mut layout.root(), &[1, 24, 2], &MlpOptions::default());
        let data = [Data::Batch(vec![50, 1]), Data::Batch(vec![50, 1])];
        let mut objective = Objective::<f64>::compile(&layout, &data, |pass, data| {
            let heads = net.apply(pass, data[0]);
            gaussian_nll(heads.narrow(1, 0, 1), heads.narrow(1, 1, 2), data[1]).mean()
        })?;
        let mut training = Training::new(Parameters::new(&layout, key), Adam::default(), key);
        let options = TrainingOptions {
            steps: 3000,
            rate: Schedule::Constant(1e-2),
            ..TrainingOptions::default()
        };
        // Batches in an order of the member's own.
        let batch = |key: Key, batch: &mut [Vec<f64>]| {
            for i in 0..50 {
                let k = (key.uniform(0, i as u64)[0] * n as f64) as usize;
                (batch[0][i], batch[1][i]) = (x[k], y[k]);
            }
        };
        training.run(&mut objective, &options, batch, &mut ())?;
        let (fresh, _) = draw(Key::new(2));
        let heads = sample(&training.parameters, 1, &fresh, |pass, x| {
            Ok(net.apply(pass, x))
        })?;
        Ok(heads.chunks(2).map(|h| (h[0], h[1].exp())).unzip())
    };
    let members: Vec<(Vec<f64>, Vec<f64>)> = ensemble(5, Key::new(4), train).unwrap();
    let (means, variances): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let prediction = Prediction::of_mixture(&means, &variances).unwrap();
    let (fresh, y) = draw(Key::new(2));
    let report = Calibration::of_normal(&prediction, &y).unwrap();
    println!("{report}");
    // Binomial standard errors of 300 values are 2.9, 2.3 and 1.3 %.
    for (coverage, (p, off)) in report
        .coverage
        .iter()
        .zip([(0.5, 0.09), (0.8, 0.07), (0.95, 0.05)])
    {
        assert!((coverage - p).abs() < off, "{report}");
    }
    assert!(report.error < 0.06);
    let ratio = fresh
        .iter()
        .zip(&prediction.std)
        .map(|(x, s)| s / spread(*x))
        .sum::<f64>()
        / n as f64;
    assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
}

#[test]
fn scores_in_closed_form() {
    println!("CRPS of N(0, 1) at 0: {:.9}", crps_normal(0.0, 1.0, 0.0));
    assert!((crps_normal(0.0, 1.0, 0.0) - 0.2336949).abs() < 1e-7);
    // By quadrature of ∫(F(t) − 1{t ≥ y})² dt.
    let (mean, std, y) = (0.3, 0.7, 1.1);
    let h = 1e-4;
    let integral: f64 = (-100_000..100_000)
        .map(|i| {
            let t = f64::from(i) * h + 0.5 * h;
            let cdf = 0.5 * (1.0 + libm::erf((t - mean) / (std * 2.0_f64.sqrt())));
            let step = f64::from(u8::from(t >= y));
            (cdf - step).powi(2) * h
        })
        .sum();
    assert!((crps_normal(mean, std, y) - integral).abs() < 1e-7);
    // Of two values: ½(|a − y| + |b − y|) − ¼|a − b|.
    assert!((crps_samples(&[3.0, 1.0], 0.0) - 1.5).abs() < 1e-15);
    // Many draws of a normal distribution come near its score.
    let draws = normals(Key::new(1), 20_000);
    assert!((crps_samples(&draws, 0.0) - 0.2336949).abs() < 0.01);
    // Perfect predictions: y drawn from what was predicted.
    let n = 20_000;
    let y = normals(Key::new(2), n);
    let prediction = Prediction {
        mean: vec![0.0; n],
        std: vec![1.0; n],
    };
    let report = Calibration::of_normal(&prediction, &y).unwrap();
    assert!(
        report.error < 0.01 && (report.nll - 1.4189385).abs() < 0.02,
        "{report}"
    );
    assert!((report.width[2] - 3.919928).abs() < 1e-5);
    // The mean score is E CRPS = 1/√π.
    assert!((report.crps - PI.sqrt().recip()).abs() < 0.01);
    // Half the spread: over-confident, in samples too.
    let samples: Vec<Vec<f64>> = (0..60)
        .map(|s| {
            normals(Key::new(50 + s), 400)
                .iter()
                .map(|v| 0.5 * v)
                .collect()
        })
        .collect();
    let narrow = Calibration::of_samples(&samples, &y[..400]).unwrap();
    // Φ(±0.67449·0.5) is 26.4 %.
    assert!(
        (narrow.coverage[0] - 0.264).abs() < 0.09 && narrow.error > 0.1,
        "{narrow}"
    );
}

#[test]
fn members_see_other_data() {
    let rows: Vec<f64> = (0..20)
        .flat_map(|i| [f64::from(i), 10.0 * f64::from(i)])
        .collect();
    let term = Term::new("data", 2, rows.clone(), |_, x| Ok(x));
    let drawn = Term::new("drawn", 1, Vec::new(), |_, x| Ok(x))
        .drawn(Key::new(0), 1, |key, _| vec![key.uniform(0, 0)[0]]);
    let sorted = |term: &Term| {
        let mut rows: Vec<Vec<f64>> = term.points.chunks(2).map(<[f64]>::to_vec).collect();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        rows.concat()
    };
    let terms = [term, drawn];
    let one = reordered(&terms, Resample::Order, Key::new(1));
    let two = reordered(&terms, Resample::Order, Key::new(2));
    assert!(one[0].points != two[0].points && one[0].points != rows);
    assert_eq!(sorted(&one[0]), rows);
    assert!((one[1].points[0] - two[1].points[0]).abs() > 1e-3);
    let boot = reordered(&terms, Resample::Bootstrap, Key::new(1));
    assert!(
        boot[0]
            .points
            .chunks(2)
            .all(|r| (r[1] - 10.0 * r[0]).abs() < 1e-12)
    );
    assert!(sorted(&boot[0]) != rows);
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let run = || {
        let mut layout = Layout::new();
        let net = Arc::new(ansatz_pde::nn::Mlp::new(
            &mut layout.root(),
            &[1, 6, 1],
            &MlpOptions::default(),
        ));
        let data: Vec<f64> = (0..200)
            .flat_map(|i| [f64::from(i) / 200.0, (f64::from(i) / 30.0).sin()])
            .collect();
        let term = Term::new("data", 2, data, move |pass, d| {
            Ok(net.apply(pass, d.narrow(1, 0, 1)) - d.narrow(1, 1, 2))
        });
        let base = Parameters::<f64>::new(&layout, Key::new(1));
        let posterior =
            Posterior::new(&base, vec![Likelihood { term, sigma: 0.1 }], 1.0, &[]).unwrap();
        let options = ChainOptions {
            chain: Chain::Nuts(Nuts {
                steps: 5,
                ..Nuts::default()
            }),
            warm_up: 10,
            adaptation: Adaptation::default(),
        };
        let start = vec![posterior.row(&base); 2];
        let draws = posterior.sample(&start, &options, Key::new(2)).unwrap();
        draws.trace.values().to_vec()
    };
    threads::alike(run);
}

#[test]
fn refusals() {
    let mut layout = Layout::new();
    let c = layout.root().parameter("c", &[1], Init::Constant(0.0));
    let base = Parameters::<f64>::new(&layout, Key::new(0));
    let make = |sigma: f64, prior: f64| {
        let term = Term::new("data", 1, vec![1.0], move |pass, x| Ok(x * pass[c]));
        Posterior::new(&base, vec![Likelihood { term, sigma }], prior, &[])
    };
    for sigma in [0.0, -1.0, f64::NAN] {
        assert!(matches!(
            make(sigma, 1.0),
            Err(PdeError::Option { name: "sigma", .. })
        ));
        assert!(matches!(
            make(1.0, sigma),
            Err(PdeError::Option { name: "prior", .. })
        ));
    }
    let posterior = make(1.0, 1.0).unwrap();
    let still = ChainOptions {
        chain: Chain::Hmc(Hmc {
            step: 0.0,
            ..Hmc::default()
        }),
        ..ChainOptions::default()
    };
    let sampled = posterior.sample(&[vec![0.0]], &still, Key::new(0));
    assert!(matches!(sampled, Err(PdeError::Chain(_))), "{sampled:?}");
    assert!(
        posterior
            .sample(&[vec![0.0; 2]], &still, Key::new(0))
            .is_err()
    );
    for rate in [-0.1, 1.0, f64::NAN] {
        let net = DropoutMlp::new(
            &mut Layout::new().root(),
            &[1, 2, 1],
            rate,
            &MlpOptions::default(),
        );
        assert!(matches!(net, Err(PdeError::Option { name: "rate", .. })));
        assert!(weight_decay(rate, 1.0, (10, 1.0)).is_err());
    }
    assert!((weight_decay(0.1, 0.5, (100, 4.0)).unwrap() - 0.9 * 0.25 / 800.0).abs() < 1e-18);
    let few = ensemble(1, Key::new(0), |_, _| Ok(()));
    assert!(matches!(
        few,
        Err(PdeError::Option {
            name: "members",
            ..
        })
    ));
    let flat = Prediction {
        mean: vec![0.0],
        std: vec![0.0],
    };
    assert!(Calibration::of_normal(&flat, &[1.0]).is_err());
    assert!(Calibration::of_normal(&flat, &[]).is_err());
    assert!(Prediction::of_fields(&[vec![1.0]], 0.0).is_err());
    assert!(Prediction::of_fields(&[vec![1.0], vec![f64::NAN]], 0.0).is_err());
}
