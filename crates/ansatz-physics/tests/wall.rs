//! Reaction and diffusion between walls against published values and closed forms.

use std::f64::consts::PI;

use ansatz_physics::spectral::{Check, SpectralOptions, WallEquation};
use ansatz_physics::{PhysicsError, Reference};

#[test]
fn allen_cahn_between_walls() {
    let equation = WallEquation::allen_cahn(1e-3, 5.0, [-1.0, -1.0]).expect("an equation");
    let options = SpectralOptions {
        modes: 512,
        step: 5e-3,
        check: Check::Skip,
        ..SpectralOptions::default()
    };
    let u = equation
        .solve(
            [-1.0, 1.0],
            |x| x * x * (PI * x).cos(),
            &[0.5, 1.0],
            &options,
        )
        .expect("a solution");
    // From `fixtures/allen_cahn.py`: differences on up to 4000 cells by Radau's method, extrapolated.
    let rows = [
        (
            0.5,
            [0.01200144, 0.36525169, 0.49746143, -0.03640254, -0.80120234],
        ),
        (
            1.0,
            [0.27532646, 0.97654434, 0.98760030, -0.24750108, -0.99703357],
        ),
    ];
    for (t, values) in rows {
        for (x, expected) in [0.0, 0.2, 0.4, 0.5, 0.6].into_iter().zip(values) {
            let value = u.value(x, t).expect("a value");
            assert!(
                (value - expected).abs() < 2e-8,
                "{x} {t}: {value} {expected}"
            );
            let mirror = u.value(-x, t).expect("a value");
            assert!((mirror - value).abs() < 1e-10);
        }
        assert!((u.value(1.0, t).expect("a value") + 1.0).abs() < 1e-12);
    }
    assert!(u.value(1.01, 0.5).is_err());
    assert!(u.value(0.0, 1.01).is_err());
}

#[test]
fn heat_between_warm_and_cold() {
    // u_t = νu_xx on [0, 3], u = 1 and 4 at the ends: the line plus decaying sines.
    let equation = WallEquation {
        diffusivity: 0.2,
        reaction: Vec::new(),
        walls: [1.0, 4.0],
    };
    let k = 2.0 * PI / 3.0;
    let options = SpectralOptions {
        modes: 24,
        step: 0.1,
        ..SpectralOptions::default()
    };
    let u = equation
        .solve([0.0, 3.0], |x| 1.0 + x + (k * x).sin(), &[0.7], &options)
        .expect("a solution");
    let decay = (-0.2 * k * k * 0.7_f64).exp();
    for x in [0.0, 0.4, 1.5, 2.9, 3.0] {
        let exact = 1.0 + x + decay * (k * x).sin();
        assert!((u.value(x, 0.7).expect("a value") - exact).abs() < 1e-12);
        let slope = u.states()[0].derivative(x, 1) - 1.0 - decay * k * (k * x).cos();
        assert!(slope.abs() < 1e-10);
        let second = u.states()[0].derivative(x, 2) + decay * k * k * (k * x).sin();
        assert!(second.abs() < 1e-8);
    }
    assert!(u.accuracy() < 1e-5);
}

#[test]
fn order_is_four_and_the_accuracy_a_bound() {
    let equation = WallEquation::allen_cahn(0.01, 5.0, [-1.0, 1.0]).expect("an equation");
    let solve = |modes: usize, step: f64| {
        let options = SpectralOptions {
            modes,
            step,
            ..SpectralOptions::default()
        };
        let start = |x: f64| x + 0.5 * (2.0 * PI * x).sin();
        let u = equation
            .solve([-1.0, 1.0], start, &[1.0], &options)
            .expect("a solution");
        (u.value(0.13, 1.0).expect("a value"), u.accuracy())
    };
    let exact = solve(160, 1e-3).0;
    let errors = [0.1, 0.05].map(|h| (solve(160, h).0 - exact).abs());
    let order = (errors[0] / errors[1]).log2();
    assert!((3.5..4.5).contains(&order), "{order}");
    let (value, accuracy) = solve(96, 0.02);
    assert!(
        (value - exact).abs() < accuracy && accuracy < 0.05,
        "{accuracy:e}"
    );
}

#[test]
fn bad_input_is_refused() {
    assert!(WallEquation::allen_cahn(0.0, 5.0, [0.0; 2]).is_err());
    let equation = WallEquation::allen_cahn(0.1, 5.0, [0.0; 2]).expect("an equation");
    let options = SpectralOptions {
        modes: 15,
        ..SpectralOptions::default()
    };
    let odd = equation.solve([0.0, 1.0], |_| 0.0, &[1.0], &options);
    assert!(matches!(odd, Err(PhysicsError::Parameter { .. })));
    let options = SpectralOptions {
        modes: 16,
        ..options
    };
    assert!(
        equation
            .solve([1.0, 0.0], |_| 0.0, &[1.0], &options)
            .is_err()
    );
    assert!(
        equation
            .solve([0.0, 1.0], |_| f64::NAN, &[1.0], &options)
            .is_err()
    );
    let walls = WallEquation {
        walls: [f64::NAN, 0.0],
        ..equation
    };
    assert!(walls.solve([0.0, 1.0], |_| 0.0, &[1.0], &options).is_err());
}
