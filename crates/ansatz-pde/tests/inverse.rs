//! Coefficients of Burgers' equation from values of its solution, clean and noisy.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;

use ansatz_pde::core::Key;
use ansatz_pde::nn::{Loss, Mode, Parameters};
use ansatz_pde::{Counts, Network, PdeError, Pinn, Points, Problem, Stage, Terms, Weighting};
use ansatz_physics::burgers::ColeHopf;

/// λ₁ and λ₂·π from 400 values with this noise, in parts of their spread.
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
    let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
    let found = solution.coefficients();
    [found[0].1, PI * found[1].1]
}

#[test]
fn coefficients_from_clean_values() {
    let [first, second] = found(0.0, 149);
    assert!(
        (first - 1.0).abs() < 5e-3 && (second - 0.01).abs() < 1e-3,
        "{first} {second}"
    );
}

#[test]
fn coefficients_from_noisy_values() {
    let [first, second] = found(0.01, 149);
    assert!(
        (first - 1.0).abs() < 2e-2 && (second - 0.01).abs() < 1e-3,
        "{first} {second}"
    );
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
