//! The surrogate by hand, bandits on tasks whose best answers are known, interface terms of polynomials, two subdomains.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod threads;

use std::sync::Arc;

use ansatz_pde::autodiff::Array;
use ansatz_pde::core::Key;
use ansatz_pde::metalic::{
    Bandit, BanditOptions, Environment, Factor, Family, Interface, InterfaceTerm, Play, Policy,
    SubdomainOptions, Subdomains, Surrogate, Total, all_actions,
};
use ansatz_pde::nn::{Layer, Layout, Lbfgs, Parameters, Pass, Schedule};
use ansatz_pde::{PdeError, Stage, partials, sample};

const FACTORS: [Factor; 2] = [Factor::Numbers(1), Factor::Switches(9)];

fn row(beta: f64, on: std::ops::Range<usize>) -> Vec<f64> {
    let mut row = vec![0.0; 10];
    row[0] = beta;
    row[1..][on].fill(1.0);
    row
}

fn three() -> (Vec<f64>, [f64; 3]) {
    let rows = [row(-1.0, 0..0), row(0.0, 0..3), row(1.0, 0..9)];
    (rows.concat(), [0.5, 1.0, 2.0])
}

#[test]
fn a_process_of_three_observations() {
    let (rows, values) = three();
    let process = Surrogate::new(&FACTORS, &[0.0; 3], &rows, &values).unwrap();
    let [mean, variance] = process.predict(&row(0.5, 0..6)).unwrap()[0];
    let bound = mean + variance.sqrt();
    println!("mean {mean:.7}, variance {variance:.8}, bound {bound:.7}");
    assert!((mean - 1.0640525).abs() < 5e-8 && (variance - 1.62701846).abs() < 5e-9);
    assert!((bound - 2.3395988).abs() < 5e-8);
    assert!((-process.log_likelihood() - 5.32458884).abs() < 5e-9);
    assert!((process.log_prior() + 360.1342).abs() < 5e-5);
}

/// The fit ends where no parameter improves likelihood times prior; noise is pinned near 0.01.
#[test]
fn the_fit_is_a_maximum() {
    let inputs: Vec<f64> = (0..25).map(|i| -1.5 + 0.12 * f64::from(i)).collect();
    let rows: Vec<f64> = inputs
        .iter()
        .enumerate()
        .flat_map(|(i, b)| row(*b, 0..i % 10))
        .collect();
    let each = inputs.iter().enumerate();
    let values: Vec<f64> = each
        .map(|(i, b)| (2.0 * b).sin() + 0.1 * (i % 10) as f64)
        .collect();
    let process = Surrogate::fit(&FACTORS, &rows, &values).unwrap();
    let height = |p: &Surrogate| p.log_likelihood() + p.log_prior();
    let best = height(&process);
    for k in 0..3 {
        let moved = |h: f64| {
            let mut parameters = process.parameters().to_vec();
            parameters[k] += h;
            height(&Surrogate::new(&FACTORS, &parameters, &rows, &values).unwrap())
        };
        let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
        assert!(slope.abs() < 1e-3, "parameter {k}: {slope}");
        assert!(moved(0.1) < best && moved(-0.1) < best);
    }
    let noise = (-process.parameters()[2]).exp();
    assert!((0.007..0.014).contains(&noise), "{noise}");
}

/// Joint draws have the posterior's mean and variances.
#[test]
fn draws_are_of_the_posterior() {
    let (rows, values) = three();
    let process = Surrogate::new(&FACTORS, &[0.0; 3], &rows, &values).unwrap();
    let at = [row(0.5, 0..6), row(0.5, 0..5), row(-1.0, 0..0)].concat();
    let (mut sums, mut squares, n) = ([0.0; 3], [0.0; 3], 4000);
    for i in 0..n {
        let drawn = process.draw(&at, Key::new(i)).unwrap();
        for k in 0..3 {
            sums[k] += drawn[k];
            squares[k] += drawn[k] * drawn[k];
        }
    }
    for (k, [mean, variance]) in process.predict(&at).unwrap().into_iter().enumerate() {
        let (m, s) = (sums[k] / n as f64, squares[k] / n as f64);
        let error = (variance / n as f64).sqrt();
        assert!((m - mean).abs() < 4.0 * error);
        assert!(((s - m * m) / variance - 1.0).abs() < 0.1);
    }
}

/// R = 2 − ‖a − a*(β)‖₁/3 + 0.05ε: the first three switches for β < 0, the last three otherwise.
struct Switches {
    beta: f64,
    key: Key,
}

impl Switches {
    fn reward(beta: f64, action: &[bool]) -> f64 {
        let wanted = |i: usize| if beta < 0.0 { i < 3 } else { i >= 6 };
        let wrong = action.iter().enumerate().filter(|(i, a)| wanted(*i) != **a);
        2.0 - wrong.count() as f64 / 3.0
    }
}

impl Environment for Switches {
    fn sample(&self, key: Key) -> Vec<f64> {
        vec![2.0 * key.uniform(0, 0)[0] - 1.0]
    }

    fn begin(&mut self, context: &[f64], key: Key) -> Result<(), PdeError> {
        (self.beta, self.key) = (context[0], key);
        Ok(())
    }

    fn act(&mut self, action: &[bool]) -> Result<f64, PdeError> {
        Ok(Self::reward(self.beta, action) + 0.05 * self.key.normal(0, 0)[0])
    }
}

fn switches() -> Switches {
    Switches {
        beta: 0.0,
        key: Key::new(0),
    }
}

fn bandit(policy: Policy) -> Bandit {
    let options = BanditOptions {
        policy,
        ..BanditOptions::default()
    };
    Bandit::new(options, &[[-1.0, 1.0]], all_actions(9)).unwrap()
}

/// Regret of 5 + 100 plays, and the mean reward of the best actions for 50 problems.
fn regret(policy: Policy, seed: u64) -> (f64, f64) {
    let (mut bandit, mut task) = (bandit(policy), switches());
    bandit.run(&mut task, 105, Key::new(seed), &mut ()).unwrap();
    let lost = |play: &Play| 2.0 - Switches::reward(play.context[0], &play.actions[0]);
    let regret = bandit.plays().iter().map(lost).sum();
    if policy == Policy::Random {
        return (regret, f64::NAN);
    }
    bandit.fit().unwrap();
    let test = (0..50).map(|i| {
        let beta = task.sample(Key::new(1000 + i))[0];
        Switches::reward(beta, &bandit.best((0, &[beta]), None).unwrap())
    });
    (regret, test.sum::<f64>() / 50.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn regret_of_the_upper_bound() {
    let mut shares = Vec::new();
    let mut rewards = Vec::new();
    for seed in 0..3 {
        let (ours, reward) = regret(Policy::UpperBound(1.0), seed);
        let (random, _) = regret(Policy::Random, seed);
        println!("regret {ours:.1}, random {random:.1}, test reward {reward:.3}");
        shares.push(ours / random);
        rewards.push(reward);
    }
    assert!(median(shares) < 0.35);
    assert!(median(rewards) >= 1.85);
}

/// Both forms of sampling beat chance; a joint draw of 512 actions costs more, so fewer plays.
#[test]
fn regret_of_sampling() {
    for policy in [Policy::Thompson, Policy::Diagonal(20)] {
        let (ours, reward) = regret(policy, 0);
        println!("{policy:?}: regret {ours:.1}, test reward {reward:.3}");
        assert!(ours < 90.0 && reward > 1.7, "{policy:?} {ours} {reward}");
    }
}

/// Two stages of two switches: the second reward is 1 where the second action is the first one turned round, and β decides
/// about the first.
struct Turned {
    beta: f64,
    first: Option<Vec<bool>>,
}

impl Environment for Turned {
    fn sample(&self, key: Key) -> Vec<f64> {
        vec![2.0 * key.uniform(0, 0)[0] - 1.0]
    }

    fn begin(&mut self, context: &[f64], _: Key) -> Result<(), PdeError> {
        (self.beta, self.first) = (context[0], None);
        Ok(())
    }

    fn act(&mut self, action: &[bool]) -> Result<f64, PdeError> {
        Ok(match self.first.take() {
            None => {
                self.first = Some(action.to_vec());
                if action[0] == (self.beta > 0.0) {
                    0.5
                } else {
                    0.0
                }
            }
            Some(first) => first.iter().zip(action).filter(|(a, b)| a != b).count() as f64 / 2.0,
        })
    }
}

#[test]
fn stages_look_back() {
    let options = BanditOptions {
        stages: 2,
        total: Total::Sum,
        warm_up: 30,
        ..BanditOptions::default()
    };
    let mut bandit = Bandit::new(options, &[[-1.0, 1.0]], all_actions(2)).unwrap();
    let mut task = Turned {
        beta: 0.0,
        first: None,
    };
    bandit.run(&mut task, 60, Key::new(5), &mut ()).unwrap();
    bandit.fit().unwrap();
    let reward = |i: u64, bandit: &Bandit, task: &mut Turned| {
        let context = task.sample(Key::new(500 + i));
        let play = bandit.roll(task, context, Key::new(0)).unwrap();
        play.rewards.iter().sum::<f64>()
    };
    let mean = (0..40).map(|i| reward(i, &bandit, &mut task)).sum::<f64>() / 40.0;
    println!("mean reward of two stages {mean:.3}");
    assert!(mean > 1.4, "{mean} of 1.5");
}

/// u = x² + slope·y.
#[derive(Debug)]
struct Polynomial(f64);

impl Layer for Polynomial {
    fn apply<'g>(&self, _: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        x.narrow(1, 0, 1).square() + x.narrow(1, 1, 2) * self.0
    }
}

fn polynomials() -> Interface {
    Interface {
        models: [Arc::new(Polynomial(1.0)), Arc::new(Polynomial(2.0))],
        residual: Arc::new(|u, x| {
            let second = partials(u, x, &[vec![2, 0], vec![0, 2]])?;
            Ok(second[0] + second[1] - 2.0)
        }),
        flux: Arc::new(|u, x| Ok(partials(u, x, &[vec![0, 1]])?[0])),
    }
}

#[test]
fn interface_terms_of_polynomials() {
    let interface = polynomials();
    let parameters = Parameters::<f64>::new(&Layout::new(), Key::new(0));
    let points = [0.0, 0.5, 0.5, 0.5, 1.0, 0.5];
    let expected = [0.25, 0.125, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    for (term, expected) in InterfaceTerm::ALL.into_iter().zip(expected) {
        let columns = sample(&parameters, 2, &points, |pass, x| {
            Ok(Array::concatenate(&interface.columns(term, pass, x)?, 1))
        });
        let mean = columns.unwrap().iter().map(|v| v * v).sum::<f64>() / 3.0;
        assert!((mean - expected).abs() < 1e-14, "{term:?}: {mean}");
    }
    let none = interface.term(&[false; 9], points.to_vec(), 5.0).unwrap();
    assert!(none.is_none());
    let error = interface
        .term(&[true; 8], points.to_vec(), 5.0)
        .unwrap_err();
    assert!(matches!(
        error,
        PdeError::Width {
            expected: 9,
            got: 8,
            ..
        }
    ));
}

/// Exact solutions have no residual, by differences, and start where they should.
#[test]
fn families_are_solved_by_their_solutions() {
    let wave = 0.25;
    let soliton: ansatz_pde::metalic::Solution = Arc::new(move |beta, points| {
        // u_t + c·u·u_x + u_xxx = 0: u = (3v/c)·sech²(½√v(x − 10 − vt)).
        let one = |p: &[f64]| {
            let z = 0.5 * f64::sqrt(wave) * (p[0] - 10.0 - wave * p[1]);
            3.0 * wave / beta[0] / z.cosh().powi(2)
        };
        Ok(points.chunks(2).map(one).collect())
    });
    let shock: ansatz_pde::metalic::Solution = Arc::new(|beta, points| {
        // A travelling front of Burgers' equation.
        let one = |p: &[f64]| 0.5 - 0.4 * (0.4 * (p[0] - 0.5 * p[1]) / (2.0 * beta[0])).tanh();
        Ok(points.chunks(2).map(one).collect())
    });
    let cases = [
        (Family::advection(), vec![7.0]),
        (Family::reaction(), vec![4.0]),
        (Family::heat(), vec![1.0, -0.5, 0.7, 1.5]),
        (Family::burgers(shock), vec![0.05]),
        (Family::korteweg_de_vries(soliton), vec![2.0]),
    ];
    for (family, beta) in cases {
        let u = |x: f64, t: f64| (family.solution)(&beta, &[x, t]).unwrap()[0];
        let residual = (family.residual)(&beta);
        for at in [0.3, 0.7] {
            let [[a, b], [c, d]] = family.domain;
            let (x, t) = (a + at * (b - a), c + at * (d - c));
            // A polynomial with the derivatives of the solution there.
            let h = 1e-2;
            let ut = (u(x, t - 2.0 * h) - 8.0 * u(x, t - h) + 8.0 * u(x, t + h)
                - u(x, t + 2.0 * h))
                / (12.0 * h);
            let around: Vec<f64> = (-3..=3).map(|i| u(x + f64::from(i) * h, t)).collect();
            let sum = |w: [f64; 7]| w.iter().zip(&around).map(|(w, u)| w * u).sum::<f64>();
            let ux = sum([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / (60.0 * h);
            let uxx = sum([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) / (180.0 * h * h);
            let uxxx = sum([1.0, -8.0, 13.0, 0.0, -13.0, 8.0, -1.0]) / (8.0 * h * h * h);
            let parameters = Parameters::<f64>::new(&Layout::new(), Key::new(0));
            let found = sample(&parameters, 2, &[x, t], |_, p| {
                let (dx, dt) = (p.narrow(1, 0, 1) - x, p.narrow(1, 1, 2) - t);
                let line = dx * ux + dx.square() * (0.5 * uxx) + dx.powi(3) * (uxxx / 6.0);
                residual(line + dt * ut + u(x, t), p)
            });
            let size = ut.abs() + ux.abs() + uxx.abs() + 1.0;
            assert!(found.unwrap()[0].abs() < 1e-4 * size, "{family:?}");
        }
    }
    // Five-point differences at the middle, against a double sine series of the same equation.
    let family = Family::poisson();
    let middle = (family.solution)(&[10.0], &[0.5, 0.5]).unwrap()[0];
    let exact = series(10.0);
    println!("middle {middle:.6}, series {exact:.6}");
    assert!((middle / exact - 1.0).abs() < 5e-4);
    assert!((family.solution)(&[10.0], &[0.0, 0.3]).unwrap()[0].abs() < 1e-15);
}

/// u(½, ½) of the plateau's equation by a sine series, its coefficients by the trapezium rule on 2000 intervals.
fn series(s: f64) -> f64 {
    let bump = |x: f64| {
        (libm::erf(s * (x - 0.25)) - libm::erf(s * (x - 0.75))) / (2.0 * libm::erf(0.25 * s))
    };
    let pi = std::f64::consts::PI;
    let coefficient = |k: usize| {
        let at = |i: i32| f64::from(i) / 2000.0;
        let sum: f64 = (1..2000)
            .map(|i| bump(at(i)) * (k as f64 * pi * at(i)).sin())
            .sum();
        2.0 * sum / 2000.0
    };
    let c: Vec<f64> = (1..80).map(coefficient).collect();
    let mut u = 0.0;
    for (i, a) in c.iter().enumerate() {
        for (j, b) in c.iter().enumerate() {
            let (k, l) = ((i + 1) as f64, (j + 1) as f64);
            let peak = (0.5 * pi * k).sin() * (0.5 * pi * l).sin();
            u -= a * b * peak / (pi * pi * (k * k + l * l));
        }
    }
    u
}

fn subdomains(adam: u64, steps: usize, points: usize) -> Subdomains {
    let method = Lbfgs {
        history: 50,
        steps,
        gradient: 1e-9,
        change: 1e-12,
        ..Lbfgs::default()
    };
    let stages = vec![
        Stage::adam(adam, Schedule::Constant(1e-3)),
        Stage::Lbfgs(method),
    ];
    let options = SubdomainOptions {
        points,
        stages: vec![stages],
        ..SubdomainOptions::default()
    };
    Subdomains::new(Family::poisson(), options).unwrap()
}

/// Without conditions on the interface the error is at least three times that with value and flux.
#[test]
fn conditions_matter() {
    let mut task = subdomains(500, 200, 1000);
    let mut error = |on: &[InterfaceTerm]| {
        task.begin(&[10.0], Key::new(1)).unwrap();
        task.act(&InterfaceTerm::action(on)).unwrap();
        task.error().unwrap()
    };
    let without = error(&[]);
    let with = error(&[InterfaceTerm::Value, InterfaceTerm::Flux]);
    println!("error without conditions {without:.3e}, with value and flux {with:.3e}");
    assert!(without > 3.0 * with);
}

#[test]
fn bits_are_the_same_for_any_number_of_threads() {
    threads::alike(|| {
        let mut task = subdomains(5, 3, 60);
        task.begin(&[10.0], Key::new(3)).unwrap();
        let reward = task.act(&[true; 9]).unwrap();
        let mut bandit = bandit(Policy::UpperBound(1.0));
        bandit
            .run(&mut switches(), 9, Key::new(2), &mut ())
            .unwrap();
        (reward.to_bits(), bandit.plays().to_vec())
    });
}

#[test]
fn what_is_refused() {
    let mut empty = bandit(Policy::Thompson);
    assert!(matches!(empty.fit(), Err(PdeError::NoData { .. })));
    assert!(matches!(
        empty.best((0, &[0.0]), None),
        Err(PdeError::NoData { .. })
    ));
    let play = |bits: usize, reward: f64| Play {
        context: vec![0.0],
        actions: vec![vec![true; bits]],
        rewards: vec![reward],
    };
    let wrong = empty.record(play(8, 1.0)).unwrap_err();
    assert!(matches!(
        wrong,
        PdeError::Width {
            expected: 9,
            got: 8,
            ..
        }
    ));
    let wrong = empty.record(play(9, f64::INFINITY)).unwrap_err();
    assert!(matches!(wrong, PdeError::NotFinite { .. }));
    assert!(empty.plays().is_empty());
    let none = Surrogate::new(&FACTORS, &[0.0; 3], &[], &[]).unwrap_err();
    assert!(matches!(none, PdeError::NoData { .. }));
    let (rows, values) = three();
    // Noise so small and rows so equal that rounding decides, yet 1e-5 is on the diagonal: only an amplitude breaks it.
    let huge = Surrogate::new(
        &FACTORS,
        &[0.0, 3.5, 40.0],
        &[&rows[..], &rows].concat(),
        &[&values[..], &values].concat(),
    );
    let error = huge.unwrap_err();
    assert!(
        matches!(error, PdeError::NotPositiveDefinite { .. }),
        "{error}"
    );
    let mut task = subdomains(1, 1, 10);
    assert!(matches!(task.act(&[true; 9]), Err(PdeError::NoData { .. })));
    task.begin(&[10.0], Key::new(0)).unwrap();
    assert!(matches!(task.act(&[true; 7]), Err(PdeError::Width { .. })));
    assert!(task.begin(&[f64::NAN], Key::new(0)).is_err());
}
