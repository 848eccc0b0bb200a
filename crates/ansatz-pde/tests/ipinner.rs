//! Caputo's derivative of known functions, an unknown order found from data, the loop of networks and filter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod threads;

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::autodiff::{Array, Graph, Options, Program, gradient};
use ansatz_pde::core::Key;
use ansatz_pde::ipinner::{Ipinner, Observed, Sensors};
use ansatz_pde::nn::{
    Init, Layer, Layout, Mlp, MlpOptions, Mode, Parameter, Parameters, Pass, Schedule,
};
use ansatz_pde::{
    Caputo, PdeError, Stage, Term, Terms, Trainer, Weighting, partials, relative_error, sample,
};

/// The derivative of order α of values at the nodes.
fn derivative(caputo: &Caputo, alpha: f64, u: impl Fn(f64) -> f64) -> Vec<f64> {
    let n = caputo.times().len();
    let g = Graph::new();
    let values = caputo.times().iter().map(|t| u(*t)).collect();
    let order = g.constant(&[1], vec![Caputo::fraction(alpha).unwrap()]);
    let d = caputo.derivative(g.constant(&[1, n], values), order);
    let program = Program::<f64>::compile(&g.finish(&[d]), &Options::default()).unwrap();
    let mut out = vec![0.0; n - 1];
    program.run(&[], &mut [&mut out]).unwrap();
    out
}

/// Errors of the formula at the end, for t³ and an order of one half and of 0.3.
#[test]
fn errors_for_the_cube() {
    let cases: [(f64, &[(usize, f64)]); 2] = [
        (
            0.5,
            &[
                (10, -3.832056e-2),
                (20, -1.422885e-2),
                (40, -5.193756e-3),
                (80, -1.875798e-3),
                (160, -6.728563e-4),
            ],
        ),
        (
            0.3,
            &[
                (10, -1.360025e-2),
                (20, -4.529162e-3),
                (40, -1.477402e-3),
                (80, -4.751976e-4),
            ],
        ),
    ];
    for (alpha, errors) in cases {
        let exact = 6.0 / libm::tgamma(4.0 - alpha);
        for (n, error) in errors {
            let caputo = Caputo::uniform(1.0, *n).unwrap();
            let got = derivative(&caputo, alpha, |t| t * t * t)[n - 1] - exact;
            println!("{alpha} {n}: {got:.6e} for {error:.6e}");
            assert!((got - error).abs() < 6e-9, "{alpha} {n}: {got} {error}");
        }
    }
}

/// t^α on graded nodes has order 2 − α at the end; at the first node the error is the same for any step; α → 1 is the
/// backward difference.
#[test]
fn nodes_that_crowd() {
    let alpha = 0.5;
    let exact = libm::tgamma(1.0 + alpha);
    let error = |r: f64, n: usize| {
        let caputo = Caputo::graded(1.0, n, r).unwrap();
        (derivative(&caputo, alpha, |t| t.powf(alpha))[n - 1] - exact).abs()
    };
    let order = |r: f64| (error(r, 80) / error(r, 160)).log2();
    assert!((order(3.0) - 1.5).abs() < 0.1, "{}", order(3.0));
    for n in [10, 1000] {
        let caputo = Caputo::uniform(1.0, n).unwrap();
        let first = derivative(&caputo, alpha, |t| t.powf(alpha))[0];
        assert!((first - 1.0 / libm::tgamma(2.0 - alpha)).abs() < 1e-12);
    }
    let caputo = Caputo::uniform(1.0, 10).unwrap();
    let near = derivative(&caputo, 1.0 - 1e-9, |t| t * t);
    assert!((near[4] - (0.25 - 0.16) / 0.1).abs() < 1e-7);
}

/// Slopes in α against central differences, Γ and weights included.
#[test]
fn slopes_in_the_order() {
    let caputo = Caputo::graded(2.0, 7, 1.5).unwrap();
    let value = |alpha: f64| derivative(&caputo, alpha, f64::exp).iter().sum::<f64>();
    for alpha in [0.2, 0.55, 0.93] {
        let g = Graph::new();
        let order = g.input(&[1]);
        let values = caputo.times().iter().map(|t| t.exp()).collect();
        let sum = caputo.derivative(g.constant(&[1, 8], values), order).sum();
        let slope = gradient(sum, &[order]);
        let program = Program::<f64>::compile(&g.finish(&slope), &Options::default()).unwrap();
        let mut out = [0.0];
        program.run(&[&[alpha]], &mut [&mut out]).unwrap();
        let difference = (value(alpha + 1e-5) - value(alpha - 1e-5)) / 2e-5;
        assert!((out[0] - difference).abs() < 1e-7 * difference.abs().max(1.0));
    }
}

/// Coordinate `i`, for points in rows and for rows of nodes.
fn coordinate(x: Array<'_>, i: usize) -> Array<'_> {
    x.narrow(x.shape().rank() - 1, i, i + 1)
}

/// A network that is 0 at the ends of [0, π] and at the start.
fn unknown(layout: &mut Layout, width: usize) -> impl Layer + Clone + use<> {
    let net = Mlp::new(
        &mut layout.root().scope("net"),
        &[2, width, width, 1],
        &MlpOptions::default(),
    );
    ansatz_pde::Shaped::new(net, |x, net| {
        let (x, t) = (coordinate(x, 0), coordinate(x, 1));
        net * t * x * (-x + PI)
    })
}

/// D^α u − u_xx at points of space and all nodes but the first.
fn operator<'g>(
    (caputo, model): (&Caputo, &impl Layer),
    pass: &Pass<'g>,
    x: Array<'g>,
    alpha: Array<'g>,
) -> Result<Array<'g>, PdeError> {
    let (p, n) = (x.shape()[0], caputo.times().len());
    let at = caputo.grid(x);
    let u = model.apply(pass, at);
    let second = partials(u, at, &[vec![2, 0]])?[0].reshape(&[p, n]);
    Ok(caputo.derivative(u, alpha) - second.narrow(1, 1, n))
}

/// The source for u = t³·sin x, at the nodes after the first.
fn source<'g>(caputo: &Caputo, x: Array<'g>, alpha: f64) -> Array<'g> {
    let f = |t: &f64| 6.0 / libm::tgamma(4.0 - alpha) * t.powf(3.0 - alpha) + t.powi(3);
    let times: Vec<f64> = caputo.times()[1..].iter().map(f).collect();
    x.sin() * x.graph().constant(&[1, times.len()], times)
}

fn exact(p: &[f64]) -> f64 {
    p[1].powi(3) * p[0].sin()
}

fn grid(n: usize) -> Vec<f64> {
    let place = |i: usize| i as f64 / (n - 1) as f64;
    (0..n * n)
        .flat_map(|k| [PI * place(k / n), place(k % n)])
        .collect()
}

/// The order of a mixed diffusion equation from 100 clean values.
#[test]
fn an_unknown_order() {
    let mut layout = Layout::new();
    let model = unknown(&mut layout, 12);
    let order: Parameter = layout.root().parameter("order", &[1], Init::Constant(1.4));
    let caputo = Caputo::uniform(1.0, 30).unwrap();
    let space: Vec<f64> = (0..16).map(|i| PI * (f64::from(i) + 0.5) / 16.0).collect();
    let (inner, nodes) = (model.clone(), caputo.clone());
    let equation = Term::new("equation", 1, space, move |pass, x| {
        let left = operator((&nodes, &inner), pass, x, pass[order].sigmoid())?;
        Ok(left - source(&nodes, x, 0.5))
    });
    let rows = grid(12);
    let rows = rows.chunks(2).filter(|p| p[1] > 0.0);
    let rows: Vec<f64> = rows.flat_map(|p| [p[0], p[1], exact(p)]).collect();
    let inner = model.clone();
    let data = Term::new("data", 3, rows, move |pass, x| {
        Ok(inner.apply(pass, x.narrow(1, 0, 2)) - x.narrow(1, 2, 3))
    });
    let terms = vec![equation, data.weighted(30.0)];
    let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
    let mut parameters = Parameters::new(terms.layout(), Key::new(2));
    let stages = vec![Stage::levenberg_marquardt(60)];
    let report = Trainer::new(stages, Key::new(3)).run(&mut terms, &mut parameters, &mut ());
    let alpha = 1.0 / (1.0 + (-parameters.get("order").unwrap()[0]).exp());
    let at = grid(21);
    let u = sample(&parameters, 2, &at, |pass, x| Ok(model.apply(pass, x))).unwrap();
    let error = relative_error(&u, &at.chunks(2).map(exact).collect::<Vec<_>>()).unwrap();
    println!("{}order {alpha:.5}, error {error:.2e}", report.unwrap());
    assert!((alpha - 0.5).abs() < 0.01, "{alpha}");
}

/// The forward problem with a source measured with 50 % noise, and what the loop and a single network make of it.
fn noisy(
    members: usize,
    (epochs, iterations): (u64, usize),
) -> (Observed, Ipinner, impl Layer + Clone + use<>) {
    let mut layout = Layout::new();
    let model = unknown(&mut layout, 12);
    let caputo = Caputo::uniform(1.0, 16).unwrap();
    let (places, nodes) = (16, 16);
    let space: Vec<f64> = (0..places)
        .map(|i| PI * (f64::from(i) + 0.5) / f64::from(places))
        .collect();
    let empty = Parameters::<f64>::new(&Layout::new(), Key::new(0));
    let clean = sample(&empty, 1, &space, |_, x| Ok(source(&caputo, x, 0.5))).unwrap();
    let count = clean.len() as f64;
    let mean = clean.iter().sum::<f64>() / count;
    let variance = clean.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / count;
    let noise = 0.5 * variance.sqrt();
    let mut draws = vec![0.0; clean.len()];
    Key::new(77).fill_normal(0, &mut draws);
    let measured = clean
        .iter()
        .zip(&draws)
        .map(|(f, z)| f + noise * z)
        .collect();
    assert_eq!(clean.len(), places as usize * nodes);
    let inner = model.clone();
    let ends: Vec<f64> = grid(9);
    let again = model.clone();
    let observed = Observed {
        layout,
        // The conditions hold by construction: what is left is that the solution does not grow beyond its source.
        terms: vec![(
            0,
            Term::new("size", 2, ends, move |pass, x| Ok(again.apply(pass, x))).weighted(1e-3),
        )],
        sensors: Sensors {
            columns: 1,
            points: space,
            measured,
            variance: noise * noise,
            values: Arc::new(move |pass, x| {
                let half = x.graph().constant(&[1], vec![0.5]);
                operator((&caputo, &inner), pass, x, half)
            }),
            weight: 1.0,
        },
    };
    let method = Ipinner {
        members,
        generations: 2,
        training: vec![Stage::adam(epochs, Schedule::Constant(3e-3))],
        iterations,
        tolerance: 1e-12,
        ..Ipinner::default()
    };
    (observed, method, model)
}

#[test]
fn bits_are_the_same_for_any_number_of_threads() {
    let (observed, method, _) = noisy(3, (4, 2));
    let one = threads::alike(|| {
        method
            .run::<f64, _>(&observed, Key::new(1), &mut ())
            .unwrap()
    });
    assert_eq!((one.members.len(), one.moves.len()), (3, 2));
}

#[test]
#[ignore = "trains eight networks for twenty seconds"]
fn a_noisy_source() {
    let (observed, method, model) = noisy(8, (300, 4));
    let at = grid(21);
    let truth: Vec<f64> = at.chunks(2).map(exact).collect();
    let square = |u: &[f64]| {
        let squares = u.iter().zip(&truth).map(|(u, v)| (u - v).powi(2));
        squares.sum::<f64>() / truth.len() as f64
    };
    let report = method
        .run::<f64, _>(&observed, Key::new(1), &mut ())
        .unwrap();
    let inner = model.clone();
    let value: ansatz_pde::Residual = Arc::new(move |pass, x| Ok(inner.apply(pass, x)));
    let spread = report.spread(2, &at, &value).unwrap();
    let ours = square(&spread.iter().map(|s| s[0]).collect::<Vec<_>>());
    // One network for as many steps.
    let alone = Ipinner {
        iterations: 1,
        members: 2,
        generations: 8,
        ..method
    };
    let single = alone
        .run::<f64, _>(&observed, Key::new(1), &mut ())
        .unwrap();
    let u = sample(&single.members[0], 2, &at, |pass, x| {
        Ok(model.apply(pass, x))
    })
    .unwrap();
    let single = square(&u);
    println!("moves {:?}", report.moves);
    println!("mean square error: loop {ours:.3e}, one network {single:.3e}");
    // The mean square of the solution is 0.07, and half of the source's size is noise.
    assert!(ours < 1e-3 && single < 1e-3);
}

#[test]
fn what_is_refused() {
    for (order, whole) in [
        (0.0, true),
        (1.0, true),
        (2.0, true),
        (2.5, false),
        (-0.5, false),
    ] {
        let error = Caputo::fraction(order).unwrap_err();
        let integer = matches!(error, PdeError::UseIntegerDerivative { .. });
        assert_eq!(integer, whole, "{order}");
    }
    assert!((Caputo::fraction(1.75).unwrap() - 0.75).abs() < 1e-15);
    assert!(Caputo::uniform(1.0, 0).is_err() && Caputo::graded(1.0, 3, 0.5).is_err());
    assert!(Caputo::uniform(f64::NAN, 3).is_err());

    let (observed, method, _) = noisy(3, (1, 1));
    let refuse = |observed: &Observed, method: &Ipinner| {
        method
            .run::<f64, _>(observed, Key::new(0), &mut ())
            .unwrap_err()
    };
    let one = Ipinner {
        members: 1,
        ..method.clone()
    };
    let error = refuse(&observed, &one);
    assert!(matches!(
        error,
        PdeError::Option {
            name: "members",
            ..
        }
    ));
    let none = Ipinner {
        divisions: 0,
        ..method.clone()
    };
    let error = refuse(&observed, &none);
    assert!(matches!(
        error,
        PdeError::Option {
            name: "divisions",
            ..
        }
    ));
    let mut exact = observed.clone();
    exact.sensors.variance = 0.0;
    let error = refuse(&exact, &method);
    assert!(matches!(
        error,
        PdeError::Option {
            name: "variance",
            ..
        }
    ));
    let mut short = observed.clone();
    short.sensors.measured.pop();
    assert!(matches!(refuse(&short, &method), PdeError::Width { .. }));
}
