//! The no-U-turn sampler: exactness, hard shapes with known moments, adaptation, the batch.

use ansatz_core::{EvalError, Key, NoiseLevel, State};
use ansatz_stats::{
    Adaptation, AtLevel, ChainError, Hmc, Mass, Nuts, Target, Trace, Windows, diagnose,
};
use ansatz_testkit::{Mixture, laws};

use crate::targets::{mean_and_error, normal, two_bumps, two_bumps_samples};

/// Independent normal coordinates with these standard deviations, about 0.
fn scaled(stds: &[f64]) -> impl Target<Vec<f64>> + '_ {
    move |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
        let rows = x.chunks(stds.len()).zip(score.chunks_mut(stds.len()));
        for (l, (x, score)) in log.iter_mut().zip(rows) {
            *l = 0.0;
            for ((x, s), std) in x.iter().zip(score).zip(stds) {
                *s = -x / (std * std);
                *l += 0.5 * x * *s;
            }
        }
        Ok(())
    }
}

/// x₀ ~ N(0, 1), x₁ ~ N(½(x₀² − 1), ½²): means 0, variances 1 and 0.75.
fn banana(x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>) -> Result<(), EvalError> {
    for ((l, s), x) in log.iter_mut().zip(score.chunks_mut(2)).zip(x.chunks(2)) {
        let r = x[1] - 0.5 * (x[0] * x[0] - 1.0);
        *l = -0.5 * x[0] * x[0] - 2.0 * r * r;
        (s[0], s[1]) = (-x[0] + 4.0 * r * x[0], -4.0 * r);
    }
    Ok(())
}

/// Neal's funnel with scale 1 instead of 3: v ~ N(0, 1), xᵢ ~ N(0, eᵛ), i = 1, …, 4.
fn funnel(x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>) -> Result<(), EvalError> {
    for ((l, s), x) in log.iter_mut().zip(score.chunks_mut(5)).zip(x.chunks(5)) {
        let (v, rest) = (x[0], &x[1..]);
        let squares: f64 = rest.iter().map(|x| x * x).sum();
        let inverse = (-v).exp();
        *l = -0.5 * v * v - 0.5 * squares * inverse - 2.0 * v;
        s[0] = -v + 0.5 * squares * inverse - 2.0;
        for (s, x) in s[1..].iter_mut().zip(rest) {
            *s = -x * inverse;
        }
    }
    Ok(())
}

/// Chains from N(0, 1), warmed up and recorded.
fn sample(
    target: &dyn Target<Vec<f64>>,
    (chains, dim): (usize, usize),
    steps: usize,
    acceptance: f64,
) -> (Nuts, Trace, ansatz_stats::NutsReport) {
    let mut x = vec![0.0; chains * dim];
    x.fill_normal(Key::new(90), 0);
    let nuts = Nuts {
        steps: 600,
        ..Nuts::default()
    };
    let adaptation = Adaptation {
        acceptance,
        ..Adaptation::default()
    };
    let nuts = nuts
        .warm_up(target, &mut x, chains, Key::new(91), &adaptation)
        .unwrap();
    let nuts = Nuts { steps, ..nuts };
    let mut trace = Trace::new(chains);
    let report = nuts
        .run(target, &mut x, chains, Key::new(92), &mut trace)
        .unwrap();
    (nuts, trace, report)
}

/// The mean of a quantity within five Monte Carlo standard errors, all of them at most `resolution`.
#[track_caller]
fn known(trace: &Trace, what: &str, exact: f64, resolution: f64, f: impl FnMut(&[f64]) -> f64) {
    let d = trace.diagnose(f).unwrap();
    assert!(
        (d.mean - exact).abs() < 5.0 * d.mcse,
        "{what}: {d:?}, exact {exact}"
    );
    assert!(d.mcse < resolution && d.r_hat < 1.02, "{what}: {d:?}");
}

/// Standard deviations from 0.01 to 100 in 20 dimensions: the mass makes it round.
#[test]
fn an_ill_conditioned_gaussian() {
    let stds: Vec<f64> = (0..20)
        .map(|i| 10.0_f64.powf(-2.0 + 4.0 * f64::from(i) / 19.0))
        .collect();
    let target = scaled(&stds);
    let (nuts, trace, report) = sample(&target, (8, 20), 500, 0.8);
    let Mass::Diagonal(inverse) = &nuts.mass else {
        panic!("{nuts:?}")
    };
    for (v, std) in inverse.iter().zip(&stds) {
        let ratio = v / (std * std);
        assert!((0.5..2.0).contains(&ratio) || *std < 0.03, "{std}: {ratio}");
    }
    assert_eq!((report.divergences, report.saturations), (0, 0));
    assert!((report.acceptance - 0.8).abs() < 0.1, "{report:?}");
    // Round after scaling: a trajectory needs few leaves.
    let leaves = report.rows as f64 / (8.0 * 500.0);
    assert!(leaves < 16.0, "{leaves}");
    for (i, std) in stds.iter().enumerate() {
        known(&trace, "mean", 0.0, 0.05 * std, |x| x[i]);
        known(&trace, "square", std * std, 0.08 * std * std, |x| {
            x[i] * x[i]
        });
    }
    // The same with fixed trajectories and the mass found.
    let hmc = Hmc {
        step: nuts.step,
        leaps: 5,
        steps: 1000,
        mass: nuts.mass.clone(),
    };
    let mut x = trace.values()[trace.values().len() - 160..].to_vec();
    let mut trace = Trace::new(8);
    let report = hmc
        .run(&target, &mut x, 8, Key::new(93), &mut trace)
        .unwrap();
    assert!(report.acceptance > 0.6);
    for i in [0, 10, 19] {
        known(
            &trace,
            "hmc square",
            stds[i].powi(2),
            0.1 * stds[i].powi(2),
            |x| x[i] * x[i],
        );
    }
}

#[test]
fn the_banana() {
    let (_, trace, report) = sample(&banana, (8, 2), 3000, 0.9);
    assert_eq!(report.saturations, 0);
    known(&trace, "x", 0.0, 0.05, |x| x[0]);
    known(&trace, "x²", 1.0, 0.05, |x| x[0] * x[0]);
    known(&trace, "y", 0.0, 0.05, |x| x[1]);
    known(&trace, "y²", 0.75, 0.1, |x| x[1] * x[1]);
    known(&trace, "x²y", 1.0, 0.2, |x| x[0] * x[0] * x[1]);
}

/// Exact samples of banana and funnel stay exact under steps of a fixed size: means of many functions, each
/// within five standard errors of 100 000 independent chains.
#[test]
fn exact_samples_stay_exact() {
    let n = 100_000;
    let mut z = vec![0.0; 5 * n];
    z.fill_normal(Key::new(71), 0);
    let bent = z
        .chunks(5)
        .flat_map(|z| [z[0], 0.5 * (z[0] * z[0] - 1.0) + 0.5 * z[1]]);
    let (mut bent, mut fun): (Vec<f64>, Vec<f64>) = (bent.collect(), z.clone());
    for row in fun.chunks_mut(5) {
        let scale = (0.5 * row[0]).exp();
        row[1..].iter_mut().for_each(|x| *x *= scale);
    }
    let nuts = |dim: usize| Nuts {
        step: 0.3,
        steps: 4,
        max_depth: 6,
        mass: Mass::Diagonal((0..dim).map(|i| 1.0 + 0.3 * i as f64).collect()),
        ..Nuts::default()
    };
    nuts(2)
        .run(&banana, &mut bent, n, Key::new(72), &mut ())
        .unwrap();
    nuts(5)
        .run(&funnel, &mut fun, n, Key::new(73), &mut ())
        .unwrap();
    let check = |what: &str, values: Vec<f64>, exact: f64| {
        let (mean, error) = mean_and_error(&values);
        assert!(
            (mean - exact).abs() < 5.0 * error,
            "{what}: {mean} ± {error}, {exact}"
        );
    };
    let of = |x: &[f64], dim: usize, f: fn(&[f64]) -> f64| -> Vec<f64> {
        x.chunks(dim).map(f).collect()
    };
    check("banana x", of(&bent, 2, |x| x[0]), 0.0);
    check("banana x²", of(&bent, 2, |x| x[0] * x[0]), 1.0);
    check("banana y", of(&bent, 2, |x| x[1]), 0.0);
    check("banana x²y", of(&bent, 2, |x| x[0] * x[0] * x[1]), 1.0);
    check(
        "banana tail",
        of(&bent, 2, |x| f64::from(x[0] > 1.0)),
        0.158_655_253_931_457_05,
    );
    check("funnel v", of(&fun, 5, |x| x[0]), 0.0);
    check("funnel v²", of(&fun, 5, |x| x[0] * x[0]), 1.0);
    check(
        "funnel tail",
        of(&fun, 5, |x| f64::from(x[0] < -1.0)),
        0.158_655_253_931_457_05,
    );
    check("funnel x²", of(&fun, 5, |x| x[3] * x[3]), 0.5_f64.exp());
    check(
        "funnel |x|",
        of(&fun, 5, |x| x[2].abs()),
        (2.0 / std::f64::consts::PI).sqrt() * 0.125_f64.exp(),
    );
}

#[test]
fn the_funnel() {
    let (_, trace, report) = sample(&funnel, (16, 5), 3000, 0.95);
    assert!(report.divergences < 20);
    known(&trace, "v", 0.0, 0.05, |x| x[0]);
    known(&trace, "v²", 1.0, 0.08, |x| x[0] * x[0]);
    known(&trace, "x", 0.0, 0.05, |x| x[1]);
    // E x² = e^½.
    known(&trace, "x²", 0.5_f64.exp(), 0.2, |x| x[1] * x[1]);
    known(&trace, "P(v < −1)", 0.158_655_253_931_457_05, 0.02, |x| {
        f64::from(x[0] < -1.0)
    });
}

/// Independent stationary chains stay stationary after one step and after ten, for steps that make trees of
/// one to several doublings; moments within five standard errors.
#[test]
fn chains_keep_their_target() {
    let n = 50_000;
    let exact = [0.5, 1.69, 1.44 * 1.44 + 6.0 * 1.44 * 0.25 + 3.0 * 0.0625];
    let f: [fn(f64) -> f64; 3] = [|x| f64::from(x > 0.0), |x| x * x, |x| x.powi(4)];
    for (step, steps, max_depth) in [(1.2, 1, 10), (0.4, 1, 10), (0.4, 10, 2), (0.7, 10, 10)] {
        let mut x = two_bumps_samples(n, Key::new(21));
        let nuts = Nuts {
            step,
            steps,
            max_depth,
            ..Nuts::default()
        };
        nuts.run(&two_bumps, &mut x, n, Key::new(22), &mut ())
            .unwrap();
        for (f, e) in f.iter().zip(exact) {
            let values: Vec<f64> = x.iter().map(|x| f(*x)).collect();
            let (mean, error) = mean_and_error(&values);
            assert!(
                (mean - e).abs() < 5.0 * error,
                "{step}, {steps}: {mean} ± {error}, {e}"
            );
        }
    }
}

/// In balance, as many chains go from one cell to another as back. (A tree is symmetric in time, and the
/// favour for far points is, too.)
#[test]
fn detailed_balance() {
    let n = 200_000;
    let start = two_bumps_samples(n, Key::new(31));
    let cell = |x: f64| ((x + 2.0).floor().clamp(0.0, 3.0)) as usize;
    let mut x = start.clone();
    let nuts = Nuts {
        step: 0.6,
        steps: 1,
        ..Nuts::default()
    };
    nuts.run(&two_bumps, &mut x, n, Key::new(32), &mut ())
        .unwrap();
    let mut flux = [[0.0_f64; 4]; 4];
    for (a, b) in start.iter().zip(&x) {
        flux[cell(*a)][cell(*b)] += 1.0;
    }
    for (i, j) in [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)] {
        let (forth, back) = (flux[i][j], flux[j][i]);
        assert!(forth > 100.0, "{i} {j}: {forth}");
        assert!(
            (forth - back).abs() < 5.0 * (forth + back).sqrt(),
            "{i} {j}: {forth}, {back}"
        );
    }
}

/// A trajectory grows until it spans about half a period: on N(0, I) with small ε the leaves double with 1/ε,
/// and a chain does not see the others of its batch.
#[test]
fn trees_and_batches() {
    let (n, dim) = (64, 10);
    let mut x = vec![0.0; n * dim];
    x.fill_normal(Key::new(41), 0);
    let leaves = |step: f64| {
        let mut x = x.clone();
        let nuts = Nuts {
            step,
            steps: 20,
            ..Nuts::default()
        };
        let report = nuts.run(&normal, &mut x, n, Key::new(42), &mut ()).unwrap();
        assert_eq!((report.divergences, report.saturations), (0, 0));
        assert!(report.nfe as f64 * n as f64 >= report.rows as f64);
        report.rows as f64 / (20 * n) as f64
    };
    let counts = [0.2, 0.1, 0.05].map(leaves);
    // U-turn of a circle: between a half and a whole turn, π/ε to 2π/ε leaves, overshot by less than twice.
    for (count, step) in counts.iter().zip([0.2, 0.1, 0.05]) {
        let turns = count * step / std::f64::consts::TAU;
        assert!((0.4..2.0).contains(&turns), "{step}: {turns}");
    }
    let nuts = Nuts {
        step: 0.3,
        steps: 5,
        max_depth: 6,
        ..Nuts::default()
    };
    let (mut few, mut many) = (x[..16 * dim].to_vec(), x.clone());
    nuts.run(&normal, &mut few, 16, Key::new(43), &mut ())
        .unwrap();
    nuts.run(&normal, &mut many, n, Key::new(43), &mut ())
        .unwrap();
    // Momenta are those of the batch's first rows.
    assert_eq!(few, many[..16 * dim]);
    let saturated = Nuts {
        step: 0.01,
        steps: 3,
        max_depth: 3,
        ..Nuts::default()
    };
    let report = saturated
        .run(&normal, &mut many, n, Key::new(44), &mut ())
        .unwrap();
    assert_eq!(report.saturations, 3 * n as u64);
    // Seven leaves a step and the start.
    assert_eq!((report.nfe, report.rows), (1 + 21, 22 * n as u64));
}

#[test]
fn threads_and_precision() {
    laws::same_for_threads(|| {
        let mut x = vec![0.0; 20_000];
        x.fill_normal(Key::new(51), 0);
        let nuts = Nuts {
            step: 0.5,
            steps: 3,
            ..Nuts::default()
        };
        let nuts = nuts
            .warm_up(&normal, &mut x, 2000, Key::new(52), &Adaptation::default())
            .unwrap();
        nuts.run(&normal, &mut x, 2000, Key::new(53), &mut ())
            .unwrap();
        x.push(nuts.step);
        x
    });
    // A diffusion model in f32: the mean of TB1 at σ = 0.5.
    let model = Mixture::tb1();
    let target = AtLevel {
        model: &model,
        level: NoiseLevel::new(0.5, 1.0, 0.5),
    };
    let mut x = vec![0.0_f32; 2 * 8];
    let nuts = Nuts {
        steps: 400,
        ..Nuts::default()
    };
    let nuts = nuts
        .warm_up(&target, &mut x, 8, Key::new(54), &Adaptation::default())
        .unwrap();
    let mut trace = Trace::new(8);
    let nuts = Nuts {
        steps: 1500,
        ..nuts
    };
    nuts.run(&target, &mut x, 8, Key::new(55), &mut trace)
        .unwrap();
    for (i, m) in model.mean(&target.level).into_iter().enumerate() {
        known(&trace, "tb1", m, 0.05, |x| x[i]);
    }
}

/// Quartic walls met with a step that is far too long: counted, and never an invalid point.
#[test]
fn divergences() {
    let quartic = |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
        for ((l, s), x) in log.iter_mut().zip(score).zip(x) {
            (*l, *s) = (-x.powi(4), -4.0 * x.powi(3));
        }
        Ok(())
    };
    let nuts = Nuts {
        step: 50.0,
        steps: 2,
        ..Nuts::default()
    };
    let mut x = vec![1.0, -0.5, 2.0];
    let report = nuts.run(&quartic, &mut x, 3, Key::new(0), &mut ()).unwrap();
    assert_eq!((report.divergences, report.acceptance), (6, 0.0));
    assert_eq!(x, [1.0, -0.5, 2.0]);
    // The warm-up finds a step from there.
    let nuts = Nuts { steps: 200, ..nuts };
    let nuts = nuts
        .warm_up(&quartic, &mut x, 3, Key::new(1), &Adaptation::default())
        .unwrap();
    assert!(nuts.step < 3.0, "{nuts:?}");
}

#[test]
fn what_is_refused() {
    let good = Nuts {
        steps: 2,
        ..Nuts::default()
    };
    let refused = |nuts: &Nuts, x: &[f64], chains: usize| {
        let mut y = x.to_vec();
        let error = nuts
            .run(&normal, &mut y, chains, Key::new(0), &mut ())
            .unwrap_err();
        assert!(x.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        error
    };
    for bad in [
        Nuts {
            step: 0.0,
            ..good.clone()
        },
        Nuts {
            max_depth: 0,
            ..good.clone()
        },
        Nuts {
            max_depth: 25,
            ..good.clone()
        },
        Nuts {
            max_energy_change: f64::NAN,
            ..good.clone()
        },
        Nuts {
            mass: Mass::Diagonal(vec![1.0]),
            ..good.clone()
        },
        Nuts {
            mass: Mass::Diagonal(vec![1.0, -1.0]),
            ..good.clone()
        },
    ] {
        let error = refused(&bad, &[0.0; 4], 2);
        assert!(matches!(error, ChainError::Option { .. }), "{error}");
    }
    assert!(matches!(
        refused(&good, &[0.0; 3], 2),
        ChainError::Chains { .. }
    ));
    assert!(matches!(
        refused(&good, &[f64::NAN; 2], 2),
        ChainError::NonFinite { .. }
    ));
    let windows = Some(Windows {
        base: 0,
        ..Windows::default()
    });
    let bad = Adaptation {
        windows,
        ..Adaptation::default()
    };
    let error = good.warm_up(&normal, &mut vec![0.0; 2], 1, Key::new(0), &bad);
    assert!(matches!(
        error,
        Err(ChainError::Option {
            name: "windows.base",
            ..
        })
    ));
    assert!(diagnose(&[0.0; 4], 1).is_err());
}
