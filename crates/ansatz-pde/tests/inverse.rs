//! Coefficients of Burgers' equation from values of its solution, clean and noisy.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;

use ansatz_pde::core::Key;
use ansatz_pde::{Counts, Network, Pinn, Points, Problem, Stage};
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
