//! Section 17: interpolants between mixtures in closed form.

use std::ops::ControlFlow;

use ansatz_core::{EvalError, Event, Key, State};
use ansatz_diffusion::diffeq::{Options, solve};
use ansatz_diffusion::flow::follow_density;
use ansatz_diffusion::interpolant::loss;
use ansatz_diffusion::{
    BridgeSde, Gamma, Interpolant, Path, PlanError, SampleError, Scheme, Target,
};
use ansatz_testkit::{Bridge, Mix, laws, measure, tb1};

const GAMMAS: [Gamma; 5] = [
    Gamma::Zero,
    Gamma::Quadratic,
    Gamma::SineSquared,
    Gamma::Brownian(1.0),
    Gamma::Sigmoid,
];

const PATHS: [Path; 3] = [Path::Linear, Path::Trigonometric, Path::EncodingDecoding];

fn mix(path: Interpolant, t: f64) -> Mix {
    let c = path.at(t.clamp(0.0, 1.0)).unwrap();
    Mix {
        a: c.a,
        b: c.b,
        gamma_squared: c.gamma * c.gamma,
        a_rate: c.a_rate,
        b_rate: c.b_rate,
        gamma_product: c.gamma_product,
    }
}

/// Start points of the two components, spread by their covariances.
fn start() -> Vec<f64> {
    let means = [[-1.0, 0.5], [0.8, -0.7]];
    // Cholesky factors of diag(0.4, 0.3) and [[0.2, 0.05], [0.05, 0.3]]: (l₀₀, l₁₀, l₁₁).
    let root = 0.2_f64.sqrt();
    let factors = [
        [0.4_f64.sqrt(), 0.0, 0.3_f64.sqrt()],
        [root, 0.05 / root, (0.3 - 0.05 * 0.05 / 0.2_f64).sqrt()],
    ];
    tb1::points(16)
        .chunks(2)
        .enumerate()
        .flat_map(|(i, p)| {
            let ([m, n], [a, b, c]) = (means[i % 2], factors[i % 2]);
            [m + a * p[0], n + b * p[0] + c * p[1]]
        })
        .collect()
}

/// Ends of point 0 under four noise factors, and the change of the density along the way.
#[test]
fn flows_between_mixtures() {
    let bridge = Bridge::tb1();
    let rows = [
        (Gamma::Zero, [1.73517861, 0.21480197]),
        (Gamma::Quadratic, [1.70376014, 0.22126245]),
        (Gamma::SineSquared, [1.64660223, 0.23370317]),
        (Gamma::Brownian(1.0), [1.65809230, 0.22902710]),
    ];
    let options = Options::tolerance(1e-12, 1e-12);
    for (gamma, end) in rows {
        let path = Interpolant::TwoSided(Path::Linear, gamma);
        let velocity =
            |t: f64, x: &Vec<f64>, dx: &mut Vec<f64>| bridge.velocity(x, &mix(path, t), dx);
        let x = start();
        let mut y = x.clone();
        solve(&velocity, (0.0, 1.0), &mut y, &options, &mut ()).unwrap();
        let error = measure::max_abs_diff(&y[..2], &end);
        // Half a unit of the last printed digit.
        assert!(error < 6e-9, "{gamma:?}: {:?}", &y[..2]);
        let both = |t: f64, x: &Vec<f64>, dx: &mut Vec<f64>, div: &mut [f64]| {
            bridge.velocity(x, &mix(path, t), dx)?;
            bridge.divergence(x, &mix(path, t), div)
        };
        let followed = follow_density(both, (0.0, 1.0), &x, 16, &options).unwrap();
        assert!(measure::max_abs_diff(&followed.latent, &y) < 1e-9);
        let log = |x: &[f64], t: f64| {
            let mut out = vec![0.0; 16];
            bridge.log_density(x, &mix(path, t), &mut out).unwrap();
            out
        };
        let got = followed.log_density(&log(&y, 1.0)).unwrap();
        let error = measure::max_abs_diff(&got, &log(&x, 0.0));
        assert!(error < 1e-7, "{gamma:?}: {error:e}");
    }
}

/// Rates are derivatives of the factors, γγ̇ of ½γ²; the ends are the distributions themselves.
#[test]
fn tables() {
    let mut all: Vec<Interpolant> = PATHS.map(Interpolant::OneSided).to_vec();
    for gamma in GAMMAS {
        all.push(Interpolant::Mirror(gamma));
        all.extend(PATHS.map(|path| Interpolant::TwoSided(path, gamma)));
    }
    for path in all {
        for t in [0.11, 0.3, 0.42, 0.7, 0.93] {
            let h = 1e-4;
            let c = path.at(t).unwrap();
            let slope = |f: &dyn Fn(f64) -> f64| {
                (f(t - 2.0 * h) - 8.0 * f(t - h) + 8.0 * f(t + h) - f(t + 2.0 * h)) / (12.0 * h)
            };
            let at = |t: f64| path.at(t).unwrap();
            for (got, want) in [
                (c.a_rate, slope(&|t| at(t).a)),
                (c.b_rate, slope(&|t| at(t).b)),
                (c.gamma_rate, slope(&|t| at(t).gamma)),
                (c.gamma_product, slope(&|t| 0.5 * at(t).gamma.powi(2))),
            ] {
                assert!((got - want).abs() < 1e-9, "{path:?} at {t}: {got} {want}");
            }
        }
        let (first, last) = (path.at(0.0).unwrap(), path.at(1.0).unwrap());
        let ends = match path {
            Interpolant::Mirror(_) => [0.0, 1.0, 0.0, 0.0, 1.0, 0.0],
            Interpolant::OneSided(_) => [0.0, 0.0, 1.0, 0.0, 1.0, 0.0],
            _ => [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        };
        let got = [first.a, first.b, first.gamma, last.a, last.b, last.gamma];
        assert!(
            measure::max_abs_diff(&got, &ends) < 1e-15,
            "{path:?}: {got:?}"
        );
    }
    // Variances stay 1 on the trigonometric path.
    let c = Interpolant::TwoSided(Path::Trigonometric, Gamma::Brownian(2.0))
        .at(0.3)
        .unwrap();
    assert!((c.a.powi(2) + c.b.powi(2) + c.gamma.powi(2) - 1.0).abs() < 1e-15);
}

/// x ↦ slope·x + shift: velocity and score from N(0, 1) to N(1.5, 0.09) with γ² = t(1 − t).
fn affine(t: f64) -> [(f64, f64); 2] {
    let c = Interpolant::TwoSided(Path::Linear, Gamma::Brownian(1.0))
        .at(t)
        .unwrap();
    let variance = c.a * c.a + 0.09 * c.b * c.b + c.gamma * c.gamma;
    let half_rate = c.a * c.a_rate + 0.09 * c.b * c.b_rate + c.gamma_product;
    let (mean, slope) = (1.5 * c.b, half_rate / variance);
    [
        (slope, 1.5 * c.b_rate - slope * mean),
        (-1.0 / variance, mean / variance),
    ]
}

type Made = Result<(), EvalError>;

#[expect(
    clippy::unnecessary_wraps,
    clippy::ptr_arg,
    reason = "the signature of a field"
)]
fn affine_velocity(t: f64, x: &Vec<f64>, out: &mut Vec<f64>) -> Made {
    let (slope, shift) = affine(t)[0];
    out.iter_mut()
        .zip(x)
        .for_each(|(o, x)| *o = slope * x + shift);
    Ok(())
}

#[expect(
    clippy::unnecessary_wraps,
    clippy::ptr_arg,
    reason = "the signature of a field"
)]
fn affine_score(t: f64, x: &Vec<f64>, out: &mut Vec<f64>) -> Made {
    let (slope, shift) = affine(t)[1];
    out.iter_mut()
        .zip(x)
        .for_each(|(o, x)| *o = slope * x + shift);
    Ok(())
}

/// Mean and variance that a solver gives an affine equation: its map is affine, so the responses to
/// the start and to each draw say everything.
fn moments(sde: &BridgeSde<'_, Vec<f64>>, start: f64) -> (f64, f64) {
    // Element k of the state meets draw k with z = 1; element `steps` starts one unit higher.
    let n = sde.steps;
    let mut x = vec![if sde.times.0 == 0.0 { 0.0 } else { 1.5 }; n + 2];
    x[n] += 1.0;
    let inject = |draw: usize, out: &mut Vec<f64>| {
        out.fill(0.0);
        out[draw] = 1.0;
    };
    sde.sample(&mut x, inject, &mut ()).unwrap();
    let mean = x[n + 1];
    let response = |k: usize| (x[k] - mean).powi(2);
    let noise: f64 = (0..n).map(response).sum();
    (mean, start * response(n) + noise)
}

/// Variances of Euler-Maruyama at t = 1; the mean is exact.
#[test]
fn euler_maruyama_variances() {
    let rows: [(f64, [f64; 2]); 3] = [
        (0.0, [0.1082073872, 0.0917295087]),
        (0.5, [0.1494172191, 0.0946418359]),
        (2.0, [0.4639373667, 0.1035459872]),
    ];
    for (epsilon, expected) in rows {
        for (steps, e) in [10, 100].into_iter().zip(expected) {
            let sde = BridgeSde {
                epsilon: &|_| epsilon,
                scheme: Scheme::EulerMaruyama,
                ..BridgeSde::new(&affine_velocity, &affine_score, steps)
            };
            let (mean, variance) = moments(&sde, 1.0);
            assert!((mean - 1.5).abs() < 1e-12, "{epsilon} {steps}: {mean}");
            assert!((variance - e).abs() < 1e-9, "{epsilon} {steps}: {variance}");
        }
    }
}

/// Orders 1 and 2 of the variance, forwards and backwards, for constant and varying ε.
#[test]
fn weak_orders() {
    for (scheme, order) in [(Scheme::EulerMaruyama, 1.0), (Scheme::Heun, 2.0)] {
        for epsilon in [|_: f64| 0.5, |t: f64| t * (1.0 - t)] {
            for (times, start, end) in [((0.0, 1.0), 1.0, 0.09), ((1.0, 0.0), 0.09, 1.0)] {
                let errors = [100, 200, 400].map(|steps| {
                    let sde = BridgeSde {
                        epsilon: &epsilon,
                        scheme,
                        times,
                        ..BridgeSde::new(&affine_velocity, &affine_score, steps)
                    };
                    (moments(&sde, start).1 - end).abs()
                });
                let slope = measure::slopes(&errors)[1];
                assert!(
                    (slope - order).abs() < 0.25,
                    "{scheme:?} from {times:?}: slope {slope}, {errors:?}"
                );
            }
        }
    }
}

/// Closed forms minimise the losses: there `E[loss] = −½E|p|²`.
#[test]
fn losses_at_their_minimisers() {
    let bridge = Bridge::tb1();
    let path = Interpolant::TwoSided(Path::Linear, Gamma::Brownian(1.0));
    let n = 20_000;
    let (t, key) = (0.35, Key::new(11));
    let draw = |stream: u64| {
        let mut z = vec![0.0; 2 * n];
        z.fill_normal(key, stream);
        z
    };
    // Samples of both ends: component by a uniform number, then its Cholesky factor.
    let sample = |weights: &[f64], means: &[[f64; 2]], factors: &[[f64; 3]], stream: u64| {
        let mut x = draw(stream);
        for (i, p) in x.chunks_mut(2).enumerate() {
            let [u, _] = key.uniform(stream + 1, i as u64);
            let mut k = 0;
            let mut sum = weights[0];
            while u >= sum && k + 1 < weights.len() {
                k += 1;
                sum += weights[k];
            }
            let ([m, o], [a, b, c]) = (means[k], factors[k]);
            let (z, w) = (p[0], p[1]);
            (p[0], p[1]) = (m + a * z, o + b * z + c * w);
        }
        x
    };
    let factor = |s: [[f64; 2]; 2]| {
        let a = s[0][0].sqrt();
        [
            a,
            s[1][0] / a,
            (s[1][1] - s[1][0] * s[1][0] / s[0][0]).sqrt(),
        ]
    };
    let ends = tb1::COMPONENTS;
    let x0 = sample(
        &[0.6, 0.4],
        &[[-1.0, 0.5], [0.8, -0.7]],
        &[
            factor([[0.4, 0.0], [0.0, 0.3]]),
            factor([[0.2, 0.05], [0.05, 0.3]]),
        ],
        10,
    );
    let x1 = sample(
        &ends.map(|c| c.0),
        &ends.map(|c| c.1),
        &ends.map(|c| factor(c.2)),
        20,
    );
    let z = draw(30);
    let mut x = vec![0.0; 2 * n];
    path.point(t, [&x0, &x1, &z], &mut x).unwrap();
    let here = mix(path, t);
    let (mut b, mut s) = (x.clone(), x.clone());
    bridge.velocity(&x, &here, &mut b).unwrap();
    bridge.score(&x, &here, &mut s).unwrap();
    let (mut denoiser, mut mean) = (s.clone(), b.clone());
    denoiser.lincomb(1.0 / path.score_of_denoiser(t).unwrap(), &[]);
    mean.lincomb(1.0, &[(here.gamma_product, &s)]);
    for (target, p) in [
        (Target::Velocity, &b),
        (Target::Score, &s),
        (Target::Denoiser, &denoiser),
        (Target::Mean, &mean),
    ] {
        let [c0, c1, cz] = path.target(target, t).unwrap();
        let mut y = vec![0.0; 2 * n];
        y.lincomb(0.0, &[(c0, &x0), (c1, &x1), (cz, &z)]);
        let mut losses = vec![0.0; n];
        loss(p, &y, &mut losses).unwrap();
        let direct = 0.5 * (p[0] * p[0] + p[1] * p[1]) - p[0] * y[0] - p[1] * y[1];
        assert!((losses[0] - direct).abs() < 1e-12);
        // loss + ½|p|² has mean 0.
        for (l, p) in losses.iter_mut().zip(p.chunks(2)) {
            *l += 0.5 * (p[0] * p[0] + p[1] * p[1]);
        }
        let count = n as f64;
        let average = losses.iter().sum::<f64>() / count;
        let spread = losses.iter().map(|l| (l - average).powi(2)).sum::<f64>() / count;
        let limit = 3.0 * (spread / count).sqrt();
        assert!(
            average.abs() < limit,
            "{target:?}: {average} within {limit}"
        );
        // Away from the minimiser it has not: 10 % more of the prediction.
        let more: Vec<f64> = p.iter().map(|v| 1.1 * v).collect();
        let mut worse = vec![0.0; n];
        loss(&more, &y, &mut worse).unwrap();
        let least = losses.iter().sum::<f64>()
            - p.chunks(2)
                .map(|p| 0.5 * (p[0] * p[0] + p[1] * p[1]))
                .sum::<f64>();
        assert!(worse.iter().sum::<f64>() > least);
    }
}

#[test]
fn errors() {
    let path = Interpolant::TwoSided(Path::Linear, Gamma::Brownian(1.0));
    let name = |e: PlanError| match e {
        PlanError::Option { name, .. } => name,
        other => panic!("{other}"),
    };
    for t in [-0.1, 1.1, f64::NAN] {
        assert_eq!(name(path.at(t).unwrap_err()), "t");
        assert_eq!(name(path.target(Target::Mean, t).unwrap_err()), "t");
    }
    for t in [0.0, 1.0] {
        assert_eq!(name(path.target(Target::Score, t).unwrap_err()), "gamma");
        assert_eq!(name(path.score_of_denoiser(t).unwrap_err()), "gamma");
        assert_eq!(name(path.target(Target::Velocity, t).unwrap_err()), "t");
        assert!(path.target(Target::Denoiser, t).is_ok());
    }
    for gamma in [Gamma::Brownian(-1.0), Gamma::Brownian(5.0)] {
        let path = Interpolant::TwoSided(Path::Trigonometric, gamma);
        assert_eq!(name(path.at(0.5).unwrap_err()), "gamma");
    }
    let good = BridgeSde::new(&affine_velocity, &affine_score, 10);
    let start = vec![0.3, -0.4];
    let mut x = start.clone();
    for epsilon in [-0.1, f64::NAN] {
        let sde = BridgeSde {
            epsilon: &|t| if t > 0.5 { epsilon } else { 0.1 },
            ..good
        };
        match sde.sample(&mut x, Key::new(0), &mut ()) {
            Err(SampleError::Plan(e)) => assert_eq!(name(e), "epsilon"),
            other => panic!("{other:?}"),
        }
    }
    for times in [(-0.1, 1.0), (0.0, 1.5)] {
        let sde = BridgeSde { times, ..good };
        assert!(sde.sample(&mut x, Key::new(0), &mut ()).is_err());
    }
    let none = BridgeSde { steps: 0, ..good };
    let error = none.sample(&mut x, Key::new(0), &mut ());
    assert!(matches!(
        error,
        Err(SampleError::Plan(PlanError::TooFewSteps { .. }))
    ));
    let broken = |t: f64, x: &Vec<f64>, out: &mut Vec<f64>| -> Made {
        affine_velocity(t, x, out)?;
        if t > 0.45 {
            out[0] = f64::NAN;
        }
        Ok(())
    };
    let sde = BridgeSde {
        velocity: &broken,
        ..good
    };
    let error = sde.sample(&mut x, Key::new(0), &mut ());
    assert!(matches!(error, Err(SampleError::NonFinite { step: 4, .. })));
    assert_eq!(x, start);
    let mut out = [0.0; 3];
    assert!(loss(&start, &start, &mut out).is_err());
    assert!(loss(&start, &vec![0.0; 3], &mut out[..1]).is_err());
}

#[test]
fn stops_and_threads() {
    let sde = BridgeSde::new(&affine_velocity, &affine_score, 6);
    laws::same_for_threads(|| {
        let mut x = vec![0.1; 100_003];
        sde.sample(&mut x, Key::new(1), &mut ()).unwrap();
        x
    });
    let mut observer = |e: &Event<'_, Vec<f64>>| match e.step {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let report = sde
        .sample(&mut vec![0.1; 4], Key::new(1), &mut observer)
        .unwrap();
    assert!(report.stopped_early && report.steps == 2 && report.nfe == 4);
}
