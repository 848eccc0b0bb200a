//! Physics-informed Gaussians: closed derivatives, adaptivity, Helmholtz's equation.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::autodiff::{Array, laplacian, units};
use ansatz_pde::core::{Event, Key};
use ansatz_pde::nn::{Layer, Layout, Mode, Parameters};
use ansatz_pde::{
    BoxDomain, Gaussians, GaussiansOptions, Geometry, Model, Moment, Orientation, PdeError,
    Sampler, Stage, Term, Terms, Trainer, Weighting, partials, relative_error, sample,
};

fn net(options: &GaussiansOptions, dims: usize) -> (Layout, Gaussians) {
    let mut layout = Layout::new();
    let net = Gaussians::new(&mut layout.root(), (dims, 1), options).unwrap();
    (layout, net)
}

/// A network of one Gaussian, u = v·tanh(a·e) with e the Gaussian, beside its derivatives by the rule of Faà di Bruno.
#[test]
fn derivatives_of_one_gaussian() {
    let options = GaussiansOptions {
        features: 1,
        count: 1,
        hidden: 1,
        ..GaussiansOptions::default()
    };
    let (layout, net) = net(&options, 2);
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let (inner, outer) = (0.8, 1.3);
    let set = [
        ("means", vec![0.2, -0.1]),
        ("log_widths", vec![0.4_f64.ln(), 0.7_f64.ln()]),
        ("weights", vec![1.0]),
        ("head.0.weight", vec![inner]),
        ("head.1.weight", vec![outer]),
    ];
    for (name, values) in set {
        parameters.get_mut(name).unwrap().copy_from_slice(&values);
    }
    let (x, y) = (0.5, 0.3);
    let (a, b) = ((x - 0.2) / 0.4, (y + 0.1) / 0.7);
    let e = (-0.5_f64 * (a * a + b * b)).exp();
    // Derivatives of the Gaussian: ∂e = −z/σ·e, ∂²e = (z² − 1)/σ²·e, and one order more.
    let (ex, ey) = (-a / 0.4 * e, -b / 0.7 * e);
    let (exx, eyy) = ((a * a - 1.0) / 0.16 * e, (b * b - 1.0) / 0.49 * e);
    let (exy, exxx) = (a / 0.4 * b / 0.7 * e, -(a * a * a - 3.0 * a) / 0.064 * e);
    // Of the head: g = v·tanh(a·e).
    let t = (inner * e).tanh();
    let s = 1.0 - t * t;
    let g = [
        outer * t,
        outer * inner * s,
        -2.0 * outer * inner.powi(2) * t * s,
        outer * inner.powi(3) * s * (4.0 * t * t - 2.0 * s),
    ];
    let closed = [
        (vec![0, 0], g[0]),
        (vec![1, 0], g[1] * ex),
        (vec![0, 1], g[1] * ey),
        (vec![2, 0], g[2] * ex * ex + g[1] * exx),
        (vec![0, 2], g[2] * ey * ey + g[1] * eyy),
        (vec![1, 1], g[2] * ex * ey + g[1] * exy),
        (
            vec![3, 0],
            g[3] * ex.powi(3) + 3.0 * g[2] * ex * exx + g[1] * exxx,
        ),
    ];
    let mut worst = 0.0_f64;
    for (index, value) in closed {
        let got = sample(&parameters, 2, &[x, y], |pass, p| {
            Ok(partials(net.apply(pass, p), p, std::slice::from_ref(&index))?[0])
        });
        let got = got.unwrap()[0];
        worst = worst.max((got - value).abs());
        assert!((got - value).abs() < 1e-12, "{index:?}: {got} {value}");
    }
    println!("derivatives of a Gaussian to {worst:.1e}");
}

/// Turned Gaussians are Gaussians of turned points.
#[test]
fn rotations() {
    for (dims, rotation, matrix) in [
        (2, vec![1.2, 1.6], vec![0.6, 0.8, -0.8, 0.6]),
        // Half a turn about (1, 1, 1)/√3 by 120°: the axes change places.
        (
            3,
            vec![0.5; 4],
            vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        ),
    ] {
        let options = GaussiansOptions {
            features: 1,
            count: 1,
            orientation: Orientation::Turned,
            ..GaussiansOptions::default()
        };
        let (layout, turned) = net(&options, dims);
        let (plain_layout, plain) = net(
            &GaussiansOptions {
                orientation: Orientation::Axes,
                ..options
            },
            dims,
        );
        let mut parameters = Parameters::<f64>::new(&layout, Key::new(1));
        let mut same = Parameters::<f64>::new(&plain_layout, Key::new(1));
        let widths: Vec<f64> = (0..dims).map(|i| (0.3 + 0.2 * i as f64).ln()).collect();
        for p in [&mut parameters, &mut same] {
            p.get_mut("means").unwrap().fill(0.0);
            p.get_mut("log_widths").unwrap().copy_from_slice(&widths);
            p.get_mut("weights").unwrap().fill(1.0);
        }
        parameters
            .get_mut("rotations")
            .unwrap()
            .copy_from_slice(&rotation);
        for name in ["head.0.weight", "head.1.weight"] {
            let head = same.get(name).unwrap().to_vec();
            parameters.get_mut(name).unwrap().copy_from_slice(&head);
        }
        let x: Vec<f64> = (0..dims).map(|i| 0.2 + 0.15 * i as f64).collect();
        let moved: Vec<f64> = (0..dims)
            .map(|i| (0..dims).map(|j| matrix[dims * i + j] * x[j]).sum())
            .collect();
        let a = sample(&parameters, dims, &x, |pass, x| Ok(turned.apply(pass, x))).unwrap();
        let b = sample(&same, dims, &moved, |pass, x| Ok(plain.apply(pass, x))).unwrap();
        assert!((a[0] - b[0]).abs() < 1e-15 && a[0] != 0.0, "{a:?} {b:?}");
    }
}

/// A narrow bump away from all Gaussians draws one to it.
#[test]
fn gaussians_go_where_the_solution_is() {
    let bump = [0.45, -0.35];
    let options = GaussiansOptions {
        features: 1,
        count: 10,
        ..GaussiansOptions::default()
    };
    let (layout, net) = net(&options, 2);
    let place = |i: u32| f64::from(i) / 14.5 - 1.0;
    let grid: Vec<f64> = (0..900)
        .flat_map(|k| [place(k / 30), place(k % 30)])
        .collect();
    let term = Term::new("bump", 2, grid, move |pass, x| {
        let (a, b) = (x.narrow(1, 0, 1) - bump[0], x.narrow(1, 1, 2) - bump[1]);
        let target = ((a.square() + b.square()) * -200.0).exp();
        Ok(net.apply(pass, x) - target)
    });
    let mut terms = Terms::compile(&layout, vec![term], (Weighting::Fixed, Mode::Train)).unwrap();
    let trainer = Trainer::new(vec![Stage::levenberg_marquardt(60)], Key::new(0));
    for seed in 0..3 {
        let mut parameters = Parameters::<f64>::new(terms.layout(), Key::new(seed));
        let nearest = |p: &Parameters<f64>| {
            let far = |m: &[f64]| ((m[0] - bump[0]).powi(2) + (m[1] - bump[1]).powi(2)).sqrt();
            let means = p.get("means").unwrap();
            means.chunks(2).map(far).fold(f64::MAX, f64::min)
        };
        let before = nearest(&parameters);
        trainer.run(&mut terms, &mut parameters, &mut ()).unwrap();
        let after = nearest(&parameters);
        println!("nearest Gaussian: {before:.3} before, {after:.4} after");
        assert!(before > 0.2 && after < 0.05, "{before} {after}");
    }
}

/// Δu + u = q with u = sin πy·sin 4πx on [−1, 1]².
fn helmholtz(model: Model, (inside, edge): (Vec<f64>, Vec<f64>)) -> Vec<Term> {
    fn exact(x: Array<'_>) -> Array<'_> {
        (x.narrow(1, 0, 1) * (4.0 * PI)).sin() * (x.narrow(1, 1, 2) * PI).sin()
    }
    let other = model.clone();
    vec![
        Term::new("Helmholtz", 2, inside, move |pass, x| {
            let u = model.apply(pass, x);
            let q = exact(x) * (1.0 - 17.0 * PI * PI);
            Ok((laplacian(u, x, &units(x)).second + u - q) * 1e-2)
        }),
        Term::new("edge", 2, edge, move |pass, x| Ok(other.apply(pass, x))),
    ]
}

/// 897 parameters, 800 Sobol points and 50 on each side: 2e-3 in 149 steps.
#[test]
fn helmholtz_by_least_squares() {
    let (layout, net) = net(&GaussiansOptions::default(), 2);
    assert_eq!(layout.len(), 897);
    let model: Model = Arc::new(net);
    let square = BoxDomain::rectangle([-1.0, 1.0], [-1.0, 1.0]).unwrap();
    let inside = square.sample_interior(800, &Sampler::default(), Key::new(0));
    let inside = inside.unwrap().into_vec();
    let side = |i: u32| f64::from(i % 50) / 24.5 - 1.0;
    let point = |i: u32| match i / 50 {
        0 => [side(i), -1.0],
        1 => [side(i), 1.0],
        2 => [-1.0, side(i)],
        _ => [1.0, side(i)],
    };
    let edge: Vec<f64> = (0..200).flat_map(point).collect();
    let terms = helmholtz(model.clone(), (inside, edge));
    let mut terms = Terms::compile(&layout, terms, (Weighting::Fixed, Mode::Train)).unwrap();
    let mut parameters = Parameters::<f64>::new(terms.layout(), Key::new(0));
    let trainer = Trainer::new(vec![Stage::levenberg_marquardt(149)], Key::new(0));
    let place = |i: u32| f64::from(i) / 50.0 - 1.0;
    let grid: Vec<f64> = (0..10_201)
        .flat_map(|k| [place(k / 101), place(k % 101)])
        .collect();
    let exact = |p: &[f64]| (4.0 * PI * p[0]).sin() * (PI * p[1]).sin();
    let exact: Vec<f64> = grid.chunks(2).map(exact).collect();
    let error = |parameters: &Parameters<f64>| {
        let u = sample(parameters, 2, &grid, |pass, x| Ok(model.apply(pass, x))).unwrap();
        relative_error(&u, &exact).unwrap()
    };
    let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
        if [30, 80].contains(&(e.step + 1)) {
            println!("{} steps: {:.2e}", e.step + 1, error(e.state.parameters));
        }
        std::ops::ControlFlow::Continue(())
    };
    trainer
        .run(&mut terms, &mut parameters, &mut watch)
        .unwrap();
    let error = error(&parameters);
    println!("149 steps: {error:.2e}");
    assert!(error < 2e-3, "{error}");
}

#[test]
fn what_is_refused() {
    let mut layout = Layout::new();
    let mut make = |dims, options: GaussiansOptions| {
        Gaussians::new(&mut layout.root(), (dims, 1), &options).map(|_| ())
    };
    let base = GaussiansOptions::default();
    for bad in [
        GaussiansOptions {
            width: 0.0,
            ..base.clone()
        },
        GaussiansOptions {
            width: f64::NAN,
            ..base.clone()
        },
        GaussiansOptions {
            count: 0,
            ..base.clone()
        },
    ] {
        assert!(matches!(make(2, bad), Err(PdeError::Option { .. })));
    }
    let turned = GaussiansOptions {
        orientation: Orientation::Turned,
        ..base
    };
    assert!(matches!(
        make(4, turned.clone()),
        Err(PdeError::Width { .. })
    ));
    // A rotation of length 0 is none.
    let (layout, turned) = net(&turned, 2);
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let at = |p: &Parameters<f64>| sample(p, 2, &[0.1, 0.2], |pass, x| Ok(turned.apply(pass, x)));
    assert!(at(&parameters).is_ok());
    parameters.get_mut("rotations").unwrap()[2..4].fill(0.0);
    assert!(matches!(at(&parameters), Err(PdeError::NotFinite { .. })));
}
