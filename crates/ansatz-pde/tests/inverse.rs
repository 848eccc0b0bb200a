//! Coefficients of Burgers' equation from values of its solution, clean and noisy.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;
use std::ops::ControlFlow;

use ansatz_pde::core::{Event, Key};
use ansatz_pde::nn::{Loss, Mode, Parameters};
use ansatz_pde::{
    Counts, Moment, Network, PdeError, Pinn, Points, Problem, Stage, Terms, Weighting,
};
use ansatz_physics::burgers::ColeHopf;

/// λ₁ and λ₂·π from 400 values with this noise, in parts of their spread.
#[expect(clippy::print_stdout, reason = "what was measured")]
fn found(noise: f64, steps: usize) -> [f64; 2] {
    let exact = ColeHopf::new(0.01 / PI).unwrap();
    let key = Key::new(11);
    let point = |i| {
        let [a, b] = key.uniform(0, i);
        [2.0 * a - 1.0, b]
    };
    let points: Vec<[f64; 2]> = (0..400).map(point).collect();
    let mut values: Vec<f64> = points
        .iter()
        .map(|p| exact.value(p[0], p[1]).unwrap())
        .collect();
    let spread = (values.iter().map(|v| v * v).sum::<f64>() / 400.0).sqrt();
    for (i, v) in (0..).zip(&mut values) {
        *v += noise * spread * key.normal(1, i)[0];
    }
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .coefficient("lambda1", 0.5)
        .positive_coefficient("lambda2", 0.02)
        .equation("u_t + lambda1*u*u_x = lambda2*u_xx")
        .measured("u", Points::new(2, points.concat()).unwrap(), values)
        .build()
        .unwrap();
    let pinn = Pinn {
        network: Network::mlp(&[16, 16, 16]),
        points: Counts {
            inside: 800,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(steps)],
        key: Key::new(3),
        ..Pinn::default()
    };
    let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
        if [50, 100].contains(&(e.step + 1)) {
            let own = |name: &str| e.state.parameters.get(name).unwrap()[0];
            let first = own("coefficients.lambda1");
            let second = PI * own("coefficients.lambda2").exp();
            println!("{} steps: {first:.4}, {second:.5}", e.step + 1);
        }
        ControlFlow::Continue(())
    };
    let solution = pinn.solve::<f64, _>(&problem, &mut watch).unwrap();
    let found = solution.coefficients();
    [found[0].1, PI * found[1].1]
}

#[test]
fn coefficients_from_clean_values() {
    let [first, second] = found(0.0, 149);
    println!("clean, 149 steps: {first:.5}, {second:.6}");
    assert!(
        (first - 1.0).abs() < 5e-3 && (second - 0.01).abs() < 1e-3,
        "{first} {second}"
    );
}

#[test]
fn coefficients_from_noisy_values() {
    let [first, second] = found(0.01, 149);
    println!("1 % of noise, 149 steps: {first:.4}, {second:.5}");
    assert!(
        (first - 1.0).abs() < 2e-2 && (second - 0.01).abs() < 1e-3,
        "{first} {second}"
    );
}

/// Three coefficients of Lorenz's equations from 25 values of each unknown: x from (−8, 7, 27) to t = 3 with (10, 15, 8/3),
/// by the classical Runge-Kutta method.
#[test]
fn lorenz() {
    let truth = [10.0, 15.0, 8.0 / 3.0];
    let slope = |u: [f64; 3]| {
        let [x, y, z] = u;
        let [s, r, b] = truth;
        [s * (y - x), x * (r - z) - y, x * y - b * z]
    };
    let (samples, between) = (25, 200);
    let h = 3.0 / f64::from(samples * between);
    let mut u = [-8.0, 7.0, 27.0];
    let (mut times, mut values) = (Vec::new(), [const { Vec::new() }; 3]);
    for k in 1..=samples * between {
        let along = |a: [f64; 3], f: f64| -> [f64; 3] { std::array::from_fn(|i| u[i] + f * a[i]) };
        let a = slope(u);
        let b = slope(along(a, 0.5 * h));
        let c = slope(along(b, 0.5 * h));
        let d = slope(along(c, h));
        for i in 0..3 {
            u[i] += h / 6.0 * (a[i] + 2.0 * (b[i] + c[i]) + d[i]);
        }
        if k % between == 0 {
            times.push(f64::from(k) * h);
            values.iter_mut().zip(u).for_each(|(all, u)| all.push(u));
        }
    }
    let mut problem = Problem::new()
        .time("t", [0.0, 3.0])
        .unknown("x")
        .unknown("y")
        .unknown("z")
        .coefficient("sigma", 5.0)
        .coefficient("rho", 5.0)
        .coefficient("beta", 1.0)
        // In the size of their largest terms, so that the values weigh as much.
        .equation("(x_t - sigma*(y - x))/100 = 0")
        .equation("(y_t - x*(rho - z) + y)/100 = 0")
        .equation("(z_t - x*y + beta*z)/100 = 0")
        // Exact at the start, and the network's outputs of size 1.
        .form("x", "-8 + 10*t*x")
        .form("y", "7 + 10*t*y")
        .form("z", "27 + 10*t*z");
    for (name, all) in ["x", "y", "z"].into_iter().zip(values) {
        problem = problem.measured(name, Points::new(1, times.clone()).unwrap(), all);
    }
    let pinn = Pinn {
        network: Network::mlp(&[20, 20]),
        points: Counts {
            inside: 300,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(200)],
        ..Pinn::default()
    };
    let solution = pinn.solve::<f64, _>(&problem.build().unwrap(), &mut ());
    let found = solution.unwrap().coefficients();
    println!("{found:?}");
    for ((name, value), exact) in found.iter().zip(truth) {
        assert!((value / exact - 1.0).abs() < 1e-2, "{name}: {value}");
    }
}

/// The diffusivity of u_t = C·u_xx + f, u = e^(−t)·sin πx, from ten values at the end.
#[test]
fn diffusivity_from_the_end() {
    let places: Vec<f64> = (0..10).map(|i| f64::from(i) / 4.5 - 1.0).collect();
    let values = places.iter().map(|x| (-1.0_f64).exp() * (PI * x).sin());
    let values: Vec<f64> = values.collect();
    let points: Vec<f64> = places.iter().flat_map(|x| [*x, 1.0]).collect();
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .coefficient("C", 2.0)
        .equation("u_t = C*u_xx - exp(-t)*(1 - pi^2)*sin(pi*x)")
        .condition("boundary", "u = 0")
        .condition("start", "u = sin(pi*x)")
        .measured("u", Points::new(2, points).unwrap(), values)
        .build()
        .unwrap();
    let pinn = Pinn {
        network: Network::mlp(&[16, 16]),
        points: Counts {
            inside: 300,
            on_conditions: 40,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(100)],
        ..Pinn::default()
    };
    let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
    let found = solution.coefficients()[0].1;
    println!("diffusivity {found:.6}");
    assert!((found - 1.0).abs() < 5e-3, "{found}");
}

/// Quantities that are detached: an equation of the coefficient alone, whose gradient in the network is zero and in the
/// coefficient what it was.
#[test]
fn detached_quantities_are_constants() {
    let gradient = |detached: &[&str]| {
        let problem = Problem::new()
            .coordinate("x", [0.0, 1.0])
            .time("t", [0.0, 1.0])
            .unknown("u")
            .coefficient("k", 0.7)
            .equation("u_t = k*u_xx + u");
        let problem = detached.iter().fold(problem, |p, d| p.detached(d));
        let problem = problem.incomplete().build().unwrap();
        let assembly = Network::mlp(&[6]).assemble(&problem).unwrap();
        let counts = Counts {
            inside: 30,
            ..Counts::default()
        };
        let key = Key::new(1);
        let terms = problem.terms(&assembly.model, &assembly.coefficients, &counts, key);
        let options = (Weighting::Fixed, Mode::Train);
        let mut terms = Terms::<f64>::compile(&assembly.layout, terms.unwrap(), options).unwrap();
        let parameters = Parameters::new(terms.layout(), key);
        let data = terms.data();
        let data: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
        let mut out = vec![0.0; parameters.values().len()];
        let loss = terms.gradient(&parameters, &data, key, &mut out).unwrap();
        let own = terms.layout().entry(assembly.coefficients[0]).range();
        let (mut net, mut coefficient) = (0.0_f64, 0.0);
        for (i, slope) in out.iter().enumerate() {
            if own.contains(&i) {
                coefficient = *slope;
            } else {
                net = net.max(slope.abs());
            }
        }
        (loss, net, coefficient)
    };
    let free = gradient(&[]);
    let held = gradient(&["u_xx", "u_t", "u"]);
    assert!(free.1 > 1e-3 && free.2.abs() > 1e-3);
    assert!(held.1 == 0.0);
    assert!((held.0 - free.0).abs() < 1e-14 && (held.2 - free.2).abs() < 1e-14);
    let part = gradient(&["diff(u, x, x)"]);
    assert!(part.1 > 1e-3 && (part.1 - free.1).abs() > 1e-6);
    // The coefficient itself may be held too; what no equation has is refused with what they have.
    assert!(gradient(&["k"]).2 == 0.0);
    let unknown = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .unknown("u")
        .equation("u_xx = 1")
        .detached("u_x")
        .incomplete()
        .build();
    assert!(matches!(unknown, Err(PdeError::Unknown { name, .. }) if name == "u_x"));
}
